//! The app itself: errors, settings, secrets, overview, audit.

use crate::{RunRow, ServerRow};
use serde::{Deserialize, Serialize};
use specta::Type;

/// An error over IPC and in `--json`. `code` is an error class ("offline", "refused", …); the window acts on nothing else.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct IpcError {
    /// The class.
    pub code: String,
    /// What was tried, on what, why it failed.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Technical detail.
    pub detail: Option<String>,
}

/// About this installation.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct AppInfo {
    /// Version.
    pub version: String,
    /// "linux", "macos" or "windows".
    pub platform: String,
    /// Where state lives.
    pub home: String,
    /// The user's home folder on this computer, for file dialogs.
    pub user_home: String,
    /// The user's name on this computer, as the audit log writes it.
    pub user: String,
}

/// The window's and the app's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct Settings {
    /// "system", "light" or "dark".
    pub theme: String,
    /// Notify when a run ends: "never", "problems" or "always".
    pub notify: String,
    /// A run without any sign of life for so many minutes fails; 0 means never.
    pub stall_minutes: u32,
    /// A server without a good backup for so many days is stale.
    pub stale_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { theme: "system".into(), notify: "problems".into(), stall_minutes: 10, stale_days: 2 }
    }
}

/// Where secrets rest, and whether they can be read now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct SecretsStatus {
    /// "keyring", "file" or "none".
    pub backend: String,
    /// "ready", "locked" (give the passphrase), "keyring_closed" (it is there, or was in use before, and does not open: try
    /// again), "not_set_up" (no keyring: make a sealed file).
    pub state: String,
    /// Why the keyring is not used, in words.
    pub reason: Option<String>,
    /// The sealed file's path, where one is used or would be.
    pub file: Option<String>,
    /// Secrets of this home were kept in a keyring at some time: a sealed file begins without them.
    pub keyring_used: bool,
}

/// The first screen.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct Overview {
    /// Servers with their protection.
    pub servers: Vec<ServerRow>,
    /// What needs the user, most urgent first.
    pub needs: Vec<Need>,
    /// Bytes at all destinations; `None` while unknown.
    pub stored_bytes: Option<u64>,
    /// Bytes of the newest backup of each plan, added up: what would come back.
    pub protected_bytes: u64,
    /// Bytes added in the last 7 days.
    pub added_bytes_7d: u64,
    /// Counts for the sidebar.
    pub counts: Counts,
    /// Steps of a new installation, done or not.
    pub first_steps: FirstSteps,
    /// Runs going on or waiting.
    pub active: Vec<RunRow>,
}

/// Counts for the sidebar.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, Type)]
pub struct Counts {
    /// Servers.
    pub servers: u64,
    /// Plans.
    pub plans: u64,
    /// Backups.
    pub backups: u64,
    /// Destinations.
    pub destinations: u64,
}

/// Steps of a new installation.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, Type)]
pub struct FirstSteps {
    /// A server other than this computer was added.
    pub server: bool,
    /// A destination was added.
    pub destination: bool,
    /// A plan was made.
    pub plan: bool,
    /// A backup was made.
    pub backup: bool,
}

/// One thing that needs the user.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct Need {
    /// "no_backup", "failed", "problems", "interrupted", "kit_not_confirmed", "damaged", "secrets_locked".
    pub kind: String,
    /// The subject: a plan's, server's or destination's name.
    pub subject: String,
    /// What is the matter, in words.
    pub text: String,
    /// The plan to act on.
    pub plan: Option<String>,
    /// The server to act on.
    pub server: Option<String>,
    /// The destination to act on.
    pub destination: Option<String>,
    /// The run to look at.
    pub run: Option<String>,
}

/// One audit entry.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct AuditRow {
    /// Number.
    pub seq: u64,
    /// When.
    pub at: i64,
    /// Who.
    pub who: String,
    /// What.
    pub action: String,
    /// On what.
    pub subject: String,
    /// How it ended.
    pub outcome: String,
    /// Its hash.
    pub hash: String,
}

/// A page of audit entries, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct AuditPage {
    /// Rows.
    pub rows: Vec<AuditRow>,
    /// In all.
    pub total: u64,
}

/// Whether the audit chain is whole.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct AuditCheck {
    /// Good entries.
    pub good: u64,
    /// What is wrong, if anything.
    pub fault: Option<String>,
}
