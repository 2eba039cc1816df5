//! The local list of backups, and what is asked of it.

use crate::ids::{BackupId, DestinationId, PlanId, ServerId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A backup in the local list: a cache of what the destinations tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownBackup {
    /// What its destination tells.
    pub record: crate::layout::BackupRecord,
    /// Where it lies.
    pub destination: DestinationId,
}

/// A backup in the local list with all places it is known to lie at.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupCopies {
    /// What its destinations tell; the newest proof of any copy.
    pub record: crate::layout::BackupRecord,
    /// Where it lies, each destination once.
    pub destinations: Vec<DestinationId>,
}

/// Which backups are wanted, and in which order.
#[derive(Clone, Debug, Default)]
pub struct BackupQuery {
    /// Text in the plan's or server's name, or the start of the id.
    pub text: String,
    /// Of this server only.
    pub server: Option<ServerId>,
    /// Of this plan only.
    pub plan: Option<PlanId>,
    /// At this destination only.
    pub destination: Option<DestinationId>,
    /// With this kind in it only.
    pub kind: Option<String>,
    /// Only those with (true) or without (false) problems.
    pub problems: Option<bool>,
    /// Made by then only; what was made while a clock was ahead is dated later.
    pub until: Option<DateTime<Utc>>,
    /// Sort column.
    pub sort: BackupSort,
    /// Smallest first.
    pub ascending: bool,
    /// Skip so many.
    pub offset: u64,
    /// At most so many.
    pub limit: u64,
}

/// Columns backups can be sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupSort {
    /// When it was made.
    #[default]
    Started,
    /// The plan's name.
    Plan,
    /// The server's name.
    Server,
    /// Its size.
    Size,
    /// What it added.
    Added,
}

/// The newest good backup of a plan or server, for overview and staleness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastBackup {
    /// The backup.
    pub backup: BackupId,
    /// When.
    pub started: DateTime<Utc>,
}
