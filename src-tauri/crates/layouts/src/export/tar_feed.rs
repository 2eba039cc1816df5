//! Entries as a tar stream.

use super::Marks;
use super::feed::Feed;
use backstay_core::Result;
use backstay_core::entry::{Entry, EntrySource};
use backstay_core::tar;

/// Packs all entries as one tar.
pub(super) async fn run(feed: &mut Feed<'_>, source: &mut dyn EntrySource, marks: &mut Marks<'_>) -> Result<()> {
    while let Some(entry) = feed.next(source).await? {
        add(feed, source, &entry).await?;
        marks.after_entry(feed).await?;
    }
    feed.push(&tar::END).await
}

async fn add(feed: &mut Feed<'_>, source: &mut dyn EntrySource, entry: &Entry) -> Result<()> {
    let name = entry.path.as_bytes();
    if let Some(first) = feed.first_name(entry) {
        feed.push(&tar::header(entry, name, entry.size_bytes, Some(first.as_bytes()), &[])).await?;
        feed.count_file();
        return Ok(());
    }
    if !entry.is_file() {
        return feed.push(&tar::header(entry, name, 0, None, &[])).await;
    }
    let holes = source.holes();
    let size = entry.size_bytes;
    feed.push(&tar::header(entry, name, size, None, &holes)).await?;
    if size > 0 {
        let segments = tar::data_segments(size, &holes);
        feed.send_content(entry, source.content(), &segments).await?;
        feed.push(&[0; tar::BLOCK][..tar::padding(tar::stored_size(size, &holes))]).await?;
    }
    feed.count_file();
    Ok(())
}
