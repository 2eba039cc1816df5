//! Reaching the ports of data connections.

use super::errors::code;
use super::session::CONNECT_LIMIT;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use suppaftp::FtpError;
use tokio::net::TcpStream;

/// How far asking for a data connection came.
#[derive(Default)]
pub(super) struct Asked {
    /// The server told a port.
    told: AtomicBool,
    /// Which could not be reached.
    unreachable: AtomicBool,
}

impl Asked {
    /// Begins anew.
    pub(super) fn begin(&self) {
        self.told.store(false, Ordering::Relaxed);
        self.unreachable.store(false, Ordering::Relaxed);
    }

    /// Reaches the port the server told.
    pub(super) async fn reach(&self, told: SocketAddr, peer: Option<IpAddr>) -> io::Result<TcpStream> {
        self.told.store(true, Ordering::Relaxed);
        let reached = data_connection(told, peer).await;
        self.unreachable.store(reached.is_err(), Ordering::Relaxed);
        reached
    }

    /// Tells whether PASV may do where EPSV did not: the server does not know it, or told a port that cannot be reached.
    /// Routers that know only PASV open no way for the other.
    pub(super) fn pasv_may_do(&self, error: &FtpError) -> bool {
        let refused =
            matches!(error, FtpError::UnexpectedResponse(reply) if matches!(code(reply), 500..=504 | 522 | 550));
        // Else it is the command after it that was refused.
        (refused && !self.told.load(Ordering::Relaxed)) || self.unreachable.load(Ordering::Relaxed)
    }
}

/// Reaches a passive port. An address that cannot be meant (a private one, told by a server that has a public one) is
/// replaced by the server's own.
async fn data_connection(told: SocketAddr, peer: Option<IpAddr>) -> io::Result<TcpStream> {
    let mut address = told;
    if let (IpAddr::V4(ip), Some(IpAddr::V4(peer))) = (told.ip(), peer)
        && (ip.is_unspecified() || ((ip.is_private() || ip.is_loopback()) && !peer.is_private() && !peer.is_loopback()))
    {
        address.set_ip(peer.into());
    }
    let silent = |_| io::Error::from(io::ErrorKind::TimedOut);
    let stream = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address)).await.map_err(silent)??;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// The library wants a future that is `Sync`; nobody ever polls one from two places, so that a lock nobody waits for
/// makes it so.
pub(super) struct SyncFuture<F>(std::sync::Mutex<std::pin::Pin<Box<F>>>);

impl<F: Future> SyncFuture<F> {
    pub(super) fn new(future: F) -> Self {
        Self(std::sync::Mutex::new(Box::pin(future)))
    }
}

impl<F: Future> Future for SyncFuture<F> {
    type Output = F::Output;
    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<F::Output> {
        let inner = self.get_mut().0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.as_mut().poll(cx)
    }
}
