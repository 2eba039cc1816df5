//! Compares two backups. Folders that are equal are never opened: equal lists have equal names.

use super::id::Id;
use super::index::Index;
use super::node::Node;
use super::repo::Repo;
use super::tree::Tree;
use backstay_core::layout::{BackupDiff, DiffKind, DiffLine};
use backstay_core::path::RawPath;
use backstay_core::{Result, RunContext};
use std::cmp::Ordering;
use std::sync::Arc;

struct Pair {
    path: RawPath,
    old: Option<Id>,
    new: Option<Id>,
}

/// Compares the trees of two backups.
pub(crate) async fn diff(repo: &Arc<Repo>, index: &Index, ctx: &RunContext, old: Id, new: Id) -> Result<BackupDiff> {
    let mut lines = Vec::new();
    let mut open = vec![Pair { path: RawPath::root(), old: Some(old), new: Some(new) }];
    while let Some(pair) = open.pop() {
        if pair.old == pair.new {
            continue;
        }
        let old = ctx.or_cancel(tree(repo, index, pair.old)).await?;
        let new = ctx.or_cancel(tree(repo, index, pair.new)).await?;
        let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.name().cmp(b.name()),
            };
            let was = if order.is_le() { old.next() } else { None };
            let is = if order.is_ge() { new.next() } else { None };
            let Some(either) = is.or(was) else { break };
            let path = pair.path.join(either.name())?;
            if let Some(line) = compare(&path, was, is) {
                lines.push(line);
            }
            let below = |node: Option<&Node>| node.and_then(|node| node.subtree);
            if below(was).is_some() || below(is).is_some() {
                open.push(Pair { path, old: below(was), new: below(is) });
            }
        }
    }
    lines.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(BackupDiff { lines })
}

async fn tree(repo: &Arc<Repo>, index: &Index, id: Option<Id>) -> Result<Arc<Tree>> {
    match id {
        Some(id) => repo.tree(index, &id).await,
        None => Ok(Arc::default()),
    }
}

fn compare(path: &RawPath, old: Option<&Node>, new: Option<&Node>) -> Option<DiffLine> {
    let bytes = |node: Option<&Node>| node.map_or(0, |node| node.entry.size_bytes);
    let kind = match (old, new) {
        (None, _) => DiffKind::Added,
        (_, None) => DiffKind::Removed,
        (Some(old), Some(new)) if old.entry.kind != new.entry.kind || old.content != new.content => DiffKind::Changed,
        (Some(old), Some(new)) => {
            let (a, b) = (&old.entry, &new.entry);
            let same = (a.mode, a.uid, a.gid, a.mtime) == (b.mode, b.uid, b.gid, b.mtime) && a.xattrs == b.xattrs;
            if same || b.is_dir() {
                return None;
            }
            DiffKind::Metadata
        }
    };
    let is_dir = new.or(old).is_some_and(|node| node.entry.is_dir());
    Some(DiffLine { kind, path: path.clone(), is_dir, old_bytes: bytes(old), new_bytes: bytes(new) })
}
