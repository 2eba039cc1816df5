//! Queries on `destinations`.

use crate::errors::{Fault, Query};
use crate::values::{from_json, missing, name_taken, nanos, time, to_json};
use backstay_core::config::DestinationConfig;
use backstay_core::{DestinationId, Error, ErrorClass};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "id, name, place, vault_id, kit_confirmed, created_ns";

pub(crate) fn all(connection: &Connection) -> Query<Vec<DestinationConfig>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM destinations ORDER BY name COLLATE NOCASE, name"))?;
    let mut rows = statement.query([])?;
    let mut destinations = Vec::new();
    while let Some(row) = rows.next()? {
        destinations.push(read(row)?);
    }
    Ok(destinations)
}

pub(crate) fn one(connection: &Connection, id: &DestinationId) -> Query<DestinationConfig> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM destinations WHERE id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    match rows.next()? {
        Some(row) => read(row),
        None => Err(missing("destination", id.as_str())),
    }
}

pub(crate) fn put(connection: &Connection, destination: &DestinationConfig) -> Query<()> {
    let taken: Option<i64> = connection
        .query_row(
            "SELECT 1 FROM destinations WHERE name = ?1 AND id <> ?2",
            params![destination.name, destination.id.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    if taken.is_some() {
        return Err(name_taken("destination", &destination.name));
    }
    connection.execute(
        "INSERT INTO destinations (id, name, place, vault_id, kit_confirmed, created_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO UPDATE SET name = ?2, place = ?3, vault_id = ?4, kit_confirmed = ?5, created_ns = ?6",
        params![
            destination.id.as_str(),
            destination.name,
            to_json(&destination.place)?,
            destination.vault_id,
            destination.kit_confirmed,
            nanos(destination.created)
        ],
    )?;
    Ok(())
}

pub(crate) fn delete(connection: &Connection, id: &DestinationId) -> Query<()> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT plans.name FROM plan_destinations JOIN plans ON plans.id = plan WHERE destination = ?1 ORDER BY 1",
    )?;
    let names = statement.query_map([id.as_str()], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    if !names.is_empty() {
        let message = format!("Cannot remove the destination: it is used by {}", crate::plans::in_words(&names));
        return Err(Fault::Ours(Error::new(ErrorClass::Locked, message).hint("Take it out of the plan first")));
    }
    connection.execute("DELETE FROM destinations WHERE id = ?1", [id.as_str()])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Query<DestinationConfig> {
    let id: String = row.get(0)?;
    let name: String = row.get(1)?;
    let place: String = row.get(2)?;
    Ok(DestinationConfig {
        id: id.into(),
        place: from_json(&format!("destination \"{name}\""), &place)?,
        name,
        vault_id: row.get(3)?,
        kit_confirmed: row.get(4)?,
        created: time(row.get(5)?),
    })
}
