//! Turns: who may have a session now. Whoever has waited for long asks those who can do without theirs for a while.

use backstay_core::{Error, ErrorClass, Result};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// As many turns as there may be sessions.
pub(super) struct Turns {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    asked: Notify,
    patience: Duration,
}

/// One who waits; counted off even when it gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    /// Whoever has waited for `patience` asks for a turn, and again after as long.
    pub(super) fn new(count: usize, patience: Duration) -> Self {
        let (permits, waiting) = (Arc::new(Semaphore::new(count)), AtomicUsize::new(0));
        Self { permits, waiting, asked: Notify::new(), patience }
    }

    /// Returns how many are free.
    pub(super) fn free(&self) -> usize {
        self.permits.available_permits()
    }

    /// Takes one if one is free.
    pub(super) fn try_take(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().try_acquire_owned().ok()
    }

    /// Waits for one. Whoever came first goes first.
    pub(super) async fn take(&self) -> Result<OwnedSemaphorePermit> {
        let _waiting = Waiting::new(&self.waiting);
        let mut turn = pin!(self.permits.clone().acquire_owned());
        loop {
            match tokio::time::timeout(self.patience, turn.as_mut()).await {
                Ok(taken) => {
                    let closed = |_| Error::new(ErrorClass::Internal, "The FTP connections were closed");
                    return taken.map_err(closed);
                }
                Err(_) => self.asked.notify_one(),
            }
        }
    }

    /// Waits until somebody wants the turn that was taken at `since`. That is never before it lasted for as long as the
    /// other waited: with more who want one than there are, each would else give it up before it was of any use.
    pub(super) async fn is_wanted(&self, since: Instant) {
        tokio::time::sleep_until(since + self.patience).await;
        loop {
            self.asked.notified().await;
            // Whoever asked may have got another one meanwhile, or given up.
            if self.waiting.load(Ordering::Relaxed) > 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use tokio::time::timeout;

    const PATIENCE: Duration = Duration::from_secs(10);
    const LONG: Duration = Duration::from_secs(3600);

    fn one_turn() -> Arc<Turns> {
        Arc::new(Turns::new(1, PATIENCE))
    }

    /// Waits for a turn, and gives it back at once.
    fn another(turns: &Arc<Turns>) -> tokio::task::JoinHandle<Result<()>> {
        let turns = turns.clone();
        tokio::spawn(async move { turns.take().await.map(drop) })
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_waited_for_long_asks_and_is_given() {
        let turns = one_turn();
        let (mine, since) = (turns.take().await.unwrap(), Instant::now());
        assert!(timeout(LONG, turns.is_wanted(since)).await.is_err(), "nobody waits");
        let (other, began) = (another(&turns), Instant::now());
        turns.is_wanted(since).await;
        assert!((PATIENCE..PATIENCE * 2).contains(&began.elapsed()));
        assert!(timeout(PATIENCE * 2, turns.is_wanted(since)).await.is_ok(), "it asks again");
        drop(mine);
        other.await.unwrap().unwrap();
        assert_eq!(turns.free(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_for_and_got_elsewhere_is_not_wanted_any_more() {
        let turns = one_turn();
        let mine = turns.take().await.unwrap();
        let other = another(&turns);
        tokio::time::sleep(PATIENCE * 3).await;
        drop(mine);
        other.await.unwrap().unwrap();
        let _mine = turns.take().await.unwrap();
        assert!(timeout(LONG, turns.is_wanted(Instant::now())).await.is_err());
        let third = another(&turns);
        tokio::time::sleep(PATIENCE * 3).await;
        third.abort();
        assert!(timeout(LONG, turns.is_wanted(Instant::now())).await.is_err(), "nor what was given up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_lasts_for_a_while_whoever_waits() {
        let turns = one_turn();
        let mine = turns.take().await.unwrap();
        let others = [another(&turns), another(&turns)];
        tokio::time::sleep(PATIENCE * 3).await;
        let since = Instant::now();
        turns.is_wanted(since).await;
        assert!(since.elapsed() >= PATIENCE);
        drop(mine);
        for other in others {
            other.await.unwrap().unwrap();
        }
    }
}
