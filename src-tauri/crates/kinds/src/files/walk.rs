//! Collecting without GNU tools: folder by folder, file by file, through the host itself (SFTP).

use super::collect::sort_in_tree_order;
use super::listing::folders_above;
use super::mounts::Mounts;
use super::nothing_there;
use super::settings::Settings;
use super::watched::watched;
use crate::problems::Problems;
use backstay_core::entry::{AddError, Content, Entry, EntrySink, EntryType};
use backstay_core::host::Host;
use backstay_core::kind::CollectReport;
use backstay_core::run::{Phase, ProblemKind};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};
use std::collections::HashSet;

/// Collects the files of an item through the host's own file calls.
pub(super) async fn collect(
    ctx: &RunContext,
    host: &dyn Host,
    settings: &Settings,
    problems: &mut Problems<'_>,
    sink: &mut dyn EntrySink,
) -> Result<CollectReport> {
    let mut entries = list(ctx, host, settings, problems).await?;
    sort_in_tree_order(&mut entries);
    let files = entries.iter().filter(|e| e.is_file());
    ctx.progress.phase(Phase::Reading);
    ctx.progress.total(Some(files.clone().count() as u64), Some(files.map(|e| e.size_bytes).sum()));
    let mut report = CollectReport::default();
    for entry in entries {
        ctx.check()?;
        add(ctx, host, entry, problems, &mut report, sink).await?;
    }
    Ok(report)
}

/// Lists roots, the folders above them and all below; as with find, a mount point that is not entered is listed itself.
/// A folder that cannot be read is a problem.
async fn list(
    ctx: &RunContext,
    host: &dyn Host,
    settings: &Settings,
    problems: &mut Problems<'_>,
) -> Result<Vec<Entry>> {
    let roots = settings.walked_roots();
    let mut entries = Vec::new();
    for folder in folders_above(&roots) {
        match host.stat(&folder).await {
            Ok(entry) => entries.push(entry),
            Err(error) if error.class.ends_the_run() => return Err(error),
            // It gets plain metadata then; what is below it may be readable all the same.
            Err(_) => {}
        }
    }
    let mut open = Vec::new();
    for root in &roots {
        match host.stat(root).await {
            Ok(entry) => open.push(entry),
            Err(error) if error.class.ends_the_run() => return Err(error),
            Err(error) => report(problems, root, &error),
        }
    }
    if open.is_empty() {
        return Err(nothing_there(host, &settings.roots));
    }
    let mounts = Mounts::read(host).await?;
    while let Some(entry) = open.pop() {
        ctx.check()?;
        if entry.is_dir() {
            ctx.progress.current(&entry.path.to_text());
            match host.list(&entry.path).await {
                Ok(below) => {
                    for below in below.into_iter().filter(|e| !settings.is_excluded(&e.path)) {
                        let is_closed = below.is_dir() && !mounts.enters(&entry, &below, settings.one_file_system);
                        if is_closed { entries.push(below) } else { open.push(below) }
                    }
                }
                Err(error) if error.class.ends_the_run() => return Err(error),
                Err(error) => report(problems, &entry.path, &error),
            }
        }
        entries.push(entry);
    }
    if settings.one_file_system {
        // A root below another one was met twice.
        let mut seen = HashSet::new();
        entries.retain(|entry| seen.insert(entry.path.clone()));
    }
    Ok(entries)
}

async fn add(
    ctx: &RunContext,
    host: &dyn Host,
    mut entry: Entry,
    problems: &mut Problems<'_>,
    report_: &mut CollectReport,
    sink: &mut dyn EntrySink,
) -> Result<()> {
    let path = entry.path.clone();
    entry.path = path.to_relative();
    match entry.kind {
        EntryType::Socket => {
            let why = "It is a socket: it exists only while its program runs, and is made anew by it";
            problems.path(ProblemKind::Skipped, &path, why);
            return Ok(());
        }
        EntryType::CharDevice(..) | EntryType::BlockDevice(..) => {
            problems.path(ProblemKind::Skipped, &path, "It is a device, whose numbers cannot be read over SFTP");
            return Ok(());
        }
        EntryType::File => {}
        EntryType::Dir | EntryType::Symlink(_) | EntryType::Fifo => {
            sink.add(entry, Content::None).await?;
            return Ok(());
        }
    }
    let size = entry.size_bytes;
    if let Some(xattrs) = sink.is_unchanged(&entry) {
        entry.xattrs = xattrs;
        sink.add(entry, Content::Previous).await?;
        ctx.progress.advance(1, size);
    } else {
        ctx.progress.current(&path.to_text());
        let mut content = match host.read(&path).await {
            Ok(content) => content,
            Err(error) if error.class.ends_the_run() => return Err(error),
            Err(error) => {
                report(problems, &path, &error);
                return Ok(());
            }
        };
        let mut content = watched(&mut content, ctx);
        match sink.add(entry, Content::Stream(&mut content)).await {
            Ok(read) => {
                report_.files_read += 1;
                report_.bytes_read += read;
                if read != size {
                    let why = "It changed while it was read; what is in the backup may be torn";
                    problems.path(ProblemKind::Changed, &path, why);
                }
            }
            Err(AddError::Sink(error)) => return Err(error),
            Err(AddError::Content(error)) => {
                let error = Error::io(format!("Cannot read {path} on {}", host.label()), error);
                if error.class.ends_the_run() {
                    return Err(error);
                }
                report(problems, &path, &error);
                return Ok(());
            }
        }
        ctx.progress.advance(1, 0);
    }
    report_.files += 1;
    report_.bytes += size;
    Ok(())
}

fn report(problems: &mut Problems<'_>, path: &RawPath, error: &Error) {
    let kind = if error.class == ErrorClass::Missing { ProblemKind::Vanished } else { ProblemKind::Unreadable };
    problems.path(kind, path, error.message.clone());
}
