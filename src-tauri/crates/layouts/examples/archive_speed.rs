//! Measures how fast a local tree becomes an archive in memory, and comes out again.
//!
//! `archive_speed TREE tar.gz|tar.zst|zip [seal]` prints seconds and bytes as one JSON object.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use backstay_core::config::{ArchiveSettings, Seal};
use backstay_core::entry::{Content, Entry, EntryType, TimeNs};
use backstay_core::layout::{
    ArchiveFormat, ArchiveKey, ArchiveKeys, ArchiveStart, BackupManifest, BackupStart, Layout, Selection,
};
use backstay_core::{RawPath, RunContext, Secret};
use backstay_lab::MemoryDestination;
use backstay_layouts::Archives;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

struct Key(ArchiveKey);

impl ArchiveKeys for Key {
    fn candidates(&self, _: &str) -> Vec<ArchiveKey> {
        vec![self.0.clone()]
    }
}

/// A file read where it is polled: the tree lies in the page cache.
struct Blocking(File);

impl AsyncRead for Blocking {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let read = self.0.read(out.initialize_unfilled())?;
        out.advance(read);
        Poll::Ready(Ok(()))
    }
}

fn list(root: &Path) -> Vec<(PathBuf, Entry)> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        let mut names: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        for path in names {
            let meta = path.symlink_metadata().unwrap();
            let name = RawPath::new(path.strip_prefix(root).unwrap().to_str().unwrap()).unwrap();
            let kind = if meta.is_dir() { EntryType::Dir } else { EntryType::File };
            let mut entry = Entry::plain(name, kind, 0o644, TimeNs(1_700_000_000_000_000_000));
            entry.size_bytes = if meta.is_dir() { 0 } else { meta.len() };
            found.push((path.clone(), entry));
            if meta.is_dir() {
                open.push(path);
            }
        }
    }
    found
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let format: ArchiveFormat = serde_json::from_value(args[2].clone().into()).unwrap();
    let key = ArchiveKey::Key(Secret::new("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"));
    let sealed = args.len() > 3;
    let memory = MemoryDestination::new().with_part_bytes(16 << 20);
    let archives = Archives::open(Arc::new(memory.clone()), Arc::new(Key(key.clone())));
    let ctx = RunContext::silent();
    let manifest = BackupManifest {
        version: 1,
        server: "s".into(),
        server_name: "server".into(),
        plan: "p".into(),
        plan_name: "plan".into(),
        items: Vec::new(),
        started: chrono::Utc::now(),
        app_version: "0".into(),
        facts: Vec::new(),
        problems: Vec::new(),
    };
    let seal = if sealed { Seal::OwnKey } else { Seal::None };
    let settings = ArchiveSettings { format, seal, template: "{plan}".into() };
    let archive = Some(ArchiveStart { settings, key: sealed.then_some(key) });
    let start =
        BackupStart { manifest: manifest.clone(), paths: Vec::new(), parent: None, archive, damaged: Vec::new() };
    let began = Instant::now();
    let mut writer = archives.begin(&ctx, start).await.unwrap();
    let mut bytes = 0;
    for (path, entry) in list(Path::new(&args[1])) {
        if entry.is_file() {
            let mut content = Blocking(File::open(path).unwrap());
            bytes += writer.as_sink().add(entry, Content::Stream(&mut content)).await.unwrap();
        } else {
            writer.as_sink().add(entry, Content::None).await.unwrap();
        }
    }
    let read_seconds = began.elapsed().as_secs_f64();
    let record = writer.commit(manifest).await.unwrap();
    let pack_seconds = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let reader = archives.open(&record.id).await.unwrap();
    let open_seconds = began.elapsed().as_secs_f64();
    let mut source = reader.stream(&ctx, Selection::default()).await.unwrap();
    let mut buffer = vec![0; 256 << 10];
    while source.next().await.unwrap().is_some() {
        let mut content = source.content();
        while content.read(&mut buffer).await.unwrap() > 0 {}
    }
    let file = record.archive.unwrap();
    let line = serde_json::json!({
        "bytes": bytes,
        "archive_bytes": file.size_bytes,
        "manifest_bytes": memory.object(&format!("{}.manifest", file.key)).unwrap().len(),
        "read_seconds": read_seconds,
        "pack_seconds": pack_seconds,
        "open_seconds": open_seconds,
        "unpack_seconds": began.elapsed().as_secs_f64(),
    });
    println!("{line}");
}
