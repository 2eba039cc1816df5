//! What a run gives to the code it calls: cancel, clock, progress, problems.

use crate::error::{Error, ErrorClass, Result};
use crate::run::{Phase, Problem};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a silent command shows a sign of life: well within the shortest stall limit, a minute.
const SIGN_EVERY: Duration = Duration::from_secs(15);
/// A command that says nothing for so long is taken for one that hangs. Building the indexes of a very large database, or
/// checking a very large file, takes hours; nothing we start is silent for a day.
const SILENCE_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Takes progress. Called often and from several threads: implementations must be cheap and throttle themselves.
pub trait Progress: Send + Sync {
    /// A phase begins. Totals and counts start anew.
    fn phase(&self, phase: Phase);
    /// The totals became known or better known. `None` leaves a total as it is.
    fn total(&self, files: Option<u64>, bytes: Option<u64>);
    /// More was done.
    fn advance(&self, files: u64, bytes: u64);
    /// What is being worked on now, e.g. a path.
    fn current(&self, what: &str);
    /// One thing went wrong, and the run goes on.
    fn problem(&self, problem: Problem);
    /// A line for the run's log.
    fn log(&self, line: &str);
    /// A sign of life that is no progress: something is at work though nothing can be counted.
    fn alive(&self);
}

/// Progress that goes nowhere.
#[derive(Debug, Default)]
pub struct SilentProgress;

impl Progress for SilentProgress {
    fn phase(&self, _: Phase) {}
    fn total(&self, _: Option<u64>, _: Option<u64>) {}
    fn advance(&self, _: u64, _: u64) {}
    fn current(&self, _: &str) {}
    fn problem(&self, _: Problem) {}
    fn log(&self, _: &str) {}
    fn alive(&self) {}
}

/// Tells the time. A test's clock may jump.
pub trait Clock: Send + Sync {
    /// Returns now.
    fn now(&self) -> DateTime<Utc>;
}

/// The computer's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// Goes with every long call. Cheap to clone.
#[derive(Clone)]
pub struct RunContext {
    /// Cancelled when the user cancels; every loop that reads or writes looks at it.
    pub cancel: CancellationToken,
    /// Where progress goes.
    pub progress: Arc<dyn Progress>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What is at work that must not be cut half way. Who ends a run from outside waits for it first.
    pub unbroken: TaskTracker,
}

impl RunContext {
    /// A context nobody watches and nobody cancels.
    pub fn silent() -> Self {
        Self {
            cancel: CancellationToken::new(),
            progress: Arc::new(SilentProgress),
            clock: Arc::new(SystemClock),
            unbroken: TaskTracker::new(),
        }
    }
    /// Returns an error once the run was cancelled.
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }
    /// Awaits `work`, or ends with `Cancelled` as soon as the run is.
    pub async fn or_cancel<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            result = work => result,
        }
    }
    /// Awaits what a command that was started says or does next, and shows signs of life meanwhile.
    ///
    /// A server that builds indexes or checks a file says nothing for hours, and that is healthy: as long as the command
    /// has not ended and its connection is not lost, it is at work. Whether the connection is lost is the host's to find
    /// out: SSH asks every few seconds (keepalive) and ends the command's streams with an error when no answer comes. So a
    /// server that accepts and never answers ends `work` within a minute, and this with it. A command that hangs on a
    /// living connection must end some day too: after a day without a word the signs stop, and then the run's own limit
    /// counts. Not for waiting on anything else than a command: a destination that hangs must stay silent.
    pub async fn while_it_runs<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let began = Instant::now();
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(SIGN_EVERY) => {}
            }
            if began.elapsed() < SILENCE_LIMIT {
                self.progress.alive();
            }
        }
    }
    /// Runs commands that would leave what they change neither old nor new when they were cut half way, with signs of
    /// life as [`Self::while_it_runs`]. A cancel does not end them, and who ends the run from outside waits for them. They
    /// are a task of their own, and go on when nobody waits any more. `tried` reads like "Cannot replace x".
    pub async fn unbroken<T: Send + 'static>(
        &self,
        tried: &str,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let task = self.unbroken.spawn(work);
        self.while_it_runs(task).await.unwrap_or_else(|error| {
            let why = format!("{tried}: Backstay failed in the midst of it");
            Err(Error::new(ErrorClass::Internal, why).hint("Look at what is there before you try again").source(error))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn unbroken_work_is_waited_for_and_goes_on_when_it_is_not() {
        for is_dropped in [false, true] {
            let ctx = RunContext::silent();
            let (end, ended) = tokio::sync::oneshot::channel::<()>();
            let (tell, told) = tokio::sync::oneshot::channel();
            let waits = tokio::spawn({
                let ctx = ctx.clone();
                let work = async move {
                    let _ = ended.await;
                    let _ = tell.send("done");
                    Ok::<_, Error>("its outcome")
                };
                async move { ctx.unbroken("Cannot work", work).await }
            });
            while ctx.unbroken.is_empty() {
                tokio::task::yield_now().await;
            }
            if is_dropped {
                waits.abort();
            }
            ctx.unbroken.close();
            let waiting = tokio::time::timeout(Duration::from_millis(20), ctx.unbroken.wait());
            assert!(waiting.await.is_err());
            drop(end);
            ctx.unbroken.wait().await;
            assert_eq!(told.await, Ok("done"));
            match waits.await {
                Ok(outcome) => assert_eq!(outcome.ok(), Some("its outcome")),
                Err(error) => assert!(is_dropped && error.is_cancelled()),
            }
        }
    }
}
