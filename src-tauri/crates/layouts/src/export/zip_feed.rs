//! Entries for a zip, which holds less than a tar: what is lost is told.

use super::feed::Feed;
use crate::archive::pack::{ZipHead, zip_name};
use backstay_core::Result;
use backstay_core::entry::{Entry, EntrySource, EntryType};
use backstay_core::run::ProblemKind;

/// A zip's names are at most so long.
const NAME_LIMIT_BYTES: usize = 65_000;

/// Packs all entries a zip can hold. Further names of hard-linked files become files of their own.
pub(super) async fn run(feed: &mut Feed<'_>, source: &mut dyn EntrySource) -> Result<()> {
    while let Some(entry) = feed.next(source).await? {
        if let Some(reason) = cannot_hold(&entry) {
            feed.problem(&entry, ProblemKind::Skipped, reason);
            continue;
        }
        let name = zip_name(&entry.path);
        if name.as_bytes() != entry.path.to_relative().as_bytes() {
            feed.problem(&entry, ProblemKind::Other, format!("a zip cannot hold its name; it is there as {name}"));
        }
        if name.len() > NAME_LIMIT_BYTES {
            feed.problem(&entry, ProblemKind::Other, "its name is too long for a zip; it was left out");
            continue;
        }
        feed.zip_entry(ZipHead::new(&name, &entry)).await?;
        match &entry.kind {
            EntryType::File if entry.size_bytes > 0 => {
                feed.send_content(&entry, source.content(), &[(0, entry.size_bytes)]).await?;
            }
            EntryType::Symlink(target) => feed.push(target).await?,
            _ => {}
        }
        feed.zip_entry_end().await?;
        if entry.is_file() {
            feed.count_file();
        }
    }
    Ok(())
}

fn cannot_hold(entry: &Entry) -> Option<&'static str> {
    match &entry.kind {
        EntryType::File | EntryType::Dir => None,
        EntryType::Symlink(target) if std::str::from_utf8(target).is_ok() => None,
        EntryType::Symlink(_) => Some("a zip cannot hold a link whose target is not UTF-8; use tar"),
        EntryType::Fifo => Some("a zip cannot hold a named pipe; use tar"),
        EntryType::Socket => Some("a socket holds nothing to keep"),
        EntryType::CharDevice(..) | EntryType::BlockDevice(..) => Some("a zip cannot hold a device; use tar"),
    }
}
