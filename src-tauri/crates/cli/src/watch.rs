//! Waiting for a run, showing its progress, cancelling it.

use crate::common::{Session, all_pages};
use crate::hints;
use crate::options::ProgressForm;
use crate::output::{self, Exit};
use backstay_contract::{Event, ProblemRow, ProgressView, RunDetail};
use backstay_core::Result;
use backstay_engine::{count_text, size_text};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

/// Rows are looked at this often even if no event comes.
const LOOK: Duration = Duration::from_secs(1);
/// Problems printed after a run, and as many notes; the others are in `backstay runs ID`.
const PROBLEMS_SHOWN: usize = 20;

/// A run as JSON shows it: with each of its problems.
#[derive(Serialize)]
struct WithProblems<'a> {
    #[serde(flatten)]
    run: &'a RunDetail,
    problem_list: Vec<ProblemRow>,
}

impl Session {
    /// Returns the events from now on, for a run about to begin; from now on a signal cancels that run.
    pub fn begin(&self) -> Receiver<Event> {
        self.stops.watched.store(true, Ordering::SeqCst);
        self.backstay.subscribe()
    }

    /// Waits for a run to end, showing how it goes. `events` must be from before it began.
    pub async fn watch(&self, run: &str, mut events: Receiver<Event>) -> Result<RunDetail> {
        let mut line = Line::new(self.progress == ProgressForm::Auto && !self.json);
        let mut asked = false;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => {
                        self.show(&event, run, &mut line)?;
                        if matches!(&event, Event::Run { run: row } if row.id == run && is_over(&row.state)) {
                            break;
                        }
                    }
                    // What was missed is in the rows.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => tokio::time::sleep(LOOK).await,
                },
                () = tokio::time::sleep(LOOK) => {
                    let row = self.backstay.run(run).await?.row;
                    // With its last row written a run is not at its end: the audit log and the last events are yet to come.
                    if is_over(&row.state) && row.progress.is_none() {
                        self.show_rest(&mut events, run, &mut line)?;
                        break;
                    }
                }
                () = self.stops.next() => {
                    if asked {
                        line.clear();
                        std::process::exit(4);
                    }
                    asked = true;
                    line.say("Cancelling…");
                    self.backstay.cancel_run(run).await?;
                }
            }
        }
        line.clear();
        self.backstay.run(run).await
    }

    /// Shows the events that are there already.
    fn show_rest(&self, events: &mut Receiver<Event>, run: &str, line: &mut Line) -> Result<()> {
        loop {
            match events.try_recv() {
                Ok(event) => self.show(&event, run, line)?,
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(()),
            }
        }
    }

    fn show(&self, event: &Event, run: &str, line: &mut Line) -> Result<()> {
        let ours = match event {
            Event::Progress { progress } => progress.run == run,
            Event::Run { run: row } => row.id == run,
            Event::Changed { .. } | Event::TestStep { .. } => false,
        };
        if !ours {
            return Ok(());
        }
        if self.progress == ProgressForm::Json {
            output::line(event)?;
        }
        if let Event::Progress { progress } = event {
            line.show(progress);
        }
        Ok(())
    }

    /// Prints how a run ended, and returns how the program ends.
    pub async fn report(&self, run: &RunDetail) -> Result<Exit> {
        let exit = Exit::of_state(&run.row.state);
        if self.json {
            self.print_run(run).await?;
            return Ok(exit);
        }
        if self.progress == ProgressForm::Json {
            return Ok(exit);
        }
        let row = &run.row;
        match row.state.as_str() {
            "done" | "done_with_problems" => output::text(&summary(run))?,
            "cancelled" => eprintln!("Cancelled."),
            _ => {
                let error = row.error.as_ref();
                eprintln!("{}.", error.map_or("The run failed", |error| error.message.as_str()));
                if let Some(detail) = error.and_then(|error| error.detail.as_ref()) {
                    detail.lines().take(20).for_each(|line| eprintln!("  {line}"));
                }
            }
        }
        let (notes, problems): (Vec<ProblemRow>, Vec<ProblemRow>) =
            self.problems(&row.id).await?.into_iter().partition(|problem| problem.kind == "skipped");
        tell("", &problems, &row.id);
        tell("Note: ", &notes, &row.id);
        for next in what_next(run) {
            eprintln!("{next}.");
        }
        Ok(exit)
    }

    /// Prints a run as JSON.
    pub async fn print_run(&self, run: &RunDetail) -> Result<()> {
        let whole = WithProblems { run, problem_list: self.problems(&run.row.id).await? };
        // After lines of events, the result is a line as well.
        if self.progress == ProgressForm::Json { output::line(&whole) } else { output::object(&whole) }
    }

    /// Returns all that went wrong in a run, and what it skipped.
    pub async fn problems(&self, run: &str) -> Result<Vec<ProblemRow>> {
        all_pages(async |offset, limit| {
            let page = self.backstay.run_problems(run, "", offset, limit).await?;
            Ok((page.rows, page.total))
        })
        .await
    }
}

/// Prints the first of a run's problems, or of its notes.
fn tell(mark: &str, problems: &[ProblemRow], run: &str) {
    for problem in problems.iter().take(PROBLEMS_SHOWN) {
        eprintln!("  {mark}{} {}: {}", problem.kind, problem.subject, problem.reason);
    }
    if problems.len() > PROBLEMS_SHOWN {
        eprintln!("  {mark}and {} more: backstay runs {run}", problems.len() - PROBLEMS_SHOWN);
    }
}

/// Says what to do about a run that did not end well: what its error says, and what fits its end.
pub fn what_next(run: &RunDetail) -> impl Iterator<Item = String> {
    let hint = run.row.error.as_ref().and_then(|error| error.hint.as_deref());
    let next = run.next.as_deref().filter(|next| Some(*next) != hint);
    hint.into_iter().chain(next).filter(|_| run.row.state != "done").map(hints::in_verbs)
}

/// Says in a line what came of a run.
fn summary(run: &RunDetail) -> String {
    let row = &run.row;
    let mut text = match (row.kind.as_str(), &row.result) {
        ("backup", _) => format!(
            "Backup {} of {}: {}, {}; {} read, {} added",
            row.backup.as_deref().and_then(|id| id.get(..8)).unwrap_or("?"),
            row.title,
            count_text(row.files, "file", "files"),
            size_text(row.bytes),
            size_text(row.bytes_read),
            size_text(row.bytes_added)
        ),
        (_, Some(result)) => result.clone(),
        _ => "Done".into(),
    };
    if row.problems > 0 {
        text.push_str(&format!("; {}", count_text(row.problems, "problem", "problems")));
    }
    text
}

/// Tells whether a run in this state has ended.
pub fn is_over(state: &str) -> bool {
    !matches!(state, "waiting" | "running")
}

/// Signals that ask us to stop. Listened for from the start, so that none falls between two moments.
pub struct Stops {
    asked: Notify,
    /// A run is begun or watched: it is to be cancelled, not abandoned.
    watched: AtomicBool,
}

impl Stops {
    /// Begins to listen. While no run is watched, a signal ends the program at once.
    pub fn listen() -> Arc<Self> {
        let stops = Arc::new(Self { asked: Notify::new(), watched: AtomicBool::new(false) });
        let (heard, mut signals) = (stops.clone(), Signals::new());
        tokio::spawn(async move {
            loop {
                signals.next().await;
                if !heard.watched.load(Ordering::SeqCst) {
                    std::process::exit(4);
                }
                heard.asked.notify_one();
            }
        });
        stops
    }
    async fn next(&self) {
        self.asked.notified().await;
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self { interrupt: signal(SignalKind::interrupt()).ok(), terminate: signal(SignalKind::terminate()).ok() }
    }
    async fn next(&mut self) {
        let wait = async |signal: &mut Option<tokio::signal::unix::Signal>| match signal {
            Some(signal) => {
                signal.recv().await;
            }
            // It could not be listened for: the system's own way of ending us stays.
            None => std::future::pending().await,
        };
        tokio::select! {
            () = wait(&mut self.interrupt) => {}
            () = wait(&mut self.terminate) => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Self {
        Self
    }
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The one line of progress on a terminal.
struct Line {
    on: bool,
    shown: usize,
}

impl Line {
    fn new(wanted: bool) -> Self {
        Self { on: wanted && std::io::stderr().is_terminal(), shown: 0 }
    }
    fn show(&mut self, progress: &ProgressView) {
        let mut text = progress.phase.clone();
        if let Some(total) = progress.files_total.filter(|total| *total > 0) {
            text.push_str(&format!(" {} of {}", progress.files, count_text(total, "file", "files")));
        } else if progress.files > 0 {
            text.push_str(&format!(" {}", count_text(progress.files, "file", "files")));
        }
        if progress.bytes > 0 {
            text.push_str(&format!(", {}", size_text(progress.bytes)));
        }
        if progress.rate > 0 {
            text.push_str(&format!(", {}/s", size_text(progress.rate)));
        }
        if let Some(seconds) = progress.seconds_left {
            text.push_str(&format!(", {} m {} s left", seconds / 60, seconds % 60));
        }
        if let Some(permille) = progress.permille {
            text = format!("{:>3} % {text}", permille / 10);
        }
        if progress.problems > 0 {
            text.push_str(&format!(", {}", count_text(progress.problems, "problem", "problems")));
        }
        self.say(&text);
    }
    fn say(&mut self, text: &str) {
        if !self.on {
            return;
        }
        let text: String = text.chars().take(110).collect();
        let width = text.chars().count();
        eprint!("\r{text}{}", " ".repeat(self.shown.saturating_sub(width)));
        let _ = std::io::stderr().flush();
        self.shown = width;
    }
    fn clear(&mut self) {
        if self.on && self.shown > 0 {
            eprint!("\r{}\r", " ".repeat(self.shown));
            let _ = std::io::stderr().flush();
            self.shown = 0;
        }
    }
}
