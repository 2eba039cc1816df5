//! What the engine needs from the outside: everything concrete, behind one trait that `assembly` implements.

use async_trait::async_trait;
use backstay_contract::SecretsStatus;
use backstay_core::config::{Connection, Place, ServerFacts, SshConnection};
use backstay_core::context::{Clock, SystemClock};
use backstay_core::destination::Destination;
use backstay_core::host::{Host, HostKeyPins};
use backstay_core::kind::Kind;
use backstay_core::layout::{Exporter, Layout};
use backstay_core::secret::{Secret, SecretStore};
use backstay_core::store::Store;
use backstay_core::{Result, RunContext};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The secrets a log-in may need.
#[derive(Clone, Debug, Default)]
pub struct HostLogin {
    /// The log-in password.
    pub password: Option<Secret>,
    /// The passphrase of the key file.
    pub key_passphrase: Option<Secret>,
    /// What `sudo` asks for.
    pub sudo_password: Option<Secret>,
}

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

/// What lies at a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultPresence {
    /// Nothing: a vault can be made.
    Empty,
    /// A vault: its password opens it.
    Vault,
    /// Something else.
    Foreign,
}

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
    /// How long one minute of the stall limit lasts; a test has less patience.
    fn stall_minute(&self) -> Duration {
        Duration::from_secs(60)
    }
    /// Where secrets rest.
    fn secrets(&self) -> Arc<dyn SecretStore>;
    /// Whether secrets can be read now.
    fn secrets_status(&self) -> SecretsStatus;
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
    /// The user's name on this computer.
    fn user_name(&self) -> String;
    /// The hosts of `~/.ssh/config`; empty when there is none.
    fn ssh_config_hosts(&self) -> Result<Vec<SshConfigAlias>>;
    /// Connects to a server and logs in.
    async fn connect(
        &self,
        server_name: &str,
        connection: &Connection,
        login: HostLogin,
        pins: Arc<dyn HostKeyPins>,
    ) -> Result<Arc<dyn Host>>;
    /// Asks for the host keys on the way to a server, as far as they can be had.
    async fn probe_host_keys(
        &self,
        connection: &SshConnection,
        login: &HostLogin,
        pins: Arc<dyn HostKeyPins>,
    ) -> Result<Vec<ProbedHostKey>>;
    /// Finds out what a server is; `found` stays empty.
    async fn facts(&self, ctx: &RunContext, host: &dyn Host) -> Result<ServerFacts>;
    /// Opens a destination.
    async fn open_destination(&self, label: &str, place: &Place) -> Result<Arc<dyn Destination>>;
    /// Tests a destination step by step.
    async fn probe_destination(&self, destination: &dyn Destination) -> Vec<ProbedStep>;
    /// Looks what lies at a destination.
    async fn vault_presence(&self, destination: &dyn Destination) -> Result<VaultPresence>;
    /// Makes a vault.
    async fn create_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault>;
    /// Opens a vault.
    async fn open_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault>;
}
