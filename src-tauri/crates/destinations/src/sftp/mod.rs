//! A folder reached over SFTP. Objects are files, a key's `/` are folders; what is half written has a temporary name.

mod client;
mod config;
mod errors;
mod follow;
mod list;
mod parts;
mod reader;
mod writer;

pub use client::Sftp;
