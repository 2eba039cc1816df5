//! The vault, against a destination in memory and against the real restic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cache;
mod copies;
mod faults;
mod opening;
mod prune;
#[cfg(unix)]
mod restic;
mod rotten;
mod round_trip;
mod support;
