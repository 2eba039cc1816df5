//! A TCP proxy that misbehaves on demand: slow, narrow, cut, stalled, reset, refusing. It needs no root.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
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
    sent: Arc<AtomicU64>,
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
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), SocketAddr::from(([127, 0, 0, 1], target_port))).await
    }

    /// Starts a proxy at an address of this machine, in front of another, without faults.
    pub async fn start_at(listen: SocketAddr, target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let port = listener.local_addr()?.port();
        let faults = Arc::new(watch::channel(Faults::default()).0);
        let (cut, cut_seen) = watch::channel(CancellationToken::new());
        let passed = Arc::new(AtomicU64::new(0));
        let sent = Arc::new(AtomicU64::new(0));
        let connections = Arc::new(AtomicU64::new(0));
        let shared = Shared { faults: faults.clone(), passed: passed.clone(), sent: sent.clone() };
        let counter = connections.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                if shared.faults.borrow().refuse {
                    continue;
                }
                let token = cut_seen.borrow().clone();
                tokio::spawn(connection(client, target, shared.clone(), token));
            }
        });
        Ok(Self { port, faults, cut, passed, sent, connections, task })
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
    /// Returns how many bytes went to the server so far.
    pub fn sent_bytes(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
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
    sent: Arc<AtomicU64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    ToServer,
    ToClient,
}

async fn connection(client: TcpStream, target: SocketAddr, shared: Shared, cut: CancellationToken) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let over = cut.child_token();
    let (mut client_read, mut client_write) = client.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    tokio::select! {
        () = over.cancelled() => {}
        // One half closed by a peer lets the other finish.
        _ = async { tokio::join!(
            pass(&mut client_read, &mut server_write, Way::ToServer, &shared, &over),
            pass(&mut server_read, &mut client_write, Way::ToClient, &shared, &over),
        ) } => {}
    }
    if over.is_cancelled() && shared.faults.borrow().reset {
        let _ = (client_read.as_ref().set_zero_linger(), server_read.as_ref().set_zero_linger());
    }
}

/// Pieces on their way: with the delay this is how much the "line" holds, 4 MiB.
const ON_THE_WAY: usize = 256;

async fn pass(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, way: Way, shared: &Shared, over: &CancellationToken) {
    let mut faults = shared.faults.subscribe();
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let take_in = async move {
        let mut buffer = vec![0; 16 * 1024];
        while faults.wait_for(|f| !f.stall).await.is_ok() {
            let Ok(n) = from.read(&mut buffer).await else { break };
            if n == 0 {
                break;
            }
            let now = faults.borrow().clone();
            let narrow = now.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(n as f64 / rate.max(1) as f64));
            if !narrow.is_zero() {
                tokio::time::sleep(narrow).await;
            }
            let delay = if way == Way::ToServer { now.delay_to_server } else { now.delay_to_client };
            if sender.send((Instant::now() + delay, buffer[..n].to_vec())).await.is_err() {
                break;
            }
        }
    };
    let mut faults = shared.faults.subscribe();
    let hand_out = async move {
        let mut passed = 0_u64;
        while let Some((due, piece)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            // A stall that began while this piece was on its way holds it back too.
            let Ok(cut_after) = faults.wait_for(|f| !f.stall).await.map(|f| f.cut_after) else { break };
            let limit = cut_after.filter(|_| way == Way::ToClient).unwrap_or(u64::MAX);
            let room = usize::try_from(limit.saturating_sub(passed)).unwrap_or(usize::MAX).min(piece.len());
            let written = to.write_all(&piece[..room]).await;
            passed += room as u64;
            let counter = if way == Way::ToClient { &shared.passed } else { &shared.sent };
            counter.fetch_add(room as u64, Ordering::Relaxed);
            if room < piece.len() || written.is_err() {
                over.cancel();
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(take_in, hand_out);
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
        // A long way delays the start, not every piece anew.
        proxy.set(|f| *f = Faults { delay_to_client: Duration::from_millis(50), ..Faults::default() });
        let start = Instant::now();
        assert_eq!(read_all(proxy.port()).await.unwrap(), 300_000);
        assert!(start.elapsed() >= Duration::from_millis(50));
        proxy.set(|f| f.refuse = true);
        assert!(matches!(read_all(proxy.port()).await, Ok(0) | Err(_)));
        proxy.set(|f| *f = Faults { stall: true, ..Faults::default() });
        let stalled = tokio::time::timeout(Duration::from_millis(200), read_all(proxy.port())).await;
        assert!(stalled.is_err());
        assert_eq!(proxy.connections(), 5);
    }
}
