//! SFTP version 3, for accounts without a shell.
//!
//! An own client because names must stay raw bytes: russh-sftp turns names that are not UTF-8 into others. See
//! `docs/adr` for the decision.

pub mod attributes;
mod hashing;
mod remote;
mod remote_file;
mod session;
pub mod session_files;
mod source;
mod wire;

pub use session::SftpSession;
pub use source::{remote_files_source, start_sftp_on};
