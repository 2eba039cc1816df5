//! Making, listing, looking at, downloading and verifying backups.

use crate::common::{Session, absolute, path_text};
use crate::options::{BackupsArgs, DownloadArgs};
use crate::output::{self, Exit, cells, time, time_or_never};
use backstay_contract::{BackupEntry, BackupFilter, DownloadRequest};
use backstay_core::Result;
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
            Some(name) => Some(session.destination(name).await?.id),
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
    let mut lines = vec![cells(["ID", "STARTED", "PLAN", "SERVER", "FILES", "SIZE", "ADDED", "STATE"])];
    for row in &page.rows {
        lines.push(cells([
            row.id.get(..8).unwrap_or(&row.id),
            &time(row.started),
            &row.plan_name,
            &row.server_name,
            &row.files.to_string(),
            &size_text(row.bytes),
            &size_text(row.added_bytes),
            &state(&row.state, row.problems),
        ]));
    }
    output::table(&lines)?;
    if page.total > page.rows.len() as u64 {
        output::text(&format!("{} of {} shown; see --limit", page.rows.len(), page.total))?;
    }
    Ok(Exit::Done)
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
        cells(["At", &row.destinations.join(", ")]),
        cells(["Checked", &time_or_never(row.verified)]),
        cells(["State", &state(&row.state, row.problems)]),
    ])?;
    for item in &detail.items {
        output::text(&format!("  {}: {}", item.name, item.text))?;
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

/// Packs backups into files; the worst ending of them is the program's.
pub async fn download(session: &Session, args: DownloadArgs) -> Result<Exit> {
    let folder = path_text(&absolute(&args.out)?)?;
    let mut worst = Exit::Done;
    for backup in &args.backups {
        let events = session.begin();
        let request = DownloadRequest {
            backup: session.backup(backup).await?,
            paths: args.only.clone(),
            format: args.format.clone(),
            folder: folder.clone(),
        };
        let run = session.backstay.start_download(request).await?;
        let detail = session.watch(&run, events).await?;
        let exit = session.report(&detail).await?;
        worst = worst.max(exit);
        if exit == Exit::Cancelled {
            break;
        }
    }
    Ok(worst)
}

/// Reads a backup back whole.
pub async fn verify(session: &Session, backup: &str) -> Result<Exit> {
    let backup = session.backup(backup).await?;
    let events = session.begin();
    let run = session.backstay.start_verify(&backup).await?;
    let detail = session.watch(&run, events).await?;
    session.report(&detail).await
}
