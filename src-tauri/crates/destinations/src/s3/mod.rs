//! A bucket of an S3-compatible store.

mod client;
mod cold;
mod config;
mod delete;
mod errors;
mod list;
mod lock;
mod reader;
mod sweep;
mod upload;
mod wire;
mod writer;

pub use client::S3;
