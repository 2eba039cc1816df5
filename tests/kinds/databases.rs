//! Databases: dumped by real servers' own tools, loaded back, compared. Faults never make a dump that looks good.

use crate::host::TestHost;
use crate::memory::{Backup, MemorySink, Recorder, input, kind};
use backstay_core::host::Host;
use backstay_core::kind::{CollectReport, ItemInput, RestoreMode, RestoreOptions, RestorePlan, RestoreReport};
use backstay_core::run::ProblemKind;
use backstay_core::{ErrorClass, RawPath, Result, RunContext, Secret};
use backstay_lab::databases::{MariaDb, OWNER_PASSWORD, Postgres};
use std::sync::Arc;

pub async fn collect(host: &dyn Host, item: &ItemInput) -> (Result<CollectReport>, Backup, Arc<Recorder>) {
    let (ctx, recorder) = Recorder::context();
    let mut sink = MemorySink::default();
    let report = kind(&item.item.kind).collect(&ctx, host, item, &mut sink).await;
    (report, sink.backup, recorder)
}

pub async fn restore(
    host: &TestHost,
    item: &ItemInput,
    backup: &Backup,
    mode: RestoreMode,
    to: Option<&str>,
) -> (RestorePlan, Result<RestoreReport>, Arc<Recorder>) {
    let (ctx, recorder) = Recorder::context();
    let kind = kind(&item.item.kind);
    let to = to.map(|to| RawPath::new(to).unwrap());
    let options = RestoreOptions { mode, to, strip: RawPath::root(), only: Vec::new() };
    let plan = kind.plan_restore(&ctx, host, item, &backup.listing(), &options).await.unwrap();
    let report = kind.restore(&ctx, &host.shared(), item, &mut backup.source(), &plan, &options).await;
    (plan, report, recorder)
}

pub async fn faults(item: &ItemInput, backup: &Backup) -> Vec<(String, String)> {
    let ctx = RunContext::silent();
    kind(&item.item.kind).check(&ctx, item, &mut backup.source()).await.unwrap().faults
}

pub fn cut(backup: &Backup, ending: &str, length: usize) -> Backup {
    let mut backup = backup.clone();
    let (entry, bytes) =
        backup.entries.values_mut().find(|(e, _)| e.path.as_bytes().ends_with(ending.as_bytes())).unwrap();
    *bytes = Arc::new(bytes[..length.min(bytes.len())].to_vec());
    entry.size_bytes = bytes.len() as u64;
    backup
}

pub fn mysql(server: &MariaDb, databases: &[&str], password: &str) -> ItemInput {
    let settings = serde_json::json!({ "databases": databases, "socket": server.socket(), "user": "root" });
    ItemInput { password: Some(Secret::new(password)), ..input("mysql", settings) }
}

pub fn postgres(server: &Postgres, databases: &[&str], format: &str, user: &str, password: &str) -> ItemInput {
    let settings = serde_json::json!({
        "databases": databases, "host": "127.0.0.1", "port": server.port, "user": user, "format": format, "globals": user == "postgres",
    });
    ItemInput { password: Some(Secret::new(password)), ..input("postgres", settings) }
}

/// MariaDB's own dump tool stumbles over quotes in a name, so these are left to PostgreSQL's test.
const ODD: &str = "odd ` /na%me ü";

#[tokio::test]
async fn mariadb_comes_back_the_same() {
    let Some(server) = MariaDb::start().unwrap() else { return };
    for name in ["shop", ODD] {
        server.load_fixture(name).unwrap();
    }
    let before = [server.fingerprint("shop").unwrap(), server.fingerprint(ODD).unwrap()];
    let host = TestHost::default();
    let item = mysql(&server, &[], OWNER_PASSWORD);
    let preflight = kind("mysql").preflight(&RunContext::silent(), &host, &item).await.unwrap();
    assert!(preflight.warnings.iter().any(|w| w.contains("MyISAM")), "{preflight:?}");
    assert!(preflight.facts.iter().any(|f| f.starts_with("MariaDB 1")), "{preflight:?}");
    let (report, backup, recorder) = collect(&host, &item).await;
    assert_eq!(recorder.by_subject(), Default::default());
    assert_eq!(report.unwrap().files, 2);
    assert!(backup.get("/.backstay/mysql/shop.sql").is_some());
    let about: serde_json::Value =
        serde_json::from_slice(&backup.get("/.backstay/mysql/item.json").unwrap().1).unwrap();
    assert_eq!(about["databases"].as_array().unwrap().len(), 2);
    assert_eq!(faults(&item, &backup).await, []);

    // Changed, then replaced: as before. Another one, gone, is made anew.
    server.sql("drop table shop.customer; create table shop.later (a int); drop procedure shop.greet").unwrap();
    server.sql(&format!("drop database `{}`", ODD.replace('`', "``"))).unwrap();
    let (plan, report, recorder) = restore(&host, &item, &backup, RestoreMode::Replace, None).await;
    assert_eq!(plan.changes.len(), 2);
    assert_eq!((report.unwrap().files, recorder.by_subject()), (2, Default::default()));
    assert_eq!([server.fingerprint("shop").unwrap(), server.fingerprint(ODD).unwrap()], before);

    // To another place: beside the original, which stays.
    server.sql("insert into shop.customer (name) values ('kept')").unwrap();
    let changed = server.fingerprint("shop").unwrap();
    let (plan, report, _) = restore(&host, &item, &backup, RestoreMode::Merge, Some("/elsewhere")).await;
    assert!(plan.facts.iter().any(|f| f.contains("shop is restored as shop_restored")), "{plan:?}");
    assert_eq!(report.unwrap().files, 2);
    assert_eq!(server.fingerprint("shop_restored").unwrap(), before[0]);
    assert_eq!(server.fingerprint("shop").unwrap(), changed);

    // Merge keeps what the backup does not have; missing keeps everything.
    server.sql("create table shop.later (a int)").unwrap();
    restore(&host, &item, &backup, RestoreMode::Merge, None).await.1.unwrap();
    assert!(server.fingerprint("shop").unwrap().contains("later"));
    let (plan, report, _) = restore(&host, &item, &backup, RestoreMode::Missing, None).await;
    assert_eq!((plan.changes.len(), plan.kept, report.unwrap().files), (0, 2, 0));
}

#[tokio::test]
async fn mariadb_faults_are_named_and_leave_nothing_that_looks_good() {
    let Some(server) = MariaDb::start().unwrap() else { return };
    server.load_fixture("shop").unwrap();
    server
        .sql(
            "create database bad; use bad; create table t (a int); create view broken as select a from t; drop table t",
        )
        .unwrap();
    let host = TestHost::default();

    let (report, _, _) = collect(&host, &mysql(&server, &[], "wrong")).await;
    let error = report.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused, "{error:?}");
    assert!(error.hint.is_some() && !format!("{error:?}").contains("wrong"));

    // One database fails: it is left out and named, the other is there.
    let item = mysql(&server, &["shop", "bad", "gone"], OWNER_PASSWORD);
    let (report, backup, recorder) = collect(&host, &item).await;
    assert_eq!(report.unwrap().files, 1);
    let problems = recorder.by_subject();
    assert_eq!(problems["database gone"], (ProblemKind::Database, "It is not there".into()));
    assert!(problems["database bad"].1.contains("ended with exit status"), "{problems:?}");
    assert!(backup.get("/.backstay/mysql/bad.sql").is_none() && backup.get("/.backstay/mysql/shop.sql").is_some());

    let (report, _, _) = collect(&host, &mysql(&server, &["gone"], OWNER_PASSWORD)).await;
    assert_eq!(report.unwrap_err().class, ErrorClass::Missing);

    // A dump cut half way ends as offline, and one that lies cut in a backup is found and not taken for whole.
    let tool = Box::leak(String::from_utf8(which("mariadb-dump")).unwrap().trim().to_owned().into_boxed_str());
    let lost = TestHost { cut: Some((tool, 5_000)), ..TestHost::default() };
    let (report, backup_cut, _) = collect(&lost, &mysql(&server, &["shop"], OWNER_PASSWORD)).await;
    assert_eq!(report.unwrap_err().class, ErrorClass::Offline);
    assert!(backup_cut.get("/.backstay/mysql/shop.sql").is_none());
    let half = cut(&backup, "shop.sql", 40_000);
    assert!(faults(&item, &half).await[0].1.contains("cut short"));
    let (_, report, recorder) = restore(&host, &item, &half, RestoreMode::Merge, Some("/x")).await;
    assert!(report.is_err());
    assert!(recorder.by_subject()["database shop_restored"].1.contains("cut short"), "{:?}", recorder.by_subject());
}

#[tokio::test]
async fn the_password_arrives_where_standard_input_is_a_socket() {
    let Some(server) = MariaDb::start().unwrap() else { return };
    server.load_fixture("shop").unwrap();
    let before = server.fingerprint("shop").unwrap();
    let host = TestHost { socket_stdin: true, ..TestHost::default() };
    let item = mysql(&server, &["shop"], OWNER_PASSWORD);
    let (report, backup, _) = collect(&host, &item).await;
    assert_eq!(report.unwrap().files, 1);
    server.sql("drop database shop").unwrap();
    restore(&host, &item, &backup, RestoreMode::Merge, None).await.1.unwrap();
    assert_eq!(server.fingerprint("shop").unwrap(), before);
}

pub fn which(program: &str) -> Vec<u8> {
    std::process::Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().stdout
}

/// Looks at every process' arguments until told to stop; true when one of them holds `secret`.
fn watch_processes(
    secret: &'static str,
    stop: Arc<std::sync::atomic::AtomicBool>,
) -> std::thread::JoinHandle<(bool, bool)> {
    std::thread::spawn(move || {
        let (mut seen_secret, mut seen_tool) = (false, false);
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            for process in std::fs::read_dir("/proc").unwrap().flatten() {
                let Ok(argv) = std::fs::read(process.path().join("cmdline")) else { continue };
                let text = String::from_utf8_lossy(&argv);
                // However it is quoted, what stands between its own quotes and backslashes stays.
                seen_secret |=
                    text.contains(secret) || OWNER_PASSWORD.split(['"', '\'', '\\']).all(|piece| text.contains(piece));
                // The database's name, so that no dump of a neighbour counts.
                seen_tool |= text.contains("--single-transaction") && text.contains("watched");
            }
            // Leaves the processor to those it watches.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        (seen_secret, seen_tool)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_password_is_seen_in_the_process_list_while_dumps_and_loads_run() {
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    // Both servers' owners have this password; its tail is enough to recognise it however it is quoted.
    let watcher = watch_processes("word' #1", stop.clone());
    let host = TestHost::default();
    let mut dumped = false;
    if let Some(server) = MariaDb::start().unwrap() {
        server.load_fixture("watched").unwrap();
        let item = mysql(&server, &["watched"], OWNER_PASSWORD);
        for _ in 0..5 {
            let (report, backup, _) = collect(&host, &item).await;
            report.unwrap();
            restore(&host, &item, &backup, RestoreMode::Merge, None).await.1.unwrap();
        }
        dumped = true;
    }
    if let Some(server) = Postgres::start().unwrap() {
        server.load_fixture("shop").unwrap();
        let item = postgres(&server, &["shop"], "custom", "postgres", OWNER_PASSWORD);
        let (report, backup, _) = collect(&host, &item).await;
        report.unwrap();
        restore(&host, &item, &backup, RestoreMode::Merge, None).await.1.unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let (seen_secret, seen_tool) = watcher.join().unwrap();
    assert!(!seen_secret, "a password was in a process' arguments");
    assert!(seen_tool || !dumped, "the watcher saw no dump run at all");
}

#[tokio::test]
async fn postgres_comes_back_the_same_in_both_formats() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let host = TestHost::default();
    server.sql("postgres", "create role shopkeeper login; create role reader").unwrap();
    for name in ["shop", "dbname=odd \"' x"] {
        server.load_fixture(name).unwrap();
        server
            .sql("postgres", &format!("alter database \"{}\" owner to shopkeeper", name.replace('"', "\"\"")))
            .unwrap();
    }
    let before = server.fingerprint("shop").unwrap();
    let names = ["shop", "dbname=odd \"' x"];
    for format in ["custom", "plain"] {
        let item = postgres(&server, &names, format, "postgres", OWNER_PASSWORD);
        let preflight = kind("postgres").preflight(&RunContext::silent(), &host, &item).await.unwrap();
        assert_eq!(preflight.warnings, Vec::<String>::new());
        let (report, backup, recorder) = collect(&host, &item).await;
        assert_eq!(report.unwrap().files, 3, "roles and two databases");
        assert_eq!(recorder.by_subject(), Default::default());
        assert_eq!(faults(&item, &backup).await, []);

        // Gone, and made anew; the roles are there.
        server.sql("postgres", "drop database shop").unwrap();
        let (_, report, recorder) = restore(&host, &item, &backup, RestoreMode::Missing, None).await;
        let report = report.unwrap();
        assert_eq!((report.files, report.kept, recorder.by_subject()), (1, 2, Default::default()));
        assert_eq!(server.fingerprint("shop").unwrap(), before, "{format}");
        let owner =
            server.sql("postgres", "select pg_get_userbyid(datdba) from pg_database where datname = 'shop'").unwrap();
        assert_eq!(owner.trim(), "shopkeeper");

        server.sql("shop", "drop table audit; create table later (a int); update note set body = 'x'").unwrap();
        let (_, report, recorder) = restore(&host, &item, &backup, RestoreMode::Replace, None).await;
        report.unwrap();
        assert_eq!(recorder.by_subject(), Default::default());
        assert_eq!(server.fingerprint("shop").unwrap(), before, "{format}");
        assert!(server.sql("shop", "select 1 from later").is_err());

        server.sql("shop", "create table later (a int); delete from note where id = 1").unwrap();
        let (_, report, recorder) = restore(&host, &item, &backup, RestoreMode::Merge, None).await;
        report.unwrap();
        assert_eq!(recorder.by_subject(), Default::default(), "{format}");
        assert!(server.fingerprint("shop").unwrap().starts_with("note|1|"));
        assert!(server.sql("shop", "select 1 from later").is_ok());
        server.sql("shop", "drop table later").unwrap();

        let (_, report, _) = restore(&host, &item, &backup, RestoreMode::Merge, Some("/elsewhere")).await;
        assert_eq!(report.unwrap().files, 2);
        assert_eq!(server.fingerprint("shop_restored").unwrap(), before);
        server.sql("postgres", "drop database shop_restored").unwrap();
        server.sql("postgres", "drop database \"dbname=odd \"\"' x_restored\"").unwrap();
    }
}

#[tokio::test]
async fn postgres_faults_are_named_and_leave_nothing_that_looks_good() {
    let Some(server) = Postgres::start().unwrap() else { return };
    server.load_fixture("shop").unwrap();
    let host = TestHost::default();
    let (report, _, _) = collect(&host, &postgres(&server, &[], "custom", "postgres", "wrong")).await;
    assert_eq!(report.unwrap_err().class, ErrorClass::Refused);

    // The trap: reading all tables is allowed, large objects are not; pg_dump fails after half the schema was written.
    server.sql("postgres", "create role backup login password 'b'; grant pg_read_all_data to backup").unwrap();
    for format in ["plain", "custom"] {
        let item = postgres(&server, &["shop"], format, "backup", "b");
        let preflight = kind("postgres").preflight(&RunContext::silent(), &host, &item).await.unwrap();
        assert!(preflight.warnings.iter().any(|w| w.contains("large objects")));
        let (report, backup, recorder) = collect(&host, &item).await;
        assert!(report.is_err());
        assert!(backup.entries.is_empty(), "{:?}", backup.entries.keys());
        let (kind, reason) = recorder.by_subject()["database shop"].clone();
        assert_eq!(kind, ProblemKind::Database);
        assert!(reason.contains("permission denied for large object"), "{reason}");
    }

    // Cut anywhere, a custom dump is not whole; loading it leaves the database as it was.
    let item = postgres(&server, &["shop"], "custom", "postgres", OWNER_PASSWORD);
    let (report, backup, _) = collect(&host, &item).await;
    report.unwrap();
    let length = backup.get("/.backstay/postgres/shop.dump").unwrap().1.len();
    let mut length_bad = 0;
    for at in (0..length).step_by(length / 60) {
        let faults = faults(&item, &cut(&backup, "shop.dump", at)).await;
        assert_eq!(faults.len(), 1, "cut at {at} of {length}");
        length_bad = at;
    }
    let before = server.fingerprint("shop").unwrap();
    let half = cut(&backup, "shop.dump", length_bad / 2);
    let (_, _, recorder) = restore(&host, &item, &half, RestoreMode::Merge, None).await;
    assert_eq!(recorder.by_subject()["database shop"].0, ProblemKind::Database);
    assert_eq!(server.fingerprint("shop").unwrap(), before);
    let (_, _, recorder) = restore(&host, &item, &half, RestoreMode::Merge, Some("/x")).await;
    assert!(recorder.by_subject().contains_key("database shop_restored"));
    let left = server.sql("postgres", "select count(*) from pg_database where datname = 'shop_restored'").unwrap();
    assert_eq!(left.trim(), "0", "a half restored database must not stay");
}

#[tokio::test]
async fn a_dump_tool_older_than_the_server_is_refused_with_a_hint() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let dir = tempfile::tempdir().unwrap();
    let script = "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n";
    std::fs::write(dir.path().join("pg_dump"), script).unwrap();
    // A newer one beside it is found; here the folders of other versions are hidden behind an `ls` that sees none.
    std::fs::write(dir.path().join("ls"), "#!/bin/sh\nexit 2\n").unwrap();
    for name in ["pg_dump", "ls"] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(dir.path().join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let host = TestHost { path: Some(dir.path().into()), ..TestHost::default() };
    let item = postgres(&server, &[], "custom", "postgres", OWNER_PASSWORD);
    let error = kind("postgres").preflight(&RunContext::silent(), &host, &item).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unsupported, "{error:?}");
    assert!(
        error.message.contains("9.6.24 is older than the server")
            && error.hint.unwrap().contains("Install the client of version")
    );
    std::fs::remove_file(dir.path().join("ls")).unwrap();
    if std::path::Path::new("/usr/lib/postgresql").exists() {
        kind("postgres").preflight(&RunContext::silent(), &host, &item).await.unwrap();
    }
}
