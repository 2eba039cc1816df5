//! Queries on `transfers`: how far uploads and downloads came.

use crate::errors::Query;
use rusqlite::{Connection, OptionalExtension, params};

pub(crate) fn one(connection: &Connection, name: &str) -> Query<Option<String>> {
    let state = connection
        .prepare_cached("SELECT state FROM transfers WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(state)
}

pub(crate) fn put(connection: &Connection, name: &str, state: &str) -> Query<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO transfers (name, state) VALUES (?1, ?2)")?
        .execute(params![name, state])?;
    Ok(())
}

pub(crate) fn delete(connection: &Connection, name: &str) -> Query<()> {
    connection.prepare_cached("DELETE FROM transfers WHERE name = ?1")?.execute([name])?;
    Ok(())
}
