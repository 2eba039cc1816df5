//! `backstay plan …`

use crate::ask;
use crate::common::Session;
use crate::items;
use crate::kit::{self, Of};
use crate::options::{PlanAddArgs, PlanChangeArgs, PlanVerb};
use crate::output::{self, Exit, cells, time_or_never};
use backstay_contract::{ItemDraft, LayoutDraft, PlanDraft};
use backstay_core::{Error, ErrorClass, Result};

/// Runs one of the verbs about plans.
pub async fn run(session: &Session, verb: PlanVerb) -> Result<Exit> {
    match verb {
        PlanVerb::Add(args) => add(session, &args).await,
        PlanVerb::List => list(session).await,
        PlanVerb::Show { name } => show(session, &name).await,
        PlanVerb::Change(args) => change(session, &args).await,
        PlanVerb::Exclude { name, paths } => {
            let row = session.backstay.exclude_from_plan(&session.plan(&name).await?.id, paths).await?;
            if session.json {
                output::object(&row)?
            } else {
                output::text(&format!("{}: {}", row.name, row.what))?
            }
            Ok(Exit::Done)
        }
        PlanVerb::Kit(args) => kit::show(session, Of::Plan, &args).await,
        PlanVerb::Confirm(args) => kit::confirm(session, Of::Plan, &args).await,
        PlanVerb::Remove { name } => {
            session.backstay.remove_plan(&session.plan(&name).await?.id).await?;
            if session.json {
                output::object(&serde_json::json!({ "removed": name }))?
            } else {
                output::text(&format!("Removed the plan {name}; its backups stay"))?
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
        draft.destinations.push(session.destination_id(name)?);
    }
    item_passwords(&args.item_password_stdin, &mut draft.items)?;
    draft.layout = layout(args)?;
    let saved = session.backstay.save_plan(draft).await?;
    let row = &saved.row;
    if session.json {
        // The kit is printed only where it was asked for: this output ends up in logs.
        output::object(row)?;
    } else {
        output::text(&format!(
            "Added {}: {} from {} to {}",
            row.name,
            row.what,
            row.server_name,
            row.destinations.join(", ")
        ))?;
        if saved.kit.is_some() {
            output::text(&format!(
                "Print the recovery kit of its archives now and keep it elsewhere: backstay plan kit {} --out FILE",
                row.name
            ))?;
        }
    }
    Ok(Exit::Done)
}

/// Reads the passwords of items' database log-ins.
fn item_passwords(names: &[String], items: &mut [ItemDraft]) -> Result<()> {
    for name in names {
        let item = items.iter_mut().find(|item| item_name(item) == *name).ok_or_else(|| no_item(name))?;
        item.password = Some(ask::secret(&format!("the password of {name}"))?);
    }
    Ok(())
}

fn no_item(name: &str) -> Error {
    Error::new(ErrorClass::Invalid, format!("The plan has no item called {name}"))
        .hint("Items are called as their kind, unless name= says otherwise")
}

async fn change(session: &Session, args: &PlanChangeArgs) -> Result<Exit> {
    let PlanChangeArgs { name, item, remove_item, to, rename, item_password_stdin } = args;
    if [item, remove_item, to, item_password_stdin].iter().all(|list| list.is_empty()) && rename.is_none() {
        return Err(Error::new(ErrorClass::Invalid, format!("Nothing to change of {name} was named"))
            .hint("See: backstay plan change --help"));
    }
    let mut draft = session.backstay.plan(&session.plan(name).await?.id).await?.draft;
    for name in remove_item {
        let at = draft.items.iter().position(|item| item_name(item) == *name).ok_or_else(|| no_item(name))?;
        draft.items.remove(at);
    }
    for text in item {
        let item = items::parse(text)?;
        match draft.items.iter_mut().find(|known| item_name(known) == item_name(&item)) {
            Some(known) => *known = item,
            None => draft.items.push(item),
        }
    }
    item_passwords(item_password_stdin, &mut draft.items)?;
    if !to.is_empty() {
        draft.destinations = to.iter().map(|name| session.destination_id(name)).collect::<Result<_>>()?;
    }
    if let Some(name) = rename {
        draft.name.clone_from(name);
    }
    let row = session.backstay.save_plan(draft).await?.row;
    if session.json {
        output::object(&row)?;
    } else {
        output::text(&format!("{}: {}, to {}", row.name, row.what, row.destinations.join(", ")))?;
    }
    Ok(Exit::Done)
}

fn layout(args: &PlanAddArgs) -> Result<LayoutDraft> {
    if args.layout == "vault" {
        if args.seal.is_some() {
            return Err(Error::new(ErrorClass::Invalid, "A vault is always encrypted: --seal is for archives")
                .hint("Add --layout archive, or leave --seal out"));
        }
        if args.format.is_some() || !args.template.is_empty() {
            return Err(Error::new(
                ErrorClass::Invalid,
                "A vault has a format of its own: --format and --name are for archives",
            )
            .hint("Add --layout archive, or leave them out"));
        }
        return Ok(LayoutDraft::default());
    }
    let (seal, asked) = match args.seal.as_deref() {
        None => ("none", None),
        Some("passphrase") => ("passphrase", Some("the archives' passphrase")),
        Some("own-key") => ("own_key", Some("the archives' key")),
        Some(_) => ("plan_key", None),
    };
    Ok(LayoutDraft {
        kind: "archive".into(),
        format: args.format.clone().unwrap_or_else(|| "tar.zst".into()),
        seal: seal.into(),
        key: asked.map(ask::secret).transpose()?,
        template: args.template.clone(),
    })
}

fn item_name(item: &ItemDraft) -> String {
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
        cells(["As", &plan.row.layout]),
        cells(["Last backup", &time_or_never(plan.row.last_backup)]),
        cells(["Last run", &plan.row.state_text]),
    ])?;
    Ok(Exit::Done)
}
