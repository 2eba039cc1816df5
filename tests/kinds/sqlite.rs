//! SQLite: copied whole while it is written, put back without leftovers; a damaged file makes no backup.

use crate::databases::{collect, cut, faults, restore, which};
use crate::host::TestHost;
use crate::memory::{Recorder, WrongHash, input, kind};
use crate::replace::cancelled;
use backstay_core::kind::{RestoreMode, RestoreOptions};
use backstay_core::{ErrorClass, RawPath};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt;

pub fn sqlite_query(file: &std::path::Path, sql: &str) -> String {
    let out = std::process::Command::new("sqlite3").arg(file).arg(sql).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// Writes a program that is found before the one of its name.
pub fn program(bin: &Path, name: &str, script: &str) {
    std::fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub fn has_sqlite() -> bool {
    let found = !which("sqlite3").is_empty();
    if !found {
        println!("skipped: sqlite3 is not installed");
    }
    found
}

#[tokio::test]
async fn sqlite_is_copied_whole_while_it_is_written_and_put_back_without_leftovers() {
    if !has_sqlite() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("it's a \"db\".sqlite");
    sqlite_query(
        &file,
        "pragma journal_mode=wal; create table t (a, b unique); insert into t select value, hex(randomblob(400)) from generate_series(1, 5000)",
    );
    // A writer that is in the middle of things, with its log beside the file.
    let mut writer = std::process::Command::new("sqlite3")
        .arg(&file)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = writer.stdin.take().unwrap();
    use std::io::BufRead;
    writeln!(pipe, "pragma journal_mode=wal; insert into t values (9999, 'late'); begin; insert into t values (10000, 'open'); select 'ready';").unwrap();
    let mut lines = std::io::BufReader::new(writer.stdout.take().unwrap()).lines();
    while lines.next().unwrap().unwrap() != "ready" {}
    let host = TestHost::default();
    let text = RawPath::new(file.to_str().unwrap()).unwrap().to_text();
    let item = input("sqlite", serde_json::json!({ "paths": [text] }));
    let (report, backup, recorder) = collect(&host, &item).await;
    assert_eq!(report.unwrap().files, 1);
    assert_eq!(recorder.by_subject(), Default::default());
    assert_eq!(faults(&item, &backup).await, []);
    drop(pipe);
    writer.wait().unwrap();

    // What is beside the file now must not be applied to the one that comes back.
    for ending in ["-wal", "-shm"] {
        std::fs::write(format!("{}{ending}", file.display()), b"stale").unwrap();
    }
    let (plan, report, recorder) = restore(&host, &item, &backup, RestoreMode::Merge, None).await;
    assert!(plan.warnings[0].contains("Stop what uses"), "{plan:?}");
    assert_eq!((report.unwrap().files, recorder.by_subject()), (1, Default::default()));
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(
        sqlite_query(&file, "select count(*), sum(b = 'late'), sum(b = 'open') from t; pragma integrity_check"),
        "5001|1|0\nok"
    );

    // A cut one is found, and is never put in place.
    let half = cut(&backup, "sqlite", 40_000);
    assert!(faults(&item, &half).await[0].1.contains("where its header says"));
    let (_, report, recorder) = restore(&host, &item, &half, RestoreMode::Merge, None).await;
    assert!(report.is_err());
    assert!(
        recorder.by_subject().values().any(|(_, why)| why.contains("integrity check")),
        "{:?}",
        recorder.by_subject()
    );
    assert_eq!(sqlite_query(&file, "select count(*) from t"), "5001");
    let to = dir.path().join("elsewhere");
    restore(&host, &item, &backup, RestoreMode::Merge, Some(to.to_str().unwrap())).await.1.unwrap();
    assert_eq!(sqlite_query(&to.join(file.file_name().unwrap()), "select count(*) from t"), "5001");
}

#[tokio::test]
async fn a_damaged_sqlite_file_makes_no_backup() {
    if !has_sqlite() {
        return;
    }
    let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Copies are made where no other test makes any.
    let aside = bin.path().join("aside");
    std::fs::create_dir(&aside).unwrap();
    program(bin.path(), "mktemp", &format!("exec /usr/bin/mktemp -p {} \"$@\"", aside.display()));
    let host = TestHost { path: Some(bin.path().into()), ..TestHost::default() };
    let file = dir.path().join("bad.db");
    sqlite_query(
        &file,
        "create table t (a, b); create index i on t (b); insert into t select value, hex(randomblob(100)) from generate_series(1, 2000)",
    );
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 6000].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    std::fs::write(dir.path().join("text.db"), "just text, no database at all").unwrap();
    let paths = ["bad.db", "text.db", "gone.db"].map(|name| dir.path().join(name));
    let item = input("sqlite", serde_json::json!({ "paths": paths }));
    let (report, backup, recorder) = collect(&host, &item).await;
    assert!(report.is_err());
    assert!(backup.entries.is_empty());
    let problems = recorder.by_subject();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[paths[0].to_str().unwrap()].1.contains("ended with exit status 7"), "{problems:?}");
    let left = std::fs::read_dir(&aside).unwrap().count();
    assert_eq!(left, 0, "no copy stays behind");
}

/// Returns all files of a folder.
fn look(folder: &Path) -> BTreeMap<std::ffi::OsString, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|item| item.unwrap());
    files.map(|item| (item.file_name(), std::fs::read(item.path()).unwrap())).collect()
}

#[tokio::test]
async fn what_does_not_come_whole_never_replaces_a_database() {
    if !has_sqlite() {
        return;
    }
    let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = dir.path().join("live.db");
    sqlite_query(
        &file,
        "create table t (a, b); insert into t select value, hex(randomblob(400)) from generate_series(1, 500)",
    );
    let item = input("sqlite", serde_json::json!({ "paths": [file] }));
    let (report, backup, _) = collect(&TestHost::default(), &item).await;
    report.unwrap();
    let (entry, _) = backup.entries.values().find(|(e, _)| e.path.as_bytes().ends_with(b"live.db")).unwrap();
    let size = entry.size_bytes;
    sqlite_query(&file, "insert into t values (501, 'newer than the backup')");
    std::fs::write(dir.path().join("live.db-wal"), b"what was written last").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = look(dir.path());

    for after in [0, size / 2] {
        let host = TestHost { cut_input: Some(after), ..TestHost::default() };
        let (_, report, _) = restore(&host, &item, &backup, RestoreMode::Merge, None).await;
        assert_eq!(report.unwrap_err().class, ErrorClass::Offline);
        assert!(look(dir.path()) == before, "cut after {after} bytes: {:?}", look(dir.path()).keys());
    }
    let host = TestHost::default();
    for after in [0, size / 2, size] {
        let (ctx, recorder) = Recorder::context();
        let kind = kind("sqlite");
        let mode = RestoreMode::Merge;
        let options = RestoreOptions { mode, to: None, strip: RawPath::root(), only: Vec::new() };
        let plan = kind.plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
        let mut source = backup.source().altered(move |_, content| Box::new(content.take(after).chain(WrongHash)));
        let report = kind.restore(&ctx, &host.shared(), &item, &mut source, &plan, &options).await;
        assert!(report.is_err() && recorder.by_subject().len() == 1, "{:?}", recorder.by_subject());
        assert!(look(dir.path()) == before, "damaged after {after} bytes: {:?}", look(dir.path()).keys());
    }
    assert!(cancelled(&host, &item, &backup, "live.db").await.is_cancelled());
    assert!(look(dir.path()) == before, "{:?}", look(dir.path()).keys());

    // One that cannot be exchanged keeps what it has beside it; where that cannot go aside, nothing is exchanged.
    for stuck in ["case \"$3\" in *live.db)", "case \"$2\" in *live.db-wal)"] {
        program(bin.path(), "mv", &format!("{stuck} echo busy >&2; exit 1;; esac\nexec /bin/mv \"$@\""));
        let stuck = TestHost { path: Some(bin.path().into()), ..TestHost::default() };
        let (_, report, recorder) = restore(&stuck, &item, &backup, RestoreMode::Merge, None).await;
        assert!(report.is_err());
        assert!(recorder.by_subject().values().any(|(_, why)| why.contains("busy")), "{:?}", recorder.by_subject());
        assert!(look(dir.path()) == before, "{:?}", look(dir.path()).keys());
    }

    restore(&host, &item, &backup, RestoreMode::Merge, None).await.1.unwrap();
    assert_eq!(look(dir.path()).keys().collect::<Vec<_>>(), ["live.db"]);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(sqlite_query(&file, "select count(*) from t"), "500");
}

/// Somebody who writes into a database every 10 ms until dropped.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    fn start(file: &Path) -> Self {
        let mut shell = std::process::Command::new("sqlite3")
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let until = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut pipe = shell.stdin.take().unwrap();
            writeln!(pipe, ".timeout 60000\npragma synchronous=off;").unwrap();
            while !until.load(Ordering::Relaxed) {
                writeln!(pipe, "insert into t values (1);").unwrap();
                std::thread::sleep(Duration::from_millis(10));
            }
            drop(pipe);
            shell.wait().unwrap();
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[tokio::test]
async fn a_database_that_is_written_all_the_time_is_copied_all_the_same() {
    if !has_sqlite() {
        return;
    }
    let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // The minute in which a rollback journal is tried without holding the writers off is over at once.
    program(bin.path(), "timeout", "exit 124");
    let host = TestHost { path: Some(bin.path().into()), ..TestHost::default() };
    for journal in ["wal", "delete"] {
        let file = dir.path().join(format!("{journal}.db"));
        let sql = "create table t (a); insert into t select zeroblob(100000) from generate_series(1, 800)";
        sqlite_query(&file, &format!("pragma journal_mode={journal}; pragma synchronous=off; {sql}"));
        let item = input("sqlite", serde_json::json!({ "paths": [file] }));
        let writer = Writer::start(&file);
        let bound = Duration::from_secs(30);
        let (report, backup, recorder) = tokio::time::timeout(bound, collect(&host, &item)).await.expect(journal);
        drop(writer);
        assert_eq!((report.unwrap().files, recorder.by_subject()), (1, Default::default()), "{journal}");
        assert_eq!(faults(&item, &backup).await, []);
    }
}
