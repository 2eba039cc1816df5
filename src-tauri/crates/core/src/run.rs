//! Runs, their phases, problems and outcomes; and what a run of each sort reports.

use crate::ids::{BackupId, DestinationId, PlanId, RunId, ServerId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// A plan's backup.
    Backup,
    /// A backup going back to a server.
    Restore,
    /// A backup, or parts of it, going into a file on this computer.
    Download,
    /// A backup read back and checked.
    Verify,
    /// Copies made good at a destination that lacks them, from another, without the server.
    Sync,
    /// Room of deleted backups freed in a vault.
    Prune,
}

/// The part of a run that is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waiting for its turn.
    Waiting,
    /// Connecting to the server.
    Connecting,
    /// Looking at tools, versions, room.
    Preflight,
    /// Opening the vault.
    Opening,
    /// Listing what is there.
    Listing,
    /// Reading files.
    Reading,
    /// Dumping a database.
    Dumping,
    /// Writing the last packs, trees and index.
    Saving,
    /// Reading back what was written.
    Checking,
    /// Comparing the backup with the target.
    Comparing,
    /// Writing to the target.
    Restoring,
    /// Deleting what is not in the backup.
    Deleting,
    /// Packing a download.
    Packing,
    /// Copying from one destination to another, or to this computer.
    Copying,
    /// Waiting for a cold store to bring an archive back.
    Thawing,
    /// Freeing room in a vault.
    Pruning,
}

/// How a run stands or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Queued behind another run.
    Waiting,
    /// Going on.
    Running,
    /// Ended with everything in it.
    Done,
    /// Ended, but something is missing; each is a problem row.
    DoneWithProblems,
    /// Ended without a result.
    Failed,
    /// The user ended it.
    Cancelled,
    /// Backstay itself was ended while it ran; found at the next start.
    Interrupted,
}

impl RunState {
    /// Tells whether the run is over.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// Why one thing was not done as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// It could not be read: no right.
    Unreadable,
    /// It was listed, then gone.
    Vanished,
    /// It changed while it was read; what is in the backup may be torn.
    Changed,
    /// It is of a sort that is not stored (a socket), or was left out for a stated reason. Does not spoil the outcome.
    Skipped,
    /// It could not be written at the target.
    Unwritable,
    /// A database object or a whole database could not be dumped or loaded.
    Database,
    /// What lies in the backup is damaged.
    Damaged,
    /// Anything else worth knowing.
    Other,
}

impl ProblemKind {
    /// Tells whether it makes a run "done with problems" (a skipped socket does not).
    pub fn spoils_outcome(self) -> bool {
        self != Self::Skipped
    }
}

/// One thing that went wrong while the run went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its kind.
    pub kind: ProblemKind,
    /// The item it belongs to: "files", "mysql", …; empty for the run itself.
    pub item: String,
    /// The path or object, in text form.
    pub subject: String,
    /// The reason, in words.
    pub reason: String,
}

impl Problem {
    /// What was not read back since it lies frozen: as good as it was, so a note and no fault.
    pub fn frozen(subject: String) -> Self {
        Self {
            kind: ProblemKind::Skipped,
            item: String::new(),
            subject,
            reason: "It was not read back: it lies in a cold storage class. Bring it back first to have it read".into(),
        }
    }
}

/// A run as a row. The screen is right from rows alone; live progress is a hint on top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What it does.
    pub kind: RunKind,
    /// How it stands.
    pub state: RunState,
    /// The title shown: "web nightly", "web nightly to web-1".
    pub title: String,
    /// The plan, if any.
    pub plan: Option<PlanId>,
    /// The server read from or written to, if any.
    pub server: Option<ServerId>,
    /// The destination read from or written to, if any.
    pub destination: Option<DestinationId>,
    /// The backup made or used.
    pub backup: Option<BackupId>,
    /// When it was asked for.
    pub created: DateTime<Utc>,
    /// When it began.
    pub started: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
    /// Counts so far or at the end.
    pub counts: RunCounts,
    /// How many problems spoil the outcome.
    pub problems: u64,
    /// Why it failed.
    pub error: Option<StoredError>,
    /// Where a download went, or what else the run left; shown in its report.
    pub result: Option<String>,
}

/// An error kept with its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredError {
    /// Its class.
    pub class: crate::ErrorClass,
    /// What was tried, on what, why it failed.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Technical detail.
    pub detail: Option<String>,
}

impl From<&crate::Error> for StoredError {
    fn from(error: &crate::Error) -> Self {
        Self {
            class: error.class,
            message: error.message.clone(),
            hint: error.hint.clone(),
            detail: error.detail.clone(),
        }
    }
}

/// What a run counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCounts {
    /// Files in the result (backup, restore, download).
    pub files: u64,
    /// Bytes in the result.
    pub bytes: u64,
    /// Files whose content was read from the server.
    pub files_read: u64,
    /// Content bytes read from the server.
    pub bytes_read: u64,
    /// Bytes written to the destination after deduplication and compression.
    pub bytes_added: u64,
    /// Files new since the backup before.
    pub files_new: u64,
    /// Files changed since the backup before.
    pub files_changed: u64,
    /// Files deleted at the target by a restore.
    pub files_deleted: u64,
}
