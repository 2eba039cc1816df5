//! Runs: the list, one run, its problems and log.

use serde::{Deserialize, Serialize};
use specta::Type;

/// Which runs; newest first.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct RunFilter {
    /// Only those going on or waiting.
    pub active: bool,
    /// Of this plan.
    pub plan: Option<String>,
    /// Of this server.
    pub server: Option<String>,
    /// "backup", "restore", "download", "verify", "sync" or "prune".
    pub kind: Option<String>,
    /// Skip so many.
    pub offset: u64,
    /// At most so many (1 to 1,000).
    pub limit: u64,
}

impl Default for RunFilter {
    fn default() -> Self {
        Self { active: false, plan: None, server: None, kind: None, offset: 0, limit: 200 }
    }
}

/// A page of runs.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct RunPage {
    /// Rows.
    pub rows: Vec<RunRow>,
    /// Matching in all.
    pub total: u64,
}

/// A line of the run list.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct RunRow {
    /// Id.
    pub id: String,
    /// "backup", "restore", "download", "verify", "sync" or "prune".
    pub kind: String,
    /// "waiting", "running", "done", "done_with_problems", "failed", "cancelled" or "interrupted".
    pub state: String,
    /// Title: "web nightly".
    pub title: String,
    /// The plan.
    pub plan: Option<String>,
    /// The server.
    pub server: Option<String>,
    /// The server's name.
    pub server_name: Option<String>,
    /// The backup made or used.
    pub backup: Option<String>,
    /// When it was asked for.
    pub created: i64,
    /// When it began.
    pub started: Option<i64>,
    /// When it ended.
    pub ended: Option<i64>,
    /// Problems that spoil the outcome.
    pub problems: u64,
    /// Why it failed.
    pub error: Option<crate::IpcError>,
    /// Files in the result.
    pub files: u64,
    /// Bytes in the result.
    pub bytes: u64,
    /// Bytes read from the server.
    pub bytes_read: u64,
    /// Bytes added at the destination.
    pub bytes_added: u64,
    /// Where a download went, or a sentence on what came of it.
    pub result: Option<String>,
    /// Live progress, while it goes on in this process.
    pub progress: Option<ProgressView>,
    /// Whether it goes on, or waits, in another process of this home, such as the command line's; how far it is, is not
    /// known here.
    pub elsewhere: bool,
    /// Whether `resume_download` can go on with it.
    pub resumable: bool,
}

/// One run whole.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct RunDetail {
    /// Its row.
    pub row: RunRow,
    /// Files whose content was read.
    pub files_read: u64,
    /// Files new since the backup before.
    pub files_new: u64,
    /// Files changed since the backup before.
    pub files_changed: u64,
    /// Files deleted at the target.
    pub files_deleted: u64,
    /// Log lines.
    pub log: Vec<LogLine>,
    /// What to do next, in words, for the report.
    pub next: Option<String>,
}

/// A line of a run's log.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct LogLine {
    /// When.
    pub at: i64,
    /// Text.
    pub text: String,
}

/// Live progress. Never 100 % before it is done; never backwards within a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
pub struct ProgressView {
    /// The run.
    pub run: String,
    /// "waiting", "connecting", "preflight", "opening", "listing", "reading", "dumping", "saving", "checking",
    /// "comparing", "restoring", "deleting", "packing", "copying", "thawing" or "pruning".
    pub phase: String,
    /// Files done.
    pub files: u64,
    /// Files in all, where known.
    pub files_total: Option<u64>,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all, where known.
    pub bytes_total: Option<u64>,
    /// Bytes a second over the last seconds.
    pub rate: u64,
    /// Seconds left, where it can be told.
    pub seconds_left: Option<u64>,
    /// What is being worked on.
    pub current: String,
    /// Problems so far.
    pub problems: u64,
    /// How far the phase is, 0 to 999 of a thousand, where a total is known: bytes where they are, else files. Never
    /// backwards within a phase; 1000 only once the run is over.
    pub permille: Option<u32>,
    /// When something last moved, Unix milliseconds.
    pub last_activity: i64,
    /// Destinations, each with its own state.
    pub destinations: Vec<DestinationProgress>,
}

/// How one destination of a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
pub struct DestinationProgress {
    /// Its name.
    pub name: String,
    /// Bytes written there.
    pub bytes: u64,
    /// Bytes to be written there in all, where known.
    pub bytes_total: Option<u64>,
    /// Bytes a second over the last seconds.
    pub rate: u64,
    /// "waiting", "writing", "retrying", "checking", "done" or "failed" (made good later by Sync).
    pub state: String,
    /// Why it retries or failed, in words.
    pub text: Option<String>,
    /// The limit that holds it back now, bytes a second.
    pub limit: Option<u64>,
}

/// A page of problems.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct ProblemPage {
    /// Rows.
    pub rows: Vec<ProblemRow>,
    /// Matching in all.
    pub total: u64,
}

/// One problem.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct ProblemRow {
    /// "unreadable", "vanished", "changed", "skipped", "unwritable", "database", "damaged" or "other".
    pub kind: String,
    /// The item.
    pub item: String,
    /// Path or object.
    pub subject: String,
    /// Reason in words.
    pub reason: String,
}
