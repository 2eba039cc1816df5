//! The concrete parts behind the engine's trait.

use async_trait::async_trait;
use backstay_contract::SecretsStatus;
use backstay_core::config::{Connection, Place, ServerFacts, SshConnection};
use backstay_core::destination::Destination;
use backstay_core::host::{Host, HostKeyPins};
use backstay_core::kind::Kind;
use backstay_core::layout::Exporter;
use backstay_core::secret::{Secret, SecretStore};
use backstay_core::store::Store;
use backstay_core::{Result, RunContext};
use backstay_engine::{HostLogin, OpenVault, Parts, ProbedHostKey, ProbedStep, SshConfigAlias, VaultPresence};
use backstay_hosts::{ConnectOptions, HostKeyState, HostSecrets};
use backstay_layouts::{ArchiveExporter, Presence, Vault};
use backstay_platform::secrets::Secrets;
use backstay_platform::{notify, paths};
use std::path::PathBuf;
use std::sync::Arc;

/// The parts of the real application.
pub(crate) struct Concrete {
    store: Arc<dyn Store>,
    secrets: Arc<Secrets>,
    kinds: Vec<Arc<dyn Kind>>,
    notifications: bool,
}

impl Concrete {
    pub(crate) fn new(store: Arc<dyn Store>, secrets: Arc<Secrets>, notifications: bool) -> Self {
        Self { store, secrets, kinds: backstay_kinds::all(), notifications }
    }
}

fn host_secrets(login: HostLogin) -> HostSecrets {
    HostSecrets { password: login.password, key_passphrase: login.key_passphrase, sudo_password: login.sudo_password }
}

#[async_trait]
impl Parts for Concrete {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }
    fn secrets(&self) -> Arc<dyn SecretStore> {
        self.secrets.clone()
    }
    fn secrets_status(&self) -> SecretsStatus {
        let status = self.secrets.status();
        SecretsStatus {
            backend: status.backend.as_str().into(),
            state: status.state.as_str().into(),
            reason: status.reason,
            file: Some(status.file.display().to_string()),
        }
    }
    fn secrets_unlock(&self, passphrase: &Secret) -> Result<()> {
        self.secrets.unlock(passphrase)
    }
    fn secrets_create_file(&self, passphrase: &Secret) -> Result<()> {
        self.secrets.create_file(passphrase)
    }
    fn kinds(&self) -> Vec<Arc<dyn Kind>> {
        self.kinds.clone()
    }
    fn exporter(&self) -> Arc<dyn Exporter> {
        Arc::new(ArchiveExporter)
    }
    fn notify(&self, title: &str, body: &str) -> Result<()> {
        if self.notifications { notify::notify(title, body) } else { Ok(()) }
    }
    fn user_home(&self) -> PathBuf {
        paths::user_home()
    }
    fn user_name(&self) -> String {
        paths::user_name()
    }
    fn ssh_config_hosts(&self) -> Result<Vec<SshConfigAlias>> {
        let file = paths::ssh_config();
        if !file.exists() {
            return Ok(Vec::new());
        }
        let hosts = backstay_hosts::ssh_config_hosts(&file)?;
        Ok(hosts.into_iter().map(|host| SshConfigAlias { alias: host.alias, connection: host.connection }).collect())
    }
    async fn connect(
        &self,
        server_name: &str,
        connection: &Connection,
        login: HostLogin,
        pins: Arc<dyn HostKeyPins>,
    ) -> Result<Arc<dyn Host>> {
        backstay_hosts::connect(server_name, connection, host_secrets(login), pins, ConnectOptions::default()).await
    }
    async fn probe_host_keys(
        &self,
        connection: &SshConnection,
        login: &HostLogin,
        pins: Arc<dyn HostKeyPins>,
    ) -> Result<Vec<ProbedHostKey>> {
        let secrets = host_secrets(login.clone());
        let keys = backstay_hosts::probe_host_keys(connection, &secrets, pins, &ConnectOptions::default()).await?;
        let keys = keys.into_iter().map(|key| ProbedHostKey {
            host: key.host,
            port: key.port,
            algorithm: key.algorithm,
            fingerprint: key.fingerprint,
            state: match key.state {
                HostKeyState::Pinned => "pinned",
                HostKeyState::KnownHosts => "known_hosts",
                HostKeyState::Unknown => "unknown",
                HostKeyState::Changed => "changed",
            },
            expected: key.expected,
        });
        Ok(keys.collect())
    }
    async fn facts(&self, ctx: &RunContext, host: &dyn Host) -> Result<ServerFacts> {
        backstay_hosts::facts(ctx, host).await
    }
    async fn open_destination(&self, label: &str, place: &Place) -> Result<Arc<dyn Destination>> {
        backstay_destinations::open(label, place).await
    }
    async fn probe_destination(&self, destination: &dyn Destination) -> Vec<ProbedStep> {
        let steps = backstay_destinations::probe(destination).await;
        let steps = steps.into_iter().map(|step| ProbedStep {
            title: step.title,
            ok: step.ok,
            note: step.note,
            text: step.text,
            hint: step.hint,
        });
        steps.collect()
    }
    async fn vault_presence(&self, destination: &dyn Destination) -> Result<VaultPresence> {
        Ok(match backstay_layouts::presence(destination).await? {
            Presence::Empty => VaultPresence::Empty,
            Presence::Vault => VaultPresence::Vault,
            Presence::Foreign => VaultPresence::Foreign,
        })
    }
    async fn create_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault> {
        Ok(opened(Vault::create(destination, password).await?))
    }
    async fn open_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault> {
        Ok(opened(Vault::open(destination, password).await?))
    }
}

fn opened(vault: Vault) -> OpenVault {
    OpenVault { id: vault.id().to_owned(), layout: Arc::new(vault) }
}
