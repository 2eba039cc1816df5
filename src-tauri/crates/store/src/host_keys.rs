//! Queries on `host_keys`.

use crate::errors::Query;
use crate::values::{nanos, time};
use backstay_core::config::PinnedHostKey;
use rusqlite::{Connection, OptionalExtension, params};

pub(crate) fn one(connection: &Connection, host: &str, port: u16) -> Query<Option<PinnedHostKey>> {
    let mut statement =
        connection.prepare_cached("SELECT fingerprint, accepted_ns FROM host_keys WHERE host = ?1 AND port = ?2")?;
    let key = statement
        .query_row(params![host, port], |row| {
            Ok(PinnedHostKey { host: host.to_owned(), port, fingerprint: row.get(0)?, accepted: time(row.get(1)?) })
        })
        .optional()?;
    Ok(key)
}

pub(crate) fn put(connection: &Connection, key: &PinnedHostKey) -> Query<()> {
    connection.execute(
        "INSERT OR REPLACE INTO host_keys (host, port, fingerprint, accepted_ns) VALUES (?1, ?2, ?3, ?4)",
        params![key.host, key.port, key.fingerprint, nanos(key.accepted)],
    )?;
    Ok(())
}

pub(crate) fn delete(connection: &Connection, host: &str, port: u16) -> Query<()> {
    connection.execute("DELETE FROM host_keys WHERE host = ?1 AND port = ?2", params![host, port])?;
    Ok(())
}
