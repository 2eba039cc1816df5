//! Plans: what is backed up, from where, to where.

use serde::{Deserialize, Serialize};
use specta::Type;

/// A line of the plan list.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct PlanRow {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// The server's id.
    pub server: String,
    /// The server's name.
    pub server_name: String,
    /// The items in words: "/srv/www · all databases".
    pub what: String,
    /// The kinds.
    pub kinds: Vec<String>,
    /// The destinations' names.
    pub destinations: Vec<String>,
    /// How its backups lie there, in words: "vault", "tar.zst, sealed".
    pub layout: String,
    /// Whether the recovery kit of its archive key was confirmed; `None` where nothing is sealed with a key of its own.
    pub kit_confirmed: Option<bool>,
    /// Copies its destinations lack: Sync makes them good.
    pub missing_copies: u64,
    /// When it last ran, whatever came of it.
    pub last_run: Option<i64>,
    /// The last run's id.
    pub last_run_id: Option<String>,
    /// The last run's state, or "never".
    pub state: String,
    /// Why, in a few words: "2 problems", "connection refused".
    pub state_text: String,
    /// When its newest good backup was made.
    pub last_backup: Option<i64>,
    /// Its size.
    pub last_bytes: Option<u64>,
}

/// A plan whole.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct PlanView {
    /// Its row.
    pub row: PlanRow,
    /// Its settings, as the wizard shows them.
    pub draft: PlanDraft,
}

/// A plan as the wizard fills it in.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct PlanDraft {
    /// Set when an existing plan is changed.
    pub id: Option<String>,
    /// Name.
    pub name: String,
    /// The server's id.
    pub server: String,
    /// The items.
    pub items: Vec<ItemDraft>,
    /// The destinations' ids, the primary first.
    pub destinations: Vec<String>,
    /// How its backups lie there.
    pub layout: LayoutDraft,
}

/// How a plan's backups lie at its destinations, as the wizard fills it in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct LayoutDraft {
    /// "vault" or "archive".
    pub kind: String,
    /// "tar.gz", "tar.zst" or "zip"; for "archive".
    pub format: String,
    /// "none", "plan_key", "passphrase" or "own_key"; for "archive".
    pub seal: String,
    /// The passphrase, or the own key as 64 hex digits. Comes in and never goes out; `None` keeps what is stored.
    pub key: Option<String>,
    /// File name without ending: `{plan}_{time:%Y%m%d_%H%M%S}`.
    pub template: String,
}

impl Default for LayoutDraft {
    fn default() -> Self {
        Self {
            kind: "vault".into(),
            format: "tar.zst".into(),
            seal: "plan_key".into(),
            key: None,
            template: "{plan}_{time:%Y%m%d_%H%M%S}".into(),
        }
    }
}

/// A plan just saved.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct PlanSaved {
    /// Its row.
    pub row: PlanRow,
    /// The recovery kit of its archive key, when a key was just made or given; to be printed and confirmed like a vault's.
    pub kit: Option<crate::RecoveryKit>,
}

/// One item. `password` comes in and never goes out: `None` keeps what is stored.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct ItemDraft {
    /// Its name, unique in the plan; empty lets Backstay choose.
    #[serde(default)]
    pub name: String,
    /// The kind with its settings.
    pub settings: ItemSettings,
    /// The password of its database log-in.
    #[serde(default)]
    pub password: Option<String>,
}

/// Settings by kind. The same JSON (without `kind`) is what each kind parses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ItemSettings {
    /// Files and folders.
    Files(FilesSettings),
    /// MySQL or MariaDB.
    Mysql(DatabaseSettings),
    /// PostgreSQL.
    Postgres(PostgresSettings),
    /// SQLite files.
    Sqlite(SqliteSettings),
}

/// Settings of kind "files".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Type)]
#[serde(default, deny_unknown_fields)]
pub struct FilesSettings {
    /// Absolute paths, text form.
    pub paths: Vec<String>,
    /// Patterns left out: an absolute path, or a name pattern with `*`, `?`, `[…]` matched against any single path part
    /// ("*.log", "node_modules"), or, if it holds a slash inside, against the whole path.
    pub excludes: Vec<String>,
    /// Do not cross into other file systems.
    pub one_file_system: bool,
}

/// Settings of kind "mysql".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Type)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// Databases by name; empty means all but the system's own.
    pub databases: Vec<String>,
    /// Socket path on the server; empty means the tool's default.
    pub socket: String,
    /// Host as seen from the server; empty means the socket.
    pub host: String,
    /// Port; 0 means the default.
    pub port: u16,
    /// User; empty means the tool's default (the option files of the user there).
    pub user: String,
}

/// Settings of kind "postgres".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Type)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresSettings {
    /// Databases by name; empty means all but templates.
    pub databases: Vec<String>,
    /// Socket folder or host as seen from the server; empty means the tool's default.
    pub host: String,
    /// Port; 0 means the default.
    pub port: u16,
    /// User; empty means `postgres` by peer log-in (`sudo -u postgres` where we are root).
    pub user: String,
    /// "custom" (pg_dump -Fc) or "plain".
    pub format: String,
    /// Roles and tablespaces too (pg_dumpall --globals-only).
    pub globals: bool,
}

/// Settings of kind "sqlite".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Type)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteSettings {
    /// Absolute paths of database files, text form.
    pub paths: Vec<String>,
}
