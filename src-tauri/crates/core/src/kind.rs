//! A kind of data, with both its halves: collect and restore.

use crate::context::RunContext;
use crate::entry::{Entry, EntrySink, EntrySource};
use crate::error::Result;
use crate::host::{Host, SharedHost};
use crate::path::RawPath;
use crate::secret::Secret;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// One kind with its settings in a plan: "files: /srv/game, without logs".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its name, unique in the plan; the kind's id unless the plan has two of that kind. `[a-z0-9-]+`.
    pub name: String,
    /// The kind's id: "files", "mysql", "postgres", "sqlite".
    pub kind: String,
    /// The kind's own settings; each kind parses its own type from it, and refuses unknown fields.
    pub settings: serde_json::Value,
}

/// An item with what it needs at run time.
#[derive(Clone, Debug)]
pub struct ItemInput {
    /// The item.
    pub item: Item,
    /// The password of its database log-in, where its settings name a user with one.
    pub password: Option<Secret>,
}

impl ItemInput {
    /// Returns where this item's entries lie in a backup: files at their own places (the root), all others below
    /// `.backstay/NAME/`.
    pub fn root(&self) -> RawPath {
        item_root(&self.item)
    }
}

/// The folder of a backup in which Backstay keeps what are not the server's own files.
pub const BACKSTAY_DIR: &str = ".backstay";

/// The file below an item's root in which a kind keeps what it must know before the rest is brought back. It comes along
/// whatever is picked of the item.
pub const ABOUT_FILE: &str = "!item.json";

/// Returns where an item's entries lie in a backup.
pub fn item_root(item: &Item) -> RawPath {
    if item.kind == "files" {
        return RawPath::root();
    }
    RawPath::new(format!("{BACKSTAY_DIR}/{}", item.name)).unwrap_or_default()
}

/// Something a kind found on a server, ready to be ticked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The kind that found it.
    pub kind: String,
    /// What to show: "MariaDB 10.11: shop".
    pub title: String,
    /// More words: "through /run/mysqld/mysqld.sock as root".
    pub note: String,
    /// Its size where known, in bytes.
    pub size_bytes: Option<u64>,
    /// The settings an item would need to back up just this.
    pub settings: serde_json::Value,
    /// Whether a new plan should tick it without being asked.
    pub suggested: bool,
}

/// What a kind says before it collects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preflight {
    /// Tools and versions: "mariadb-dump 10.11.6", "GNU tar 1.34".
    pub facts: Vec<String>,
    /// Things that will not go perfectly, in words.
    pub warnings: Vec<String>,
    /// Size estimate where it is cheap to know.
    pub bytes: Option<u64>,
}

/// How existing things at the target are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreMode {
    /// Add and overwrite; leave alone what is not in the backup.
    Merge,
    /// Like merge, but keep what is newer at the target.
    Newer,
    /// Only what is missing at the target.
    Missing,
    /// Exactly as in the backup: what is not in it is deleted.
    Replace,
}

/// What to restore, and where to.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// How existing things are treated.
    pub mode: RestoreMode,
    /// Restore below this absolute path instead of the original places: `srv/www/x` goes to `TO/srv/www/x`, or, when
    /// exactly one folder was picked, that folder's content goes right into it (see `strip`).
    pub to: Option<RawPath>,
    /// The leading part of backup paths taken away before `to` is put in front.
    pub strip: RawPath,
    /// Only these paths of the backup and what lies below them; empty means all.
    pub only: Vec<RawPath>,
}

impl RestoreOptions {
    /// Tells whether `path` (of the backup) is picked.
    pub fn picks(&self, path: &RawPath) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| path.starts_with(only))
    }
    /// Returns the absolute target path of a backup's path.
    pub fn target(&self, path: &RawPath) -> Result<RawPath> {
        match &self.to {
            None => Ok(path.to_absolute()),
            Some(to) => {
                let rest = path.below(&self.strip).unwrap_or_else(|| path.clone());
                Ok(to.join(rest.as_bytes())?)
            }
        }
    }
}

/// What a restore would do to one path or object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is not there and will be made.
    Create,
    /// It is there, differs, and will be overwritten.
    Overwrite,
    /// It is there, is not in the backup, and will be deleted.
    Delete,
    /// It is there and stays as it is: equal, newer, or kept by the mode.
    Keep,
}

/// One line of a restore's preview.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What happens.
    pub kind: ChangeKind,
    /// The item it belongs to.
    pub item: String,
    /// The target: an absolute path, or "database shop".
    pub target: String,
    /// Its path in the backup; `None` for a deletion.
    pub path: Option<RawPath>,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Size in bytes: of the backup's for create and overwrite, of the target's for delete.
    pub size_bytes: u64,
    /// Last change at the target, Unix seconds, where there is one.
    pub target_mtime: Option<i64>,
}

/// What a restore would do for one item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RestorePlan {
    /// Every change, `Keep` left out but counted.
    pub changes: Vec<Change>,
    /// How many stay as they are.
    pub kept: u64,
    /// Things the user should know: versions, users that are missing, things that will stop.
    pub warnings: Vec<String>,
    /// Facts: "MariaDB 10.11 → 10.11".
    pub facts: Vec<String>,
    /// What is wanted and will not be restored, as things are at the target. The warnings tell of it too; the run names
    /// each as a problem.
    pub not_restored: Vec<NotRestored>,
}

impl RestorePlan {
    /// Keeps what will not be restored, and warns of it. `why` goes on after the target: "is a folder there".
    pub fn leave_out(&mut self, target: &RawPath, why: &str) {
        self.warnings.push(format!("{target} {why}"));
        self.not_restored.push(NotRestored { target: target.to_text(), reason: format!("It {why}") });
    }
}

/// Something of a backup that a restore cannot bring back.
#[derive(Clone, Debug, PartialEq)]
pub struct NotRestored {
    /// The target: an absolute path.
    pub target: String,
    /// Why, in words.
    pub reason: String,
}

/// What a restore did for one item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Files or objects written.
    pub files: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Files or objects deleted.
    pub deleted: u64,
    /// Left as they were.
    pub kept: u64,
}

/// What a kind counted while it collected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectReport {
    /// Files in the backup from this item.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files whose content was read.
    pub files_read: u64,
    /// Content bytes read.
    pub bytes_read: u64,
}

/// What a kind's check of a backup found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckReport {
    /// Things checked.
    pub checked: u64,
    /// What is not whole, in words: subject and reason.
    pub faults: Vec<(String, String)>,
}

/// A kind of data. Its two halves are inverse: what `collect` pushes, `restore` brings back.
///
/// One problem with one thing goes to `ctx.progress.problem` and the work goes on; what ends the run is an `Err`. A lost
/// connection is always an `Err`. Every loop looks at `ctx.cancel`.
#[async_trait]
pub trait Kind: Send + Sync {
    /// Returns its id: "files", "mysql", …
    fn id(&self) -> &'static str;
    /// Parses the settings and says what is wrong with them (`Invalid`).
    fn validate(&self, item: &Item) -> Result<()>;
    /// Returns the item in one line: "/srv/game without *.log", "all databases".
    fn describe(&self, item: &Item) -> String;
    /// Looks what of this kind is on the server. Finding nothing, or lacking the right to look, is an empty list.
    async fn discover(&self, ctx: &RunContext, host: &dyn Host) -> Result<Vec<Found>>;
    /// Looks whether `collect` can work: tools, versions, rights, room. What makes it impossible is an `Err` with a hint.
    async fn preflight(&self, ctx: &RunContext, host: &dyn Host, input: &ItemInput) -> Result<Preflight>;
    /// Pushes everything of the item into the sink. Entries lie below `input.root()`.
    async fn collect(
        &self,
        ctx: &RunContext,
        host: &dyn Host,
        input: &ItemInput,
        sink: &mut dyn EntrySink,
    ) -> Result<CollectReport>;
    /// Says what `restore` would do, changing nothing. `listing` holds the backup's entries of this item (without
    /// content), those picked by `options.only`.
    async fn plan_restore(
        &self,
        ctx: &RunContext,
        host: &dyn Host,
        input: &ItemInput,
        listing: &[Entry],
        options: &RestoreOptions,
    ) -> Result<RestorePlan>;
    /// Brings the entries back. `plan` is what the user confirmed: paths planned as `Keep` are not written, deletions are
    /// exactly those of the plan. `source` yields the entries to write, with content. The host is a shared one: what must not
    /// be cut half way keeps it, and goes on when this call is dropped (`ctx.unbroken`).
    async fn restore(
        &self,
        ctx: &RunContext,
        host: &SharedHost,
        input: &ItemInput,
        source: &mut dyn EntrySource,
        plan: &RestorePlan,
        options: &RestoreOptions,
    ) -> Result<RestoreReport>;
    /// Reads the item's entries of a backup to their end and says what is not whole.
    async fn check(&self, ctx: &RunContext, input: &ItemInput, source: &mut dyn EntrySource) -> Result<CheckReport>;
}
