//! The audit chain: as documented, and what tampering shows.

use super::at;
use backstay_core::ErrorClass;
use backstay_core::config::AuditRecord;
use backstay_core::store::Store;
use backstay_store::{SqliteStore, audit};
use chrono::DateTime;

pub fn record(subject: &str) -> AuditRecord {
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
