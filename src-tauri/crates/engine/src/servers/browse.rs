//! Browsing a server's folders.

use crate::backstay::Backstay;
use crate::words::invalid;
use backstay_contract::{Listing, ListingEntry};
use backstay_core::entry::{Entry, EntryType};
use backstay_core::path::escape;
use backstay_core::{RawPath, Result, ServerId};

impl Backstay {
    /// Lists a folder of a server, folders first.
    pub async fn browse_server(&self, id: &str, path: &str) -> Result<Listing> {
        let server = self.inner.store.server(&ServerId::from(id))?;
        let path = RawPath::from_text(if path.is_empty() { "/" } else { path })?;
        if !path.is_absolute() {
            return Err(invalid(format!("Cannot list {path} on {}: the path is not absolute", server.name)));
        }
        let host = self.inner.open_host(&server).await?;
        let mut entries = host.list(&path).await?;
        entries.sort_by(|a, b| (!a.is_dir(), &a.path).cmp(&(!b.is_dir(), &b.path)));
        Ok(Listing {
            parent: path.parent().map(|parent| parent.to_text()),
            path: path.to_text(),
            entries: entries.iter().map(listing_entry).collect(),
        })
    }
}

fn listing_entry(entry: &Entry) -> ListingEntry {
    let kind = match entry.kind {
        EntryType::Dir => "dir",
        EntryType::File => "file",
        EntryType::Symlink(_) => "link",
        _ => "other",
    };
    ListingEntry {
        name: entry.path.name().map(escape).unwrap_or_default(),
        path: entry.path.to_absolute().to_text(),
        kind: kind.into(),
        bytes: entry.size_bytes,
        modified: i64::try_from(entry.mtime.0.div_euclid(1_000_000)).unwrap_or(0),
    }
}
