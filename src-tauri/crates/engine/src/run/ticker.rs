//! What goes on beside a run: its progress is sent, what it notes is stored, silence and a cancel are seen.

use super::{LiveRun, RunProgress};
use crate::backstay::{Inner, locked};
use backstay_contract::Event;
use backstay_core::RunId;
use backstay_core::run::RunState;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Progress of one run: eight a second, so that with the turns it takes no second has more than ten events.
const TICK: Duration = Duration::from_millis(125);
/// Problems and log lines rest in memory for at most so many ticks.
const FLUSH_TICKS: u32 = 4;
/// Ticks between two rewrites of a running row, for those who read rows only.
const ROW_TICKS: u32 = 16;

impl Inner {
    /// Sends progress, writes problems and log lines, watches for silence and for a cancel from another process.
    pub(super) async fn tick(self: Arc<Self>, live: Arc<LiveRun>, over: CancellationToken) {
        let stall = self.parts.minute() * self.settings().unwrap_or_default().stall_minutes;
        let id = locked(&live.row).id.clone();
        let mut last = None;
        let mut ticks = 0_u32;
        let mut timer = tokio::time::interval(TICK);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = over.cancelled() => return,
                _ = timer.tick() => {}
            }
            let view = live.progress.view();
            if last.as_ref() != Some(&view) {
                self.emit(Event::Progress { progress: view.clone() });
                last = Some(view);
            }
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(FLUSH_TICKS) {
                self.flush(&id, &live.progress);
                if self.locks.cancel_asked(&id) {
                    live.cancel.cancel();
                }
            }
            if ticks.is_multiple_of(ROW_TICKS) {
                self.refresh_row(&live);
            }
            let waiting = locked(&live.row).state == RunState::Waiting;
            if !stall.is_zero() && !waiting && live.progress.silent_for() > stall {
                live.stalled.store(true, Ordering::Relaxed);
                live.cancel.cancel();
            }
        }
    }

    pub(super) fn flush(&self, id: &RunId, progress: &RunProgress) {
        let (problems, lines) = progress.take_new();
        let written = if problems.is_empty() { Ok(()) } else { self.store.add_problems(id, &problems) };
        let logged = if lines.is_empty() { Ok(()) } else { self.store.add_log(id, &lines) };
        if let Err(error) = written.and(logged) {
            tracing::error!(%error, "problems or log lines of a run could not be stored");
        }
    }

    fn refresh_row(&self, live: &LiveRun) {
        let mut row = locked(&live.row);
        row.problems = live.progress.spoiling();
        if row.state == RunState::Running
            && let Err(error) = self.store.update_run(&row)
        {
            tracing::warn!(%error, "a run's row could not be renewed");
        }
    }
}
