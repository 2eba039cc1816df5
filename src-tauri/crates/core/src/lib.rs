//! The words and sockets of Backstay: ids, domain types, and the four traits everything else plugs into.
//!
//! `Host` x `Kind` x `Layout` x `Destination`: any kind works on any host, any layout lies on any destination.
//! This crate does no I/O of its own. See `docs/architecture.md`.

pub mod attempts;
pub mod config;
pub mod context;
pub mod destination;
pub mod entry;
pub mod error;
pub mod host;
pub mod ids;
pub mod kind;
pub mod layout;
pub mod path;
pub mod remote;
pub mod run;
pub mod secret;
pub mod store;
pub mod tar;

pub use context::{RunContext, SilentProgress};
pub use error::{Error, ErrorClass, Result};
pub use ids::{BackupId, DestinationId, PlanId, RunId, ServerId};
pub use path::RawPath;
pub use secret::Secret;
