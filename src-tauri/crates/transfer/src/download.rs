//! An object into a file, by segments, going on where it was cut off: several at the same time, or all in one stream.

use super::Sha256Sum;
use super::landing::Landing;
use super::progress::read_part;
use super::segments::{SegmentMap, Subject};
use backstay_core::context::{RunContext, SilentProgress};
use backstay_core::destination::{Destination, Key};
use backstay_core::error::{Error, ErrorClass, Result};
use bytes::{Bytes, BytesMut};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The disk is told to write whenever so much more lies there.
const FLUSH_EVERY: u64 = 64 << 20;

/// What a download did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// Bytes that came now.
    pub received_bytes: u64,
    /// Bytes that were there from an earlier call.
    pub resumed_bytes: u64,
}

/// Brings an object into `file`; goes on where an earlier call was cut off, even by a kill or after a restart.
///
/// Until it is whole it lies in `file` + `.part`, beside it the map of its segments. It ends at `size`; its SHA-256 must be
/// `sha256` (64 hex digits), else the error is `Corrupt` and nothing gets the name. A file that is there is never
/// overwritten (`Exists`); a second download to the same file is `Locked`. What came is kept after any error, unless its hash
/// is wrong.
pub async fn download_resumable(
    destination: Arc<dyn Destination>,
    key: &Key,
    size: u64,
    sha256: &str,
    file: &Path,
    ctx: &RunContext,
) -> Result<Downloaded> {
    let info = ctx.or_cancel(destination.head(key)).await?;
    if info.size_bytes != size {
        let text = format!("{key} on {} has {} bytes, not {size}", destination.label(), info.size_bytes);
        return Err(Error::new(ErrorClass::Corrupt, text).hint("Download it from another destination"));
    }
    let target = file.to_owned();
    let opened = tokio::task::spawn_blocking(move || Landing::open(&target)).await;
    let landing = opened.map_err(|error| Error::new(ErrorClass::Internal, "Cannot open a file").source(error))??;
    let _lock = landing.lock();
    let subject =
        Subject { key: key.as_str().to_owned(), size, sha256: sha256.to_ascii_lowercase(), modified: info.modified };
    let job = Job { destination, key: key.clone(), landing: Arc::new(landing), ctx };
    let kept = SegmentMap::load(job.landing.map(), &subject).filter(|map| job.landing.length() >= reach(map));
    let mut resumed_bytes = kept.as_ref().map_or(0, SegmentMap::done_bytes);
    let map = match kept {
        Some(map) => map,
        None => {
            job.landing.clear().await?;
            SegmentMap::new(subject.clone())
        }
    };
    let mut found = job.fetch(map).await?;
    let mut received_bytes = size - resumed_bytes;
    if found != subject.sha256 && resumed_bytes > 0 {
        // What came earlier may have suffered on this disk, in a power cut for one: it is not the object's fault yet.
        ctx.progress.log("What was downloaded earlier is not sound; it is downloaded again");
        job.landing.clear().await?;
        found = job.fetch(SegmentMap::new(subject.clone())).await?;
        (resumed_bytes, received_bytes) = (0, size);
    }
    if found != subject.sha256 {
        job.landing.discard().await;
        return Err(Error::new(
            ErrorClass::Corrupt,
            format!("{key} on {} is not what was written", job.destination.label()),
        )
        .hint("It is damaged there: download it from another destination")
        .detail(format!("SHA-256 is {found}, not {}", subject.sha256)));
    }
    ctx.check()?;
    job.landing.finish().await?;
    Ok(Downloaded { received_bytes, resumed_bytes })
}

/// How far the file must reach for what the map says.
fn reach(map: &SegmentMap) -> u64 {
    (0..map.count()).rev().find(|segment| map.is_done(*segment)).map_or(0, |last| map.range(last).end)
}

struct Job<'a> {
    destination: Arc<dyn Destination>,
    key: Key,
    landing: Arc<Landing>,
    ctx: &'a RunContext,
}

impl Job<'_> {
    /// Fetches what the map lacks, hashing from the disk what lies there without a gap. Returns the hash of all.
    async fn fetch(&self, map: SegmentMap) -> Result<String> {
        self.ctx.progress.advance(0, map.done_bytes());
        let (whole, whole_seen) = watch::channel(map.range(map.whole_from(0)).start.min(map.subject.size));
        let size = map.subject.size;
        let landing = Arc::clone(&self.landing);
        let mut hashing = JoinSet::new();
        hashing.spawn(async move { follow(&landing, whole_seen, size).await });
        let (landing, grown) = (Arc::clone(&self.landing), whole.subscribe());
        let mut flushing = JoinSet::new();
        flushing.spawn(async move { flush(&landing, grown).await });
        let fetched = match self.destination.capabilities().parallel_ranges {
            0 | 1 => self.in_one_stream(map, &whole).await,
            at_once => self.by_segments(map, usize::from(at_once), &whole).await,
        };
        drop(whole);
        // The disk tells of what it lost once only: nobody would hear of it again, and the map says that it lies there.
        if let Some(Ok(Err(error))) = flushing.join_next().await {
            self.landing.clear().await?;
            return Err(error);
        }
        fetched?;
        let hashed = async { hashing.join_next().await.transpose() };
        let sum = tokio::select! {
            biased;
            () = self.ctx.cancel.cancelled() => return Err(Error::cancelled()),
            hashed = hashed => hashed,
        };
        let ended = |error| Error::new(ErrorClass::Internal, "Hashing ended unexpectedly").source(error);
        sum.map_err(ended)?.unwrap_or_else(|| Err(Error::cancelled())).map(Sha256Sum::finish)
    }

    async fn by_segments(&self, mut map: SegmentMap, at_once: usize, whole: &watch::Sender<u64>) -> Result<()> {
        let missing: Vec<u64> = (0..map.count()).filter(|segment| !map.is_done(*segment)).collect();
        let mut missing = missing.into_iter();
        let mut under_way = JoinSet::new();
        let mut first_gap = map.whole_from(0);
        loop {
            while under_way.len() < at_once {
                let Some(segment) = missing.next() else { break };
                let (destination, key) = (Arc::clone(&self.destination), self.key.clone());
                let (landing, range) = (Arc::clone(&self.landing), map.range(segment));
                under_way.spawn(async move {
                    let content = destination.get(&key, Some(range.clone())).await?;
                    if content.len() as u64 != range.end - range.start {
                        let text = format!("Cannot read {key} on {}: it gave another length", destination.label());
                        return Err(Error::new(ErrorClass::Corrupt, text));
                    }
                    landing.write_at(content, range.start).await.map(|()| segment)
                });
            }
            let arrived = tokio::select! {
                biased;
                () = self.ctx.cancel.cancelled() => return Err(Error::cancelled()),
                arrived = under_way.join_next() => arrived,
            };
            let Some(arrived) = arrived else { return Ok(()) };
            let segment = arrived
                .map_err(|error| Error::new(ErrorClass::Internal, "A segment ended unexpectedly").source(error))??;
            map = self.note(map, segment).await?;
            first_gap = map.whole_from(first_gap);
            whole.send_replace(map.range(first_gap).start.min(map.subject.size));
        }
    }

    /// For stores where only one stream at a time makes sense.
    async fn in_one_stream(&self, mut map: SegmentMap, whole: &watch::Sender<u64>) -> Result<()> {
        let mut segment = map.whole_from(0);
        if segment == map.count() {
            return Ok(());
        }
        let tried = format!("Cannot read {} on {}", self.key, self.destination.label());
        let start = map.range(segment).start;
        let mut stream = self.ctx.or_cancel(self.destination.get_stream(&self.key, start)).await?;
        // Counted by segments, once they are on the disk.
        let quiet = RunContext { progress: Arc::new(SilentProgress), ..self.ctx.clone() };
        while segment < map.count() {
            let range = map.range(segment);
            let want = range.end - range.start;
            let content: Bytes =
                self.ctx.or_cancel(read_part(&mut stream, BytesMut::new(), want, None, &tried, &quiet)).await?;
            if content.len() as u64 != want {
                let ends = range.start + content.len() as u64;
                return Err(Error::new(ErrorClass::Corrupt, format!("{tried}: it ends at byte {ends}")));
            }
            self.landing.write_at(content, range.start).await?;
            map = self.note(map, segment).await?;
            whole.send_replace(range.end);
            segment += 1;
        }
        Ok(())
    }

    /// Keeps that a segment is there.
    async fn note(&self, mut map: SegmentMap, segment: u64) -> Result<SegmentMap> {
        map.set_done(segment);
        let range = map.range(segment);
        self.ctx.progress.advance(0, range.end - range.start);
        let path = self.landing.map().to_owned();
        self.landing.work(move |_| map.save(&path).map(|()| map)).await
    }
}

/// Has the disk write what lies there without a gap, as it grows: else all of it would be left for the end, while nothing
/// else happens.
async fn flush(landing: &Landing, mut whole: watch::Receiver<u64>) -> Result<()> {
    let mut flushed = *whole.borrow_and_update();
    while let Ok(ready) = whole.wait_for(|ready| *ready >= flushed + FLUSH_EVERY).await.map(|ready| *ready) {
        landing.work(|file| file.sync_data()).await?;
        flushed = ready;
    }
    Ok(())
}

/// Hashes what lies there without a gap, as it grows, up to `size`.
async fn follow(landing: &Landing, mut whole: watch::Receiver<u64>, size: u64) -> Result<Sha256Sum> {
    let (mut sum, mut hashed) = (Sha256Sum::new(), 0);
    while hashed < size {
        let Ok(ready) = whole.wait_for(|ready| *ready > hashed).await.map(|ready| *ready) else {
            // The download failed; its own error tells.
            return Err(Error::cancelled());
        };
        sum = landing.hash(sum, hashed..ready).await?;
        hashed = ready;
    }
    Ok(sum)
}
