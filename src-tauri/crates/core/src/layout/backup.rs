//! One backup: what it knows of itself, how it is written and how it is read.

use super::archive::{ArchiveFile, ArchiveStart};
use crate::context::RunContext;
use crate::entry::{Entry, EntrySink, EntrySource};
use crate::error::Result;
use crate::ids::{BackupId, PlanId, ServerId};
use crate::kind::Item;
use crate::path::RawPath;
use crate::run::{Problem, RunCounts};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What a backup knows of itself; lies inside it as `.backstay/backup.json`, so that a destination needs no database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupManifest {
    /// Version of this structure: 1.
    pub version: u32,
    /// The server's id in the database that made it.
    pub server: ServerId,
    /// The server's name then.
    pub server_name: String,
    /// The plan's id.
    pub plan: PlanId,
    /// The plan's name then.
    pub plan_name: String,
    /// The items, as they were, without secrets.
    pub items: Vec<Item>,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// The version of Backstay.
    pub app_version: String,
    /// Facts of the preflight: tools and versions.
    pub facts: Vec<String>,
    /// What is missing or torn (at most the first 10,000).
    pub problems: Vec<Problem>,
}

/// What a writer is told before the first entry.
#[derive(Clone, Debug)]
pub struct BackupStart {
    /// Server, plan and items; problems and facts may grow until commit.
    pub manifest: BackupManifest,
    /// The absolute paths picked, for restic's `paths` field; `/.backstay` is added by itself.
    pub paths: Vec<RawPath>,
    /// Compare with this backup; `None` means the newest of the same server and plan.
    pub parent: Option<BackupId>,
    /// How the archive is made; only for the archive layout.
    pub archive: Option<ArchiveStart>,
    /// Keys of objects that were found damaged at the destination: nothing in them counts as stored already.
    pub damaged: Vec<String>,
}

/// A backup as its destination tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupRecord {
    /// Its id.
    pub id: BackupId,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// When it was committed.
    pub ended: DateTime<Utc>,
    /// The server's id, where it was made by Backstay.
    pub server: Option<ServerId>,
    /// The server's name.
    pub server_name: String,
    /// The plan's id, where it was made by Backstay.
    pub plan: Option<PlanId>,
    /// The plan's name.
    pub plan_name: String,
    /// The kinds in it.
    pub kinds: Vec<String>,
    /// How many problems spoil it.
    pub problems: u64,
    /// What was counted.
    pub counts: RunCounts,
    /// The backup it was compared with.
    pub parent: Option<BackupId>,
    /// Its newest proof: when a run last read all its data back and found it whole.
    pub verified: Option<DateTime<Utc>>,
    /// The file it is, in the archive layout; `None` in a vault.
    #[serde(default)]
    pub archive: Option<ArchiveFile>,
}

/// Takes one backup. Nothing of it can be seen by anyone before `commit` returned.
#[async_trait]
pub trait BackupWriter: EntrySink {
    /// Writes what is left, syncs, reads the index and snapshot back, and makes the backup visible as the last act. The
    /// manifest handed in replaces that of the start.
    async fn commit(self: Box<Self>, manifest: BackupManifest) -> Result<BackupRecord>;
    /// Ends without a backup. What was written may stay as unreferenced data for the next run to use.
    async fn abort(self: Box<Self>);
    /// Returns the writer as the sink kinds push into.
    fn as_sink(&mut self) -> &mut dyn EntrySink;
    /// Bytes written to the destination so far.
    fn bytes_added(&self) -> u64;
}

/// Which entries of a backup are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// These paths and all below them; empty means all.
    pub include: Vec<RawPath>,
    /// These paths and all below them are left out again.
    pub exclude: Vec<RawPath>,
    /// If given, just these paths (within `include`), nothing below them by itself.
    pub only: Option<HashSet<RawPath>>,
}

/// One line of a folder in a backup.
#[derive(Clone, Debug)]
pub struct ListedEntry {
    /// The entry.
    pub entry: Entry,
    /// Size with everything below it, in bytes.
    pub total_bytes: u64,
    /// Files in it, itself included.
    pub total_files: u64,
}

/// Reads one backup.
#[async_trait]
pub trait BackupReader: Send + Sync {
    /// Returns its record.
    fn record(&self) -> &BackupRecord;
    /// Returns its manifest; `None` when Backstay did not make it (a plain restic snapshot).
    async fn manifest(&self) -> Result<Option<BackupManifest>>;
    /// Lists one folder, sorted by name, with sizes of all below. `Missing` if the path is not there or no folder.
    async fn list(&self, ctx: &RunContext, dir: &RawPath) -> Result<Vec<ListedEntry>>;
    /// Returns all selected entries without content, in path order.
    async fn walk(&self, ctx: &RunContext, selection: &Selection) -> Result<Vec<Entry>>;
    /// Streams the selected entries with content, in path order, reading ahead within bounded memory.
    async fn stream(&self, ctx: &RunContext, selection: Selection) -> Result<Box<dyn EntrySource>>;
    /// Finds entries whose path holds `text` (case ignored); at most `limit`.
    async fn search(&self, ctx: &RunContext, text: &str, limit: usize) -> Result<Vec<Entry>>;
}
