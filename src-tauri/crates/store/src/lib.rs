//! The local database, in SQLite: set-up, runs, the audit log, and a cache of what destinations tell.
//!
//! One file of queries a table. Every call is one transaction; several processes (the window and the command line) may have
//! the same file open. [`audit`] says how the audit log is chained.

pub mod audit;
mod backups;
mod database;
mod destinations;
mod errors;
mod host_keys;
mod migrations;
mod owner;
mod plans;
mod problems;
mod queue;
mod run_log;
mod runs;
mod servers;
mod settings;
mod sqlite_store;
mod transfers;
mod values;

pub use sqlite_store::SqliteStore;
