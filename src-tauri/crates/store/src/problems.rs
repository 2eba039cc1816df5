//! Queries on `problems`.

use crate::errors::Query;
use crate::runs;
use crate::values::{count, from_word, holds, int, to_word};
use backstay_core::RunId;
use backstay_core::run::Problem;
use backstay_core::store::Page;
use rusqlite::{Connection, params};

pub(crate) fn add(connection: &Connection, run: &RunId, problems: &[Problem]) -> Query<()> {
    let run = runs::seq(connection, run)?;
    let mut insert = connection
        .prepare_cached("INSERT INTO problems (run, kind, item, subject, reason) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for problem in problems {
        insert.execute(params![run, to_word(&problem.kind)?, problem.item, problem.subject, problem.reason])?;
    }
    Ok(())
}

pub(crate) fn page(connection: &Connection, run: &RunId, text: &str, offset: u64, limit: u64) -> Query<Page<Problem>> {
    let what = format!("problems of run {run}");
    let run = runs::seq(connection, run)?;
    let condition = "run = ?1 AND (?2 = '%%' OR subject LIKE ?2 ESCAPE '\\' OR reason LIKE ?2 ESCAPE '\\')";
    let pattern = holds(text);
    let total = connection
        .prepare_cached(&format!("SELECT count(*) FROM problems WHERE {condition}"))?
        .query_row(params![run, pattern], |row| row.get(0))?;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT kind, item, subject, reason FROM problems WHERE {condition} ORDER BY seq LIMIT ?3 OFFSET ?4"
    ))?;
    let mut found = statement.query(params![run, pattern, int(limit), int(offset)])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let kind: String = row.get(0)?;
        let kind = from_word(&what, &kind)?;
        rows.push(Problem { kind, item: row.get(1)?, subject: row.get(2)?, reason: row.get(3)? });
    }
    Ok(Page { rows, total: count(total) })
}
