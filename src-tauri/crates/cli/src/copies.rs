//! The copies of backups: made good, deleted, linked to, brought back from the cold; and room freed.

use crate::ask;
use crate::common::Session;
use crate::hints;
use crate::options::DeleteArgs;
use crate::output::{self, Exit, time};
use backstay_core::{Error, ErrorClass, Result};
use backstay_engine::size_text;

/// Makes good what a destination lacks.
pub async fn sync(session: &Session, destination: &str) -> Result<Exit> {
    let destination = session.destination_id(destination)?;
    let events = session.begin();
    let run = session.backstay.start_sync(&destination).await?;
    let detail = session.watch(&run, events).await?;
    session.report(&detail).await
}

/// Frees up space in a vault.
pub async fn prune(session: &Session, destination: &str) -> Result<Exit> {
    let destination = session.destination_id(destination)?;
    if !session.json
        && let Some(note) = session.backstay.early_note(&destination)?
    {
        output::text(&format!("{note}."))?;
    }
    let events = session.begin();
    let run = session.backstay.start_prune(&destination).await?;
    let detail = session.watch(&run, events).await?;
    session.report(&detail).await
}

/// Deletes a backup, after a yes.
pub async fn delete(session: &Session, args: DeleteArgs) -> Result<Exit> {
    let backup = session.backup(&args.backup).await?;
    let mut destinations = Vec::new();
    for name in &args.at {
        destinations.push(session.destination_id(name)?);
    }
    let preview = session.backstay.delete_preview(&backup, destinations.clone()).await?;
    if args.preview && session.json {
        output::object(&preview)?;
        return Ok(Exit::Done);
    }
    if !session.json {
        let places: Vec<&str> = preview.copies.iter().map(|copy| copy.destination_name.as_str()).collect();
        output::text(&format!("Delete {} at {}", preview.title, places.join(", ")))?;
        for note in &preview.notes {
            output::text(&format!("  {note}"))?;
        }
    }
    if args.preview {
        return Ok(Exit::Done);
    }
    if !args.yes && !ask::yes("Delete it?").ok_or_else(unasked)? {
        return Err(Error::cancelled());
    }
    let report = session.backstay.delete_backup(&preview.backup, destinations).await?;
    let exit = match (report.removed.is_empty(), report.failed.is_empty()) {
        (_, true) => Exit::Done,
        (false, false) => Exit::Problems,
        (true, false) => Exit::Failed,
    };
    if session.json {
        output::object(&report)?;
        return Ok(exit);
    }
    if !report.removed.is_empty() {
        output::text(&format!("Deleted at {}; freed {}", report.removed.join(", "), size_text(report.freed_bytes)))?;
    }
    if !report.prune_hint.is_empty() {
        let vaults = preview.copies.iter().filter(|copy| copy.file.is_none()).map(|copy| &copy.destination_name);
        let verbs: Vec<String> = vaults
            .filter(|name| report.removed.contains(name))
            .map(|name| format!("backstay prune \"{name}\""))
            .collect();
        output::text(&format!("{}: {}", report.prune_hint, verbs.join("; ")))?;
    }
    for failure in &report.failed {
        eprintln!("{}: {}.", failure.destination, failure.error.message);
        if let Some(hint) = &failure.error.hint {
            eprintln!("  {}.", hints::in_verbs(hint));
        }
    }
    Ok(exit)
}

fn unasked() -> Error {
    Error::new(ErrorClass::Invalid, "Nobody can be asked whether the backup may be deleted")
        .hint("Give --yes, or look first with --preview")
}

/// Makes a link.
pub async fn link(session: &Session, backup: &str, at: &str, minutes: u32) -> Result<Exit> {
    let backup = session.backup(backup).await?;
    let destination = session.destination_id(at)?;
    let link = session.backstay.make_link(&backup, &destination, minutes).await?;
    if session.json {
        output::object(&link)?;
        return Ok(Exit::Done);
    }
    output::text(&link.url)?;
    let sealed = if link.sealed { "; its key is needed to read it" } else { ", readable for whoever has the address" };
    eprintln!("{} until {}{sealed}.", link.file, time(link.expires));
    Ok(Exit::Done)
}

/// Asks a cold class for an archive.
pub async fn thaw(session: &Session, backup: &str, at: &str, days: u32) -> Result<Exit> {
    let backup = session.backup(backup).await?;
    let destination = session.destination_id(at)?;
    let copy = session.backstay.thaw_backup(&backup, &destination, days).await?;
    if session.json {
        output::object(&copy)?;
        return Ok(Exit::Done);
    }
    output::text(&match copy.state.as_str() {
        "thawing" => format!("{} brings it back; that takes minutes to two days", copy.destination_name),
        "frozen" => format!("{} has not begun to bring it back yet", copy.destination_name),
        _ => format!("It can be read at {} now", copy.destination_name),
    })?;
    Ok(Exit::Done)
}
