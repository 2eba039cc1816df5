//! No fault at the destination leaves half a backup that looks like one.

use crate::support::*;
use async_trait::async_trait;
use backstay_core::destination::*;
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::layout::{ArchiveFormat, Layout, MemoryJournal};
use backstay_core::{Error, ErrorClass, Result, RunContext};
use backstay_lab::MemoryDestination;
use backstay_lab::memory_destination::Operation;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

fn files() -> Files {
    let mut files: Files = (0..8).map(|n| file(&format!("srv/f{n}"), &words(n, 3000))).collect();
    files.extend([file("srv/large", &noise(2, 700_000))]);
    files
}

async fn try_backup(memory: &MemoryDestination, format: ArchiveFormat) -> Result<backstay_core::layout::BackupRecord> {
    backup_with(&open(memory), &RunContext::silent(), &files(), format, Some(raw_key()), 3).await
}

#[tokio::test]
async fn every_call_may_fail() {
    for format in FORMATS {
        let mut call = 0;
        let tried = loop {
            call += 1;
            let memory = MemoryDestination::new();
            memory.fail_call(call, ErrorClass::Offline);
            let made = try_backup(&memory, format).await;
            memory.clear_faults();
            let archives = open(&memory);
            let listed = archives.list().await.unwrap();
            match made {
                Ok(record) => {
                    assert_eq!(listed, std::slice::from_ref(&record));
                    assert_same(&files(), &read(&archives, &record.id).await.unwrap());
                    if memory.calls().len() < call as usize {
                        break call;
                    }
                }
                Err(error) => {
                    assert_eq!(error.class, ErrorClass::Offline, "call {call}: {error}");
                    assert_eq!(listed, [], "call {call} left half a backup");
                }
            }
        };
        assert!(tried > 8, "{tried}");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_nothing_half() {
    for operation in [Operation::Put, Operation::Complete, Operation::Part, Operation::Begin] {
        let memory = MemoryDestination::new();
        memory.lose_answer(operation, 1, ErrorClass::Offline);
        let made = try_backup(&memory, ArchiveFormat::TarZst).await;
        memory.clear_faults();
        let listed = open(&memory).list().await.unwrap();
        match made {
            // What lies there counts, not what was answered.
            Ok(record) => {
                assert_eq!(listed, std::slice::from_ref(&record));
                assert_same(&files(), &read(&open(&memory), &record.id).await.unwrap());
            }
            Err(error) => assert_eq!((error.class, listed), (ErrorClass::Offline, Vec::new()), "{operation:?}"),
        }
    }
}

#[tokio::test]
async fn a_full_destination_is_told_and_left_clean() {
    for format in FORMATS {
        for room in [0, 1000, 300_000, 700_000] {
            let memory = MemoryDestination::new();
            memory.set_room(Some(room));
            let error = try_backup(&memory, format).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Full, "{error}");
            assert_eq!(memory.keys(), Vec::<String>::new());
            assert_eq!(memory.open_uploads(), 0);
        }
    }
}

#[tokio::test]
async fn cancelled_or_given_up_leaves_nothing() {
    let memory = MemoryDestination::new();
    let archives = open(&memory);
    for cancel in [true, false] {
        let ctx = RunContext::silent();
        let backup = manifest("cancelled", 3);
        let mut writer = archives.begin(&ctx, start(&backup, ArchiveFormat::TarZst, None)).await.unwrap();
        add(writer.as_mut(), &file("srv/x", b"").1.0, &noise(1, 3_000_000)).await.unwrap();
        if cancel {
            ctx.cancel.cancel();
            assert!(writer.commit(backup).await.unwrap_err().is_cancelled());
        } else {
            writer.abort().await;
        }
        assert_eq!((memory.keys(), memory.open_uploads()), (Vec::new(), 0));
    }
}

#[tokio::test]
async fn what_another_computer_made_under_the_same_name_is_left_alone() {
    let theirs = MemoryDestination::new();
    let key = backup(&theirs, &files(), ArchiveFormat::TarZst, None).await.archive.unwrap().key;
    let beside = format!("{key}.manifest");
    // Its manifest came before ours, or before our archive was proven.
    for proven in [true, false] {
        let memory = MemoryDestination::new();
        let (archives, ctx, backup) = (open(&memory), RunContext::silent(), manifest("nightly", 3));
        let mut writer = archives.begin(&ctx, start(&backup, ArchiveFormat::TarZst, None)).await.unwrap();
        add(writer.as_mut(), &file("srv/x", b"").1.0, b"").await.unwrap();
        memory.tamper(&beside, theirs.object(&beside));
        if !proven {
            memory.fail_operation(Operation::Head, 1, ErrorClass::Offline);
        }
        let error = writer.commit(backup).await.unwrap_err();
        assert_eq!(error.class, if proven { ErrorClass::Exists } else { ErrorClass::Offline }, "{error}");
        assert_eq!(memory.object(&beside), theirs.object(&beside));
        assert!(memory.object(&key).is_some(), "it may be theirs");
    }
}

/// Dies after so many changing calls: nothing that comes later happens.
struct Dying {
    memory: MemoryDestination,
    left: std::sync::atomic::AtomicI64,
}

impl Dying {
    fn live(&self) -> Result<()> {
        let left = self.left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        if left > 0 { Ok(()) } else { Err(Error::new(ErrorClass::Offline, "killed")) }
    }
}

struct DyingUpload(Arc<Dying>, Arc<dyn PartUpload>);

#[async_trait]
impl PartUpload for DyingUpload {
    fn token(&self) -> String {
        self.1.token()
    }
    fn part_bytes(&self, number: u32) -> u64 {
        self.1.part_bytes(number)
    }
    async fn stored(&self) -> Result<Vec<StoredPart>> {
        self.1.stored().await
    }
    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
        self.0.live()?;
        self.1.put_part(number, offset, content).await
    }
    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        self.0.live()?;
        self.1.complete(parts, mode).await
    }
    async fn abort(&self) -> Result<()> {
        self.0.live()?;
        self.1.abort().await
    }
}

/// A handle that can be a destination.
struct Handle(Arc<Dying>);

#[async_trait]
impl Destination for Handle {
    fn label(&self) -> &str {
        "dying"
    }
    fn capabilities(&self) -> DestinationCapabilities {
        self.0.memory.capabilities()
    }
    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        self.0.live()?;
        self.0.memory.put(key, content, mode).await
    }
    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        self.0.live()?;
        self.0.memory.put_stream(key, content, mode).await
    }
    async fn begin_upload(&self, key: &Key, size: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        self.0.live()?;
        Ok(Arc::new(DyingUpload(self.0.clone(), self.0.memory.begin_upload(key, size).await?)))
    }
    async fn resume_upload(&self, key: &Key, size: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
        self.0.live()?;
        Ok(Arc::new(DyingUpload(self.0.clone(), self.0.memory.resume_upload(key, size, token).await?)))
    }
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        self.0.memory.get(key, range).await
    }
    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        self.0.memory.get_stream(key, offset).await
    }
    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        self.0.memory.head(key).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        self.0.memory.list(prefix).await
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.live()?;
        self.0.memory.delete(key).await
    }
    async fn space(&self) -> Result<Space> {
        self.0.memory.space().await
    }
}

fn dying(memory: &MemoryDestination, after: i64) -> Arc<dyn Destination> {
    let dying = Dying { memory: memory.clone(), left: after.into() };
    Arc::new(Handle(Arc::new(dying)))
}

#[tokio::test]
async fn killed_between_any_two_steps_lists_no_half_backup_and_spoils_no_other() {
    let memory = MemoryDestination::new();
    let kept = try_backup(&memory, ArchiveFormat::Zip).await.unwrap();
    for steps in 0.. {
        let archives = backstay_layouts::Archives::open(dying(&memory, steps), Arc::new(Keys(vec![raw_key()])));
        let ctx = RunContext::silent();
        let made = backup_with(&archives, &ctx, &files(), ArchiveFormat::TarGz, None, 4).await;
        let listed = open(&memory).list().await.unwrap();
        assert!(listed.contains(&kept));
        if let Ok(record) = made {
            assert_eq!(listed.len(), 2);
            assert_same(&files(), &read(&open(&memory), &record.id).await.unwrap());
            break;
        }
        assert_eq!(listed.len(), 1, "killed after {steps} steps");
        assert!(steps < 100);
    }
    assert_same(&files(), &read(&open(&memory), &kept.id).await.unwrap());
}

#[tokio::test]
async fn a_copying_killed_at_any_step_goes_on_and_ends_well() {
    let (memory, other) = (MemoryDestination::new(), MemoryDestination::new());
    let record = try_backup(&memory, ArchiveFormat::TarZst).await.unwrap();
    let (archives, ctx) = (open(&memory), RunContext::silent());
    let journal = Arc::new(MemoryJournal::default());
    let mut kills = 0;
    for steps in 0.. {
        let there = dying(&other, steps);
        match archives.sync_to(&ctx, there, &[], journal.clone()).await {
            Ok(synced) => {
                assert_eq!(synced.backups, 1);
                break;
            }
            Err(_) => kills += 1,
        }
        assert_eq!(open(&other).list().await.unwrap(), [], "killed after {steps} steps");
        assert!(steps < 100);
    }
    assert!(kills > 2);
    assert_same(&files(), &read(&open(&other), &record.id).await.unwrap());
}

#[tokio::test]
async fn what_arrives_damaged_is_no_backup() {
    /// Flips a bit of whatever it stores as parts.
    struct Liar(MemoryDestination);
    struct LyingUpload(Arc<dyn PartUpload>);
    #[async_trait]
    impl PartUpload for LyingUpload {
        fn token(&self) -> String {
            self.0.token()
        }
        fn part_bytes(&self, number: u32) -> u64 {
            self.0.part_bytes(number)
        }
        async fn stored(&self) -> Result<Vec<StoredPart>> {
            self.0.stored().await
        }
        async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
            let mut content = content.to_vec();
            content[1000] ^= 4;
            self.0.put_part(number, offset, content.into()).await
        }
        async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
            self.0.complete(parts, mode).await
        }
        async fn abort(&self) -> Result<()> {
            self.0.abort().await
        }
    }
    #[async_trait]
    impl Destination for Liar {
        fn label(&self) -> &str {
            "liar"
        }
        fn capabilities(&self) -> DestinationCapabilities {
            self.0.capabilities()
        }
        async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
            self.0.put(key, content, mode).await
        }
        async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
            self.0.put_stream(key, content, mode).await
        }
        async fn begin_upload(&self, key: &Key, size: Option<u64>) -> Result<Arc<dyn PartUpload>> {
            Ok(Arc::new(LyingUpload(self.0.begin_upload(key, size).await?)))
        }
        async fn resume_upload(&self, key: &Key, size: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
            self.0.resume_upload(key, size, token).await
        }
        async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
            self.0.get(key, range).await
        }
        async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
            self.0.get_stream(key, offset).await
        }
        async fn head(&self, key: &Key) -> Result<ObjectInfo> {
            self.0.head(key).await
        }
        async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
            self.0.list(prefix).await
        }
        async fn delete(&self, key: &Key) -> Result<()> {
            self.0.delete(key).await
        }
        async fn space(&self) -> Result<Space> {
            self.0.space().await
        }
    }
    let memory = MemoryDestination::new();
    let archives = backstay_layouts::Archives::open(Arc::new(Liar(memory.clone())), Arc::new(Keys(vec![raw_key()])));
    let error =
        backup_with(&archives, &RunContext::silent(), &files(), ArchiveFormat::TarZst, None, 1).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Corrupt);
    assert_eq!(memory.keys(), Vec::<String>::new());
}
