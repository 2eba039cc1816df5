//! Layouts: how backups lie at a destination. The vault, archives, and the files a backup is downloaded into.

pub mod archive;
pub mod export;
pub mod vault;

pub use archive::{ARCHIVES_PREFIX, ArchiveNameFacts, Archives, archive_key_id, archive_name};
pub use export::ArchiveExporter;
pub use vault::{Presence, Vault, presence};
