//! What the engine needs from the outside: everything concrete, behind one trait that `assembly` implements.

use async_trait::async_trait;
use backstay_contract::{S3Provider, SecretsStatus};
use backstay_core::config::{
    ArchiveSettings, Bandwidth, Connection, DestinationLogin, Place, S3Place, ServerFacts, SshConnection,
};
use backstay_core::context::{Clock, SystemClock};
use backstay_core::destination::{Destination, Traffic};
use backstay_core::host::{Host, HostKeyPins};
use backstay_core::kind::Kind;
use backstay_core::layout::{ArchiveKey, ArchiveKeys, BackupManifest, Exporter, Layout};
use backstay_core::run::StoredError;
use backstay_core::secret::{HostSecrets, Secret, SecretStore};
use backstay_core::store::Store;
use backstay_core::{Error, Result, RunContext};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A host key met on the way to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedHostKey {
    /// Host name or address as the user gave it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// "ssh-ed25519".
    pub algorithm: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// "pinned", "known_hosts", "unknown" or "changed".
    pub state: &'static str,
    /// For "changed": the fingerprint expected.
    pub expected: Option<String>,
}

/// One host of `~/.ssh/config`.
#[derive(Clone, Debug, PartialEq)]
pub struct SshConfigAlias {
    /// The alias.
    pub alias: String,
    /// How it is reached.
    pub connection: SshConnection,
}

/// A step of a destination's test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedStep {
    /// What was tried.
    pub title: String,
    /// Whether it worked.
    pub ok: bool,
    /// Whether it is worth a note though it does not hinder.
    pub note: bool,
    /// What came of it.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What a store can or cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedAbility {
    /// "conditional_writes", "object_lock", "lifecycle", "versioning", "ranges", "resume", "space" or "links".
    pub id: String,
    /// In words.
    pub title: String,
    /// Yes, no, or `None` where it could not be found out.
    pub can: Option<bool>,
    /// What that means for backups.
    pub text: String,
}

/// What a destination's test found.
#[derive(Clone, Debug, Default)]
pub struct Probed {
    /// The steps.
    pub steps: Vec<ProbedStep>,
    /// What it can and cannot do.
    pub abilities: Vec<ProbedAbility>,
    /// What it costs to know.
    pub cost_notes: Vec<String>,
    /// The place with what was found out filled in.
    pub settled: Option<S3Place>,
}

/// What a bucket clears away by itself, and after how many days; `None` where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanupDays {
    /// Unfinished uploads.
    pub uploads: Option<u32>,
    /// Old versions of what was deleted or replaced.
    pub versions: Option<u32>,
}

/// Hears of each step of a test as it ends.
pub type OnStep<'a> = &'a (dyn Fn(ProbedStep) + Send + Sync);

/// A certificate that must be accepted before a place can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedCertificate {
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
    /// What is wrong with it: "has expired".
    pub why: String,
    /// Whose it is and how long it holds, in words.
    pub text: String,
}

/// The way to the SSH server of an SFTP destination.
#[derive(Clone)]
pub struct SshWay {
    /// How messages name the server.
    pub name: String,
    /// How it is reached.
    pub connection: SshConnection,
    /// What logs in there.
    pub login: HostSecrets,
    /// The host keys to be met.
    pub pins: Arc<dyn HostKeyPins>,
}

/// Told before each wait for another try, with why and how long.
pub type OnRetry = Arc<dyn Fn(&Error, Duration) + Send + Sync>;

/// Who watches a destination while it is used for one purpose.
#[derive(Clone, Default)]
pub struct Watch {
    /// Sees all bytes, as they really go.
    pub traffic: Option<Arc<dyn Traffic>>,
    /// Told of each wait for another try.
    pub on_retry: Option<OnRetry>,
}

impl<T: Traffic + 'static> From<Option<Arc<T>>> for Watch {
    fn from(traffic: Option<Arc<T>>) -> Self {
        Self { traffic: traffic.map(|traffic| traffic as _), on_retry: None }
    }
}

/// What opening a destination takes beside its place.
#[derive(Clone)]
pub struct DestinationAccess {
    /// What logs in.
    pub login: DestinationLogin,
    /// Whom all bytes pass.
    pub traffic: Arc<dyn Traffic>,
    /// For SFTP.
    pub ssh: Option<SshWay>,
    /// Told of each wait for another try.
    pub on_retry: Option<OnRetry>,
}

/// Traffic held back by a limit that may change while bytes go.
pub trait LimitedTraffic: Traffic {
    /// Changes the limit; it holds at once.
    fn set(&self, bandwidth: &Bandwidth);
    /// Bytes a second that may go now; `None` is no limit.
    fn limit_now(&self) -> Option<u64>;
}

/// What lies at a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultPresence {
    /// Nothing: a vault can be made.
    Empty,
    /// A vault: its password opens it.
    Vault,
    /// Archives, and no vault.
    Archives,
    /// Something else.
    Foreign,
}

/// One of several destinations that are to get the same bytes.
#[derive(Clone)]
pub struct MirrorLeg {
    /// Its name.
    pub name: String,
    /// The destination.
    pub destination: Arc<dyn Destination>,
    /// It has all that new backups may build on. One that has not gets the data, but not what makes it a backup, and is
    /// never read from.
    pub level: bool,
}

/// Hears when a leg of a mirror failed for good, and why: its name and the reason.
pub type OnLegFailed = Arc<dyn Fn(&str, &StoredError) + Send + Sync>;

/// A vault opened with its key.
#[derive(Clone)]
pub struct OpenVault {
    /// The vault's own id.
    pub id: String,
    /// The vault as a layout.
    pub layout: Arc<dyn Layout>,
}

/// Everything concrete. The calls that are not `async` are short, or block and are called off the async workers
/// (those about secrets, which may wait for the user to unlock a keyring).
#[async_trait]
pub trait Parts: Send + Sync {
    /// The local database.
    fn store(&self) -> Arc<dyn Store>;
    /// The clock; a test's may jump.
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
    /// How long a minute of waiting lasts: for a run that stalls, for a cold archive. A test has less patience.
    fn minute(&self) -> Duration {
        Duration::from_secs(60)
    }
    /// Where secrets rest.
    fn secrets(&self) -> Arc<dyn SecretStore>;
    /// Whether secrets can be read now.
    fn secrets_status(&self) -> SecretsStatus;
    /// Tries a keyring anew that could not be used.
    fn secrets_try_keyring(&self) -> Result<()>;
    /// Opens the sealed file.
    fn secrets_unlock(&self, passphrase: &Secret) -> Result<()>;
    /// Makes a sealed file.
    fn secrets_create_file(&self, passphrase: &Secret) -> Result<()>;
    /// The kinds there are.
    fn kinds(&self) -> Vec<Arc<dyn Kind>>;
    /// The packer of downloads.
    fn exporter(&self) -> Arc<dyn Exporter>;
    /// Shows a notification on the desktop.
    fn notify(&self, title: &str, body: &str) -> Result<()>;
    /// The user's home folder on this computer.
    fn user_home(&self) -> PathBuf;
    /// What this computer is called.
    fn computer_name(&self) -> String;
    /// The user's name on this computer.
    fn user_name(&self) -> String;
    /// The hosts of `~/.ssh/config`; empty when there is none.
    fn ssh_config_hosts(&self) -> Result<Vec<SshConfigAlias>>;
    /// Connects to a server and logs in.
    async fn connect(
        &self,
        server_name: &str,
        connection: &Connection,
        login: HostSecrets,
        pins: Arc<dyn HostKeyPins>,
    ) -> Result<Arc<dyn Host>>;
    /// Asks for the host keys on the way to a server, as far as they can be had.
    async fn probe_host_keys(
        &self,
        connection: &SshConnection,
        login: &HostSecrets,
        pins: Arc<dyn HostKeyPins>,
    ) -> Result<Vec<ProbedHostKey>>;
    /// Finds out what a server is; `found` stays empty.
    async fn facts(&self, ctx: &RunContext, host: &dyn Host) -> Result<ServerFacts>;
    /// Opens a destination.
    async fn open_destination(
        &self,
        label: &str,
        place: &Place,
        access: DestinationAccess,
    ) -> Result<Arc<dyn Destination>>;
    /// Opens a destination to test it: what fails is not tried again, so that it shows at once.
    async fn open_destination_once(
        &self,
        label: &str,
        place: &Place,
        access: DestinationAccess,
    ) -> Result<Arc<dyn Destination>>;
    /// Tests a destination step by step.
    async fn probe_destination(&self, place: &Place, destination: &dyn Destination, on_step: OnStep<'_>) -> Probed;
    /// Looks at a destination with backups step by step; nothing there is changed.
    async fn look_at_destination(&self, place: &Place, destination: &dyn Destination, on_step: OnStep<'_>) -> Probed;
    /// Looks at the certificate of an FTPS server or a store of buckets; `None` if it is trusted, or pinned, or there is
    /// none.
    async fn untrusted_certificate(&self, place: &Place) -> Result<Option<ProbedCertificate>>;
    /// Makes a bucket fit for backups; the steps tell what was done.
    async fn make_bucket(&self, place: &S3Place, login: &DestinationLogin, on_step: OnStep<'_>) -> Vec<ProbedStep>;
    /// Sets the clean-up rule of an open bucket, and reads back what it does by itself.
    async fn set_cleanup_rule(&self, destination: &dyn Destination) -> Result<CleanupDays>;
    /// The providers of S3-compatible storage we know.
    fn s3_providers(&self) -> Vec<S3Provider>;
    /// Makes traffic held back by a limit.
    fn limited_traffic(&self, bandwidth: &Bandwidth) -> Arc<dyn LimitedTraffic>;
    /// Makes several destinations one: what is written goes to all of them at the same time, what is read comes from the
    /// first that works. A leg that fails is left out from then on; it is an error only once none is left.
    fn mirror(&self, label: &str, legs: Vec<MirrorLeg>, on_failed: OnLegFailed) -> Arc<dyn Destination>;
    /// The archives at a destination, as a layout.
    fn archives(&self, destination: Arc<dyn Destination>, keys: Arc<dyn ArchiveKeys>) -> Arc<dyn Layout>;
    /// Counts archives there that no key at hand opens.
    async fn locked_archives(&self, destination: Arc<dyn Destination>, keys: Arc<dyn ArchiveKeys>) -> Result<u64>;
    /// Returns the file name, with its ending, an archive of these settings would get; or why the template is no good.
    fn archive_name(&self, settings: &ArchiveSettings, manifest: &BackupManifest) -> Result<String>;
    /// Returns the id archives sealed by a key carry; `None` where it differs from archive to archive.
    fn archive_key_id(&self, key: &ArchiveKey) -> Option<String>;
    /// Looks what lies at a destination.
    async fn vault_presence(&self, destination: &dyn Destination) -> Result<VaultPresence>;
    /// Makes a vault.
    async fn create_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault>;
    /// Opens a vault.
    async fn open_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault>;
    /// Opens a vault that is reached over a network: what is read of it may be kept on this computer, sealed as it is.
    async fn open_far_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault> {
        self.open_vault(destination, password).await
    }
}
