//! All bytes pass the traffic, in small pieces.

use super::{key, noise};
use async_trait::async_trait;
use backstay_core::destination::{Destination, Direction, PIECE, Traffic, WriteMode};
use backstay_core::entry::ByteStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::io::AsyncReadExt;

/// Traffic that counts.
#[derive(Debug, Default)]
pub struct CountingTraffic {
    up: AtomicU64,
    down: AtomicU64,
    largest: AtomicUsize,
}

impl CountingTraffic {
    /// Returns the bytes that passed in a direction since it was asked last.
    pub fn take(&self, direction: Direction) -> u64 {
        let count = if direction == Direction::Up { &self.up } else { &self.down };
        count.swap(0, Ordering::Relaxed)
    }
    /// Returns the largest piece so far.
    pub fn largest(&self) -> usize {
        self.largest.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Traffic for CountingTraffic {
    async fn pass(&self, direction: Direction, bytes: usize) {
        let count = if direction == Direction::Up { &self.up } else { &self.down };
        count.fetch_add(bytes as u64, Ordering::Relaxed);
        self.largest.fetch_max(bytes, Ordering::Relaxed);
    }
}

/// Checks that every content byte passes the traffic once each way, in pieces of at most [`PIECE`]. `make` opens an empty
/// destination with this traffic. Signatures, headers and listings may add a little.
pub async fn traffic_sees_every_byte<F, Made>(make: F)
where
    F: Fn(Arc<dyn Traffic>) -> Made,
    Made: Future<Output = Arc<dyn Destination>>,
{
    let traffic = Arc::new(CountingTraffic::default());
    let destination = make(Arc::<CountingTraffic>::clone(&traffic)).await;
    let content = noise(1, 3_000_000);
    let size = content.len() as u64;
    let about = |direction: Direction, what: &str| {
        let passed = traffic.take(direction);
        assert!((size..size + size / 10).contains(&passed), "{what}: {passed} of {size} bytes passed");
    };
    destination.put(&key("t/put"), content.clone(), WriteMode::CreateNew).await.unwrap();
    about(Direction::Up, "put");
    let stream: ByteStream = Box::new(std::io::Cursor::new(content.clone()));
    destination.put_stream(&key("t/stream"), stream, WriteMode::CreateNew).await.unwrap();
    about(Direction::Up, "put_stream");
    let upload = destination.begin_upload(&key("t/parts"), Some(size)).await.unwrap();
    let part_bytes = upload.part_bytes(1).min(size) as usize;
    let part = upload.put_part(1, 0, content.slice(..part_bytes)).await.unwrap();
    let passed = traffic.take(Direction::Up);
    assert!((part.size_bytes..part.size_bytes * 11 / 10 + 1).contains(&passed), "put_part: {passed} bytes passed");
    upload.abort().await.unwrap();
    traffic.take(Direction::Down);
    assert!(destination.get(&key("t/put"), None).await.unwrap() == content);
    about(Direction::Down, "get");
    let mut read = Vec::new();
    destination.get_stream(&key("t/stream"), 0).await.unwrap().read_to_end(&mut read).await.unwrap();
    assert!(read == content);
    about(Direction::Down, "get_stream");
    destination.get(&key("t/put"), Some(1000..501_000)).await.unwrap();
    let passed = traffic.take(Direction::Down);
    assert!((500_000..600_000).contains(&passed), "a range: {passed} bytes passed");
    assert!((1..=PIECE).contains(&traffic.largest()), "a piece of {} bytes", traffic.largest());
}
