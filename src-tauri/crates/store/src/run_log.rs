//! Queries on `run_log`.

use crate::errors::Query;
use crate::runs;
use crate::values::{nanos, time};
use backstay_core::RunId;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

pub(crate) fn add(connection: &Connection, run: &RunId, lines: &[(DateTime<Utc>, String)]) -> Query<()> {
    let run = runs::seq(connection, run)?;
    let mut insert = connection.prepare_cached("INSERT INTO run_log (run, at_ns, line) VALUES (?1, ?2, ?3)")?;
    for (at, line) in lines {
        insert.execute(params![run, nanos(*at), line])?;
    }
    Ok(())
}

pub(crate) fn all(connection: &Connection, run: &RunId) -> Query<Vec<(DateTime<Utc>, String)>> {
    let run = runs::seq(connection, run)?;
    let mut statement = connection.prepare_cached("SELECT at_ns, line FROM run_log WHERE run = ?1 ORDER BY seq")?;
    let lines = statement.query_map([run], |row| Ok((time(row.get(0)?), row.get(1)?)))?;
    Ok(lines.collect::<Result<_, _>>()?)
}
