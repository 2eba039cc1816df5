//! How long and how often.

use backstay_core::{Error, ErrorClass, Result};
use rand::RngExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait between tries, and when to give up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The wait after the first failure; it doubles from try to try.
    pub first_wait: Duration,
    /// The wait after the first time the store asked to slow down.
    pub throttled_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
    /// A call whose first failure lies longer back is given up.
    pub give_up_after: Duration,
}

impl Default for Patience {
    /// Enough for a router that starts anew or a laptop that changes networks.
    fn default() -> Self {
        Self {
            first_wait: Duration::from_millis(500),
            throttled_wait: Duration::from_secs(2),
            longest_wait: Duration::from_secs(20),
            give_up_after: Duration::from_secs(180),
        }
    }
}

/// Told before each wait: what failed, and how long the wait is.
pub type OnRetry = Arc<dyn Fn(&Error, Duration) + Send + Sync>;

/// The tries of one call.
pub(super) struct Tries<'a> {
    label: &'a str,
    patience: &'a Patience,
    on_retry: Option<&'a OnRetry>,
    count: u32,
    first_failure: Option<Instant>,
}

impl<'a> Tries<'a> {
    pub(super) fn new(label: &'a str, patience: &'a Patience, on_retry: Option<&'a OnRetry>) -> Self {
        Self { label, patience, on_retry, count: 0, first_failure: None }
    }

    /// Waits before the next try, or returns the error when another one would not help or took too long.
    pub(super) async fn wait(&mut self, error: Error) -> Result<()> {
        if !error.class.may_retry() {
            return Err(error);
        }
        let first = *self.first_failure.get_or_insert_with(Instant::now);
        self.count += 1;
        let wait = self.next_wait(error.class);
        if first.elapsed() + wait > self.patience.give_up_after {
            return Err(self.give_up(error, first.elapsed()));
        }
        if let Some(on_retry) = self.on_retry {
            on_retry(&error, wait);
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Doubles from try to try; a random share is taken off, so that many callers do not come back at once.
    fn next_wait(&self, class: ErrorClass) -> Duration {
        let slow = class == ErrorClass::Throttled;
        let first = if slow { self.patience.throttled_wait } else { self.patience.first_wait };
        let wait = first.saturating_mul(1 << (self.count - 1).min(16)).min(self.patience.longest_wait);
        wait.mul_f64(rand::rng().random_range(0.5..1.0))
    }

    fn give_up(&self, error: Error, after: Duration) -> Error {
        let tried = format!("{} was tried {} times over {} seconds", self.label, self.count, after.as_secs());
        let detail = error.detail.as_deref().map_or(tried.clone(), |detail| format!("{detail}\n{tried}"));
        error.detail(detail)
    }
}
