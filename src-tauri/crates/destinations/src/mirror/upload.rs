//! One upload into several destinations.

use super::lane::Lane;
use super::leg::{Legs, Track};
use async_trait::async_trait;
use backstay_core::destination::{Destination, Key, PartUpload, StoredPart, WriteMode};
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;

/// What another process needs to go on: the tokens of the legs.
#[derive(Serialize, Deserialize)]
struct Token {
    legs: Vec<(String, String)>,
}

/// Returns the legs' own tokens of an upload; of one that went to a single destination, its token.
pub(super) fn tokens_of_legs(token: &str) -> Vec<String> {
    match serde_json::from_str::<Token>(token) {
        Ok(token) => token.legs.into_iter().map(|(_, token)| token).collect(),
        Err(_) => vec![token.to_owned()],
    }
}

/// An upload into all legs. Its parts come in order; each leg cuts them into parts of its own size, sends them as fast as
/// it can, and lags behind the fastest by a bounded number of bytes. Where the legs' parts are alike they share memory.
struct MirrorUpload {
    label: String,
    legs: Arc<Legs>,
    lanes: Vec<Lane>,
    /// The whole size, where known.
    size: Option<u64>,
    accepted: AtomicU64,
}

/// Joins uploads that were just begun.
pub(super) fn begin(
    label: &str,
    legs: Arc<Legs>,
    begun: Vec<(Arc<Track>, Arc<dyn PartUpload>)>,
) -> Arc<dyn PartUpload> {
    let lanes = begun.into_iter().map(|(track, upload)| Lane::start(&legs, track, upload, Vec::new())).collect();
    Arc::new(MirrorUpload { label: label.to_owned(), legs, lanes, size: None, accepted: AtomicU64::new(0) })
}

/// Goes on with an upload at those of these legs that still have it; the others are given up.
pub(super) async fn resume(
    label: &str,
    legs: Arc<Legs>,
    takers: Vec<Arc<Track>>,
    key: &Key,
    size: Option<u64>,
    token: &str,
) -> Result<Arc<dyn PartUpload>> {
    let gone = || Error::new(ErrorClass::Missing, format!("The upload of {key} to {label} is no more"));
    let token: Token = serde_json::from_str(token).map_err(|error| gone().source(error))?;
    let (mut lanes, mut lost) = (Vec::new(), Vec::new());
    for track in takers {
        let known = token.legs.iter().find(|(name, _)| *name == track.name);
        let reopened = match known {
            Some((_, token)) => reopen(&*track.destination, key, size, token).await,
            None => Err(gone()),
        };
        match reopened {
            Ok((upload, stored)) => lanes.push(Lane::start(&legs, track, upload, stored)),
            Err(error) => lost.push((track, error)),
        }
    }
    if lanes.is_empty() {
        // All is sent anew then, to all of them: none has failed yet.
        let worse = lost.into_iter().map(|(_, error)| error).find(|error| error.class != ErrorClass::Missing);
        return Err(worse.unwrap_or_else(gone));
    }
    for (track, error) in lost {
        legs.fail(&track, &error);
    }
    Ok(Arc::new(MirrorUpload { label: label.to_owned(), legs, lanes, size, accepted: AtomicU64::new(0) }))
}

async fn reopen(
    destination: &dyn Destination,
    key: &Key,
    size: Option<u64>,
    token: &str,
) -> Result<(Arc<dyn PartUpload>, Vec<StoredPart>)> {
    let upload = destination.resume_upload(key, size, token).await?;
    let stored = upload.stored().await?;
    Ok((upload, stored))
}

impl MirrorUpload {
    fn live(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().filter(|lane| lane.track.lives())
    }

    fn check(&self) -> Result<()> {
        if self.live().next().is_none() { Err(self.legs.none_left(&self.label)) } else { Ok(()) }
    }
}

#[async_trait]
impl PartUpload for MirrorUpload {
    fn token(&self) -> String {
        let legs = self.lanes.iter().map(|lane| (lane.track.name.clone(), lane.upload.token())).collect();
        let token = Token { legs };
        // Names and tokens always are texts.
        serde_json::to_string(&token).unwrap_or_default()
    }

    fn part_bytes(&self, number: u32) -> u64 {
        self.lanes.iter().map(|lane| lane.upload.part_bytes(number)).max().unwrap_or(1 << 20)
    }

    /// The parts that all legs have.
    async fn stored(&self) -> Result<Vec<StoredPart>> {
        self.check()?;
        let mut reach = u64::MAX;
        for lane in self.live() {
            if let Some(stored) = lane.flush().await {
                reach = reach.min(stored);
            }
        }
        self.check()?;
        // A short part is one only where the object ends, or where what came so far does.
        let accepted = self.accepted.load(Ordering::Relaxed);
        let end = if accepted > 0 { accepted } else { self.size.unwrap_or(u64::MAX) };
        let mut parts = Vec::new();
        let (mut number, mut offset) = (1, 0);
        while offset < end {
            let size_bytes = self.part_bytes(number).min(end - offset);
            if offset + size_bytes > reach {
                break;
            }
            parts.push(StoredPart { number, offset, size_bytes, tag: String::new() });
            offset += size_bytes;
            number += 1;
        }
        Ok(parts)
    }

    /// Returns when all legs have it in their queue, so that the fast ones run ahead; `stored` waits until it lies there,
    /// and so does `complete`.
    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
        let size_bytes = content.len() as u64;
        for lane in self.live() {
            lane.room_for(size_bytes).await;
        }
        for lane in self.live() {
            lane.take(offset, content.clone());
        }
        self.accepted.fetch_max(offset + size_bytes, Ordering::Relaxed);
        self.check()?;
        Ok(StoredPart { number, offset, size_bytes, tag: String::new() })
    }

    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        let size = parts.last().map_or(0, |part| part.offset + part.size_bytes);
        let mut completing = JoinSet::new();
        for lane in self.live() {
            let (track, upload, finish) = (Arc::clone(&lane.track), Arc::clone(&lane.upload), lane.finish(size));
            completing.spawn(async move {
                let result = match finish.await {
                    Ok(parts) => upload.complete(&parts, mode).await,
                    Err(error) => Err(error),
                };
                (track, upload, result)
            });
        }
        let (mut done, mut taken) = (0, Vec::new());
        while let Some(joined) = completing.join_next().await {
            let ended = |error| Error::new(ErrorClass::Internal, "A leg ended unexpectedly").source(error);
            let (track, upload, result) = joined.map_err(ended)?;
            match result {
                Ok(()) => done += 1,
                Err(error) if error.class == ErrorClass::Exists => taken.push((track, upload, error)),
                Err(error) => self.legs.fail(&track, &error),
            }
        }
        if done == 0 {
            return Err(taken.pop().map_or_else(|| self.legs.none_left(&self.label), |(_, _, error)| error));
        }
        for (track, upload, error) in taken {
            let _ = upload.abort().await;
            self.legs.fail(&track, &error);
        }
        Ok(())
    }

    async fn abort(&self) -> Result<()> {
        let mut failed = None;
        for lane in &self.lanes {
            if let Err(error) = lane.abort().await
                && lane.track.lives()
            {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
