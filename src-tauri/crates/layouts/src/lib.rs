//! Layouts: how backups lie at a destination. The vault, and the files a backup is downloaded into.

pub mod export;
pub mod vault;

pub use export::ArchiveExporter;
pub use vault::{Presence, Vault, presence};
