//! Downloads: entries packed into one file on this computer, `.tar.gz`, `.tar.zst` or `.zip`.
//!
//! They are packed by what packs archives; here are what lies in a file on this computer, how a tar goes on after a stop,
//! and what is told of entries a format cannot hold.

mod feed;
mod part;
mod tar_feed;
mod zip_feed;

use crate::archive::pack::Pack;
use async_trait::async_trait;
use backstay_core::entry::EntrySource;
use backstay_core::layout::{ArchiveFormat, ExportFrom, ExportMark, ExportReport, Exporter};
use backstay_core::run::Phase;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use backstay_transfer::{Sha256Sum, is_worth_keeping};
use feed::Feed;
use part::{Part, part_of};
use std::path::Path;
use std::time::{Duration, Instant};

/// A mark is kept after so many bytes of the tar,
const MARK_BYTES: u64 = 256 << 20;
/// or after so long, on a slow line; but not for next to nothing.
const MARK_AFTER: Duration = Duration::from_secs(10);
const MARK_LEAST_BYTES: u64 = 8 << 20;

/// Packs downloads.
///
/// What a format cannot hold, and content that turns out damaged, is told as a problem and the rest goes on: a damaged file
/// is filled up with zeros, since its length stands before it. A lost connection ends the download.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveExporter {
    mark_bytes: u64,
}

impl Default for ArchiveExporter {
    fn default() -> Self {
        Self::marking_every(MARK_BYTES)
    }
}

impl ArchiveExporter {
    /// An exporter that keeps a mark after so many bytes of the tar.
    pub const fn marking_every(mark_bytes: u64) -> Self {
        Self { mark_bytes }
    }
}

#[async_trait]
impl Exporter for ArchiveExporter {
    fn can_go_on(&self, file: &Path, mark: &ExportMark) -> bool {
        let there = part_of(file).symlink_metadata();
        there.is_ok_and(|meta| meta.is_file() && meta.len() >= mark.part_bytes)
            && Sha256Sum::restore(&mark.sum).is_some()
    }

    async fn export(
        &self,
        ctx: &RunContext,
        source: &mut dyn EntrySource,
        format: ArchiveFormat,
        file: &Path,
        from: Option<ExportFrom>,
        keep: &mut (dyn FnMut(ExportMark) -> Result<()> + Send),
    ) -> Result<ExportReport> {
        let part = {
            let (file, mark) = (file.to_owned(), from.as_ref().map(|from| from.mark.clone()));
            blocking(move || Part::create(&file, mark.as_ref())).await?
        };
        let mut marks = Marks { kept: from.is_some(), ..Marks::new(self.mark_bytes, keep) };
        let pack = Pack::start(format, part)?;
        let mut feed = match from {
            Some(from) => Feed::go_on(ctx, pack, from),
            None => Feed::new(ctx, pack),
        };
        let fed = match format {
            ArchiveFormat::Zip => zip_feed::run(&mut feed, source).await,
            ArchiveFormat::TarGz | ArchiveFormat::TarZst => tar_feed::run(&mut feed, source, &mut marks).await,
        };
        let given_up = |error| given_up(file, marks.kept, error);
        let (files, bytes, pack) = (feed.files, feed.bytes, feed.into_pack());
        if let Err(error) = fed {
            // Unless it is kept, the part is gone when this returns.
            pack.abandon().await;
            return Err(given_up(error));
        }
        let part = pack.finish(ctx).await.map_err(given_up)?.output;
        ctx.progress.phase(Phase::Checking);
        let ctx = ctx.clone();
        let (file_bytes, sha256) = blocking(move || part.check_and_name(&ctx)).await.map_err(given_up)?;
        Ok(ExportReport { files, bytes, file_bytes, sha256 })
    }
}

/// Removes a part that nobody can go on with: no mark of it was kept, or the reason will not pass.
fn given_up(file: &Path, kept: bool, error: Error) -> Error {
    if !(kept && is_worth_keeping(error.class)) {
        // What cannot be removed now is taken over by the next download of that name.
        let _ = std::fs::remove_file(part_of(file));
    }
    error
}

/// When to keep how far a tar came, and who keeps it.
struct Marks<'a> {
    every_bytes: u64,
    keep: &'a mut (dyn FnMut(ExportMark) -> Result<()> + Send),
    last_at: u64,
    last: Instant,
    /// There is a mark to go on at.
    kept: bool,
}

impl<'a> Marks<'a> {
    fn new(every_bytes: u64, keep: &'a mut (dyn FnMut(ExportMark) -> Result<()> + Send)) -> Self {
        Self { every_bytes, keep, last_at: 0, last: Instant::now(), kept: false }
    }

    /// Keeps a mark if it is time. The last entry is whole.
    async fn after_entry(&mut self, feed: &mut Feed<'_>) -> Result<()> {
        let new_bytes = feed.position() - self.last_at;
        if new_bytes < self.every_bytes && (new_bytes < MARK_LEAST_BYTES || self.last.elapsed() < MARK_AFTER) {
            return Ok(());
        }
        if !feed.can_mark() {
            return Ok(());
        }
        (self.keep)(feed.mark().await?)?;
        self.kept = true;
        (self.last_at, self.last) = (feed.position(), Instant::now());
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorClass::Internal, "Packing ended unexpectedly").source(error))?
}
