//! What was read before of a vault far away, kept on this computer: index files, snapshots, and packs of folders' lists.
//!
//! Everything lies there as sealed as at the destination, named by its checksum or proved chunk by chunk. So nothing in
//! it is secret or trusted, and it may be deleted at any time.

use super::id::Id;
use bytes::Bytes;
use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex, MutexGuard};

/// The folder of packs of lists.
pub(crate) const PACKS: &str = "packs";
/// A larger pack is not fetched whole for the sake of one list in it.
pub(crate) const PACK_LIMIT: u64 = 32 << 20;
/// What no destination tells of any more goes when it is so old: another copy of the vault may still have it.
const FORGET_AFTER: Duration = Duration::from_secs(14 * 24 * 3600);
/// Packs fetched at the same time without waiting for one another.
const TURNS: usize = 16;

/// The cache of one vault.
pub(crate) struct Cache {
    dir: PathBuf,
    turns: [Mutex<()>; TURNS],
    number: AtomicU64,
}

impl Cache {
    /// The cache of the vault of this id, below the folder for such things.
    pub fn new(root: &Path, vault: &str) -> Self {
        Self { dir: root.join("vaults").join(vault), turns: Default::default(), number: AtomicU64::new(0) }
    }

    /// Tells whether objects of this folder are kept.
    pub fn takes(folder: &str) -> bool {
        matches!(folder, "index" | "snapshots")
    }

    /// Waits until nobody else fetches this pack.
    pub async fn turn(&self, pack: &Id) -> MutexGuard<'_, ()> {
        self.turns[usize::from(pack.0[31]) % TURNS].lock().await
    }

    /// Returns what is kept under a name, unproved.
    pub async fn get(&self, folder: &str, id: &Id) -> Option<Bytes> {
        let path = self.path(folder, id);
        blocking(move || std::fs::read(path).ok().map(Bytes::from)).await
    }

    /// Returns a part of a pack, unproved.
    pub async fn range(&self, pack: &Id, range: Range<u64>) -> Option<Bytes> {
        let path = self.path(PACKS, pack);
        blocking(move || {
            let mut file = std::fs::File::open(path).ok()?;
            file.seek(SeekFrom::Start(range.start)).ok()?;
            let mut content = vec![0; usize::try_from(range.end.checked_sub(range.start)?).ok()?];
            file.read_exact(&mut content).ok()?;
            Some(Bytes::from(content))
        })
        .await
    }

    /// Keeps an object. A cache that cannot be written is no reason to stop.
    pub async fn put(&self, folder: &str, id: &Id, content: Bytes) {
        let path = self.path(folder, id);
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
        let done = blocking(move || {
            let written = write(&path, &temporary, &content);
            if written.is_err() {
                let _ = std::fs::remove_file(&temporary);
            }
            written.err()
        });
        if let Some(error) = done.await {
            tracing::debug!(%error, "the cache of a vault could not be written");
        }
    }

    /// Forgets an object.
    pub async fn remove(&self, folder: &str, id: &Id) {
        let path = self.path(folder, id);
        blocking(move || std::fs::remove_file(path).ok()).await;
    }

    /// Forgets what is old and not named here, in the background.
    pub fn forget_old(&self, indexes: HashSet<Id>, packs: HashSet<Id>) {
        let dir = self.dir.clone();
        tokio::task::spawn_blocking(move || {
            for (folder, keep) in [("index", indexes), (PACKS, packs)] {
                forget_old(&dir.join(folder), &keep);
            }
        });
    }

    fn path(&self, folder: &str, id: &Id) -> PathBuf {
        let hex = id.hex();
        self.dir.join(folder).join(&hex[..2]).join(hex)
    }
}

fn write(path: &Path, temporary: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::File::create(temporary)?.write_all(content)?;
    std::fs::rename(temporary, path)
}

fn forget_old(folder: &Path, keep: &HashSet<Id>) {
    let Ok(below) = std::fs::read_dir(folder) else { return };
    let files = below.flatten().filter_map(|entry| std::fs::read_dir(entry.path()).ok()).flatten().flatten();
    for file in files {
        let named = file.file_name().to_str().and_then(Id::parse).is_some_and(|id| keep.contains(&id));
        let changed = file.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        if !named && changed.elapsed().is_ok_and(|age| age > FORGET_AFTER) {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok().flatten()
}
