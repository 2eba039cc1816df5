//! Fetches chunks: neighbours in a pack come in one read, several reads at once, each chunk proved by its checksum.

use super::cache;
use super::copy::is_damage;
use super::id::Id;
use super::index::{Index, Location};
use super::repo::{Repo, internal, pack_key};
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

/// Unwanted bytes read rather than starting another read.
const GAP: u64 = 128 << 10;
/// The longest single read.
const READ: u64 = 4 << 20;

/// What fetching gave for each chunk.
pub(crate) type Fetched<T> = HashMap<Id, Result<T>>;

struct Part {
    pack: Id,
    pack_bytes: u64,
    start: u64,
    end: u64,
    blobs: Vec<(Id, Location)>,
}

impl Repo {
    /// Fetches these chunks and gives each to `decode`. A chunk that is missing or damaged everywhere it lies is an
    /// error of its own; the others come all the same.
    pub async fn fetch<T, F>(self: &Arc<Self>, index: &Index, ids: &[Id], tree: bool, decode: F) -> Fetched<T>
    where
        T: Send + 'static,
        F: Fn(&Id, Vec<u8>) -> Result<T> + Send + Sync + 'static,
    {
        let decode = Arc::new(decode);
        let mut fetched = HashMap::with_capacity(ids.len());
        let mut wanted = Vec::with_capacity(ids.len());
        let mut seen = HashSet::with_capacity(ids.len());
        for id in ids.iter().filter(|id| seen.insert(**id)) {
            match index.find(id, tree).next() {
                Some(location) => wanted.push((*id, location)),
                None => _ = fetched.insert(*id, Err(self.not_indexed(id))),
            }
        }
        self.fetch_parts(plan(wanted), tree, &decode, &mut fetched).await;
        // Where a chunk lies twice, the second copy mends the first.
        let failed = |fetched: &Fetched<T>| -> Vec<Id> {
            fetched.iter().filter(|(_, result)| result.is_err()).map(|(id, _)| *id).collect()
        };
        for id in failed(&fetched) {
            let others = index.find(&id, tree).skip(1).collect();
            self.fetch_at(id, others, tree, &decode, &mut fetched).await;
        }
        // Somebody may have freed room since the index was read: what was needed lies elsewhere then.
        let failed = failed(&fetched);
        if !failed.is_empty()
            && let Ok(now) = self.index().await
            && !now.is_of_the_files_of(index)
        {
            for id in failed {
                let known: HashSet<Id> = index.find(&id, tree).map(|place| place.pack).collect();
                let others = now.find(&id, tree).filter(|place| !known.contains(&place.pack)).collect();
                self.fetch_at(id, others, tree, &decode, &mut fetched).await;
            }
        }
        fetched
    }

    /// Fetches a chunk from the first of these places that has it whole.
    async fn fetch_at<T, F>(
        self: &Arc<Self>,
        id: Id,
        places: Vec<Location>,
        tree: bool,
        decode: &Arc<F>,
        fetched: &mut Fetched<T>,
    ) where
        T: Send + 'static,
        F: Fn(&Id, Vec<u8>) -> Result<T> + Send + Sync + 'static,
    {
        for place in places {
            let mut found = HashMap::new();
            self.fetch_parts(plan(vec![(id, place)]), tree, decode, &mut found).await;
            if let Some(Ok(value)) = found.remove(&id) {
                fetched.insert(id, Ok(value));
                return;
            }
        }
    }

    async fn fetch_parts<T, F>(
        self: &Arc<Self>,
        parts: Vec<Part>,
        tree: bool,
        decode: &Arc<F>,
        fetched: &mut Fetched<T>,
    ) where
        T: Send + 'static,
        F: Fn(&Id, Vec<u8>) -> Result<T> + Send + Sync + 'static,
    {
        let mut tasks = tokio::task::JoinSet::new();
        for part in parts {
            let (repo, decode) = (self.clone(), decode.clone());
            tasks.spawn(async move {
                let _permit = repo.fetches.clone().acquire_owned().await;
                let part = Arc::new(part);
                if tree && let Some(sealed) = repo.cached_part(&part).await {
                    let results = repo.clone().open_part(part.clone(), sealed, decode.clone()).await;
                    if results.iter().all(|(_, result)| result.is_ok()) {
                        return results;
                    }
                    // The cache is damaged; the vault may well be whole.
                    repo.forget_cached(&part.pack).await;
                }
                repo.fetch_part(part, decode).await
            });
        }
        while let Some(joined) = tasks.join_next().await {
            // A task that ended by a fault of ours leaves its chunks out; whoever asked for them sees it.
            if let Ok(results) = joined {
                fetched.extend(results);
            }
        }
    }

    /// Returns a part of a pack of lists from the cache; such a pack is fetched whole, once.
    async fn cached_part(&self, part: &Part) -> Option<Bytes> {
        let cache = self.cache.as_ref().filter(|_| part.pack_bytes <= cache::PACK_LIMIT)?;
        let range = part.start..part.end;
        if let Some(found) = cache.range(&part.pack, range.clone()).await {
            return Some(found);
        }
        let _turn = cache.turn(&part.pack).await;
        if let Some(found) = cache.range(&part.pack, range.clone()).await {
            return Some(found);
        }
        let whole = self.destination.get(&pack_key(&part.pack).ok()?, None).await.ok()?;
        if Id::of(&whole) != part.pack {
            return None;
        }
        cache.put(cache::PACKS, &part.pack, whole.clone()).await;
        (whole.len() as u64 >= part.end).then(|| whole.slice(part.start as usize..part.end as usize))
    }

    async fn forget_cached(&self, pack: &Id) {
        if let Some(cache) = &self.cache {
            cache.remove(cache::PACKS, pack).await;
        }
    }

    async fn fetch_part<T, F>(self: Arc<Self>, part: Arc<Part>, decode: Arc<F>) -> Vec<(Id, Result<T>)>
    where
        T: Send + 'static,
        F: Fn(&Id, Vec<u8>) -> Result<T> + Send + Sync + 'static,
    {
        let read = async { self.destination.get(&pack_key(&part.pack)?, Some(part.start..part.end)).await };
        let sealed = match read.await {
            Ok(sealed) => sealed,
            Err(error) => {
                return part.blobs.iter().map(|(id, _)| (*id, Err(self.unreadable(&part.pack, &error)))).collect();
            }
        };
        self.open_part(part, sealed, decode).await
    }

    async fn open_part<T, F>(self: Arc<Self>, part: Arc<Part>, sealed: Bytes, decode: Arc<F>) -> Vec<(Id, Result<T>)>
    where
        T: Send + 'static,
        F: Fn(&Id, Vec<u8>) -> Result<T> + Send + Sync + 'static,
    {
        let ids: Vec<Id> = part.blobs.iter().map(|(id, _)| *id).collect();
        let repo = self.clone();
        let work = move || {
            let mut unpacker = Unpacker::default();
            let mut open = |id: &Id, location: &Location| {
                let start = (u64::from(location.offset) - part.start) as usize;
                let sealed = sealed.get(start..start + location.length as usize);
                let plain = sealed.and_then(|sealed| repo.open_blob(&mut unpacker, id, sealed, location.raw));
                decode(id, plain.ok_or_else(|| repo.damaged(&part.pack, id))?)
            };
            part.blobs.iter().map(|(id, location)| (*id, open(id, location))).collect()
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(results) => results,
            Err(_) => ids.into_iter().map(|id| (id, Err(internal("Cannot unpack a chunk")))).collect(),
        }
    }

    /// Opens, unpacks and proves one chunk; `None` if it is not what was written.
    pub fn open_blob(&self, unpacker: &mut Unpacker, id: &Id, sealed: &[u8], raw: u32) -> Option<Vec<u8>> {
        let payload = self.cipher.open(sealed)?;
        let plain = if raw > 0 { unpacker.unpack(&payload, raw as usize)? } else { payload };
        (Id::of(&plain) == *id).then_some(plain)
    }

    fn note_damage(&self, pack: &Id) {
        self.met_damaged.lock().unwrap_or_else(PoisonError::into_inner).insert(*pack);
    }

    /// Returns the keys of the packs in which something was found missing or damaged.
    pub fn damage_met(&self) -> Vec<String> {
        let met = self.met_damaged.lock().unwrap_or_else(PoisonError::into_inner);
        met.iter().filter_map(|id| Some(pack_key(id).ok()?.to_string())).collect()
    }

    fn not_indexed(&self, id: &Id) -> Error {
        let text = format!("The vault at {} has lost a chunk: {} is in no pack", self.label(), id.short());
        Error::new(ErrorClass::Corrupt, text).hint(REPAIR)
    }

    fn unreadable(&self, pack: &Id, error: &Error) -> Error {
        let name = format!("Pack {} of the vault at {}", pack.short(), self.label());
        if is_damage(error) {
            self.note_damage(pack);
        }
        match error.class {
            ErrorClass::Missing => Error::new(ErrorClass::Corrupt, format!("{name} is missing")).hint(REPAIR),
            ErrorClass::Corrupt => Error::new(ErrorClass::Corrupt, format!("{name} is cut short")).hint(REPAIR),
            class => {
                let copy = Error::new(class, error.message.clone()).detail(error.detail.clone().unwrap_or_default());
                if let Some(hint) = &error.hint { copy.hint(hint) } else { copy }
            }
        }
    }

    fn damaged(&self, pack: &Id, id: &Id) -> Error {
        self.note_damage(pack);
        let text = format!(
            "Pack {} of the vault at {} is damaged: chunk {} does not match its checksum",
            pack.short(),
            self.label(),
            id.short()
        );
        Error::new(ErrorClass::Corrupt, text).hint(REPAIR_DAMAGED)
    }
}

const REPAIR: &str =
    "Verify the destination with all data to see what is lost; a new backup writes the lost data again";
/// A damaged pack still holds what is whole in it, so a backup takes nothing of it for lost before a check named it.
const REPAIR_DAMAGED: &str = "Sync it from another copy of the vault. Without one, verify it: the next backup then writes \
                              anew what the server still has of it";

/// Unpacks one chunk after another with one set of tables.
#[derive(Default)]
pub(crate) struct Unpacker(Option<zstd::bulk::Decompressor<'static>>);

impl Unpacker {
    /// Unpacks a chunk of exactly `raw` bytes.
    fn unpack(&mut self, payload: &[u8], raw: usize) -> Option<Vec<u8>> {
        if self.0.is_none() {
            self.0 = zstd::bulk::Decompressor::new().ok();
        }
        let plain = self.0.as_mut()?.decompress(payload, raw).ok()?;
        (plain.len() == raw).then_some(plain)
    }
}

/// Groups chunks into reads.
fn plan(mut wanted: Vec<(Id, Location)>) -> Vec<Part> {
    wanted.sort_unstable_by_key(|(_, location)| (location.pack, location.offset));
    let mut parts: Vec<Part> = Vec::new();
    for (id, location) in wanted {
        let start = u64::from(location.offset);
        let end = start + u64::from(location.length);
        match parts.last_mut() {
            Some(part) if part.pack == location.pack && start <= part.end + GAP && end - part.start <= READ => {
                part.end = part.end.max(end);
                part.blobs.push((id, location));
            }
            _ => {
                let (pack, pack_bytes) = (location.pack, location.pack_bytes);
                parts.push(Part { pack, pack_bytes, start, end, blobs: vec![(id, location)] });
            }
        }
    }
    parts
}
