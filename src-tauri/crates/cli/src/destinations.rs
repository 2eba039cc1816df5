//! `backstay destination …`

use crate::ask;
use crate::common::{Session, absolute, path_text};
use crate::options::{DestinationAddArgs, DestinationVerb, PlaceVerb};
use crate::output::{self, Exit, cells};
use backstay_contract::{DestinationDraft, DestinationRow};
use backstay_core::{Error, ErrorClass, Result};
use backstay_engine::size_text;
use std::path::Path;

/// Runs one of the verbs about destinations.
pub async fn run(session: &Session, verb: DestinationVerb) -> Result<Exit> {
    match verb {
        DestinationVerb::Add(args) => add(session, &args).await,
        DestinationVerb::Open(args) => open(session, &args).await,
        DestinationVerb::List => list(session).await,
        DestinationVerb::Test { name } => test(session, &name).await,
        DestinationVerb::Usage { name } => usage(session, &name).await,
        DestinationVerb::Refresh { name } => {
            let count = session.backstay.refresh_destination(&session.destination(&name).await?.id).await?;
            if session.json {
                output::object(&serde_json::json!({ "backups": count }))?;
            } else {
                output::text(&format!("{count} backups at {name}"))?;
            }
            Ok(Exit::Done)
        }
        DestinationVerb::Kit { name, out } => kit(session, &name, out.as_deref()).await,
        DestinationVerb::Confirm { name, word } => confirm(session, &name, word).await,
        DestinationVerb::Remove { name } => {
            session.backstay.remove_destination(&session.destination(&name).await?.id).await?;
            if session.json {
                output::object(&serde_json::json!({ "removed": name }))?
            }
            Ok(Exit::Done)
        }
    }
}

fn draft_of(args: &DestinationAddArgs) -> Result<DestinationDraft> {
    let PlaceVerb::Local { path, vault_password_stdin } = &args.place;
    Ok(DestinationDraft {
        name: args.name.clone(),
        kind: "local".into(),
        path: path_text(&absolute(path)?)?,
        vault_password: vault_password_stdin.then(|| ask::secret("the vault's password")).transpose()?,
    })
}

async fn add(session: &Session, args: &DestinationAddArgs) -> Result<Exit> {
    finish(session, draft_of(args)?).await
}

async fn open(session: &Session, args: &DestinationAddArgs) -> Result<Exit> {
    let mut draft = draft_of(args)?;
    let test = session.backstay.test_destination(draft.clone()).await?;
    if test.found != "vault" {
        return Err(Error::new(ErrorClass::Missing, format!("Cannot open a vault at {}: there is none", draft.path))
            .hint("Check the folder, or make a vault there: backstay destination add"));
    }
    if draft.vault_password.is_none() {
        draft.vault_password = Some(ask::secret("the vault's password")?);
    }
    finish(session, draft).await
}

async fn finish(session: &Session, draft: DestinationDraft) -> Result<Exit> {
    let added = session.backstay.add_destination(draft).await?;
    if session.json {
        // The kit is printed only where it was asked for: this output ends up in logs.
        output::object(&serde_json::json!({
            "destination": added.destination, "created": added.created, "backups": added.backups,
        }))?;
        return Ok(Exit::Done);
    }
    let name = &added.destination.name;
    if added.created {
        output::text(&format!("Made a vault at {} as {name}", added.destination.place))?;
        output::text(&format!(
            "Print its recovery kit now and keep it elsewhere: backstay destination kit {name} --out FILE"
        ))?;
    } else {
        output::text(&format!("Opened the vault at {} as {name}: {} backups", added.destination.place, added.backups))?;
    }
    Ok(Exit::Done)
}

async fn list(session: &Session) -> Result<Exit> {
    let rows = session.backstay.destinations().await?;
    if session.json {
        output::object(&rows)?;
        return Ok(Exit::Done);
    }
    let mut lines = vec![cells(["NAME", "PLACE", "BACKUPS", "FREE", "STATE"])];
    for row in &rows {
        let free = row.free_bytes.map(size_text).unwrap_or_default();
        lines.push(cells([&row.name, &row.place, &row.backups.to_string(), &free, &row.state_text]));
    }
    output::table(&lines)?;
    Ok(Exit::Done)
}

async fn test(session: &Session, name: &str) -> Result<Exit> {
    let row = session.destination(name).await?;
    let draft = DestinationDraft { name: row.name, kind: row.kind, path: row.place, vault_password: None };
    let test = session.backstay.test_destination(draft).await?;
    let ok = test.ok && test.found == "vault";
    if session.json {
        output::object(&test)?;
    } else {
        for step in &test.steps {
            output::text(&format!("{:<7} {}: {}", step.state, step.title, step.text))?;
            if let Some(hint) = &step.hint {
                output::text(&format!("        {hint}"))?;
            }
        }
        if !ok {
            output::text("The vault is not there")?;
        }
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

async fn usage(session: &Session, name: &str) -> Result<Exit> {
    let row = known_use(session, session.destination(name).await?).await?;
    if session.json {
        output::object(&row)?;
        return Ok(Exit::Done);
    }
    let size = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".into(), size_text);
    output::table(&[
        cells(["Used by backups", &size(row.used_bytes)]),
        cells(["Free", &size(row.free_bytes)]),
        cells(["Total", &size(row.total_bytes)]),
        cells(["Backups", &row.backups.to_string()]),
    ])?;
    Ok(Exit::Done)
}

/// The engine adds up what is used in the background and tells when it is known.
async fn known_use(session: &Session, mut row: DestinationRow) -> Result<DestinationRow> {
    for _ in 0..100 {
        if row.used_bytes.is_some() || !matches!(row.state.as_str(), "ok" | "kit_not_confirmed") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        row = session.destination(&row.id).await?;
    }
    Ok(row)
}

async fn kit(session: &Session, name: &str, out: Option<&Path>) -> Result<Exit> {
    let id = session.destination(name).await?.id;
    let Some(file) = out else {
        let kit = session.backstay.recovery_kit(&id).await?;
        if session.json {
            output::object(&kit)?
        } else {
            output::text(&kit.text)?
        }
        return Ok(Exit::Done);
    };
    let html = file.extension().is_some_and(|e| e.eq_ignore_ascii_case("html") || e.eq_ignore_ascii_case("htm"));
    let file = path_text(&absolute(file)?)?;
    session.backstay.save_recovery_kit(&id, &file, if html { "html" } else { "txt" }).await?;
    if session.json {
        output::object(&serde_json::json!({ "file": file }))?;
    } else {
        output::text(&format!("Wrote {file}: whoever has it can read every backup, so print it and keep it safe"))?;
    }
    Ok(Exit::Done)
}

async fn confirm(session: &Session, name: &str, word: u32) -> Result<Exit> {
    let id = session.destination(name).await?.id;
    let typed = ask::secret(&format!("word {word} of the recovery kit"))?;
    let ok = session.backstay.confirm_recovery_kit(&id, word, &typed).await?;
    if session.json {
        output::object(&serde_json::json!({ "confirmed": ok }))?;
    } else {
        output::text(if ok { "Confirmed" } else { "That is not the word on the recovery kit" })?;
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}
