//! Live progress of one run: counts, rate, time left, last activity; problems and log lines on their way to the store.

use super::leg::{Leg, Samples};
use crate::backstay::locked;
use crate::words::phase_word;
use backstay_contract::ProgressView;
use backstay_core::RunId;
use backstay_core::context::{Clock, Progress};
use backstay_core::run::{Phase, Problem};
use chrono::{DateTime, Utc};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The most problems kept in memory, for the backup's manifest.
pub(crate) const KEPT_PROBLEMS: usize = 10_000;

/// Progress of one run. Counting is atomic and cheap; [`RunProgress::view`] is called by the run's ticker.
pub(crate) struct RunProgress {
    run: RunId,
    clock: Arc<dyn Clock>,
    files: AtomicU64,
    bytes: AtomicU64,
    /// Counts every sign of life.
    beats: AtomicU64,
    spoiling: AtomicU64,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// Done when this phase was begun again: its totals count from there.
    base: (u64, u64),
    files_total: Option<u64>,
    bytes_total: Option<u64>,
    current: String,
    /// The furthest this phase was, in thousandths.
    furthest: u32,
    samples: Samples,
    seen_beats: u64,
    last_activity: DateTime<Utc>,
    last_beat: Instant,
    over: bool,
    legs: Vec<Arc<Leg>>,
    new_problems: Vec<Problem>,
    new_lines: Vec<(DateTime<Utc>, String)>,
    kept_problems: Vec<Problem>,
}

impl RunProgress {
    /// Makes the progress of a run that waits.
    pub fn new(run: RunId, clock: Arc<dyn Clock>) -> Self {
        let now = clock.now();
        Self {
            run,
            clock,
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            beats: AtomicU64::new(0),
            spoiling: AtomicU64::new(0),
            state: Mutex::new(State {
                phase: Phase::Waiting,
                base: (0, 0),
                files_total: None,
                bytes_total: None,
                current: String::new(),
                furthest: 0,
                samples: Samples::default(),
                seen_beats: 0,
                last_activity: now,
                last_beat: Instant::now(),
                over: false,
                legs: Vec::new(),
                new_problems: Vec::new(),
                new_lines: Vec::new(),
                kept_problems: Vec::new(),
            }),
        }
    }
    fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }
    /// Problems so far that spoil the outcome.
    pub fn spoiling(&self) -> u64 {
        self.spoiling.load(Ordering::Relaxed)
    }
    /// Those of them that are kept for the manifest.
    pub fn kept_problems(&self) -> Vec<Problem> {
        locked(&self.state).kept_problems.clone()
    }
    /// Takes the problems and log lines that are not in the store yet.
    pub fn take_new(&self) -> (Vec<Problem>, Vec<(DateTime<Utc>, String)>) {
        let mut state = locked(&self.state);
        (std::mem::take(&mut state.new_problems), std::mem::take(&mut state.new_lines))
    }
    /// Adds a destination, whose bytes are shown on their own. `limit` tells the limit that holds now.
    pub fn add_leg(&self, name: &str, limit: impl Fn() -> Option<u64> + Send + Sync + 'static) -> Arc<Leg> {
        let leg = Arc::new(Leg::new(name, limit));
        locked(&self.state).legs.push(leg.clone());
        leg
    }
    /// Says that the run is over: only from now on may it be whole.
    pub fn finish(&self) {
        locked(&self.state).over = true;
    }
    /// How long nothing has moved, as far as [`RunProgress::view`] has seen.
    pub fn silent_for(&self) -> Duration {
        locked(&self.state).last_beat.elapsed()
    }
    /// Done so far in this phase: files and bytes.
    pub fn done(&self) -> (u64, u64) {
        (self.files.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Returns how the run stands. Called a few times a second: it also takes the samples the rate is made of.
    pub fn view(&self) -> ProgressView {
        self.view_at(Instant::now())
    }

    fn view_at(&self, now: Instant) -> ProgressView {
        let mut state = locked(&self.state);
        let (files, bytes) = self.done();
        let beats = self.beats.load(Ordering::Relaxed);
        if beats != state.seen_beats {
            state.seen_beats = beats;
            // A clock that jumps back must not make the last activity older than it was.
            state.last_activity = state.last_activity.max(self.clock.now());
            state.last_beat = now;
        }
        let rate = state.samples.rate(bytes, now);
        let files_total = state.files_total.map(|total| total.max(files));
        let bytes_total = state.bytes_total.map(|total| total.max(bytes));
        let permille = state.permille((files, files_total), (bytes, bytes_total));
        let left = bytes_total.filter(|_| rate > 0).map(|total| total.saturating_sub(bytes).div_ceil(rate));
        ProgressView {
            run: self.run.to_string(),
            phase: phase_word(state.phase).into(),
            files,
            files_total,
            bytes,
            bytes_total,
            rate,
            seconds_left: left.filter(|_| !state.over),
            current: state.current.clone(),
            problems: self.spoiling(),
            permille,
            last_activity: state.last_activity.timestamp_millis(),
            destinations: state.legs.iter().map(|leg| leg.view()).collect(),
        }
    }
}

impl State {
    fn permille(&mut self, files: (u64, Option<u64>), bytes: (u64, Option<u64>)) -> Option<u32> {
        let (done, total) = match (bytes, files) {
            ((done, Some(total)), _) if total > 0 => (done, total),
            (_, (done, Some(total))) if total > 0 => (done, total),
            _ => return if self.over { Some(1000) } else { None },
        };
        if self.over {
            return Some(1000);
        }
        let now = ((u128::from(done) * 1000) / u128::from(total)).min(999) as u32;
        self.furthest = self.furthest.max(now);
        Some(self.furthest)
    }
}

impl Progress for RunProgress {
    fn phase(&self, phase: Phase) {
        let mut state = locked(&self.state);
        self.beat();
        if state.phase == phase {
            // A second item in the same phase: go on counting, the bar must not jump back.
            state.base = self.done();
            return;
        }
        state.phase = phase;
        state.base = (0, 0);
        state.files_total = None;
        state.bytes_total = None;
        state.current.clear();
        state.furthest = 0;
        state.samples = Samples::default();
        self.files.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        if phase == Phase::Checking {
            // What is looked at now has been written: only now is it known how much a backup's packing left.
            state.legs.iter().for_each(|leg| leg.written());
        }
    }
    fn total(&self, files: Option<u64>, bytes: Option<u64>) {
        let mut state = locked(&self.state);
        self.beat();
        if let Some(files) = files {
            state.files_total = Some(state.base.0.saturating_add(files));
        }
        if let Some(bytes) = bytes {
            state.bytes_total = Some(state.base.1.saturating_add(bytes));
        }
    }
    fn advance(&self, files: u64, bytes: u64) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.beat();
    }
    fn current(&self, what: &str) {
        let mut state = locked(&self.state);
        if state.current != what {
            state.current.clear();
            state.current.push_str(what);
            self.beat();
        }
    }
    fn problem(&self, problem: Problem) {
        let mut state = locked(&self.state);
        self.beat();
        if problem.kind.spoils_outcome() {
            self.spoiling.fetch_add(1, Ordering::Relaxed);
            if state.kept_problems.len() < KEPT_PROBLEMS {
                state.kept_problems.push(problem.clone());
            }
        }
        state.new_problems.push(problem);
    }
    fn log(&self, line: &str) {
        let at = self.clock.now();
        let mut state = locked(&self.state);
        self.beat();
        state.new_lines.push((at, line.to_owned()));
    }
    fn alive(&self) {
        self.beat();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use backstay_core::context::SystemClock;

    fn progress() -> RunProgress {
        RunProgress::new(RunId::random(), Arc::new(SystemClock))
    }

    #[test]
    fn never_whole_before_it_is_over_and_never_backwards() {
        let progress = progress();
        progress.phase(Phase::Reading);
        assert_eq!(progress.view().permille, None);
        progress.total(Some(10), Some(1000));
        progress.advance(5, 600);
        assert_eq!(progress.view().permille, Some(600));
        // The total turns out larger: the bar waits, it does not go back.
        progress.total(None, Some(2000));
        assert_eq!(progress.view().permille, Some(600));
        progress.advance(5, 5000);
        let view = progress.view();
        assert_eq!(view.permille, Some(999));
        assert!(view.bytes_total.unwrap() >= view.bytes);
        progress.finish();
        assert_eq!(progress.view().permille, Some(1000));
    }

    /// A clock that stands until it is moved.
    struct Still(Mutex<DateTime<Utc>>);

    impl Clock for Still {
        fn now(&self) -> DateTime<Utc> {
            *locked(&self.0)
        }
    }

    #[test]
    fn rate_time_left_and_last_activity_tell_what_happened() {
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = Arc::new(Still(Mutex::new(start)));
        let progress = RunProgress::new(RunId::random(), clock.clone());
        let (begun, seconds) = (Instant::now(), Duration::from_secs);
        progress.phase(Phase::Reading);
        progress.total(None, Some(10_000));
        let view = progress.view_at(begun);
        assert_eq!((view.rate, view.seconds_left), (0, None), "nothing is known yet");
        *locked(&clock.0) = start + chrono::TimeDelta::seconds(2);
        progress.advance(1, 1000);
        let view = progress.view_at(begun + seconds(2));
        assert_eq!((view.rate, view.seconds_left), (500, Some(18)));
        assert_eq!(view.last_activity, (start.timestamp() + 2) * 1000);
        // Nothing moves: the rate falls, the last activity stays where it was, and no time left is made up.
        *locked(&clock.0) = start + chrono::TimeDelta::seconds(300);
        progress.view_at(begun + seconds(299));
        let view = progress.view_at(begun + seconds(300));
        assert_eq!((view.rate, view.seconds_left), (0, None));
        assert_eq!(view.last_activity, (start.timestamp() + 2) * 1000);
        progress.advance(0, 9000);
        progress.finish();
        assert_eq!(progress.view_at(begun + seconds(302)).seconds_left, None, "it is over");
    }

    #[test]
    fn a_second_item_in_the_same_phase_goes_on_counting() {
        let progress = progress();
        progress.phase(Phase::Dumping);
        progress.total(None, Some(100));
        progress.advance(1, 100);
        let before = progress.view();
        progress.phase(Phase::Dumping);
        progress.total(None, Some(100));
        let after = progress.view();
        assert_eq!(after.bytes, before.bytes);
        assert_eq!(after.bytes_total, Some(200));
        assert!(after.permille >= before.permille);
        progress.phase(Phase::Saving);
        assert_eq!(progress.view().bytes, 0);
    }

    #[test]
    fn skipped_things_do_not_spoil() {
        let progress = progress();
        let problem = |kind| Problem { kind, item: "files".into(), subject: "/x".into(), reason: "r".into() };
        progress.problem(problem(backstay_core::run::ProblemKind::Skipped));
        assert_eq!(progress.spoiling(), 0);
        progress.problem(problem(backstay_core::run::ProblemKind::Unreadable));
        assert_eq!(progress.spoiling(), 1);
        assert_eq!(progress.take_new().0.len(), 2);
        assert_eq!(progress.take_new().0.len(), 0);
        assert_eq!(progress.kept_problems().len(), 1);
    }
}
