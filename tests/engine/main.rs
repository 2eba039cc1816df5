//! The engine: the main job end to end, and every way a run can end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cuts;
mod main_job;
mod outcomes;
mod restores;
mod setup;
mod support;
