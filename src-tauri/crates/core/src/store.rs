//! The local database, as a trait: a cache of what destinations tell, plus set-up, runs and the audit log.

use crate::config::{
    AuditEntry, AuditRecord, BackupCopies, BackupQuery, DestinationConfig, KnownBackup, PinnedHostKey, Plan, Server,
};
use crate::error::Result;
use crate::ids::{BackupId, DestinationId, PlanId, RunId, ServerId};
use crate::run::{Problem, Run, RunKind};
use chrono::{DateTime, Utc};

/// Which runs are wanted; newest first.
#[derive(Clone, Debug, Default)]
pub struct RunQuery {
    /// Only these that are not over.
    pub active_only: bool,
    /// Of this plan only.
    pub plan: Option<PlanId>,
    /// Of this server only.
    pub server: Option<ServerId>,
    /// Of this sort only.
    pub kind: Option<RunKind>,
    /// Begun by then only; what ran while the clock was ahead is dated later.
    pub until: Option<DateTime<Utc>>,
    /// Skip so many.
    pub offset: u64,
    /// At most so many.
    pub limit: u64,
}

/// A page of rows and how many there are in all.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// How many match in all.
    pub total: u64,
}

/// The local database. Calls are short and blocking (milliseconds); each is one transaction, durable when it returns.
///
/// `put_*` inserts or replaces by id; a name taken by another id is `Exists`. `get_*` of an absent id is `Missing`.
/// Deleting an absent row is `Ok`.
pub trait Store: Send + Sync {
    /// All servers by name; "This computer" is always there.
    fn servers(&self) -> Result<Vec<Server>>;
    /// One server.
    fn server(&self, id: &ServerId) -> Result<Server>;
    /// Adds or replaces a server.
    fn put_server(&self, server: &Server) -> Result<()>;
    /// Removes a server. `Locked` while a plan uses it.
    fn delete_server(&self, id: &ServerId) -> Result<()>;

    /// All destinations by name.
    fn destinations(&self) -> Result<Vec<DestinationConfig>>;
    /// One destination.
    fn destination(&self, id: &DestinationId) -> Result<DestinationConfig>;
    /// Adds or replaces a destination.
    fn put_destination(&self, destination: &DestinationConfig) -> Result<()>;
    /// Forgets a destination and its cached backups; what lies there is untouched. `Locked` while a plan uses it.
    fn delete_destination(&self, id: &DestinationId) -> Result<()>;

    /// All plans by name.
    fn plans(&self) -> Result<Vec<Plan>>;
    /// One plan.
    fn plan(&self, id: &PlanId) -> Result<Plan>;
    /// Adds or replaces a plan.
    fn put_plan(&self, plan: &Plan) -> Result<()>;
    /// Removes a plan; its backups stay.
    fn delete_plan(&self, id: &PlanId) -> Result<()>;

    /// Adds a run.
    fn insert_run(&self, run: &Run) -> Result<()>;
    /// Replaces a run's row.
    fn update_run(&self, run: &Run) -> Result<()>;
    /// One run.
    fn run(&self, id: &RunId) -> Result<Run>;
    /// Runs, newest first.
    fn runs(&self, query: &RunQuery) -> Result<Page<Run>>;
    /// Marks every run that is not over as interrupted; called once at start, before any run. Returns how many.
    fn interrupt_open_runs(&self, now: DateTime<Utc>) -> Result<u64>;
    /// Adds problems to a run, in one transaction.
    fn add_problems(&self, run: &RunId, problems: &[Problem]) -> Result<()>;
    /// A run's problems whose subject or reason holds `text` (empty: all), in the order they came.
    fn problems(&self, run: &RunId, text: &str, offset: u64, limit: u64) -> Result<Page<Problem>>;
    /// Adds lines to a run's log.
    fn add_log(&self, run: &RunId, lines: &[(DateTime<Utc>, String)]) -> Result<()>;
    /// A run's log.
    fn log(&self, run: &RunId) -> Result<Vec<(DateTime<Utc>, String)>>;

    /// Makes the cached backups of a destination exactly `backups`.
    fn replace_backups(&self, destination: &DestinationId, backups: &[KnownBackup]) -> Result<()>;
    /// Adds or replaces one cached backup.
    fn put_backup(&self, backup: &KnownBackup) -> Result<()>;
    /// Backups, filtered, sorted, a page of them: one row each, however many copies it has.
    fn backup_rows(&self, query: &BackupQuery) -> Result<Page<BackupCopies>>;
    /// Copies of backups, filtered, sorted, a page of them: a backup at two destinations comes twice.
    fn backups(&self, query: &BackupQuery) -> Result<Page<KnownBackup>>;
    /// Backups of a plan that lie elsewhere and not at this destination, though they could: archives, and those in a vault
    /// this destination holds a copy of. Newest first.
    fn missing_backups(&self, plan: &PlanId, destination: &DestinationId) -> Result<Vec<BackupId>>;
    /// What the backups begun since then added to their destinations, in bytes; each counts once, however many copies it has.
    fn bytes_added_since(&self, since: DateTime<Utc>) -> Result<u64>;
    /// When a backup of a server was last read back and found whole.
    fn last_verified(&self, server: &ServerId) -> Result<Option<DateTime<Utc>>>;
    /// The copies of one backup; an id's unambiguous start of at least 6 digits is enough.
    fn backup(&self, id: &BackupId) -> Result<Vec<KnownBackup>>;

    /// The pinned key of a host, if any.
    fn host_key(&self, host: &str, port: u16) -> Result<Option<PinnedHostKey>>;
    /// Pins a host key, replacing the one before.
    fn put_host_key(&self, key: &PinnedHostKey) -> Result<()>;
    /// Forgets the pinned key of a host.
    fn delete_host_key(&self, host: &str, port: u16) -> Result<()>;

    /// What was kept of a transfer under a name, see [`crate::layout::TransferJournal`].
    fn transfer(&self, name: &str) -> Result<Option<String>>;
    /// Returns all that is kept under names that begin so: name and text.
    fn transfers(&self, prefix: &str) -> Result<Vec<(String, String)>>;
    /// Keeps what a transfer needs to go on.
    fn put_transfer(&self, name: &str, state: &str) -> Result<()>;
    /// Changes what is kept of a transfer, in one transaction: nothing is lost that others keep there at the same time.
    /// `change` is given what is kept and returns what is to be (`None`: nothing); it must not call the store.
    fn update_transfer(
        &self,
        name: &str,
        change: &mut dyn FnMut(Option<String>) -> Result<Option<String>>,
    ) -> Result<()>;
    /// Forgets a transfer.
    fn delete_transfer(&self, name: &str) -> Result<()>;
    /// Removes one copy of a backup from the cache.
    fn delete_backup(&self, id: &BackupId, destination: &DestinationId) -> Result<()>;

    /// Appends to the audit log.
    fn audit(&self, at: DateTime<Utc>, record: &AuditRecord) -> Result<AuditEntry>;
    /// Audit entries, newest first.
    fn audit_entries(&self, offset: u64, limit: u64) -> Result<Page<AuditEntry>>;
    /// Recomputes the chain; returns how many entries are good, or `Corrupt` naming the first bad one.
    fn audit_verify(&self) -> Result<u64>;

    /// A setting as JSON.
    fn setting(&self, key: &str) -> Result<Option<serde_json::Value>>;
    /// Stores a setting.
    fn put_setting(&self, key: &str, value: &serde_json::Value) -> Result<()>;
    /// Changes a setting in one step, so that nothing is lost that another process stores meanwhile.
    fn update_setting(
        &self,
        key: &str,
        change: &mut dyn FnMut(Option<serde_json::Value>) -> Result<serde_json::Value>,
    ) -> Result<()>;
}
