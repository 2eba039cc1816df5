//! Which chunks backups are made of.

use super::id::Id;
use super::index::Index;
use super::repo::Repo;
use super::tree::{TREE_BATCH, lost, parse};
use backstay_core::{Result, RunContext};
use std::collections::HashSet;
use std::sync::Arc;

/// Chunks, each with whether it is a folder's list.
pub(crate) type Chunks = HashSet<(Id, bool)>;

/// Adds all chunks of the backups with these roots. A list that cannot be read ends it: what it names is not known.
pub(crate) async fn add_used(
    repo: &Arc<Repo>,
    index: &Index,
    ctx: &RunContext,
    roots: impl IntoIterator<Item = Id>,
    used: &mut Chunks,
) -> Result<()> {
    let mut level: Vec<Id> = roots.into_iter().filter(|root| used.insert((*root, true))).collect();
    while !level.is_empty() {
        let mut next = Vec::new();
        for batch in level.chunks(TREE_BATCH) {
            ctx.check()?;
            let look = |id: &Id, json: Vec<u8>| {
                let tree = parse(id, &json)?;
                let content: Vec<Id> = tree.iter().flat_map(|node| node.content.iter().copied()).collect();
                let below: Vec<Id> = tree.iter().filter_map(|node| node.subtree).collect();
                Ok((content, below))
            };
            let fetched = repo.fetch(index, batch, true, look);
            let mut fetched = ctx.or_cancel(async { Ok(fetched.await) }).await?;
            for id in batch {
                let (content, below) = fetched.remove(id).unwrap_or_else(|| Err(lost(id)))?;
                used.extend(content.into_iter().map(|id| (id, false)));
                next.extend(below.into_iter().filter(|id| used.insert((*id, true))));
            }
        }
        level = next;
    }
    Ok(())
}
