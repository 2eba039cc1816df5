//! The engine: one facade for the window and the command line, and the runs behind it.
//!
//! It knows hosts, kinds, layouts and destinations only by core's traits; which concrete ones there are, [`Parts`]
//! tells. Every method of [`Backstay`] is one command of `backstay_contract`, with the same name.

mod backstay;
mod backups;
mod destinations;
mod overview;
mod own_folders;
mod parts;
mod plans;
mod restore;
mod run;
mod same_machine;
mod servers;
mod system;
mod words;

pub use backstay::Backstay;
pub use parts::{
    CleanupDays, DestinationAccess, LimitedTraffic, MirrorLeg, OnLegFailed, OnRetry, OnStep, OpenVault, Parts, Probed,
    ProbedAbility, ProbedCertificate, ProbedHostKey, ProbedStep, SshConfigAlias, SshWay, VaultPresence, Watch,
};
pub use words::{count_text, grouped, ipc_error, size_text};
