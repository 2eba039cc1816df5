//! Connections that stay open while someone looks at a server: its folders, or what a restore would do there. The restore
//! itself goes on over the one its preview was made over.

use crate::backstay::Inner;
use backstay_core::config::{Connection, Server};
use backstay_core::host::Host;
use backstay_core::{Result, ServerId};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

/// A connection nobody used for so long is closed.
const IDLE: Duration = Duration::from_secs(120);

/// A connection that stays open.
pub(crate) struct OpenHost {
    host: Arc<dyn Host>,
    connection: Connection,
    /// By the clock on the wall, which goes on while this computer sleeps: a line may be dead after that without a word.
    used: SystemTime,
}

impl OpenHost {
    fn is_fresh(&self) -> bool {
        self.used.elapsed().is_ok_and(|age| age < IDLE)
    }
    /// Somebody holds it beside this place.
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.host) > 1
    }
}

impl Inner {
    /// Returns the connection to a server that is open, or opens one that stays so. It is shared: who gets it does not
    /// close it.
    pub(crate) async fn open_host(self: &Arc<Self>, server: &Server) -> Result<Arc<dyn Host>> {
        if let Some(host) = self.shared_host(server).await {
            return Ok(host);
        }
        // Not under the lock: a server that does not answer must not hold up the others.
        let host = self.connect(server).await?;
        if let Some(other) = self.shared_host(server).await {
            host.close().await;
            return Ok(other);
        }
        // Changed or removed while it was connected to: good for this once.
        if self.store.server(&server.id)?.connection != server.connection {
            return Ok(host);
        }
        let open = OpenHost { host: host.clone(), connection: server.connection.clone(), used: SystemTime::now() };
        let before = self.hosts.lock().await.insert(server.id.clone(), open);
        end(before).await;
        tokio::spawn(close_when_idle(Arc::downgrade(self), server.id.clone()));
        Ok(host)
    }

    /// Takes the open connection to a server for a run, which closes it; connects where there is none, or where somebody
    /// else uses it.
    pub(crate) async fn take_host(&self, server: &Server) -> Result<Arc<dyn Host>> {
        let mut hosts = self.hosts.lock().await;
        let taken =
            if hosts.get(&server.id).is_some_and(OpenHost::is_in_use) { None } else { hosts.remove(&server.id) };
        drop(hosts);
        match taken {
            Some(open) if open.is_fresh() && open.connection == server.connection => Ok(open.host),
            old => {
                end(old).await;
                self.connect(server).await
            }
        }
    }

    async fn shared_host(&self, server: &Server) -> Option<Arc<dyn Host>> {
        let mut hosts = self.hosts.lock().await;
        let open = hosts.get_mut(&server.id).filter(|open| open.is_fresh() && open.connection == server.connection)?;
        open.used = SystemTime::now();
        Some(open.host.clone())
    }

    /// Closes the open connection to a server, or leaves it to who uses it just now.
    pub(super) async fn forget_host(&self, id: &ServerId) {
        let open = self.hosts.lock().await.remove(id);
        end(open).await;
    }
}

async fn end(open: Option<OpenHost>) {
    if let Some(open) = open.filter(|open| !open.is_in_use()) {
        open.host.close().await;
    }
}

async fn close_when_idle(inner: Weak<Inner>, id: ServerId) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(inner) = inner.upgrade() else { return };
        let idle = match inner.hosts.lock().await.get(&id) {
            Some(open) => !open.is_fresh() && !open.is_in_use(),
            None => return,
        };
        if idle {
            inner.forget_host(&id).await;
            return;
        }
    }
}
