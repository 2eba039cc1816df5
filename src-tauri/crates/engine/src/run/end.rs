//! How a run ends: its last row, who hears of it, and the runs whose process is gone.

use super::rows::next_step;
use super::{Finish, LiveRun};
use crate::backstay::{Inner, locked};
use crate::words::{run_kind_word, run_state_word, size_text};
use backstay_contract::{Event, RunRow};
use backstay_core::context::Progress;
use backstay_core::run::{Run, RunKind, RunState, StoredError};
use backstay_core::store::RunQuery;
use backstay_core::{Error, ErrorClass, Result};
use std::sync::atomic::Ordering;

impl Inner {
    /// Writes the final row.
    pub(super) fn store_end(&self, live: &LiveRun, outcome: Result<Finish>) -> Run {
        let mut row = locked(&live.row).clone();
        let outcome = outcome.map_err(|error| self.end_error(live, error));
        if let Err(error) = &outcome {
            live.progress.log(&error.message);
        }
        self.flush(&row.id, &live.progress);
        row.problems = live.progress.spoiling();
        row.ended = Some(self.clock.now());
        match outcome {
            Ok(finish) => {
                row.state = if row.problems > 0 { RunState::DoneWithProblems } else { RunState::Done };
                row.counts = finish.counts;
                row.result = finish.result;
                row.backup = finish.backup.or(row.backup);
            }
            Err(error) if error.is_cancelled() => row.state = RunState::Cancelled,
            Err(error) => {
                row.state = RunState::Failed;
                row.error = Some(StoredError::from(&error));
            }
        }
        if let Err(error) = self.store.update_run(&row) {
            tracing::error!(%error, "the end of a run could not be stored");
        }
        *locked(&live.row) = row.clone();
        row
    }

    /// Sends the last progress and the final row, and what else is to be read anew.
    pub(super) fn announce_end(&self, live: &LiveRun, row: &Run) {
        live.progress.finish();
        self.emit(Event::Progress { progress: live.progress.view() });
        self.locks.forget_cancel(&row.id);
        let last = RunRow { progress: None, ..self.run_row(row) };
        {
            // At one moment: whoever finds the run gone has its last events, and whoever has these finds it gone.
            let mut runs = locked(&self.registry.live);
            runs.remove(&row.id);
            self.emit(Event::Run { run: last });
        }
        let changed: &[&str] = match row.kind {
            RunKind::Backup => &["backups", "plans", "servers", "destinations"],
            RunKind::Verify => &["backups", "servers", "destinations"],
            RunKind::Restore => &["servers"],
            RunKind::Download => &[],
            RunKind::Sync => &["backups", "plans", "destinations"],
            RunKind::Prune => &["destinations"],
        };
        changed.iter().for_each(|what| self.changed(what));
    }

    /// Names why a run ended: silence is not the user's cancel, and after a cancel nothing else matters.
    fn end_error(&self, live: &LiveRun, error: Error) -> Error {
        if live.stalled.load(Ordering::Relaxed) {
            let minutes = self.settings().unwrap_or_default().stall_minutes;
            let title = locked(&live.row).title.clone();
            return Error::new(
                ErrorClass::TimedOut,
                format!("Stopped \"{title}\": nothing moved for {minutes} minutes"),
            )
            .hint("Check the server's load and the connection; the limit is in Settings");
        }
        if live.cancel.is_cancelled() { Error::cancelled() } else { error }
    }

    pub(super) async fn notify_end(&self, row: &Run) {
        let wanted = match self.settings().unwrap_or_default().notify.as_str() {
            "never" => false,
            "always" => row.state != RunState::Cancelled,
            _ => matches!(row.state, RunState::DoneWithProblems | RunState::Failed),
        };
        if !wanted {
            return;
        }
        let what = match row.kind {
            RunKind::Backup => "Backup",
            RunKind::Restore => "Restore",
            RunKind::Download => "Download",
            RunKind::Verify => "Check",
            RunKind::Sync => "Sync",
            RunKind::Prune => "Freeing up space",
        };
        let body = match row.state {
            RunState::Done => format!("Done: {}", size_text(row.counts.bytes)),
            RunState::DoneWithProblems => {
                format!("Done with {}", crate::words::count_text(row.problems, "problem", "problems"))
            }
            _ => row.error.as_ref().map(|e| e.message.clone()).unwrap_or_else(|| "It failed".into()),
        };
        let title = format!("{what} \"{}\"", row.title);
        let parts = self.parts.clone();
        let shown = tokio::task::spawn_blocking(move || parts.notify(&title, &body)).await;
        if let Ok(Err(error)) = shown {
            tracing::info!(%error, "a notification could not be shown");
        }
    }

    /// Marks the runs whose process is gone as interrupted. Cheap: there are few runs that are not over.
    pub fn sweep_interrupted(&self) -> Result<()> {
        let open = self.store.runs(&RunQuery { active_only: true, limit: 1000, ..RunQuery::default() })?;
        for run in open.rows {
            if self.registry.get(&run.id).is_some() || self.locks.is_alive(&run.id) {
                continue;
            }
            // It may have ended between the two looks: its last row was written before its lock went.
            let mut run = self.store.run(&run.id)?;
            if run.state.is_over() {
                continue;
            }
            run.state = RunState::Interrupted;
            run.ended = Some(self.clock.now());
            let mut error = Error::new(
                ErrorClass::Cancelled,
                format!("\"{}\" was cut short: Backstay ended while it ran", run.title),
            );
            error.hint = next_step(&run, false);
            run.error = Some(StoredError::from(&error));
            self.store.update_run(&run)?;
            self.locks.forget(&run.id);
            self.audit(&format!("{}.end", run_kind_word(run.kind)), &run.title, run_state_word(run.state))?;
            self.emit(Event::Run { run: self.run_row(&run) });
        }
        Ok(())
    }
}
