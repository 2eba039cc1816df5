//! One test's world: its parts, the engine over them, and the steps tests take in it.

use super::cut_files::CutFiles;
use super::kind::ScriptedKind;
use super::parts::{TestClock, TestParts};
use super::{files, text};
use crate::places::{self, Buckets};
use backstay_contract::{
    BackupFilter, DestinationDraft, DownloadRequest, ItemDraft, LayoutDraft, PlanDraft, RestoreRequest, RunDetail,
    S3Draft,
};
use backstay_core::RawPath;
use backstay_engine::Backstay;
use backstay_store::SqliteStore;
use chrono::TimeDelta;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

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
            files: Arc::new(CutFiles::new()),
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
    /// Takes silence for no fault for a while: these tests are about other faults, and computers are slow at times.
    pub async fn patient(&self) {
        let mut settings = self.engine.settings().await.unwrap();
        settings.stall_minutes = 120;
        self.engine.save_settings(settings).await.unwrap();
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
        self.add(draft).await
    }
    /// Adds a destination; returns its id.
    pub async fn add(&self, draft: DestinationDraft) -> String {
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
    /// One without a vault: for archives, or for a copy of another's vault.
    pub fn bare_bucket(&self, name: &str) -> DestinationDraft {
        DestinationDraft { use_for: "none".into(), ..self.bucket(name) }
    }
    /// Adds a plan of these items of this computer; returns its id.
    pub async fn plan(&self, name: &str, destination: &str, items: Vec<ItemDraft>) -> String {
        self.plan_at("this-computer", name, destination, items).await
    }
    /// Adds a plan of these items of a server; returns its id.
    pub async fn plan_at(&self, server: &str, name: &str, destination: &str, items: Vec<ItemDraft>) -> String {
        let draft = PlanDraft {
            id: None,
            name: name.into(),
            server: server.into(),
            items,
            destinations: vec![destination.into()],
            layout: Default::default(),
        };
        self.engine.save_plan(draft).await.unwrap().row.id
    }
    /// Adds the plan "web" of the folder `data`; returns its id.
    pub async fn plan_of_data(&self, destinations: &[String], layout: LayoutDraft) -> String {
        let draft = PlanDraft {
            name: "web".into(),
            server: "this-computer".into(),
            items: vec![files(&self.path("data"))],
            destinations: destinations.to_vec(),
            layout,
            ..PlanDraft::default()
        };
        self.engine.save_plan(draft).await.unwrap().row.id
    }
    /// Waits for a run to end and for its last events: they come after its last row.
    pub async fn end(&self, run: &str) -> RunDetail {
        for _ in 0..4800 {
            let detail = self.engine.run(run).await.unwrap();
            if !matches!(detail.row.state.as_str(), "waiting" | "running") && detail.row.progress.is_none() {
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
    /// Makes a backup that nothing is wrong with; returns its id.
    pub async fn backed_up(&self, plan: &str) -> String {
        let run = self.back_up(plan).await;
        assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
        run.row.backup.unwrap()
    }
    pub async fn sync(&self, destination: &str) -> RunDetail {
        let run = self.engine.start_sync(destination).await.unwrap();
        self.end(&run).await
    }
    /// What asks for the folder `data` of a backup, to be restored into another folder.
    pub fn restore_request(&self, backup: &str, folder: &str) -> RestoreRequest {
        RestoreRequest {
            backup: backup.into(),
            paths: vec![RawPath::new(text(&self.path("data"))).unwrap().to_relative().to_text()],
            server: "this-computer".into(),
            target: Some(text(&self.path(folder))),
            mode: "merge".into(),
            ..RestoreRequest::default()
        }
    }
    /// What asks for backups as files in the folder `downloads`.
    pub fn download_request(&self, backups: Vec<String>, format: &str) -> DownloadRequest {
        let folder = self.path("downloads");
        std::fs::create_dir_all(&folder).unwrap();
        DownloadRequest { backups, paths: Vec::new(), format: format.into(), destination: None, folder: text(&folder) }
    }
    pub async fn download(&self, request: DownloadRequest) -> RunDetail {
        let run = self.engine.start_download(request).await.unwrap();
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
