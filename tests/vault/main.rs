//! The vault, against a destination in memory and against the real restic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod copies;
mod faults;
mod opening;
#[cfg(unix)]
mod restic;
mod round_trip;
mod support;
