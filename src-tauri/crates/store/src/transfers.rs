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

pub(crate) fn all(connection: &Connection, prefix: &str) -> Query<Vec<(String, String)>> {
    let rows = connection
        .prepare_cached("SELECT name, state FROM transfers WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name")?
        .query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

pub(crate) fn put(connection: &Connection, name: &str, state: &str) -> Query<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO transfers (name, state) VALUES (?1, ?2)")?
        .execute(params![name, state])?;
    Ok(())
}

pub(crate) fn update(
    connection: &Connection,
    name: &str,
    change: &mut dyn FnMut(Option<String>) -> backstay_core::Result<Option<String>>,
) -> Query<()> {
    let before = one(connection, name)?;
    match change(before.clone())? {
        Some(state) if before.as_ref() == Some(&state) => Ok(()),
        Some(state) => put(connection, name, &state),
        None => delete(connection, name),
    }
}

pub(crate) fn delete(connection: &Connection, name: &str) -> Query<()> {
    connection.prepare_cached("DELETE FROM transfers WHERE name = ?1")?.execute([name])?;
    Ok(())
}
