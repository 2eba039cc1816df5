//! Commands that say nothing for long and are healthy, and such as are not. Time is tokio's, and jumps.

use crate::memory::{MemorySink, MemorySource, Recorder, input, kind};
use backstay_core::host::SharedHost;
use backstay_core::kind::{Change, ChangeKind, ItemInput, RestoreMode, RestoreOptions, RestorePlan};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use backstay_lab::fake_host::{Answer, FakeHost};
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOURS: Duration = Duration::from_secs(5 * 60 * 60);

fn sqlite() -> ItemInput {
    input("sqlite", serde_json::json!({ "paths": ["/srv/big.db"] }))
}

/// A whole database of one page, as far as the kind can tell.
fn page() -> Vec<u8> {
    let mut bytes = [b"SQLite format 3\0".as_slice(), &[0; 4080]].concat();
    bytes[16..18].copy_from_slice(&4096_u16.to_be_bytes());
    bytes[28..32].copy_from_slice(&1_u32.to_be_bytes());
    bytes
}

fn sqlite_host(answer: Answer) -> FakeHost {
    let host = FakeHost::default();
    host.on("sqlite3 --version", Answer::ok("3.46.1"));
    host.on("mktemp \"$1", Answer::ok("/srv/big.db.backstay-1\n")).on("mv -f", Answer::ok(""));
    host.on(".backup", answer.clone()).on("wc -c", answer);
    host
}

async fn copy(answer: Answer) -> (Result<()>, Arc<Recorder>) {
    let (ctx, recorder) = Recorder::context();
    let host = sqlite_host(answer);
    let copied = kind("sqlite").collect(&ctx, &host, &sqlite(), &mut MemorySink::default()).await;
    (copied.map(drop), recorder)
}

/// A server with GNU tools whose listing of `/srv` takes its time.
fn files_host(listing: Answer) -> FakeHost {
    let host = FakeHost::default();
    host.on(
        "find --version",
        Answer::ok("find (GNU findutils) 4.9\n\u{1e}tar (GNU tar) 1.34\n\u{1e}\u{1e}\u{1e}\u{1e}0\n\u{1e}"),
    );
    let folder = "d\x00755\x000\x000\x000\x001.0\x001.0\x001\x001\x001\x00/srv\x00\x00";
    host.on("-maxdepth 0", Answer::ok(folder));
    host.on("-mindepth 1", listing);
    host
}

async fn list(answer: Answer) -> (Result<()>, Arc<Recorder>) {
    let (ctx, recorder) = Recorder::context();
    let host = files_host(answer);
    host.on("--create", Answer::ok(vec![0; 1024]));
    let item = input("files", serde_json::json!({ "paths": ["/srv"] }));
    let listed = kind("files").collect(&ctx, &host, &item, &mut MemorySink::default()).await;
    (listed.map(drop), recorder)
}

#[tokio::test(start_paused = true)]
async fn a_copy_a_listing_and_a_load_that_take_hours_show_signs_of_life() {
    let (copied, recorder) = copy(Answer::ok(page()).after(HOURS)).await;
    copied.unwrap();
    assert!(recorder.longest_silence() < MINUTE, "{:?}", recorder.longest_silence());

    let (listed, recorder) = list(Answer::ok("").after(HOURS)).await;
    listed.unwrap();
    assert!(recorder.longest_silence() < MINUTE, "{:?}", recorder.longest_silence());

    let (loaded, recorder) = load(Answer::ok("").after(HOURS)).await;
    loaded.unwrap();
    assert!(recorder.longest_silence() < MINUTE, "{:?}", recorder.longest_silence());
}

/// Puts one database back; the tool took all of it at once and is silent then.
async fn load(answer: Answer) -> (Result<()>, Arc<Recorder>) {
    let (ctx, recorder) = Recorder::context();
    let mut sink = MemorySink::default();
    kind("sqlite").collect(&ctx, &sqlite_host(Answer::ok(page())), &sqlite(), &mut sink).await.unwrap();
    let options = RestoreOptions { mode: RestoreMode::Merge, to: None, strip: RawPath::root(), only: Vec::new() };
    let change = Change {
        kind: ChangeKind::Create,
        item: "sqlite".into(),
        target: "/srv/big.db".into(),
        path: Some(RawPath::new(".backstay/sqlite/srv/big.db").unwrap()),
        is_dir: false,
        size_bytes: 4096,
        target_mtime: None,
    };
    let plan = RestorePlan { changes: vec![change], ..RestorePlan::default() };
    let mut source: MemorySource = sink.backup.source();
    let host: SharedHost = Arc::new(sqlite_host(answer));
    let loaded = kind("sqlite").restore(&ctx, &host, &sqlite(), &mut source, &plan, &options).await;
    (loaded.map(drop), recorder)
}

#[tokio::test(start_paused = true)]
async fn a_bulk_delete_shows_signs_of_life() {
    let (ctx, recorder) = Recorder::context();
    let host = files_host(Answer::ok(""));
    host.on("rm -f", Answer::ok("").after(HOURS)).on("-maxdepth 0", Answer::ok(""));
    let change = Change {
        kind: ChangeKind::Delete,
        item: "files".into(),
        target: "/srv/old".into(),
        path: None,
        is_dir: false,
        size_bytes: 1,
        target_mtime: None,
    };
    let plan = RestorePlan { changes: vec![change], ..RestorePlan::default() };
    let options = RestoreOptions { mode: RestoreMode::Replace, to: None, strip: RawPath::root(), only: Vec::new() };
    let item = input("files", serde_json::json!({ "paths": ["/srv"] }));
    let mut source = MemorySink::default().backup.source();
    let host: SharedHost = Arc::new(host);
    let report = kind("files").restore(&ctx, &host, &item, &mut source, &plan, &options).await.unwrap();
    assert_eq!(report.deleted, 1);
    assert!(recorder.longest_silence() < MINUTE, "{:?}", recorder.longest_silence());
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_ends_the_wait_and_a_command_that_hangs_falls_silent_after_a_day() {
    // What SSH does when its keepalive gets no answer.
    for lost in [copy(Answer::lost("").after(MINUTE)).await.0, list(Answer::lost("").after(MINUTE)).await.0] {
        let error: Error = lost.unwrap_err();
        assert_eq!(error.class, ErrorClass::Offline, "{error:?}");
    }
    let days = Duration::from_secs(3 * 24 * 60 * 60);
    let (_, recorder) = copy(Answer::ok(page()).after(days)).await;
    let silent = recorder.longest_silence();
    assert!(silent > days * 6 / 10 && silent < days * 7 / 10, "{silent:?}");
}
