//! A layout: how backups lie at a destination. Entries in, entries out.

use crate::context::RunContext;
use crate::destination::{Destination, Key};
use crate::entry::{Entry, EntrySink, EntrySource};
use crate::error::Result;
use crate::ids::{BackupId, PlanId, ServerId};
use crate::kind::Item;
use crate::path::RawPath;
use crate::run::{Problem, RunCounts};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

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
}

/// How one archive is made.
#[derive(Clone, Debug)]
pub struct ArchiveStart {
    /// Format, seal and file name.
    pub settings: crate::config::ArchiveSettings,
    /// What seals it; `None` for plain ones.
    pub key: Option<ArchiveKey>,
}

/// What seals an archive.
#[derive(Clone, Debug)]
pub enum ArchiveKey {
    /// A key of 32 bytes, as 64 hex digits: the plan's own or one the user brought.
    Key(crate::secret::Secret),
    /// A passphrase.
    Passphrase(crate::secret::Secret),
}

/// The keys archives may be sealed with. Calls may block: only for threads that may.
pub trait ArchiveKeys: Send + Sync {
    /// Returns all keys worth trying for a key id (16 hex digits, from the archive's header).
    fn candidates(&self, key_id: &str) -> Vec<ArchiveKey>;
}

/// Where an archive lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveFile {
    /// Its key at the destination: "archives/web-1/web_20261120_180000.tar.zst.sealed".
    pub key: String,
    /// Its format.
    pub format: ArchiveFormat,
    /// Whether it is sealed.
    pub sealed: bool,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the file as it lies there, 64 hex digits.
    pub sha256: String,
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

/// How one path differs between two backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiffKind {
    /// Only in the newer.
    Added,
    /// Only in the older.
    Removed,
    /// Content differs.
    Changed,
    /// Only metadata differs.
    Metadata,
}

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct DiffLine {
    /// How it differs.
    pub kind: DiffKind,
    /// The path.
    pub path: RawPath,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Size in the older, bytes.
    pub old_bytes: u64,
    /// Size in the newer, bytes.
    pub new_bytes: u64,
}

/// The comparison of two backups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackupDiff {
    /// Lines in path order, `Metadata` of folders left out.
    pub lines: Vec<DiffLine>,
}

/// What a check of the whole destination found.
#[derive(Clone, Debug, Default)]
pub struct LayoutCheck {
    /// Objects looked at.
    pub objects: u64,
    /// Bytes read back.
    pub bytes: u64,
    /// Faults in words: subject and reason.
    pub faults: Vec<(String, String)>,
    /// The keys of objects that are not what they should be, as far as they are known: what [`Layout::mend`] is told.
    pub damaged: Vec<String>,
}

/// What at a destination may be damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspects {
    /// Objects, by their keys.
    pub objects: BTreeSet<String>,
    /// Backups: everything they are made of.
    pub backups: BTreeSet<BackupId>,
}

impl Suspects {
    /// Tells whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.backups.is_empty()
    }
    /// Adds others.
    pub fn extend(&mut self, more: Self) {
        self.objects.extend(more.objects);
        self.backups.extend(more.backups);
    }
}

/// What mending did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Objects written anew.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is damaged and could not be had whole from here.
    pub left: Suspects,
}

/// How backups lie at one destination. Opened with its key; an unopened one has no methods.
#[async_trait]
pub trait Layout: Send + Sync {
    /// Starts a backup. Two may be started at once; both end up whole.
    async fn begin(&self, ctx: &RunContext, start: BackupStart) -> Result<Box<dyn BackupWriter>>;
    /// Returns all backups, newest first, reading the destination anew.
    async fn list(&self) -> Result<Vec<BackupRecord>>;
    /// Opens one backup for reading. `Missing` if it is not there.
    async fn open(&self, id: &BackupId) -> Result<Arc<dyn BackupReader>>;
    /// Compares two backups.
    async fn diff(&self, ctx: &RunContext, older: &BackupId, newer: &BackupId) -> Result<BackupDiff>;
    /// Checks structure, and reads back this share of the data.
    async fn check(&self, ctx: &RunContext, read_data_percent: u8) -> Result<LayoutCheck>;
    /// Bytes used at the destination.
    async fn used_bytes(&self) -> Result<u64>;
    /// Removes one backup, manifest or snapshot first, so that a kill leaves no backup that cannot be read. Bytes a vault
    /// shares between backups stay until it is pruned.
    async fn delete(&self, ctx: &RunContext, id: &BackupId) -> Result<Deleted>;
    /// Returns the objects that belong to one backup alone, so that they can be locked with it. None in a vault.
    fn own_objects(&self, _record: &BackupRecord) -> Result<Vec<Key>> {
        Ok(Vec::new())
    }
    /// Copies what another destination lacks of these backups (empty: of all), data first, what makes it a backup last;
    /// each object is checked by its hash on the way. Goes on where an earlier copying was cut off.
    async fn sync_to(
        &self,
        ctx: &RunContext,
        other: Arc<dyn Destination>,
        backups: &[BackupId],
        journal: Arc<dyn TransferJournal>,
    ) -> Result<Synced>;
    /// Returns the same layout at another destination that holds a copy, or will: with the same key, and without reading
    /// anything. `None` where copies have nothing in common but their content.
    fn over(&self, _other: Arc<dyn Destination>) -> Option<Arc<dyn Layout>> {
        None
    }
    /// Returns the same layout with nothing remembered: what it reads, it reads from the destination.
    fn afresh(&self) -> Option<Arc<dyn Layout>> {
        None
    }
    /// Makes another destination ready to hold a copy: the same keys and settings, as yet without backups. `Invalid` where
    /// something else lies.
    async fn make_copy(&self, _other: Arc<dyn Destination>) -> Result<()> {
        Ok(())
    }
    /// Reads what is suspected at another destination, and writes anew what is damaged there: each object is proven before
    /// it takes the place of what lies there, and read back after. What is whole stays as it is.
    async fn mend(&self, _: &RunContext, _other: Arc<dyn Destination>, suspects: &Suspects) -> Result<Mended> {
        Ok(Mended { left: suspects.clone(), ..Mended::default() })
    }
    /// Tells whether everything backups here are made of lies at another destination too, so that a new one written to
    /// both is whole at both. `Locked` while somebody holds the other for themselves.
    async fn is_level_with(&self, _ctx: &RunContext, _other: Arc<dyn Destination>) -> Result<bool> {
        Ok(true)
    }
    /// Frees the room of what no backup needs any more. Killed at any moment, every backup stays whole.
    async fn prune(&self, _ctx: &RunContext) -> Result<Pruned> {
        Ok(Pruned::default())
    }
}

/// What pruning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Objects removed.
    pub objects: u64,
    /// Bytes freed.
    pub freed_bytes: u64,
    /// Bytes written anew to free others that lay beside them.
    pub moved_bytes: u64,
}

/// What removing a backup did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Bytes freed at once.
    pub freed_bytes: u64,
    /// Bytes no backup needs any more, freed by pruning; `None` where that is not known.
    pub unused_bytes: Option<u64>,
}

/// What copying to another destination did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Objects copied.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Backups that are there now and were not before.
    pub backups: u64,
}

/// Keeps how far a transfer came, so that it goes on after a restart. Calls are short and blocking (milliseconds).
pub trait TransferJournal: Send + Sync {
    /// Returns what was kept under a name.
    fn load(&self, name: &str) -> Result<Option<String>>;
    /// Keeps a text (JSON without secrets) under a name, durably.
    fn save(&self, name: &str, state: &str) -> Result<()>;
    /// Forgets a name.
    fn clear(&self, name: &str) -> Result<()>;
}

/// A journal that forgets with the process.
#[derive(Debug, Default)]
pub struct MemoryJournal(std::sync::Mutex<std::collections::HashMap<String, String>>);

impl TransferJournal for MemoryJournal {
    fn load(&self, name: &str) -> Result<Option<String>> {
        Ok(self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(name).cloned())
    }
    fn save(&self, name: &str, state: &str) -> Result<()> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(name.into(), state.into());
        Ok(())
    }
    fn clear(&self, name: &str) -> Result<()> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(name);
        Ok(())
    }
}

/// The format of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArchiveFormat {
    /// tar, compressed by gzip.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// tar, compressed by zstd.
    #[serde(rename = "tar.zst")]
    TarZst,
    /// zip with deflate; owners, links to nowhere and special files do not survive it.
    #[serde(rename = "zip")]
    Zip,
}

impl ArchiveFormat {
    /// Returns the file name's ending.
    pub fn extension(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::TarZst => "tar.zst",
            Self::Zip => "zip",
        }
    }
}

/// What a download left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportReport {
    /// Files written into it.
    pub files: u64,
    /// Content bytes before compression.
    pub bytes: u64,
    /// Size of the file.
    pub file_bytes: u64,
    /// SHA-256 of the file, 64 hex digits.
    pub sha256: String,
}

/// How far an export came: at the end of an entry, with all before it durable in the part. Another process can go on there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportMark {
    /// So many entries of the source are done.
    pub entries: u64,
    /// The last of them, in text form: a source in another order is noticed by it.
    pub last: String,
    /// Files written so far.
    pub files: u64,
    /// Content bytes so far, before compression.
    pub bytes: u64,
    /// How long the part was then.
    pub part_bytes: u64,
    /// The state of the part's SHA-256.
    pub sum: String,
    /// What was told of the entries so far: it is true of the whole file. (What was told of the copies read is not: another
    /// run may read others.)
    pub problems: Vec<Problem>,
}

/// Where an export goes on.
#[derive(Clone, Debug)]
pub struct ExportFrom {
    /// The mark that was kept.
    pub mark: ExportMark,
    /// The entries done by then, which the source does not give again: further names of hard links refer to them.
    pub before: Vec<Entry>,
}

/// Packs entries into one file on this computer.
#[async_trait]
pub trait Exporter: Send + Sync {
    /// Tells whether the part of `file` still holds what it held at a mark, as far as its length shows.
    fn can_go_on(&self, file: &Path, mark: &ExportMark) -> bool;

    /// Packs all entries of `source` into `file`: written as `file` + `.part`, synced, read back, then renamed. A file
    /// that is there already is never overwritten (`Exists`).
    ///
    /// Now and then `keep` is given a mark, to be kept where it outlives this process; formats that cannot go on (zip) give
    /// none. Failed or cancelled before the first mark, or for a reason that will not pass: the part is removed. Else it
    /// stays for whoever goes on.
    async fn export(
        &self,
        ctx: &RunContext,
        source: &mut dyn EntrySource,
        format: ArchiveFormat,
        file: &Path,
        from: Option<ExportFrom>,
        keep: &mut (dyn FnMut(ExportMark) -> Result<()> + Send),
    ) -> Result<ExportReport>;
}
