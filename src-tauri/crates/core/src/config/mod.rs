//! What the admin set up: servers, destinations, plans, settings. No secrets: those are in the secret store by name.

mod audit;
mod backup;
mod bandwidth;
mod destination;
mod plan;
mod server;

pub use audit::{AuditEntry, AuditRecord};
pub use backup::{BackupCopies, BackupQuery, BackupSort, KnownBackup, LastBackup};
pub use bandwidth::{Bandwidth, BandwidthRule};
pub use destination::{
    DestinationConfig, DestinationLogin, FtpPassive, FtpPlace, FtpTls, Place, S3Place, SftpPlace, SftpVia,
};
pub use plan::{ArchiveSettings, Plan, PlanLayout, Seal};
pub use server::{Connection, PinnedHostKey, Server, ServerFacts, SshAuth, SshConnection, SshJump, Sudo};
