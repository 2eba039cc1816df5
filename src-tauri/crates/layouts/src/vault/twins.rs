//! Chunks that lie in several packs: two backups wrote them at once, or a damaged pack was made good by a backup.

use super::fetch::Unpacker;
use super::id::Id;
use super::index::{Index, IndexedPack};
use super::pack::PackedBlob;
use super::repo::{Repo, internal, pack_key};
use super::used::Chunks;
use backstay_core::{Error, Result, RunContext};
use bytes::Bytes;
use futures::stream::{StreamExt, TryStreamExt};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Packs read at the same time.
const READS: usize = 2;

/// Reads all packs that hold a chunk which lies elsewhere too, and returns what of them is damaged, as (chunk,
/// pack): of several copies a whole one must stay.
pub(super) async fn rotten_twins(
    repo: &Arc<Repo>,
    ctx: &RunContext,
    index: &Index,
    there: &HashMap<Id, u64>,
    used: &Chunks,
) -> Result<HashSet<(Id, Id)>> {
    let is_whole = |pack: &IndexedPack| there.get(&pack.id) == Some(&pack.size);
    let packs = index.packs();
    let mut twins: HashSet<usize> = HashSet::new();
    let mut before = None;
    // The index is in order: copies of a chunk follow one another.
    for (chunk, number) in index.chunks().filter(|(_, number)| is_whole(&packs[*number])) {
        let name = (chunk.id, chunk.tree);
        if let Some((same, first)) = before.replace((name, number))
            && same == name
            && used.contains(&name)
        {
            twins.extend([first, number]);
        }
    }
    if twins.is_empty() {
        return Ok(HashSet::new());
    }
    let mut by_pack = index.by_pack();
    let reads = twins.into_iter().map(|number| {
        let id = packs[number].id;
        let chunks = by_pack.remove(&id).unwrap_or_default();
        async move {
            let content = ctx.or_cancel(repo.destination.get(&pack_key(&id)?, None)).await?;
            let damaged = damaged_chunks(repo, id, content, chunks).await?;
            Ok::<_, Error>(damaged.into_iter().map(move |chunk| (chunk, id)))
        }
    });
    let reads = reads.collect::<Vec<_>>();
    let rotten: Vec<_> = futures::stream::iter(reads).buffer_unordered(READS).try_collect().await?;
    Ok(rotten.into_iter().flatten().collect())
}

/// Returns which chunks of a pack are damaged.
async fn damaged_chunks(repo: &Arc<Repo>, pack: Id, content: Bytes, chunks: Vec<PackedBlob>) -> Result<Vec<Id>> {
    let repo = repo.clone();
    let work = move || {
        if Id::of(&content) == pack {
            return Vec::new();
        }
        let mut unpacker = Unpacker::default();
        let damaged = chunks.iter().filter(|chunk| cut_out(&repo, &mut unpacker, &content, chunk).is_none());
        damaged.map(|chunk| chunk.id).collect()
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| internal("Cannot read a pack").source(error))
}

/// Cuts a chunk out of a pack, still sealed, proved by its checksum.
pub(super) fn cut_out(repo: &Repo, unpacker: &mut Unpacker, content: &Bytes, chunk: &PackedBlob) -> Option<Bytes> {
    let start = chunk.offset as usize;
    let end = start + chunk.length as usize;
    let sealed = content.get(start..end)?;
    repo.open_blob(unpacker, &chunk.id, sealed, chunk.raw)?;
    Some(content.slice(start..end))
}
