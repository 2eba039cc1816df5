//! Reads one backup.

use super::id::Id;
use super::index::Index;
use super::repo::Repo;
use super::snapshot::Snapshot;
use super::stream;
use super::tree::{TREE_BATCH, Tree, lost, parse};
use super::walk::{Picked, Walker};
use super::writer::MANIFEST;
use async_trait::async_trait;
use backstay_core::entry::{Entry, EntrySource, EntryType};
use backstay_core::kind::BACKSTAY_DIR;
use backstay_core::layout::{BackupManifest, BackupReader, BackupRecord, ListedEntry, Selection};
use backstay_core::path::RawPath;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use std::collections::HashMap;
use std::sync::Arc;

/// Folders whose sizes are remembered, about 30 MB.
const REMEMBERED_SIZES: usize = 400_000;
/// The largest manifest read.
const MANIFEST_LIMIT: usize = 64 << 20;

/// One backup, opened.
pub(crate) struct Reader {
    repo: Arc<Repo>,
    index: Arc<Index>,
    root: Id,
    record: BackupRecord,
}

impl Reader {
    /// Opens a backup.
    pub async fn open(repo: Arc<Repo>, id: Id, snapshot: &Snapshot) -> Result<Self> {
        let index = repo.index().await?;
        Ok(Self { record: snapshot.record(&id), repo, index, root: snapshot.tree })
    }

    fn walker(&self, selection: Selection) -> Walker {
        Walker::new(self.repo.clone(), self.index.clone(), self.root, Arc::new(Picked::new(selection)))
    }

    /// Returns a folder's list; `None` if the path is not there or no folder.
    async fn folder(&self, path: &RawPath) -> Result<Option<Arc<Tree>>> {
        let mut tree = self.repo.tree(&self.index, &self.root).await?;
        for part in path.parts() {
            let found = tree.binary_search_by(|node| node.name().cmp(part));
            let Some(below) = found.ok().and_then(|at| tree[at].subtree) else { return Ok(None) };
            tree = self.repo.tree(&self.index, &below).await?;
        }
        Ok(Some(tree))
    }

    /// Returns (bytes, files) below each of these folders. Reads lists level by level, each only once per vault.
    async fn sizes(&self, ctx: &RunContext, folders: &[Id]) -> Result<HashMap<Id, (u64, u64)>> {
        type Below = (u64, u64, Vec<Id>);
        let mut known = self.repo.sizes.lock().map(|sizes| sizes.clone()).unwrap_or_default();
        let mut read: Vec<(Id, Below)> = Vec::new();
        let mut level: Vec<Id> = folders.iter().filter(|id| !known.contains_key(id)).copied().collect();
        let mut seen: std::collections::HashSet<Id> = level.iter().copied().collect();
        while !level.is_empty() {
            let mut next = Vec::new();
            for batch in level.chunks(TREE_BATCH) {
                let measure = |id: &Id, json: Vec<u8>| Ok(measure(&parse(id, &json)?));
                let mut fetched =
                    ctx.or_cancel(async { Ok(self.repo.fetch(&self.index, batch, true, measure).await) }).await?;
                for id in batch {
                    let Some(below) = fetched.remove(id) else { continue };
                    let below = below?;
                    next.extend(below.2.iter().filter(|id| !known.contains_key(id) && seen.insert(**id)));
                    read.push((*id, below));
                }
            }
            level = next;
        }
        // A folder read on an upper level may lie below one read later (equal folders in different places): resolve
        // until nothing is open.
        let mut open = read;
        while !open.is_empty() {
            let before = open.len();
            let mut later = Vec::new();
            for (id, (bytes, files, below)) in open.into_iter().rev() {
                match below.iter().map(|id| known.get(id)).collect::<Option<Vec<_>>>() {
                    Some(parts) => {
                        let total = parts.iter().fold((bytes, files), |sum, part| (sum.0 + part.0, sum.1 + part.1));
                        known.insert(id, total);
                    }
                    None => later.push((id, (bytes, files, below))),
                }
            }
            if later.len() == before {
                return Err(lost(&later[0].0));
            }
            later.reverse();
            open = later;
        }
        if let Ok(mut sizes) = self.repo.sizes.lock() {
            if known.len() > REMEMBERED_SIZES {
                sizes.clear();
            } else {
                sizes.clone_from(&known);
            }
        }
        Ok(known)
    }
}

fn measure(tree: &Tree) -> (u64, u64, Vec<Id>) {
    let files = tree.iter().filter(|node| node.entry.kind == EntryType::File);
    let (bytes, count) = files.fold((0, 0), |(bytes, count), node| (bytes + node.entry.size_bytes, count + 1));
    (bytes, count, tree.iter().filter_map(|node| node.subtree).collect())
}

#[async_trait]
impl BackupReader for Reader {
    fn record(&self) -> &BackupRecord {
        &self.record
    }

    async fn manifest(&self) -> Result<Option<BackupManifest>> {
        let Some(folder) = self.folder(&RawPath::new(BACKSTAY_DIR)?).await? else { return Ok(None) };
        let Ok(at) = folder.binary_search_by(|node| node.name().cmp(MANIFEST.as_bytes())) else { return Ok(None) };
        let content = &folder[at].content;
        let mut fetched = self.repo.fetch(&self.index, content, false, |_, plain| Ok(plain)).await;
        let mut json = Vec::new();
        for id in content {
            json.extend_from_slice(&fetched.remove(id).unwrap_or_else(|| Err(lost(id)))?);
            if json.len() > MANIFEST_LIMIT {
                return Ok(None);
            }
        }
        // A folder of this name in somebody else's snapshot is not our manifest.
        Ok(serde_json::from_slice(&json).ok())
    }

    async fn list(&self, ctx: &RunContext, dir: &RawPath) -> Result<Vec<ListedEntry>> {
        let dir = dir.to_relative();
        let Some(folder) = ctx.or_cancel(self.folder(&dir)).await? else {
            let text = format!("Cannot list {dir} in the backup of {}: no such folder", self.record.server_name);
            return Err(Error::new(ErrorClass::Missing, text));
        };
        let folders: Vec<Id> = folder.iter().filter_map(|node| node.subtree).collect();
        let sizes = self.sizes(ctx, &folders).await?;
        let lines = folder.iter().map(|node| {
            let mut entry = node.entry.clone();
            entry.path = dir.join(node.name())?;
            let file = u64::from(entry.is_file());
            let below = node.subtree.and_then(|id| sizes.get(&id).copied());
            let (total_bytes, total_files) = below.unwrap_or((entry.size_bytes, file));
            Ok(ListedEntry { entry, total_bytes, total_files })
        });
        lines.collect()
    }

    async fn walk(&self, ctx: &RunContext, selection: &Selection) -> Result<Vec<Entry>> {
        let mut walker = self.walker(selection.clone());
        let mut entries = Vec::new();
        while let Some(node) = ctx.or_cancel(walker.next()).await? {
            entries.push(node.entry);
        }
        Ok(entries)
    }

    async fn stream(&self, ctx: &RunContext, selection: Selection) -> Result<Box<dyn EntrySource>> {
        let walker = self.walker(selection);
        Ok(Box::new(stream::start(self.repo.clone(), self.index.clone(), walker, ctx.clone())))
    }

    async fn search(&self, ctx: &RunContext, text: &str, limit: usize) -> Result<Vec<Entry>> {
        let text = text.to_lowercase();
        let mut walker = self.walker(Selection::default());
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(node) = ctx.or_cancel(walker.next()).await? else { break };
            if node.entry.path.to_text().to_lowercase().contains(&text) {
                found.push(node.entry);
            }
        }
        Ok(found)
    }
}
