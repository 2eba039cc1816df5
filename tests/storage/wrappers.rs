//! The wrappers around destinations: another try, an end to silence, limits, counts, a record.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "wrappers/limits.rs"]
mod limits;

use backstay_core::config::Bandwidth;
use backstay_core::destination::{Destination, FreeTraffic, Key, Traffic, WriteMode};
use backstay_core::{Error, ErrorClass, RunContext};
use backstay_destinations::wrap::{Limit, Meter, Patience, Quiet, Record, Recorded, Retry};
use backstay_lab::destination_contract::{self, noise};
use backstay_lab::memory_destination::{MemoryDestination, Operation};
use backstay_transfer as transfer;
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

const RETRIED: [ErrorClass; 3] = [ErrorClass::Offline, ErrorClass::TimedOut, ErrorClass::Throttled];
const FINAL: [ErrorClass; 5] =
    [ErrorClass::Refused, ErrorClass::Full, ErrorClass::Missing, ErrorClass::Corrupt, ErrorClass::Internal];

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn retry(memory: &MemoryDestination) -> Retry {
    Retry::new(Arc::new(memory.clone()), Patience::default())
}

fn quiet(memory: &MemoryDestination, patience: Duration) -> Quiet {
    let meter = Meter::new(Arc::new(FreeTraffic));
    let traffic: Arc<dyn Traffic> = Arc::<Meter>::clone(&meter);
    Quiet::new(Arc::new(memory.with_traffic(traffic)), meter, patience)
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn every_wrapper_keeps_the_contract() {
    destination_contract::run(|| async { Arc::new(retry(&MemoryDestination::new())) as Arc<dyn Destination> }).await;
    destination_contract::run(|| async { Arc::new(quiet(&MemoryDestination::new(), MINUTE)) as Arc<dyn Destination> })
        .await;
    destination_contract::run(|| async {
        let record = Record::new(Arc::new(MemoryDestination::new()), Arc::new(|_| {}));
        Arc::new(record) as Arc<dyn Destination>
    })
    .await;
    destination_contract::run(|| async {
        let limit = Limit::new(Bandwidth { bytes_per_second: Some(4_000_000_000), rules: Vec::new() });
        Arc::new(MemoryDestination::new().with_traffic(limit)) as Arc<dyn Destination>
    })
    .await;
    destination_contract::run(|| async {
        let quiet = quiet(&MemoryDestination::new(), MINUTE);
        Arc::new(Retry::new(Arc::new(quiet), Patience::default())) as Arc<dyn Destination>
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_and_the_rest_is_not() {
    for class in RETRIED {
        let memory = MemoryDestination::new();
        for n in [1, 2, 3] {
            memory.fail_call(n, class);
        }
        let began = Instant::now();
        retry(&memory).put(&key("a"), Bytes::from_static(b"1"), WriteMode::CreateNew).await.unwrap();
        assert_eq!(memory.object("a").unwrap(), "1", "{class:?}");
        let patient = if class == ErrorClass::Throttled { 7 } else { 1 };
        assert!(began.elapsed() >= Duration::from_secs(patient), "{class:?} waited {:?}", began.elapsed());
    }
    for class in FINAL {
        let memory = MemoryDestination::new();
        memory.fail_call(1, class);
        let began = Instant::now();
        let error = retry(&memory).put(&key("a"), Bytes::from_static(b"1"), WriteMode::Replace).await.unwrap_err();
        assert_eq!((error.class, began.elapsed()), (class, Duration::ZERO));
        assert_eq!(memory.calls().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_is_tried_again() {
    let memory = MemoryDestination::new();
    let destination = retry(&memory);
    destination.put(&key("k"), Bytes::from_static(b"content"), WriteMode::CreateNew).await.unwrap();
    let fail = || memory.fail_call(1, ErrorClass::Offline);
    fail();
    assert_eq!(destination.get(&key("k"), Some(1..3)).await.unwrap(), "on");
    fail();
    assert_eq!(destination.head(&key("k")).await.unwrap().size_bytes, 7);
    fail();
    assert_eq!(destination.list("").await.unwrap().len(), 1);
    fail();
    destination.space().await.unwrap();
    fail();
    destination.sweep(MINUTE, &[]).await.unwrap();
    fail();
    let upload = destination.begin_upload(&key("u"), None).await.unwrap();
    fail();
    let part = upload.put_part(1, 0, Bytes::from_static(b"part")).await.unwrap();
    fail();
    assert_eq!(upload.stored().await.unwrap(), std::slice::from_ref(&part));
    fail();
    let upload = destination.resume_upload(&key("u"), None, &upload.token()).await.unwrap();
    fail();
    upload.complete(&[part], WriteMode::CreateNew).await.unwrap();
    fail();
    upload.abort().await.unwrap();
    fail();
    destination.delete(&key("k")).await.unwrap();
    assert_eq!(memory.keys(), ["u"]);
}

#[tokio::test(start_paused = true)]
async fn waits_grow_and_end() {
    let memory = MemoryDestination::new();
    memory.set_offline(true);
    let waits = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&waits);
    let destination = retry(&memory).on_retry(Arc::new(move |error: &Error, wait| {
        assert_eq!(error.class, ErrorClass::Offline);
        noted.lock().unwrap().push(wait);
    }));
    let began = Instant::now();
    let error = destination.head(&key("a")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline);
    assert!(error.detail.unwrap().contains("times over"), "how often and how long is told");
    let took = began.elapsed();
    assert!((150..=180).contains(&took.as_secs()), "gave up after {took:?}");
    let waits = waits.lock().unwrap();
    assert!(waits[0] < Duration::from_millis(501) && waits.iter().max().unwrap() <= &Duration::from_secs(20));
    assert!(waits[5] > waits[0], "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_not_taken_for_a_taken_name() {
    let memory = MemoryDestination::new();
    let destination = retry(&memory);
    memory.lose_answer(Operation::Put, 1, ErrorClass::TimedOut);
    destination
        .put(&key("a"), Bytes::from_static(b"ours"), WriteMode::CreateNew)
        .await
        .expect("what lies there is ours");
    // Somebody else was faster.
    memory.fail_operation(Operation::Put, 1, ErrorClass::TimedOut);
    memory.tamper("b", Some(Bytes::from_static(b"his!")));
    let error = destination.put(&key("b"), Bytes::from_static(b"ours"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Exists);
    assert_eq!(memory.object("b").unwrap(), "his!");
    // Without a doubt before, a taken name is a taken name, even with the same content.
    let error = destination.put(&key("a"), Bytes::from_static(b"ours"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Exists);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_last_step_is_looked_up() {
    for mode in [WriteMode::CreateNew, WriteMode::Replace] {
        let memory = MemoryDestination::new();
        let destination = retry(&memory);
        memory.lose_answer(Operation::Complete, 1, ErrorClass::Offline);
        let content = noise(1, 700_000);
        let stream = Box::new(std::io::Cursor::new(content.clone()));
        destination.put_stream(&key("a"), stream, mode).await.unwrap();
        assert!(memory.object("a").unwrap() == content);
        assert_eq!(memory.open_uploads(), 0);
    }
    // The upload is gone, and what lies there is somebody else's.
    let memory = MemoryDestination::new();
    let destination = retry(&memory);
    let upload = destination.begin_upload(&key("a"), None).await.unwrap();
    let part = upload.put_part(1, 0, noise(1, 1000)).await.unwrap();
    memory.fail_operation(Operation::Complete, 1, ErrorClass::Offline);
    memory.tamper("a", Some(noise(2, 1000)));
    let error = upload.complete(&[part], WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Exists);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_goes_on_where_it_was() {
    let memory = MemoryDestination::new();
    let content = noise(3, 1_000_003);
    memory.tamper("a", Some(content.clone()));
    memory.cut_streams_after(Some(300_000));
    let mut read = Vec::new();
    retry(&memory).get_stream(&key("a"), 7).await.unwrap().read_to_end(&mut read).await.unwrap();
    assert!(read == content[7..]);
    assert_eq!(memory.count(Operation::Get), 4);
    // One that never gives a byte any more ends.
    memory.cut_streams_after(Some(0));
    let mut stream = retry(&memory).get_stream(&key("a"), 0).await.unwrap();
    let error = Error::io("Cannot read a", stream.read_to_end(&mut Vec::new()).await.unwrap_err());
    assert_eq!(error.class, ErrorClass::Offline);
}

#[tokio::test(start_paused = true)]
async fn fewer_calls_at_once_when_told_to_slow_down() {
    let memory = MemoryDestination::new();
    memory.set_delay(Some(Duration::from_secs(1)));
    let destination = Arc::new(retry(&memory));
    memory.tamper("a", Some(Bytes::from_static(b"x")));
    for n in 1..=8 {
        memory.fail_call(n, ErrorClass::Throttled);
    }
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let destination = Arc::clone(&destination);
        calls.spawn(async move { destination.get(&key("a"), None).await.map(drop) });
    }
    for result in calls.join_all().await {
        result.unwrap();
    }
    assert_eq!(memory.count(Operation::Get), 16, "each was tried twice");
    let began = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let destination = Arc::clone(&destination);
        calls.spawn(async move { destination.get(&key("a"), None).await.map(drop) });
    }
    calls.join_all().await;
    assert!(began.elapsed() >= Duration::from_secs(2), "not all twelve at once: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_call() {
    let memory = MemoryDestination::new();
    memory.tamper("a", Some(noise(1, 10_000_000)));
    let destination = quiet(&memory, MINUTE);
    memory.set_delay(Some(Duration::from_secs(100_000)));
    let began = Instant::now();
    let calls = [
        destination.get(&key("a"), None).await.err().unwrap(),
        destination.put(&key("b"), noise(1, 10), WriteMode::Replace).await.err().unwrap(),
        destination.begin_upload(&key("c"), None).await.err().unwrap(),
        destination.get_stream(&key("a"), 0).await.err().unwrap(),
    ];
    for error in calls {
        assert_eq!(error.class, ErrorClass::TimedOut);
        assert_eq!(error.message, "memory does not answer: nothing came for 60 seconds");
    }
    assert_eq!(began.elapsed(), MINUTE * 4);
    let began = Instant::now();
    assert_eq!(destination.list("").await.unwrap_err().class, ErrorClass::TimedOut);
    assert_eq!(began.elapsed(), MINUTE * 5, "a listing may take longer");
}

#[tokio::test(start_paused = true)]
async fn slow_is_not_silent() {
    let memory = MemoryDestination::new();
    let content = noise(1, 2_000_000);
    // 400 seconds for all of it.
    memory.set_rate(Some(5_000));
    let destination = quiet(&memory, MINUTE);
    destination.put(&key("a"), content.clone(), WriteMode::CreateNew).await.unwrap();
    assert!(destination.get(&key("a"), None).await.unwrap() == content);
    let mut read = Vec::new();
    destination.get_stream(&key("a"), 0).await.unwrap().read_to_end(&mut read).await.unwrap();
    assert!(read == content);
}

#[tokio::test(start_paused = true)]
async fn what_a_limit_holds_back_is_not_silent() {
    let memory = MemoryDestination::new();
    let limit = Limit::new(Bandwidth { bytes_per_second: Some(0), rules: Vec::new() });
    let meter = Meter::new(Arc::<Limit>::clone(&limit));
    let traffic: Arc<dyn Traffic> = Arc::<Meter>::clone(&meter);
    let destination = Arc::new(Quiet::new(Arc::new(memory.with_traffic(traffic)), Arc::clone(&meter), MINUTE));
    let putting = Arc::clone(&destination);
    let put = tokio::spawn(async move { putting.put(&key("a"), noise(1, 200_000), WriteMode::CreateNew).await });
    tokio::time::sleep(MINUTE * 30).await;
    assert!(!put.is_finished() && meter.is_held(), "it waits");
    limit.set(Bandwidth::default());
    put.await.unwrap().unwrap();
    assert_eq!((meter.sent_bytes(), meter.received_bytes(), meter.is_held()), (200_000, 0, false));
    assert_eq!(meter.last_activity(), Instant::now());
}

#[tokio::test]
async fn a_record_tells_calls_and_outcomes() {
    let calls = Arc::new(Mutex::new(Vec::<Recorded>::new()));
    let sink = Arc::clone(&calls);
    let memory = MemoryDestination::new();
    let record = Record::new(Arc::new(memory), Arc::new(move |call| sink.lock().unwrap().push(call)));
    record.put(&key("a"), Bytes::from_static(b"123"), WriteMode::CreateNew).await.unwrap();
    record.put(&key("a"), Bytes::from_static(b"123"), WriteMode::CreateNew).await.unwrap_err();
    record.get(&key("a"), Some(0..2)).await.unwrap();
    transfer::upload_stream(
        &record,
        &key("s"),
        Box::new(std::io::Cursor::new(noise(1, 300_000))),
        None,
        WriteMode::CreateNew,
        &RunContext::silent(),
    )
    .await
    .unwrap();
    let calls = calls.lock().unwrap();
    let mut told: Vec<_> = calls.iter().map(|call| (call.call, call.bytes, call.failed)).collect();
    assert_eq!(told.remove(1), ("put", 0, Some(ErrorClass::Exists)));
    let told: Vec<_> = told.into_iter().map(|(call, bytes, _)| (call, bytes)).collect();
    let expected =
        [("put", 3), ("get", 2), ("begin_upload", 0), ("put_part", 262_144), ("put_part", 37_856), ("complete", 0)];
    assert_eq!(told, expected);
}
