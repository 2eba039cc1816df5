//! Queries on `backups`: the cache of what destinations tell.

use crate::errors::{Fault, Query};
use crate::values::{begins, count, from_json, holds, int, missing, nanos, to_json};
use backstay_core::config::{BackupCopies, BackupQuery, BackupSort, KnownBackup};
use backstay_core::store::Page;
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, PlanId, ServerId};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

/// Fewer digits of an id name too many backups.
const SHORTEST_ID: usize = 6;

pub(crate) fn replace(connection: &Connection, destination: &DestinationId, backups: &[KnownBackup]) -> Query<()> {
    require_destination(connection, destination)?;
    connection.execute("DELETE FROM backups WHERE destination = ?1", [destination.as_str()])?;
    for backup in backups {
        insert(connection, destination, backup)?;
    }
    Ok(())
}

pub(crate) fn put(connection: &Connection, backup: &KnownBackup) -> Query<()> {
    require_destination(connection, &backup.destination)?;
    insert(connection, &backup.destination, backup)
}

pub(crate) fn delete(connection: &Connection, id: &BackupId, destination: &DestinationId) -> Query<()> {
    connection
        .execute("DELETE FROM backups WHERE id = ?1 AND destination = ?2", [id.as_str(), destination.as_str()])?;
    Ok(())
}

/// Copies of one backup tell the same, so its first copy stands for all of them. Of one destination there is one copy.
const FIRST_COPY: &str = "NOT EXISTS (SELECT 1 FROM backups AS other WHERE other.id = backups.id AND other.destination < \
                          backups.destination)";

pub(crate) fn rows(connection: &Connection, query: &BackupQuery) -> Query<Page<BackupCopies>> {
    let (mut condition, values) = filter(query);
    if query.destination.is_none() {
        condition = format!("{condition} AND {FIRST_COPY}");
    }
    let page = page_where(connection, query, &condition, values)?;
    let mut places = connection.prepare_cached(
        "SELECT destination, json_extract(record, '$.verified') FROM backups WHERE id = ?1 ORDER BY destination",
    )?;
    let mut rows = Vec::with_capacity(page.rows.len());
    for known in page.rows {
        let mut row = BackupCopies { record: known.record, destinations: Vec::new() };
        let mut found = places.query([row.record.id.as_str()])?;
        while let Some(place) = found.next()? {
            row.destinations.push(DestinationId(place.get(0)?));
            let verified: Option<String> = place.get(1)?;
            row.record.verified = row.record.verified.max(verified.and_then(|text| text.parse().ok()));
        }
        rows.push(row);
    }
    Ok(Page { rows, total: page.total })
}

pub(crate) fn page(connection: &Connection, query: &BackupQuery) -> Query<Page<KnownBackup>> {
    let (condition, values) = filter(query);
    page_where(connection, query, &condition, values)
}

fn page_where(
    connection: &Connection,
    query: &BackupQuery,
    condition: &str,
    mut values: Vec<Box<dyn ToSql>>,
) -> Query<Page<KnownBackup>> {
    let total = connection
        .prepare_cached(&format!("SELECT count(*) FROM backups WHERE {condition}"))?
        .query_row(rusqlite::params_from_iter(&values), |row| row.get(0))?;
    let order = order(query);
    values.push(Box::new(int(query.limit)));
    values.push(Box::new(int(query.offset)));
    // The page is picked by the narrow columns alone; only then are its records read.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT destination, record, id FROM backups WHERE seq IN
         (SELECT seq FROM backups WHERE {condition} ORDER BY {order} LIMIT ?{} OFFSET ?{}) ORDER BY {order}",
        values.len() - 1,
        values.len()
    ))?;
    let mut found = statement.query(rusqlite::params_from_iter(&values))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(read(row)?);
    }
    Ok(Page { rows, total: count(total) })
}

pub(crate) fn added_since(connection: &Connection, since: DateTime<Utc>) -> Query<u64> {
    let sum = connection
        .prepare_cached(&format!(
            "SELECT coalesce(sum(bytes_added), 0) FROM backups WHERE started_ns >= ?1 AND {FIRST_COPY}"
        ))?
        .query_row([nanos(since)], |row| row.get(0))?;
    Ok(count(sum))
}

pub(crate) fn last_verified(connection: &Connection, server: &ServerId) -> Query<Option<DateTime<Utc>>> {
    // RFC 3339 in UTC sorts as text, but for times within one second.
    let newest: Option<String> = connection
        .prepare_cached("SELECT max(json_extract(record, '$.verified')) FROM backups WHERE server = ?1")?
        .query_row([server.as_str()], |row| row.get(0))?;
    Ok(newest.and_then(|text| text.parse().ok()))
}

pub(crate) fn missing_at(connection: &Connection, plan: &PlanId, destination: &DestinationId) -> Query<Vec<BackupId>> {
    // Only what another destination of the plan has: a copy that was taken away on purpose elsewhere is no loss.
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT backups.id, started_ns FROM backups
         JOIN destinations ON destinations.id = backups.destination
         JOIN plan_destinations ON plan_destinations.plan = ?1 AND plan_destinations.destination = backups.destination
         WHERE backups.plan = ?1 AND backups.destination <> ?2
         AND NOT EXISTS (SELECT 1 FROM backups AS other WHERE other.id = backups.id AND other.destination = ?2)
         AND (json_extract(record, '$.archive') IS NOT NULL
              OR vault_id = (SELECT vault_id FROM destinations WHERE id = ?2))
         ORDER BY started_ns DESC, backups.id",
    )?;
    let ids = statement.query_map([plan.as_str(), destination.as_str()], |row| row.get::<_, String>(0))?;
    Ok(ids.map(|id| id.map(BackupId)).collect::<Result<_, _>>()?)
}

pub(crate) fn copies(connection: &Connection, id: &BackupId) -> Query<Vec<KnownBackup>> {
    let wanted = id.as_str();
    let whole = whole_id(connection, wanted)?;
    let mut statement = connection
        .prepare_cached("SELECT destination, record, id FROM backups WHERE id = ?1 ORDER BY started_ns, destination")?;
    let mut found = statement.query([&whole])?;
    let mut copies = Vec::new();
    while let Some(row) = found.next()? {
        copies.push(read(row)?);
    }
    if copies.is_empty() { Err(missing("backup", wanted)) } else { Ok(copies) }
}

/// Finds the one id that starts with `wanted`.
fn whole_id(connection: &Connection, wanted: &str) -> Query<String> {
    let exact: Option<String> = connection
        .prepare_cached("SELECT id FROM backups WHERE id = ?1 LIMIT 1")?
        .query_row([wanted], |row| row.get(0))
        .optional()?;
    if let Some(exact) = exact {
        return Ok(exact);
    }
    if wanted.chars().count() < SHORTEST_ID {
        let message = format!("\"{wanted}\" is too short to name a backup");
        return Err(Fault::Ours(
            Error::new(ErrorClass::Invalid, message).hint(format!("Give at least {SHORTEST_ID} digits of its id")),
        ));
    }
    let mut statement = connection
        .prepare_cached("SELECT DISTINCT id FROM backups WHERE id >= ?1 AND id < ?1 || char(1114111) LIMIT 2")?;
    let ids = statement.query_map([wanted], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    match ids.as_slice() {
        [] => Err(missing("backup", wanted)),
        [one] => Ok(one.clone()),
        _ => Err(Fault::Ours(
            Error::new(ErrorClass::Invalid, format!("More than one backup's id starts with {wanted}"))
                .hint("Give more digits of the id"),
        )),
    }
}

fn require_destination(connection: &Connection, destination: &DestinationId) -> Query<()> {
    let found: Option<i64> = connection
        .query_row("SELECT 1 FROM destinations WHERE id = ?1", [destination.as_str()], |row| row.get(0))
        .optional()?;
    found.map(drop).ok_or_else(|| missing("destination", destination.as_str()))
}

fn insert(connection: &Connection, destination: &DestinationId, backup: &KnownBackup) -> Query<()> {
    let record = &backup.record;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO backups
             (id, destination, started_ns, server, server_name, plan, plan_name, kinds, problems, bytes, bytes_added, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            record.id.as_str(),
            destination.as_str(),
            nanos(record.started),
            record.server.as_ref().map(|id| id.as_str()),
            record.server_name,
            record.plan.as_ref().map(|id| id.as_str()),
            record.plan_name,
            format!(" {} ", record.kinds.join(" ")),
            int(record.problems),
            int(record.counts.bytes),
            int(record.counts.bytes_added),
            to_json(record)?,
        ])?;
    Ok(())
}

fn filter(query: &BackupQuery) -> (String, Vec<Box<dyn ToSql>>) {
    let mut conditions = vec!["1".to_owned()];
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if !query.text.is_empty() {
        values.push(Box::new(holds(&query.text)));
        values.push(Box::new(begins(&query.text)));
        let text = "(plan_name LIKE ?1 ESCAPE '\\' OR server_name LIKE ?1 ESCAPE '\\' OR id LIKE ?2 ESCAPE '\\')";
        conditions.push(text.to_owned());
    }
    // `?` in a condition stands for its value.
    let mut add = |condition: &str, value: Option<String>| {
        if let Some(value) = value {
            values.push(Box::new(value));
            conditions.push(condition.replace('?', &format!("?{}", values.len())));
        }
    };
    add("server = ?", query.server.as_ref().map(|id| id.0.clone()));
    add("plan = ?", query.plan.as_ref().map(|id| id.0.clone()));
    add("destination = ?", query.destination.as_ref().map(|id| id.0.clone()));
    add("instr(kinds, ?) > 0", query.kind.as_ref().map(|kind| format!(" {kind} ")));
    if let Some(until) = query.until {
        values.push(Box::new(nanos(until)));
        conditions.push(format!("started_ns <= ?{}", values.len()));
    }
    match query.problems {
        Some(true) => conditions.push("problems > 0".to_owned()),
        Some(false) => conditions.push("problems = 0".to_owned()),
        None => {}
    }
    (conditions.join(" AND "), values)
}

/// Sort order; among equals the newest comes first.
fn order(query: &BackupQuery) -> String {
    let column = match query.sort {
        BackupSort::Started => "started_ns",
        BackupSort::Plan => "plan_name COLLATE NOCASE",
        BackupSort::Server => "server_name COLLATE NOCASE",
        BackupSort::Size => "bytes",
        BackupSort::Added => "bytes_added",
    };
    let direction = if query.ascending { "ASC" } else { "DESC" };
    match query.sort {
        BackupSort::Started => format!("{column} {direction}, id {direction}, destination {direction}"),
        _ => format!("{column} {direction}, started_ns DESC, id DESC, destination DESC"),
    }
}

fn read(row: &Row<'_>) -> Query<KnownBackup> {
    let destination: String = row.get(0)?;
    let record: String = row.get(1)?;
    let id: String = row.get(2)?;
    Ok(KnownBackup { record: from_json(&format!("backup {id}"), &record)?, destination: destination.into() })
}
