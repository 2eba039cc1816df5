//! The engine: the main job end to end, and every way a run can end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod archives;
mod copies;
mod cuts;
mod main_job;
mod outcomes;
mod places;
mod restores;
mod setup;
mod setup_destinations;
mod setup_existing;
mod setup_plans;
mod support;
