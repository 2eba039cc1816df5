//! Queries on `plans` and `plan_destinations`.

use crate::errors::{Fault, Query};
use crate::values::{from_json, missing, name_taken, nanos, time, to_json};
use backstay_core::config::Plan;
use backstay_core::{DestinationId, Error, ErrorClass, PlanId};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "id, name, server, items, created_ns, layout, kit_confirmed";

pub(crate) fn all(connection: &Connection) -> Query<Vec<Plan>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM plans ORDER BY name COLLATE NOCASE, name"))?;
    let mut rows = statement.query([])?;
    let mut plans = Vec::new();
    while let Some(row) = rows.next()? {
        plans.push(read(connection, row)?);
    }
    Ok(plans)
}

pub(crate) fn one(connection: &Connection, id: &PlanId) -> Query<Plan> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM plans WHERE id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    match rows.next()? {
        Some(row) => read(connection, row),
        None => Err(missing("plan", id.as_str())),
    }
}

pub(crate) fn put(connection: &Connection, plan: &Plan) -> Query<()> {
    let taken: Option<i64> = connection
        .query_row("SELECT 1 FROM plans WHERE name = ?1 AND id <> ?2", params![plan.name, plan.id.as_str()], |row| {
            row.get(0)
        })
        .optional()?;
    if taken.is_some() {
        return Err(name_taken("plan", &plan.name));
    }
    require(connection, "servers", plan.server.as_str(), &plan.name, "server")?;
    for destination in &plan.destinations {
        require(connection, "destinations", destination.as_str(), &plan.name, "destination")?;
    }
    let id = plan.id.as_str();
    connection.execute(
        "INSERT INTO plans (id, name, server, items, created_ns, layout, kit_confirmed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET name = ?2, server = ?3, items = ?4, created_ns = ?5, layout = ?6, kit_confirmed = ?7",
        params![
            id,
            plan.name,
            plan.server.as_str(),
            to_json(&plan.items)?,
            nanos(plan.created),
            to_json(&plan.layout)?,
            plan.kit_confirmed
        ],
    )?;
    connection.execute("DELETE FROM plan_destinations WHERE plan = ?1", [id])?;
    let mut insert =
        connection.prepare_cached("INSERT INTO plan_destinations (plan, position, destination) VALUES (?1, ?2, ?3)")?;
    for (position, destination) in plan.destinations.iter().enumerate() {
        insert.execute(params![id, position as i64, destination.as_str()])?;
    }
    Ok(())
}

pub(crate) fn delete(connection: &Connection, id: &PlanId) -> Query<()> {
    connection.execute("DELETE FROM plans WHERE id = ?1", [id.as_str()])?;
    Ok(())
}

/// Puts plans' names into a sentence: `the plan "a"`, `the plans "a" and "b"`.
pub(crate) fn in_words(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => format!("the plan {last}"),
        Some((last, before)) => format!("the plans {} and {last}", before.join(", ")),
        None => "no plan".to_owned(),
    }
}

fn require(connection: &Connection, table: &str, id: &str, plan: &str, sort: &str) -> Query<()> {
    let found: Option<i64> =
        connection.query_row(&format!("SELECT 1 FROM {table} WHERE id = ?1"), [id], |row| row.get(0)).optional()?;
    if found.is_some() {
        return Ok(());
    }
    let message = format!("Cannot save plan \"{plan}\": its {sort} {id} is not there any more");
    Err(Fault::Ours(Error::new(ErrorClass::Missing, message).hint(format!("Pick another {sort}"))))
}

fn read(connection: &Connection, row: &Row<'_>) -> Query<Plan> {
    let id: String = row.get(0)?;
    let name: String = row.get(1)?;
    let server: String = row.get(2)?;
    let items: String = row.get(3)?;
    let layout: String = row.get(5)?;
    let mut statement =
        connection.prepare_cached("SELECT destination FROM plan_destinations WHERE plan = ?1 ORDER BY position")?;
    let destinations = statement.query_map([&id], |row| row.get::<_, String>(0))?;
    let destinations = destinations.map(|id| id.map(DestinationId)).collect::<Result<_, _>>()?;
    Ok(Plan {
        id: id.into(),
        items: from_json(&format!("plan \"{name}\""), &items)?,
        layout: from_json(&format!("plan \"{name}\""), &layout)?,
        name,
        server: server.into(),
        destinations,
        kit_confirmed: row.get(6)?,
        created: time(row.get(4)?),
    })
}
