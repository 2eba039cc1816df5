//! Queries on `settings`.

use crate::errors::Query;
use crate::values::{from_json, to_json};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

pub(crate) fn one(connection: &Connection, key: &str) -> Query<Option<Value>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM settings WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    match text {
        Some(text) => Ok(Some(from_json(&format!("setting {key}"), &text)?)),
        None => Ok(None),
    }
}

pub(crate) fn put(connection: &Connection, key: &str, value: &Value) -> Query<()> {
    connection
        .execute("INSERT OR REPLACE INTO settings (key, value) VALUES (?1, ?2)", params![key, to_json(value)?])?;
    Ok(())
}
