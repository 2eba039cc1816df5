//! MySQL and MariaDB: of a large command that fails the reason is told.

use crate::databases::{collect, mysql, restore};
use crate::host::TestHost;
use crate::memory::Backup;
use backstay_core::kind::RestoreMode;
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
