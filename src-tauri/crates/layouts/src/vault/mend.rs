//! Mends a copy of a vault: what is damaged there is written anew from here.
//!
//! Packs, indexes and snapshots are named by their own SHA-256, so each proves itself: what lies here before it replaces
//! anything, and what lies there before it is touched and after.

use super::copy::{found_copy, is_damage, lock_source};
use super::id::Id;
use super::index::Index;
use super::lock::Lock;
use super::repo::{Repo, object_key, pack_key};
use super::used::{Chunks, add_used};
use backstay_core::destination::{Destination, Key, WriteMode};
use backstay_core::layout::{Mended, Suspects};
use backstay_core::{BackupId, Error, ErrorClass, Result, RunContext};
use futures::stream::{StreamExt, TryStreamExt};
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Objects looked at at the same time, at most.
const AT_ONCE: usize = 3;
/// The folder of packs.
const DATA: &str = "data/";

/// Mends what is suspected at `other`.
pub(crate) async fn mend(
    repo: &Arc<Repo>,
    ctx: &RunContext,
    other: Arc<dyn Destination>,
    suspects: &Suspects,
) -> Result<Mended> {
    ctx.or_cancel(found_copy(repo, other.as_ref())).await?;
    let twin = Arc::new(repo.over(other));
    // Nobody may take away there what is being written, nor here what is being read.
    let own = lock_source(repo, ctx).await?;
    let result = match ctx.or_cancel(Lock::shared(twin.clone(), ctx.clock.clone())).await {
        Ok(lock) => {
            let mend = Mend { from: repo, to: &twin, ctx, done: Mutex::default() };
            let result = mend.run(suspects).await;
            lock.release().await;
            result.map(|()| mend.done.into_inner().unwrap_or_else(PoisonError::into_inner))
        }
        Err(error) => Err(error),
    };
    if let Some(lock) = own {
        lock.release().await;
    }
    result
}

struct Mend<'a> {
    from: &'a Arc<Repo>,
    to: &'a Arc<Repo>,
    ctx: &'a RunContext,
    done: Mutex<Mended>,
}

/// How an object lies at the copy.
#[derive(PartialEq, Eq)]
enum Lies {
    Whole,
    Damaged,
    Missing,
}

impl Mend<'_> {
    async fn run(&self, suspects: &Suspects) -> Result<()> {
        let keys = suspects.objects.iter().filter_map(|text| Key::new(text.clone()).ok());
        let (packs, small): (BTreeSet<Key>, BTreeSet<Key>) = keys.partition(|key| key.as_str().starts_with(DATA));
        self.all(small, |lies| lies == Lies::Damaged).await?;
        let known = self.known().await?;
        // Packs no index tells of were left behind by a prune: nobody reads them.
        let named: HashSet<Id> = known.packs().iter().map(|pack| pack.id).collect();
        let mut packs: BTreeSet<Key> =
            packs.into_iter().filter(|key| id_of(key).is_some_and(|id| named.contains(&id))).collect();
        for backup in &suspects.backups {
            match self.packs_of(backup, &known).await {
                Ok((snapshot, more)) => {
                    // One that is gone may have been deleted: bringing it back is the copying's to decide.
                    self.all(BTreeSet::from([snapshot]), |lies| lies == Lies::Damaged).await?;
                    packs.extend(more);
                }
                Err(error) if is_damage(&error) => _ = self.done().left.backups.insert(backup.clone()),
                Err(error) => return Err(error),
            }
        }
        self.all(packs, |lies| lies != Lies::Whole).await
    }

    fn done(&self) -> std::sync::MutexGuard<'_, Mended> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the copy's index; if a file of it is damaged, all are looked at first.
    async fn known(&self) -> Result<Arc<Index>> {
        match self.ctx.or_cancel(self.to.index()).await {
            Err(error) if error.class == ErrorClass::Corrupt => {}
            other => return other,
        }
        let ids = self.ctx.or_cancel(self.to.ids("index")).await?;
        let keys = ids.iter().map(|id| object_key("index", id)).collect::<Result<BTreeSet<Key>>>()?;
        self.all(keys, |lies| lies == Lies::Damaged).await?;
        self.ctx.or_cancel(self.to.index()).await
    }

    /// Returns a backup's snapshot and the packs it lies in at the copy, by what is told of it here.
    async fn packs_of(&self, backup: &BackupId, known: &Index) -> Result<(Key, BTreeSet<Key>)> {
        let lost = || Error::new(ErrorClass::Missing, format!("The backup {backup} is not at {}", self.from.label()));
        let id = Id::parse(backup.as_str()).ok_or_else(lost)?;
        let root = self.ctx.or_cancel(self.from.snapshot(&id)).await?.tree;
        let index = self.ctx.or_cancel(self.from.index()).await?;
        let mut used = Chunks::new();
        add_used(self.from, &index, self.ctx, [root], &mut used).await?;
        let packs: HashSet<Id> =
            used.iter().flat_map(|(id, tree)| known.find(id, *tree).map(|place| place.pack)).collect();
        let keys = packs.iter().map(pack_key).collect::<Result<BTreeSet<Key>>>()?;
        Ok((object_key("snapshots", &id)?, keys))
    }

    async fn all(&self, keys: BTreeSet<Key>, worth: impl Fn(Lies) -> bool + Send + Sync) -> Result<()> {
        self.ctx.progress.total(Some(keys.len() as u64), None);
        let at_once = |repo: &Repo| usize::from(repo.destination.capabilities().parallel_objects);
        let at_once = at_once(self.from).min(at_once(self.to)).clamp(1, AT_ONCE);
        let worth = &worth;
        let work = keys.into_iter().map(|key| async move {
            self.ctx.check()?;
            if let Some(id) = id_of(&key)
                && worth(self.look(&key, &id).await?)
            {
                self.replace(&key, &id).await?;
            }
            self.ctx.progress.advance(1, 0);
            Ok::<_, Error>(())
        });
        futures::stream::iter(work).buffer_unordered(at_once).try_collect::<Vec<()>>().await.map(drop)
    }

    /// Reads an object at the copy, as it lies there now.
    async fn look(&self, key: &Key, id: &Id) -> Result<Lies> {
        match self.ctx.or_cancel(self.to.destination.get(key, None)).await {
            Ok(content) if Id::of(&content) == *id => Ok(Lies::Whole),
            Ok(_) => Ok(Lies::Damaged),
            Err(error) if error.class == ErrorClass::Corrupt => Ok(Lies::Damaged),
            Err(error) if error.class == ErrorClass::Missing => Ok(Lies::Missing),
            Err(error) => Err(error),
        }
    }

    async fn replace(&self, key: &Key, id: &Id) -> Result<()> {
        let content = match self.ctx.or_cancel(self.from.destination.get(key, None)).await {
            Ok(content) if Id::of(&content) == *id => content,
            Err(error) if !is_damage(&error) => return Err(error),
            // What is no better takes nobody's place: a damaged pack still holds chunks that are whole.
            _ => {
                self.done().left.objects.insert(key.to_string());
                return Ok(());
            }
        };
        let bytes = content.len() as u64;
        self.ctx.or_cancel(self.to.destination.put(key, content, WriteMode::Replace)).await?;
        if self.look(key, id).await? != Lies::Whole {
            let text = format!("What was written to {} is not what lies there", self.to.label());
            return Err(Error::new(ErrorClass::Corrupt, text)
                .hint("Its disk or its server is not to be trusted any more: use another place")
                .detail(format!("object {key}")));
        }
        let mut done = self.done();
        (done.objects, done.bytes) = (done.objects + 1, done.bytes + bytes);
        Ok(())
    }
}

/// The SHA-256 an object is named by.
fn id_of(key: &Key) -> Option<Id> {
    Id::of_key(key.as_str())
}
