//! Takes one backup.

use super::chunker::MIN_CHUNK;
use super::collected::{Collected, Slots};
use super::id::Id;
use super::index::{IndexFile, Lost};
use super::lock::{Lock, refuse_freed};
use super::parent::Parent;
use super::pool::{Pool, Worker};
use super::repo::{Repo, internal, object_key, pack_key};
use super::snapshot::{Extra, Snapshot, Summary, tags};
use async_trait::async_trait;
use backstay_core::entry::{AddError, Content, Entry, EntrySink, EntryType, TimeNs, Xattr};
use backstay_core::kind::BACKSTAY_DIR;
use backstay_core::layout::{BackupManifest, BackupRecord, BackupStart, BackupWriter};
use backstay_core::path::RawPath;
use backstay_core::run::Phase;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use chrono::{DateTime, Utc};
use futures::stream::{StreamExt, TryStreamExt};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Content is read in pieces of this size.
const READ: usize = 256 << 10;
/// The manifest's name below [`BACKSTAY_DIR`].
pub(crate) const MANIFEST: &str = "backup.json";
/// Objects asked for at the same time when what was written is looked at again.
const LOOKS: usize = 8;

/// A backup under way.
pub(crate) struct Writer {
    repo: Arc<Repo>,
    ctx: RunContext,
    start: BackupStart,
    parent_id: Option<Id>,
    parent: Parent,
    pool: Pool,
    collected: Collected,
    /// Content of files with several names, to be found by [`Content::SameAs`].
    linked: HashMap<RawPath, (Slots, u64)>,
    counts: Summary,
    extra: Extra,
    lock: Lock,
}

impl Writer {
    /// Starts a backup: takes the lock, reads the index and the backup before.
    pub async fn begin(repo: Arc<Repo>, ctx: &RunContext, start: BackupStart) -> Result<Self> {
        let lock = ctx.or_cancel(Lock::shared(repo.clone(), ctx.clock.clone())).await?;
        let index = ctx.or_cancel(repo.index()).await?;
        let mut lost = Lost { packs: ctx.or_cancel(lost_packs(&repo, &index)).await?, lists: false };
        lost.packs
            .extend(start.damaged.iter().filter(|key| key.starts_with("data/")).filter_map(|key| Id::of_key(key)));
        if !lost.packs.is_empty() {
            ctx.progress.log(&format!(
                "{} packs of the vault at {} are missing, cut or damaged; what this backup needs of them is written again",
                lost.packs.len(),
                repo.label()
            ));
        }
        let before = match &start.parent {
            Some(id) => Some(ctx.or_cancel(repo.find_snapshot(id)).await?),
            None => ctx.or_cancel(repo.newest(&start.manifest)).await?,
        };
        let mut parent = Parent::default();
        let mut parent_id = None;
        if let Some((id, snapshot)) = before {
            let started = time_ns(snapshot.time);
            match ctx.or_cancel(Parent::load(&repo, &index, snapshot.tree, started)).await {
                Ok(loaded) => (parent, parent_id) = (loaded, Some(id)),
                // A damaged backup is no reason not to make a good one.
                Err(error) if error.class == ErrorClass::Corrupt => {
                    ctx.progress.log(&format!(
                        "Reading every file and writing every list of a folder anew: the backup before is damaged. {error}"
                    ));
                    lost.lists = true;
                }
                Err(error) => return Err(error),
            }
        }
        let pool = Pool::start(repo.clone(), index, lost)?;
        let counts = Summary::default();
        Ok(Self {
            repo,
            ctx: ctx.clone(),
            start,
            parent_id,
            parent,
            pool,
            collected: Collected::new(),
            linked: HashMap::new(),
            counts,
            extra: Extra::default(),
            lock,
        })
    }

    fn unchanged(&self, entry: &Entry) -> Option<super::node::Node> {
        if !entry.is_file() || self.parent.is_empty() {
            return None;
        }
        let node = self.parent.find(&entry.path)?;
        let whole = || node.content.iter().all(|id| self.pool.shared.has(id, false));
        (self.parent.is_same(entry, &node) && whole()).then_some(node)
    }

    async fn read(
        &mut self,
        content: &mut (dyn AsyncRead + Send + Unpin),
        hint: u64,
    ) -> Result<(Slots, u64), AddError> {
        let mut slots = Slots::default();
        let mut total = 0;
        let mut chunk = Vec::with_capacity(usize::try_from(hint).unwrap_or(usize::MAX).min(2 * MIN_CHUNK - 1) + 1);
        let mut scan = self.repo.chunker.start();
        loop {
            if chunk.capacity() == chunk.len() {
                chunk.reserve(READ);
            }
            let read = {
                let mut limited = (&mut *content).take(READ as u64);
                let read = limited.read_buf(&mut chunk);
                tokio::select! {
                    biased;
                    () = self.ctx.cancel.cancelled() => return Err(AddError::Sink(Error::cancelled())),
                    read = read => read.map_err(AddError::Content)?,
                }
            };
            total += read as u64;
            while let Some(cut) = self.repo.chunker.scan(&mut scan, &chunk) {
                let mut rest = Vec::with_capacity((chunk.len() - cut).max(2 * MIN_CHUNK));
                rest.extend_from_slice(&chunk[cut..]);
                chunk.truncate(cut);
                self.push(std::mem::replace(&mut chunk, rest), &mut slots).await?;
                scan = self.repo.chunker.start();
            }
            if read == 0 {
                break;
            }
        }
        if !chunk.is_empty() {
            self.push(chunk, &mut slots).await?;
        }
        Ok((slots, total))
    }

    async fn push(&self, chunk: Vec<u8>, slots: &mut Slots) -> Result<(), AddError> {
        let slot = self.ctx.or_cancel(self.pool.push(chunk)).await.map_err(AddError::Sink)?;
        if slots.count == 0 {
            slots.start = slot;
        }
        slots.count += 1;
        Ok(())
    }

    fn same_as(&self, path: &RawPath) -> Result<(Slots, u64), AddError> {
        let found = self.linked.get(path).copied().or_else(|| self.collected.find(path));
        found.ok_or_else(|| {
            // The first name could not be read: neither can this one.
            AddError::Content(std::io::Error::new(
                std::io::ErrorKind::NotFound,
                format!("it is another name of {path}, which is not in the backup"),
            ))
        })
    }

    async fn add_manifest(&mut self, manifest: &BackupManifest) -> Result<u64> {
        let json = serde_json::to_vec_pretty(manifest)
            .map_err(|error| internal("Cannot write the backup's manifest").source(error))?;
        let path = RawPath::new(format!("{BACKSTAY_DIR}/{MANIFEST}"))?;
        let mut entry = Entry::plain(path, EntryType::File, 0o600, time_of(manifest));
        let (slots, size) = self.read(&mut json.as_slice(), json.len() as u64).await?;
        entry.size_bytes = size;
        self.collected.add(entry, slots);
        Ok(size)
    }

    /// Looks at everything this run wrote as the destination has it now; each pack was proved when it was stored.
    async fn look_again(&self) -> Result<()> {
        let (packs, indexes) = self.pool.shared.stored();
        let look = |(id, size): (Id, u64)| async move {
            let key = pack_key(&id)?;
            match self.ctx.or_cancel(self.repo.destination.head(&key)).await?.size_bytes {
                there if there == size => Ok(()),
                there => Err(self.repo.not_as_written(format!("{key} has {there} bytes instead of {size}"))),
            }
        };
        let looks = futures::stream::iter(packs).map(look);
        looks.buffer_unordered(LOOKS).try_collect::<Vec<()>>().await?;
        for id in indexes {
            self.ctx.or_cancel(self.repo.load_there::<IndexFile>("index", &id)).await?;
        }
        Ok(())
    }

    async fn finish(&mut self, manifest: &BackupManifest) -> Result<(Id, Snapshot)> {
        self.ctx.progress.phase(Phase::Saving);
        let manifest_bytes = self.add_manifest(manifest).await?;
        self.pool.drain().await?;
        let folders = self.collected.folders().filter(|path| !self.parent.has_folder(path)).count() as u64;
        self.parent = Parent::default();
        let collected = std::mem::replace(&mut self.collected, Collected::new());
        let (shared, time) = (self.pool.shared.clone(), time_of(manifest));
        let work = move || {
            let mut worker = Worker::new(shared.clone())?;
            let content = |slots: Slots| shared.slots(slots.start, slots.count as usize);
            let written = collected.write(&mut worker, content, time)?;
            shared.flush()?;
            Ok::<_, Error>(written)
        };
        let written = tokio::task::spawn_blocking(work).await;
        let (tree, totals) = written.map_err(|error| internal("Cannot write the folders").source(error))??;
        self.pool.shared.settle().await?;
        self.ctx.check()?;
        self.ctx.progress.phase(Phase::Checking);
        self.look_again().await?;
        let written = self.pool.shared.written();
        let summary = Summary {
            backup_start: manifest.started,
            backup_end: self.ctx.clock.now(),
            dirs_new: folders,
            dirs_unmodified: totals.folders.saturating_sub(folders),
            data_blobs: written.data_chunks,
            tree_blobs: written.tree_chunks,
            data_added: written.plain_bytes,
            data_added_packed: self.pool.shared.uploaded_bytes(),
            total_files_processed: totals.files.saturating_sub(1),
            total_bytes_processed: totals.bytes.saturating_sub(manifest_bytes),
            ..self.counts.clone()
        };
        let snapshot = self.snapshot(manifest, tree, summary);
        // Chunks found there at the start were not written again. While this computer slept, somebody may have taken our
        // lock for dead and removed them, or begun to remove what nobody needs yet.
        let seen = self.pool.shared.index_files().copied().collect();
        refuse_freed(&self.repo, &self.ctx, "backup", &seen).await?;
        let id = self.ctx.or_cancel(self.repo.save("snapshots", &snapshot)).await?;
        if let Err(error) = self.repo.load_there::<Snapshot>("snapshots", &id).await {
            // A backup nobody could read back is none.
            let _ = self.repo.destination.delete(&object_key("snapshots", &id)?).await;
            return Err(error);
        }
        Ok((id, snapshot))
    }

    fn snapshot(&self, manifest: &BackupManifest, tree: Id, summary: Summary) -> Snapshot {
        let mut paths: Vec<String> = self.start.paths.iter().map(absolute_text).collect();
        paths.push(format!("/{BACKSTAY_DIR}"));
        paths.sort();
        paths.dedup();
        Snapshot {
            time: manifest.started,
            parent: self.parent_id,
            tree,
            paths,
            hostname: manifest.server_name.clone(),
            username: String::new(),
            tags: Some(tags(manifest)),
            original: None,
            program_version: format!("backstay {}", manifest.app_version),
            summary: Some(summary),
            backstay: Some(self.extra.clone()),
        }
    }
}

fn absolute_text(path: &RawPath) -> String {
    String::from_utf8_lossy(path.to_absolute().as_bytes()).into_owned()
}

fn time_of(manifest: &BackupManifest) -> TimeNs {
    time_ns(manifest.started)
}

fn time_ns(time: DateTime<Utc>) -> TimeNs {
    TimeNs::from_parts(time.timestamp(), time.timestamp_subsec_nanos())
}

/// Finds packs the index tells of but which are missing or of another size.
async fn lost_packs(repo: &Repo, index: &super::index::Index) -> Result<HashSet<Id>> {
    if index.packs().is_empty() {
        return Ok(HashSet::new());
    }
    let there = repo.packs_there().await?;
    let packs = index.packs().iter();
    Ok(packs.filter(|pack| there.get(&pack.id) != Some(&pack.size)).map(|pack| pack.id).collect())
}

#[async_trait]
impl EntrySink for Writer {
    fn is_unchanged(&self, entry: &Entry) -> Option<Vec<Xattr>> {
        self.unchanged(entry).map(|node| node.entry.xattrs)
    }

    async fn add(&mut self, mut entry: Entry, content: Content<'_>) -> Result<u64, AddError> {
        self.ctx.check().map_err(AddError::Sink)?;
        entry.path = entry.path.to_relative();
        // The root has no place of its own, and a socket lives only while its program runs.
        if entry.path.is_root() || entry.kind == EntryType::Socket {
            return Ok(0);
        }
        let mut slots = Slots::default();
        let mut read = 0;
        if entry.is_file() {
            let before = (!self.parent.is_empty()).then(|| self.parent.find(&entry.path)).flatten();
            let same = before.as_ref().is_some_and(|node| self.parent.is_same(&entry, node));
            match content {
                Content::None => entry.size_bytes = 0,
                Content::Previous => {
                    let node = before.as_ref().ok_or_else(|| {
                        AddError::Sink(internal("The backup before does not hold a file it was said to hold"))
                    })?;
                    slots.start = self.pool.shared.reserve(&node.content);
                    slots.count = node.content.len() as u32;
                    entry.size_bytes = node.entry.size_bytes;
                }
                Content::SameAs(path) => (slots, entry.size_bytes) = self.same_as(&path.to_relative())?,
                Content::Stream(stream) => {
                    (slots, entry.size_bytes) = self.read(stream, entry.size_bytes).await?;
                    read = entry.size_bytes;
                    self.extra.files_read += 1;
                    self.extra.bytes_read += read;
                }
            }
            *match (before, same) {
                (None, _) => &mut self.counts.files_new,
                (Some(_), true) => &mut self.counts.files_unmodified,
                (Some(_), false) => &mut self.counts.files_changed,
            } += 1;
            if entry.links > 1 {
                self.linked.insert(entry.path.clone(), (slots, entry.size_bytes));
            } else {
                // Added before as another file.
                self.linked.remove(&entry.path);
            }
        }
        self.collected.add(entry, slots);
        Ok(read)
    }
}

#[async_trait]
impl BackupWriter for Writer {
    async fn commit(mut self: Box<Self>, manifest: BackupManifest) -> Result<BackupRecord> {
        match self.finish(&manifest).await {
            Ok((id, snapshot)) => {
                let record = snapshot.record(&id);
                self.lock.release().await;
                Ok(record)
            }
            Err(error) => {
                self.abort().await;
                Err(error)
            }
        }
    }

    async fn abort(mut self: Box<Self>) {
        self.pool.abandon().await;
        self.lock.release().await;
    }

    fn as_sink(&mut self) -> &mut dyn EntrySink {
        self
    }

    fn bytes_added(&self) -> u64 {
        self.pool.shared.uploaded_bytes()
    }
}
