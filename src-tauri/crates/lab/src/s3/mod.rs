//! S3 servers for tests: one in this process that can misbehave, and real ones from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod browser;
mod faults;
mod outside;
mod server;
mod shelf;
mod shelf_calls;
mod shelf_files;
mod shelf_page;
mod tls;

pub use browser::fetch;
pub use faults::{Does, Reply, Seen};
pub use outside::{Garage, Moto};
pub use server::S3Server;
pub use tls::Certificate;
