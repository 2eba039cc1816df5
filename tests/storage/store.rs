//! The local database: the store's contract, faults of its file, speed of the lists, two processes, the audit chain.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use backstay_core::config::{
    AuditRecord, BackupQuery, BackupSort, Connection, DestinationConfig, KnownBackup, PinnedHostKey, Place, Plan,
    Server, ServerFacts, SshAuth, SshConnection, Sudo,
};
use backstay_core::kind::Item;
use backstay_core::layout::BackupRecord;
use backstay_core::run::{Problem, ProblemKind, Run, RunCounts, RunKind, RunState, StoredError};
use backstay_core::store::{RunQuery, Store};
use backstay_core::{BackupId, DestinationId, ErrorClass, PlanId, RunId, ServerId};
use backstay_store::{SqliteStore, audit};
use chrono::{DateTime, Duration, Utc};
use std::path::Path;
use std::time::Instant;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 123_456_789).unwrap()
}

fn server(id: &str, name: &str) -> Server {
    Server {
        id: id.into(),
        name: name.into(),
        connection: Connection::Ssh(SshConnection {
            host: "web.example".into(),
            port: 22,
            user: "ada".into(),
            auth: SshAuth::KeyFile { path: "/home/ada/.ssh/id".into() },
            jumps: Vec::new(),
            sudo: Sudo::WithPassword,
            fingerprint: Some("SHA256:abc".into()),
        }),
        facts: Some(ServerFacts { os: "Debian".into(), space: vec![("/".into(), 10, 5)], ..ServerFacts::default() }),
        created: at(0),
    }
}

fn destination(id: &str, name: &str) -> DestinationConfig {
    DestinationConfig {
        id: id.into(),
        name: name.into(),
        place: Place::Local { path: "/mnt/nas".into() },
        vault_id: "v".into(),
        kit_confirmed: true,
        created: at(1),
    }
}

fn plan(id: &str, name: &str, server: &str, destinations: &[&str]) -> Plan {
    let item =
        Item { name: "files".into(), kind: "files".into(), settings: serde_json::json!({"paths": ["/srv"], "n": 1}) };
    Plan {
        id: id.into(),
        name: name.into(),
        server: server.into(),
        items: vec![item],
        destinations: destinations.iter().map(|id| DestinationId::from(*id)).collect(),
        created: at(2),
    }
}

fn run(id: &str, state: RunState, created: i64) -> Run {
    Run {
        id: id.into(),
        kind: RunKind::Backup,
        state,
        title: format!("run {id}"),
        plan: Some("p".into()),
        server: Some("s".into()),
        destination: None,
        backup: None,
        created: at(created),
        started: None,
        ended: None,
        counts: RunCounts::default(),
        problems: 0,
        error: None,
        result: None,
    }
}

fn backup(number: u64, destination: &str) -> KnownBackup {
    // Spread by a multiplication, so that neither order nor prefixes follow the number.
    let id = format!("{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).repeat(4);
    KnownBackup {
        record: BackupRecord {
            id: BackupId(id),
            started: at(number as i64 * 60),
            ended: at(number as i64 * 60 + 30),
            server: Some(ServerId(format!("s{}", number % 10))),
            server_name: format!("Server {}", number % 10),
            plan: Some(PlanId(format!("p{}", number % 20))),
            plan_name: format!("plan {}", number % 20),
            kinds: if number.is_multiple_of(3) { vec!["files".into(), "mysql".into()] } else { vec!["files".into()] },
            problems: u64::from(number.is_multiple_of(50)),
            counts: RunCounts { bytes: number * 7919 % 10_007, bytes_added: number % 977, ..RunCounts::default() },
            parent: None,
            verified: None,
        },
        destination: destination.into(),
    }
}

fn filled() -> SqliteStore {
    let store = SqliteStore::in_memory().unwrap();
    store.put_server(&server("s", "web-1")).unwrap();
    store.put_destination(&destination("d", "nas")).unwrap();
    store.put_destination(&destination("e", "usb")).unwrap();
    store.put_plan(&plan("p", "nightly", "s", &["e", "d"])).unwrap();
    store
}

fn class<T>(result: backstay_core::Result<T>) -> ErrorClass {
    result.err().expect("an error").class
}

#[test]
fn this_computer_is_always_there() {
    let store = SqliteStore::in_memory().unwrap();
    let servers = store.servers().unwrap();
    assert_eq!(servers.len(), 1);
    assert_eq!((servers[0].id.clone(), servers[0].name.as_str()), (ServerId::this_computer(), "This computer"));
    assert_eq!(servers[0].connection, Connection::Local { sudo: Sudo::None });
    assert_eq!(class(store.delete_server(&ServerId::this_computer())), ErrorClass::Invalid);
    let mut renamed = servers[0].clone();
    renamed.name = "laptop".into();
    store.put_server(&renamed).unwrap();
    assert_eq!(store.servers().unwrap(), [renamed]);
}

#[test]
fn set_up_comes_back_as_it_was() {
    let store = filled();
    assert_eq!(store.server(&"s".into()).unwrap(), server("s", "web-1"));
    assert_eq!(store.destination(&"d".into()).unwrap(), destination("d", "nas"));
    assert_eq!(store.plan(&"p".into()).unwrap(), plan("p", "nightly", "s", &["e", "d"]));
    let names: Vec<_> = store.servers().unwrap().into_iter().map(|server| server.name).collect();
    assert_eq!(names, ["This computer", "web-1"]);
    assert_eq!(store.destinations().unwrap().len(), 2);

    let changed = plan("p", "weekly", "this-computer", &["d"]);
    store.put_plan(&changed).unwrap();
    assert_eq!(store.plans().unwrap(), [changed]);
}

#[test]
fn names_are_unique_and_absent_rows_are_missing() {
    let store = filled();
    assert_eq!(class(store.put_server(&server("other", "web-1"))), ErrorClass::Exists);
    assert_eq!(class(store.put_destination(&destination("other", "nas"))), ErrorClass::Exists);
    let error = store.put_plan(&plan("other", "nightly", "s", &[])).unwrap_err();
    assert_eq!(error.class, ErrorClass::Exists);
    assert_eq!(error.message, "Cannot save plan \"nightly\": there is one of that name already");
    assert_eq!(class(store.server(&"x".into())), ErrorClass::Missing);
    assert_eq!(class(store.destination(&"x".into())), ErrorClass::Missing);
    assert_eq!(class(store.plan(&"x".into())), ErrorClass::Missing);
    assert_eq!(class(store.run(&"x".into())), ErrorClass::Missing);
    assert_eq!(class(store.update_run(&run("x", RunState::Done, 0))), ErrorClass::Missing);
    assert_eq!(class(store.add_problems(&"x".into(), &[])), ErrorClass::Missing);
    assert_eq!(class(store.log(&"x".into())), ErrorClass::Missing);
    assert_eq!(class(store.put_plan(&plan("q", "q", "x", &[]))), ErrorClass::Missing);
    assert_eq!(class(store.put_plan(&plan("q", "q", "s", &["x"]))), ErrorClass::Missing);
    assert_eq!(class(store.put_backup(&backup(1, "x"))), ErrorClass::Missing);
    assert_eq!(class(store.replace_backups(&"x".into(), &[])), ErrorClass::Missing);
}

#[test]
fn what_a_plan_uses_cannot_be_removed() {
    let store = filled();
    let error = store.delete_server(&"s".into()).unwrap_err();
    assert_eq!(error.class, ErrorClass::Locked);
    assert_eq!(error.message, "Cannot remove the server: it is used by the plan \"nightly\"");
    assert_eq!(class(store.delete_destination(&"d".into())), ErrorClass::Locked);
    store.put_backup(&backup(1, "d")).unwrap();
    store.delete_plan(&"p".into()).unwrap();
    store.delete_plan(&"p".into()).unwrap();
    store.delete_server(&"s".into()).unwrap();
    store.delete_destination(&"d".into()).unwrap();
    store.delete_destination(&"d".into()).unwrap();
    let all = BackupQuery { limit: 10, ..BackupQuery::default() };
    assert_eq!(store.backups(&all).unwrap().total, 0, "a forgotten destination's backups go with it");
}

#[test]
fn runs_with_their_problems_and_log() {
    let store = filled();
    let mut whole = run("r1", RunState::Running, 10);
    store.insert_run(&whole).unwrap();
    assert_eq!(store.run(&"r1".into()).unwrap(), whole);
    whole.state = RunState::DoneWithProblems;
    whole.destination = Some("d".into());
    whole.backup = Some("abc".into());
    whole.started = Some(at(11));
    whole.ended = Some(at(12));
    whole.counts = RunCounts { files: 1, bytes: u64::from(u32::MAX) * 9, files_deleted: 3, ..RunCounts::default() };
    whole.problems = 2;
    whole.error =
        Some(StoredError { class: ErrorClass::Full, message: "Full".into(), hint: None, detail: Some("x".into()) });
    whole.result = Some("/home/ada/x.zip".into());
    store.update_run(&whole).unwrap();
    assert_eq!(store.run(&"r1".into()).unwrap(), whole);

    let problem = |kind, subject: &str, reason: &str| Problem {
        kind,
        item: "files".into(),
        subject: subject.into(),
        reason: reason.into(),
    };
    let problems = [
        problem(ProblemKind::Unreadable, "/srv/100%", "no right"),
        problem(ProblemKind::Skipped, "/srv/x_y", "a socket"),
        problem(ProblemKind::Changed, "/srv/z", "grew"),
    ];
    store.add_problems(&"r1".into(), &problems[..2]).unwrap();
    store.add_problems(&"r1".into(), &problems[2..]).unwrap();
    let page = store.problems(&"r1".into(), "", 1, 10).unwrap();
    assert_eq!((page.total, page.rows.as_slice()), (3, &problems[1..]));
    let find = |text: &str| store.problems(&"r1".into(), text, 0, 10).unwrap().rows.len();
    assert_eq!((find("SOCKET"), find("%"), find("_"), find("\\"), find("/srv")), (1, 1, 1, 0, 3));

    let lines = vec![(at(11), "one".to_owned()), (at(12), "zwei ü".to_owned())];
    store.add_log(&"r1".into(), &lines).unwrap();
    assert_eq!(store.log(&"r1".into()).unwrap(), lines);
}

#[test]
fn runs_are_listed_newest_first_and_filtered() {
    let store = filled();
    for (id, state, created) in
        [("a", RunState::Done, 5), ("b", RunState::Running, 3), ("c", RunState::Waiting, 9), ("d", RunState::Failed, 9)]
    {
        store.insert_run(&run(id, state, created)).unwrap();
    }
    let mut restore = run("e", RunState::Done, 1);
    (restore.kind, restore.plan, restore.server) = (RunKind::Restore, None, Some("this-computer".into()));
    store.insert_run(&restore).unwrap();
    let ids = |query: RunQuery| {
        let page = store.runs(&query).unwrap();
        (page.rows.iter().map(|run| run.id.0.clone()).collect::<String>(), page.total)
    };
    let all = RunQuery { limit: 10, ..RunQuery::default() };
    assert_eq!(ids(all.clone()), ("dcabe".to_owned(), 5));
    assert_eq!(ids(RunQuery { offset: 1, limit: 2, ..all.clone() }), ("ca".to_owned(), 5));
    assert_eq!(ids(RunQuery { active_only: true, ..all.clone() }), ("cb".to_owned(), 2));
    assert_eq!(ids(RunQuery { kind: Some(RunKind::Restore), ..all.clone() }), ("e".to_owned(), 1));
    assert_eq!(ids(RunQuery { plan: Some("p".into()), active_only: true, ..all.clone() }), ("cb".to_owned(), 2));
    assert_eq!(ids(RunQuery { server: Some("this-computer".into()), ..all }), ("e".to_owned(), 1));

    assert_eq!(store.interrupt_open_runs(at(100)).unwrap(), 2);
    assert_eq!(store.interrupt_open_runs(at(101)).unwrap(), 0);
    let interrupted = store.run(&"b".into()).unwrap();
    assert_eq!((interrupted.state, interrupted.ended), (RunState::Interrupted, Some(at(100))));
    assert_eq!(store.run(&"a".into()).unwrap().state, RunState::Done);
}

#[test]
fn backups_come_back_whole_and_are_found_by_the_start_of_their_id() {
    let store = filled();
    let mut first = backup(1, "d");
    first.record.verified = Some(at(5));
    first.record.parent = Some("abc".into());
    store.put_backup(&first).unwrap();
    store.put_backup(&KnownBackup { destination: "e".into(), ..first.clone() }).unwrap();
    store.put_backup(&first).unwrap();
    let id = first.record.id.clone();
    assert_eq!(store.backup(&id).unwrap().len(), 2, "a copy a destination");
    assert_eq!(store.backup(&id.as_str()[..6].into()).unwrap()[0], first);
    assert_eq!(class(store.backup(&id.as_str()[..5].into())), ErrorClass::Invalid);
    assert_eq!(class(store.backup(&"ffffff".into())), ErrorClass::Missing);
    let mut twin = first.clone();
    twin.record.id = BackupId(format!("{}00", &id.as_str()[..62]));
    store.put_backup(&twin).unwrap();
    assert_eq!(class(store.backup(&id.as_str()[..20].into())), ErrorClass::Invalid);
    assert_eq!(store.backup(&id).unwrap().len(), 2);

    store.replace_backups(&"d".into(), &[backup(7, "d")]).unwrap();
    let all = store.backups(&BackupQuery { limit: 10, ..BackupQuery::default() }).unwrap();
    let listed: Vec<_> = all.rows.iter().map(|row| (row.destination.as_str(), row.record.id.clone())).collect();
    assert_eq!(listed, [("d", backup(7, "d").record.id), ("e", id)]);
}

/// What a query must give, computed the plain way.
fn expected(all: &[KnownBackup], query: &BackupQuery) -> (Vec<BackupId>, u64) {
    let text = query.text.to_lowercase();
    let mut rows: Vec<&KnownBackup> = all
        .iter()
        .filter(|row| {
            let record = &row.record;
            (record.plan_name.to_lowercase().contains(&text)
                || record.server_name.to_lowercase().contains(&text)
                || record.id.as_str().starts_with(&text))
                && query.server.as_ref().is_none_or(|id| record.server.as_ref() == Some(id))
                && query.plan.as_ref().is_none_or(|id| record.plan.as_ref() == Some(id))
                && query.kind.as_ref().is_none_or(|kind| record.kinds.contains(kind))
                && query.problems.is_none_or(|wanted| (record.problems > 0) == wanted)
        })
        .collect();
    let total = rows.len() as u64;
    rows.sort_by_key(|row| std::cmp::Reverse(row.record.started));
    match query.sort {
        BackupSort::Started => {}
        BackupSort::Plan => rows.sort_by_key(|row| row.record.plan_name.clone()),
        BackupSort::Server => rows.sort_by_key(|row| row.record.server_name.clone()),
        BackupSort::Size => rows.sort_by_key(|row| row.record.counts.bytes),
        BackupSort::Added => rows.sort_by_key(|row| row.record.counts.bytes_added),
    }
    if query.sort == BackupSort::Started {
        if query.ascending {
            rows.reverse();
        }
    } else if !query.ascending {
        // Turn the order round, but keep the newest first among equals.
        rows.reverse();
        let key = |row: &KnownBackup| match query.sort {
            BackupSort::Plan => row.record.plan_name.clone(),
            BackupSort::Server => row.record.server_name.clone(),
            BackupSort::Size => row.record.counts.bytes.to_string(),
            _ => row.record.counts.bytes_added.to_string(),
        };
        for group in rows.chunk_by_mut(|a, b| key(a) == key(b)) {
            group.reverse();
        }
    }
    let page = rows.into_iter().skip(query.offset as usize).take(query.limit as usize);
    (page.map(|row| row.record.id.clone()).collect(), total)
}

#[test]
fn ten_thousand_backups_are_filtered_sorted_and_paged_at_once() {
    let temp = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&temp.path().join("backstay.db")).unwrap();
    store.put_destination(&destination("d", "nas")).unwrap();
    let all: Vec<_> = (0..10_000).map(|number| backup(number, "d")).collect();
    store.replace_backups(&"d".into(), &all).unwrap();
    let base = BackupQuery { limit: 100, ..BackupQuery::default() };
    let some_id = all[4321].record.id.as_str()[..8].to_owned();
    let mut queries = vec![
        BackupQuery { offset: 9_950, ..base.clone() },
        BackupQuery { text: "PLAN 1".into(), ..base.clone() },
        BackupQuery { text: "server 3".into(), sort: BackupSort::Size, ..base.clone() },
        BackupQuery { text: some_id, ..base.clone() },
        BackupQuery { text: "100%_".into(), ..base.clone() },
        BackupQuery { server: Some("s4".into()), plan: Some("p14".into()), ..base.clone() },
        BackupQuery { kind: Some("mysql".into()), problems: Some(true), ..base.clone() },
        BackupQuery { kind: Some("sql".into()), ..base.clone() },
        BackupQuery { problems: Some(false), destination: Some("d".into()), offset: 500, ..base.clone() },
    ];
    for sort in [BackupSort::Started, BackupSort::Plan, BackupSort::Server, BackupSort::Size, BackupSort::Added] {
        for ascending in [false, true] {
            queries.push(BackupQuery { sort, ascending, offset: 250, ..base.clone() });
        }
    }
    let mut slowest = (std::time::Duration::ZERO, String::new());
    for query in &queries {
        let start = Instant::now();
        let page = store.backups(query).unwrap();
        slowest = slowest.max((start.elapsed(), format!("{query:?}")));
        let ids: Vec<_> = page.rows.iter().map(|row| row.record.id.clone()).collect();
        assert_eq!((ids, page.total), expected(&all, query), "{query:?}");
    }
    // Printed, not judged: a loaded machine must not fail the test.
    println!("slowest of {} queries over 10,000 backups: {:?} for {}", queries.len(), slowest.0, slowest.1);
}

#[test]
fn host_keys_and_settings() {
    let store = SqliteStore::in_memory().unwrap();
    assert_eq!(store.host_key("web", 22).unwrap(), None);
    let mut key = PinnedHostKey { host: "web".into(), port: 65_535, fingerprint: "SHA256:a".into(), accepted: at(1) };
    store.put_host_key(&key).unwrap();
    key.fingerprint = "SHA256:b".into();
    store.put_host_key(&key).unwrap();
    assert_eq!(store.host_key("web", 65_535).unwrap(), Some(key));
    assert_eq!(store.host_key("web", 22).unwrap(), None);
    assert_eq!(store.setting("theme").unwrap(), None);
    store.put_setting("theme", &serde_json::json!({"dark": true})).unwrap();
    store.put_setting("theme", &serde_json::json!([1, "x", null])).unwrap();
    assert_eq!(store.setting("theme").unwrap(), Some(serde_json::json!([1, "x", null])));
}

fn record(subject: &str) -> AuditRecord {
    AuditRecord { who: "ada".into(), action: "server.add".into(), subject: subject.into(), outcome: "ok".into() }
}

#[test]
fn the_audit_hash_is_the_one_documented() {
    let store = SqliteStore::in_memory().unwrap();
    let when = DateTime::parse_from_rfc3339("2026-11-20T13:00:00.5Z").unwrap().to_utc();
    let first = store.audit(when, &record("wäb-1")).unwrap();
    // Computed by: printf 'backstay-audit-1\n64:%064d1:130:2026-11-20T13:00:00.500000000Z3:ada10:server.add6:wäb-12:ok' 0 |
    // sha256sum
    assert_eq!(first.hash, "ba082ffa88de6e7620afa100cb940253a57718e897c9adca10cbebed1c1b99f4");
    let second = store.audit(when, &record("x")).unwrap();
    assert_eq!((second.seq, &second.previous_hash), (2, &first.hash));
    assert_eq!(second.hash, audit::hash_of(&second));
    assert_eq!(store.audit_verify().unwrap(), 2);
    let page = store.audit_entries(0, 1).unwrap();
    assert_eq!((page.total, page.rows), (2, vec![second]));
}

#[test]
fn a_tampered_audit_log_shows() {
    for (tampering, says) in [
        ("UPDATE audit SET subject = 'harmless' WHERE seq = 3", "entry 3: it was changed"),
        ("UPDATE audit SET at_ns = at_ns + 1 WHERE seq = 1", "entry 1: it was changed"),
        ("UPDATE audit SET hash = replace(hash, substr(hash, 1, 1), 'x') WHERE seq = 2", "entry 2: it was changed"),
        ("DELETE FROM audit WHERE seq = 2", "entry 2: it is missing"),
        ("DELETE FROM audit WHERE seq = 1", "entry 1: it is missing"),
        ("DELETE FROM audit WHERE seq = 5", "entry 5: it and those after it are missing"),
        ("DELETE FROM audit", "entry 1: it and those after it are missing"),
        ("UPDATE audit SET seq = -seq; UPDATE audit SET seq = 7 + seq WHERE seq < 0", "entry 1: it is missing"),
        (
            "UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 99",
            "entry 2: it does not follow",
        ),
        (
            "DELETE FROM audit WHERE seq = 2; UPDATE audit SET seq = seq - 1 WHERE seq > 2",
            "entry 2: it does not follow",
        ),
        ("DELETE FROM settings WHERE key = 'audit.head'", "the record of the newest entry is missing"),
        ("UPDATE settings SET value = '7' WHERE key = 'audit.head'", "the record of the newest entry is damaged"),
        ("DELETE FROM audit WHERE seq = 5; DELETE FROM settings", "the record of the newest entry is missing"),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("backstay.db");
        let store = SqliteStore::open(&file).unwrap();
        for number in 0..5 {
            store.audit(at(number), &record(&format!("server {number}"))).unwrap();
        }
        assert_eq!(store.audit_verify().unwrap(), 5);
        let other = rusqlite::Connection::open(&file).unwrap();
        assert!(other.execute_batch("DELETE FROM audit").is_err(), "the log only grows");
        assert!(other.execute_batch("UPDATE audit SET who = 'bob'").is_err(), "the log only grows");
        other.execute_batch("DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_cut").unwrap();
        other.execute_batch(tampering).unwrap();
        let error = store.audit_verify().expect_err(tampering);
        assert_eq!(error.class, ErrorClass::Corrupt);
        assert!(error.message.contains(says), "{tampering}: {}", error.message);
        // Entries written later do not heal it.
        store.audit(at(9), &record("later")).unwrap();
        assert_eq!(store.audit_verify().err().map(|error| error.class), Some(ErrorClass::Corrupt), "{tampering}");
    }
}

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
    let makers: [(&str, &dyn Fn(&Path)); 3] = [("cut", &cut), ("foreign", &foreign), ("none", &no_database)];
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

/// Runs when this test binary was started by the test below, as a second process.
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
    for number in 0..60 {
        store.audit(Utc::now(), &record(&format!("{name} {number}"))).unwrap();
        store.insert_run(&run(&format!("{name}-{number}"), RunState::Done, number)).unwrap();
    }
}

fn child(file: &Path, name: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["child_process", "--exact", "--nocapture"]);
    command.env("BACKSTAY_TEST_STORE", file).env("BACKSTAY_TEST_NAME", name);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    command
}

#[test]
fn several_processes_share_one_file() {
    let temp = tempfile::tempdir().unwrap();
    // Not made before: they race for the migration too.
    let file = temp.path().join("backstay.db");
    let children: Vec<_> = (0..4).map(|number| child(&file, &format!("c{number}")).spawn().unwrap()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let store = SqliteStore::open(&file).unwrap();
    assert_eq!(store.audit_verify().unwrap(), 240);
    assert_eq!(store.runs(&RunQuery { limit: 1, ..RunQuery::default() }).unwrap().total, 240);
}

#[test]
fn only_runs_of_dead_processes_are_interrupted() {
    use std::io::BufRead;
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("backstay.db");
    let mut other = child(&file, "runner").spawn().unwrap();
    let mut lines = std::io::BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("ready")), "the child started a run");
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
        let mut writer = child(&file, &format!("k{round}")).spawn().unwrap();
        let deadline = Instant::now() + std::time::Duration::from_secs(30);
        let wanted = || {
            let store = SqliteStore::open(&file).unwrap();
            let entries = store.audit_entries(0, 1).unwrap();
            entries.rows.first().is_some_and(|entry| entry.subject.starts_with(&format!("k{round}")))
        };
        while !wanted() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let store = SqliteStore::open(&file).unwrap();
        assert!(store.audit_verify().unwrap() > 0, "the chain is whole after a kill");
    }
}

#[test]
fn times_at_the_edge_do_not_break_a_row() {
    let store = filled();
    let mut odd = backup(1, "d");
    odd.record.started = DateTime::<Utc>::MAX_UTC - Duration::days(1);
    store.put_backup(&odd).unwrap();
    let mut older = backup(2, "d");
    older.record.started = DateTime::<Utc>::MIN_UTC + Duration::days(366);
    store.put_backup(&older).unwrap();
    let page = store.backups(&BackupQuery { limit: 10, ..BackupQuery::default() }).unwrap();
    assert_eq!(page.rows, [odd, older]);
}
