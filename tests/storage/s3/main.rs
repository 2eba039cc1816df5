//! The S3 destination against servers of its own kind: the contract, and everything a store may do wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod contract;
mod faults;
mod links;
mod listing;
mod outside;
mod probing;
mod providers;
mod refusals;
mod secrets;
mod support;
mod tls;
mod uploads;
