//! A layout: how backups lie at a destination. Entries in, entries out.

mod archive;
mod backup;
mod check;
mod diff;
mod export;
mod journal;

pub use archive::{ArchiveFile, ArchiveFormat, ArchiveKey, ArchiveKeys, ArchiveStart};
pub use backup::{BackupManifest, BackupReader, BackupRecord, BackupStart, BackupWriter, ListedEntry, Selection};
pub use check::{LayoutCheck, Mended, Suspects};
pub use diff::{BackupDiff, DiffKind, DiffLine};
pub use export::{ExportFrom, ExportMark, ExportReport, Exporter};
pub use journal::{MemoryJournal, TransferJournal};

use crate::context::RunContext;
use crate::destination::{Destination, Key};
use crate::error::Result;
use crate::ids::BackupId;
use async_trait::async_trait;
use std::sync::Arc;

/// How backups lie at one destination. Opened with its key; an unopened one has no methods.
#[async_trait]
pub trait Layout: Send + Sync {
    /// Starts a backup. Two may be started at once; both end up whole.
    async fn begin(&self, ctx: &RunContext, start: BackupStart) -> Result<Box<dyn BackupWriter>>;
    /// Returns all backups, newest first, reading the destination anew.
    async fn list(&self) -> Result<Vec<BackupRecord>>;
    /// Opens one backup for reading. `Missing` if it is not there.
    async fn open(&self, id: &BackupId) -> Result<Arc<dyn BackupReader>>;
    /// Compares two backups.
    async fn diff(&self, ctx: &RunContext, older: &BackupId, newer: &BackupId) -> Result<BackupDiff>;
    /// Checks structure, and reads back this share of the data.
    async fn check(&self, ctx: &RunContext, read_data_percent: u8) -> Result<LayoutCheck>;
    /// Bytes used at the destination.
    async fn used_bytes(&self) -> Result<u64>;
    /// Removes one backup, manifest or snapshot first, so that a kill leaves no backup that cannot be read. Bytes a vault
    /// shares between backups stay until it is pruned.
    async fn delete(&self, ctx: &RunContext, id: &BackupId) -> Result<Deleted>;
    /// Returns the objects that belong to one backup alone, so that they can be locked with it. None in a vault.
    fn own_objects(&self, _record: &BackupRecord) -> Result<Vec<Key>> {
        Ok(Vec::new())
    }
    /// Copies what another destination lacks of these backups (empty: of all), data first, what makes it a backup last;
    /// each object is checked by its hash on the way. Goes on where an earlier copying was cut off.
    async fn sync_to(
        &self,
        ctx: &RunContext,
        other: Arc<dyn Destination>,
        backups: &[BackupId],
        journal: Arc<dyn TransferJournal>,
    ) -> Result<Synced>;
    /// Returns the same layout at another destination that holds a copy, or will: with the same key, and without reading
    /// anything. `None` where copies have nothing in common but their content.
    fn over(&self, _other: Arc<dyn Destination>) -> Option<Arc<dyn Layout>> {
        None
    }
    /// Returns the same layout with nothing remembered: what it reads, it reads from the destination.
    fn afresh(&self) -> Option<Arc<dyn Layout>> {
        None
    }
    /// Returns the keys of objects in which something was found missing or damaged by what was read so far.
    fn damage_met(&self) -> Vec<String> {
        Vec::new()
    }
    /// Makes another destination ready to hold a copy: the same keys and settings, as yet without backups. `Invalid` where
    /// something else lies.
    async fn make_copy(&self, _other: Arc<dyn Destination>) -> Result<()> {
        Ok(())
    }
    /// Reads what is suspected at another destination, and writes anew what is damaged there: each object is proven before
    /// it takes the place of what lies there, and read back after. What is whole stays as it is.
    async fn mend(&self, _: &RunContext, _other: Arc<dyn Destination>, suspects: &Suspects) -> Result<Mended> {
        Ok(Mended { left: suspects.clone(), ..Mended::default() })
    }
    /// Tells whether everything backups here are made of lies at another destination too, so that a new one written to
    /// both is whole at both. `Locked` while somebody holds the other for themselves.
    async fn is_level_with(&self, _ctx: &RunContext, _other: Arc<dyn Destination>) -> Result<bool> {
        Ok(true)
    }
    /// Frees the room of what no backup needs any more. Killed at any moment, every backup stays whole.
    async fn prune(&self, _ctx: &RunContext) -> Result<Pruned> {
        Ok(Pruned::default())
    }
}

/// What pruning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Objects removed.
    pub objects: u64,
    /// Bytes freed.
    pub freed_bytes: u64,
    /// Bytes written anew to free others that lay beside them.
    pub moved_bytes: u64,
}

/// What removing a backup did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Bytes freed at once.
    pub freed_bytes: u64,
    /// Bytes no backup needs any more, freed by pruning; `None` where that is not known.
    pub unused_bytes: Option<u64>,
}

/// What copying to another destination did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Objects copied.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Backups that are there now and were not before.
    pub backups: u64,
}
