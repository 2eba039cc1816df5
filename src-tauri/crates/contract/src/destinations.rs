//! Destinations: where backups lie.

use serde::{Deserialize, Serialize};
use specta::Type;

/// A line of the destination list.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DestinationRow {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// "local", "s3", "sftp" or "ftp".
    pub kind: String,
    /// For "s3": the provider's name.
    pub provider: Option<String>,
    /// "/mnt/backup", "s3://bucket/prefix".
    pub place: String,
    /// Whether a vault lies there.
    pub vault: bool,
    /// Names of the other destinations that hold copies of the same vault.
    pub copies_of: Vec<String>,
    /// Backups that plans made which are not here yet: Sync makes them good.
    pub missing: u64,
    /// Objects and backups a check found damaged here, and which nobody mended yet: Sync writes them anew.
    pub damaged: u64,
    /// How fast bytes may go to and from it.
    pub bandwidth: BandwidthView,
    /// Bytes used by the vault; `None` while unknown or out of reach.
    pub used_bytes: Option<u64>,
    /// Free room.
    pub free_bytes: Option<u64>,
    /// Total room.
    pub total_bytes: Option<u64>,
    /// Backups there.
    pub backups: u64,
    /// Plans that write to it.
    pub plans: u64,
    /// What the provider bills for whatever is removed too early, a sentence; `None` where it bills nothing for it.
    pub early_note: Option<String>,
    /// Ids of the servers it lies on itself, as far as addresses and host keys tell.
    pub on_servers: Vec<String>,
    /// "ok", "offline", "locked" (its key cannot be read), "kit_not_confirmed".
    pub state: String,
    /// Why, in words.
    pub state_text: String,
}

/// A destination as the wizard fills it in. Only the part of its kind is looked at. Secrets come in and never go out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct DestinationDraft {
    /// Set when an existing destination is changed or tested: what is left empty of its secrets stays as it is stored.
    pub id: Option<String>,
    /// Name.
    pub name: String,
    /// "local", "s3", "sftp" or "ftp".
    pub kind: String,
    /// The folder, for "local".
    pub path: String,
    /// The bucket, for "s3".
    pub s3: S3Draft,
    /// The server and folder, for "sftp".
    pub sftp: SftpDraft,
    /// The server and folder, for "ftp".
    pub ftp: FtpDraft,
    /// "vault" makes or opens a vault there; "none" leaves the place without one: for archives, or for a copy of another
    /// destination's vault (made when a plan writes to both). Empty is "vault".
    pub use_for: String,
    /// The vault's password: given to open an existing one, or to choose one; else a strong one is made.
    pub vault_password: Option<String>,
    /// How fast bytes may go to and from it.
    pub bandwidth: BandwidthView,
}

/// A bucket as the wizard fills it in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct S3Draft {
    /// Id of [`S3Provider`].
    pub provider: String,
    /// Region; from the provider's list, or typed.
    pub region: String,
    /// Address; empty takes the provider's for the region.
    pub endpoint: String,
    /// Bucket.
    pub bucket: String,
    /// Folder in the bucket; empty is the whole bucket.
    pub prefix: String,
    /// Access key id.
    pub access_key: String,
    /// Secret key.
    pub secret_key: Option<String>,
    /// `None` takes what the provider needs, or what the test found out.
    pub path_style: Option<bool>,
    /// `None` takes what the provider needs, or what the test found out.
    pub checksums: Option<bool>,
    /// Certificates to trust beside the system's, PEM text.
    pub ca_pem: Option<String>,
    /// The accepted certificate's SHA-256, for one that is not trusted otherwise.
    pub pinned_certificate: Option<String>,
    /// Storage class of archives.
    pub storage_class: Option<String>,
    /// "AES256" or "aws:kms".
    pub encryption: Option<String>,
    /// The key of "aws:kms".
    pub kms_key: Option<String>,
    /// Days archives are locked against deletion.
    pub lock_days: Option<u32>,
    /// "GOVERNANCE" or "COMPLIANCE".
    pub lock_mode: Option<String>,
}

/// An SFTP folder as the wizard fills it in.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct SftpDraft {
    /// A server set up already: its id. `None` uses `ssh`.
    pub server: Option<String>,
    /// An address of its own, with its secrets, as the server wizard fills it in.
    pub ssh: Option<crate::ServerDraft>,
    /// The folder.
    pub path: String,
}

/// An FTP folder as the wizard fills it in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct FtpDraft {
    /// Host name or address.
    pub host: String,
    /// Port; 0 takes 21, or 990 for implicit TLS.
    pub port: u16,
    /// User.
    pub user: String,
    /// Password.
    pub password: Option<String>,
    /// Folder.
    pub path: String,
    /// "explicit", "implicit" or "none"; empty is "explicit".
    pub tls: String,
    /// The accepted certificate's SHA-256, for one no authority vouches for.
    pub pinned_certificate: Option<String>,
    /// How data connections are asked for: "auto", "epsv" or "pasv"; empty is "auto".
    pub passive: String,
    /// Connect data connections to the control connection's address.
    pub ignore_pasv_address: bool,
    /// Connections at the same time; 0 takes 4.
    pub connections: u8,
}

/// A provider of S3-compatible storage, as the wizard offers it.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct S3Provider {
    /// Id: "aws".
    pub id: String,
    /// Name: "Amazon S3".
    pub name: String,
    /// Its regions.
    pub regions: Vec<S3Region>,
    /// Address with `{region}` in it; empty where it must be typed.
    pub endpoint: String,
    /// Whether a region may be typed that is not in the list.
    pub free_region: bool,
    /// The bucket goes into the path.
    pub path_style: bool,
    /// The SDK's checksums are sent.
    pub checksums: bool,
    /// Storage classes for archives; empty where there is but one.
    pub storage_classes: Vec<String>,
    /// A backup deleted earlier is billed for so many days all the same; 0 is no such rule.
    pub minimum_days: u32,
    /// What is worth knowing before choosing it, a sentence each.
    pub notes: Vec<String>,
    /// Where its keys are made, in words: "Console, IAM, Users, Security credentials".
    pub keys_hint: String,
}

/// A region.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct S3Region {
    /// Id: "eu-central-1".
    pub id: String,
    /// Place: "Frankfurt".
    pub place: String,
}

/// How fast bytes may go, by the hours of a week.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct BandwidthView {
    /// Bytes a second when no rule holds; `None` is no limit.
    pub bytes_per_second: Option<u64>,
    /// Rules; the first that holds counts.
    pub rules: Vec<BandwidthRuleView>,
}

/// A limit for some hours of some days, in this computer's local time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct BandwidthRuleView {
    /// Days it holds on, Monday is 0.
    pub days: Vec<u8>,
    /// It begins at this minute of the day.
    pub from_minute: u16,
    /// It ends before this minute of the day; not after `from_minute` means it goes on into the next day.
    pub to_minute: u16,
    /// Bytes a second; `None` is no limit, 0 holds everything until the rule is over.
    pub bytes_per_second: Option<u64>,
}

/// All limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct Limits {
    /// For all destinations together.
    pub all: BandwidthView,
    /// For single destinations.
    pub destinations: Vec<DestinationLimit>,
}

/// The limit of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct DestinationLimit {
    /// The destination's id.
    pub destination: String,
    /// Its limit.
    pub bandwidth: BandwidthView,
}

/// The result of a destination's test.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DestinationTest {
    /// Whether it can be used.
    pub ok: bool,
    /// The steps.
    pub steps: Vec<crate::TestStep>,
    /// "empty" (a vault will be made), "vault" (there is one: its password is needed), "archives" (archives without a
    /// vault), "foreign" (other files are there; a vault is made only if the user picks an empty folder).
    pub found: String,
    /// Backups of other installations lie there: "Open existing" brings them and their plans in.
    pub existing: bool,
    /// What this store can and cannot do, a line each, in words.
    pub abilities: Vec<Ability>,
    /// What it costs to know: minimum storage time, hidden versions, egress.
    pub cost_notes: Vec<String>,
    /// The draft with what the test found out filled in (addressing, checksums); secrets left out.
    pub settled: Option<S3Draft>,
    /// A certificate to be accepted first: its SHA-256, with subject and dates in the step's text.
    pub certificate: Option<String>,
}

/// One thing a store can or cannot do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Ability {
    /// "conditional_writes", "object_lock", "lifecycle", "versioning", "ranges", "resume", "space", "links".
    pub id: String,
    /// In words: "Safe for two computers at once".
    pub title: String,
    /// "yes", "no" or "unknown".
    pub state: String,
    /// What that means for backups.
    pub text: String,
}

/// One step of a running test, as it ends.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct TestStepEvent {
    /// The test, as the caller named it.
    pub test: String,
    /// The step.
    pub step: crate::TestStep,
}

/// What opening a place with existing backups found.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct ExistingFound {
    /// The destination it is now.
    pub destination: DestinationRow,
    /// Backups found.
    pub backups: u64,
    /// Archives that no given key opens.
    pub locked: u64,
    /// The configuration copies that could be read, newest first.
    pub configurations: Vec<ConfigurationCopy>,
}

/// The servers, plans and destinations another installation kept here, without passwords.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct ConfigurationCopy {
    /// Its id, to be given to `adopt_configuration`.
    pub id: String,
    /// The computer it was made on.
    pub computer: String,
    /// When, Unix milliseconds.
    pub made: i64,
    /// Names of servers that are not set up here.
    pub servers: Vec<String>,
    /// Names of plans that are not set up here.
    pub plans: Vec<String>,
    /// Names of destinations that are not set up here.
    pub destinations: Vec<String>,
}

/// What taking over a configuration did.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Type)]
pub struct Adopted {
    /// Servers added.
    pub servers: u64,
    /// Plans added.
    pub plans: u64,
    /// Destinations added.
    pub destinations: u64,
    /// What still needs a password or key, a line each: "Server web-1: log-in password".
    pub missing_secrets: Vec<String>,
}

/// A bucket made for backups.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct BucketMade {
    /// The steps taken: created, public access blocked, versioning, encryption, lifecycle.
    pub steps: Vec<crate::TestStep>,
    /// Whether the bucket can be used.
    pub ok: bool,
}

/// What a bucket clears away by itself, as it says.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct CleanupRule {
    /// Unfinished uploads go after so many days.
    pub upload_days: u32,
    /// Old versions of what was deleted or replaced go after so many days; `None` where they stay.
    pub version_days: Option<u32>,
    /// In words.
    pub text: String,
}

/// What adding a destination gave.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DestinationAdded {
    /// The destination.
    pub destination: DestinationRow,
    /// Whether a new vault was made (false: an existing one was opened).
    pub created: bool,
    /// Backups found in it.
    pub backups: u64,
    /// The kit to print; shown once more any time by `recovery_kit`. `None` where no vault is.
    pub kit: Option<RecoveryKit>,
    /// Which word of the password (1-based) the wizard asks back.
    pub ask_word: u32,
}

/// Everything needed to restore without Backstay.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct RecoveryKit {
    /// The destination's name.
    pub destination: String,
    /// The repository as restic takes it with `-r`.
    pub repository: String,
    /// The vault's id.
    pub vault_id: String,
    /// The password: words joined by `-` when Backstay made it.
    pub password: String,
    /// The password's words, numbered from 1 on the page.
    pub words: Vec<String>,
    /// When it was made, Unix milliseconds.
    pub created: i64,
    /// The printable page, self-contained HTML.
    pub html: String,
    /// The same as plain text.
    pub text: String,
}
