//! The database file: bad ones, newer ones, several processes, kills.

use super::audit_log::record;
use super::{at, run, server};
use backstay_core::config::{Place, PlanLayout};
use backstay_core::run::RunState;
use backstay_core::store::{RunQuery, Store};
use backstay_core::{ErrorClass, RunId};
use backstay_store::SqliteStore;
use chrono::Utc;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[test]
fn everything_is_there_after_opening_again() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("deep/er/back?stay%20.db");
    let store = SqliteStore::open(&file).unwrap();
    store.put_server(&server("s", "web-1")).unwrap();
    store.audit(at(0), &record("x")).unwrap();
    drop(store);
    let store = SqliteStore::open(&file).unwrap();
    assert_eq!(store.server(&"s".into()).unwrap(), server("s", "web-1"));
    assert_eq!(store.audit_verify().unwrap(), 1);
    assert!(file.is_file(), "a name with ? and % means itself");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700), "only its owner may read it");
        let wal = file.with_file_name("back?stay%20.db-wal");
        assert_eq!(mode(&wal), 0o600);
    }
}

#[test]
fn a_newer_schema_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("backstay.db");
    SqliteStore::open(&file).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let error = SqliteStore::open(&file).err().unwrap();
    assert_eq!(error.class, ErrorClass::Unsupported);
    assert!(error.message.contains("schema 99") && error.hint.unwrap().contains("newer version"));
    assert!(file.exists());
}

#[test]
fn what_an_older_version_kept_is_there_after_the_schema_grew() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("backstay.db");
    let old = rusqlite::Connection::open(&file).unwrap();
    old.execute_batch(include_str!("../../../src-tauri/crates/store/src/migrations/0001_first.sql")).unwrap();
    old.execute_batch(
        "PRAGMA user_version = 1;
         INSERT INTO servers VALUES ('s', 'web-1', '{\"type\":\"local\",\"sudo\":\"none\"}', NULL, 0);
         INSERT INTO destinations VALUES ('d', 'nas', '{\"type\":\"local\",\"path\":\"/mnt/nas\"}', 'v', 1, 0);
         INSERT INTO plans VALUES ('p', 'nightly', 's', '[]', 0);
         INSERT INTO plan_destinations VALUES ('p', 0, 'd');",
    )
    .unwrap();
    drop(old);
    let store = SqliteStore::open(&file).unwrap();
    let plan = store.plan(&"p".into()).unwrap();
    assert_eq!((plan.layout, plan.destinations), (PlanLayout::Vault, vec!["d".into()]));
    assert_eq!(store.destination(&"d".into()).unwrap().place, Place::Local { path: "/mnt/nas".into() });
}

#[test]
fn a_bad_file_is_moved_aside_and_the_next_start_works() {
    let cut = |file: &Path| {
        SqliteStore::open(file).unwrap().put_server(&server("s", "web-1")).unwrap();
        let bytes = std::fs::read(file).unwrap();
        std::fs::write(file, &bytes[..5_000]).unwrap();
    };
    let foreign = |file: &Path| {
        rusqlite::Connection::open(file).unwrap().execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    };
    let no_database =
        |file: &Path| std::fs::write(file, "This is not a database, it is a letter. ".repeat(100)).unwrap();
    type Maker<'a> = (&'a str, &'a dyn Fn(&Path));
    let makers: [Maker<'_>; 3] = [("cut", &cut), ("foreign", &foreign), ("none", &no_database)];
    for (name, make) in makers {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("backstay.db");
        make(&file);
        let before = std::fs::read(&file).unwrap();
        let error = SqliteStore::open(&file).err().unwrap_or_else(|| panic!("{name} was opened"));
        assert_eq!(error.class, ErrorClass::Corrupt, "{name}: {error:?}");
        assert!(error.message.contains("backstay.db.bad-1"), "{}", error.message);
        assert!(error.hint.unwrap().contains("Start Backstay again"));
        assert!(std::fs::read(temp.path().join("backstay.db.bad-1")).unwrap() == before, "{name}: nothing is lost");
        assert_eq!(SqliteStore::open(&file).unwrap().servers().unwrap().len(), 1);
    }
}

#[test]
fn an_empty_file_is_filled() {
    let temp = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(SqliteStore::open(temp.path()).unwrap().servers().unwrap().len(), 1);
}

#[test]
fn a_folder_in_its_place_is_an_error_and_stays() {
    let temp = tempfile::tempdir().unwrap();
    let error = SqliteStore::open(temp.path()).err().unwrap();
    assert_eq!(error.class, ErrorClass::Refused, "{error:?}");
    assert!(temp.path().is_dir());
}

#[test]
fn a_damaged_row_names_itself() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("backstay.db");
    let store = SqliteStore::open(&file).unwrap();
    store.put_server(&server("s", "web-1")).unwrap();
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute_batch("UPDATE servers SET connection = '{\"type\":\"teleport\"}' WHERE id = 's'")
        .unwrap();
    let error = store.server(&"s".into()).unwrap_err();
    assert_eq!(error.class, ErrorClass::Corrupt);
    assert!(error.message.contains("server \"web-1\""));
}

/// Runs when this test binary was started by the tests below, as a second process.
#[test]
fn child_process() {
    let Ok(file) = std::env::var("BACKSTAY_TEST_STORE") else { return };
    let store = SqliteStore::open(Path::new(&file)).unwrap();
    let name = std::env::var("BACKSTAY_TEST_NAME").unwrap();
    if name == "runner" {
        store.insert_run(&run("in-child", RunState::Running, 1)).unwrap();
        println!("ready");
        // Lives until it is killed.
        let mut nothing = String::new();
        std::io::stdin().read_line(&mut nothing).unwrap();
        return;
    }
    // Whose name begins with a k is to be killed; should nobody do it, it ends all the same.
    let (most, limit) = if name.starts_with('k') { (i64::MAX, 60) } else { (60, 2) };
    let (begun, mut number) = (Instant::now(), 0);
    while number < most && (number == 0 || begun.elapsed() < Duration::from_secs(limit)) {
        store.audit(Utc::now(), &record(&format!("{name} {number}"))).unwrap();
        store.insert_run(&run(&format!("{name}-{number}"), RunState::Done, number)).unwrap();
        if number == 0 {
            println!("ready");
        }
        number += 1;
    }
    println!("wrote {number}");
}

fn child(file: &Path, name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["files::child_process", "--exact", "--nocapture"]);
    command.env("BACKSTAY_TEST_STORE", file).env("BACKSTAY_TEST_NAME", name);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Starts a child that goes on until it is killed, and waits until it has written.
fn ready_child(file: &Path, name: &str) -> Child {
    let mut child = child(file, name).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("ready")), "{name} wrote");
    child
}

#[test]
fn several_processes_share_one_file() {
    let temp = tempfile::tempdir().unwrap();
    // Not made before: they race for the migration too.
    let file = temp.path().join("backstay.db");
    let children: Vec<_> = (0..4).map(|number| child(&file, &format!("c{number}")).spawn().unwrap()).collect();
    let mut wrote = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        wrote += said.lines().find_map(|line| line.strip_prefix("wrote ")?.parse::<u64>().ok()).unwrap();
    }
    let store = SqliteStore::open(&file).unwrap();
    assert_eq!(store.audit_verify().unwrap(), wrote);
    assert_eq!(store.runs(&RunQuery { limit: 1, ..RunQuery::default() }).unwrap().total, wrote);
}

#[test]
fn those_who_write_without_pause_take_turns() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("backstay.db");
    let stores = [SqliteStore::open(&file).unwrap(), SqliteStore::open(&file).unwrap()];
    let turns = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (who, store) in stores.iter().enumerate() {
            let turns = &turns;
            scope.spawn(move || {
                while turns.lock().unwrap().len() < 40 {
                    let change = &mut |_| {
                        turns.lock().unwrap().push(who);
                        // A disk that takes its time.
                        std::thread::sleep(Duration::from_millis(20));
                        Ok(None)
                    };
                    store.update_transfer("n", change).unwrap();
                }
            });
        }
    });
    let turns = turns.into_inner().unwrap();
    for who in 0..stores.len() {
        let had = turns.iter().filter(|turn| **turn == who).count();
        assert!(had >= 10, "one had {had} of {} turns: {turns:?}", turns.len());
    }
}

#[test]
fn only_runs_of_dead_processes_are_interrupted() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("backstay.db");
    let mut other = ready_child(&file, "runner");
    let id = RunId::from("in-child");

    let store = SqliteStore::open(&file).unwrap();
    assert_eq!(store.interrupt_open_runs(at(50)).unwrap(), 0, "the other process lives");
    assert_eq!(store.run(&id).unwrap().state, RunState::Running);
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(store.interrupt_open_runs(at(51)).unwrap(), 1);
    assert_eq!(store.run(&id).unwrap().state, RunState::Interrupted);
    let locks = std::fs::read_dir(temp.path()).unwrap();
    let left =
        locks.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "lock")).count();
    assert_eq!(left, 0, "a dead process's mark is swept");
}

#[test]
fn a_killed_writer_leaves_whole_transactions() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("backstay.db");
    for round in 0..3 {
        let mut writer = ready_child(&file, &format!("k{round}"));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let store = SqliteStore::open(&file).unwrap();
        assert!(store.audit_verify().unwrap() > 0, "the chain is whole after a kill");
        let newest = store.audit_entries(0, 1).unwrap().rows.remove(0);
        assert!(newest.subject.starts_with(&format!("k{round} ")), "{newest:?}");
    }
}

#[test]
fn what_two_processes_change_at_the_same_time_is_all_there() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("backstay.db");
    let stores = [SqliteStore::open(&file).unwrap(), SqliteStore::open(&file).unwrap()];
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(move || {
                for _ in 0..20 {
                    store.update_transfer("n", &mut |kept| Ok(Some(kept.unwrap_or_default() + "x"))).unwrap();
                }
            });
        }
    });
    assert_eq!(stores[0].transfer("n").unwrap(), Some("x".repeat(40)));
    let no = || backstay_core::Error::new(ErrorClass::Invalid, "no");
    assert_eq!(stores[0].update_transfer("n", &mut |_| Err(no())).unwrap_err().class, ErrorClass::Invalid);
    stores[1].update_transfer("n", &mut |_| Ok(None)).unwrap();
    assert_eq!(stores[0].transfer("n").unwrap(), None);
}
