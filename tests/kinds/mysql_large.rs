//! MySQL and MariaDB: large values come back, and of a large command that fails the reason is told.

use crate::databases::{collect, mysql, restore};
use crate::host::TestHost;
use crate::memory::{Backup, input};
use crate::replace::REPLACE;
use backstay_core::Secret;
use backstay_core::kind::{ItemInput, RestoreMode};
use backstay_lab::databases::{MariaDb, OWNER_PASSWORD};
use std::sync::Arc;

/// Puts SQL before the end of the dump.
fn with(backup: &Backup, sql: &str) -> Backup {
    let mut backup = backup.clone();
    let (entry, bytes) = backup.entries.values_mut().find(|(e, _)| e.path.as_bytes().ends_with(b".sql")).unwrap();
    let end = b"\n-- Dump completed";
    let at = bytes.windows(end.len()).rposition(|window| window == end).unwrap();
    *bytes = Arc::new([&bytes[..at], sql.as_bytes(), &bytes[at..]].concat());
    entry.size_bytes = bytes.len() as u64;
    backup
}

fn room(server: &MariaDb) -> String {
    server.sql("select @@global.max_allowed_packet").unwrap().trim().to_owned()
}

/// Makes a database with one row of 27 MB, as a server of default settings takes it: 9 MB at a time.
async fn large(server: &MariaDb) -> (ItemInput, Backup) {
    server
        .sql(
            "create database shop; use shop; create table t (id int primary key, a longblob, b longblob, c longblob); \
             insert into t values (1, repeat('x', 9000000), '', ''); update t set b = repeat('y', 9000000); \
             update t set c = repeat('z', 9000000)",
        )
        .unwrap();
    let item = mysql(server, &["shop"], OWNER_PASSWORD);
    let (report, backup, recorder) = collect(&TestHost::default(), &item).await;
    assert_eq!(recorder.by_subject(), Default::default());
    report.unwrap();
    (item, backup)
}

#[tokio::test]
async fn a_large_value_comes_back_to_the_server_it_is_from() {
    let Some(server) = MariaDb::start().unwrap() else { return };
    let (item, backup) = large(&server).await;
    let (host, room_before, before) = (TestHost::default(), room(&server), server.fingerprint("shop").unwrap());
    assert_eq!(room_before, (16 << 20).to_string());
    for mode in [RestoreMode::Merge, REPLACE] {
        server.sql("delete from shop.t").unwrap();
        let (_, report, recorder) = restore(&host, &item, &backup, mode, None).await;
        assert_eq!((report.is_ok(), recorder.by_subject()), (true, Default::default()));
        assert_eq!(server.fingerprint("shop").unwrap(), before);
        assert_eq!(room(&server), room_before, "the server is as it was");
    }
    let bad = with(&backup, "\nno SQL at all;\n");
    let (_, report, _) = restore(&host, &item, &bad, RestoreMode::Merge, None).await;
    assert!(report.is_err());
    assert_eq!(room(&server), room_before, "after a failure too");
}

#[tokio::test]
async fn who_may_not_make_room_for_a_large_value_is_told_who_must() {
    let Some(server) = MariaDb::start().unwrap() else { return };
    let (_, backup) = large(&server).await;
    server.sql("create user clerk@localhost identified by 'c'; grant all on shop.* to clerk@localhost").unwrap();
    let settings = serde_json::json!({ "databases": ["shop"], "socket": server.socket(), "user": "clerk" });
    let item = ItemInput { password: Some(Secret::new("c")), ..input("mysql", settings) };
    let (_, report, recorder) = restore(&TestHost::default(), &item, &backup, RestoreMode::Merge, None).await;
    assert!(report.is_err());
    let reason = &recorder.by_subject()["database shop"].1;
    assert!(reason.contains("ERROR ") && reason.contains("set global max_allowed_packet"), "{reason}");
}

#[tokio::test]
async fn a_large_command_that_fails_is_told_with_its_error() {
    let Some(server) = MariaDb::start().unwrap() else { return };
    server.load_fixture("shop").unwrap();
    let item = mysql(&server, &["shop"], OWNER_PASSWORD);
    let host = TestHost::default();
    let (report, backup, _) = collect(&host, &item).await;
    report.unwrap();
    let rows = format!("(1,'Access denied {}'),(1,'')", "x".repeat(1 << 20));
    let bad = with(
        &backup,
        &format!("\ncreate table big (a int primary key, b longtext);\ninsert into big values {rows};\n"),
    );
    let (_, report, recorder) = restore(&host, &item, &bad, RestoreMode::Merge, None).await;
    assert!(report.is_err());
    let reason = &recorder.by_subject()["database shop"].1;
    assert!(reason.contains(": ERROR 1062 (23000) at line ") && !reason.contains("password"), "{reason}");
}

#[tokio::test]
async fn a_dump_runs_no_programs() {
    let Some(server) = MariaDb::start().unwrap() else { return };
    server.load_fixture("shop").unwrap();
    let item = mysql(&server, &["shop"], OWNER_PASSWORD);
    let host = TestHost::default();
    let (report, backup, _) = collect(&host, &item).await;
    report.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("made");
    let mut bad = with(&backup, &format!("\n\\! touch {}\n", file.display()));
    // Whoever changes a dump leaves out the line that forbids it.
    let (_, bytes) = bad.entries.values_mut().find(|(e, _)| e.path.as_bytes().ends_with(b".sql")).unwrap();
    if bytes.starts_with(b"/*M!999999") {
        let at = bytes.iter().position(|b| *b == b'\n').unwrap();
        *bytes = Arc::new(bytes[at + 1..].to_vec());
    }
    let (_, _, recorder) = restore(&host, &item, &bad, RestoreMode::Merge, None).await;
    assert!(!file.exists(), "a command of the dump ran");
    assert!(recorder.by_subject().contains_key("database shop"), "{:?}", recorder.by_subject());
}
