//! The parts the engine is made of in these tests, and its clock.

use super::cut_files::CutFiles;
use super::kind::ScriptedKind;
use super::secrets::MemorySecrets;
use crate::places::{self, Buckets};
use async_trait::async_trait;
use backstay_contract::{S3Provider, SecretsStatus};
use backstay_core::config::{
    ArchiveSettings, Bandwidth, Connection, DestinationLogin, Place, S3Place, ServerFacts, SshConnection,
};
use backstay_core::context::Clock;
use backstay_core::destination::Destination;
use backstay_core::host::{Host, HostKeyPins};
use backstay_core::kind::Kind;
use backstay_core::layout::{ArchiveKey, ArchiveKeys, BackupManifest, Exporter, Layout};
use backstay_core::secret::{Secret, SecretStore};
use backstay_core::store::Store;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use backstay_engine::{
    CleanupDays, DestinationAccess, LimitedTraffic, MirrorLeg, OnLegFailed, OnStep, OpenVault, Parts, Probed,
    ProbedCertificate, ProbedHostKey, ProbedStep, SshConfigAlias, VaultPresence,
};
use backstay_hosts::{ConnectOptions, HostSecrets};
use backstay_layouts::{ArchiveExporter, Archives, Vault};
use chrono::{DateTime, TimeDelta, Utc};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A clock that goes with the real one and can be moved.
pub struct TestClock(pub(super) Mutex<TimeDelta>);

impl TestClock {
    pub fn jump(&self, by: TimeDelta) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + *self.0.lock().unwrap()
    }
}

/// The parts of these tests.
pub struct TestParts {
    pub store: Arc<dyn Store>,
    pub secrets: Arc<MemorySecrets>,
    pub clock: Arc<TestClock>,
    pub scripted: Arc<ScriptedKind>,
    pub files: Arc<CutFiles>,
    pub notified: Mutex<Vec<(String, String)>>,
    pub logins: Mutex<Vec<HostSecrets>>,
    /// What asking for host keys would log in with on the way.
    pub probes: Mutex<Vec<HostSecrets>>,
    /// Whether servers over SSH are really connected to.
    pub network: AtomicBool,
    pub buckets: Arc<Buckets>,
    pub computer: Mutex<String>,
    /// How long a minute is here.
    pub minute: Mutex<Duration>,
}

#[async_trait]
impl Parts for TestParts {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }
    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }
    fn minute(&self) -> Duration {
        *self.minute.lock().unwrap()
    }
    fn secrets(&self) -> Arc<dyn SecretStore> {
        self.secrets.clone()
    }
    fn secrets_status(&self) -> SecretsStatus {
        let state = if self.secrets.locked.load(Ordering::SeqCst) { "locked" } else { "ready" };
        SecretsStatus { backend: "file".into(), state: state.into(), reason: None, file: None, keyring_used: false }
    }
    fn secrets_try_keyring(&self) -> Result<()> {
        Ok(())
    }
    fn secrets_unlock(&self, _: &Secret) -> Result<()> {
        self.secrets.locked.store(false, Ordering::SeqCst);
        Ok(())
    }
    fn secrets_create_file(&self, _: &Secret) -> Result<()> {
        Ok(())
    }
    fn kinds(&self) -> Vec<Arc<dyn Kind>> {
        vec![self.files.clone(), self.scripted.clone()]
    }
    fn exporter(&self) -> Arc<dyn Exporter> {
        Arc::new(ArchiveExporter::marking_every(1 << 20))
    }
    fn notify(&self, title: &str, body: &str) -> Result<()> {
        self.notified.lock().unwrap().push((title.into(), body.into()));
        Ok(())
    }
    fn user_home(&self) -> PathBuf {
        PathBuf::from("/home/me")
    }
    fn user_name(&self) -> String {
        "me".into()
    }
    fn ssh_config_hosts(&self) -> Result<Vec<SshConfigAlias>> {
        Ok(Vec::new())
    }
    async fn connect(
        &self,
        server_name: &str,
        connection: &Connection,
        login: HostSecrets,
        pins: Arc<dyn HostKeyPins>,
    ) -> Result<Arc<dyn Host>> {
        self.logins.lock().unwrap().push(login);
        let local = matches!(connection, Connection::Local { .. });
        if !local && !self.network.load(Ordering::SeqCst) {
            return Err(Error::new(
                ErrorClass::Offline,
                format!("Cannot reach {server_name}: no network in this test"),
            ));
        }
        let secrets = HostSecrets::default();
        let options = ConnectOptions { known_hosts: None, agent_socket: None, ..ConnectOptions::default() };
        backstay_hosts::connect(server_name, connection, secrets, pins, options).await
    }
    async fn probe_host_keys(
        &self,
        connection: &SshConnection,
        login: &HostSecrets,
        pins: Arc<dyn HostKeyPins>,
    ) -> Result<Vec<ProbedHostKey>> {
        self.probes.lock().unwrap().push(login.clone());
        let fingerprint = "SHA256:0123456789012345678901234567890123456789012".to_owned();
        let expected = pins.pinned(&connection.host, connection.port);
        let state = match &expected {
            None => "unknown",
            Some(pinned) if *pinned == fingerprint => "pinned",
            Some(_) => "changed",
        };
        Ok(vec![ProbedHostKey {
            host: connection.host.clone(),
            port: connection.port,
            algorithm: "ssh-ed25519".into(),
            fingerprint,
            state,
            expected,
        }])
    }
    async fn facts(&self, _: &RunContext, _: &dyn Host) -> Result<ServerFacts> {
        Ok(ServerFacts { os: "TestOS".into(), ..ServerFacts::default() })
    }
    fn computer_name(&self) -> String {
        self.computer.lock().unwrap().clone()
    }
    async fn open_destination(
        &self,
        label: &str,
        place: &Place,
        access: DestinationAccess,
    ) -> Result<Arc<dyn Destination>> {
        places::open(&self.buckets, label, place, access).await
    }
    async fn open_destination_once(
        &self,
        label: &str,
        place: &Place,
        access: DestinationAccess,
    ) -> Result<Arc<dyn Destination>> {
        places::open_once(&self.buckets, label, place, access).await
    }
    async fn probe_destination(&self, place: &Place, destination: &dyn Destination, on_step: OnStep<'_>) -> Probed {
        places::probe(&self.buckets, place, destination, on_step).await
    }
    async fn look_at_destination(&self, place: &Place, destination: &dyn Destination, on_step: OnStep<'_>) -> Probed {
        places::look(place, destination, on_step).await
    }
    async fn set_cleanup_rule(&self, destination: &dyn Destination) -> Result<CleanupDays> {
        places::set_cleanup_rule(destination).await
    }
    async fn untrusted_certificate(&self, place: &Place) -> Result<Option<ProbedCertificate>> {
        Ok(places::untrusted_certificate(place))
    }
    async fn make_bucket(&self, place: &S3Place, _: &DestinationLogin, on_step: OnStep<'_>) -> Vec<ProbedStep> {
        let title = format!("Make {}", place.bucket);
        let step = ProbedStep { title, ok: true, note: false, text: "Made".into(), hint: None };
        on_step(step.clone());
        vec![step]
    }
    fn s3_providers(&self) -> Vec<S3Provider> {
        places::s3_providers()
    }
    fn limited_traffic(&self, bandwidth: &Bandwidth) -> Arc<dyn LimitedTraffic> {
        places::limited_traffic(bandwidth)
    }
    fn mirror(&self, label: &str, legs: Vec<MirrorLeg>, on_failed: OnLegFailed) -> Arc<dyn Destination> {
        places::mirror(label, legs, on_failed)
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
        places::archive_name(settings, manifest)
    }
    fn archive_key_id(&self, key: &ArchiveKey) -> Option<String> {
        match key {
            ArchiveKey::Key(_) => backstay_layouts::archive_key_id(key).ok(),
            ArchiveKey::Passphrase(_) => None,
        }
    }
    async fn vault_presence(&self, destination: &dyn Destination) -> Result<VaultPresence> {
        places::presence(destination).await
    }
    async fn create_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault> {
        let vault = Vault::create(destination, password).await?;
        Ok(OpenVault { id: vault.id().to_owned(), layout: Arc::new(vault) })
    }
    async fn open_vault(&self, destination: Arc<dyn Destination>, password: &Secret) -> Result<OpenVault> {
        let vault = Vault::open(destination, password).await?;
        Ok(OpenVault { id: vault.id().to_owned(), layout: Arc::new(vault) })
    }
}
