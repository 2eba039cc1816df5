//! Restore: ask for a preview, look at it, confirm it.

use serde::{Deserialize, Serialize};
use specta::Type;

/// What to restore, and where to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Type)]
pub struct RestoreRequest {
    /// The backup.
    pub backup: String,
    /// Paths in it, text form; empty means all.
    pub paths: Vec<String>,
    /// The server's id.
    pub server: String,
    /// A folder on that server to restore into; `None` means the original places.
    pub target: Option<String>,
    /// "merge", "newer", "missing" or "replace".
    pub mode: String,
    /// How to log in to databases there, where it differs from how they were backed up.
    #[serde(default)]
    pub logins: Vec<DatabaseLogin>,
}

/// How a restore logs in to the database server of one item. All of it takes the place of the plan's own log-in. The
/// password comes in and is kept only as long as the preview.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Type)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseLogin {
    /// The item's name in the backup: "mysql".
    pub item: String,
    /// User; empty means by the tool's own default, as in a plan.
    pub user: String,
    /// Password; `None` or empty means none.
    pub password: Option<String>,
    /// Host (for "postgres" a socket folder too) as seen from the server; empty means the tool's default.
    pub host: String,
    /// Socket as seen from the server, for "mysql"; empty means the tool's default.
    pub socket: String,
    /// Port; 0 means the default.
    pub port: u16,
}

/// What a restore would do. Kept by the engine under its id for an hour, so that what is confirmed is what was seen.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct RestorePreview {
    /// Its id.
    pub id: String,
    /// The backup's words: "web nightly, 20 Nov 2026 10:12".
    pub backup_text: String,
    /// The server's name, to be typed for "replace".
    pub server_name: String,
    /// The server's address.
    pub server_address: String,
    /// The mode.
    pub mode: String,
    /// What will happen, in one or two sentences.
    pub sentence: String,
    /// To create.
    pub create: ChangeSum,
    /// To overwrite.
    pub overwrite: ChangeSum,
    /// To delete.
    pub delete: ChangeSum,
    /// What becomes of databases, each in words.
    pub databases: Vec<String>,
    /// Left alone.
    pub kept: u64,
    /// How much cannot be restored as things are there; the warnings say what and why.
    pub not_restored: u64,
    /// Bytes to transfer.
    pub transfer_bytes: u64,
    /// Free room at the target, where known.
    pub free_bytes: Option<u64>,
    /// Warnings, most serious first.
    pub warnings: Vec<String>,
    /// Facts: versions.
    pub facts: Vec<String>,
    /// Why it cannot be done as asked, if so (no room, nothing picked).
    pub blocked: Option<String>,
    /// Whether the server's name must be typed.
    pub needs_name: bool,
}

/// A count with its bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, Type)]
pub struct ChangeSum {
    /// How many files, links and objects.
    pub count: u64,
    /// How many folders; the list has these too.
    pub folders: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl ChangeSum {
    /// Tells whether there is anything in the list, be it folders alone.
    pub fn any(&self) -> bool {
        self.count > 0 || self.folders > 0
    }
}

/// A page of a preview's list.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct ChangePage {
    /// Rows.
    pub rows: Vec<ChangeRow>,
    /// Matching in all.
    pub total: u64,
}

/// One line of a preview.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct ChangeRow {
    /// Path on the target, or "database shop".
    pub target: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Size.
    pub bytes: u64,
    /// Last change at the target, Unix milliseconds.
    pub modified: Option<i64>,
}
