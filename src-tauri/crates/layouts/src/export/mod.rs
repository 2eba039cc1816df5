//! Downloads: entries packed into one file on this computer, `.tar.gz`, `.tar.zst` or `.zip`.
//!
//! One task reads the backup and turns entries into [`Event`]s; a thread compresses and writes them. Between the two lies a
//! short queue, so that memory stays bounded whatever the size of the backup.

mod feed;
mod gzip;
mod part;
mod tar_feed;
mod write;
mod zip_feed;

use async_trait::async_trait;
use backstay_core::entry::{Entry, EntrySource};
use backstay_core::layout::{ArchiveFormat, ExportReport, Exporter};
use backstay_core::run::Phase;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use feed::Feed;
use part::Part;
use std::path::Path;
use tokio::sync::mpsc;

/// How many events may wait for the writing thread. Each is at most [`feed::PIECE_BYTES`] large, or little.
const QUEUE_LENGTH: usize = 32;

/// Packs downloads.
///
/// What a format cannot hold, and content that turns out damaged, is told as a problem and the rest goes on: a damaged file
/// is filled up with zeros, since its length stands before it. A lost connection ends the download.
#[derive(Clone, Copy, Debug, Default)]
pub struct ArchiveExporter;

/// What goes from the reading task to the writing thread.
enum Event {
    /// Bytes of the tar stream, or of the open file of a zip.
    Bytes(Vec<u8>),
    /// An entry of a zip begins: its name there, and whether a file's content follows.
    ZipEntry { name: String, entry: Box<Entry> },
    /// Everything was sent. Without it the part is thrown away.
    End,
}

#[async_trait]
impl Exporter for ArchiveExporter {
    async fn export(
        &self,
        ctx: &RunContext,
        source: &mut dyn EntrySource,
        format: ArchiveFormat,
        file: &Path,
    ) -> Result<ExportReport> {
        let part = {
            let file = file.to_owned();
            blocking(move || Part::create(&file)).await?
        };
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let writing = blocking(move || write::write(receiver, part, format));
        let feeding = async {
            let mut feed = Feed::new(ctx, sender);
            let fed = match format {
                ArchiveFormat::Zip => zip_feed::run(&mut feed, source).await,
                ArchiveFormat::TarGz | ArchiveFormat::TarZst => tar_feed::run(&mut feed, source).await,
            };
            // The sender goes with the feed: a writer that saw no `End` then gives up.
            fed.map(|()| (feed.files, feed.bytes))
        };
        let (fed, written) = tokio::join!(feeding, writing);
        // A writer that failed is why the feed could not send; a feed that failed is why the writer gave up.
        let (files, bytes, part) = match (fed, written) {
            (Ok((files, bytes)), Ok(part)) => (files, bytes, part),
            (Err(feed), Err(write)) if write.class == ErrorClass::Internal => return Err(feed),
            (Ok(_), Err(error)) | (Err(_), Err(error)) | (Err(error), Ok(_)) => return Err(error),
        };
        ctx.progress.phase(Phase::Checking);
        let ctx = ctx.clone();
        let (file_bytes, sha256) = blocking(move || part.check_and_name(&ctx)).await?;
        Ok(ExportReport { files, bytes, file_bytes, sha256 })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorClass::Internal, "Packing ended unexpectedly").source(error))?
}
