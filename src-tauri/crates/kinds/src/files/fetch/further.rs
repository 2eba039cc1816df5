//! Further names of hard-linked files: they come with their first name, as long as that leads to the file that was listed.

use super::Fetcher;
use backstay_core::entry::{Content, Entry, EntrySink};
use backstay_core::{RawPath, Result};

impl Fetcher<'_> {
    /// Tells whether tar sent the file that was listed by this name, and not one that took its place or was written to.
    pub(super) fn is_as_listed(&self, listed: &Entry, sent: &Entry, earlier: Option<&RawPath>) -> bool {
        if let Some(earlier) = earlier {
            return self.first_names.get(earlier).is_some_and(|(inode, _)| *inode == (listed.device, listed.inode));
        }
        let (was, is) = (listed.mtime.to_parts().0, sent.mtime.to_parts().0);
        // A header has no place for other times.
        sent.size_bytes == listed.size_bytes && (was == is || !(0..1 << 33).contains(&was))
    }

    /// Adds the further names of hard-linked files. Returns those whose first name is not in the backup as it was listed:
    /// they are to be fetched themselves.
    pub(super) async fn add_further_names(&mut self, sink: &mut dyn EntrySink) -> Result<Vec<Entry>> {
        let mut left = Vec::new();
        for (mut entry, first) in std::mem::take(&mut self.further_names) {
            let Some((_, xattrs)) = self.first_names.get(&first) else {
                left.push(entry);
                continue;
            };
            entry.xattrs = xattrs.clone();
            self.report.files += 1;
            self.report.bytes += entry.size_bytes;
            sink.add(entry, Content::SameAs(&first)).await?;
            self.ctx.progress.advance(1, 0);
        }
        Ok(left)
    }
}
