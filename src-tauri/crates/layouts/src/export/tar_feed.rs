//! Entries as a tar stream.

use super::feed::Feed;
use backstay_core::Result;
use backstay_core::entry::EntrySource;
use backstay_core::tar;

/// Packs all entries as one tar.
pub(super) async fn run(feed: &mut Feed<'_>, source: &mut dyn EntrySource) -> Result<()> {
    while let Some(entry) = feed.next(source).await? {
        let name = entry.path.as_bytes();
        if let Some(first) = feed.first_name(&entry) {
            feed.push(&tar::header(&entry, name, entry.size_bytes, Some(first.as_bytes()), &[])).await?;
            feed.count_file();
            continue;
        }
        if !entry.is_file() {
            feed.push(&tar::header(&entry, name, 0, None, &[])).await?;
            continue;
        }
        let holes = source.holes();
        let size = entry.size_bytes;
        feed.push(&tar::header(&entry, name, size, None, &holes)).await?;
        if size > 0 {
            let segments = tar::data_segments(size, &holes);
            feed.send_content(&entry, source.content(), &segments).await?;
            feed.push(&[0; tar::BLOCK][..tar::padding(tar::stored_size(size, &holes))]).await?;
        }
        feed.count_file();
    }
    feed.push(&tar::END).await
}
