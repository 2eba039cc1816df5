//! Backups: the list, one backup, its tree, comparisons.

use serde::{Deserialize, Serialize};
use specta::Type;

/// Which backups, in which order.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct BackupFilter {
    /// Text in plan or server name, or the start of an id.
    pub text: String,
    /// Of this server.
    pub server: Option<String>,
    /// Of this plan.
    pub plan: Option<String>,
    /// At this destination.
    pub destination: Option<String>,
    /// With this kind in it.
    pub kind: Option<String>,
    /// "good" or "problems"; `None` is both.
    pub state: Option<String>,
    /// "started", "plan", "server", "size" or "added".
    pub sort: String,
    /// Smallest first.
    pub ascending: bool,
    /// Skip so many.
    pub offset: u64,
    /// At most so many (1 to 1,000).
    pub limit: u64,
}

impl Default for BackupFilter {
    fn default() -> Self {
        Self {
            text: String::new(),
            server: None,
            plan: None,
            destination: None,
            kind: None,
            state: None,
            sort: "started".into(),
            ascending: false,
            offset: 0,
            limit: 200,
        }
    }
}

/// A page of backups.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct BackupPage {
    /// Rows.
    pub rows: Vec<BackupRow>,
    /// Matching in all.
    pub total: u64,
}

/// A line of the backup list.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct BackupRow {
    /// Id.
    pub id: String,
    /// When it began.
    pub started: i64,
    /// When it was committed.
    pub ended: i64,
    /// The plan's id, where known.
    pub plan: Option<String>,
    /// The plan's name.
    pub plan_name: String,
    /// The server's id, where known.
    pub server: Option<String>,
    /// The server's name.
    pub server_name: String,
    /// Kinds in it.
    pub kinds: Vec<String>,
    /// "good" or "problems".
    pub state: String,
    /// How many problems.
    pub problems: u64,
    /// Files.
    pub files: u64,
    /// Size of all in it.
    pub bytes: u64,
    /// What it added at the destination.
    pub added_bytes: u64,
    /// Names of the destinations it lies at.
    pub destinations: Vec<String>,
    /// Names of its plan's destinations that lack it.
    pub missing_at: Vec<String>,
    /// "vault", "tar.gz", "tar.zst" or "zip".
    pub layout: String,
    /// Whether it is an archive that is sealed.
    pub sealed: bool,
    /// When its data was last read back whole.
    pub verified: Option<i64>,
}

/// One backup whole.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct BackupDetail {
    /// Its row.
    pub row: BackupRow,
    /// The backup before it of the same plan, if it is still there.
    pub previous: Option<String>,
    /// Items in words, with their place in the tree.
    pub items: Vec<BackupItem>,
    /// Files read and bytes read from the server.
    pub files_read: u64,
    /// Bytes read from the server.
    pub bytes_read: u64,
    /// Files new since the one before.
    pub files_new: u64,
    /// Files changed since the one before.
    pub files_changed: u64,
    /// Facts: tools and versions.
    pub facts: Vec<String>,
    /// The first 100 problems.
    pub problem_list: Vec<crate::ProblemRow>,
    /// Copies.
    pub copies: Vec<CopyView>,
    /// The run that made it, if this computer knows it.
    pub run: Option<String>,
}

/// An item of a backup.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct BackupItem {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// In words.
    pub text: String,
    /// Where it lies in the backup's tree; empty for files, which lie at their own places.
    pub path: String,
}

/// One copy.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct CopyView {
    /// The destination's id.
    pub destination: String,
    /// Its name.
    pub destination_name: String,
    /// "there", "missing" (the plan writes there, but this backup is not there: Sync), "frozen" or "thawing" (in a cold
    /// storage class).
    pub state: String,
    /// The archive's file name there; `None` in a vault.
    pub file: Option<String>,
    /// Its size there in bytes, for an archive.
    pub file_bytes: Option<u64>,
    /// Whether a temporary link can be made.
    pub links: bool,
    /// What the provider bills for deleting it now: "Billed until 12 February: Wasabi keeps charging for 90 days".
    pub cost_note: Option<String>,
    /// Until when nobody can delete it there, Unix milliseconds; `None` where it is not locked, or that is not known.
    pub locked_until: Option<i64>,
}

/// What deleting a backup would do, to be confirmed.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DeletePreview {
    /// The backup.
    pub backup: String,
    /// Its plan's name and time, in words.
    pub title: String,
    /// The copies that would go.
    pub copies: Vec<CopyView>,
    /// Whether it is the plan's newest good backup.
    pub newest: bool,
    /// Whether it is the plan's only backup.
    pub only: bool,
    /// What happens, a sentence each: room freed now or by pruning, cost notes, locks.
    pub notes: Vec<String>,
}

/// What deleting a backup did.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DeleteReport {
    /// Bytes freed at once.
    pub freed_bytes: u64,
    /// Copies removed, by destination name.
    pub removed: Vec<String>,
    /// Copies that could not be removed.
    pub failed: Vec<DeleteFailure>,
    /// Room that pruning the vault would free, in words; empty when nothing is left.
    pub prune_hint: String,
}

/// A copy that could not be removed.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DeleteFailure {
    /// Destination name.
    pub destination: String,
    /// Why.
    pub error: crate::IpcError,
}

/// A temporary link.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct LinkView {
    /// The address. Whoever has it can read the file until it ends.
    pub url: String,
    /// When it ends, Unix milliseconds.
    pub expires: i64,
    /// File name.
    pub file: String,
    /// Whether the file is sealed (its key is needed to read it).
    pub sealed: bool,
}

/// One line of a backup's tree.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct BackupEntry {
    /// Name, text form.
    pub name: String,
    /// Path in the backup, text form, relative.
    pub path: String,
    /// "dir", "file", "link", "fifo", "device".
    pub kind: String,
    /// Size with all below it.
    pub bytes: u64,
    /// Files in it.
    pub files: u64,
    /// Last change, Unix milliseconds.
    pub modified: i64,
    /// "rw-r--r--".
    pub mode: String,
    /// "www-data:www-data".
    pub owner: String,
    /// Link target, for "link".
    pub target: Option<String>,
    /// "added", "changed" or `None`, against the backup before (files and links only; folders: "changed" if any below).
    pub change: Option<String>,
}

/// A comparison of two backups.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DiffView {
    /// The older.
    pub older: String,
    /// The newer.
    pub newer: String,
    /// Files added.
    pub added: u64,
    /// Files removed.
    pub removed: u64,
    /// Files changed.
    pub changed: u64,
    /// Bytes by which the backup grew (negative: shrank).
    pub grown_bytes: i64,
    /// The lines that changed size most first; at most 1,000.
    pub lines: Vec<DiffLineView>,
    /// How many lines there are in all.
    pub total: u64,
}

/// One line of a comparison.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DiffLineView {
    /// "added", "removed", "changed" or "metadata".
    pub change: String,
    /// Path, text form.
    pub path: String,
    /// Size before.
    pub old_bytes: u64,
    /// Size after.
    pub new_bytes: u64,
}

/// A download of backups, or of parts of one. An interrupted one goes on where it was by `resume_download`.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DownloadRequest {
    /// The backups; parts can be picked of a single one only.
    pub backups: Vec<String>,
    /// Paths in it; empty means all.
    pub paths: Vec<String>,
    /// "tar.gz", "tar.zst", "zip", or "as_is": an archive's file just as it lies at its destination.
    pub format: String,
    /// Of which destination; `None` takes the fastest that has it (local first).
    #[serde(default)]
    pub destination: Option<String>,
    /// The folder of this computer to write into.
    pub folder: String,
}
