//! Several destinations as one: one read goes to all of them.

mod lane;
mod leg;
mod upload;

pub use leg::{Leg, LegEvent, LegOutcome, OnLeg};

use async_trait::async_trait;
use backstay_core::destination::{
    Availability, Destination, DestinationCapabilities, Key, ObjectInfo, PartUpload, Swept, WriteMode,
};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::{Error, ErrorClass, Result, RunContext, Secret};
use backstay_transfer as transfer;
use bytes::Bytes;
use leg::{Legs, Track};
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Several destinations as one. Writes go to all legs that live, at the same time; a leg that fails is marked, skipped
/// from then on, and made good by a sync later. Only when no leg is left does a write fail. Reads come from the first leg
/// that lives and has everything.
///
/// What makes a backup (see [`Mirror::is_commit`]) is not written to a leg that lacked objects before: it comes there
/// with the sync, when all it points to is there.
pub struct Mirror {
    label: String,
    legs: Arc<Legs>,
}

impl Mirror {
    /// Joins legs under one name. The first one that is ready is what is read from.
    pub fn new(label: &str, legs: Vec<Leg>) -> Self {
        Self { label: label.to_owned(), legs: Arc::new(Legs::new(legs, None)) }
    }
    /// Like [`Mirror::new`]; `on_leg` is told by name what becomes of each leg.
    pub fn watched(label: &str, legs: Vec<Leg>, on_leg: OnLeg) -> Self {
        Self { label: label.to_owned(), legs: Arc::new(Legs::new(legs, Some(on_leg))) }
    }
    /// Returns how each leg did so far, in the order they were given.
    pub fn outcomes(&self) -> Vec<LegOutcome> {
        self.legs.outcomes()
    }
    /// Tells whether an object makes a backup, so that it must come after all others: a vault's snapshot, an archive's
    /// manifest.
    pub fn is_commit(key: &Key) -> bool {
        key.as_str().starts_with("snapshots/") || key.as_str().ends_with(".manifest")
    }

    /// The legs an object is written to.
    fn takers(&self, key: &Key) -> Result<Vec<Arc<Track>>> {
        let commit = Self::is_commit(key);
        let takers: Vec<_> = self.legs.live().into_iter().filter(|leg| leg.ready || !commit).collect();
        if takers.is_empty() { Err(self.legs.none_left(&self.label)) } else { Ok(takers) }
    }

    /// Makes a call on all of these legs at the same time and marks those that fail. Returns what the others answered.
    async fn on_all<T, Work>(
        &self,
        legs: Vec<Arc<Track>>,
        call: impl Fn(Arc<dyn Destination>) -> Work,
    ) -> Result<Vec<(Arc<Track>, T)>>
    where
        T: Send + 'static,
        Work: Future<Output = Result<T>> + Send + 'static,
    {
        let mut calls = JoinSet::new();
        for (place, leg) in legs.into_iter().enumerate() {
            let work = call(Arc::clone(&leg.destination));
            calls.spawn(async move { (place, leg, work.await) });
        }
        let mut answers = Vec::new();
        while let Some(joined) = calls.join_next().await {
            let ended = |error| Error::new(ErrorClass::Internal, "A leg ended unexpectedly").source(error);
            let (place, leg, result) = joined.map_err(ended)?;
            match result {
                Ok(answer) => answers.push((place, leg, answer)),
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => self.legs.fail(&leg, &error),
            }
        }
        if answers.is_empty() {
            return Err(self.legs.none_left(&self.label));
        }
        answers.sort_by_key(|(place, ..)| *place);
        Ok(answers.into_iter().map(|(_, leg, answer)| (leg, answer)).collect())
    }

    /// The leg that is read from.
    fn source(&self) -> Option<Arc<Track>> {
        self.legs.live().into_iter().find(|leg| leg.ready)
    }

    /// Reads from the first leg that lives and has everything; when it turns out to be gone, from the next.
    async fn read<T, Work>(&self, call: impl Fn(Arc<dyn Destination>) -> Work) -> Result<T>
    where
        Work: Future<Output = Result<T>>,
    {
        loop {
            let Some(leg) = self.source() else {
                return Err(self.legs.none_left(&self.label));
            };
            match call(Arc::clone(&leg.destination)).await {
                Err(error) if error.class.may_retry() && self.legs.others_ready(&leg) => self.legs.fail(&leg, &error),
                result => return result,
            }
        }
    }
}

#[async_trait]
impl Destination for Mirror {
    fn label(&self) -> &str {
        &self.label
    }

    fn capabilities(&self) -> DestinationCapabilities {
        let all: Vec<_> = self.legs.live().iter().map(|leg| leg.destination.capabilities()).collect();
        DestinationCapabilities {
            // Two writers could each win at another leg.
            atomic_create: all.len() == 1 && all.iter().all(|one| one.atomic_create),
            atomic_replace: all.iter().all(|one| one.atomic_replace),
            parallel_ranges: all.iter().map(|one| one.parallel_ranges).min().unwrap_or(1),
            space: all.iter().all(|one| one.space),
            // Each leg cuts what comes in order into parts of its own, and sends them as it can.
            parallel_parts: 1,
            parallel_objects: all.iter().map(|one| one.parallel_objects).max().unwrap_or(1),
            // A proof is of what lies at the leg that is read from. When another one takes over, it is that one's word.
            checks_hash: self.source().is_some_and(|leg| leg.destination.capabilities().checks_hash),
            links: false,
        }
    }

    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        let call = |destination: Arc<dyn Destination>| {
            let (key, content) = (key.clone(), content.clone());
            async move {
                match destination.put(&key, content, mode).await {
                    Ok(()) => Ok(None),
                    Err(taken) if taken.class == ErrorClass::Exists => Ok(Some(taken)),
                    Err(error) => Err(error),
                }
            }
        };
        let mut answers = self.on_all(self.takers(key)?, call).await?;
        if answers.iter().all(|(_, taken)| taken.is_some()) {
            return Err(answers.swap_remove(0).1.unwrap_or_else(Error::cancelled));
        }
        // Taken at some legs only: fine where the same lies there, as after a sync.
        for (leg, taken) in answers {
            let Some(taken) = taken else {
                self.legs.stored(&leg, content.len() as u64);
                continue;
            };
            match leg.destination.get(key, None).await {
                Ok(there) if there == content => {}
                Ok(_) => self.legs.fail(&leg, &taken),
                Err(error) => self.legs.fail(&leg, &error),
            }
        }
        Ok(())
    }

    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        let uploaded = transfer::upload_stream(self, key, content, None, mode, &RunContext::silent()).await?;
        Ok(uploaded.size)
    }

    async fn begin_upload(&self, key: &Key, size: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        let call = |destination: Arc<dyn Destination>| {
            let key = key.clone();
            async move { destination.begin_upload(&key, size).await }
        };
        let begun = self.on_all(self.takers(key)?, call).await?;
        Ok(upload::begin(&self.label, Arc::clone(&self.legs), begun))
    }

    async fn resume_upload(&self, key: &Key, size: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
        upload::resume(&self.label, Arc::clone(&self.legs), self.takers(key)?, key, size, token).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        self.read(|leg| {
            let range = range.clone();
            async move { leg.get(key, range).await }
        })
        .await
    }

    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        self.read(|leg| async move { leg.get_stream(key, offset).await }).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        self.read(|leg| async move { leg.head(key).await }).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        self.read(|leg| async move { leg.list(prefix).await }).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let call = |destination: Arc<dyn Destination>| {
            let key = key.clone();
            async move { destination.delete(&key).await }
        };
        self.on_all(self.legs.live(), call).await.map(drop)
    }

    /// The room of the leg with the least.
    async fn space(&self) -> Result<Space> {
        let mut least: Option<Space> = None;
        for leg in self.legs.live() {
            let space = leg.destination.space().await?;
            least = Some(least.filter(|known| known.free_bytes <= space.free_bytes).unwrap_or(space));
        }
        least.ok_or_else(|| self.legs.none_left(&self.label))
    }

    async fn sha256_there(&self, key: &Key) -> Result<Option<String>> {
        self.read(|leg| async move { leg.sha256_there(key).await }).await
    }

    async fn availability(&self, key: &Key) -> Result<Availability> {
        self.read(|leg| async move { leg.availability(key).await }).await
    }

    async fn thaw(&self, key: &Key, days: u32) -> Result<Availability> {
        self.read(|leg| async move { leg.thaw(key, days).await }).await
    }

    async fn link(&self, key: &Key, valid: Duration) -> Result<Secret> {
        self.read(|leg| async move { leg.link(key, valid).await }).await
    }

    async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        let spared: Vec<String> = spared.iter().flat_map(|token| upload::tokens_of_legs(token)).collect();
        let call = |destination: Arc<dyn Destination>| {
            let spared = spared.clone();
            async move { destination.sweep(older_than, &spared).await }
        };
        let swept = self.on_all(self.legs.live(), call).await?;
        Ok(swept.iter().fold(Swept::default(), |sum, (_, one)| Swept {
            removed: sum.removed + one.removed,
            left: sum.left + one.left,
            restored: sum.restored + one.restored,
        }))
    }
}
