//! Browsing a server's folders, over a connection that stays open while someone looks.

use crate::backstay::{Backstay, Inner};
use crate::words::invalid;
use backstay_contract::{Listing, ListingEntry};
use backstay_core::config::{Connection, Server};
use backstay_core::entry::{Entry, EntryType};
use backstay_core::host::Host;
use backstay_core::path::escape;
use backstay_core::{RawPath, Result, ServerId};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection nobody browsed over for so long is closed.
const IDLE: Duration = Duration::from_secs(120);

/// A connection kept for browsing.
pub(crate) struct OpenHost {
    host: Arc<dyn Host>,
    connection: Connection,
    used: Instant,
}

impl Backstay {
    /// Lists a folder of a server, folders first.
    pub async fn browse_server(&self, id: &str, path: &str) -> Result<Listing> {
        let server = self.inner.store.server(&ServerId::from(id))?;
        let path = RawPath::from_text(if path.is_empty() { "/" } else { path })?;
        if !path.is_absolute() {
            return Err(invalid(format!("Cannot list {path} on {}: the path is not absolute", server.name)));
        }
        let host = self.inner.browsing_host(&server).await?;
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

impl Inner {
    async fn browsing_host(self: &Arc<Self>, server: &Server) -> Result<Arc<dyn Host>> {
        let mut hosts = self.hosts.lock().await;
        if let Some(open) = hosts.get_mut(&server.id)
            && open.connection == server.connection
        {
            open.used = Instant::now();
            return Ok(open.host.clone());
        }
        let host = self.connect(server).await?;
        let open = OpenHost { host: host.clone(), connection: server.connection.clone(), used: Instant::now() };
        let before = hosts.insert(server.id.clone(), open);
        drop(hosts);
        if let Some(before) = before {
            before.host.close().await;
        }
        tokio::spawn(close_when_idle(Arc::downgrade(self), server.id.clone()));
        Ok(host)
    }

    /// Closes the browsing connection of a server.
    pub(super) async fn close_browsing(&self, id: &ServerId) {
        let open = self.hosts.lock().await.remove(id);
        if let Some(open) = open {
            open.host.close().await;
        }
    }
}

async fn close_when_idle(inner: std::sync::Weak<Inner>, id: ServerId) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(inner) = inner.upgrade() else { return };
        let idle = match inner.hosts.lock().await.get(&id) {
            Some(open) => open.used.elapsed() >= IDLE,
            None => return,
        };
        if idle {
            inner.close_browsing(&id).await;
            return;
        }
    }
}
