//! The local database: the store's contract, faults of its file, speed of the lists, two processes, the audit chain.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use backstay_core::config::{
    ArchiveSettings, BackupQuery, Connection, DestinationConfig, KnownBackup, PinnedHostKey, Place, Plan, PlanLayout,
    Seal, Server, ServerFacts, SshAuth, SshConnection, Sudo,
};
use backstay_core::kind::Item;
use backstay_core::layout::{ArchiveFormat, BackupRecord};
use backstay_core::run::{Problem, ProblemKind, Run, RunCounts, RunKind, RunState, StoredError};
use backstay_core::store::{RunQuery, Store};
use backstay_core::{BackupId, DestinationId, ErrorClass, PlanId, ServerId};
use backstay_store::SqliteStore;
use chrono::{DateTime, Duration, Utc};

#[path = "store/audit_log.rs"]
mod audit_log;
#[path = "store/backups.rs"]
mod backups;
#[path = "store/files.rs"]
mod files;

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
            password_too: false,
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
        layout: PlanLayout::default(),
        kit_confirmed: id.ends_with('2'),
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
            archive: None,
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

    let mut changed = plan("p", "weekly", "this-computer", &["d"]);
    changed.layout = PlanLayout::Archive(ArchiveSettings {
        format: ArchiveFormat::Zip,
        seal: Seal::OwnKey,
        template: "{plan}_{id}".into(),
    });
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
fn what_a_transfer_needs_is_kept_until_it_is_over() {
    let store = filled();
    assert_eq!(store.transfer("up/1").unwrap(), None);
    store.put_transfer("up/1", "{\"id\":1}").unwrap();
    store.put_transfer("up/1", "{\"id\":2}").unwrap();
    assert_eq!(store.transfer("up/1").unwrap().as_deref(), Some("{\"id\":2}"));
    for name in ["up/2", "uploads", "UP/3", "down/1"] {
        store.put_transfer(name, name).unwrap();
    }
    let kept = store.transfers("up/").unwrap();
    assert_eq!(kept, [("up/1".into(), "{\"id\":2}".into()), ("up/2".into(), "up/2".to_owned())]);
    store.delete_transfer("up/1").unwrap();
    store.delete_transfer("up/1").unwrap();
    assert_eq!(store.transfer("up/1").unwrap(), None);
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
    store.delete_host_key("web", 65_535).unwrap();
    store.delete_host_key("web", 65_535).unwrap();
    assert_eq!(store.host_key("web", 65_535).unwrap(), None);
    assert_eq!(store.host_key("web", 22).unwrap(), None);
    assert_eq!(store.setting("theme").unwrap(), None);
    store.put_setting("theme", &serde_json::json!({"dark": true})).unwrap();
    store.put_setting("theme", &serde_json::json!([1, "x", null])).unwrap();
    assert_eq!(store.setting("theme").unwrap(), Some(serde_json::json!([1, "x", null])));
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
