//! Queries on `runs`.

use crate::errors::Query;
use crate::owner::Owner;
use crate::values::{count, from_json, from_word, int, missing, nanos, time, to_json, to_word};
use backstay_core::RunId;
use backstay_core::run::Run;
use backstay_core::store::{Page, RunQuery};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

const COLUMNS: &str = "id, kind, state, title, plan, server, destination, backup, created_ns, started_ns, ended_ns, counts, \
                       problems, error, result";
const OPEN: &str = "state IN ('waiting', 'running')";

pub(crate) fn insert(connection: &Connection, run: &Run, owner: &str) -> Query<()> {
    connection.execute(
        "INSERT INTO runs (id, owner, kind, state, title, created_ns, counts, problems) \
                        VALUES (?1, ?2, '', '', '', 0, '', 0)",
        params![run.id.as_str(), owner],
    )?;
    update(connection, run)
}

pub(crate) fn update(connection: &Connection, run: &Run) -> Query<()> {
    let changed = connection
        .prepare_cached(
            "UPDATE runs SET kind = ?2, state = ?3, title = ?4, plan = ?5, server = ?6, destination = ?7, backup = ?8,
             created_ns = ?9, started_ns = ?10, ended_ns = ?11, counts = ?12, problems = ?13, error = ?14, result = ?15
             WHERE id = ?1",
        )?
        .execute(params![
            run.id.as_str(),
            to_word(&run.kind)?,
            to_word(&run.state)?,
            run.title,
            run.plan.as_ref().map(|id| id.as_str()),
            run.server.as_ref().map(|id| id.as_str()),
            run.destination.as_ref().map(|id| id.as_str()),
            run.backup.as_ref().map(|id| id.as_str()),
            nanos(run.created),
            run.started.map(nanos),
            run.ended.map(nanos),
            to_json(&run.counts)?,
            int(run.problems),
            run.error.as_ref().map(to_json).transpose()?,
            run.result,
        ])?;
    if changed == 0 { Err(missing("run", run.id.as_str())) } else { Ok(()) }
}

pub(crate) fn one(connection: &Connection, id: &RunId) -> Query<Run> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    match rows.next()? {
        Some(row) => read(row),
        None => Err(missing("run", id.as_str())),
    }
}

/// Returns the number that a run's problems and log lines refer to.
pub(crate) fn seq(connection: &Connection, id: &RunId) -> Query<i64> {
    let mut statement = connection.prepare_cached("SELECT seq FROM runs WHERE id = ?1")?;
    let seq = statement.query_row([id.as_str()], |row| row.get(0)).optional()?;
    seq.ok_or_else(|| missing("run", id.as_str()))
}

pub(crate) fn page(connection: &Connection, query: &RunQuery) -> Query<Page<Run>> {
    let mut conditions = vec!["1".to_owned()];
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if query.active_only {
        conditions.push(OPEN.to_owned());
    }
    let mut equals = |column: &str, value: Option<String>| {
        if let Some(value) = value {
            values.push(Box::new(value));
            conditions.push(format!("{column} = ?{}", values.len()));
        }
    };
    equals("plan", query.plan.as_ref().map(|id| id.0.clone()));
    equals("server", query.server.as_ref().map(|id| id.0.clone()));
    equals("kind", query.kind.as_ref().map(to_word).transpose()?);
    if let Some(until) = query.until {
        values.push(Box::new(nanos(until)));
        conditions.push(format!("created_ns <= ?{}", values.len()));
    }
    let condition = conditions.join(" AND ");
    let total = connection
        .prepare_cached(&format!("SELECT count(*) FROM runs WHERE {condition}"))?
        .query_row(rusqlite::params_from_iter(&values), |row| row.get(0))?;
    values.push(Box::new(int(query.limit)));
    values.push(Box::new(int(query.offset)));
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs WHERE {condition} ORDER BY created_ns DESC, seq DESC LIMIT ?{} OFFSET ?{}",
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

/// Marks the open runs of dead processes as interrupted. Those of another living process go on.
pub(crate) fn interrupt_open(connection: &Connection, owner: &Owner, now: DateTime<Utc>) -> Query<u64> {
    let mut statement = connection.prepare(&format!("SELECT DISTINCT owner FROM runs WHERE {OPEN}"))?;
    let owners = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut interrupted = 0;
    for dead in owners.iter().filter(|id| !owner.is_alive_elsewhere(id)) {
        interrupted += connection.execute(
            &format!("UPDATE runs SET state = 'interrupted', ended_ns = ?1 WHERE owner = ?2 AND {OPEN}"),
            params![nanos(now), dead],
        )?;
    }
    Ok(interrupted as u64)
}

fn read(row: &Row<'_>) -> Query<Run> {
    let id: String = row.get(0)?;
    let what = format!("run {id}");
    let text = |index: usize| row.get::<_, String>(index);
    let optional = |index: usize| row.get::<_, Option<String>>(index);
    let error = match optional(13)? {
        Some(error) => Some(from_json(&what, &error)?),
        None => None,
    };
    Ok(Run {
        kind: from_word(&what, &text(1)?)?,
        state: from_word(&what, &text(2)?)?,
        title: text(3)?,
        plan: optional(4)?.map(Into::into),
        server: optional(5)?.map(Into::into),
        destination: optional(6)?.map(Into::into),
        backup: optional(7)?.map(Into::into),
        created: time(row.get(8)?),
        started: row.get::<_, Option<i64>>(9)?.map(time),
        ended: row.get::<_, Option<i64>>(10)?.map(time),
        counts: from_json(&what, &text(11)?)?,
        problems: count(row.get(12)?),
        error,
        result: optional(14)?,
        id: id.into(),
    })
}
