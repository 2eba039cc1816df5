//! Disks that run full while something comes in.
#![cfg(unix)]

use super::{key, source};
use backstay_core::config::Place;
use backstay_core::destination::{FreeTraffic, WriteMode};
use backstay_core::layout::MemoryJournal;
use backstay_core::{ErrorClass, RunContext};
use backstay_destinations::{Opening, open_bare};
use backstay_lab::destination_contract::noise;
use backstay_lab::memory_destination::MemoryDestination;
use backstay_transfer::{self as transfer, Sha256Sum, download_resumable};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// A file system of so many mebibytes, unmounted at the end.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(mib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={mib}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: cannot mount a tmpfs");
        None
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

#[tokio::test]
async fn a_full_destination_keeps_what_came_and_goes_on_when_there_is_room() {
    let Some(disk) = Disk::new(40) else { return };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![1; 20 << 20]).unwrap();
    let place = Place::Local { path: disk.path().to_str().unwrap().into() };
    let local = open_bare("nas", &place, &Opening::default(), Arc::new(FreeTraffic)).await.unwrap();
    let content = noise(1, 30 << 20);
    let ctx = RunContext::silent();
    let stream = Box::new(std::io::Cursor::new(content.clone()));
    let error =
        transfer::upload_stream(&*local, &key("s"), stream, None, WriteMode::CreateNew, &ctx).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Full);
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 1, "a stream that failed leaves no part");

    let (journal, source) = (MemoryJournal::default(), source(&content));
    let mode = WriteMode::CreateNew;
    let go = async || transfer::upload_resumable(&*local, &key("a"), &source, &journal, "n", mode, &ctx).await;
    assert_eq!(go().await.unwrap_err().class, ErrorClass::Full);
    assert_eq!(local.list("a").await.unwrap(), []);
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(go().await.unwrap().sha256, Sha256Sum::of(&content));
    assert!(std::fs::read(disk.path().join("a")).unwrap() == content);
}

#[tokio::test]
async fn a_full_disk_here_stops_a_download_that_goes_on_when_there_is_room() {
    let Some(disk) = Disk::new(90) else { return };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![1; 50 << 20]).unwrap();
    let memory = MemoryDestination::new();
    let content = noise(2, 60 << 20);
    memory.tamper("a", Some(content.clone()));
    let (file, sha256, ctx) = (disk.path().join("out"), Sha256Sum::of(&content), RunContext::silent());
    let go = async || download_resumable(Arc::new(memory.clone()), &key("a"), 60 << 20, &sha256, &file, &ctx).await;
    let error = go().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Full);
    assert!(error.hint.unwrap().contains("goes on"));
    assert!(!file.exists());
    std::fs::remove_file(&filler).unwrap();
    let done = go().await.unwrap();
    assert!(done.resumed_bytes >= 8 << 20, "{done:?}");
    assert!(std::fs::read(&file).unwrap() == content);
}
