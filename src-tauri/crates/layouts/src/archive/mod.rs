//! Archives: one self-contained file for each backup, plain or sealed, that tar, unzip and a short script can open.
//!
//! docs/formats/archive.md describes every byte.

mod name;

use async_trait::async_trait;
use backstay_core::destination::Destination;
use backstay_core::layout::{
    ArchiveKey, ArchiveKeys, BackupDiff, BackupReader, BackupRecord, BackupStart, BackupWriter, Deleted, Layout,
    LayoutCheck, Synced, TransferJournal,
};
use backstay_core::{BackupId, Error, ErrorClass, Result, RunContext};
pub use name::{ArchiveNameFacts, archive_name};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// All archives lie below this.
pub const ARCHIVES_PREFIX: &str = "archives/";

/// The archives at one destination. Cheap to make: nothing is read before it is asked for.
pub struct Archives {
    destination: Arc<dyn Destination>,
    keys: Arc<dyn ArchiveKeys>,
    locked: AtomicU64,
}

impl Archives {
    /// Makes the layout over a destination. `keys` is asked whenever a sealed archive is met.
    pub fn open(destination: Arc<dyn Destination>, keys: Arc<dyn ArchiveKeys>) -> Self {
        Self { destination, keys, locked: AtomicU64::new(0) }
    }

    /// How many archives the last `list` left out because no key opens them.
    pub fn locked(&self) -> u64 {
        self.locked.load(Ordering::Relaxed)
    }

    /// Tries a key on the archives the known keys do not open. Returns the ids (16 hex digits) under which it opens some:
    /// keep the key under each of them. Empty when it opens none.
    pub async fn try_key(&self, _key: &ArchiveKey) -> Result<Vec<String>> {
        Err(unfinished())
    }
}

fn unfinished() -> Error {
    Error::new(ErrorClass::Unsupported, "Archives are being built")
}

#[async_trait]
impl Layout for Archives {
    async fn begin(&self, _ctx: &RunContext, _start: BackupStart) -> Result<Box<dyn BackupWriter>> {
        let _ = (&self.destination, &self.keys);
        Err(unfinished())
    }
    async fn list(&self) -> Result<Vec<BackupRecord>> {
        Err(unfinished())
    }
    async fn open(&self, _id: &BackupId) -> Result<Arc<dyn BackupReader>> {
        Err(unfinished())
    }
    async fn diff(&self, _ctx: &RunContext, _older: &BackupId, _newer: &BackupId) -> Result<BackupDiff> {
        Err(unfinished())
    }
    async fn check(&self, _ctx: &RunContext, _read_data_percent: u8) -> Result<LayoutCheck> {
        Err(unfinished())
    }
    async fn used_bytes(&self) -> Result<u64> {
        Err(unfinished())
    }
    async fn delete(&self, _ctx: &RunContext, _id: &BackupId) -> Result<Deleted> {
        Err(unfinished())
    }
    async fn sync_to(
        &self,
        _ctx: &RunContext,
        _other: Arc<dyn Destination>,
        _backups: &[BackupId],
        _journal: Arc<dyn TransferJournal>,
    ) -> Result<Synced> {
        Err(unfinished())
    }
}
