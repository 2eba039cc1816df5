//! Archives: one self-contained file for each backup, plain or sealed, that tar, unzip and a short script can open.
//!
//! An archive counts from the moment its manifest lies beside it. docs/formats/archive.md describes every byte.

mod blocks;
mod check;
mod diff;
mod file;
mod holes;
mod index;
mod keys;
mod line;
mod lines;
mod manifest;
mod name;
mod outlet;
pub(crate) mod pack;
mod places;
mod reader;
mod rebuild;
mod seal;
mod stream;
mod sync;
mod writer;

use async_trait::async_trait;
use backstay_core::destination::{Destination, Key};
use backstay_core::layout::{
    ArchiveKey, ArchiveKeys, BackupDiff, BackupReader, BackupRecord, BackupStart, BackupWriter, Deleted, Layout,
    LayoutCheck, Synced, TransferJournal,
};
use backstay_core::{BackupId, Error, ErrorClass, Result, RunContext};
pub use keys::archive_key_id;
use keys::{KeyRing, hex};
pub use name::{ArchiveNameFacts, archive_name};
use places::Opened;
use reader::Reader;
use seal::HEADER_BYTES;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All archives lie below this.
pub const ARCHIVES_PREFIX: &str = "archives/";
/// What lies beside an archive has its name and this.
pub(crate) const MANIFEST_ENDING: &str = ".manifest";
/// What a sealed archive's name ends in.
pub(crate) const SEALED_ENDING: &str = ".sealed";

/// The archives at one destination. Cheap to make: nothing is read before it is asked for.
pub struct Archives {
    shared: Arc<Shared>,
    locked: AtomicU64,
    unreadable: Mutex<Vec<(String, String)>>,
}

/// What writers and readers share.
pub(crate) struct Shared {
    destination: Arc<dyn Destination>,
    keys: KeyRing,
    /// Keys of archives being written, in lower case.
    reserved: Mutex<HashSet<String>>,
    /// Where backups met before lie.
    known: Mutex<HashMap<BackupId, Key>>,
    /// The backup opened last: pages and previews open the same one again and again.
    last: Mutex<Option<Arc<Reader>>>,
}

impl Shared {
    /// Returns the same at another destination, with the keys that are known here.
    fn at(&self, other: Arc<dyn Destination>) -> Self {
        Self {
            destination: other,
            keys: self.keys.clone(),
            reserved: Mutex::default(),
            known: Mutex::default(),
            last: Mutex::default(),
        }
    }

    fn remember(&self, record: &BackupRecord) {
        if let Some(key) = record.archive.as_ref().and_then(|file| Key::new(&file.key).ok()) {
            lock(&self.known).insert(record.id.clone(), key);
        }
    }

    fn release(&self, key: &Key) {
        lock(&self.reserved).remove(&key.as_str().to_lowercase());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Archives {
    /// Makes the layout over a destination. `keys` is asked whenever a sealed archive is met.
    pub fn open(destination: Arc<dyn Destination>, keys: Arc<dyn ArchiveKeys>) -> Self {
        let shared = Shared {
            destination,
            keys: KeyRing::new(keys),
            reserved: Mutex::default(),
            known: Mutex::default(),
            last: Mutex::default(),
        };
        Self { shared: Arc::new(shared), locked: AtomicU64::new(0), unreadable: Mutex::default() }
    }

    /// How many archives the last `list` left out because no key at hand opens them.
    pub fn locked(&self) -> u64 {
        self.locked.load(Ordering::Relaxed)
    }

    /// Which archives the last `list` left out because their manifests are damaged, and why.
    pub fn unreadable(&self) -> Vec<(String, String)> {
        lock(&self.unreadable).clone()
    }

    /// Tries a key on the archives the known keys do not open. Returns the ids (16 hex digits) under which it opens some:
    /// keep the key under each of them. Empty when it opens none. From then on this object knows the key.
    pub async fn try_key(&self, key: &ArchiveKey) -> Result<Vec<String>> {
        if let ArchiveKey::Key(_) = key {
            // A key that is none is told so, rather than that it opens nothing.
            archive_key_id(key)?;
        }
        let (mut opened, mut tried) = (Vec::new(), HashSet::new());
        for object in self.shared.manifests().await? {
            let Some(header) = self.shared.seal_header(&object.key, object.size_bytes).await? else { continue };
            let (key_id, kind) = (header.key_id, header.kind);
            if tried.insert((key_id, kind)) && self.shared.keys.try_key(key, &header).await? {
                opened.push(hex(&key_id));
            }
        }
        Ok(opened)
    }

    /// Returns the keys of archives that lie there without a manifest: half-made ones, or whole ones that lost it.
    pub async fn orphans(&self) -> Result<Vec<Key>> {
        let places = places::Places::read(self.shared.destination.as_ref()).await?;
        Ok(places.orphans())
    }

    /// Opens an archive that lost its manifest, by the one inside it. Nothing is written.
    pub async fn open_orphan(&self, key: &Key) -> Result<Arc<dyn BackupReader>> {
        Ok(Arc::new(rebuild::open(&self.shared, key).await?))
    }

    /// Gives an archive that lost its manifest a new one, made from the archive itself after reading all of it, so that
    /// it is a backup again.
    pub async fn adopt(&self, ctx: &RunContext, key: &Key) -> Result<BackupRecord> {
        rebuild::adopt(&self.shared, ctx, key).await
    }
}

#[async_trait]
impl Layout for Archives {
    async fn begin(&self, ctx: &RunContext, start: BackupStart) -> Result<Box<dyn BackupWriter>> {
        let Some(archive) = &start.archive else {
            let text = "Cannot make an archive: the plan does not say of which format";
            return Err(Error::new(ErrorClass::Internal, text));
        };
        let new = ctx.or_cancel(self.shared.new_archive(&start.manifest, archive)).await?;
        Ok(Box::new(writer::Writer::begin(self.shared.clone(), ctx, new)?))
    }

    async fn list(&self) -> Result<Vec<BackupRecord>> {
        let mut locked = 0;
        let mut unreadable = Vec::new();
        let mut records = Vec::new();
        for (key, opened) in self.shared.heads().await? {
            match opened {
                Opened::Record(record) => records.push(*record),
                Opened::Locked => locked += 1,
                // A copy that cannot be read is none: Sync brings it back.
                Opened::Alone(_) => unreadable.push((key.to_string(), "its archive is missing".to_owned())),
                Opened::Bad(why) => unreadable.push((key.to_string(), why)),
            }
        }
        self.locked.store(locked, Ordering::Relaxed);
        *lock(&self.unreadable) = unreadable;
        records.sort_by(|a, b| b.started.cmp(&a.started).then_with(|| b.id.cmp(&a.id)));
        Ok(records)
    }

    async fn open(&self, id: &BackupId) -> Result<Arc<dyn BackupReader>> {
        Ok(self.shared.open(id).await?)
    }

    async fn diff(&self, ctx: &RunContext, older: &BackupId, newer: &BackupId) -> Result<BackupDiff> {
        let old = ctx.or_cancel(self.shared.open(older)).await?;
        let new = ctx.or_cancel(self.shared.open(newer)).await?;
        diff::diff(ctx, &old, &new)
    }

    async fn check(&self, ctx: &RunContext, read_data_percent: u8) -> Result<LayoutCheck> {
        check::check(&self.shared, ctx, read_data_percent).await
    }

    async fn used_bytes(&self) -> Result<u64> {
        let objects = self.shared.destination.list(ARCHIVES_PREFIX).await?;
        Ok(objects.iter().map(|object| object.size_bytes).sum())
    }

    async fn delete(&self, ctx: &RunContext, id: &BackupId) -> Result<Deleted> {
        self.shared.delete(ctx, id).await
    }

    fn own_objects(&self, record: &BackupRecord) -> Result<Vec<Key>> {
        let Some(file) = &record.archive else { return Ok(Vec::new()) };
        let key = Key::new(&file.key)?;
        Ok(vec![writer::manifest_key(&key)?, key])
    }

    async fn sync_to(
        &self,
        ctx: &RunContext,
        other: Arc<dyn Destination>,
        backups: &[BackupId],
        journal: Arc<dyn TransferJournal>,
    ) -> Result<Synced> {
        sync::sync(&self.shared, ctx, other, backups, journal).await
    }

    fn over(&self, other: Arc<dyn Destination>) -> Option<Arc<dyn Layout>> {
        let shared = self.shared.at(other);
        Some(Arc::new(Self { shared: Arc::new(shared), locked: AtomicU64::new(0), unreadable: Mutex::default() }))
    }
}

/// The least an object must be to hold a seal.
const LEAST_SEALED: u64 = HEADER_BYTES as u64;
