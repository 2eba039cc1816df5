//! Frees what no backup needs any more. What is still needed beside it is written anew and proved first; then the index
//! changes, then old packs go. Killed at any moment, every backup is whole, and the next pruning ends the work.

use super::fetch::Unpacker;
use super::id::Id;
use super::index::{Index, IndexFile, IndexPack};
use super::lock::{Lock, refuse_strangers};
use super::pack::{PackBuilder, PackedBlob};
use super::pool::PACK_BYTES;
use super::repo::{Repo, internal, object_key, pack_key};
use super::twins::{cut_out, rotten_twins};
use super::used::{Chunks, add_used};
use backstay_core::destination::Key;
use backstay_core::layout::Pruned;
use backstay_core::run::Phase;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use bytes::Bytes;
use futures::stream::{StreamExt, TryStreamExt};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Of the bytes in use, so many percent may stay unused rather than be moved.
const UNUSED_PERCENT: u64 = 5;
/// Packs read at the same time.
const READS: usize = 2;
/// Objects removed at the same time.
const REMOVES: usize = 8;
/// Chunks in one index file.
pub(crate) const INDEX_CHUNKS: usize = 50_000;

/// What lies there.
struct Survey {
    snapshots: HashSet<Id>,
    index: Arc<Index>,
    /// Packs by the destination's own listing, with sizes.
    there: HashMap<Id, u64>,
    used: Chunks,
    /// What is damaged of the chunks that lie twice: (chunk, pack).
    rotten: HashSet<(Id, Id)>,
}

/// What is to be done about it.
#[derive(Default)]
struct Plan {
    /// Packs to go as they are.
    remove: Vec<Id>,
    /// Packs to go after what is needed of them was moved.
    repack: Vec<(Id, Vec<PackedBlob>)>,
    /// Packs that stay, with all in them.
    keep: Vec<(Id, Vec<PackedBlob>)>,
    freed_bytes: u64,
    moved_bytes: u64,
    /// The index tells of packs that go.
    index_changes: bool,
}

/// Frees room.
pub(crate) async fn prune(repo: &Arc<Repo>, ctx: &RunContext) -> Result<Pruned> {
    ctx.progress.phase(Phase::Pruning);
    let lock = ctx.or_cancel(Lock::exclusive(repo.clone(), ctx.clock.clone())).await?;
    let result = prune_locked(repo, ctx, &lock).await;
    lock.release().await;
    result
}

/// Returns how many bytes pruning would free now.
pub(crate) async fn prunable_bytes(repo: &Arc<Repo>, ctx: &RunContext) -> Result<u64> {
    let survey = survey(repo, ctx).await?;
    Ok(Plan::of(repo, &survey)?.freed_bytes)
}

async fn prune_locked(repo: &Arc<Repo>, ctx: &RunContext, lock: &Lock) -> Result<Pruned> {
    let mut survey = survey(repo, ctx).await?;
    survey.rotten = rotten_twins(repo, ctx, &survey.index, &survey.there, &survey.used).await?;
    let plan = Plan::of(repo, &survey)?;
    let (freed_bytes, moved_bytes) = (plan.freed_bytes, plan.moved_bytes);
    ctx.progress.total(None, Some(plan.repack.iter().filter_map(|(id, _)| survey.there.get(id)).sum()));
    let mut old: Vec<Key> = Vec::new();
    if plan.index_changes {
        let moved = repack(repo, ctx, &plan.repack).await?;
        replace_index(repo, ctx, &survey, plan.keep, moved).await?;
        nobody_came(repo, ctx, lock, &survey).await?;
        let names = survey.index.files().map(|id| object_key("index", id)).collect::<Result<Vec<_>>>()?;
        old.extend(names.iter().cloned());
        remove(repo, ctx, lock, names).await?;
    } else if !plan.remove.is_empty() {
        nobody_came(repo, ctx, lock, &survey).await?;
    }
    let packs = plan.remove.iter().chain(plan.repack.iter().map(|(id, _)| id));
    let packs = packs.filter(|id| survey.there.contains_key(id)).map(pack_key).collect::<Result<Vec<_>>>()?;
    old.extend(packs.iter().cloned());
    remove(repo, ctx, lock, packs).await?;
    Ok(Pruned { objects: old.len() as u64, freed_bytes, moved_bytes })
}

/// Fails if somebody came though the vault is locked, since his clock differs or this computer slept: what he wrote may
/// need what is about to go.
async fn nobody_came(repo: &Arc<Repo>, ctx: &RunContext, lock: &Lock, survey: &Survey) -> Result<()> {
    lock.check(repo.label())?;
    ctx.or_cancel(refuse_strangers(repo, ctx.clock.now())).await?;
    let snapshots = ctx.or_cancel(repo.ids("snapshots")).await?;
    if snapshots.iter().all(|id| survey.snapshots.contains(id)) {
        return Ok(());
    }
    let text = format!("Cannot free up space in the vault at {}: a backup was made there meanwhile", repo.label());
    Err(Error::new(ErrorClass::Locked, text).hint("Start again; nothing was removed"))
}

async fn survey(repo: &Arc<Repo>, ctx: &RunContext) -> Result<Survey> {
    let index = ctx.or_cancel(repo.index()).await?;
    let snapshots: HashSet<Id> = ctx.or_cancel(repo.ids("snapshots")).await?.into_iter().collect();
    let mut roots = Vec::new();
    for id in &snapshots {
        // One that cannot be read may need anything: nothing may go then.
        roots.push(ctx.or_cancel(repo.snapshot(id)).await?.tree);
    }
    let mut used = Chunks::new();
    add_used(repo, &index, ctx, roots, &mut used).await?;
    let there = ctx.or_cancel(repo.packs_there()).await?;
    Ok(Survey { snapshots, index, there, used, rotten: HashSet::new() })
}

/// How much of a pack is needed.
#[derive(Clone, Copy, Default)]
struct Tally {
    used: u64,
    unused: u64,
}

impl Plan {
    fn of(repo: &Repo, survey: &Survey) -> Result<Self> {
        let packs = survey.index.packs();
        let whole: Vec<bool> = packs.iter().map(|pack| survey.there.get(&pack.id) == Some(&pack.size)).collect();
        let (owned, tallies) = share_out(repo, survey, &whole)?;
        let mut plan = Self::default();
        let mut partly = Vec::new();
        let all = tallies.iter().fold(Tally::default(), |sum, tally| Tally {
            used: sum.used + tally.used,
            unused: sum.unused + if tally.used > 0 { tally.unused } else { 0 },
        });
        for (number, tally) in tallies.iter().enumerate() {
            match (tally.used, tally.unused) {
                (0, _) => {
                    plan.remove.push(packs[number].id);
                    plan.freed_bytes += survey.there.get(&packs[number].id).copied().unwrap_or(0);
                    plan.index_changes = true;
                }
                (_, 0) => {}
                _ => partly.push(number),
            }
        }
        // The emptiest first: they free the most for what is moved.
        partly.sort_by_key(|number| {
            let tally = tallies[*number];
            std::cmp::Reverse(u128::from(tally.unused) * 1000 / u128::from(tally.used + tally.unused).max(1))
        });
        let mut unused = all.unused;
        let mut moved = HashSet::new();
        // What is damaged, and whole elsewhere, is not to stay.
        let stuck = survey.rotten.iter().filter(|(chunk, pack)| !has_whole_twin(survey, chunk, pack));
        let stuck: HashSet<Id> = stuck.map(|(_, pack)| *pack).collect();
        let rotten: HashSet<Id> =
            survey.rotten.iter().map(|(_, pack)| *pack).filter(|pack| !stuck.contains(pack)).collect();
        let is_rotten = |number: &usize| rotten.contains(&packs[*number].id);
        partly.sort_by_key(|number| !is_rotten(number));
        for number in partly {
            if unused <= all.used * UNUSED_PERCENT / 100 && !is_rotten(&number) {
                break;
            }
            unused -= tallies[number].unused;
            plan.freed_bytes += tallies[number].unused;
            plan.moved_bytes += tallies[number].used;
            plan.index_changes = true;
            moved.insert(packs[number].id);
        }
        let mut by_pack = survey.index.by_pack();
        for (number, pack) in packs.iter().enumerate().filter(|(number, _)| tallies[*number].used > 0) {
            let mut chunks = by_pack.remove(&pack.id).unwrap_or_default();
            if moved.contains(&pack.id) {
                chunks.retain(|chunk| owned.get(&(chunk.id, chunk.tree)) == Some(&number));
                chunks.sort_unstable_by_key(|chunk| chunk.offset);
                plan.repack.push((pack.id, chunks));
            } else {
                chunks.sort_unstable_by_key(|chunk| chunk.offset);
                plan.keep.push((pack.id, chunks));
            }
        }
        let indexed: HashSet<Id> = packs.iter().map(|pack| pack.id).collect();
        for (id, size) in survey.there.iter().filter(|(id, _)| !indexed.contains(id)) {
            plan.remove.push(*id);
            plan.freed_bytes += size;
        }
        Ok(plan)
    }
}

/// Tells whether a chunk that is damaged in a pack is whole in another one, or not needed.
fn has_whole_twin(survey: &Survey, chunk: &Id, pack: &Id) -> bool {
    [false, true].into_iter().filter(|tree| survey.used.contains(&(*chunk, *tree))).all(|tree| {
        let others = survey.index.find(chunk, tree).filter(|place| place.pack != *pack);
        let mut whole = others.filter(|place| survey.there.get(&place.pack) == Some(&place.pack_bytes));
        whole.any(|place| !survey.rotten.contains(&(*chunk, place.pack)))
    })
}

/// Which pack, by its number in the index, is to hold a chunk in use.
type Owners = HashMap<(Id, bool), usize>;

/// Says for each chunk in use which pack is to hold it, and how full of such chunks each pack is.
fn share_out(repo: &Repo, survey: &Survey, whole: &[bool]) -> Result<(Owners, Vec<Tally>)> {
    let mut places: HashMap<(Id, bool), Vec<(usize, u64)>> = HashMap::with_capacity(survey.used.len());
    let mut tallies = vec![Tally::default(); survey.index.packs().len()];
    for (chunk, number) in survey.index.chunks() {
        let name = (chunk.id, chunk.tree);
        let bytes = u64::from(chunk.length);
        if survey.used.contains(&name) && whole[number] {
            places.entry(name).or_default().push((number, bytes));
        } else {
            tallies[number].unused += bytes;
        }
    }
    if let Some((id, _)) = survey.used.iter().find(|name| !places.contains_key(name)) {
        return Err(Error::new(
            ErrorClass::Corrupt,
            format!("Cannot free up space in the vault at {}: backups need what is lost there", repo.label()),
        )
        .hint("Sync it from another copy, or verify it to see what is lost; nothing was removed")
        .detail(format!("chunk {} lies in no whole pack", id.short())));
    }
    let mut owned = HashMap::with_capacity(places.len());
    let mut twice = Vec::new();
    for (name, at) in places {
        match at.as_slice() {
            [(number, bytes)] => {
                tallies[*number].used += bytes;
                owned.insert(name, *number);
            }
            _ => twice.push((name, at)),
        }
    }
    // Of several packs with the same chunk, the one that is full of needed ones keeps it; none where it is damaged.
    twice.sort_unstable_by_key(|(name, _)| *name);
    for (name, at) in twice {
        let best = at.iter().min_by_key(|(number, _)| {
            let tally = tallies[*number];
            let is_rotten = survey.rotten.contains(&(name.0, survey.index.packs()[*number].id));
            (is_rotten, tally.unused, std::cmp::Reverse(tally.used), *number)
        });
        let Some((best, _)) = best.copied() else { continue };
        for (number, bytes) in at {
            if number == best {
                tallies[number].used += bytes;
            } else {
                tallies[number].unused += bytes;
            }
        }
        owned.insert(name, best);
    }
    Ok((owned, tallies))
}

/// Writes what is needed of these packs into new ones; returns those, stored and proved.
async fn repack(repo: &Arc<Repo>, ctx: &RunContext, packs: &[(Id, Vec<PackedBlob>)]) -> Result<Vec<IndexPack>> {
    let mut open = [PackBuilder::default(), PackBuilder::default()];
    let mut stored = Vec::new();
    let reads = packs.iter().cloned().map(|(id, chunks)| async move {
        let content = repo.destination.get(&pack_key(&id)?, None).await?;
        Ok::<_, Error>((id, content, chunks))
    });
    let mut reads = std::pin::pin!(futures::stream::iter(reads).buffered(READS));
    while let Some(read) = ctx.or_cancel(async { Ok(reads.next().await) }).await? {
        let (id, content, chunks) = read?;
        let size = content.len() as u64;
        let whole = prove_chunks(repo, id, content.clone(), chunks.clone()).await?;
        for (chunk, sealed) in chunks.iter().zip(whole) {
            let builder = &mut open[usize::from(chunk.tree)];
            builder.add(chunk.id, chunk.tree, &sealed, chunk.raw);
            if builder.len() >= PACK_BYTES {
                stored.push(store(repo, ctx, std::mem::take(builder)).await?);
            }
        }
        ctx.progress.advance(0, size);
    }
    for builder in open {
        if !builder.is_empty() {
            stored.push(store(repo, ctx, builder).await?);
        }
    }
    Ok(stored)
}

/// Cuts these chunks out of a pack, still sealed, each proved by its checksum.
async fn prove_chunks(repo: &Arc<Repo>, pack: Id, content: Bytes, chunks: Vec<PackedBlob>) -> Result<Vec<Bytes>> {
    let repo = repo.clone();
    let work = move || {
        let mut unpacker = Unpacker::default();
        let cuts: Option<Vec<Bytes>> =
            chunks.iter().map(|chunk| cut_out(&repo, &mut unpacker, &content, chunk)).collect();
        cuts.ok_or_else(|| {
            let text =
                format!("Cannot free up space in the vault at {}: pack {} is damaged", repo.label(), pack.short());
            Error::new(ErrorClass::Corrupt, text)
                .hint("Verify the destination with all data to see what is lost; nothing was removed")
        })
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| internal("Cannot read a pack").source(error))?
}

async fn store(repo: &Arc<Repo>, ctx: &RunContext, builder: PackBuilder) -> Result<IndexPack> {
    let pack = builder.finish(&repo.cipher).ok_or_else(|| internal("Cannot seal a pack"))?;
    ctx.or_cancel(repo.put_pack(&pack.id, pack.content)).await?;
    Ok(IndexPack::new(pack.id, &pack.blobs))
}

/// Writes the new index, reads it back, and proves that it alone knows everything that is needed.
async fn replace_index(
    repo: &Arc<Repo>,
    ctx: &RunContext,
    survey: &Survey,
    keep: Vec<(Id, Vec<PackedBlob>)>,
    moved: Vec<IndexPack>,
) -> Result<()> {
    let packs = keep.iter().map(|(id, chunks)| IndexPack::new(*id, chunks)).chain(moved);
    let mut fresh = Vec::new();
    for id in write_index(repo, ctx, packs).await? {
        fresh.push((id, ctx.or_cancel(repo.load_there::<IndexFile>("index", &id)).await?));
    }
    let index = Index::default().with(fresh);
    if survey.used.iter().all(|(id, tree)| index.find(id, *tree).next().is_some()) {
        return Ok(());
    }
    Err(internal("Cannot free up space: the new index does not hold all that is needed; nothing was removed"))
}

/// Writes index files of these packs; returns their ids.
pub(crate) async fn write_index(
    repo: &Arc<Repo>,
    ctx: &RunContext,
    packs: impl Iterator<Item = IndexPack>,
) -> Result<Vec<Id>> {
    let mut written = Vec::new();
    let mut file = IndexFile::default();
    let mut chunks = 0;
    for pack in packs {
        chunks += pack.blobs.len();
        file.packs.push(pack);
        if chunks >= INDEX_CHUNKS {
            written.push(ctx.or_cancel(repo.save("index", &std::mem::take(&mut file))).await?);
            chunks = 0;
        }
    }
    if !file.packs.is_empty() {
        written.push(ctx.or_cancel(repo.save("index", &file)).await?);
    }
    Ok(written)
}

async fn remove(repo: &Arc<Repo>, ctx: &RunContext, lock: &Lock, keys: Vec<Key>) -> Result<()> {
    let removes = keys.into_iter().map(|key| async move {
        lock.check(repo.label())?;
        ctx.or_cancel(repo.destination.delete(&key)).await
    });
    futures::stream::iter(removes).buffer_unordered(REMOVES).try_collect::<Vec<()>>().await.map(|_| ())
}
