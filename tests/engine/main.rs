//! The engine: the main job end to end, and every way a run can end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod archives;
mod cold;
mod connections;
mod copies;
mod cuts;
mod leftovers;
mod locks;
mod main_job;
mod outcomes;
mod own_folders;
mod places;
mod restores;
mod setup;
mod setup_destinations;
mod setup_existing;
mod setup_plans;
mod support;
