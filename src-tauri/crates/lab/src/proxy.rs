//! A TCP proxy that misbehaves on demand: slow, narrow, cut, stalled, reset, refusing. It needs no root.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How the proxy behaves. It may be changed while connections run.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Every piece waits so long on its way to the server.
    pub delay_to_server: Duration,
    /// Every piece waits so long on its way back.
    pub delay_to_client: Duration,
    /// Bytes a second each way; `None` is no limit.
    pub rate: Option<u64>,
    /// A connection ends after so many bytes from the server, counted from when the connection began.
    pub cut_after: Option<u64>,
    /// Nothing passes any more, but connections stay open.
    pub stall: bool,
    /// New connections are closed at once.
    pub refuse: bool,
    /// Connections that are cut end with a reset instead of an orderly close.
    pub reset: bool,
}

/// A running proxy. Dropping it ends it and its connections.
pub struct FaultProxy {
    port: u16,
    faults: Arc<watch::Sender<Faults>>,
    cut: watch::Sender<CancellationToken>,
    passed: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut.borrow().cancel();
    }
}

impl FaultProxy {
    /// Starts a proxy in front of a port of this machine, without faults.
    pub async fn start(target_port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let faults = Arc::new(watch::channel(Faults::default()).0);
        let (cut, cut_seen) = watch::channel(CancellationToken::new());
        let passed = Arc::new(AtomicU64::new(0));
        let connections = Arc::new(AtomicU64::new(0));
        let shared = Shared { faults: faults.clone(), passed: passed.clone() };
        let counter = connections.clone();
        let task = tokio::spawn(async move {
            let target = SocketAddr::from(([127, 0, 0, 1], target_port));
            while let Ok((client, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                if shared.faults.borrow().refuse {
                    continue;
                }
                let token = cut_seen.borrow().clone();
                tokio::spawn(connection(client, target, shared.clone(), token));
            }
        });
        Ok(Self { port, faults, cut, passed, connections, task })
    }

    /// Returns the port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }
    /// Changes the behaviour, for running connections too.
    pub fn set(&self, change: impl FnOnce(&mut Faults)) {
        self.faults.send_modify(change);
    }
    /// Ends all connections there are now.
    pub fn cut_now(&self) {
        self.cut.send_replace(CancellationToken::new()).cancel();
    }
    /// Returns how many bytes came from the server so far.
    pub fn passed_bytes(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
    /// Returns how many connections were made so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Shared {
    faults: Arc<watch::Sender<Faults>>,
    passed: Arc<AtomicU64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    ToServer,
    ToClient,
}

async fn connection(client: TcpStream, target: SocketAddr, shared: Shared, cut: CancellationToken) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let faults = shared.faults.clone();
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let over = AtomicBool::new(false);
    let mut there = std::pin::pin!(pass(client_read, server_write, Way::ToServer, shared.clone(), &over));
    let mut back = std::pin::pin!(pass(server_read, client_write, Way::ToClient, shared, &over));
    let mut ends = (None, None);
    while ends.0.is_none() || ends.1.is_none() {
        tokio::select! {
            () = cut.cancelled() => return,
            end = &mut there, if ends.0.is_none() => ends.0 = Some(end),
            end = &mut back, if ends.1.is_none() => ends.1 = Some(end),
        }
        // A connection that was cut ends both ways at once; one half closed by a peer lets the other finish.
        if over.load(Ordering::Relaxed) {
            break;
        }
    }
    if faults.borrow().reset {
        for half in [ends.0, ends.1].into_iter().flatten() {
            let _ = half.0.as_ref().set_zero_linger();
        }
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    shared: Shared,
    over: &AtomicBool,
) -> (OwnedReadHalf, OwnedWriteHalf) {
    let mut faults = shared.faults.subscribe();
    let mut passed = 0_u64;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if faults.wait_for(|f| !f.stall).await.is_err() {
            return (from, to);
        }
        let Ok(n) = from.read(&mut buffer).await else { break };
        if n == 0 {
            break;
        }
        // A stall that began while we waited for this piece holds it back too.
        let Ok(now) = faults.wait_for(|f| !f.stall).await.map(|f| f.clone()) else { break };
        let delay = if way == Way::ToServer { now.delay_to_server } else { now.delay_to_client };
        let narrow = now.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(n as f64 / rate.max(1) as f64));
        if !(delay + narrow).is_zero() {
            tokio::time::sleep(delay + narrow).await;
        }
        let mut piece = &buffer[..n];
        if way == Way::ToClient
            && let Some(limit) = now.cut_after
        {
            let room = usize::try_from(limit.saturating_sub(passed)).unwrap_or(usize::MAX);
            if room < piece.len() {
                piece = &piece[..room];
                let _ = to.write_all(piece).await;
                shared.passed.fetch_add(piece.len() as u64, Ordering::Relaxed);
                over.store(true, Ordering::Relaxed);
                return (from, to);
            }
        }
        if to.write_all(piece).await.is_err() {
            break;
        }
        passed += piece.len() as u64;
        if way == Way::ToClient {
            shared.passed.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    }
    let _ = to.shutdown().await;
    (from, to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    /// A server that sends `size` bytes to whoever asks.
    async fn source(size: usize) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move { stream.write_all(&vec![7; size]).await });
            }
        });
        port
    }

    async fn read_all(port: u16) -> std::io::Result<usize> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        Ok(bytes.len())
    }

    #[tokio::test]
    async fn passes_cuts_refuses_and_stalls() {
        let proxy = FaultProxy::start(source(300_000).await).await.unwrap();
        assert_eq!(read_all(proxy.port()).await.unwrap(), 300_000);
        proxy.set(|f| f.cut_after = Some(100_001));
        assert_eq!(read_all(proxy.port()).await.unwrap_or(100_001), 100_001);
        proxy.set(|f| f.refuse = true);
        assert!(matches!(read_all(proxy.port()).await, Ok(0) | Err(_)));
        proxy.set(|f| *f = Faults { stall: true, ..Faults::default() });
        let stalled = tokio::time::timeout(Duration::from_millis(200), read_all(proxy.port())).await;
        assert!(stalled.is_err());
        assert_eq!(proxy.connections(), 4);
    }
}
