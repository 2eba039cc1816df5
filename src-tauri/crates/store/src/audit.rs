//! The audit log: each entry holds the hash of the one before, so that a changed, removed, added or moved one shows.
//!
//! `hash` is SHA-256, as 64 lower-case hex digits, over these bytes, where `field(x)` is the length of `x` in bytes as
//! decimal digits, a colon, and `x` itself in UTF-8:
//!
//! ```text
//! "backstay-audit-1\n"
//! field(previous_hash)     64 hex digits; 64 zeros for the first entry
//! field(seq)               decimal
//! field(at)                UTC, "2026-11-20T13:00:00.123456789Z", always 9 digits after the point
//! field(who) field(action) field(subject) field(outcome)
//! ```
//!
//! The number and hash of the newest entry are kept a second time, in the settings as `audit.head`: entries cut off at the
//! end would otherwise leave a shorter but whole chain. Whoever can write the database can write a new chain from the start;
//! to rule that out, keep an exported head elsewhere.

use crate::errors::{Fault, Query};
use crate::settings;
use crate::values::{count, int, nanos, time};
use backstay_core::config::{AuditEntry, AuditRecord};
use backstay_core::store::Page;
use backstay_core::{Error, ErrorClass};
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

const FIRST_PREVIOUS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const HEAD: &str = "audit.head";
const COLUMNS: &str = "seq, at_ns, who, action, subject, outcome, previous_hash, hash";

/// Computes the hash an entry must have. Its own `hash` is not looked at.
pub fn hash_of(entry: &AuditEntry) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"backstay-audit-1\n");
    let mut field = |text: &str| {
        hasher.update(text.len().to_string());
        hasher.update(b":");
        hasher.update(text);
    };
    field(&entry.previous_hash);
    field(&entry.seq.to_string());
    field(&entry.at.to_rfc3339_opts(SecondsFormat::Nanos, true));
    field(&entry.who);
    field(&entry.action);
    field(&entry.subject);
    field(&entry.outcome);
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn append(connection: &Connection, at: DateTime<Utc>, record: &AuditRecord) -> Query<AuditEntry> {
    let newest = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM audit ORDER BY seq DESC LIMIT 1"))?
        .query_row([], read)
        .optional()?;
    let head = head(connection);
    // Where the head was removed or damaged, this entry must not heal it: `verify` is to go on telling.
    let head_is_sound = matches!((&head, &newest), (Ok(Some(_)), _) | (Ok(None), None));
    // An entry put after a cut chain would hide the cut: go on from what the head says was the newest.
    let (last_seq, previous_hash) = match (head.ok().flatten(), newest) {
        (Some(head), Some(newest)) if head.0 > newest.seq => head,
        (Some(head), None) => head,
        (_, Some(newest)) => (newest.seq, newest.hash),
        (None, None) => (0, FIRST_PREVIOUS.to_owned()),
    };
    let mut entry = AuditEntry {
        seq: last_seq.saturating_add(1),
        at: time(nanos(at)),
        who: record.who.clone(),
        action: record.action.clone(),
        subject: record.subject.clone(),
        outcome: record.outcome.clone(),
        previous_hash,
        hash: String::new(),
    };
    entry.hash = hash_of(&entry);
    connection
        .prepare_cached(&format!("INSERT INTO audit ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"))?
        .execute(params![
            int(entry.seq),
            nanos(entry.at),
            entry.who,
            entry.action,
            entry.subject,
            entry.outcome,
            entry.previous_hash,
            entry.hash
        ])?;
    if head_is_sound {
        settings::put(connection, HEAD, &serde_json::json!({ "seq": entry.seq, "hash": entry.hash }))?;
    }
    Ok(entry)
}

pub(crate) fn page(connection: &Connection, offset: u64, limit: u64) -> Query<Page<AuditEntry>> {
    let total = connection.query_row("SELECT count(*) FROM audit", [], |row| row.get(0))?;
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM audit ORDER BY seq DESC LIMIT ?1 OFFSET ?2"))?;
    let rows = statement.query_map(params![int(limit), int(offset)], read)?.collect::<Result<_, _>>()?;
    Ok(Page { rows, total: count(total) })
}

pub(crate) fn verify(connection: &Connection) -> Query<u64> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM audit ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    let mut previous = (0, FIRST_PREVIOUS.to_owned());
    while let Some(row) = rows.next()? {
        let entry = read(row)?;
        let expected = previous.0 + 1;
        if entry.seq != expected {
            return Err(broken(expected, "it is missing"));
        }
        if entry.previous_hash != previous.1 {
            return Err(broken(entry.seq, "it does not follow from the one before"));
        }
        if entry.hash != hash_of(&entry) {
            return Err(broken(entry.seq, "it was changed"));
        }
        previous = (entry.seq, entry.hash);
    }
    match head(connection)? {
        Some(head) if head.0 > previous.0 => Err(broken(previous.0 + 1, "it and those after it are missing")),
        Some(head) if head != previous => Err(broken(previous.0, "it is not the one that was written last")),
        None if previous.0 > 0 => Err(broken(previous.0, "the record of the newest entry is missing")),
        _ => Ok(previous.0),
    }
}

fn head(connection: &Connection) -> Query<Option<(u64, String)>> {
    let Some(value) = settings::one(connection, HEAD)? else { return Ok(None) };
    let seq = value.get("seq").and_then(serde_json::Value::as_u64);
    let hash = value.get("hash").and_then(serde_json::Value::as_str);
    match (seq, hash) {
        (Some(seq), Some(hash)) => Ok(Some((seq, hash.to_owned()))),
        _ => Err(broken(0, "the record of the newest entry is damaged")),
    }
}

fn broken(seq: u64, why: &str) -> Fault {
    Fault::Ours(
        Error::new(ErrorClass::Corrupt, format!("The audit log is not whole: entry {seq}: {why}"))
            .hint("Somebody or something changed the local database; compare it with an exported audit log"),
    )
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        seq: count(row.get(0)?),
        at: time(row.get(1)?),
        who: row.get(2)?,
        action: row.get(3)?,
        subject: row.get(4)?,
        outcome: row.get(5)?,
        previous_hash: row.get(6)?,
        hash: row.get(7)?,
    })
}
