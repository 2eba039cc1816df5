//! What the admin set up: servers, destinations, plans, settings. No secrets: those are in the secret store by name.

use crate::ids::{BackupId, DestinationId, PlanId, ServerId};
use crate::kind::Item;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A machine the admin looks after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Its name, unique.
    pub name: String,
    /// How it is reached.
    pub connection: Connection,
    /// What was found there last.
    pub facts: Option<ServerFacts>,
    /// When it was added.
    pub created: DateTime<Utc>,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Connection {
    /// This computer.
    Local {
        /// Run commands as root by sudo.
        sudo: Sudo,
    },
    /// Over SSH.
    Ssh(SshConnection),
}

/// How to become root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sudo {
    /// Not at all: commands run as the user who logs in.
    #[default]
    None,
    /// `sudo` without a password (NOPASSWD).
    WithoutPassword,
    /// `sudo` with the password in the secret store.
    WithPassword,
}

/// An SSH connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SshConnection {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User to log in as.
    pub user: String,
    /// How to log in.
    pub auth: SshAuth,
    /// The jump hosts on the way, first one first. They log in by agent or the same key unless they name their own.
    pub jumps: Vec<SshJump>,
    /// How to become root there.
    pub sudo: Sudo,
    /// The pinned host key, `SHA256:…` as `ssh-keygen -l` prints it.
    pub fingerprint: Option<String>,
}

/// A jump host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SshJump {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User to log in as.
    pub user: String,
    /// How to log in; `None` means as on the server itself.
    pub auth: Option<SshAuth>,
    /// The pinned host key.
    pub fingerprint: Option<String>,
}

/// How to log in over SSH. Passwords and passphrases lie in the secret store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SshAuth {
    /// Keys held by the SSH agent of this computer.
    Agent,
    /// A key file, with or without passphrase; a certificate beside it (`-cert.pub`) is used too.
    KeyFile {
        /// The file's path on this computer.
        path: String,
    },
    /// A password, given as `password` or by keyboard-interactive, whichever the server asks for.
    Password,
}

/// What was found on a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// When.
    pub seen: Option<DateTime<Utc>>,
    /// Operating system: "Debian GNU/Linux 12 (bookworm)".
    pub os: String,
    /// Kernel and machine: "Linux 6.1 x86_64".
    pub kernel: String,
    /// The server's own host name.
    pub hostname: String,
    /// The user we are there, after sudo: "root".
    pub user: String,
    /// Tools that matter, with versions: ("tar", "GNU tar 1.34").
    pub tools: Vec<(String, String)>,
    /// File systems: (mount point, total, free) in bytes.
    pub space: Vec<(String, u64, u64)>,
    /// Big or telling folders: (path, bytes where known).
    pub folders: Vec<(String, Option<u64>)>,
    /// What kinds found.
    pub found: Vec<crate::kind::Found>,
    /// Whether commands can run there (false: SFTP only).
    pub commands: bool,
}

/// A place where backups lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DestinationConfig {
    /// Its id.
    pub id: DestinationId,
    /// Its name, unique.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// The vault's own id, written in its config file; found again under another name it is the same vault.
    pub vault_id: String,
    /// Whether the recovery kit was confirmed by typing a word of it back.
    pub kit_confirmed: bool,
    /// When it was added.
    pub created: DateTime<Utc>,
}

/// Where a destination is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Place {
    /// A folder of this computer, or one mounted on it.
    Local {
        /// Its absolute path.
        path: String,
    },
}

/// What is backed up, from where, to where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Its name, unique.
    pub name: String,
    /// The server read.
    pub server: ServerId,
    /// What is read.
    pub items: Vec<Item>,
    /// Where it goes. The first is the primary.
    pub destinations: Vec<DestinationId>,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// A backup in the local list: a cache of what the destinations tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownBackup {
    /// What its destination tells.
    pub record: crate::layout::BackupRecord,
    /// Where it lies.
    pub destination: DestinationId,
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

/// One entry of the audit log. `hash` is SHA-256 over the hash before and this entry's fields, so that a changed or
/// missing row shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Number, counting from 1 without gaps.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: the user of this computer.
    pub who: String,
    /// What: "server.add", "restore.start", …
    pub action: String,
    /// On what, in words.
    pub subject: String,
    /// How it ended: "ok" or an error's class.
    pub outcome: String,
    /// Hash of the entry before; 64 zeros for the first.
    pub previous_hash: String,
    /// Hash of this entry.
    pub hash: String,
}

/// What an action writes into the audit log.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// Who.
    pub who: String,
    /// What.
    pub action: String,
    /// On what.
    pub subject: String,
    /// How it ended.
    pub outcome: String,
}

/// A pinned host key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedHostKey {
    /// Host name or address as the user gave it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// When it was accepted.
    pub accepted: DateTime<Utc>,
}

/// The newest good backup of a plan or server, for overview and staleness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastBackup {
    /// The backup.
    pub backup: BackupId,
    /// When.
    pub started: DateTime<Utc>,
}
