//! Making, listing, looking at, downloading and verifying backups.

use crate::common::{Session, absolute, path_text};
use crate::options::{BackupsArgs, DownloadArgs, VerifyArgs};
use crate::output::{self, Exit, cells, time, time_or_never};
use backstay_contract::{BackupEntry, BackupFilter, DownloadRequest, RunFilter};
use backstay_core::{Error, ErrorClass, Result};
use backstay_engine::{count_text, size_text};

/// Backs a plan up now.
pub async fn back_up(session: &Session, plan: &str) -> Result<Exit> {
    let plan = session.plan(plan).await?;
    let events = session.begin();
    let run = session.backstay.start_backup(&plan.id).await?;
    let detail = session.watch(&run, events).await?;
    session.report(&detail).await
}

/// Lists backups.
pub async fn list(session: &Session, args: BackupsArgs) -> Result<Exit> {
    let filter = BackupFilter {
        server: match &args.server {
            Some(name) => Some(session.server(name).await?.id),
            None => None,
        },
        plan: match &args.plan {
            Some(name) => Some(session.plan(name).await?.id),
            None => None,
        },
        destination: match &args.destination {
            Some(name) => Some(session.destination_id(name)?),
            None => None,
        },
        kind: args.kind,
        limit: args.limit,
        ..BackupFilter::default()
    };
    let page = session.backstay.backups(filter).await?;
    if session.json {
        output::object(&page)?;
        return Ok(Exit::Done);
    }
    let mut lines = vec![cells(["ID", "STARTED", "PLAN", "SERVER", "FILES", "SIZE", "ADDED", "LAYOUT", "STATE", "AT"])];
    for row in &page.rows {
        lines.push(cells([
            row.id.get(..8).unwrap_or(&row.id),
            &time(row.started),
            &row.plan_name,
            &row.server_name,
            &row.files.to_string(),
            &size_text(row.bytes),
            &size_text(row.added_bytes),
            &layout(&row.layout, row.sealed),
            &state(&row.state, row.problems),
            &places(&row.destinations, &row.missing_at),
        ]));
    }
    output::table(&lines)?;
    if page.total > page.rows.len() as u64 {
        output::text(&format!("{} of {} shown; see --limit", page.rows.len(), page.total))?;
    }
    Ok(Exit::Done)
}

fn layout(word: &str, sealed: bool) -> String {
    if sealed { format!("{word}, sealed") } else { word.to_owned() }
}

/// Says where a backup lies, and where it should but does not.
fn places(there: &[String], missing: &[String]) -> String {
    let there = there.join(", ");
    if missing.is_empty() { there } else { format!("{there} (missing at {})", missing.join(", ")) }
}

fn state(word: &str, problems: u64) -> String {
    if word == "problems" { count_text(problems, "problem", "problems") } else { word.to_owned() }
}

/// Shows one backup.
pub async fn show(session: &Session, backup: &str) -> Result<Exit> {
    let detail = session.backstay.backup(&session.backup(backup).await?).await?;
    if session.json {
        output::object(&detail)?;
        return Ok(Exit::Done);
    }
    let row = &detail.row;
    output::table(&[
        cells(["Id", &row.id]),
        cells(["Plan", &row.plan_name]),
        cells(["Server", &row.server_name]),
        cells(["Started", &time(row.started)]),
        cells(["Files", &format!("{} ({} new, {} changed)", row.files, detail.files_new, detail.files_changed)]),
        cells(["Size", &size_text(row.bytes)]),
        cells(["Read", &size_text(detail.bytes_read)]),
        cells(["Added", &size_text(row.added_bytes)]),
        cells(["Layout", &layout(&row.layout, row.sealed)]),
        cells(["At", &places(&row.destinations, &row.missing_at)]),
        cells(["Checked", &time_or_never(row.verified)]),
        cells(["State", &state(&row.state, row.problems)]),
    ])?;
    for item in &detail.items {
        output::text(&format!("  {}: {}", item.name, item.text))?;
    }
    for copy in &detail.copies {
        let file = copy.file.as_ref().map(|file| format!(" {file}, {}", size_text(copy.file_bytes.unwrap_or(0))));
        let note = copy.cost_note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        let (name, state) = (&copy.destination_name, &copy.state);
        let lock = copy.locked_until.map(|until| format!(", locked until {}", time(until))).unwrap_or_default();
        output::text(&format!("  copy at {name}: {state}{}{lock}{note}", file.unwrap_or_default()))?;
    }
    for problem in &detail.problem_list {
        output::text(&format!("  {} {}: {}", problem.kind, problem.subject, problem.reason))?;
    }
    Ok(Exit::Done)
}

/// Lists a folder of a backup.
pub async fn ls(session: &Session, backup: &str, path: &str) -> Result<Exit> {
    let entries = session.backstay.backup_list(&session.backup(backup).await?, path).await?;
    print_entries(session, &entries, false)
}

/// Finds entries of a backup.
pub async fn find(session: &Session, backup: &str, text: &str) -> Result<Exit> {
    let entries = session.backstay.backup_search(&session.backup(backup).await?, text).await?;
    print_entries(session, &entries, true)
}

fn print_entries(session: &Session, entries: &[BackupEntry], whole_path: bool) -> Result<Exit> {
    if session.json {
        output::object(&entries)?;
        return Ok(Exit::Done);
    }
    let mut lines = Vec::new();
    for entry in entries {
        let mut name = if whole_path { entry.path.clone() } else { entry.name.clone() };
        match (&entry.target, entry.kind.as_str()) {
            (Some(target), _) => name.push_str(&format!(" -> {target}")),
            (None, "dir") => name.push('/'),
            _ => {}
        }
        let change = entry.change.as_deref().unwrap_or("");
        lines.push(cells([&entry.mode, &entry.owner, &size_text(entry.bytes), &time(entry.modified), &name, change]));
    }
    if !lines.is_empty() {
        output::table(&lines)?;
    }
    Ok(Exit::Done)
}

/// Compares two backups.
pub async fn diff(session: &Session, older: &str, newer: &str) -> Result<Exit> {
    let (older, newer) = (session.backup(older).await?, session.backup(newer).await?);
    let diff = session.backstay.backup_diff(&older, &newer).await?;
    if session.json {
        output::object(&diff)?;
        return Ok(Exit::Done);
    }
    for line in &diff.lines {
        output::text(&format!(
            "{:<9} {} ({} -> {})",
            line.change,
            line.path,
            size_text(line.old_bytes),
            size_text(line.new_bytes)
        ))?;
    }
    output::text(&format!("{} added, {} removed, {} changed", diff.added, diff.removed, diff.changed))?;
    Ok(Exit::Done)
}

/// Brings backups into files, in one run.
pub async fn download(session: &Session, args: DownloadArgs) -> Result<Exit> {
    let events = session.begin();
    let run = match (&args.resume, &args.out) {
        (Some(run), _) => session.backstay.resume_download(&resumable(session, run).await?).await?,
        (None, Some(out)) => {
            let mut backups = Vec::new();
            for backup in &args.backups {
                backups.push(session.backup(backup).await?);
            }
            let destination = match &args.from {
                Some(name) => Some(session.destination_id(name)?),
                None => None,
            };
            let request = DownloadRequest {
                backups,
                paths: args.only.clone(),
                format: args.format.replace('-', "_"),
                destination,
                folder: path_text(&absolute(out)?)?,
            };
            session.backstay.start_download(request).await?
        }
        (None, None) => return Err(Error::new(ErrorClass::Invalid, "The folder to write into is missing (--out)")),
    };
    let detail = session.watch(&run, events).await?;
    let exit = session.report(&detail).await?;
    if detail.row.resumable && !session.json {
        eprintln!("To go on: backstay download --resume {run}");
    }
    Ok(exit)
}

/// Finds the download to go on with.
async fn resumable(session: &Session, run: &str) -> Result<String> {
    if run != "last" {
        return Ok(run.to_owned());
    }
    let filter = RunFilter { kind: Some("download".into()), ..RunFilter::default() };
    let rows = session.backstay.runs(filter).await?.rows;
    rows.into_iter().find(|row| row.resumable).map(|row| row.id).ok_or_else(|| {
        Error::new(ErrorClass::Missing, "There is no download that ended early and can go on")
            .hint("See: backstay runs")
    })
}

/// Reads a backup back whole, or checks a destination.
pub async fn verify(session: &Session, args: VerifyArgs) -> Result<Exit> {
    let events;
    let run = match (&args.backup, &args.destination) {
        (_, Some(name)) => {
            let destination = session.destination_id(name)?;
            events = session.begin();
            session.backstay.start_verify_destination(&destination, args.read_data).await?
        }
        (Some(backup), None) => {
            let backup = session.backup(backup).await?;
            events = session.begin();
            session.backstay.start_verify(&backup).await?
        }
        (None, None) => return Err(Error::new(ErrorClass::Invalid, "Name a backup, or a destination")),
    };
    let detail = session.watch(&run, events).await?;
    session.report(&detail).await
}
