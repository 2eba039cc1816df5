//! Runs: the row from the first moment, the queue, the ticker, the end.

mod backup;
mod begun;
mod download;
mod end;
mod failures;
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
mod slot;
mod sweep;
mod sync;
mod thaw;
mod ticker;
mod verify;

pub(crate) use locks::{HeldLock, RunLocks};
pub(crate) use progress::{KEPT_PROBLEMS, RunProgress};
use slot::{Slot, Slots};

use crate::backstay::{Inner, locked};
use crate::words::{run_kind_word, run_state_word};
use backstay_contract::Event;
use backstay_core::context::Progress;
use backstay_core::run::{Phase, Run, RunCounts, RunKind, RunState};
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, PlanId, Result, RunContext, RunId, ServerId};
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A cancelled run that does not end by itself is ended from outside after this.
const CANCEL_GRACE: Duration = Duration::from_secs(20);
/// Work that must not be cut is waited for so long: each of its commands gives up a lock after a minute.
const UNBROKEN_LIMIT: Duration = Duration::from_secs(15 * 60);

/// The runs of this process.
#[derive(Default)]
pub(crate) struct Registry {
    live: Mutex<HashMap<RunId, Arc<LiveRun>>>,
    slots: Slots,
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
    /// Held until its work has ended, just before the last row is written.
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
    slot: Arc<Slot>,
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
        let (plan_lock, subject) = (start.plan_lock, start.subject);
        tokio::spawn(async move { inner.supervise(&live, work, &subject, plan_lock, lock).await });
        Ok(id)
    }

    /// Waits for a slot, runs the work beside the ticker, writes how it ended.
    async fn supervise<F>(
        self: &Arc<Self>,
        live: &Arc<LiveRun>,
        work: impl FnOnce(Job) -> F,
        subject: &str,
        plan_lock: Option<HeldLock>,
        run_lock: Option<HeldLock>,
    ) where
        F: Future<Output = Result<Finish>> + Send + 'static,
    {
        let over = CancellationToken::new();
        let ticker = tokio::spawn(self.clone().tick(live.clone(), over.clone()));
        let outcome = self.wait_and_work(live, work).await;
        over.cancel();
        let _ = ticker.await;
        // Nothing is at work any more. Whoever reads in the row that the run ended may start the plan anew at once.
        drop(plan_lock);
        let row = self.store_end(live, outcome);
        let action = format!("{}.end", run_kind_word(row.kind));
        if let Err(error) = self.audit(&action, subject, run_state_word(row.state)) {
            tracing::error!(%error, "the end of a run is missing in the audit log");
        }
        // Row and audit entry are durable: until here, a process that was killed left an interrupted run.
        drop(run_lock);
        self.announce_end(live, &row);
        self.notify_end(&row).await;
    }

    async fn wait_and_work<F>(self: &Arc<Self>, live: &Arc<LiveRun>, work: impl FnOnce(Job) -> F) -> Result<Finish>
    where
        F: Future<Output = Result<Finish>> + Send + 'static,
    {
        let slot = Arc::new(self.registry.slots.slot());
        tokio::select! {
            biased;
            () = live.cancel.cancelled() => return Err(Error::cancelled()),
            taken = slot.take() => taken?,
        }
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
        let job = Job { id, inner: self.clone(), ctx, progress: live.progress.clone(), slot: slot.clone() };
        let mut task = tokio::spawn(work(job));
        let ended = tokio::select! {
            ended = &mut task => Some(ended),
            () = had_its_time(&live.cancel, &unbroken) => None,
        };
        if ended.is_none() {
            task.abort();
            let _ = task.await;
        }
        slot.leave();
        let Some(ended) = ended else { return Err(Error::cancelled()) };
        // A panic below is a fault of ours, but it must end one run, not the program.
        ended.map_err(|e| Error::new(ErrorClass::Internal, "The run ended by a fault of Backstay").source(e))?
    }

    pub(crate) fn emit_run(&self, live: &LiveRun) {
        let row = locked(&live.row).clone();
        self.emit(Event::Run { run: self.run_row(&row) });
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
