//! The app without a window: its commands, what permits them, the TypeScript written from them, and how it starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bindings;
mod commands;
mod startup;
