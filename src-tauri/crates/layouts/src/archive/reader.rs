//! Reads one backup.

use super::blocks::Blocks;
use super::index::Index;
use super::lock;
use super::pack::{BlockAt, Codec};
use super::places::ArchiveSource;
use super::stream::{Contents, start};
use async_trait::async_trait;
use backstay_core::entry::{Entry, EntrySource};
use backstay_core::layout::{BackupManifest, BackupReader, BackupRecord, ListedEntry, Selection};
use backstay_core::path::RawPath;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;

/// Entries gone through between two looks at whether the run was cancelled.
const LOOK_EVERY: usize = 4096;

/// One backup, opened: its manifest is in memory.
pub(crate) struct Reader {
    pub record: BackupRecord,
    backup: BackupManifest,
    index: Arc<Index>,
    source: ArchiveSource,
    codec: Codec,
    blocks: Mutex<Vec<BlockAt>>,
    contents: OnceCell<Arc<Contents>>,
}

impl Reader {
    /// Makes the reader of a manifest; `source` is opened when content is asked for.
    pub fn new(
        record: BackupRecord,
        backup: BackupManifest,
        index: Arc<Index>,
        source: ArchiveSource,
        codec: Codec,
        blocks: Vec<BlockAt>,
    ) -> Self {
        Self { record, backup, index, source, codec, blocks: Mutex::new(blocks), contents: OnceCell::new() }
    }

    /// Returns its entries.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Returns its entries with their content.
    pub async fn contents(&self) -> Result<Arc<Contents>> {
        let open = async || {
            let bytes = self.source.open().await?;
            let blocks = std::mem::take(&mut *lock(&self.blocks));
            let blocks = Blocks::new(bytes, self.codec, blocks);
            Ok::<_, Error>(Arc::new(Contents { index: self.index.clone(), blocks }))
        };
        self.contents.get_or_try_init(open).await.cloned()
    }
}

#[async_trait]
impl BackupReader for Reader {
    fn record(&self) -> &BackupRecord {
        &self.record
    }

    async fn manifest(&self) -> Result<Option<BackupManifest>> {
        Ok(Some(self.backup.clone()))
    }

    async fn list(&self, ctx: &RunContext, dir: &RawPath) -> Result<Vec<ListedEntry>> {
        ctx.check()?;
        let dir = dir.to_relative();
        let index = self.index();
        let Some(below) = index.below(&dir) else {
            let text = format!("Cannot list {dir} in the backup of {}: no such folder", self.record.server_name);
            return Err(Error::new(ErrorClass::Missing, text));
        };
        let mut lines = Vec::new();
        let mut at = below.start;
        while at < below.end {
            let end = if index.is_dir(at) { index.end_of(at) } else { at + 1 };
            let files = (at..end).filter(|row| index.is_file(*row));
            let (total_bytes, total_files) =
                files.fold((0, 0), |(bytes, files), row| (bytes + index.size(row), files + 1));
            lines.push(ListedEntry { entry: index.entry(at), total_bytes, total_files });
            at = end;
        }
        lines.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
        Ok(lines)
    }

    async fn walk(&self, ctx: &RunContext, selection: &Selection) -> Result<Vec<Entry>> {
        ctx.check()?;
        Ok(self.index().select(selection).into_iter().map(|row| self.index().entry(row)).collect())
    }

    async fn stream(&self, ctx: &RunContext, selection: Selection) -> Result<Box<dyn EntrySource>> {
        ctx.check()?;
        let rows = self.index().select(&selection);
        let contents = ctx.or_cancel(self.contents()).await?;
        Ok(Box::new(start(contents, rows, ctx.clone())))
    }

    async fn search(&self, ctx: &RunContext, text: &str, limit: usize) -> Result<Vec<Entry>> {
        let text = text.to_lowercase();
        let mut found = Vec::new();
        for row in 0..self.index().len() {
            if row % LOOK_EVERY == 0 {
                ctx.check()?;
            }
            if found.len() == limit {
                break;
            }
            let path = RawPath::new(self.index().path(row)).unwrap_or_default();
            if path.to_text().to_lowercase().contains(&text) {
                found.push(self.index().entry(row));
            }
        }
        Ok(found)
    }
}
