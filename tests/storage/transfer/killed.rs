//! A process ended with kill -9 in the middle of a transfer, again and again.

use super::key;
use backstay_core::config::{Bandwidth, Place};
use backstay_core::destination::{Destination, WriteMode};
use backstay_core::layout::TransferJournal;
use backstay_core::{Result, RunContext};
use backstay_destinations::wrap::{Limit, Meter};
use backstay_destinations::{Opening, open_bare};
use backstay_lab::destination_contract::noise;
use backstay_transfer::{FileReplay, Sha256Sum, download_resumable, upload_resumable};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZE: usize = 60_000_001;
const FOLDER: &str = "BACKSTAY_TEST_TRANSFER_FOLDER";
const WHAT: &str = "BACKSTAY_TEST_TRANSFER";

/// A journal of files.
struct Files(PathBuf);

impl TransferJournal for Files {
    fn load(&self, name: &str) -> Result<Option<String>> {
        Ok(std::fs::read_to_string(self.0.join(name)).ok())
    }
    fn save(&self, name: &str, state: &str) -> Result<()> {
        let new = self.0.join(format!("{name}~"));
        std::fs::write(&new, state).unwrap();
        std::fs::rename(new, self.0.join(name)).unwrap();
        Ok(())
    }
    fn clear(&self, name: &str) -> Result<()> {
        let _ = std::fs::remove_file(self.0.join(name));
        Ok(())
    }
}

async fn store(folder: &Path, bytes_per_second: u64) -> (Arc<dyn Destination>, Arc<Meter>) {
    let limit = Limit::new(Bandwidth { bytes_per_second: Some(bytes_per_second), rules: Vec::new() });
    let meter = Meter::new(limit);
    let place = Place::Local { path: folder.join("store").to_str().unwrap().to_owned() };
    let traffic: Arc<Meter> = Arc::clone(&meter);
    (open_bare("nas", &place, &Opening::default(), traffic).await.unwrap(), meter)
}

/// Transfers; returns the bytes that passed.
async fn transfer(what: &str, folder: &Path, bytes_per_second: u64) -> u64 {
    let (store, meter) = store(folder, bytes_per_second).await;
    let ctx = RunContext::silent();
    if what == "upload" {
        let journal = Files(folder.join("journal"));
        let source = FileReplay::open(folder.join("source"), None).await.unwrap();
        upload_resumable(&*store, &key("a/b"), &source, &journal, "n", WriteMode::CreateNew, &ctx).await.unwrap();
        return meter.sent_bytes();
    }
    let sha256 = std::fs::read_to_string(folder.join("sha256")).unwrap();
    download_resumable(store, &key("a/b"), SIZE as u64, &sha256, &folder.join("out"), &ctx).await.unwrap();
    meter.received_bytes()
}

/// What the killed process runs. By itself it does nothing.
#[tokio::test]
async fn child() {
    let (Ok(what), Ok(folder)) = (std::env::var(WHAT), std::env::var(FOLDER)) else { return };
    transfer(&what, Path::new(&folder), 60_000_000).await;
}

fn has_kept(what: &str, folder: &Path) -> bool {
    if what != "upload" {
        return folder.join("out.part-map").exists();
    }
    let state = std::fs::read_to_string(folder.join("journal/n")).unwrap_or_default();
    let state: serde_json::Value = serde_json::from_str(&state).unwrap_or_default();
    state["parts"].as_u64().is_some_and(|parts| parts > 0)
}

async fn killed_again_and_again(what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for name in ["journal", "store"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    let content = noise(1, SIZE);
    std::fs::write(folder.join("sha256"), Sha256Sum::of(&content)).unwrap();
    if what == "upload" {
        std::fs::write(folder.join("source"), &content).unwrap();
    } else {
        std::fs::create_dir(folder.join("store/a")).unwrap();
        std::fs::write(folder.join("store/a/b"), &content).unwrap();
    }
    let result = folder.join(if what == "upload" { "store/a/b" } else { "out" });
    let mut kills = 0;
    for wait_ms in [90, 420, 260, 0] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child"])
            .env(WHAT, what)
            .env(FOLDER, folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if wait_ms > 0 {
            // When it is killed is what this test varies; nothing else hangs on it.
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        } else {
            // The last time, only when it has kept something.
            let deadline = Instant::now() + Duration::from_secs(60);
            while !has_kept(what, folder) && !result.exists() && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let over = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        if over || result.exists() {
            break;
        }
        kills += 1;
        let (store, _) = store(folder, u64::MAX).await;
        let listed = store.list("").await.unwrap().len();
        assert_eq!(listed, usize::from(what != "upload"), "nothing half is listed");
    }
    assert!(kills > 0, "it was never killed");
    let passed = if result.exists() { 0 } else { transfer(what, folder, 4_000_000_000).await };
    assert!(std::fs::read(&result).unwrap() == content);
    assert!(passed < SIZE as u64, "{passed} bytes: something was kept over the kills");
    let (store, _) = store(folder, u64::MAX).await;
    assert_eq!(store.list("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_upload_survives_kills() {
    killed_again_and_again("upload").await;
}

#[tokio::test]
async fn a_download_survives_kills() {
    killed_again_and_again("download").await;
}
