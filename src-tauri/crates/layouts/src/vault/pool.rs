//! The threads that turn content into packs: hash, look up, compress, seal, pack. Uploads run beside them.
//!
//! Memory is bounded: [`IN_FLIGHT`] bytes of content wait or are worked on, and at most [`UPLOADS`] + 2 packs are held.

use super::id::Id;
use super::index::{Index, IndexFile, IndexPack, Lost};
use super::pack::{Pack, PackBuilder, PackedBlob, pack_size};
use super::repo::{Repo, ZSTD_LEVEL, internal};
use backstay_core::{Error, Result};
use crossbeam_channel::{Receiver, Sender};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A pack is stored once it holds so many bytes.
pub(crate) const PACK_BYTES: usize = 16 << 20;
/// Or so many chunks, so that its table stays small.
const PACK_CHUNKS: usize = 16 << 10;
/// Bytes of content read but not packed yet.
const IN_FLIGHT: usize = 24 << 20;
/// Packs stored at the same time: at least so many, and at most, whatever the store is said to bear.
const UPLOADS: (u32, u32) = (2, 5);
/// The first index file is written after so many packs, each next one after twice as many, up to [`INDEX_PACKS_MAX`]:
/// what a killed run stored serves the next one, and index files stay few.
const INDEX_PACKS: usize = 4;
const INDEX_PACKS_MAX: usize = 512;
/// Chunks looked up at the same time without waiting for one another.
const SHARDS: usize = 16;

/// A chunk on its way.
struct Job {
    content: Vec<u8>,
    slot: usize,
    _permit: OwnedSemaphorePermit,
}

/// What a run wrote.
#[derive(Clone, Copy, Default)]
pub(crate) struct Written {
    pub data_chunks: u64,
    pub tree_chunks: u64,
    /// Before compression.
    pub plain_bytes: u64,
    /// Sealed.
    pub sealed_bytes: u64,
}

/// State shared by all threads of one backup.
pub(crate) struct Shared {
    repo: Arc<Repo>,
    index: Arc<Index>,
    lost: Lost,
    /// Chunks of this run.
    claimed: Vec<Mutex<HashSet<(Id, bool)>>>,
    /// The id of every chunk of every file, in the order they were handed in.
    slots: Mutex<Vec<Id>>,
    packs: [Mutex<PackBuilder>; 2],
    written: Mutex<Written>,
    uploaded_bytes: AtomicU64,
    uploads: Arc<Semaphore>,
    /// How many uploads may run at the same time.
    at_once: u32,
    stored: Mutex<Stored>,
    failed: AtomicBool,
    failure: Mutex<Option<Error>>,
    runtime: Handle,
}

/// What lies at the destination already.
#[derive(Default)]
struct Stored {
    /// Packs no index file tells of yet.
    unindexed: Vec<IndexPack>,
    limit: usize,
    packs: Vec<(Id, u64)>,
    indexes: Vec<Id>,
}

/// The threads and their queue.
pub(crate) struct Pool {
    pub shared: Arc<Shared>,
    queue: Option<Sender<Job>>,
    room: Arc<Semaphore>,
    threads: Vec<JoinHandle<()>>,
}

/// A poisoned lock means a thread of ours panicked; the run fails by that, not by its lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// Starts the threads.
    pub fn start(repo: Arc<Repo>, index: Arc<Index>, lost: Lost) -> Result<Self> {
        let at_once = u32::from(repo.destination.capabilities().parallel_objects).clamp(UPLOADS.0, UPLOADS.1);
        let shared = Arc::new(Shared {
            at_once,
            repo,
            index,
            lost,
            claimed: (0..SHARDS).map(|_| Mutex::default()).collect(),
            slots: Mutex::default(),
            packs: [Mutex::default(), Mutex::default()],
            written: Mutex::default(),
            uploaded_bytes: AtomicU64::new(0),
            uploads: Arc::new(Semaphore::new(at_once as usize)),
            stored: Mutex::new(Stored { limit: INDEX_PACKS, ..Stored::default() }),
            failed: AtomicBool::new(false),
            failure: Mutex::default(),
            runtime: Handle::current(),
        });
        let (queue, jobs) = crossbeam_channel::unbounded();
        let cores = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 8);
        let threads = (0..cores).map(|number| {
            let (shared, jobs) = (shared.clone(), jobs.clone());
            let builder = std::thread::Builder::new().name(format!("vault-{number}"));
            builder.spawn(move || work(&shared, &jobs)).map_err(|error| Error::io("Cannot start a thread", error))
        });
        let threads = threads.collect::<Result<_>>()?;
        Ok(Self { shared, queue: Some(queue), room: Arc::new(Semaphore::new(IN_FLIGHT)), threads })
    }

    /// Hands in a chunk; waits while too much is under way. Returns the slot its id will be in.
    pub async fn push(&self, content: Vec<u8>) -> Result<usize> {
        self.shared.check()?;
        let permits = u32::try_from(content.len().clamp(1, IN_FLIGHT)).unwrap_or(u32::MAX);
        let permit = self.room.clone().acquire_many_owned(permits).await.map_err(|_| internal("The queue closed"))?;
        let slot = self.shared.reserve(&[Id::default()]);
        let queue = self.queue.as_ref().ok_or_else(|| internal("The queue closed"))?;
        queue.send(Job { content, slot, _permit: permit }).map_err(|_| internal("The queue closed"))?;
        Ok(slot)
    }

    /// Waits until every chunk handed in is in a pack.
    pub async fn drain(&mut self) -> Result<()> {
        self.queue = None;
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok())).await;
        self.shared.check()?;
        if joined.unwrap_or(false) { Ok(()) } else { Err(internal("A packing thread ended by a fault")) }
    }
}

impl Pool {
    /// Ends without a backup, but leaves an index of what was stored, for the next run to use.
    pub async fn abandon(&mut self) {
        self.shared.fail(Error::cancelled());
        let _ = self.drain().await;
        if self.shared.uploads.clone().acquire_many_owned(self.shared.at_once).await.is_ok()
            && let Err(error) = self.shared.write_index(true).await
        {
            tracing::warn!(%error, "what was stored so far could not be indexed");
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Whatever is still queued or under way is of no use to anyone.
        self.shared.failed.store(true, Ordering::Release);
    }
}

fn work(shared: &Arc<Shared>, jobs: &Receiver<Job>) {
    let mut worker = match Worker::new(shared.clone()) {
        Ok(worker) => Some(worker),
        Err(error) => {
            shared.fail(error);
            None
        }
    };
    for job in jobs {
        // After a failure the queue is emptied, so that whoever waits for room in it wakes up and sees the failure.
        if shared.failed.load(Ordering::Acquire) {
            continue;
        }
        let Some(worker) = worker.as_mut() else { continue };
        match worker.store(&job.content, false) {
            Ok(id) => lock(&shared.slots)[job.slot] = id,
            Err(error) => shared.fail(error),
        }
    }
}

/// One thread's tools.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
    packed: Vec<u8>,
    sealed: Vec<u8>,
}

impl Worker {
    /// Makes the tools.
    pub fn new(shared: Arc<Shared>) -> Result<Self> {
        let compressor = (shared.repo.version >= 2).then(|| zstd::bulk::Compressor::new(ZSTD_LEVEL)).transpose();
        let compressor = compressor.map_err(|error| Error::io("Cannot start zstd", error))?;
        Ok(Self { shared, compressor, packed: Vec::new(), sealed: Vec::new() })
    }

    /// Stores a chunk unless the vault or this run has it; returns its id.
    pub fn store(&mut self, content: &[u8], tree: bool) -> Result<Id> {
        let id = Id::of(content);
        if !self.shared.claim(&id, tree) {
            return Ok(id);
        }
        let mut payload = content;
        let mut raw = 0;
        if let Some(compressor) = &mut self.compressor {
            self.packed.clear();
            self.packed.reserve(zstd::zstd_safe::compress_bound(content.len()));
            let done = compressor.compress_to_buffer(content, &mut self.packed);
            done.map_err(|error| Error::io("Cannot compress", error))?;
            // Lists of folders are always compressed: restic takes an uncompressed one for the old format.
            if self.packed.len() < content.len() || tree {
                payload = &self.packed;
                raw = content.len() as u32;
            }
        }
        self.sealed.clear();
        let length = self.shared.repo.cipher.seal_into(payload, &mut self.sealed);
        let length = length.ok_or_else(|| internal("Cannot seal a chunk"))?;
        {
            let mut written = lock(&self.shared.written);
            *(if tree { &mut written.tree_chunks } else { &mut written.data_chunks }) += 1;
            written.plain_bytes += content.len() as u64;
            written.sealed_bytes += length as u64;
        }
        let full = {
            let mut pack = lock(&self.shared.packs[usize::from(tree)]);
            if pack.is_empty() {
                *pack = PackBuilder::with_capacity(if tree { 0 } else { PACK_BYTES + (1 << 20) });
            }
            pack.add(id, tree, &self.sealed, raw);
            let full = pack.len() >= PACK_BYTES || pack.count() >= PACK_CHUNKS;
            full.then(|| std::mem::take(&mut *pack))
        };
        if let Some(pack) = full {
            self.shared.upload(pack)?;
        }
        Ok(id)
    }
}

/// An upload under way. One that ends by a fault of ours fails the run before its place is free: whoever waits for the
/// places would take its pack for stored.
struct Upload {
    shared: Arc<Shared>,
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl Upload {
    async fn run(mut self, pack: Pack) {
        if !self.shared.failed.load(Ordering::Acquire)
            && let Err(error) = self.shared.store_pack(pack).await
        {
            self.shared.fail(error);
        }
        self.ended = true;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.ended {
            let label = self.shared.repo.label();
            self.shared.fail(internal(&format!("Cannot store a pack at {label}: its upload ended by a fault")));
        }
    }
}

impl Shared {
    /// Returns an error if the run has failed.
    pub fn check(&self) -> Result<()> {
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        // The first asker gets the error itself; the run is over then, and any other sees that it is.
        Err(lock(&self.failure).take().unwrap_or_else(|| internal("The backup has failed already")))
    }

    fn fail(&self, error: Error) {
        lock(&self.failure).get_or_insert(error);
        self.failed.store(true, Ordering::Release);
    }

    /// Returns the index files that were there at the start.
    pub fn index_files(&self) -> impl Iterator<Item = &Id> {
        self.index.files()
    }

    /// Tells whether the vault has a chunk, in a pack that is whole as far as is known.
    pub fn has(&self, id: &Id, tree: bool) -> bool {
        self.index.has(id, tree, &self.lost)
    }

    fn claim(&self, id: &Id, tree: bool) -> bool {
        !self.has(id, tree) && lock(&self.claimed[usize::from(id.0[31]) % SHARDS]).insert((*id, tree))
    }

    /// Adds ids to the slots; returns where the first one is.
    pub fn reserve(&self, ids: &[Id]) -> usize {
        let mut slots = lock(&self.slots);
        slots.extend_from_slice(ids);
        slots.len() - ids.len()
    }

    /// Returns the ids in these slots.
    pub fn slots(&self, start: usize, count: usize) -> Vec<Id> {
        lock(&self.slots)[start..start + count].to_vec()
    }

    /// Bytes stored so far.
    pub fn uploaded_bytes(&self) -> u64 {
        self.uploaded_bytes.load(Ordering::Relaxed)
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        *lock(&self.written)
    }

    /// Ends a pack and stores it, on a thread that may block.
    fn upload(self: &Arc<Self>, pack: PackBuilder) -> Result<()> {
        let pack = pack.finish(&self.repo.cipher).ok_or_else(|| internal("Cannot seal a pack"))?;
        let permit = self.runtime.block_on(self.uploads.clone().acquire_owned());
        let permit = permit.map_err(|_| internal("The uploads ended"))?;
        self.runtime.spawn(Upload { shared: self.clone(), ended: false, _permit: permit }.run(pack));
        Ok(())
    }

    async fn store_pack(&self, pack: Pack) -> Result<()> {
        let size = pack.content.len() as u64;
        debug_assert_eq!(size, pack_size(&pack.blobs));
        let lists = self.repo.cache.as_ref().filter(|_| pack.blobs.first().is_some_and(|blob| blob.tree));
        let kept = lists.map(|cache| (cache, pack.content.clone()));
        // Proved before an index tells of it: whoever finds it there may rely on it.
        self.repo.put_pack(&pack.id, pack.content).await?;
        if let Some((cache, content)) = kept {
            cache.put(super::cache::PACKS, &pack.id, content).await;
        }
        self.uploaded_bytes.fetch_add(size, Ordering::Relaxed);
        self.add_stored(pack.id, size, &pack.blobs);
        self.write_index(false).await
    }

    fn add_stored(&self, id: Id, size: u64, blobs: &[PackedBlob]) {
        let mut stored = lock(&self.stored);
        stored.unindexed.push(IndexPack::new(id, blobs));
        stored.packs.push((id, size));
    }

    /// Writes an index file of the packs not indexed yet, if there are enough or `all` are wanted.
    async fn write_index(&self, all: bool) -> Result<()> {
        let packs = {
            let mut stored = lock(&self.stored);
            let enough = stored.unindexed.len() >= if all { 1 } else { stored.limit };
            if !enough {
                return Ok(());
            }
            stored.limit = (stored.limit * 2).min(INDEX_PACKS_MAX);
            std::mem::take(&mut stored.unindexed)
        };
        let (id, sealed) = self.repo.seal(&IndexFile { packs })?;
        let size = sealed.len() as u64;
        self.repo.put(&super::repo::object_key("index", &id)?, sealed).await?;
        self.uploaded_bytes.fetch_add(size, Ordering::Relaxed);
        lock(&self.stored).indexes.push(id);
        Ok(())
    }

    /// Ends the open packs and stores them, on a thread that may block.
    pub fn flush(self: &Arc<Self>) -> Result<()> {
        for pack in &self.packs {
            let pack = std::mem::take(&mut *lock(pack));
            if !pack.is_empty() {
                self.upload(pack)?;
            }
        }
        Ok(())
    }

    /// Waits for all uploads and writes the last index file.
    pub async fn settle(&self) -> Result<()> {
        let all = self.uploads.clone().acquire_many_owned(self.at_once).await;
        drop(all.map_err(|_| internal("The uploads ended"))?);
        self.check()?;
        self.write_index(true).await
    }

    /// Returns the packs (with sizes) and index files this run stored.
    pub fn stored(&self) -> (Vec<(Id, u64)>, Vec<Id>) {
        let stored = lock(&self.stored);
        (stored.packs.clone(), stored.indexes.clone())
    }
}
