//! Folders' lists read back, with a bounded cache.

use super::id::Id;
use super::index::Index;
use super::node::{Node, TreeJson, from_json};
use super::repo::Repo;
use backstay_core::{Error, ErrorClass, Result};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Nodes kept in the cache, about 15 MB.
const CACHED_NODES: usize = 30_000;
/// Folders fetched in one go.
pub(crate) const TREE_BATCH: usize = 512;

/// A folder's nodes, sorted by name.
pub(crate) type Tree = Vec<Node>;

/// The folders read last.
#[derive(Default)]
pub(crate) struct TreeCache {
    trees: HashMap<Id, Arc<Tree>>,
    order: VecDeque<Id>,
    nodes: usize,
}

impl TreeCache {
    fn get(&self, id: &Id) -> Option<Arc<Tree>> {
        self.trees.get(id).cloned()
    }
    fn insert(&mut self, id: Id, tree: Arc<Tree>) {
        let nodes = tree.len() + 1;
        if self.trees.insert(id, tree).is_some() {
            return;
        }
        self.nodes += nodes;
        self.order.push_back(id);
        while self.nodes > CACHED_NODES && self.order.len() > 1 {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(tree) = self.trees.remove(&oldest) {
                self.nodes -= tree.len() + 1;
            }
        }
    }
}

/// Reads a folder's list. Nodes of types that hold nothing are left out; a name that cannot be one is `Corrupt`.
pub(crate) fn parse(id: &Id, json: &[u8]) -> Result<Tree> {
    let corrupt = |what: &str| Error::new(ErrorClass::Corrupt, format!("The list of a folder ({}) {what}", id.short()));
    let json: TreeJson<'_> =
        serde_json::from_slice(json).map_err(|error| corrupt("cannot be understood").source(error))?;
    let known = ["file", "dir", "symlink", "fifo", "socket", "chardev", "dev"];
    let nodes = json.nodes.into_iter().filter(|node| known.contains(&&*node.kind));
    let mut nodes: Tree =
        nodes.map(|node| from_json(node).ok_or_else(|| corrupt("holds an impossible name"))).collect::<Result<_>>()?;
    nodes.sort_by(|a, b| a.name().cmp(b.name()));
    if nodes.windows(2).any(|pair| pair[0].name() == pair[1].name()) {
        return Err(corrupt("holds a name twice"));
    }
    Ok(nodes)
}

impl Repo {
    /// Reads folders' lists, from the cache where they are there.
    pub async fn trees(self: &Arc<Self>, index: &Index, ids: &[Id]) -> Result<HashMap<Id, Arc<Tree>>> {
        let mut trees = HashMap::with_capacity(ids.len());
        let mut absent = Vec::new();
        if let Ok(cache) = self.trees.lock() {
            for id in ids {
                match cache.get(id) {
                    Some(tree) => _ = trees.insert(*id, tree),
                    None => absent.push(*id),
                }
            }
        } else {
            absent = ids.to_vec();
        }
        if absent.is_empty() {
            return Ok(trees);
        }
        let mut fetched = self.fetch(index, &absent, true, |id, json| parse(id, &json)).await;
        for id in absent {
            if trees.contains_key(&id) {
                continue;
            }
            let tree = Arc::new(fetched.remove(&id).unwrap_or_else(|| Err(lost(&id)))?);
            if let Ok(mut cache) = self.trees.lock() {
                cache.insert(id, tree.clone());
            }
            trees.insert(id, tree);
        }
        Ok(trees)
    }

    /// Reads one folder's list.
    pub async fn tree(self: &Arc<Self>, index: &Index, id: &Id) -> Result<Arc<Tree>> {
        let mut trees = self.trees(index, std::slice::from_ref(id)).await?;
        trees.remove(id).ok_or_else(|| lost(id))
    }
}

/// Makes the error of a chunk nobody answered for.
pub(crate) fn lost(id: &Id) -> Error {
    Error::new(ErrorClass::Internal, format!("Cannot read chunk {}: its reader ended", id.short()))
}
