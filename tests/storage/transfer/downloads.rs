//! Downloads into a file.

use super::{CLASSES, key, watched};
use backstay_core::destination::{Destination, DestinationCapabilities};
use backstay_core::{ErrorClass, Result, RunContext};
use backstay_destinations::wrap::{Patience, Retry};
use backstay_lab::destination_contract::noise;
use backstay_lab::memory_destination::{MemoryDestination, Operation};
use backstay_transfer::{Downloaded, Sha256Sum, download_resumable};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};

/// Four whole segments and a bit.
const SIZE: usize = (32 << 20) + 12_345;

struct Place {
    memory: MemoryDestination,
    content: Bytes,
    sha256: String,
    folder: tempfile::TempDir,
}

/// The same for all: it takes long to make.
static CONTENT: LazyLock<(Bytes, String)> = LazyLock::new(|| {
    let content = noise(6, SIZE);
    let sha256 = Sha256Sum::of(&content);
    (content, sha256)
});

impl Place {
    fn new() -> Self {
        let memory = MemoryDestination::new();
        let (content, sha256) = CONTENT.clone();
        memory.tamper("a", Some(content.clone()));
        Self { memory, content, sha256, folder: tempfile::tempdir().unwrap() }
    }
    /// The same store, where only one stream at a time makes sense.
    fn one_stream(self) -> Self {
        let capabilities = DestinationCapabilities { parallel_ranges: 1, ..self.memory.capabilities() };
        self.memory.set_capabilities(capabilities);
        self
    }
    fn file(&self) -> PathBuf {
        self.folder.path().join("web.tar.zst")
    }
    fn part(&self) -> PathBuf {
        self.folder.path().join("web.tar.zst.part")
    }
    async fn download(&self, ctx: &RunContext) -> Result<Downloaded> {
        let destination = Arc::new(self.memory.clone());
        download_resumable(destination, &key("a"), SIZE as u64, &self.sha256, &self.file(), ctx).await
    }
    fn assert_whole(&self) {
        assert!(std::fs::read(self.file()).unwrap() == self.content);
        assert_eq!(names(self.folder.path()), ["web.tar.zst"], "nothing is left beside it");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn it_lands_whole_and_only_then_has_its_name() {
    for place in [Place::new(), Place::new().one_stream()] {
        let (ctx, watch) = watched();
        let done = place.download(&ctx).await.unwrap();
        assert_eq!(done, Downloaded { received_bytes: SIZE as u64, resumed_bytes: 0 });
        assert_eq!(watch.bytes.load(Ordering::Relaxed), SIZE as u64);
        place.assert_whole();
        let error = place.download(&ctx).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Exists, "what is there is never overwritten");
        place.assert_whole();
    }
    let empty = MemoryDestination::new();
    empty.tamper("a", Some(Bytes::new()));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("e");
    let ctx = RunContext::silent();
    download_resumable(Arc::new(empty), &key("a"), 0, &Sha256Sum::of(b""), &file, &ctx).await.unwrap();
    assert_eq!(std::fs::read(file).unwrap(), b"");
}

#[tokio::test]
async fn whichever_call_fails_it_goes_on_where_it_was() {
    for class in CLASSES {
        for n in [1, 2, 4, 6] {
            let place = Place::new();
            place.memory.fail_call(n, class);
            let (ctx, watch) = watched();
            let error = place.download(&ctx).await.unwrap_err();
            assert_eq!(error.class, class);
            assert!(!place.file().exists());
            let before = watch.bytes.load(Ordering::Relaxed);
            place.memory.forget_calls();
            let done = place.download(&ctx).await.unwrap();
            assert_eq!((done.resumed_bytes, done.received_bytes + done.resumed_bytes), (before, SIZE as u64));
            let segments = done.received_bytes.div_ceil(8 << 20) as usize;
            assert_eq!(place.memory.count(Operation::Get), segments, "only what is missing was asked for");
            place.assert_whole();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_stream_that_breaks_off_goes_on_too() {
    let place = Place::new().one_stream();
    place.memory.cut_streams_after(Some(20_000_000));
    let ctx = RunContext::silent();
    assert_eq!(place.download(&ctx).await.unwrap_err().class, ErrorClass::Offline);
    place.memory.cut_streams_after(None);
    let done = place.download(&ctx).await.unwrap();
    assert_eq!(done.resumed_bytes, 16 << 20, "the whole segments of what came");
    place.assert_whole();
    // With another try around it nobody notices.
    let place = Place::new().one_stream();
    place.memory.cut_streams_after(Some(5_000_000));
    let retry = Arc::new(Retry::new(Arc::new(place.memory.clone()), Patience::default()));
    download_resumable(retry, &key("a"), SIZE as u64, &place.sha256, &place.file(), &ctx).await.unwrap();
    place.assert_whole();
}

#[tokio::test]
async fn what_is_not_what_was_written_gets_no_name() {
    let content = CONTENT.0.clone();
    let mut flipped = content.to_vec();
    flipped[SIZE - 1] ^= 4;
    for damage in [Bytes::from(flipped), content.slice(1..), noise(7, SIZE + 1), Bytes::new()] {
        let place = Place::new();
        place.memory.tamper("a", Some(damage));
        let error = place.download(&RunContext::silent()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Corrupt);
        assert!(error.hint.is_some());
        assert_eq!(names(place.folder.path()), [] as [&str; 0], "nothing of it stays");
    }
    let place = Place::new();
    place.memory.tamper("a", None);
    assert_eq!(place.download(&RunContext::silent()).await.unwrap_err().class, ErrorClass::Missing);
}

#[tokio::test]
async fn a_part_that_suffered_on_the_disk_is_fetched_again() {
    let place = Place::new();
    place.memory.fail_operation(Operation::Get, 5, ErrorClass::Offline);
    let (ctx, watch) = watched();
    place.download(&ctx).await.unwrap_err();
    assert!(place.part().exists());
    let length = place.part().metadata().unwrap().len() as usize;
    // As a power cut would leave it: the map knows of more than the disk has.
    std::fs::write(place.part(), vec![0; length]).unwrap();
    let done = place.download(&ctx).await.unwrap();
    assert_eq!(done, Downloaded { received_bytes: SIZE as u64, resumed_bytes: 0 });
    assert!(watch.lines.lock().unwrap()[0].contains("not sound"));
    place.assert_whole();
}

#[tokio::test]
async fn another_object_or_a_lost_part_begins_anew() {
    for lost in [false, true] {
        let place = Place::new();
        place.memory.fail_operation(Operation::Get, 5, ErrorClass::Offline);
        let ctx = RunContext::silent();
        place.download(&ctx).await.unwrap_err();
        if lost {
            std::fs::remove_file(place.part()).unwrap();
            assert_eq!(place.download(&ctx).await.unwrap().resumed_bytes, 0);
            place.assert_whole();
            continue;
        }
        let other = noise(10, SIZE);
        place.memory.tamper("a", Some(other.clone()));
        let memory = Arc::new(place.memory.clone());
        let sha256 = Sha256Sum::of(&other);
        let done = download_resumable(memory, &key("a"), SIZE as u64, &sha256, &place.file(), &ctx).await.unwrap();
        assert_eq!(done.resumed_bytes, 0);
        assert!(std::fs::read(place.file()).unwrap() == other);
    }
}

#[tokio::test]
async fn two_downloads_to_one_file_do_not_meet() {
    let place = Place::new();
    place.memory.set_delay(Some(std::time::Duration::from_millis(200)));
    let ctx = RunContext::silent();
    let (one, two) = tokio::join!(place.download(&ctx), place.download(&ctx));
    let classes: Vec<_> = [one, two].into_iter().filter_map(|done| done.err().map(|error| error.class)).collect();
    assert_eq!(classes, [ErrorClass::Locked]);
    place.assert_whole();
}

#[tokio::test]
async fn cancelled_it_keeps_what_came() {
    let place = Place::new();
    place.memory.set_rate(Some(200_000_000));
    let (ctx, watch) = watched();
    let cancel = ctx.cancel.clone();
    let seen = Arc::clone(&watch);
    tokio::spawn(async move {
        while seen.bytes.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    });
    let error = place.download(&ctx).await.unwrap_err();
    assert!(error.is_cancelled() && !place.file().exists());
    let done = place.download(&RunContext::silent()).await.unwrap();
    assert!(done.resumed_bytes >= 8 << 20);
    place.assert_whole();
}
