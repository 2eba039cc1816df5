//! One test's world: its parts, the engine over them, and the steps tests take in it.

use super::kind::ScriptedKind;
use super::parts::{TestClock, TestParts};
use super::text;
use crate::places::{self, Buckets};
use backstay_contract::{BackupFilter, DestinationDraft, ItemDraft, PlanDraft, RunDetail, S3Draft};
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
