//! A folder of this computer, or one mounted on it.

mod client;
mod config;
mod errors;
mod list;
mod parts;
mod reader;
mod writer;

pub use client::Local;
