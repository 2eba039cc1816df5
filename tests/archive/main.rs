//! Archives: what goes in comes out, other programs open them, and no fault makes half a backup.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod copies;
mod damage;
mod faults;
mod interop;
mod links;
mod one_stream;
mod programs;
mod round_trip;
mod support;
