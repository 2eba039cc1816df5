//! Runs: the row from the first moment, the queue, the ticker, the end.

mod backup;
mod begun;
mod download;
mod journal;
mod keep_locks;
mod leg;
mod leg_place;
mod legs;
mod locks;
mod mend;
mod progress;
mod prune;
mod request;
mod restore;
mod rows;
mod sweep;
mod sync;
mod thaw;
mod verify;

pub(crate) use locks::{HeldLock, RunLocks};
pub(crate) use progress::RunProgress;

use crate::backstay::{Inner, locked};
use crate::words::{run_kind_word, run_state_word, size_text};
use backstay_contract::Event;
use backstay_core::context::Progress;
use backstay_core::run::{Phase, Run, RunCounts, RunKind, RunState, StoredError};
use backstay_core::store::RunQuery;
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, PlanId, Result, RunContext, RunId, ServerId};
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// At most so many runs work at once; the others wait. More would only fight for the same link and disk.
const AT_ONCE: usize = 3;
/// Progress of one run: eight a second, so that with the turns it takes no second has more than ten events.
const TICK: Duration = Duration::from_millis(125);
/// Problems and log lines rest in memory for at most so many ticks.
const FLUSH_TICKS: u32 = 4;
/// Ticks between two rewrites of a running row, for those who read rows only.
const ROW_TICKS: u32 = 16;
/// A cancelled run that does not end by itself is ended from outside after this.
const CANCEL_GRACE: Duration = Duration::from_secs(20);
/// Work that must not be cut is waited for so long: each of its commands gives up a lock after a minute.
const UNBROKEN_LIMIT: Duration = Duration::from_secs(15 * 60);

/// The runs of this process.
pub(crate) struct Registry {
    live: Mutex<HashMap<RunId, Arc<LiveRun>>>,
    slots: Arc<Semaphore>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { live: Mutex::default(), slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Registry {
    /// Returns a run of this process that is not over.
    pub fn get(&self, id: &RunId) -> Option<Arc<LiveRun>> {
        locked(&self.live).get(id).cloned()
    }

    /// Returns the runs of this process that are not over.
    pub fn ids(&self) -> Vec<RunId> {
        locked(&self.live).keys().cloned().collect()
    }
}

/// A run that is not over.
pub(crate) struct LiveRun {
    pub progress: Arc<RunProgress>,
    pub cancel: CancellationToken,
    stalled: AtomicBool,
    row: Mutex<Run>,
}

/// What is known of a run before it begins.
pub(crate) struct RunStart {
    pub kind: RunKind,
    pub title: String,
    pub plan: Option<PlanId>,
    pub server: Option<ServerId>,
    pub destination: Option<DestinationId>,
    pub backup: Option<BackupId>,
    /// Held until the run is over.
    pub plan_lock: Option<HeldLock>,
    /// What the audit log names it.
    pub subject: String,
}

/// What a run that reached its end hands back.
#[derive(Default)]
pub(crate) struct Finish {
    pub counts: RunCounts,
    pub backup: Option<BackupId>,
    pub result: Option<String>,
}

/// What a run's work is given.
#[derive(Clone)]
pub(crate) struct Job {
    id: RunId,
    pub inner: Arc<Inner>,
    pub ctx: RunContext,
    pub progress: Arc<RunProgress>,
}

impl Inner {
    /// Makes the run's row and starts its work in the background. Returns as soon as the row is durable.
    pub fn start_run<F>(
        self: &Arc<Self>,
        start: RunStart,
        work: impl FnOnce(Job) -> F + Send + 'static,
    ) -> Result<RunId>
    where
        F: Future<Output = Result<Finish>> + Send + 'static,
    {
        let id = RunId::random();
        let lock = self.locks.hold_run(&id)?;
        let row = Run {
            id: id.clone(),
            kind: start.kind,
            state: RunState::Waiting,
            title: start.title,
            plan: start.plan,
            server: start.server,
            destination: start.destination,
            backup: start.backup,
            created: self.clock.now(),
            started: None,
            ended: None,
            counts: RunCounts::default(),
            problems: 0,
            error: None,
            result: None,
        };
        self.audit(&format!("{}.start", run_kind_word(row.kind)), &start.subject, "ok")?;
        self.store.insert_run(&row)?;
        let progress = Arc::new(RunProgress::new(id.clone(), self.clock.clone()));
        let live = Arc::new(LiveRun {
            progress,
            cancel: CancellationToken::new(),
            stalled: AtomicBool::new(false),
            row: Mutex::new(row),
        });
        locked(&self.registry.live).insert(id.clone(), live.clone());
        self.emit_run(&live);
        let inner = self.clone();
        let (locks, subject) = ((start.plan_lock, lock), start.subject);
        tokio::spawn(async move { inner.supervise(&live, work, &subject, locks).await });
        Ok(id)
    }

    /// Waits for a slot, runs the work beside the ticker, writes how it ended.
    async fn supervise<F>(
        self: &Arc<Self>,
        live: &Arc<LiveRun>,
        work: impl FnOnce(Job) -> F,
        subject: &str,
        locks: (Option<HeldLock>, Option<HeldLock>),
    ) where
        F: Future<Output = Result<Finish>> + Send + 'static,
    {
        let over = CancellationToken::new();
        let ticker = tokio::spawn(self.clone().tick(live.clone(), over.clone()));
        let outcome = self.wait_and_work(live, work).await;
        over.cancel();
        let _ = ticker.await;
        let row = self.store_end(live, outcome);
        let action = format!("{}.end", run_kind_word(row.kind));
        if let Err(error) = self.audit(&action, subject, run_state_word(row.state)) {
            tracing::error!(%error, "the end of a run is missing in the audit log");
        }
        // Row and audit entry are durable: who hears of the end may start anew, or end the program.
        drop(locks);
        self.announce_end(live, &row);
        self.notify_end(&row).await;
    }

    async fn wait_and_work<F>(self: &Arc<Self>, live: &Arc<LiveRun>, work: impl FnOnce(Job) -> F) -> Result<Finish>
    where
        F: Future<Output = Result<Finish>> + Send + 'static,
    {
        let slots = self.registry.slots.clone();
        let _slot = tokio::select! {
            biased;
            () = live.cancel.cancelled() => return Err(Error::cancelled()),
            slot = slots.acquire_owned() => slot.map_err(|e| Error::new(ErrorClass::Internal, "No slot for the run").source(e))?,
        };
        {
            let mut row = locked(&live.row);
            row.state = RunState::Running;
            row.started = Some(self.clock.now());
            self.store.update_run(&row)?;
        }
        self.emit_run(live);
        let ctx = RunContext {
            cancel: live.cancel.clone(),
            progress: live.progress.clone(),
            clock: self.clock.clone(),
            ..RunContext::silent()
        };
        let id = locked(&live.row).id.clone();
        let unbroken = ctx.unbroken.clone();
        let mut task = tokio::spawn(work(Job { id, inner: self.clone(), ctx, progress: live.progress.clone() }));
        let ended = tokio::select! {
            ended = &mut task => ended,
            () = had_its_time(&live.cancel, &unbroken) => {
                task.abort();
                let _ = task.await;
                return Err(Error::cancelled());
            }
        };
        // A panic below is a fault of ours, but it must end one run, not the program.
        ended.map_err(|e| Error::new(ErrorClass::Internal, "The run ended by a fault of Backstay").source(e))?
    }

    /// Sends progress, writes problems and log lines, watches for silence and for a cancel from another process.
    async fn tick(self: Arc<Self>, live: Arc<LiveRun>, over: CancellationToken) {
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

    fn flush(&self, id: &RunId, progress: &RunProgress) {
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

    /// Writes the final row.
    fn store_end(&self, live: &LiveRun, outcome: Result<Finish>) -> Run {
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
    fn announce_end(&self, live: &LiveRun, row: &Run) {
        live.progress.finish();
        self.emit(Event::Progress { progress: live.progress.view() });
        locked(&self.registry.live).remove(&row.id);
        self.locks.forget_cancel(&row.id);
        self.emit_run(live);
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

    async fn notify_end(&self, row: &Run) {
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
            RunKind::Prune => "Freeing room",
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

    pub(crate) fn emit_run(&self, live: &LiveRun) {
        let row = locked(&live.row).clone();
        self.emit(Event::Run { run: self.run_row(&row) });
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
            run.error = Some(StoredError::from(
                &Error::new(
                    ErrorClass::Cancelled,
                    format!("\"{}\" was cut short: Backstay ended while it ran", run.title),
                )
                .hint("What was there before is whole; start it again"),
            ));
            self.store.update_run(&run)?;
            self.locks.forget(&run.id);
            self.audit(&format!("{}.end", run_kind_word(run.kind)), &run.title, run_state_word(run.state))?;
            self.emit(Event::Run { run: self.run_row(&run) });
        }
        Ok(())
    }
}

/// Ends when a cancelled run has had its time, and nothing of it is at work that must not be cut.
async fn had_its_time(cancel: &CancellationToken, unbroken: &TaskTracker) {
    cancel.cancelled().await;
    tokio::time::sleep(CANCEL_GRACE).await;
    if !unbroken.is_empty() {
        unbroken.close();
        let _ = tokio::time::timeout(UNBROKEN_LIMIT, unbroken.wait()).await;
        // What it did is yet to be told.
        tokio::time::sleep(CANCEL_GRACE).await;
    }
}

impl Job {
    /// The run's id.
    pub fn id(&self) -> &RunId {
        &self.id
    }
    /// Returns the same job with what it copies shown as the destination's.
    fn copying_to(&self, leg: &Arc<leg::Leg>) -> Self {
        let progress = Arc::new(leg::CopyProgress::new(&self.progress, leg));
        Self { ctx: RunContext { progress, ..self.ctx.clone() }, ..self.clone() }
    }
    /// Says that a phase begins.
    pub fn phase(&self, phase: Phase) {
        self.progress.phase(phase);
    }
    /// Writes a line into the run's log.
    pub fn log(&self, line: impl AsRef<str>) {
        self.progress.log(line.as_ref());
    }
}
