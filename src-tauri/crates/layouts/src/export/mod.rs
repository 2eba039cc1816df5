//! Downloads: entries packed into one file on this computer, `.tar.gz`, `.tar.zst` or `.zip`.
//!
//! They are packed by what packs archives; here are what lies in a file on this computer, and what is told of entries a
//! format cannot hold.

mod feed;
mod part;
mod tar_feed;
mod zip_feed;

use crate::archive::pack::Pack;
use async_trait::async_trait;
use backstay_core::entry::EntrySource;
use backstay_core::layout::{ArchiveFormat, ExportReport, Exporter};
use backstay_core::run::Phase;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use feed::Feed;
use part::Part;
use std::path::Path;

/// Packs downloads.
///
/// What a format cannot hold, and content that turns out damaged, is told as a problem and the rest goes on: a damaged file
/// is filled up with zeros, since its length stands before it. A lost connection ends the download.
#[derive(Clone, Copy, Debug, Default)]
pub struct ArchiveExporter;

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
        let mut feed = Feed::new(ctx, Pack::start(format, part)?);
        let fed = match format {
            ArchiveFormat::Zip => zip_feed::run(&mut feed, source).await,
            ArchiveFormat::TarGz | ArchiveFormat::TarZst => tar_feed::run(&mut feed, source).await,
        };
        let (files, bytes, pack) = (feed.files, feed.bytes, feed.into_pack());
        if let Err(error) = fed {
            // The part is gone when this returns.
            pack.abandon().await;
            return Err(error);
        }
        let part = pack.finish(ctx).await?.output;
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
