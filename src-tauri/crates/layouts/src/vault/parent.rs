//! The backup before, ready to be compared with: folders' lists, compressed, unpacked one at a time.

use super::id::Id;
use super::index::Index;
use super::node::Node;
use super::repo::{Repo, unpack};
use super::tree::{TREE_BATCH, Tree, lost, parse};
use backstay_core::entry::{Entry, EntryType, TimeNs};
use backstay_core::path::RawPath;
use backstay_core::{Error, Result};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

/// Folders kept unpacked.
const UNPACKED: usize = 4;
/// The largest list of a folder we are ready to unpack.
const LIST_LIMIT: usize = 2 << 30;
/// Over SFTP a file's time has whole seconds and there is no ctime: what was changed less than this before the earlier
/// backup began may have been changed again, within the same second, after it was read. A second for the rounding, one
/// for clocks that differ a little.
const GRAIN: TimeNs = TimeNs(2_000_000_000);

/// The backup before. Some 80 bytes a file.
#[derive(Default)]
pub(crate) struct Parent {
    /// When it was begun.
    started: TimeNs,
    folders: HashMap<RawPath, Id>,
    lists: HashMap<Id, Box<[u8]>>,
    unpacked: Mutex<VecDeque<(Id, Arc<Tree>)>>,
}

impl Parent {
    /// Reads all folders of a backup, level by level.
    pub async fn load(repo: &Arc<Repo>, index: &Index, root: Id, started: TimeNs) -> Result<Self> {
        let mut parent = Self { started, ..Self::default() };
        let mut level = vec![(RawPath::root(), root)];
        while !level.is_empty() {
            let mut next = Vec::new();
            for batch in level.chunks(TREE_BATCH) {
                let ids: Vec<Id> = batch.iter().map(|(_, id)| *id).collect();
                let mut fetched = repo.fetch(index, &ids, true, read_list).await;
                let mut read: HashMap<Id, Vec<(RawPath, Id)>> = HashMap::new();
                for id in ids {
                    if let Some(result) = fetched.remove(&id) {
                        let (list, below) = result?;
                        parent.lists.insert(id, list);
                        read.insert(id, below);
                    }
                }
                for (path, id) in batch {
                    for (name, tree) in read.get(id).ok_or_else(|| lost(id))? {
                        next.push((path.join(name.as_bytes())?, *tree));
                    }
                    parent.folders.insert(path.clone(), *id);
                }
            }
            level = next;
        }
        Ok(parent)
    }

    /// Tells whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Tells whether it holds this folder.
    pub fn has_folder(&self, path: &RawPath) -> bool {
        self.folders.contains_key(path)
    }

    /// Finds an entry.
    pub fn find(&self, path: &RawPath) -> Option<Node> {
        let tree = self.folder(self.folders.get(&path.parent()?)?)?;
        let name = path.name()?;
        tree.binary_search_by(|node| node.name().cmp(name)).ok().map(|at| tree[at].clone())
    }

    /// Tells whether a file is the one of the backup before, as far as its metadata tells. A field the older backup or the
    /// listing does not know (0) does not count.
    pub fn is_same(&self, entry: &Entry, node: &Node) -> bool {
        let old = &node.entry;
        let agrees = |new: i128, old: i128| new == 0 || old == 0 || new == old;
        // A known ctime changes with every change; without one, the time alone must leave no doubt.
        let is_told = entry.ctime.0 != 0 && old.ctime.0 != 0;
        entry.kind == EntryType::File
            && old.kind == EntryType::File
            && entry.size_bytes == old.size_bytes
            && entry.mtime == old.mtime
            && agrees(entry.ctime.0, old.ctime.0)
            && agrees(entry.inode.into(), old.inode.into())
            && (is_told || entry.mtime.0 + GRAIN.0 <= self.started.0)
    }

    fn folder(&self, id: &Id) -> Option<Arc<Tree>> {
        let mut unpacked = self.unpacked.lock().ok()?;
        if let Some(at) = unpacked.iter().position(|(known, _)| known == id) {
            return Some(unpacked[at].1.clone());
        }
        let tree = Arc::new(parse(id, &unpack(self.lists.get(id)?, LIST_LIMIT)?).ok()?);
        unpacked.push_front((*id, tree.clone()));
        unpacked.truncate(UNPACKED);
        Some(tree)
    }
}

type List = (Box<[u8]>, Vec<(RawPath, Id)>);

fn read_list(id: &Id, json: Vec<u8>) -> Result<List> {
    let below = parse(id, &json)?.into_iter().filter_map(|node| Some((node.entry.path, node.subtree?)));
    let list = zstd::bulk::compress(&json, 1).map_err(|error| Error::io("Cannot compress", error))?;
    Ok((list.into_boxed_slice(), below.collect()))
}
