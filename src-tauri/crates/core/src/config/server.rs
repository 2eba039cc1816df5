//! Servers: how they are reached, what was found there, the host keys that were accepted.

use crate::ids::ServerId;
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshConnection {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User to log in as.
    pub user: String,
    /// How to log in.
    pub auth: SshAuth,
    /// The server asks for the account's password besides the key: a second factor. Without meaning where a password logs in.
    #[serde(default)]
    pub password_too: bool,
    /// The jump hosts on the way, first one first. They log in as on the server itself unless they name their own way.
    pub jumps: Vec<SshJump>,
    /// How to become root there.
    pub sudo: Sudo,
    /// The pinned host key, `SHA256:…` as `ssh-keygen -l` prints it.
    pub fingerprint: Option<String>,
}

/// A jump host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
