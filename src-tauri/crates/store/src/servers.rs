//! Queries on `servers`.

use crate::errors::{Fault, Query};
use crate::values::{from_json, missing, name_taken, nanos, time, to_json};
use backstay_core::config::{Connection as Reach, Server, Sudo};
use backstay_core::{Error, ErrorClass, ServerId};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "id, name, connection, facts, created_ns";

/// Adds "This computer" if it is not there yet.
pub(crate) fn ensure_this_computer(connection: &Connection, now: DateTime<Utc>) -> Query<()> {
    let reach = to_json(&Reach::Local { sudo: Sudo::None })?;
    connection.execute(
        "INSERT INTO servers (id, name, connection, created_ns) VALUES (?1, 'This computer', ?2, ?3) ON CONFLICT DO NOTHING",
        params![ServerId::THIS_COMPUTER, reach, nanos(now)],
    )?;
    Ok(())
}

pub(crate) fn knows_this_computer(connection: &Connection) -> Query<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM servers WHERE id = ?1)";
    Ok(connection.query_row(sql, [ServerId::THIS_COMPUTER], |row| row.get(0))?)
}

pub(crate) fn all(connection: &Connection) -> Query<Vec<Server>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM servers ORDER BY name COLLATE NOCASE, name"))?;
    let mut rows = statement.query([])?;
    let mut servers = Vec::new();
    while let Some(row) = rows.next()? {
        servers.push(read(row)?);
    }
    Ok(servers)
}

pub(crate) fn one(connection: &Connection, id: &ServerId) -> Query<Server> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM servers WHERE id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    match rows.next()? {
        Some(row) => read(row),
        None => Err(missing("server", id.as_str())),
    }
}

pub(crate) fn put(connection: &Connection, server: &Server) -> Query<()> {
    let taken: Option<i64> = connection
        .query_row(
            "SELECT 1 FROM servers WHERE name = ?1 AND id <> ?2",
            params![server.name, server.id.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    if taken.is_some() {
        return Err(name_taken("server", &server.name));
    }
    let facts = server.facts.as_ref().map(to_json).transpose()?;
    connection.execute(
        "INSERT INTO servers (id, name, connection, facts, created_ns) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET name = ?2, connection = ?3, facts = ?4, created_ns = ?5",
        params![server.id.as_str(), server.name, to_json(&server.connection)?, facts, nanos(server.created)],
    )?;
    Ok(())
}

pub(crate) fn delete(connection: &Connection, id: &ServerId) -> Query<()> {
    if id.as_str() == ServerId::THIS_COMPUTER {
        return Err(Fault::Ours(Error::new(ErrorClass::Invalid, "Cannot remove this computer: it is always there")));
    }
    let plans = plans_of(connection, id)?;
    if !plans.is_empty() {
        let message = format!("Cannot remove the server: it is used by {}", crate::plans::in_words(&plans));
        return Err(Fault::Ours(Error::new(ErrorClass::Locked, message).hint("Remove the plan first")));
    }
    connection.execute("DELETE FROM servers WHERE id = ?1", [id.as_str()])?;
    Ok(())
}

fn plans_of(connection: &Connection, id: &ServerId) -> Query<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT name FROM plans WHERE server = ?1 ORDER BY name")?;
    let names = statement.query_map([id.as_str()], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> Query<Server> {
    let id: String = row.get(0)?;
    let name: String = row.get(1)?;
    let what = format!("server \"{name}\"");
    let connection = from_json(&what, row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?;
    // Facts can be found anew: a row written by another version must not make its server unusable.
    let facts: Option<String> = row.get(3)?;
    let facts = facts.and_then(|text| serde_json::from_str(&text).ok());
    Ok(Server { id: id.into(), name, connection, facts, created: time(row.get(4)?) })
}
