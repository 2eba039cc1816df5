//! The engine over real parts where they are quick (this computer, a vault in a folder, SQLite in memory) and over
//! doubles where a fault must come to order.

use crate::places::{self, Buckets};
use async_trait::async_trait;
use backstay_contract::{
    BackupFilter, DestinationDraft, Event, FilesSettings, ItemDraft, ItemSettings, PlanDraft, RunDetail, S3Draft,
    S3Provider, SecretsStatus, SqliteSettings,
};
use backstay_core::config::{
    ArchiveSettings, Bandwidth, Connection, DestinationLogin, Place, S3Place, ServerFacts, SshConnection,
};
use backstay_core::context::Clock;
use backstay_core::destination::Destination;
use backstay_core::entry::{Content, Entry, EntrySink, EntrySource, EntryType, TimeNs};
use backstay_core::host::{Host, HostKeyPins, SharedHost};
use backstay_core::kind::{
    CheckReport, CollectReport, Found, Item, ItemInput, Kind, Preflight, RestoreOptions, RestorePlan, RestoreReport,
};
use backstay_core::layout::{ArchiveKey, ArchiveKeys, BackupManifest, Exporter, Layout};
use backstay_core::run::{Phase, Problem, ProblemKind};
use backstay_core::secret::{Secret, SecretName, SecretStore};
use backstay_core::store::Store;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use backstay_engine::{
    Backstay, CleanupDays, DestinationAccess, LimitedTraffic, MirrorLeg, OnLegFailed, OnStep, OpenVault, Parts, Probed,
    ProbedCertificate, ProbedHostKey, ProbedStep, SshConfigAlias, VaultPresence,
};
use backstay_hosts::{ConnectOptions, HostSecrets};
use backstay_layouts::{ArchiveExporter, Archives, Vault};
use backstay_store::SqliteStore;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::broadcast::Receiver;

/// A clock that goes with the real one and can be moved.
pub struct TestClock(Mutex<TimeDelta>);

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

/// Secrets in memory; locked on demand.
#[derive(Default)]
pub struct MemorySecrets {
    pub held: Mutex<HashMap<SecretName, Secret>>,
    pub locked: AtomicBool,
    /// What is not there may lie in a keyring that cannot be asked.
    pub keyring_closed: AtomicBool,
}

impl MemorySecrets {
    fn check(&self) -> Result<()> {
        match self.locked.load(Ordering::SeqCst) {
            true => Err(Error::new(ErrorClass::Locked, "The secrets are locked")),
            false => Ok(()),
        }
    }
}

impl SecretStore for MemorySecrets {
    fn set(&self, name: &SecretName, secret: &Secret) -> Result<()> {
        self.check()?;
        self.held.lock().unwrap().insert(name.clone(), secret.clone());
        Ok(())
    }
    fn get(&self, name: &SecretName) -> Result<Option<Secret>> {
        self.check()?;
        let held = self.held.lock().unwrap().get(name).cloned();
        if held.is_none() && self.keyring_closed.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorClass::Missing, "The keyring cannot be asked"));
        }
        Ok(held)
    }
    fn delete(&self, name: &SecretName) -> Result<()> {
        self.check()?;
        self.held.lock().unwrap().remove(name);
        Ok(())
    }
}

/// What the scripted kind does when it is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Adds this many small entries.
    Entries(usize),
    /// Adds one entry and reports a problem.
    Problem,
    /// Fails with this class.
    Fail(ErrorClass),
    /// Adds an entry, then waits until the run is cancelled.
    Hang,
    /// Says how far it is ten thousand times, as fast as it can.
    Chatter,
    /// A fault of ours.
    Panic,
}

/// A kind that does as it is told; it takes the place of SQLite's.
pub struct ScriptedKind {
    pub act: Mutex<HashMap<String, Act>>,
    pub collecting: AtomicUsize,
}

impl ScriptedKind {
    pub fn will(&self, item: &str, act: Act) {
        self.act.lock().unwrap().insert(item.into(), act);
    }
    async fn add(&self, input: &ItemInput, n: usize, sink: &mut dyn EntrySink) -> Result<u64> {
        let path = input.root().join(format!("thing-{n}"))?;
        let mut entry = Entry::plain(path, EntryType::File, 0o600, TimeNs::from_parts(1_700_000_000, 0));
        let mut content: &[u8] = b"some content";
        entry.size_bytes = content.len() as u64;
        Ok(sink.add(entry, Content::Stream(&mut content)).await?)
    }
}

#[async_trait]
impl Kind for ScriptedKind {
    fn id(&self) -> &'static str {
        "sqlite"
    }
    fn validate(&self, _: &Item) -> Result<()> {
        Ok(())
    }
    fn describe(&self, item: &Item) -> String {
        format!("scripted {}", item.name)
    }
    async fn discover(&self, _: &RunContext, _: &dyn Host) -> Result<Vec<Found>> {
        Err(Error::new(ErrorClass::Refused, "It may not look"))
    }
    async fn preflight(&self, _: &RunContext, _: &dyn Host, _: &ItemInput) -> Result<Preflight> {
        Ok(Preflight { facts: vec!["scripted 1.0".into()], warnings: vec!["a warning".into()], bytes: Some(12) })
    }
    async fn collect(
        &self,
        ctx: &RunContext,
        _: &dyn Host,
        input: &ItemInput,
        sink: &mut dyn EntrySink,
    ) -> Result<CollectReport> {
        self.collecting.fetch_add(1, Ordering::SeqCst);
        ctx.progress.phase(Phase::Dumping);
        let act = self.act.lock().unwrap().get(&input.item.name).copied().unwrap_or(Act::Entries(1));
        let mut report = CollectReport::default();
        let count = if let Act::Entries(count) = act { count } else { 1 };
        for n in 0..count {
            let read = self.add(input, n, sink).await?;
            report = CollectReport { files: n as u64 + 1, bytes: report.bytes + read, ..report };
        }
        match act {
            Act::Entries(_) => {}
            Act::Problem => ctx.progress.problem(Problem {
                kind: ProblemKind::Unreadable,
                item: input.item.name.clone(),
                subject: "/secret/file".into(),
                reason: "Permission denied".into(),
            }),
            Act::Fail(class) => {
                return Err(Error::new(class, "Cannot dump scripted: as told").hint("Tell it otherwise"));
            }
            Act::Hang => ctx.cancel.cancelled().await,
            Act::Chatter => {
                ctx.progress.total(Some(10_000), Some(10_000_000));
                for n in 0..10_000_u64 {
                    ctx.progress.advance(1, 1100);
                    ctx.progress.current(&format!("thing {n}"));
                    if n % 20 == 0 {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            }
            Act::Panic => panic!("as told"),
        }
        self.collecting.fetch_sub(1, Ordering::SeqCst);
        ctx.check()?;
        Ok(report)
    }
    async fn plan_restore(
        &self,
        _: &RunContext,
        _: &dyn Host,
        _: &ItemInput,
        listing: &[Entry],
        _: &RestoreOptions,
    ) -> Result<RestorePlan> {
        use backstay_core::kind::{Change, ChangeKind};
        let change = |entry: &Entry| Change {
            kind: ChangeKind::Create,
            item: "sqlite".into(),
            target: format!("database {}", entry.path),
            path: Some(entry.path.clone()),
            is_dir: false,
            size_bytes: entry.size_bytes,
            target_mtime: None,
        };
        let changes = listing.iter().filter(|entry| entry.is_file()).map(change).collect();
        Ok(RestorePlan { changes, ..RestorePlan::default() })
    }
    async fn restore(
        &self,
        _: &RunContext,
        _: &SharedHost,
        _: &ItemInput,
        _: &mut dyn EntrySource,
        _: &RestorePlan,
        _: &RestoreOptions,
    ) -> Result<RestoreReport> {
        // It writes nothing and says so: the engine must not call that done.
        Ok(RestoreReport::default())
    }
    async fn check(&self, _: &RunContext, _: &ItemInput, source: &mut dyn EntrySource) -> Result<CheckReport> {
        let mut report = CheckReport::default();
        while source.next().await?.is_some() {
            report.checked += 1;
        }
        Ok(report)
    }
}

/// The parts of these tests.
pub struct TestParts {
    pub store: Arc<dyn Store>,
    pub secrets: Arc<MemorySecrets>,
    pub clock: Arc<TestClock>,
    pub scripted: Arc<ScriptedKind>,
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
        let mut kinds: Vec<_> = backstay_kinds::all().into_iter().filter(|kind| kind.id() == "files").collect();
        kinds.push(self.scripted.clone());
        kinds
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

/// One test's world.
pub struct World {
    pub dir: TempDir,
    pub parts: Arc<TestParts>,
    pub engine: Backstay,
}

impl World {
    pub async fn new() -> Self {
        Self::beside(Arc::default(), "laptop").await
    }
    /// Another computer that reaches the same buckets.
    pub async fn beside(buckets: Arc<Buckets>, computer: &str) -> Self {
        let dir = TempDir::with_prefix("backstay-engine-").unwrap();
        Self::over(dir, SqliteStore::in_memory().unwrap(), buckets, computer).await
    }
    /// With its database in a file, `backstay.db`.
    pub async fn on_disk() -> Self {
        let dir = TempDir::with_prefix("backstay-engine-").unwrap();
        let store = SqliteStore::open(&dir.path().join("backstay.db")).unwrap();
        Self::over(dir, store, Arc::default(), "laptop").await
    }
    async fn over(dir: TempDir, store: SqliteStore, buckets: Arc<Buckets>, computer: &str) -> Self {
        let parts = Arc::new(TestParts {
            store: Arc::new(store),
            secrets: Arc::default(),
            clock: Arc::new(TestClock(Mutex::new(TimeDelta::zero()))),
            scripted: Arc::new(ScriptedKind { act: Mutex::default(), collecting: AtomicUsize::new(0) }),
            notified: Mutex::default(),
            logins: Mutex::default(),
            probes: Mutex::default(),
            network: AtomicBool::new(false),
            buckets,
            minute: Mutex::new(Duration::from_millis(700)),
            computer: Mutex::new(computer.into()),
        });
        let engine = Backstay::open(dir.path().join("home"), parts.clone()).await.unwrap();
        Self { dir, parts, engine }
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
    /// Adds a destination with a vault; returns its id.
    pub async fn vault(&self) -> String {
        let draft = DestinationDraft {
            name: "nas".into(),
            kind: "local".into(),
            path: text(&self.path("vault")),
            ..DestinationDraft::default()
        };
        self.engine.add_destination(draft).await.unwrap().destination.id
    }
    /// A bucket in memory, as the wizard fills it in.
    pub fn bucket(&self, name: &str) -> DestinationDraft {
        let s3 = S3Draft {
            provider: "cloud".into(),
            region: "eu-1".into(),
            bucket: format!("bucket-{name}"),
            access_key: "AKIA".into(),
            secret_key: Some(places::SECRET_KEY.into()),
            ..S3Draft::default()
        };
        DestinationDraft { name: name.into(), kind: "s3".into(), s3, ..DestinationDraft::default() }
    }
    /// Adds a plan of these items; returns its id.
    pub async fn plan(&self, name: &str, destination: &str, items: Vec<ItemDraft>) -> String {
        let draft = PlanDraft {
            id: None,
            name: name.into(),
            server: "this-computer".into(),
            items,
            destinations: vec![destination.into()],
            layout: Default::default(),
        };
        self.engine.save_plan(draft).await.unwrap().row.id
    }
    /// Waits for a run to end.
    pub async fn end(&self, run: &str) -> RunDetail {
        for _ in 0..4800 {
            let detail = self.engine.run(run).await.unwrap();
            if !matches!(detail.row.state.as_str(), "waiting" | "running") {
                return detail;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the run {run} does not end");
    }
    pub async fn back_up(&self, plan: &str) -> RunDetail {
        let run = self.engine.start_backup(plan).await.unwrap();
        self.end(&run).await
    }
    pub async fn backup_count(&self) -> u64 {
        self.engine.backups(BackupFilter::default()).await.unwrap().total
    }
    /// What the vault itself tells, whatever the cache says.
    pub async fn backups_in_vault(&self, destination: &str) -> u64 {
        self.engine.refresh_destination(destination).await.unwrap()
    }
    /// Waits until something holds.
    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..4800 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it never came true: {what}");
    }
}

pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

pub fn files(path: &Path) -> ItemDraft {
    let settings = FilesSettings { paths: vec![text(path)], ..FilesSettings::default() };
    ItemDraft { name: String::new(), settings: ItemSettings::Files(settings), password: None }
}

pub fn scripted(name: &str) -> ItemDraft {
    let settings = SqliteSettings { paths: vec!["/x.db".into()] };
    ItemDraft { name: name.into(), settings: ItemSettings::Sqlite(settings), password: None }
}

/// Takes all events that are there.
pub fn drain(events: &mut Receiver<Event>) -> Vec<Event> {
    let mut out = Vec::new();
    while let Ok(event) = events.try_recv() {
        out.push(event);
    }
    out
}
