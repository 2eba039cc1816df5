//! Servers: how they are reached, what is on them.

use serde::{Deserialize, Serialize};
use specta::Type;

/// A line of the server list.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct ServerRow {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// "this computer" or "root@10.0.0.5:22".
    pub address: String,
    /// Whether it is this computer.
    pub local: bool,
    /// Operating system, where known.
    pub os: Option<String>,
    /// Kinds found there.
    pub kinds: Vec<String>,
    /// Plans that read it.
    pub plans: u64,
    /// When its newest good backup was made.
    pub last_backup: Option<i64>,
    /// Size of that backup.
    pub last_bytes: Option<u64>,
    /// At how many destinations it lies.
    pub places: u64,
    /// When a backup of it was last restored or read back whole.
    pub last_proof: Option<i64>,
    /// "protected", "problems", "stale", "never" (plans but no backup), "unplanned", "running", "failed".
    pub state: String,
    /// Why, in a few words.
    pub state_text: String,
}

/// One server whole.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct ServerDetail {
    /// Its row.
    pub row: ServerRow,
    /// How it is reached, as the wizard would show it; without secrets.
    pub draft: ServerDraft,
    /// What was found last.
    pub facts: Option<ServerFactsView>,
    /// The route in words.
    pub route: String,
    /// The pinned fingerprint.
    pub fingerprint: Option<String>,
}

/// How a server is reached, as the wizard fills it in. Secrets come in and never go out: `None` keeps what is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct ServerDraft {
    /// Set when an existing server is changed.
    pub id: Option<String>,
    /// Name.
    pub name: String,
    /// This computer.
    pub local: bool,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User.
    pub user: String,
    /// "agent", "key" or "password".
    pub auth: String,
    /// The key file, for "key".
    pub key_file: Option<String>,
    /// The key's passphrase.
    pub key_passphrase: Option<String>,
    /// The account's password, for "password" or besides a key; see `password_too`.
    pub password: Option<String>,
    /// The server asks for the account's password besides the key: a second factor.
    pub password_too: bool,
    /// "none", "without_password" or "with_password".
    pub sudo: String,
    /// Sudo's password; `None` for "with_password" on a password log-in means the same one.
    pub sudo_password: Option<String>,
    /// Jump hosts, first one first.
    pub jumps: Vec<JumpDraft>,
    /// The accepted fingerprint, `SHA256:…`.
    pub fingerprint: Option<String>,
}

/// A jump host. Secrets come in and never go out: `None` keeps what is stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct JumpDraft {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User.
    pub user: String,
    /// "same" (as the server itself), "agent", "key" or "password".
    pub auth: String,
    /// The key file, for "key".
    pub key_file: Option<String>,
    /// The key's passphrase; without one the server's is tried.
    pub key_passphrase: Option<String>,
    /// The password, for "password".
    pub password: Option<String>,
    /// The accepted fingerprint.
    pub fingerprint: Option<String>,
}

/// A host of `~/.ssh/config`, ready to be picked.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct SshConfigHost {
    /// The alias.
    pub alias: String,
    /// Filled-in draft.
    pub draft: ServerDraft,
    /// "root@10.0.0.5:22 through bastion, key ~/.ssh/id_ed25519".
    pub summary: String,
}

/// What the server's host key is, asked for before any log-in.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct HostKeyReport {
    /// The keys on the way, jump hosts first, the server last. Later hosts are missing while an earlier one is unknown.
    pub keys: Vec<HostKeyView>,
}

/// One host key.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct HostKeyView {
    /// "10.0.0.5:22".
    pub host: String,
    /// "ssh-ed25519".
    pub algorithm: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// "pinned" (known and equal), "known_hosts" (in the user's known_hosts and equal), "unknown", "changed".
    pub state: String,
    /// For "changed": the fingerprint expected.
    pub expected: Option<String>,
}

/// A step of a test, ticked live.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct TestStep {
    /// What was tried.
    pub title: String,
    /// "ok", "note", "failed" or "skipped".
    pub state: String,
    /// What came of it.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The result of a connection test.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct ConnectionTest {
    /// Whether a backup could work.
    pub ok: bool,
    /// The route in words.
    pub route: String,
    /// The steps.
    pub steps: Vec<TestStep>,
    /// A ready line for `/etc/sudoers.d`, where sudo was asked for and refused.
    pub sudoers: Option<String>,
}

/// What was found on a server.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Type)]
pub struct ServerFactsView {
    /// When.
    pub seen: Option<i64>,
    /// Operating system.
    pub os: String,
    /// Kernel and machine.
    pub kernel: String,
    /// Host name.
    pub hostname: String,
    /// The user we are there.
    pub user: String,
    /// Tools with versions.
    pub tools: Vec<NamedText>,
    /// File systems.
    pub space: Vec<SpaceView>,
    /// Big or telling folders.
    pub folders: Vec<FolderView>,
    /// Databases and other things to tick.
    pub found: Vec<FoundView>,
    /// Whether commands can run there (false: SFTP only).
    pub commands: bool,
}

/// A name and a text.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct NamedText {
    /// Name.
    pub name: String,
    /// Text.
    pub text: String,
}

/// A file system.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct SpaceView {
    /// Mount point.
    pub path: String,
    /// Total.
    pub total_bytes: u64,
    /// Free.
    pub free_bytes: u64,
}

/// A folder worth a look.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct FolderView {
    /// Path.
    pub path: String,
    /// Size where known.
    pub bytes: Option<u64>,
}

/// Something found, ready to be ticked.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct FoundView {
    /// Kind.
    pub kind: String,
    /// "MariaDB 10.11: shop".
    pub title: String,
    /// More words.
    pub note: String,
    /// Size where known.
    pub bytes: Option<u64>,
    /// The item to put into a plan.
    pub item: crate::ItemDraft,
    /// Tick it without being asked.
    pub suggested: bool,
}

/// One folder of a server.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct Listing {
    /// The folder.
    pub path: String,
    /// Its parent; `None` at the root.
    pub parent: Option<String>,
    /// What is in it, folders first, by name.
    pub entries: Vec<ListingEntry>,
}

/// One line of a folder.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct ListingEntry {
    /// Name, in text form.
    pub name: String,
    /// Full path, in text form.
    pub path: String,
    /// "dir", "file", "link" or "other".
    pub kind: String,
    /// Size.
    pub bytes: u64,
    /// Last change, Unix milliseconds.
    pub modified: i64,
}
