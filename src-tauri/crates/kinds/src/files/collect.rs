//! Collecting: list, then fetch what changed.

use super::fetch::Fetcher;
use super::listing::{self, Walk};
use super::owners;
use super::settings::Settings;
use super::{nothing_there, require_files, walk};
use crate::gnu::{Complaint, Tools};
use crate::problems::Problems;
use backstay_core::entry::{Content, Entry, EntrySink, EntryType};
use backstay_core::host::Host;
use backstay_core::kind::CollectReport;
use backstay_core::run::{Phase, ProblemKind};
use backstay_core::{RawPath, Result, RunContext};
use std::collections::{HashMap, HashSet};

/// Collects the files of an item.
pub(super) async fn collect(
    ctx: &RunContext,
    host: &dyn Host,
    item: &str,
    settings: &Settings,
    sink: &mut dyn EntrySink,
) -> Result<CollectReport> {
    let tools = Tools::probe(host).await?;
    let mut problems = Problems::new(ctx, item);
    ctx.progress.phase(Phase::Listing);
    if !tools.complete() {
        require_files(host)?;
        return walk::collect(ctx, host, settings, &mut problems, sink).await;
    }
    let mut entries = list(ctx, host, settings, &mut problems).await?;
    sort_in_tree_order(&mut entries);
    let files = entries.iter().filter(|e| e.is_file());
    ctx.progress.phase(Phase::Reading);
    ctx.progress.total(Some(files.clone().count() as u64), Some(files.map(|e| e.size_bytes).sum()));

    let mut report = CollectReport::default();
    let Sorted { wanted, further_names, first_names } =
        add_what_is_known(ctx, entries, &mut problems, &mut report, sink).await?;
    let mut fetcher =
        Fetcher { ctx, host, tools: &tools, problems: &mut problems, report: &mut report, further_names, first_names };
    fetcher.fetch(&wanted, sink).await?;
    Ok(report)
}

/// Lists the roots, the folders above them, and all that is below and not left out.
async fn list(
    ctx: &RunContext,
    host: &dyn Host,
    settings: &Settings,
    problems: &mut Problems<'_>,
) -> Result<Vec<Entry>> {
    let walked = settings.walked_roots();
    let above = listing::folders_above(&walked);
    let found = listing::exactly(ctx, host, &[above, walked.clone()].concat()).await?;
    for complaint in found.complaints {
        report_complaint(ctx, problems, complaint);
    }
    let mut entries = found.entries;
    let there: Vec<RawPath> = walked.iter().filter(|root| entries.iter().any(|e| e.path == **root)).cloned().collect();
    if there.is_empty() {
        return Err(nothing_there(host, &settings.roots));
    }
    for root in entries.iter().filter(|e| there.contains(&e.path)) {
        warn_of_link(settings, root, problems);
    }
    let walk = Walk { one_file_system: settings.one_file_system, prune: settings.excludes.find_tests() };
    let found = listing::below(ctx, host, &there, &walk).await?;
    for complaint in found.complaints {
        report_complaint(ctx, problems, complaint);
    }
    entries.extend(found.entries.into_iter().filter(|entry| !settings.is_excluded(&entry.path)));
    if settings.one_file_system {
        // A root below another one on the same file system was met twice.
        let mut seen = HashSet::new();
        entries.retain(|entry| seen.insert(entry.path.clone()));
    }
    owners::name(host, entries.iter_mut()).await?;
    Ok(entries)
}

/// A picked path that is a link would make a thin backup that looks good.
fn warn_of_link(settings: &Settings, root: &Entry, problems: &mut Problems<'_>) {
    let EntryType::Symlink(target) = &root.kind else {
        return;
    };
    let folder = root.path.parent().unwrap_or_else(RawPath::root);
    let path = if target.first() == Some(&b'/') { RawPath::new(target) } else { folder.join(target) };
    if path.as_ref().is_ok_and(|path| settings.root_of(path).is_some()) {
        return;
    }
    let to = backstay_core::path::escape(target);
    let why = format!("It is a symbolic link to {to}: only the link is in the backup. Pick its target in the plan too");
    problems.path(ProblemKind::Other, &root.path, why);
}

fn report_complaint(ctx: &RunContext, problems: &mut Problems<'_>, complaint: Complaint) {
    let Some(path) = complaint.path else {
        ctx.progress.log(&complaint.reason);
        return;
    };
    if complaint.reason.contains("No such file or directory") {
        problems.path(ProblemKind::Vanished, &path, "It is not there");
    } else {
        problems.path(ProblemKind::Unreadable, &path, complaint.reason);
    }
}

/// What of a listing is still to be fetched.
struct Sorted {
    wanted: Vec<Entry>,
    further_names: Vec<(Entry, RawPath)>,
    first_names: HashMap<RawPath, ((u64, u64), Vec<backstay_core::entry::Xattr>)>,
}

/// Adds what needs no reading (links, pipes, unchanged files) and returns the rest. Paths become relative here.
async fn add_what_is_known(
    ctx: &RunContext,
    entries: Vec<Entry>,
    problems: &mut Problems<'_>,
    report: &mut CollectReport,
    sink: &mut dyn EntrySink,
) -> Result<Sorted> {
    let mut sorted = Sorted { wanted: Vec::new(), further_names: Vec::new(), first_names: HashMap::new() };
    let mut by_inode: HashMap<(u64, u64), RawPath> = HashMap::new();
    for mut entry in entries {
        ctx.check()?;
        entry.path = entry.path.to_relative();
        match &entry.kind {
            EntryType::Socket => {
                let why = "It is a socket: it exists only while its program runs, and is made anew by it";
                problems.path(ProblemKind::Skipped, &entry.path.to_absolute(), why);
            }
            EntryType::Symlink(_) | EntryType::Fifo => drop(sink.add(entry, Content::None).await?),
            EntryType::File => {
                if let Some(xattrs) = sink.is_unchanged(&entry) {
                    if entry.is_hard_linked() {
                        let inode = (entry.device, entry.inode);
                        by_inode.entry(inode).or_insert_with(|| entry.path.clone());
                        sorted.first_names.insert(entry.path.clone(), (inode, xattrs.clone()));
                    }
                    report.files += 1;
                    report.bytes += entry.size_bytes;
                    ctx.progress.advance(1, entry.size_bytes);
                    entry.xattrs = xattrs;
                    sink.add(entry, Content::Previous).await?;
                } else if !entry.is_hard_linked() {
                    sorted.wanted.push(entry);
                } else if let Some(first) = by_inode.get(&(entry.device, entry.inode)) {
                    sorted.further_names.push((entry, first.clone()));
                } else {
                    by_inode.insert((entry.device, entry.inode), entry.path.clone());
                    sorted.wanted.push(entry);
                }
            }
            EntryType::Dir | EntryType::CharDevice(..) | EntryType::BlockDevice(..) => sorted.wanted.push(entry),
        }
    }
    Ok(sorted)
}

/// Sorts so that a folder stands right before what is in it: part by part, not byte by byte.
pub(super) fn sort_in_tree_order(entries: &mut [Entry]) {
    // A slash must sort before every other byte for that.
    let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    entries.sort_by(|a, b| a.path.as_bytes().iter().map(key).cmp(b.path.as_bytes().iter().map(key)));
}
