//! The concrete parts behind the engine's trait.

use crate::destinations;
use async_trait::async_trait;
use backstay_contract::{S3Provider, SecretsStatus};
use backstay_core::config::{
    ArchiveSettings, Bandwidth, Connection, DestinationLogin, Place, S3Place, ServerFacts, SshConnection,
};
use backstay_core::destination::Destination;
use backstay_core::host::{Host, HostKeyPins};
use backstay_core::kind::Kind;
use backstay_core::layout::{ArchiveKey, ArchiveKeys, BackupManifest, Exporter, Layout};
use backstay_core::secret::{HostSecrets, Secret, SecretStore};
use backstay_core::store::Store;
use backstay_core::{Result, RunContext};
use backstay_engine::{
    CleanupDays, DestinationAccess, LimitedTraffic, MirrorLeg, OnLegFailed, OnStep, OpenVault, Parts, Probed,
    ProbedCertificate, ProbedHostKey, ProbedStep, SshConfigAlias, VaultPresence,
};
use backstay_hosts::{ConnectOptions, HostKeyState};
use backstay_layouts::{ArchiveExporter, Archives, Vault};
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
            keyring_used: status.keyring_used,
        }
    }
    fn secrets_try_keyring(&self) -> Result<()> {
        self.secrets.try_keyring()
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
        Arc::new(ArchiveExporter::default())
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
    fn computer_name(&self) -> String {
        gethostname::gethostname().to_string_lossy().into_owned()
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
        login: HostSecrets,
        pins: Arc<dyn HostKeyPins>,
    ) -> Result<Arc<dyn Host>> {
        backstay_hosts::connect(server_name, connection, login, pins, ConnectOptions::default()).await
    }
    async fn probe_host_keys(
        &self,
        connection: &SshConnection,
        login: &HostSecrets,
        pins: Arc<dyn HostKeyPins>,
    ) -> Result<Vec<ProbedHostKey>> {
        let keys = backstay_hosts::probe_host_keys(connection, login, pins, &ConnectOptions::default()).await?;
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
    async fn open_destination(
        &self,
        label: &str,
        place: &Place,
        access: DestinationAccess,
    ) -> Result<Arc<dyn Destination>> {
        destinations::open(label, place, access).await
    }
    async fn open_destination_once(
        &self,
        label: &str,
        place: &Place,
        access: DestinationAccess,
    ) -> Result<Arc<dyn Destination>> {
        destinations::open_once(label, place, access).await
    }
    async fn probe_destination(&self, place: &Place, destination: &dyn Destination, on_step: OnStep<'_>) -> Probed {
        destinations::probe(place, destination, on_step).await
    }
    async fn look_at_destination(&self, place: &Place, destination: &dyn Destination, on_step: OnStep<'_>) -> Probed {
        destinations::look(place, destination, on_step).await
    }
    async fn untrusted_certificate(&self, place: &Place) -> Result<Option<ProbedCertificate>> {
        destinations::untrusted_certificate(place).await
    }
    async fn make_bucket(&self, place: &S3Place, login: &DestinationLogin, on_step: OnStep<'_>) -> Vec<ProbedStep> {
        destinations::make_bucket(place, login, on_step).await
    }
    async fn set_cleanup_rule(&self, destination: &dyn Destination) -> Result<CleanupDays> {
        let settings = backstay_destinations::s3::set_cleanup_rule(destination).await?;
        Ok(CleanupDays { uploads: settings.upload_days, versions: settings.version_days })
    }
    fn s3_providers(&self) -> Vec<S3Provider> {
        destinations::s3_providers()
    }
    fn limited_traffic(&self, bandwidth: &Bandwidth) -> Arc<dyn LimitedTraffic> {
        Arc::new(destinations::SharedLimit::new(bandwidth))
    }
    fn mirror(&self, label: &str, legs: Vec<MirrorLeg>, on_failed: OnLegFailed) -> Arc<dyn Destination> {
        destinations::mirror(label, legs, on_failed)
    }
    fn archives(&self, destination: Arc<dyn Destination>, keys: Arc<dyn ArchiveKeys>) -> Arc<dyn Layout> {
        Arc::new(Archives::open(destination, keys))
    }
    async fn locked_archives(&self, destination: Arc<dyn Destination>, keys: Arc<dyn ArchiveKeys>) -> Result<u64> {
        let archives = Archives::open(destination, keys);
        archives.list().await?;
        Ok(archives.locked())
    }
    fn archive_name(&self, settings: &ArchiveSettings, manifest: &BackupManifest) -> Result<String> {
        destinations::archive_name(settings, manifest)
    }
    fn archive_key_id(&self, key: &ArchiveKey) -> Option<String> {
        destinations::archive_key_id(key)
    }
    async fn vault_presence(&self, destination: &dyn Destination) -> Result<VaultPresence> {
        destinations::presence(destination).await
    }
    async fn create_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault> {
        Ok(destinations::opened(Vault::create(destination, password).await?))
    }
    async fn open_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault> {
        Ok(destinations::opened(Vault::open(destination, password).await?))
    }
    async fn open_far_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault> {
        Ok(destinations::opened(Vault::open(destination, password).await?.with_cache(&paths::cache_dir())))
    }
}
