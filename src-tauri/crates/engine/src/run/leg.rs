//! One destination of a run, as it is shown: how far it is, how fast, what holds it back.

use super::progress::RunProgress;
use crate::backstay::locked;
use crate::parts::Watch;
use async_trait::async_trait;
use backstay_contract::DestinationProgress;
use backstay_core::context::Progress;
use backstay_core::destination::{Direction, Traffic};
use backstay_core::run::{Phase, Problem};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The rate is taken over so long.
const RATE_WINDOW: Duration = Duration::from_secs(5);
/// Below this the rate is noise.
const RATE_MINIMUM: Duration = Duration::from_millis(400);

/// Counts of the last seconds.
#[derive(Default)]
pub(super) struct Samples(VecDeque<(Instant, u64)>);

impl Samples {
    /// Takes a sample; returns bytes a second.
    pub fn rate(&mut self, bytes: u64, now: Instant) -> u64 {
        self.0.push_back((now, bytes));
        while self.0.len() > 2 && self.0.front().is_some_and(|(at, _)| now - *at > RATE_WINDOW) {
            self.0.pop_front();
        }
        let Some((since, before)) = self.0.front() else { return 0 };
        let took = now - *since;
        if took < RATE_MINIMUM {
            return 0;
        }
        (bytes.saturating_sub(*before) as f64 / took.as_secs_f64()) as u64
    }
}

/// One destination of a run, as it is shown.
pub(crate) struct Leg {
    name: String,
    bytes: AtomicU64,
    /// It waits for another try; the next byte ends that.
    retrying: AtomicBool,
    limit: Box<dyn Fn() -> Option<u64> + Send + Sync>,
    state: Mutex<LegState>,
}

struct LegState {
    word: &'static str,
    text: Option<String>,
    samples: Samples,
    /// Bytes that will have gone there in the end.
    total: Option<u64>,
}

impl Leg {
    pub(super) fn new(name: &str, limit: impl Fn() -> Option<u64> + Send + Sync + 'static) -> Self {
        Self {
            name: name.to_owned(),
            bytes: AtomicU64::new(0),
            retrying: AtomicBool::new(false),
            limit: Box::new(limit),
            state: Mutex::new(LegState { word: "waiting", text: None, samples: Samples::default(), total: None }),
        }
    }
    /// Says that so many more bytes are to go there.
    pub fn expect(&self, more: u64) {
        locked(&self.state).total = Some(self.bytes.load(Ordering::Relaxed) + more);
    }
    /// Says that what a backup is made of has gone there, if it is still written to.
    pub(super) fn written(&self) {
        let mut state = locked(&self.state);
        if state.word == "writing" {
            state.word = "checking";
            state.total = Some(self.bytes.load(Ordering::Relaxed));
        }
    }
    /// Says that it waits for another try, and why.
    pub fn retries(&self, text: String) {
        self.retrying.store(true, Ordering::Relaxed);
        self.set("retrying", Some(text));
    }
    /// Bytes went there.
    fn count(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.retrying.swap(false, Ordering::Relaxed) {
            self.set("writing", None);
        }
    }
    /// Says how it stands: "waiting", "writing", "retrying", "checking", "done" or "failed".
    pub fn set(&self, word: &'static str, text: Option<String>) {
        let mut state = locked(&self.state);
        state.word = word;
        state.text = text;
    }
    pub(super) fn view(&self) -> DestinationProgress {
        let mut state = locked(&self.state);
        let bytes = self.bytes.load(Ordering::Relaxed);
        let over = matches!(state.word, "done" | "failed");
        let rate = state.samples.rate(bytes, Instant::now());
        DestinationProgress {
            name: self.name.clone(),
            bytes,
            // What deduplication and packing leave of a backup is known at the end only.
            bytes_total: if state.word == "done" { Some(bytes) } else { state.total.map(|total| total.max(bytes)) },
            rate: if over { 0 } else { rate },
            state: state.word.into(),
            text: state.text.clone(),
            limit: (self.limit)().filter(|_| !over),
        }
    }
}

/// Counts the bytes that go to one destination of a run.
pub(crate) struct LegTraffic {
    leg: Arc<Leg>,
    progress: Arc<RunProgress>,
}

impl LegTraffic {
    /// Watches a destination for this run.
    pub fn watch(leg: &Arc<Leg>, progress: &Arc<RunProgress>) -> Watch {
        let traffic = Arc::new(Self { leg: leg.clone(), progress: progress.clone() });
        let (leg, progress) = (leg.clone(), progress.clone());
        let on_retry = move |error: &backstay_core::Error, pause: Duration| {
            progress.alive();
            leg.retries(format!("{}; another try in {} s", error.message, pause.as_secs().max(1)));
        };
        Watch { traffic: Some(traffic), on_retry: Some(Arc::new(on_retry)) }
    }
}

#[async_trait]
impl Traffic for LegTraffic {
    async fn pass(&self, direction: Direction, bytes: usize) {
        if direction == Direction::Up {
            self.leg.count(bytes as u64);
        }
        self.progress.alive();
    }
}

/// The progress of copying to one destination of a run: what is to be copied is that destination's total.
pub(super) struct CopyProgress {
    run: Arc<RunProgress>,
    leg: Arc<Leg>,
}

impl CopyProgress {
    /// Joins a run and one of its destinations.
    pub fn new(run: &Arc<RunProgress>, leg: &Arc<Leg>) -> Self {
        Self { run: run.clone(), leg: leg.clone() }
    }
}

impl Progress for CopyProgress {
    fn phase(&self, phase: Phase) {
        self.run.phase(phase);
    }
    fn total(&self, files: Option<u64>, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.leg.expect(bytes);
        }
        self.run.total(files, bytes);
    }
    fn advance(&self, files: u64, bytes: u64) {
        self.run.advance(files, bytes);
    }
    fn current(&self, what: &str) {
        self.run.current(what);
    }
    fn problem(&self, problem: Problem) {
        self.run.problem(problem);
    }
    fn log(&self, line: &str) {
        self.run.log(line);
    }
    fn alive(&self) {
        self.run.alive();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use backstay_core::RunId;
    use backstay_core::context::SystemClock;

    #[test]
    fn a_destination_tells_its_total_as_soon_as_it_is_known() {
        let run = Arc::new(RunProgress::new(RunId::random(), Arc::new(SystemClock)));
        let (far, near) = (run.add_leg("far", || None), run.add_leg("near", || None));
        let totals = || run.view().destinations.iter().map(|leg| leg.bytes_total).collect::<Vec<_>>();
        run.phase(Phase::Reading);
        far.set("writing", None);
        near.set("writing", None);
        far.count(100);
        near.count(140);
        assert_eq!(totals(), [None, None], "what packing leaves of the rest nobody knows");
        far.set("failed", Some("gone".into()));
        run.phase(Phase::Checking);
        assert_eq!(totals(), [None, Some(140)]);
        near.count(3);
        near.set("done", None);
        // Copying to one is no news of the other.
        let copying = CopyProgress::new(&run, &far);
        copying.phase(Phase::Copying);
        copying.total(None, Some(50));
        assert_eq!(totals(), [Some(150), Some(143)]);
        far.count(55);
        assert_eq!(totals(), [Some(155), Some(143)], "never less than what is there");
    }
}
