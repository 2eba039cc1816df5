//! Counts bytes and remembers the last sign of life.

use async_trait::async_trait;
use backstay_core::destination::{Direction, Traffic};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Traffic that counts what passes, before it hands it on.
pub struct Meter {
    next: Arc<dyn Traffic>,
    began: Instant,
    sent: AtomicU64,
    received: AtomicU64,
    /// Milliseconds from `began` to the last sign of life.
    last: AtomicU64,
    /// Pieces a limit holds back now: whoever waits for them is not silent.
    held: AtomicUsize,
}

impl Meter {
    /// Makes a meter in front of other traffic.
    pub fn new(next: Arc<dyn Traffic>) -> Arc<Self> {
        Arc::new(Self {
            next,
            began: Instant::now(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            last: AtomicU64::new(0),
            held: AtomicUsize::new(0),
        })
    }
    /// Returns how many bytes went to the destination, tries that failed included.
    pub fn sent_bytes(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
    /// Returns how many bytes came from the destination.
    pub fn received_bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
    /// Returns when the last piece passed or the server answered last, or when the meter was made.
    pub fn last_activity(&self) -> Instant {
        self.began + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }
    /// Tells whether a limit holds something back now.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed) > 0
    }
}

#[async_trait]
impl Traffic for Meter {
    async fn pass(&self, direction: Direction, bytes: usize) {
        {
            let _held = Held::new(&self.held);
            self.next.pass(direction, bytes).await;
        }
        let count = if direction == Direction::Up { &self.sent } else { &self.received };
        count.fetch_add(bytes as u64, Ordering::Relaxed);
        self.alive();
    }

    fn alive(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.fetch_max(since, Ordering::Relaxed);
    }
}

/// One piece held back; counted off even when its future is dropped.
struct Held<'a>(&'a AtomicUsize);

impl<'a> Held<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
