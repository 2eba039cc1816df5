//! Copies of a vault: what another destination lacks goes there, data before index before snapshots.
//!
//! Every object is named by its checksum, so a copy that was cut off goes on by looking at what is there.

use super::id::Id;
use super::index::{Index, IndexFile, IndexPack, Location};
use super::lock::{Lock, freed, refuse_freed, refuse_others};
use super::object::read_object;
use super::prune::write_index;
use super::repo::{Repo, object_key, pack_key};
use super::used::{Chunks, add_used};
use backstay_core::destination::{Destination, Key, WriteMode};
use backstay_core::layout::Synced;
use backstay_core::run::{Phase, Problem, ProblemKind};
use backstay_core::{BackupId, Error, ErrorClass, Result, RunContext};
use futures::stream::{StreamExt, TryStreamExt};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Packs on their way at the same time, at most.
const PACKS: usize = 4;

/// Copies what `other` lacks of these backups (empty: of all).
pub(crate) async fn sync(
    repo: &Arc<Repo>,
    ctx: &RunContext,
    other: Arc<dyn Destination>,
    backups: &[BackupId],
) -> Result<Synced> {
    ctx.progress.phase(Phase::Copying);
    ctx.or_cancel(found_copy(repo, other.as_ref())).await?;
    let twin = Arc::new(repo.over(other));
    let own = lock_source(repo, ctx).await?;
    let locked = ctx.or_cancel(Lock::shared(twin.clone(), ctx.clock.clone())).await;
    let result = match locked {
        Ok(lock) => {
            let sync = Sync { from: repo, to: &twin, ctx, copied: AtomicU64::new(0), bytes: AtomicU64::new(0) };
            let result = sync.run(backups).await;
            lock.release().await;
            result
        }
        Err(error) => Err(error),
    };
    if let Some(lock) = own {
        lock.release().await;
    }
    result
}

/// Tells whether every pack the index here tells of lies at `other` and is known there.
pub(crate) async fn is_level(repo: &Arc<Repo>, ctx: &RunContext, other: Arc<dyn Destination>) -> Result<bool> {
    match ctx.or_cancel(read_object(other.as_ref(), &Key::new("config")?)).await {
        Ok(config) => same_vault(repo, other.label(), &config)?,
        Err(error) if error.class == ErrorClass::Missing => return Ok(false),
        Err(error) => return Err(error),
    }
    let twin = Arc::new(repo.over(other));
    ctx.or_cancel(refuse_others(&twin, ctx.clock.now(), false, None)).await?;
    let index = ctx.or_cancel(repo.index()).await?;
    let known = match ctx.or_cancel(twin.index()).await {
        Ok(known) => known,
        Err(error) if error.class == ErrorClass::Corrupt => return Ok(false),
        Err(error) => return Err(error),
    };
    let there = ctx.or_cancel(twin.packs_there()).await?;
    let known: HashSet<Id> = known.packs().iter().map(|pack| pack.id).collect();
    Ok(index.packs().iter().all(|pack| known.contains(&pack.id) && there.get(&pack.id) == Some(&pack.size)))
}

#[derive(Deserialize)]
struct Config {
    id: String,
}

fn same_vault(repo: &Repo, label: &str, config: &[u8]) -> Result<()> {
    let plain = repo.cipher.open(config);
    let config = plain.and_then(|json| serde_json::from_slice::<Config>(&json).ok());
    if config.is_some_and(|config| config.id == repo.id) {
        return Ok(());
    }
    Err(Error::new(
        ErrorClass::Invalid,
        format!("Cannot copy the vault at {} to {label}: another vault lies there", repo.label()),
    )
    .hint("Choose another folder for the copy"))
}

/// Makes `other` a copy of this vault, if nothing is there yet: keys first, the config last.
pub(crate) async fn found_copy(repo: &Repo, other: &dyn Destination) -> Result<()> {
    let config_key = Key::new("config")?;
    match read_object(other, &config_key).await {
        Ok(config) => return same_vault(repo, other.label(), &config),
        Err(error) if error.class == ErrorClass::Missing => {}
        Err(error) => return Err(error),
    }
    let ours = ["keys/", "data/", "index/", "snapshots/", "locks/", "archives/", "backstay/"];
    let objects = other.list("").await?;
    if let Some(foreign) = objects.iter().find(|object| !ours.iter().any(|name| object.key.as_str().starts_with(name)))
    {
        return Err(Error::new(
            ErrorClass::Invalid,
            format!("Cannot make a copy of the vault at {}: other things lie there", other.label()),
        )
        .hint("Choose an empty folder")
        .detail(format!("found {}", foreign.key)));
    }
    for object in repo.destination.list("keys/").await? {
        let content = match read_object(repo.destination.as_ref(), &object.key).await {
            // A file that can be no key opens nothing there either.
            Err(error) if error.class == ErrorClass::Corrupt => continue,
            content => content?,
        };
        other.put(&object.key, content, WriteMode::Replace).await?;
    }
    let config = read_object(repo.destination.as_ref(), &config_key).await?;
    match other.put(&config_key, config.clone(), WriteMode::CreateNew).await {
        Err(error) if error.class == ErrorClass::Exists => {
            same_vault(repo, other.label(), &read_object(other, &config_key).await?)
        }
        other => other,
    }
}

struct Sync<'a> {
    from: &'a Arc<Repo>,
    to: &'a Arc<Repo>,
    ctx: &'a RunContext,
    copied: AtomicU64,
    bytes: AtomicU64,
}

/// What is there before anything is copied.
struct State {
    index: Arc<Index>,
    known: Arc<Index>,
    /// Packs at the copy by its own listing, with sizes.
    there: HashMap<Id, u64>,
}

impl Sync<'_> {
    async fn run(&self, backups: &[BackupId]) -> Result<Synced> {
        let ctx = self.ctx;
        let snapshots = self.wanted(backups).await?;
        let mut state = State {
            index: ctx.or_cancel(self.from.index()).await?,
            known: self.known().await?,
            there: ctx.or_cancel(self.to.packs_there()).await?,
        };
        let (snapshots, used) = self.used(&state.index, snapshots).await?;
        let lost = self.packs(&mut state, &used).await?;
        let mut seen: HashSet<Id> = state.known.files().copied().collect();
        seen.extend(self.indexes(&state).await?);
        refuse_freed(self.to, ctx, "copy", &seen).await?;
        let backups = self.snapshots(&state, &snapshots, &lost).await?;
        let (objects, bytes) = (self.copied.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        Ok(Synced { objects, bytes, backups })
    }

    fn count(&self, bytes: u64) {
        self.copied.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn damaged(&self, subject: String, error: &Error) {
        self.ctx.progress.problem(Problem {
            kind: ProblemKind::Damaged,
            item: String::new(),
            subject,
            reason: format!("It could not be copied from {}: {}", self.from.label(), error.message),
        });
    }

    async fn wanted(&self, backups: &[BackupId]) -> Result<Vec<Id>> {
        let mut ids = self.ctx.or_cancel(self.from.ids("snapshots")).await?;
        if !backups.is_empty() {
            let wanted: HashSet<Id> = backups.iter().filter_map(|id| Id::parse(id.as_str())).collect();
            ids.retain(|id| wanted.contains(id));
        }
        Ok(ids)
    }

    /// Reads the copy's index; files damaged there are brought back from here.
    async fn known(&self) -> Result<Arc<Index>> {
        match self.ctx.or_cancel(self.to.index()).await {
            Err(error) if error.class == ErrorClass::Corrupt => {}
            other => return other,
        }
        for id in self.ctx.or_cancel(self.to.ids("index")).await? {
            match self.ctx.or_cancel(self.to.load_there::<IndexFile>("index", &id)).await {
                Err(error) if error.class == ErrorClass::Corrupt => {
                    self.object("index", &id, WriteMode::Replace).await?
                }
                other => other.map(|_| ())?,
            }
        }
        self.ctx.or_cancel(self.to.index()).await
    }

    /// Returns the backups that can be copied, and what they are made of. One that is damaged here is left out, named.
    async fn used(&self, index: &Index, snapshots: Vec<Id>) -> Result<(Vec<Id>, Chunks)> {
        let mut roots = Vec::new();
        let mut good = Vec::new();
        for id in snapshots {
            match self.ctx.or_cancel(self.from.snapshot(&id)).await {
                Ok(snapshot) => {
                    roots.push(snapshot.tree);
                    good.push(id);
                }
                Err(error) if is_damage(&error) => self.damaged(format!("backup {}", id.short()), &error),
                Err(error) => return Err(error),
            }
        }
        let mut used = Chunks::new();
        match add_used(self.from, index, self.ctx, roots.iter().copied(), &mut used).await {
            Ok(()) => return Ok((good, used)),
            Err(error) if is_damage(&error) => {}
            Err(error) => return Err(error),
        }
        let mut used = Chunks::new();
        let mut whole = Vec::new();
        for (id, root) in good.into_iter().zip(roots) {
            let mut own = Chunks::new();
            match add_used(self.from, index, self.ctx, [root], &mut own).await {
                Ok(()) => {
                    used.extend(own);
                    whole.push(id);
                }
                Err(error) if is_damage(&error) => self.damaged(format!("backup {}", id.short()), &error),
                Err(error) => return Err(error),
            }
        }
        Ok((whole, used))
    }

    /// Copies the packs that are needed; returns the chunks that are lost here as well.
    async fn packs(&self, state: &mut State, used: &Chunks) -> Result<Chunks> {
        let is_there = |place: &Location| state.there.get(&place.pack) == Some(&place.pack_bytes);
        let mut lost = Chunks::new();
        let mut needed: BTreeMap<Id, (u64, Vec<(Id, bool)>)> = BTreeMap::new();
        for (id, tree) in used {
            if state.known.find(id, *tree).any(|place| is_there(&place)) {
                continue;
            }
            // Rather in a pack that is there already, and only not known there yet.
            let place = state.index.find(id, *tree).find(is_there).or_else(|| state.index.find(id, *tree).next());
            match place {
                Some(place) => {
                    let pack = needed.entry(place.pack).or_insert_with(|| (place.pack_bytes, Vec::new()));
                    pack.1.push((*id, *tree));
                }
                None => _ = lost.insert((*id, *tree)),
            }
        }
        self.ctx.progress.total(None, Some(needed.values().map(|(bytes, _)| bytes).sum()));
        let at_once = |repo: &Repo| usize::from(repo.destination.capabilities().parallel_objects);
        let at_once = at_once(self.from).min(at_once(self.to)).clamp(1, PACKS);
        let failed = Mutex::new(Vec::new());
        let list: Vec<(Id, u64)> = needed.iter().map(|(id, (bytes, _))| (*id, *bytes)).collect();
        let copies = list.into_iter().map(|(id, bytes)| {
            let (failed, lies) = (&failed, state.there.get(&id) == Some(&bytes));
            async move {
                match self.pack(&id, bytes, lies).await? {
                    Some(error) => failed.lock().unwrap_or_else(PoisonError::into_inner).push((id, error)),
                    None => self.ctx.progress.advance(0, bytes),
                }
                Ok::<_, Error>(())
            }
        });
        futures::stream::iter(copies).buffer_unordered(at_once).try_collect::<Vec<()>>().await?;
        for (id, error) in failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if let Some((_, chunks)) = needed.remove(&id) {
                lost.extend(chunks);
            }
            self.damaged(format!("pack {}", id.short()), &error);
        }
        state.there.extend(needed.iter().map(|(id, (bytes, _))| (*id, *bytes)));
        Ok(lost)
    }

    /// Copies a pack, unless it lies there and proves whole: no index there tells of it, and it may be what was left of a
    /// copying that failed. `Some` when it is missing or damaged here.
    async fn pack(&self, id: &Id, bytes: u64, lies: bool) -> Result<Option<Error>> {
        let key = pack_key(id)?;
        if lies {
            match self.ctx.or_cancel(self.to.prove_there(&key, id, bytes)).await {
                Err(error) if is_damage(&error) => {}
                proved => return proved.map(|()| None),
            }
        }
        let content = match self.ctx.or_cancel(self.from.destination.get(&key, None)).await {
            Ok(content) if Id::of(&content) == *id => content,
            Ok(_) => return Ok(Some(Error::new(ErrorClass::Corrupt, "it does not match its checksum"))),
            Err(error) if is_damage(&error) => return Ok(Some(error)),
            Err(error) => return Err(error),
        };
        if lies {
            self.ctx.or_cancel(self.to.destination.delete(&key)).await?;
        }
        self.ctx.or_cancel(self.to.put_pack(id, content)).await?;
        self.count(bytes);
        Ok(None)
    }

    /// Makes the packs that are there known there; returns the index files written.
    async fn indexes(&self, state: &State) -> Result<Vec<Id>> {
        let mut known: HashSet<Id> = state.known.packs().iter().map(|pack| pack.id).collect();
        let mut rest: Vec<IndexPack> = Vec::new();
        let mut written = Vec::new();
        for id in state.index.files().filter(|id| !state.known.has_file(id)) {
            let file = self.ctx.or_cancel(self.from.load::<IndexFile>("index", id)).await?;
            let is_there = |pack: &IndexPack| state.there.get(&pack.id) == Some(&pack.bytes());
            if !file.packs.iter().any(|pack| is_there(pack) && !known.contains(&pack.id)) {
                continue;
            }
            if file.packs.iter().all(is_there) {
                known.extend(file.packs.iter().map(|pack| pack.id));
                written.push(*id);
            } else {
                // Packs of it that nobody needs stay behind, and an index must not tell of what is not there.
                rest.extend(file.packs.into_iter().filter(|pack| is_there(pack) && known.insert(pack.id)));
            }
        }
        if written.is_empty() && rest.is_empty() {
            return Ok(written);
        }
        // While this computer slept, somebody may have taken our lock for dead and removed what no index told of yet.
        let there = self.ctx.or_cancel(self.to.packs_there()).await?;
        if !state.there.keys().all(|id| there.contains_key(id)) {
            return Err(freed(self.to, "copy"));
        }
        refuse_freed(self.to, self.ctx, "copy", &state.known.files().copied().collect()).await?;
        for id in &written {
            self.object("index", id, WriteMode::CreateNew).await?;
        }
        written.extend(write_index(self.to, self.ctx, rest.into_iter()).await?);
        for id in &written {
            self.ctx.or_cancel(self.to.load_there::<IndexFile>("index", id)).await?;
        }
        Ok(written)
    }

    async fn snapshots(&self, state: &State, snapshots: &[Id], lost: &Chunks) -> Result<u64> {
        let sizes = async |repo: &Repo| -> Result<HashMap<Id, u64>> {
            let objects = repo.destination.list("snapshots/").await?;
            let named = objects.iter().filter_map(|o| Some((Id::of_key(o.key.as_str())?, o.size_bytes)));
            Ok(named.collect())
        };
        let here = self.ctx.or_cancel(sizes(self.from)).await?;
        let there = self.ctx.or_cancel(sizes(self.to)).await?;
        let mut added = 0;
        for id in snapshots.iter().filter(|id| here.get(id) != there.get(id)) {
            if !lost.is_empty() && self.needs(state, id, lost).await? {
                let error = Error::new(ErrorClass::Corrupt, "some of its data is lost");
                self.damaged(format!("backup {}", id.short()), &error);
                continue;
            }
            let mode = if there.contains_key(id) { WriteMode::Replace } else { WriteMode::CreateNew };
            self.object("snapshots", id, mode).await?;
            self.ctx.or_cancel(self.to.load_there::<super::snapshot::Snapshot>("snapshots", id)).await?;
            added += u64::from(mode == WriteMode::CreateNew);
        }
        Ok(added)
    }

    async fn needs(&self, state: &State, snapshot: &Id, lost: &Chunks) -> Result<bool> {
        let root = self.ctx.or_cancel(self.from.snapshot(snapshot)).await?.tree;
        let mut used = Chunks::new();
        add_used(self.from, &state.index, self.ctx, [root], &mut used).await?;
        Ok(!used.is_disjoint(lost))
    }

    /// Copies a small object as it lies here.
    async fn object(&self, folder: &str, id: &Id, mode: WriteMode) -> Result<()> {
        let key = object_key(folder, id)?;
        let content = self.ctx.or_cancel(read_object(self.from.destination.as_ref(), &key)).await?;
        if Id::of(&content) != *id {
            return Err(Error::new(
                ErrorClass::Corrupt,
                format!("Cannot copy {key} of the vault at {}: it does not match its checksum", self.from.label()),
            )
            .hint("Sync from another copy"));
        }
        let bytes = content.len() as u64;
        match mode {
            WriteMode::CreateNew => self.ctx.or_cancel(self.to.put(&key, content)).await?,
            WriteMode::Replace => self.ctx.or_cancel(self.to.destination.put(&key, content, mode)).await?,
        }
        self.count(bytes);
        Ok(())
    }
}

pub(crate) fn is_damage(error: &Error) -> bool {
    matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing)
}

/// Keeps others from taking away what is read. Who may only read the source cannot lock it; then nobody there can be
/// asked to wait.
pub(super) async fn lock_source(repo: &Arc<Repo>, ctx: &RunContext) -> Result<Option<Lock>> {
    match ctx.or_cancel(Lock::shared(repo.clone(), ctx.clock.clone())).await {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if matches!(error.class, ErrorClass::Refused | ErrorClass::Full) => Ok(None),
        Err(error) => Err(error),
    }
}
