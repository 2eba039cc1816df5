//! Checks a whole vault: index, packs, snapshots, folders; and reads back a share of the data.

use super::fetch::Unpacker;
use super::id::Id;
use super::index::{Index, IndexFile};
use super::pack::{PackedBlob, read_table};
use super::repo::{Repo, internal, object_key, pack_key};
use super::snapshot::Snapshot;
use super::tree::{TREE_BATCH, lost, parse};
use super::walk::{Picked, Walker};
use backstay_core::destination::{Key, ObjectInfo};
use backstay_core::layout::{LayoutCheck, Selection};
use backstay_core::{Error, ErrorClass, Result, RunContext};
use futures::stream::{StreamExt, TryStreamExt};
use rand::seq::SliceRandom;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Packs read back at the same time.
const READS: usize = 3;
/// Files named for what was lost.
const NAMED_FILES: usize = 200;

/// A check under way.
struct Check<'a> {
    repo: &'a Arc<Repo>,
    ctx: &'a RunContext,
    found: LayoutCheck,
    /// Chunks that are missing or damaged.
    broken: HashSet<Id>,
}

/// Checks the vault and reads back `percent` of its packs, chosen at random.
pub(crate) async fn check(repo: &Arc<Repo>, ctx: &RunContext, percent: u8) -> Result<LayoutCheck> {
    // What was kept on this computer proves nothing.
    let repo = &Arc::new(repo.afresh());
    let mut check = Check { repo, ctx, found: LayoutCheck::default(), broken: HashSet::new() };
    let index = check.index().await?;
    let there = check.packs(&index).await?;
    let snapshots = check.snapshots().await?;
    check.folders(&index, &snapshots).await?;
    check.data(&index, there, percent).await?;
    check.name_files(&index, &snapshots).await?;
    check.refuse_freed(&index).await?;
    Ok(check.found)
}

impl Check<'_> {
    fn fault(&mut self, subject: impl Into<String>, reason: impl Into<String>) {
        self.found.faults.push((subject.into(), reason.into()));
    }

    /// Names an object as one to be mended.
    fn damaged(&mut self, key: Key) {
        self.found.damaged.push(key.to_string());
    }

    /// Keeps a damage as a fault; any other error ends the check.
    fn keep<T>(&mut self, subject: impl Into<String>, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing) => {
                self.fault(subject, error.message);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn index(&mut self) -> Result<Arc<Index>> {
        let mut files = Vec::new();
        for id in self.ctx.or_cancel(self.repo.ids("index")).await? {
            self.found.objects += 1;
            let loaded = self.ctx.or_cancel(self.repo.load::<IndexFile>("index", &id)).await;
            match self.keep(format!("index {}", id.short()), loaded)? {
                Some(file) => files.push((id, file)),
                None => self.damaged(object_key("index", &id)?),
            }
        }
        Ok(Arc::new(Index::default().with(files)))
    }

    /// What somebody took away meanwhile because it is written elsewhere now is no damage.
    async fn refuse_freed(&self, index: &Index) -> Result<()> {
        if self.found.faults.is_empty() {
            return Ok(());
        }
        let now: HashSet<Id> = self.ctx.or_cancel(self.repo.ids("index")).await?.into_iter().collect();
        if index.files().all(|id| now.contains(id)) {
            return Ok(());
        }
        let text = format!("Cannot check the vault at {}: somebody freed up space there meanwhile", self.repo.label());
        Err(Error::new(ErrorClass::Locked, text).hint("Start again"))
    }

    async fn packs(&mut self, index: &Index) -> Result<HashMap<Id, u64>> {
        let objects: Vec<ObjectInfo> = self.ctx.or_cancel(self.repo.destination.list("data/")).await?;
        let name = |object: &ObjectInfo| Some((Id::of_key(object.key.as_str())?, object.size_bytes));
        let mut there: HashMap<Id, u64> = objects.iter().filter_map(name).collect();
        let by_pack = index.by_pack();
        for pack in index.packs() {
            self.found.objects += 1;
            let reason = match there.get(&pack.id) {
                Some(size) if *size == pack.size => continue,
                Some(size) => format!("it has {size} bytes instead of {}", pack.size),
                None => "it is missing".to_owned(),
            };
            self.fault(format!("pack {}", pack.id.short()), reason);
            self.damaged(pack_key(&pack.id)?);
            there.remove(&pack.id);
            self.broken.extend(by_pack.get(&pack.id).into_iter().flatten().map(|blob| blob.id));
        }
        // A pack no index tells of is what an interrupted backup left; it is no fault and nobody reads it.
        let indexed: HashSet<Id> = index.packs().iter().map(|pack| pack.id).collect();
        there.retain(|id, _| indexed.contains(id));
        Ok(there)
    }

    async fn snapshots(&mut self) -> Result<Vec<(Id, Snapshot)>> {
        let mut snapshots = Vec::new();
        for id in self.ctx.or_cancel(self.repo.ids("snapshots")).await? {
            self.found.objects += 1;
            let loaded = self.ctx.or_cancel(self.repo.load::<Snapshot>("snapshots", &id)).await;
            match self.keep(format!("snapshot {}", id.short()), loaded)? {
                Some(snapshot) => snapshots.push((id, snapshot)),
                None => self.damaged(object_key("snapshots", &id)?),
            }
        }
        Ok(snapshots)
    }

    /// Reads every folder's list once, and looks whether every chunk it names is in the index.
    async fn folders(&mut self, index: &Arc<Index>, snapshots: &[(Id, Snapshot)]) -> Result<()> {
        let mut seen: HashSet<Id> = snapshots.iter().map(|(_, snapshot)| snapshot.tree).collect();
        let mut level: Vec<Id> = seen.iter().copied().collect();
        while !level.is_empty() {
            let mut next = Vec::new();
            for batch in level.chunks(TREE_BATCH) {
                self.ctx.check()?;
                let looked_up = index.clone();
                let look = move |id: &Id, json: Vec<u8>| {
                    let tree = parse(id, &json)?;
                    let content = tree.iter().flat_map(|node| &node.content);
                    let absent: Vec<Id> =
                        content.filter(|id| looked_up.find(id, false).next().is_none()).copied().collect();
                    let below: Vec<Id> = tree.iter().filter_map(|node| node.subtree).collect();
                    Ok((absent, below))
                };
                let mut fetched = self.repo.fetch(index, batch, true, look).await;
                for id in batch {
                    let result = fetched.remove(id).unwrap_or_else(|| Err(lost(id)));
                    let Some((absent, below)) = self.keep(format!("folder {}", id.short()), result)? else {
                        self.broken.insert(*id);
                        for place in index.find(id, true) {
                            self.damaged(pack_key(&place.pack)?);
                        }
                        continue;
                    };
                    for id in absent {
                        if self.broken.insert(id) {
                            self.fault(format!("chunk {}", id.short()), "it is in no pack the index knows");
                        }
                    }
                    next.extend(below.into_iter().filter(|id| seen.insert(*id)));
                }
            }
            level = next;
        }
        Ok(())
    }

    async fn data(&mut self, index: &Index, there: HashMap<Id, u64>, percent: u8) -> Result<()> {
        let mut packs: Vec<(Id, u64)> = there.into_iter().collect();
        packs.sort_unstable();
        packs.shuffle(&mut rand::rng());
        packs.truncate((packs.len() * usize::from(percent.min(100))).div_ceil(100));
        self.ctx.progress.total(Some(packs.len() as u64), Some(packs.iter().map(|pack| pack.1).sum()));
        let mut by_pack = index.by_pack();
        let packs: Vec<_> =
            packs.into_iter().map(|(id, size)| (id, size, by_pack.remove(&id).unwrap_or_default())).collect();
        let (repo, ctx) = (self.repo.clone(), self.ctx.clone());
        let read = move |(id, size, blobs): (Id, u64, Vec<PackedBlob>)| {
            let (repo, ctx) = (repo.clone(), ctx.clone());
            async move {
                let result = ctx.or_cancel(prove_pack(&repo, id, blobs)).await;
                ctx.progress.advance(1, size);
                match result {
                    Err(error) if !matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing) => Err(error),
                    other => Ok((id, size, other)),
                }
            }
        };
        let proved: Vec<_> = futures::stream::iter(packs).map(read).buffer_unordered(READS).try_collect().await?;
        for (id, size, result) in proved {
            self.found.bytes += size;
            let chunks = self.keep(format!("pack {}", id.short()), result)?;
            if chunks.as_ref().is_some_and(Vec::is_empty) {
                continue;
            }
            self.damaged(pack_key(&id)?);
            if let Some(chunks) = chunks {
                self.fault(format!("pack {}", id.short()), format!("{} of its chunks are damaged", chunks.len()));
                self.broken.extend(chunks);
            }
        }
        Ok(())
    }

    /// Says which files the broken chunks belong to, as far as the lists can be read.
    async fn name_files(&mut self, index: &Arc<Index>, snapshots: &[(Id, Snapshot)]) -> Result<()> {
        if self.broken.is_empty() {
            return Ok(());
        }
        let mut named = HashSet::new();
        for (id, snapshot) in snapshots {
            let all = Arc::new(Picked::new(Selection::default()));
            let mut walker = Walker::new(self.repo.clone(), index.clone(), snapshot.tree, all);
            // A folder that cannot be read ends this walk; it is a fault already.
            while let Ok(Some(node)) = walker.next().await {
                self.ctx.check()?;
                if named.len() >= NAMED_FILES {
                    return Ok(());
                }
                if node.content.iter().any(|chunk| self.broken.contains(chunk)) && named.insert(node.entry.path.clone())
                {
                    let when = snapshot.time.format("%Y-%m-%d %H:%M UTC");
                    let reason = format!("its content is damaged in the backup {} of {when}", id.short());
                    self.fault(node.entry.path.to_text(), reason);
                }
            }
        }
        Ok(())
    }
}

/// Reads a whole pack and proves it; returns its damaged chunks.
async fn prove_pack(repo: &Arc<Repo>, id: Id, indexed: Vec<PackedBlob>) -> Result<Vec<Id>> {
    let content = repo.destination.get(&pack_key(&id)?, None).await?;
    let repo = repo.clone();
    let work = move || {
        if Id::of(&content) == id && read_table(&repo.cipher, &content).is_none() {
            let text = "its table of contents is damaged".to_owned();
            return Err(Error::new(ErrorClass::Corrupt, text));
        }
        let mut unpacker = Unpacker::default();
        let mut whole = |blob: &PackedBlob| {
            let start = blob.offset as usize;
            let sealed = content.get(start..start + blob.length as usize);
            sealed.and_then(|sealed| repo.open_blob(&mut unpacker, &blob.id, sealed, blob.raw)).is_some()
        };
        let damaged: Vec<Id> = indexed.iter().filter(|blob| !whole(blob)).map(|blob| blob.id).collect();
        if damaged.is_empty() && Id::of(&content) != id {
            return Err(Error::new(ErrorClass::Corrupt, "it does not match its checksum, though its chunks are whole"));
        }
        Ok(damaged)
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| internal("Cannot check a pack").source(error))?
}
