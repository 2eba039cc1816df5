//! What differs by operating system: secrets, notifications, well-known folders, hardening of the process.

mod harden;
pub mod notify;
pub mod paths;
pub mod secrets;

pub use harden::harden;
