//! Where a place has one stream at a time to give, an archive is read in one.

use crate::support::*;
use async_trait::async_trait;
use backstay_core::destination::{Destination, DestinationCapabilities, Direction, Traffic};
use backstay_core::layout::{ArchiveFormat, BackupRecord, Layout, Selection};
use backstay_core::{ErrorClass, RunContext};
use backstay_lab::MemoryDestination;
use backstay_lab::memory_destination::Operation;
use backstay_layouts::Archives;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::io::AsyncReadExt;

fn at_once(memory: &MemoryDestination, ranges: u8) {
    let capabilities = DestinationCapabilities { parallel_ranges: ranges, ..memory.capabilities() };
    memory.set_capabilities(capabilities);
}

/// Content of several batches, which does not compress.
fn files() -> Files {
    let mut files: Files = (0..6).map(|n| file(&format!("f{n}"), &noise(n, 3_500_000 + n as usize))).collect();
    files.extend((0..20).map(|n| file(&format!("small{n:02}"), &words(n, 900))));
    files
}

/// How often the archive itself was asked for something.
fn reads(memory: &MemoryDestination, record: &BackupRecord) -> usize {
    let key = &record.archive.as_ref().unwrap().key;
    memory.calls().iter().filter(|call| call.operation == Operation::Get && &call.key == key).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_in_order_comes_out_of_one_stream() {
    for (format, key) in [(ArchiveFormat::TarZst, None), (ArchiveFormat::Zip, Some(raw_key()))] {
        let memory = MemoryDestination::new();
        let files = files();
        // The seal's header is read before.
        let headers = usize::from(key.is_some());
        let record = backup(&memory, &files, format, key).await;
        at_once(&memory, 1);
        memory.forget_calls();
        assert_same(&files, &read(&open(&memory), &record.id).await.unwrap());
        assert_eq!(reads(&memory, &record), headers + 1, "{format:?}");
        at_once(&memory, 4);
        memory.forget_calls();
        assert_same(&files, &read(&open(&memory), &record.id).await.unwrap());
        assert!(reads(&memory, &record) > headers + 3, "{format:?}: elsewhere several ranges come at the same time");
    }
}

#[tokio::test]
async fn what_is_picked_here_and_there_comes_too() {
    let memory = MemoryDestination::new();
    let files = files();
    let record = backup(&memory, &files, ArchiveFormat::TarZst, None).await;
    at_once(&memory, 1);
    let reader = open(&memory).open(&record.id).await.unwrap();
    for name in ["f5", "small03", "f0", "f3"] {
        let one = Selection { include: vec![path(name)], ..Selection::default() };
        let read = drain(reader.stream(&RunContext::silent(), one).await.unwrap().as_mut()).await.unwrap();
        assert!(read[&path(name)].1 == files[&path(name)].1, "{name}");
    }
}

#[tokio::test]
async fn what_is_before_a_cut_is_good() {
    let memory = MemoryDestination::new();
    let files = files();
    let record = backup(&memory, &files, ArchiveFormat::TarZst, None).await;
    at_once(&memory, 1);
    let key = record.archive.unwrap().key;
    let whole = memory.object(&key).unwrap();
    memory.tamper(&key, Some(whole.slice(..whole.len() / 2)));
    let reader = open(&memory).open(&record.id).await.unwrap();
    let mut source = reader.stream(&RunContext::silent(), Selection::default()).await.unwrap();
    let (mut good, mut bad) = (0, 0);
    while let Some(entry) = source.next().await.unwrap() {
        let Some((_, content)) = files.get(&entry.path) else { continue };
        let mut back = Vec::new();
        match source.content().read_to_end(&mut back).await {
            Ok(_) => {
                assert!(&back == content, "{} came out wrong", entry.path);
                good += 1;
            }
            Err(error) => {
                let error = backstay_core::Error::io("read", error);
                assert_eq!(error.class, ErrorClass::Corrupt, "{error}");
                bad += 1;
            }
        }
    }
    assert!(good >= 2 && bad >= 3, "{good} good, {bad} bad");
}

/// Lets nothing pass once it is shut, and counts what waits.
#[derive(Default)]
struct Gate {
    shut: AtomicBool,
    waiting: AtomicU64,
}

struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Traffic for Gate {
    async fn pass(&self, _: Direction, _: usize) {
        if self.shut.load(Ordering::Relaxed) {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let _waiting = Waiting(&self.waiting);
            std::future::pending::<()>().await;
        }
    }
}

impl Gate {
    /// Lets the other tasks go on until something waits, or nothing any more.
    async fn until(&self, waits: bool) {
        for _ in 0..10_000 {
            if (self.waiting.load(Ordering::Relaxed) > 0) == waits {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{} reads are under way", self.waiting.load(Ordering::Relaxed));
    }
}

#[tokio::test]
async fn whoever_stops_reading_ends_what_is_under_way() {
    for ranges in [1, 4] {
        let memory = MemoryDestination::new();
        let record = backup(&memory, &files(), ArchiveFormat::TarZst, None).await;
        at_once(&memory, ranges);
        let gate = Arc::new(Gate::default());
        let archives = Archives::open(Arc::new(memory.with_traffic(gate.clone())), Arc::new(Keys(Vec::new())));
        let reader = archives.open(&record.id).await.unwrap();
        gate.shut.store(true, Ordering::Relaxed);
        let source = reader.stream(&RunContext::silent(), Selection::default()).await.unwrap();
        gate.until(true).await;
        drop((source, reader, archives));
        gate.until(false).await;
    }
}
