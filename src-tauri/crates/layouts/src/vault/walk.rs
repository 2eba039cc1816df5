//! Walks a backup folder by folder, in path order, reading lists a little ahead.

use super::id::Id;
use super::index::Index;
use super::node::Node;
use super::repo::Repo;
use super::tree::Tree;
use backstay_core::Result;
use backstay_core::layout::Selection;
use backstay_core::path::RawPath;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Lists of neighbouring folders read in one go.
const AHEAD: usize = 64;

/// A selection, ready to be asked about many paths.
pub(crate) struct Picked {
    selection: Selection,
    /// The folders above the paths of `only`.
    above_only: HashSet<RawPath>,
}

impl Picked {
    /// Prepares a selection.
    pub fn new(mut selection: Selection) -> Self {
        for path in selection.include.iter_mut().chain(&mut selection.exclude) {
            *path = path.to_relative();
        }
        let mut above_only = HashSet::new();
        if let Some(only) = &mut selection.only {
            *only = only.iter().map(RawPath::to_relative).collect();
            for path in only.iter() {
                let mut above = path.parent();
                while let Some(path) = above {
                    above = path.parent();
                    if !above_only.insert(path) {
                        break;
                    }
                }
            }
        }
        Self { selection, above_only }
    }

    fn excluded(&self, path: &RawPath) -> bool {
        self.selection.exclude.iter().any(|out| path.starts_with(out))
    }

    /// Tells whether an entry is selected.
    pub fn wants(&self, path: &RawPath) -> bool {
        let include = &self.selection.include;
        let included = include.is_empty() || include.iter().any(|base| path.starts_with(base));
        included && !self.excluded(path) && self.selection.only.as_ref().is_none_or(|only| only.contains(path))
    }

    /// Tells whether something in a folder may be selected.
    pub fn enters(&self, path: &RawPath) -> bool {
        let include = &self.selection.include;
        let near = |base: &RawPath| path.starts_with(base) || base.starts_with(path);
        let included = include.is_empty() || include.iter().any(near);
        let only = self.selection.only.is_none() || self.above_only.contains(path);
        included && only && !self.excluded(path)
    }
}

struct Frame {
    path: RawPath,
    tree: Arc<Tree>,
    at: usize,
    ahead: HashMap<Id, Arc<Tree>>,
}

/// A walk under way.
pub(crate) struct Walker {
    repo: Arc<Repo>,
    index: Arc<Index>,
    picked: Arc<Picked>,
    frames: Vec<Frame>,
    root: Option<Id>,
}

impl Walker {
    /// Starts at a backup's root.
    pub fn new(repo: Arc<Repo>, index: Arc<Index>, root: Id, picked: Arc<Picked>) -> Self {
        Self { repo, index, picked, frames: Vec::new(), root: Some(root) }
    }

    /// Returns the next selected node, its path made whole.
    pub async fn next(&mut self) -> Result<Option<Node>> {
        if let Some(root) = self.root {
            let tree = self.repo.tree(&self.index, &root).await?;
            self.root = None;
            self.frames.push(Frame { path: RawPath::root(), tree, at: 0, ahead: HashMap::new() });
        }
        while let Some(frame) = self.frames.last_mut() {
            let Some(node) = frame.tree.get(frame.at) else {
                self.frames.pop();
                continue;
            };
            let path = frame.path.join(node.name())?;
            if let Some(subtree) = node.subtree.filter(|_| self.picked.enters(&path)) {
                if !frame.ahead.contains_key(&subtree) {
                    frame.ahead = read_ahead(&self.repo, &self.index, frame, &self.picked, subtree).await?;
                }
                if let Some(tree) = frame.ahead.get(&subtree).cloned() {
                    let mut found = node.clone();
                    frame.at += 1;
                    self.frames.push(Frame { path: path.clone(), tree, at: 0, ahead: HashMap::new() });
                    if self.picked.wants(&path) {
                        found.entry.path = path;
                        return Ok(Some(found));
                    }
                    continue;
                }
            }
            let wanted = self.picked.wants(&path).then(|| node.clone());
            frame.at += 1;
            if let Some(mut node) = wanted {
                node.entry.path = path;
                return Ok(Some(node));
            }
        }
        Ok(None)
    }
}

async fn read_ahead(
    repo: &Arc<Repo>,
    index: &Index,
    frame: &Frame,
    picked: &Picked,
    first: Id,
) -> Result<HashMap<Id, Arc<Tree>>> {
    let mut ids = Vec::new();
    for node in &frame.tree[frame.at..] {
        if let Some(subtree) = node.subtree
            && picked.enters(&frame.path.join(node.name())?)
        {
            ids.push(subtree);
            if ids.len() == AHEAD {
                break;
            }
        }
    }
    match repo.trees(index, &ids).await {
        Ok(trees) => Ok(trees),
        // One of the neighbours is damaged; that is of interest only when it is its turn.
        Err(_) => Ok(HashMap::from([(first, repo.tree(index, &first).await?)])),
    }
}
