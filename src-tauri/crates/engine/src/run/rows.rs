//! The runs as those who show them see them.

use crate::backstay::{Backstay, Inner, locked};
use crate::words::{millis, parse_run_kind, problem_row, run_kind_word, run_state_word, stored_error};
use backstay_contract::{LogLine, ProblemPage, RunDetail, RunFilter, RunPage, RunRow};
use backstay_core::run::{ProblemKind, Run, RunKind, RunState};
use backstay_core::store::RunQuery;
use backstay_core::{ErrorClass, Result, RunId};

impl Inner {
    /// Returns a run's row, with its live progress if it is one of ours.
    pub(crate) fn run_row(&self, run: &Run) -> RunRow {
        let server_name = run.server.as_ref().and_then(|id| self.store.server(id).ok()).map(|server| server.name);
        let live = self.registry.get(&run.id);
        RunRow {
            id: run.id.to_string(),
            kind: run_kind_word(run.kind).into(),
            state: run_state_word(run.state).into(),
            title: run.title.clone(),
            plan: run.plan.as_ref().map(ToString::to_string),
            server: run.server.as_ref().map(ToString::to_string),
            server_name,
            backup: run.backup.as_ref().map(ToString::to_string),
            created: millis(run.created),
            started: run.started.map(millis),
            ended: run.ended.map(millis),
            problems: run.problems,
            error: run.error.as_ref().map(stored_error),
            files: run.counts.files,
            bytes: run.counts.bytes,
            bytes_read: run.counts.bytes_read,
            bytes_added: run.counts.bytes_added,
            result: run.result.clone(),
            elsewhere: live.is_none() && !run.state.is_over(),
            progress: live.map(|live| live.progress.view()),
            resumable: self.is_resumable(run),
        }
    }
}

impl Backstay {
    /// Returns a page of runs, newest first.
    pub async fn runs(&self, filter: RunFilter) -> Result<RunPage> {
        self.inner.sweep_interrupted()?;
        let query = RunQuery {
            active_only: filter.active,
            plan: filter.plan.map(Into::into),
            server: filter.server.map(Into::into),
            kind: filter.kind.as_deref().map(parse_run_kind).transpose()?,
            until: None,
            offset: filter.offset,
            limit: filter.limit.clamp(1, 1000),
        };
        let page = self.inner.store.runs(&query)?;
        Ok(RunPage { rows: page.rows.iter().map(|run| self.inner.run_row(run)).collect(), total: page.total })
    }

    /// Returns one run whole.
    pub async fn run(&self, id: &str) -> Result<RunDetail> {
        self.inner.sweep_interrupted()?;
        let id = RunId::from(id);
        let run = self.inner.store.run(&id)?;
        let log = self.inner.store.log(&id)?;
        Ok(RunDetail {
            row: self.inner.run_row(&run),
            files_read: run.counts.files_read,
            files_new: run.counts.files_new,
            files_changed: run.counts.files_changed,
            files_deleted: run.counts.files_deleted,
            log: log.into_iter().map(|(at, text)| LogLine { at: millis(at), text }).collect(),
            next: match self.inner.only_copies_lack(&run)? {
                true => None,
                false => next_step(&run, self.inner.is_resumable(&run)),
            },
        })
    }

    /// Returns a page of a run's problems.
    pub async fn run_problems(&self, id: &str, text: &str, offset: u64, limit: u64) -> Result<ProblemPage> {
        let page = self.inner.store.problems(&RunId::from(id), text, offset, limit.clamp(1, 1000))?;
        Ok(ProblemPage { rows: page.rows.iter().map(problem_row).collect(), total: page.total })
    }

    /// Counts the runs this process works on, and those that wait here. What another process of this home runs, such as
    /// the command line's, goes on without us.
    pub fn own_runs(&self) -> usize {
        self.inner.registry.ids().len()
    }

    /// Tells whether this process works on a restore: stopped half way, it leaves its target half old and half new.
    pub fn own_restore(&self) -> bool {
        locked(&self.inner.registry.live).values().any(|live| locked(&live.row).kind == RunKind::Restore)
    }

    /// Cancels the runs of this process, and no other's.
    pub async fn cancel_own_runs(&self) {
        for id in self.inner.registry.ids() {
            if let Err(error) = self.cancel_run(id.as_str()).await {
                tracing::warn!(run = id.as_str(), %error, "a run was not cancelled");
            }
        }
    }

    /// Cancels a run; one that is over already stays as it is.
    pub async fn cancel_run(&self, id: &str) -> Result<()> {
        let id = RunId::from(id);
        let run = self.inner.store.run(&id)?;
        if run.state.is_over() {
            return Ok(());
        }
        self.inner.audit("run.cancel", &run.title, "ok")?;
        match self.inner.registry.get(&id) {
            Some(live) => live.cancel.cancel(),
            None if self.inner.locks.is_alive(&id) => self.inner.locks.ask_cancel(&id)?,
            None => self.inner.sweep_interrupted()?,
        }
        Ok(())
    }
}

impl Inner {
    /// Tells whether nothing is wrong with what a backup read: all that is amiss are copies that did not get somewhere.
    /// What to do about these is said where they are named.
    fn only_copies_lack(&self, run: &Run) -> Result<bool> {
        if (run.kind, run.state) != (RunKind::Backup, RunState::DoneWithProblems) {
            return Ok(false);
        }
        let places: Vec<String> = self.store.destinations()?.into_iter().map(|place| place.name).collect();
        let mut named = self.store.problems(&run.id, "", 0, 1000)?.rows;
        named.retain(|problem| problem.kind.spoils_outcome());
        Ok(named.iter().all(|problem| problem.kind == ProblemKind::Other && places.contains(&problem.subject)))
    }
}

/// Says what to do next, for the report.
pub(super) fn next_step(run: &Run, resumable: bool) -> Option<String> {
    let class = run.error.as_ref().map(|error| error.class);
    let text = match (run.kind, run.state) {
        (_, RunState::Waiting | RunState::Running) => return None,
        (RunKind::Backup, RunState::DoneWithProblems) => {
            "Look at the problems: leave out what need not be backed up, or give Backstay the right to read it"
        }
        (RunKind::Restore, RunState::Done) => {
            "Check that the services on the server work with what was restored, then start those you stopped"
        }
        (RunKind::Restore, RunState::DoneWithProblems) => {
            "Look at the problems: what could not be written is as it was before, but for the damaged files they name; \
             restore just those paths again"
        }
        (RunKind::Verify, RunState::DoneWithProblems) => {
            "Keep what is there, and look at the problems: what is damaged comes back by Sync from a copy at another \
             destination, else from an older backup only. A new backup writes anew what changed, and in a vault what the \
             server still has of it"
        }
        (RunKind::Sync, RunState::DoneWithProblems) => {
            "Look at the problems, connect the destinations they name, then sync again"
        }
        (RunKind::Download, RunState::Cancelled | RunState::Interrupted | RunState::Failed) if resumable => {
            "Go on with it: what came whole is kept"
        }
        (RunKind::Prune, RunState::Cancelled | RunState::Interrupted) => {
            "Every backup is whole; start it again to end the work"
        }
        (_, RunState::Done | RunState::DoneWithProblems) => return None,
        (RunKind::Restore, RunState::Cancelled | RunState::Interrupted) => {
            "The target is partly restored: preview the restore again to see what is left to do"
        }
        (RunKind::Restore, RunState::Failed) if class == Some(ErrorClass::Corrupt) => {
            "Pick the paths that are whole and restore these, or download the backup: that goes on past what is damaged and \
             names it"
        }
        (RunKind::Restore, RunState::Failed) => {
            "Mend the cause, then preview the restore again: it shows what is left to do"
        }
        (_, RunState::Cancelled | RunState::Interrupted) => "What was there before is whole; start it again",
        (_, RunState::Failed) => match class {
            Some(ErrorClass::Offline | ErrorClass::TimedOut) => {
                "Check that the server can be reached, then start it again"
            }
            Some(ErrorClass::Full) => "Make room at the destination, then start it again",
            _ => return run.error.as_ref().and_then(|error| error.hint.clone()),
        },
    };
    Some(text.into())
}
