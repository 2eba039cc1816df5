//! Transfers: streams into parts, uploads and downloads that go on, proofs; and every fault on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "transfer/bounded.rs"]
mod bounded;
#[path = "transfer/disk.rs"]
mod disk;
#[path = "transfer/downloads.rs"]
mod downloads;
#[path = "transfer/killed.rs"]
mod killed;

use backstay_core::context::{Clock, Progress, SystemClock};
use backstay_core::destination::{Destination, FreeTraffic, Key, Proof, Traffic, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::layout::{MemoryJournal, TransferJournal};
use backstay_core::run::{Phase, Problem};
use backstay_core::{ErrorClass, Result, RunContext};
use backstay_destinations::wrap::{Meter, Patience, Quiet, Retry};
use backstay_lab::destination_contract::noise;
use backstay_lab::memory_destination::{MemoryDestination, Operation};
use backstay_transfer::{self as transfer, Copying, ObjectReplay, Replay, Sha256Sum, Uploaded};
use bytes::Bytes;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const CLASSES: [ErrorClass; 8] = [
    ErrorClass::Offline,
    ErrorClass::TimedOut,
    ErrorClass::Throttled,
    ErrorClass::Full,
    ErrorClass::Refused,
    ErrorClass::Locked,
    ErrorClass::Corrupt,
    ErrorClass::Internal,
];

pub fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn stream(content: &Bytes) -> ByteStream {
    Box::new(std::io::Cursor::new(content.clone()))
}

/// Counts bytes and lines.
#[derive(Default)]
pub struct Watch {
    pub bytes: AtomicU64,
    pub lines: Mutex<Vec<String>>,
}

impl Progress for Watch {
    fn phase(&self, _: Phase) {}
    fn total(&self, _: Option<u64>, _: Option<u64>) {}
    fn advance(&self, _: u64, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
    fn current(&self, _: &str) {}
    fn problem(&self, _: Problem) {}
    fn log(&self, line: &str) {
        self.lines.lock().unwrap().push(line.to_owned());
    }
    fn alive(&self) {}
}

pub fn watched() -> (RunContext, Arc<Watch>) {
    let watch = Arc::new(Watch::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    (RunContext { progress: Arc::<Watch>::clone(&watch), clock, ..RunContext::silent() }, watch)
}

/// Content at a source of its own.
pub fn source(content: &Bytes) -> ObjectReplay {
    let from = MemoryDestination::new();
    from.tamper("a", Some(content.clone()));
    ObjectReplay {
        destination: Arc::new(from),
        key: key("a"),
        size: content.len() as u64,
        sha256: Some(Sha256Sum::of(content)),
    }
}

async fn upload(to: &dyn Destination, content: &Bytes) -> Result<Uploaded> {
    let ctx = RunContext::silent();
    transfer::upload_stream(to, &key("a"), stream(content), None, WriteMode::CreateNew, &ctx).await
}

#[tokio::test]
async fn a_stream_of_any_length_becomes_an_object() {
    for length in [0, 1, 262_143, 262_144, 262_145, 524_288, 2_000_003] {
        let memory = MemoryDestination::new();
        let content = noise(length as u64, length);
        let (ctx, watch) = watched();
        let done =
            transfer::upload_stream(&memory, &key("a"), stream(&content), None, WriteMode::CreateNew, &ctx).await;
        let done = done.unwrap();
        assert_eq!((done.size, done.sha256), (length as u64, Sha256Sum::of(&content)));
        assert!(done.crc64.is_some());
        assert!(memory.object("a").unwrap() == content);
        assert_eq!(watch.bytes.load(Ordering::Relaxed), length as u64);
        assert_eq!(memory.open_uploads(), 0);
        let again = upload(&memory, &content).await.unwrap_err();
        assert_eq!(again.class, ErrorClass::Exists);
        assert_eq!(memory.open_uploads(), 0, "nothing is left of a refused one");
    }
}

#[tokio::test]
async fn whichever_call_of_a_stream_fails_nothing_half_is_listed() {
    let content = noise(1, 1_300_000);
    for class in CLASSES {
        for n in 1..=10 {
            let memory = MemoryDestination::new();
            memory.fail_call(n, class);
            match upload(&memory, &content).await {
                Ok(done) => {
                    assert_eq!(done.sha256, Sha256Sum::of(&content));
                    assert!(memory.object("a").unwrap() == content);
                }
                Err(error) => {
                    assert_eq!(error.class, class);
                    assert_eq!(memory.keys(), [] as [&str; 0]);
                    assert_eq!(memory.open_uploads(), 0, "call {n}: it was cleared away");
                }
            }
        }
    }
}

#[tokio::test]
async fn whichever_call_fails_a_resumable_upload_goes_on() {
    let content = noise(2, 2_500_000);
    for class in CLASSES {
        for n in 1..=15 {
            let memory = MemoryDestination::new();
            let (journal, source) = (MemoryJournal::default(), source(&content));
            let ctx = RunContext::silent();
            memory.fail_call(n, class);
            let mode = WriteMode::CreateNew;
            let go = async || transfer::upload_resumable(&memory, &key("a"), &source, &journal, "n", mode, &ctx).await;
            if let Err(error) = go().await {
                assert_eq!(error.class, class, "call {n}");
                assert_eq!(memory.keys(), [] as [&str; 0]);
                let sent = memory.count(Operation::Part);
                let keeps = !matches!(class, ErrorClass::Corrupt | ErrorClass::Internal);
                memory.forget_calls();
                let done = go().await.unwrap();
                assert_eq!(done.sha256, Sha256Sum::of(&content));
                let again = memory.count(Operation::Part);
                let most = if keeps { 10 + 2 - sent.min(10) + 1 } else { 10 };
                assert!(again <= most.max(2), "{class:?} at {n}: {sent} parts, then {again} more");
            }
            assert!(memory.object("a").unwrap() == content);
            assert_eq!((memory.open_uploads(), journal.load("n").unwrap()), (0, None));
        }
    }
}

#[tokio::test]
async fn a_lost_last_answer_is_found_out_after_a_restart() {
    let content = noise(3, 1_000_000);
    for mode in [WriteMode::CreateNew, WriteMode::Replace] {
        let memory = MemoryDestination::new();
        let (journal, source, ctx) = (MemoryJournal::default(), source(&content), RunContext::silent());
        memory.lose_answer(Operation::Complete, 1, ErrorClass::Offline);
        let go = async || transfer::upload_resumable(&memory, &key("a"), &source, &journal, "n", mode, &ctx).await;
        assert_eq!(go().await.unwrap_err().class, ErrorClass::Offline);
        memory.forget_calls();
        assert_eq!(go().await.unwrap().sha256, Sha256Sum::of(&content));
        assert_eq!(memory.count(Operation::Part), 0, "nothing was sent again");
        assert_eq!(journal.load("n").unwrap(), None);
    }
}

#[tokio::test]
async fn the_store_is_asked_what_it_has_before_going_on() {
    let content = noise(4, 2_500_000);
    let memory = MemoryDestination::new();
    let (journal, source, ctx) = (MemoryJournal::default(), source(&content), RunContext::silent());
    let mode = WriteMode::CreateNew;
    let go = async || transfer::upload_resumable(&memory, &key("a"), &source, &journal, "n", mode, &ctx).await;
    memory.fail_operation(Operation::Part, 8, ErrorClass::Offline);
    go().await.unwrap_err();
    // The store lost all of it meanwhile, as one whose lifecycle rule ends old uploads.
    memory.sweep(Duration::ZERO, &[]).await.unwrap();
    memory.forget_calls();
    go().await.unwrap();
    assert_eq!(memory.count(Operation::Part), 10, "all of it is sent again");
    assert!(memory.object("a").unwrap() == content);

    // One part is not what was sent: it has another tag.
    memory.delete(&key("a")).await.unwrap();
    memory.fail_operation(Operation::Part, 8, ErrorClass::Offline);
    go().await.unwrap_err();
    let token = transfer::upload_token(&journal.load("n").unwrap().unwrap()).unwrap();
    assert_eq!(transfer::upload_token("{}"), None);
    let upload = memory.resume_upload(&key("a"), None, &token).await.unwrap();
    upload.put_part(2, 262_144, noise(99, 262_144)).await.unwrap();
    go().await.unwrap();
    assert!(memory.object("a").unwrap() == content, "the foreign part was replaced");
}

#[tokio::test]
async fn a_changed_source_is_sent_anew_and_a_damaged_one_never_completed() {
    let content = noise(5, 1_500_000);
    let memory = MemoryDestination::new();
    let (journal, ctx) = (MemoryJournal::default(), RunContext::silent());
    memory.fail_operation(Operation::Part, 4, ErrorClass::Offline);
    let go = async |source: &dyn Replay| {
        transfer::upload_resumable(&memory, &key("a"), source, &journal, "n", WriteMode::CreateNew, &ctx).await
    };
    go(&source(&content)).await.unwrap_err();
    let other = noise(6, 1_500_000);
    go(&source(&other)).await.unwrap();
    assert!(memory.object("a").unwrap() == other);
    assert_eq!(memory.open_uploads(), 0, "the old upload is ended");

    memory.delete(&key("a")).await.unwrap();
    let mut damaged = source(&content);
    damaged.sha256 = Some(Sha256Sum::of(b"what it should be"));
    let error = go(&damaged).await.unwrap_err();
    assert_eq!((error.class, memory.keys().len(), memory.open_uploads()), (ErrorClass::Corrupt, 0, 0));
    // Shorter or longer than it says.
    for size in [1_499_999, 1_500_001] {
        let wrong = ObjectReplay { size, sha256: None, ..source(&content) };
        assert_eq!(go(&wrong).await.unwrap_err().class, ErrorClass::Corrupt, "{size}");
        assert_eq!((memory.keys().len(), memory.open_uploads()), (0, 0));
    }
}

#[tokio::test]
async fn copies_are_checked_on_the_way() {
    let content = noise(7, 900_000);
    let (from, to) = (MemoryDestination::new(), MemoryDestination::new());
    from.tamper("a", Some(content.clone()));
    let sha256 = Sha256Sum::of(&content);
    let what = Copying { key: key("a"), size: 900_000, sha256: Some(sha256.clone()), mode: WriteMode::CreateNew };
    let (journal, ctx) = (MemoryJournal::default(), RunContext::silent());
    transfer::copy(Arc::new(from.clone()), &to, &what, &journal, "n", &ctx).await.unwrap();
    assert!(to.object("a").unwrap() == content);
    assert_eq!(
        transfer::copy_small(&from, &to, &key("a"), Some(&sha256), WriteMode::Replace, &ctx).await.unwrap(),
        900_000
    );
    // A flipped bit at the source goes nowhere.
    let mut flipped = content.to_vec();
    flipped[500_000] ^= 1;
    from.tamper("a", Some(flipped.into()));
    to.tamper("a", None);
    let error = transfer::copy(Arc::new(from.clone()), &to, &what, &journal, "n", &ctx).await.unwrap_err();
    assert_eq!((error.class, to.keys().len(), to.open_uploads()), (ErrorClass::Corrupt, 0, 0));
    let error =
        transfer::copy_small(&from, &to, &key("a"), Some(&sha256), WriteMode::CreateNew, &ctx).await.unwrap_err();
    assert_eq!((error.class, to.keys().len()), (ErrorClass::Corrupt, 0));
}

#[tokio::test]
async fn damage_behind_our_back_is_found() {
    let content = noise(8, 3_000_000);
    let memory = MemoryDestination::new();
    let done = upload(&memory, &content).await.unwrap();
    let ctx = RunContext::silent();
    // By the checksum of what was sent just now, and by the hash that a record keeps.
    let recorded = Uploaded::recorded(done.size, done.sha256.as_str());
    let mut flipped = content.to_vec();
    flipped[2_999_999] ^= 0x80;
    let flipped = Bytes::from(flipped);
    for written in [&done, &recorded] {
        memory.tamper("a", Some(content.clone()));
        let confirm = async || transfer::confirm(&memory, &key("a"), written, &ctx).await;
        assert_eq!(confirm().await.unwrap(), Proof::ReadBack);
        for (damage, class) in [
            (Some(content.slice(..2_999_999)), ErrorClass::Corrupt),
            (Some(flipped.clone()), ErrorClass::Corrupt),
            (Some(Bytes::new()), ErrorClass::Corrupt),
            (None, ErrorClass::Missing),
        ] {
            memory.tamper("a", damage);
            let error = confirm().await.unwrap_err();
            assert_eq!(error.class, class);
            assert!(error.message.contains('a'), "it is named: {}", error.message);
        }
    }
    let confirm = async || transfer::confirm(&memory, &key("a"), &done, &ctx).await;
    // A store that checks what it takes is believed; its size is looked at all the same.
    memory.set_capabilities(backstay_core::destination::DestinationCapabilities {
        checks_hash: true,
        ..MemoryDestination::new().capabilities()
    });
    memory.tamper("a", Some(content.clone()));
    assert_eq!(confirm().await.unwrap(), Proof::StoreChecked);
    memory.tamper("a", Some(content.slice(1..)));
    assert_eq!(confirm().await.unwrap_err().class, ErrorClass::Corrupt);
}

#[tokio::test(start_paused = true)]
async fn a_link_lost_for_twenty_seconds_costs_two_parts_at_most() {
    const PART: u64 = 4 << 20;
    let content = noise(9, 120 << 20);
    for resumable in [false, true] {
        for cut_ms in [1_234, 3_000, 5_777] {
            let memory = MemoryDestination::new().with_part_bytes(PART);
            memory.set_rate(Some(8_000_000));
            let meter = Meter::new(Arc::new(FreeTraffic));
            let traffic: Arc<dyn Traffic> = Arc::<Meter>::clone(&meter);
            let seen = Arc::new(memory.with_traffic(traffic));
            let quiet = Quiet::new(seen, Arc::clone(&meter), Duration::from_secs(60));
            let destination = Retry::new(Arc::new(quiet), Patience::default());
            let link = memory.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(cut_ms)).await;
                link.set_offline(true);
                tokio::time::sleep(Duration::from_secs(20)).await;
                link.set_offline(false);
            });
            if resumable {
                let (journal, ctx) = (MemoryJournal::default(), RunContext::silent());
                let source = source(&content);
                let mode = WriteMode::CreateNew;
                transfer::upload_resumable(&destination, &key("a"), &source, &journal, "n", mode, &ctx).await.unwrap();
            } else {
                upload(&destination, &content).await.unwrap();
            }
            assert!(memory.object("a").unwrap() == content);
            let again = meter.sent_bytes() - content.len() as u64;
            assert!(again > 0 && again <= 2 * PART, "{again} bytes were sent again");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cancelled_at_any_moment_nothing_half_is_listed() {
    let content = noise(10, 3_000_000);
    for after_ms in (1..40).map(|step| step * 17) {
        let memory = MemoryDestination::new();
        memory.set_rate(Some(5_000_000));
        memory.set_delay(Some(Duration::from_millis(3)));
        let ctx = RunContext::silent();
        let cancel = ctx.cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            cancel.cancel();
        });
        let done =
            transfer::upload_stream(&memory, &key("a"), stream(&content), None, WriteMode::CreateNew, &ctx).await;
        match done {
            Ok(_) => assert!(memory.object("a").unwrap() == content),
            Err(error) => {
                assert!(error.is_cancelled());
                assert_eq!((memory.keys().len(), memory.open_uploads()), (0, 0), "cancelled after {after_ms} ms");
            }
        }
        if ctx.cancel.is_cancelled() {
            continue;
        }
        return;
    }
}
