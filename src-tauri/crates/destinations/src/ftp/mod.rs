//! A folder of an FTP server, with or without TLS. Objects are files, a key's `/` are folders; what is half written has a
//! temporary name.

mod client;
mod data;
mod errors;
mod greet;
mod list;
mod listing;
mod parts;
mod pool;
mod reader;
mod session;
mod tls;
mod turns;
mod writer;

pub use client::{Ftp, probe_certificate};
pub use pool::Waits;
