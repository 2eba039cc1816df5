//! The engine: one facade for the window and the command line, and the runs behind it.
//!
//! It knows hosts, kinds, layouts and destinations only by core's traits; which concrete ones there are, [`Parts`]
//! tells. Every method of [`Backstay`] is one command of `backstay_contract`, with the same name.

mod parts;
mod pending;
mod words;

pub use parts::{HostLogin, OpenVault, Parts, ProbedHostKey, ProbedStep, SshConfigAlias, VaultPresence};
pub use pending::Backstay;
pub use words::ipc_error;
