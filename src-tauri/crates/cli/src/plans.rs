//! `backstay plan …`

use crate::ask;
use crate::common::Session;
use crate::items;
use crate::options::{PlanAddArgs, PlanVerb};
use crate::output::{self, Exit, cells, time_or_never};
use backstay_contract::PlanDraft;
use backstay_core::{Error, ErrorClass, Result};

/// Runs one of the verbs about plans.
pub async fn run(session: &Session, verb: PlanVerb) -> Result<Exit> {
    match verb {
        PlanVerb::Add(args) => add(session, &args).await,
        PlanVerb::List => list(session).await,
        PlanVerb::Show { name } => show(session, &name).await,
        PlanVerb::Exclude { name, paths } => {
            let row = session.backstay.exclude_from_plan(&session.plan(&name).await?.id, paths).await?;
            if session.json {
                output::object(&row)?
            } else {
                output::text(&format!("{}: {}", row.name, row.what))?
            }
            Ok(Exit::Done)
        }
        PlanVerb::Remove { name } => {
            session.backstay.remove_plan(&session.plan(&name).await?.id).await?;
            if session.json {
                output::object(&serde_json::json!({ "removed": name }))?
            }
            Ok(Exit::Done)
        }
    }
}

async fn add(session: &Session, args: &PlanAddArgs) -> Result<Exit> {
    let mut draft = PlanDraft {
        name: args.name.clone(),
        server: session.server(&args.server).await?.id,
        items: args.item.iter().map(|text| items::parse(text)).collect::<Result<_>>()?,
        ..PlanDraft::default()
    };
    for name in &args.to {
        draft.destinations.push(session.destination(name).await?.id);
    }
    for name in &args.item_password_stdin {
        let item = draft.items.iter_mut().find(|item| item_name(item) == *name);
        let item = item.ok_or_else(|| {
            Error::new(ErrorClass::Invalid, format!("The plan has no item called {name}"))
                .hint("Items are called as their kind, unless name= says otherwise")
        })?;
        item.password = Some(ask::secret(&format!("the password of {name}"))?);
    }
    let row = session.backstay.save_plan(draft).await?;
    if session.json {
        output::object(&row)?;
    } else {
        output::text(&format!(
            "Added {}: {} from {} to {}",
            row.name,
            row.what,
            row.server_name,
            row.destinations.join(", ")
        ))?;
    }
    Ok(Exit::Done)
}

fn item_name(item: &backstay_contract::ItemDraft) -> String {
    use backstay_contract::ItemSettings as S;
    if !item.name.is_empty() {
        return item.name.clone();
    }
    match item.settings {
        S::Files(_) => "files",
        S::Mysql(_) => "mysql",
        S::Postgres(_) => "postgres",
        S::Sqlite(_) => "sqlite",
    }
    .into()
}

async fn list(session: &Session) -> Result<Exit> {
    let rows = session.backstay.plans().await?;
    if session.json {
        output::object(&rows)?;
        return Ok(Exit::Done);
    }
    let mut lines = vec![cells(["NAME", "SERVER", "WHAT", "TO", "LAST BACKUP", "STATE"])];
    for row in &rows {
        let (to, last) = (row.destinations.join(", "), time_or_never(row.last_backup));
        lines.push(cells([&row.name, &row.server_name, &row.what, &to, &last, &row.state_text]));
    }
    output::table(&lines)?;
    Ok(Exit::Done)
}

async fn show(session: &Session, name: &str) -> Result<Exit> {
    let plan = session.backstay.plan(&session.plan(name).await?.id).await?;
    if session.json {
        output::object(&plan)?;
        return Ok(Exit::Done);
    }
    output::table(&[
        cells(["Name", &plan.row.name]),
        cells(["Server", &plan.row.server_name]),
        cells(["What", &plan.row.what]),
        cells(["To", &plan.row.destinations.join(", ")]),
        cells(["Last backup", &time_or_never(plan.row.last_backup)]),
        cells(["Last run", &plan.row.state_text]),
    ])?;
    Ok(Exit::Done)
}
