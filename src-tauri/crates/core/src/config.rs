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

/// A place where backups lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DestinationConfig {
    /// Its id.
    pub id: DestinationId,
    /// Its name, unique.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// The vault's own id, written in its config file; empty where there is no vault (yet). Destinations with the same
    /// id hold copies of one vault: the same objects under the same key.
    pub vault_id: String,
    /// Whether the recovery kit was confirmed by typing a word of it back.
    pub kit_confirmed: bool,
    /// When it was added.
    pub created: DateTime<Utc>,
}

/// Where a destination is. What logs in there lies in the secret store, see [`crate::secret::SecretName`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Place {
    /// A folder of this computer, or one mounted on it.
    Local {
        /// Its absolute path.
        path: String,
    },
    /// A bucket of an S3-compatible store.
    S3(S3Place),
    /// A folder of a server, over SFTP.
    Sftp(SftpPlace),
    /// A folder of an FTP server.
    Ftp(FtpPlace),
}

impl Place {
    /// The word for this sort of place: "local", "s3", "sftp" or "ftp".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Local { .. } => "local",
            Self::S3(_) => "s3",
            Self::Sftp(_) => "sftp",
            Self::Ftp(_) => "ftp",
        }
    }
    /// Returns the place in words: "/mnt/backup", "s3://bucket/prefix", "sftp://u@nas:2222/srv", "ftps://u@host/backup". A port is
    /// named where it is not the usual one.
    pub fn text(&self) -> String {
        match self {
            Self::Local { path } => path.clone(),
            Self::S3(place) if place.prefix.is_empty() => format!("s3://{}", place.bucket),
            Self::S3(place) => format!("s3://{}/{}", place.bucket, place.prefix),
            Self::Sftp(place) => {
                let path = place.path.trim_start_matches('/');
                match &place.via {
                    SftpVia::Server { server } => format!("sftp://{server}/{path}"),
                    SftpVia::Own(ssh) => format!("sftp://{}@{}{}/{path}", ssh.user, ssh.host, port_text(ssh.port, 22)),
                }
            }
            Self::Ftp(place) => {
                let scheme = if place.tls == FtpTls::None { "ftp" } else { "ftps" };
                let port = port_text(place.port, if place.tls == FtpTls::Implicit { 990 } else { 21 });
                format!("{scheme}://{}@{}{port}/{}", place.user, place.host, place.path.trim_start_matches('/'))
            }
        }
    }
}

/// Returns ":2222", or nothing for the usual port.
fn port_text(port: u16, usual: u16) -> String {
    if port == 0 || port == usual { String::new() } else { format!(":{port}") }
}

/// A bucket, or a part of one. The secret key lies in the secret store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct S3Place {
    /// Whose store it is: an id of the table of providers ("aws", "wasabi", "generic").
    pub provider: String,
    /// Address of the store: `https://s3.eu-central-1.amazonaws.com`. `http://` is allowed and warned of.
    pub endpoint: String,
    /// Region, as requests are signed with.
    pub region: String,
    /// Bucket.
    pub bucket: String,
    /// All our objects lie under this, without slashes at its ends; empty is the whole bucket.
    pub prefix: String,
    /// Access key id.
    pub access_key: String,
    /// The bucket is a part of the path, not of the host name.
    pub path_style: bool,
    /// Send the SDK's own checksums with every upload. Off for most stores but Amazon's (awslabs/aws-sdk-rust #1240).
    pub checksums: bool,
    /// List with the first version of the call.
    pub list_v1: bool,
    /// The store was seen to honour `If-None-Match: *`.
    pub conditional_writes: bool,
    /// The store was seen to refuse content whose Content-MD5 is wrong.
    pub checks_md5: bool,
    /// Certificates to trust beside the system's, PEM text.
    pub ca_pem: Option<String>,
    /// SHA-256 of the certificate the user accepted (64 hex digits), for one that is not trusted otherwise. It alone
    /// counts then.
    pub pinned_certificate: Option<String>,
    /// Storage class of archives: "STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"; `None` is the store's default.
    pub storage_class: Option<String>,
    /// Encryption at rest by the store: "AES256", or "aws:kms" with an optional key id in `kms_key`.
    pub encryption: Option<String>,
    /// The key of "aws:kms".
    pub kms_key: Option<String>,
    /// Days an archive cannot be deleted by anybody (object lock); `None` is no lock.
    pub lock_days: Option<u32>,
    /// "GOVERNANCE" or "COMPLIANCE", for `lock_days`.
    pub lock_mode: Option<String>,
}

/// A folder reached over SFTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SftpPlace {
    /// The way there.
    pub via: SftpVia,
    /// The folder; relative to the log-in folder unless it begins with a slash.
    pub path: String,
}

/// The way to an SFTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SftpVia {
    /// One of the servers set up, with its log-in.
    Server {
        /// Its id.
        server: ServerId,
    },
    /// An address of its own; its log-in lies under the destination's secrets.
    Own(SshConnection),
}

/// A folder of an FTP server. The password lies in the secret store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FtpPlace {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User.
    pub user: String,
    /// The folder; relative to the log-in folder unless it begins with a slash.
    pub path: String,
    /// How the connection is secured.
    pub tls: FtpTls,
    /// SHA-256 of the certificate the user accepted (64 hex digits), for one no authority vouches for.
    pub pinned_certificate: Option<String>,
    /// How data connections are asked for.
    #[serde(default)]
    pub passive: FtpPassive,
    /// Connect data connections to the control connection's address, whatever PASV answers (servers behind NAT). EPSV
    /// tells no address.
    pub ignore_pasv_address: bool,
    /// Connections at the same time; servers cap them and answer 421.
    pub connections: u8,
}

/// How data connections are asked for over FTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FtpPassive {
    /// By EPSV; by PASV where that is refused or its port cannot be reached.
    #[default]
    Auto,
    /// By EPSV alone.
    Epsv,
    /// By PASV alone.
    Pasv,
}

/// How an FTP connection is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FtpTls {
    /// AUTH TLS on the ordinary port.
    #[default]
    Explicit,
    /// TLS from the first byte, port 990.
    Implicit,
    /// Not at all: password and data can be read on the way.
    None,
}

/// What logs in to a destination. Empty for a local folder.
#[derive(Clone, Debug, Default)]
pub struct DestinationLogin {
    /// The S3 secret key, the FTP or SSH password.
    pub secret: Option<crate::secret::Secret>,
    /// The passphrase of the SSH key file.
    pub key_passphrase: Option<crate::secret::Secret>,
    /// Those of jump hosts on the way that log in their own way, in the order of the way.
    pub jumps: Vec<crate::secret::JumpSecrets>,
}

/// How a plan's backups lie at its destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PlanLayout {
    /// In the destination's vault: incremental, deduplicated, encrypted.
    #[default]
    Vault,
    /// As one file for each backup.
    Archive(ArchiveSettings),
}

/// How the files of archives are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveSettings {
    /// Format.
    pub format: crate::layout::ArchiveFormat,
    /// How they are sealed.
    pub seal: Seal,
    /// File name without ending: `{plan}_{time:%Y%m%d_%H%M%S}`. Knows `{server}`, `{plan}`, `{type}` (the kinds), `{time:…}`
    /// (strftime, UTC) and `{id}`.
    pub template: String,
}

/// How an archive is sealed. The keys lie in the secret store under the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seal {
    /// Not at all: who has the file can read it.
    None,
    /// By a random key of the plan's own, kept in the secret store and printed in its recovery kit.
    #[default]
    PlanKey,
    /// By a passphrase (Argon2id).
    Passphrase,
    /// By a key the user brought: 64 hex digits.
    OwnKey,
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
    /// How its backups lie there.
    #[serde(default)]
    pub layout: PlanLayout,
    /// Whether the recovery kit of the key its archives are sealed with was confirmed by typing a word of it back.
    #[serde(default)]
    pub kit_confirmed: bool,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// How fast bytes may go, by the hours of a week.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bandwidth {
    /// Bytes a second when no rule holds; `None` is no limit.
    pub bytes_per_second: Option<u64>,
    /// Rules; the first that holds counts.
    pub rules: Vec<BandwidthRule>,
}

/// A limit for some hours of some days, in this computer's local time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BandwidthRule {
    /// Days it holds on, Monday is 0.
    pub days: Vec<u8>,
    /// It begins at this minute of the day.
    pub from_minute: u16,
    /// It ends before this minute of the day; not after `from_minute` means it goes on into the next day.
    pub to_minute: u16,
    /// Bytes a second; `None` is no limit, 0 holds everything until the rule is over.
    pub bytes_per_second: Option<u64>,
}

/// A backup in the local list: a cache of what the destinations tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownBackup {
    /// What its destination tells.
    pub record: crate::layout::BackupRecord,
    /// Where it lies.
    pub destination: DestinationId,
}

/// A backup in the local list with all places it is known to lie at.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupCopies {
    /// What its destinations tell; the newest proof of any copy.
    pub record: crate::layout::BackupRecord,
    /// Where it lies, each destination once.
    pub destinations: Vec<DestinationId>,
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
