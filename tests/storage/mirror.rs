//! Several destinations as one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use backstay_core::destination::{Availability, Destination, DestinationCapabilities, Key, Proof, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::layout::MemoryJournal;
use backstay_core::{ErrorClass, RunContext};
use backstay_destinations::mirror::{Leg, LegEvent, Mirror};
use backstay_destinations::wrap::{Patience, Retry};
use backstay_lab::destination_contract::{self, noise};
use backstay_lab::memory_destination::{MemoryDestination, Operation};
use backstay_transfer::{self as transfer, ObjectReplay, Sha256Sum};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

const CLASSES: [ErrorClass; 6] = [
    ErrorClass::Offline,
    ErrorClass::TimedOut,
    ErrorClass::Throttled,
    ErrorClass::Full,
    ErrorClass::Refused,
    ErrorClass::Corrupt,
];

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn leg(name: &str, destination: &MemoryDestination) -> Leg {
    Leg { name: name.into(), destination: Arc::new(destination.clone()), required_ready: true }
}

fn three() -> [MemoryDestination; 3] {
    [MemoryDestination::new(), MemoryDestination::new(), MemoryDestination::new()]
}

fn mirror(memories: &[MemoryDestination]) -> Mirror {
    let names = ["one", "two", "three"];
    Mirror::new("nas and more", memories.iter().zip(names).map(|(memory, name)| leg(name, memory)).collect())
}

fn stream(content: &Bytes) -> ByteStream {
    Box::new(std::io::Cursor::new(content.clone()))
}

/// Names of the legs that were given up.
fn failed(mirror: &Mirror) -> Vec<String> {
    mirror.outcomes().into_iter().filter(|leg| leg.error.is_some()).map(|leg| leg.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_keeps_the_contract() {
    destination_contract::run(|| async { Arc::new(mirror(&three())) as Arc<dyn Destination> }).await;
    // One leg is no different. (With parts of different sizes all but one promise is kept: of a part that the legs cut
    // differently only whole pieces survive the process, so that a resumed upload may tell less than before.)
    destination_contract::run(|| async { Arc::new(mirror(&three()[..1])) as Arc<dyn Destination> }).await;
}

#[tokio::test]
async fn all_legs_get_the_same() {
    let memories = three();
    let sized = [memories[0].clone(), memories[1].with_part_bytes(90_001), memories[2].with_part_bytes(1 << 20)];
    let mirror = mirror(&sized);
    let content = noise(1, 3_333_333);
    mirror.put(&key("data/a"), content.slice(..1000), WriteMode::CreateNew).await.unwrap();
    let ctx = RunContext::silent();
    let uploaded = transfer::upload_stream(&mirror, &key("big"), stream(&content), None, WriteMode::CreateNew, &ctx)
        .await
        .unwrap();
    assert_eq!((uploaded.size, uploaded.sha256), (3_333_333, Sha256Sum::of(&content)));
    mirror.delete(&key("data/a")).await.unwrap();
    for memory in &memories {
        assert_eq!(memory.keys(), ["big"]);
        assert!(memory.object("big").unwrap() == content);
        assert_eq!(memory.open_uploads(), 0);
    }
    assert!(
        mirror.outcomes().iter().all(|leg| leg.error.is_none() && leg.bytes == 3_334_333),
        "{:?}",
        mirror.outcomes()
    );
}

#[tokio::test]
async fn a_failing_leg_is_marked_and_skipped() {
    for class in CLASSES {
        for operation in [Operation::Put, Operation::Begin, Operation::Part, Operation::Complete] {
            let memories = three();
            let events = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&events);
            let legs = memories.iter().zip(["one", "two", "three"]).map(|(memory, name)| leg(name, memory)).collect();
            let mirror = Mirror::watched(
                "all",
                legs,
                Arc::new(move |name, event| {
                    if let LegEvent::Failed(error) = event {
                        seen.lock().unwrap().push((name.to_owned(), error.class));
                    }
                }),
            );
            memories[1].fail_operation(operation, 1, class);
            let content = noise(2, 1_000_000);
            mirror.put(&key("a"), content.clone(), WriteMode::CreateNew).await.unwrap();
            assert_eq!(mirror.put_stream(&key("b"), stream(&content), WriteMode::CreateNew).await.unwrap(), 1_000_000);
            mirror.put(&key("c"), content.clone(), WriteMode::CreateNew).await.unwrap();
            for memory in [&memories[0], &memories[2]] {
                assert_eq!(memory.keys(), ["a", "b", "c"], "{class:?} at {operation:?}");
                assert!(memory.object("b").unwrap() == content);
            }
            assert!(!memories[1].keys().contains(&"c".to_owned()), "a leg that failed is left alone");
            assert!(memories[1].object("b").is_none(), "half of it never shows");
            assert_eq!(failed(&mirror), ["two"]);
            assert_eq!(*events.lock().unwrap(), [("two".to_owned(), class)], "told once");
        }
    }
}

#[tokio::test]
async fn it_fails_when_no_leg_is_left() {
    let memories = three();
    let mirror = mirror(&memories);
    for (memory, class) in memories.iter().zip([ErrorClass::Full, ErrorClass::Refused, ErrorClass::Offline]) {
        memory.fail_operation(Operation::Part, 2, class);
    }
    let error = mirror.put_stream(&key("a"), stream(&noise(1, 2_000_000)), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Full, "the first leg's reason");
    assert_eq!(error.message, "All 3 destinations of nas and more failed");
    assert_eq!(error.detail.unwrap().lines().count(), 3, "and all of them in the detail");
    assert!(memories.iter().all(|memory| memory.keys().is_empty()));
    let again = mirror.put(&key("b"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(again.class, ErrorClass::Full);
    assert_eq!(mirror.list("").await.unwrap_err().class, ErrorClass::Full);
}

#[tokio::test]
async fn reads_come_from_the_first_leg_that_has_everything() {
    let memories = three();
    for (memory, content) in memories.iter().zip(["first", "second", "third"]) {
        memory.tamper("a", Some(Bytes::from_static(content.as_bytes())));
    }
    let mut legs: Vec<_> =
        memories.iter().zip(["one", "two", "three"]).map(|(memory, name)| leg(name, memory)).collect();
    legs[0].required_ready = false;
    let mirror = Mirror::new("all", legs);
    assert_eq!(mirror.get(&key("a"), None).await.unwrap(), "second");
    memories[1].set_offline(true);
    assert_eq!(mirror.get(&key("a"), None).await.unwrap(), "third", "the next one helps out");
    assert_eq!(failed(&mirror), ["two"]);
    // A missing object is an answer, not a failure.
    assert_eq!(mirror.get(&key("b"), None).await.unwrap_err().class, ErrorClass::Missing);
    memories[2].set_offline(true);
    assert_eq!(mirror.get(&key("a"), None).await.unwrap_err().class, ErrorClass::Offline, "never from one that lags");
}

#[tokio::test]
async fn whoever_is_read_from_says_what_proves_a_write() {
    let memories = three();
    let [cold, plain, _] = &memories;
    // It checks what it takes, and freezes it.
    cold.set_capabilities(DestinationCapabilities { checks_hash: true, ..cold.capabilities() });
    cold.set_cold("a", Availability::Frozen);
    let ctx = RunContext::silent();
    let both = mirror(&memories[..2]);
    let content = noise(1, 700_000);
    let written = transfer::upload_stream(&both, &key("a"), stream(&content), None, WriteMode::CreateNew, &ctx).await;
    let written = written.unwrap();
    assert_eq!(transfer::confirm(&both, &key("a"), &written, &ctx).await.unwrap(), Proof::StoreChecked);
    assert_eq!((cold.count(Operation::Get), plain.count(Operation::Get)), (0, 0));
    // It falls out: the other one's word counts, and that proves nothing by itself.
    cold.set_offline(true);
    assert_eq!(transfer::confirm(&both, &key("a"), &written, &ctx).await.unwrap(), Proof::ReadBack);
    assert_eq!(failed(&both), ["one"]);
    // One that lags is not read from, whatever it checks.
    cold.set_offline(false);
    let mut legs = vec![leg("one", cold), leg("two", plain)];
    legs[0].required_ready = false;
    assert!(!Mirror::new("all", legs).capabilities().checks_hash);
}

#[tokio::test]
async fn what_makes_a_backup_waits_for_the_sync_of_a_leg_that_lags() {
    let memories = three();
    let mut legs: Vec<_> =
        memories.iter().zip(["one", "two", "three"]).map(|(memory, name)| leg(name, memory)).collect();
    legs[2].required_ready = false;
    let mirror = Mirror::new("all", legs);
    let content = Bytes::from_static(b"x");
    for name in ["data/ab", "index/cd", "snapshots/ef", "archives/web/a.tar.zst", "archives/web/a.tar.zst.manifest"] {
        mirror.put(&key(name), content.clone(), WriteMode::CreateNew).await.unwrap();
    }
    assert_eq!(memories[0].keys().len(), 5);
    assert_eq!(memories[2].keys(), ["archives/web/a.tar.zst", "data/ab", "index/cd"]);
    // One that failed does not get them either.
    memories[1].fail_operation(Operation::Put, 1, ErrorClass::Offline);
    mirror.put(&key("data/gh"), content.clone(), WriteMode::CreateNew).await.unwrap();
    mirror.put(&key("snapshots/ij"), content, WriteMode::CreateNew).await.unwrap();
    assert_eq!(memories[1].keys().len(), 5);
    assert!(memories[0].object("snapshots/ij").is_some());
}

#[tokio::test]
async fn a_name_that_is_taken_at_some_legs() {
    let memories = three();
    let mirror = mirror(&memories);
    let content = Bytes::from_static(b"same");
    // The same lies there, as after a sync: fine.
    memories[1].tamper("data/a", Some(content.clone()));
    mirror.put(&key("data/a"), content.clone(), WriteMode::CreateNew).await.unwrap();
    assert_eq!(failed(&mirror), [] as [&str; 0]);
    let taken = mirror.put(&key("data/a"), content.clone(), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(taken.class, ErrorClass::Exists, "taken at all of them");
    memories[2].tamper("data/b", Some(Bytes::from_static(b"else")));
    mirror.put(&key("data/b"), content, WriteMode::CreateNew).await.unwrap();
    assert_eq!(failed(&mirror), ["three"], "other content is another thing");
    assert_eq!(memories[2].object("data/b").unwrap(), "else");
}

#[tokio::test]
async fn every_nth_call_fails_and_what_is_told_is_true() {
    let content = noise(7, 1_500_000);
    for class in CLASSES {
        for n in 1..=14 {
            let memories = three();
            let mirror = mirror(&memories);
            memories[0].fail_every(n, class);
            memories[2].fail_every(n + 3, class);
            let ctx = RunContext::silent();
            let done =
                transfer::upload_stream(&mirror, &key("a"), stream(&content), None, WriteMode::CreateNew, &ctx).await;
            let failed = failed(&mirror);
            assert!(done.is_ok(), "leg two never failed");
            for (memory, name) in memories.iter().zip(["one", "two", "three"]) {
                memory.clear_faults();
                match memory.object("a") {
                    Some(there) => assert!(there == content, "{name} has something else"),
                    None => assert!(failed.iter().any(|leg| leg == name), "{name} lacks it and nobody says so"),
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_hiccups_is_tried_again_by_its_own_wrapper() {
    let memories = three();
    let legs = memories.iter().zip(["one", "two", "three"]).map(|(memory, name)| Leg {
        name: name.into(),
        destination: Arc::new(Retry::new(Arc::new(memory.clone()), Patience::default())),
        required_ready: true,
    });
    let mirror = Mirror::new("all", legs.collect());
    for memory in &memories {
        memory.fail_every(3, ErrorClass::Throttled);
    }
    let content = noise(3, 2_000_000);
    mirror.put_stream(&key("a"), stream(&content), WriteMode::CreateNew).await.unwrap();
    assert_eq!(failed(&mirror), [] as [&str; 0]);
    assert!(memories.iter().all(|memory| memory.object("a").unwrap() == content));
}

#[tokio::test(start_paused = true)]
async fn three_take_as_long_as_the_slowest_alone() {
    const PART: u64 = 4 << 20;
    let content = noise(5, 100 << 20);
    let upload = |destination: Arc<dyn Destination>| {
        let content = content.clone();
        async move {
            let began = Instant::now();
            let ctx = RunContext::silent();
            let (name, size) = (key("a"), Some(content.len() as u64));
            let stream = stream(&content);
            transfer::upload_stream(&*destination, &name, stream, size, WriteMode::CreateNew, &ctx).await.unwrap();
            began.elapsed()
        }
    };
    let slow = MemoryDestination::new().with_part_bytes(PART);
    slow.set_rate(Some(5_000_000));
    let alone = upload(Arc::new(slow)).await;
    let memories = three().map(|memory| memory.with_part_bytes(PART));
    for (memory, rate) in memories.iter().zip([40_000_000, 5_000_000, 15_000_000]) {
        memory.set_rate(Some(rate));
    }
    let together = upload(Arc::new(mirror(&memories))).await;
    let ratio = together.as_secs_f64() / alone.as_secs_f64();
    assert!(ratio <= 1.05, "{together:?} together, {alone:?} the slowest alone");
    // And small objects, as a vault writes them: eight at a time.
    let puts = |destination: Arc<dyn Destination>| {
        let content = content.clone();
        async move {
            let began = Instant::now();
            let mut tasks = tokio::task::JoinSet::new();
            for lane in 0..8_usize {
                let (destination, content) = (Arc::clone(&destination), content.clone());
                tasks.spawn(async move {
                    for number in 0..4_usize {
                        let at = (lane * 4 + number) << 20;
                        let name = key(&format!("data/{at}"));
                        destination.put(&name, content.slice(at..at + (1 << 20)), WriteMode::CreateNew).await.unwrap();
                    }
                });
            }
            tasks.join_all().await;
            began.elapsed()
        }
    };
    let slow = MemoryDestination::new();
    slow.set_rate(Some(5_000_000));
    let alone = puts(Arc::new(slow)).await;
    let together = puts(Arc::new(mirror(&memories))).await;
    let ratio = together.as_secs_f64() / alone.as_secs_f64();
    assert!(ratio <= 1.05, "{together:?} together, {alone:?} the slowest alone");
}

/// A stream that knows how far it was read.
struct Counted {
    left: u64,
    read: Arc<std::sync::atomic::AtomicU64>,
}

impl tokio::io::AsyncRead for Counted {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        out: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let count = out.remaining().min(usize::try_from(self.left).unwrap());
        out.put_slice(&vec![7; count]);
        self.left -= count as u64;
        self.read.fetch_add(count as u64, std::sync::atomic::Ordering::Relaxed);
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn the_fast_wait_for_the_slow_within_bounds() {
    const PART: u64 = 16 << 20;
    let memories = [MemoryDestination::new(), MemoryDestination::new()].map(|memory| memory.with_part_bytes(PART));
    memories[1].set_delay(Some(Duration::from_secs(1000)));
    let read = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = Counted { left: 1 << 30, read: Arc::clone(&read) };
    let mirror = mirror(&memories);
    let name = key("a");
    let put = mirror.put_stream(&name, Box::new(counted), WriteMode::CreateNew);
    let ended = tokio::time::timeout(Duration::from_secs(1500), put).await;
    assert!(ended.is_err());
    let read = read.load(std::sync::atomic::Ordering::Relaxed);
    assert!((64 << 20..=128 << 20).contains(&read), "{read} bytes were read while one leg slept");
}

#[tokio::test]
async fn an_interrupted_upload_goes_on_at_each_leg_where_it_was() {
    let memories = three();
    let content = noise(9, 3_000_000);
    let from = MemoryDestination::new();
    from.tamper("a", Some(content.clone()));
    let source = ObjectReplay {
        destination: Arc::new(from),
        key: key("a"),
        size: content.len() as u64,
        sha256: Some(Sha256Sum::of(&content)),
    };
    let journal = MemoryJournal::default();
    let ctx = RunContext::silent();
    let go = async |mirror: Mirror| {
        transfer::upload_resumable(&mirror, &key("a"), &source, &journal, "up", WriteMode::CreateNew, &ctx).await
    };
    for memory in &memories {
        memory.fail_operation(Operation::Part, 6, ErrorClass::Offline);
    }
    let error = go(mirror(&memories)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline);
    let before: Vec<_> = memories.iter().map(|memory| memory.count(Operation::Part)).collect();
    let uploaded = go(mirror(&memories)).await.unwrap();
    assert_eq!(uploaded.sha256, Sha256Sum::of(&content));
    for (memory, before) in memories.iter().zip(before) {
        assert!(memory.object("a").unwrap() == content);
        assert_eq!(memory.open_uploads(), 0);
        let again = memory.count(Operation::Part) - before;
        assert!((7..=9).contains(&again), "{again} of 12 parts were sent after the break");
    }
}
