//! How many calls a store bears at the same time: fewer each time it asks to slow down, slowly more while it does not.

use backstay_core::ErrorClass;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A limit this high is none.
const NO_LIMIT: f64 = 64.0;
/// Calls that are refused together count as one sign.
const ONE_SIGN: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Default)]
struct State {
    /// `None` until a store asks to slow down.
    limit: Option<f64>,
    in_use: usize,
    cut: Option<Instant>,
}

/// A call under way.
pub(super) struct Pass<'a>(&'a Gate);

impl Gate {
    pub(super) async fn enter(&self) -> Pass<'_> {
        loop {
            let freed = self.freed.notified();
            {
                let mut state = self.state();
                if state.limit.is_none_or(|limit| (state.in_use as f64) < limit.floor().max(1.0)) {
                    state.in_use += 1;
                    return Pass(self);
                }
            }
            freed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Notes how the call ended.
    pub(super) fn leave(self, failed: Option<ErrorClass>) {
        let mut state = self.0.state();
        match failed {
            Some(ErrorClass::Throttled) => {
                if state.cut.is_none_or(|cut| cut.elapsed() >= ONE_SIGN) {
                    let before = state.limit.unwrap_or(NO_LIMIT).min(state.in_use as f64);
                    state.limit = Some((before / 2.0).max(1.0));
                    state.cut = Some(Instant::now());
                }
            }
            Some(_) => {}
            None => {
                state.limit = state.limit.map(|limit| limit + 1.0 / limit).filter(|limit| *limit < NO_LIMIT);
            }
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.state().in_use -= 1;
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn halves_when_told_to_slow_down_and_recovers() {
        let gate = Gate::default();
        let mut passes = Vec::new();
        for _ in 0..8 {
            passes.push(gate.enter().await);
        }
        for pass in passes {
            pass.leave(Some(ErrorClass::Throttled));
        }
        assert_eq!(gate.state().limit, Some(4.0), "refused together is one sign");
        let held = [gate.enter().await, gate.enter().await, gate.enter().await, gate.enter().await];
        let fifth = tokio::time::timeout(Duration::from_secs(5), gate.enter()).await;
        assert!(fifth.is_err(), "the fifth waits");
        drop(held);
        for _ in 0..3000 {
            gate.enter().await.leave(None);
        }
        assert_eq!(gate.state().limit, None);
        assert_eq!(gate.state().in_use, 0);
    }
}
