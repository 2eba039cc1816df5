//! Planning a restore: the backup's listing against what is at the target.

use super::listing::{self, Walk};
use super::mounts::Mounts;
use super::owners;
use super::settings::Settings;
use crate::gnu::Tools;
use backstay_core::entry::{Entry, EntryType};
use backstay_core::host::Host;
use backstay_core::kind::{Change, ChangeKind, RestoreMode, RestoreOptions, RestorePlan};
use backstay_core::run::Phase;
use backstay_core::{ErrorClass, RawPath, Result, RunContext};
use std::collections::{HashMap, HashSet};

/// Says what a restore would do.
pub(super) async fn plan(
    ctx: &RunContext,
    host: &dyn Host,
    item: &str,
    settings: &Settings,
    listing: &[Entry],
    options: &RestoreOptions,
) -> Result<RestorePlan> {
    ctx.progress.phase(Phase::Comparing);
    let tools = Tools::probe(host).await?;
    let mut plan = RestorePlan::default();
    let wanted = wanted(settings, listing, options)?;
    let there = look_at_targets(ctx, host, &tools, &wanted, &mut plan).await?;

    let mut comparison = Comparison { item, settings, options, there: &there, changes: Vec::new(), kept: Vec::new() };
    for (entry, target) in &wanted {
        comparison.entry(entry, target, &mut plan);
    }
    let Comparison { mut changes, kept, .. } = comparison;
    if options.mode == RestoreMode::Replace {
        let deletions = deletions(ctx, host, &tools, item, settings, &wanted, options).await?;
        add_touched_folders(item, &mut changes, &kept, &deletions);
        changes.extend(deletions);
    }
    plan.kept = (wanted.len() - changes.iter().filter(|c| c.kind != ChangeKind::Delete).count()) as u64;
    plan.changes = changes;
    add_notes(host, &tools, &mut plan);
    Ok(plan)
}

/// Returns what is at the targets and at the folders above them. Folders are asked for first: in those that are not
/// there nothing else is, which spares a restore into a new place one question for each file.
async fn look_at_targets(
    ctx: &RunContext,
    host: &dyn Host,
    tools: &Tools,
    wanted: &[(&Entry, RawPath)],
    plan: &mut RestorePlan,
) -> Result<HashMap<RawPath, Entry>> {
    let targets: Vec<RawPath> = wanted.iter().map(|(_, target)| target.clone()).collect();
    let above = listing::folders_above(&targets);
    let folders = wanted.iter().filter(|(entry, _)| entry.is_dir()).map(|(_, target)| target);
    let folders: Vec<RawPath> = above.iter().chain(folders).cloned().collect();
    let mut there = look_at(ctx, host, tools, &folders, plan).await?;
    warn_of_links(above.iter().filter_map(|folder| there.get(folder)), plan);
    let others = wanted.iter().filter(|(entry, target)| {
        !entry.is_dir() && target.parent().is_none_or(|folder| folder.is_root() || there.contains_key(&folder))
    });
    let others: Vec<RawPath> = others.map(|(_, target)| target.clone()).collect();
    there.extend(look_at(ctx, host, tools, &others, plan).await?);
    if !tools.find.is_empty() {
        // The owners of the folders above are compared with nothing.
        let targets: HashSet<&RawPath> = targets.iter().collect();
        owners::name(host, there.values_mut().filter(|entry| targets.contains(&entry.path))).await?;
    }
    Ok(there)
}

/// Returns the entries to bring back, each with its target. Sockets are none of them.
fn wanted<'a>(
    settings: &Settings,
    listing: &'a [Entry],
    options: &RestoreOptions,
) -> Result<Vec<(&'a Entry, RawPath)>> {
    let mut wanted = Vec::new();
    for entry in listing {
        // Restored elsewhere, the folders above what was picked have no place of their own.
        let out_of_place = options.to.is_some() && !entry.path.starts_with(&options.strip);
        let above = is_above(settings, entry) && !options.strip.is_root();
        if entry.kind == EntryType::Socket
            || !options.picks(&entry.path)
            || out_of_place
            || (above && options.to.is_some())
        {
            continue;
        }
        if entry.path.is_root() && options.to.is_none() {
            continue;
        }
        wanted.push((entry, options.target(&entry.path)?));
    }
    Ok(wanted)
}

/// Tells whether an entry is a folder above what the plan picked, kept only so that it can be made where it is missing.
fn is_above(settings: &Settings, entry: &Entry) -> bool {
    entry.is_dir() && settings.root_of(&entry.path.to_absolute()).is_none()
}

struct Comparison<'a> {
    item: &'a str,
    settings: &'a Settings,
    options: &'a RestoreOptions,
    there: &'a HashMap<RawPath, Entry>,
    changes: Vec<Change>,
    /// Folders that stay: (target, path in the backup).
    kept: Vec<(RawPath, RawPath)>,
}

impl Comparison<'_> {
    fn entry(&mut self, entry: &Entry, target: &RawPath, plan: &mut RestorePlan) {
        let there = self.there.get(target);
        let Some(kind) = self.decide(entry, target, there, plan) else {
            if entry.is_dir() && !is_above(self.settings, entry) {
                self.kept.push((target.clone(), entry.path.clone()));
            }
            return;
        };
        self.changes.push(Change {
            kind,
            item: self.item.to_owned(),
            target: target.to_text(),
            path: Some(entry.path.clone()),
            is_dir: entry.is_dir(),
            size_bytes: entry.size_bytes,
            target_mtime: there.map(|there| there.mtime.to_parts().0),
        });
    }

    /// Returns what to do, or `None` to leave the target as it is.
    fn decide(
        &self,
        entry: &Entry,
        target: &RawPath,
        there: Option<&Entry>,
        plan: &mut RestorePlan,
    ) -> Option<ChangeKind> {
        let Some(there) = there else {
            return Some(ChangeKind::Create);
        };
        if is_above(self.settings, entry) {
            return None;
        }
        if there.is_dir() && !entry.is_dir() && self.options.mode != RestoreMode::Replace {
            plan.warnings.push(format!("{target} is a folder there, but not in the backup: it stays as it is"));
            return None;
        }
        match self.options.mode {
            RestoreMode::Missing => None,
            RestoreMode::Newer if there.is_dir() && entry.is_dir() => None,
            RestoreMode::Newer if there.mtime >= entry.mtime => None,
            _ => (!is_same(entry, there)).then_some(ChangeKind::Overwrite),
        }
    }
}

/// Tells whether the target is as in the backup, as far as a listing shows. Times of folders and links are not looked
/// at: the first change whenever something in them does, the second mean nothing.
fn is_same(entry: &Entry, there: &Entry) -> bool {
    let same_kind = match (&entry.kind, &there.kind) {
        (EntryType::CharDevice(..), EntryType::CharDevice(..)) => true,
        (EntryType::BlockDevice(..), EntryType::BlockDevice(..)) => true,
        (a, b) => a == b,
    };
    let is_link = matches!(entry.kind, EntryType::Symlink(_));
    let same_owner = |ours: &Option<String>, theirs: &Option<String>, id: u32, their_id: u32| match (ours, theirs) {
        (Some(ours), Some(theirs)) => ours == theirs,
        _ => id == their_id,
    };
    same_kind
        && (is_link || entry.mode == there.mode)
        && (!entry.is_file() || (entry.size_bytes == there.size_bytes && entry.mtime == there.mtime))
        && same_owner(&entry.user, &there.user, entry.uid, there.uid)
        && same_owner(&entry.group, &there.group, entry.gid, there.gid)
}

/// Lists what `replace` deletes: what is in the picked folders at the target and not in the backup. What the plan
/// leaves out, and sockets, were never in the backup, nor were devices where there was no GNU tar: their absence says
/// nothing, and they stay.
async fn deletions(
    ctx: &RunContext,
    host: &dyn Host,
    tools: &Tools,
    item: &str,
    settings: &Settings,
    wanted: &[(&Entry, RawPath)],
    options: &RestoreOptions,
) -> Result<Vec<Change>> {
    let is_picked = |path: &RawPath| match options.only.is_empty() {
        true => settings.roots.contains(&path.to_absolute()),
        false => options.only.contains(path),
    };
    let roots = wanted.iter().filter(|(e, _)| e.is_dir() && is_picked(&e.path) && !is_above(settings, e));
    let roots: Vec<RawPath> = roots.map(|(_, target)| target.clone()).collect();
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let known: HashSet<&RawPath> = wanted.iter().map(|(_, target)| target).collect();
    let (below, mut stays) = look_below(ctx, host, tools, &roots, settings, options.to.is_none()).await?;
    let mut candidates = Vec::new();
    for entry in below {
        let source = source_path(&entry.path, options);
        let is_special =
            matches!(entry.kind, EntryType::Socket | EntryType::CharDevice(..) | EntryType::BlockDevice(..));
        if is_special || settings.is_excluded(&source) {
            stays.extend(listing::folders_above(std::slice::from_ref(&entry.path)));
        } else if !known.contains(&entry.path) {
            candidates.push(entry);
        }
    }
    candidates.retain(|entry| !stays.contains(&entry.path));
    candidates.sort_by(|a, b| b.path.cmp(&a.path));
    candidates.dedup_by(|a, b| a.path == b.path);
    let change = |entry: Entry| Change {
        kind: ChangeKind::Delete,
        item: item.to_owned(),
        target: entry.path.to_text(),
        path: None,
        is_dir: entry.is_dir(),
        size_bytes: entry.size_bytes,
        target_mtime: Some(entry.mtime.to_parts().0),
    };
    Ok(candidates.into_iter().map(change).collect())
}

/// Returns where a target would have come from, as an absolute path.
fn source_path(target: &RawPath, options: &RestoreOptions) -> RawPath {
    let Some(to) = &options.to else {
        return target.clone();
    };
    let below = target.below(to).unwrap_or_default();
    options.strip.join(below.as_bytes()).map_or_else(|_| target.clone(), |path| path.to_absolute())
}

/// A folder in which something is made or deleted gets its own times back, so it is written too.
fn add_touched_folders(item: &str, changes: &mut Vec<Change>, kept: &[(RawPath, RawPath)], deletions: &[Change]) {
    let all = changes.iter().chain(deletions);
    let parents = all.filter_map(|c| RawPath::from_text(&c.target).ok()).filter_map(|target| target.parent());
    let touched: HashSet<RawPath> = parents.collect();
    for (target, path) in kept.iter().filter(|(target, _)| touched.contains(target)) {
        changes.push(Change {
            kind: ChangeKind::Overwrite,
            item: item.to_owned(),
            target: target.to_text(),
            path: Some(path.clone()),
            is_dir: true,
            size_bytes: 0,
            target_mtime: None,
        });
    }
}

fn warn_of_links<'a>(above: impl Iterator<Item = &'a Entry>, plan: &mut RestorePlan) {
    for entry in above {
        if let EntryType::Symlink(to) = &entry.kind {
            let to = backstay_core::path::escape(to);
            plan.warnings.push(format!(
                "{} is a symbolic link to {to} there: what lies below it goes to that place",
                entry.path
            ));
        }
    }
}

fn add_notes(host: &dyn Host, tools: &Tools, plan: &mut RestorePlan) {
    if tools.tar.is_empty() {
        let why = "GNU tar is not there: hard links become copies; pipes, devices and extended attributes will not be \
                   restored, and times may be whole seconds only";
        plan.warnings.push(why.into());
    } else {
        plan.facts.push(tools.tar.clone());
    }
    if !tools.root && host.capabilities().commands {
        plan.warnings.push("Not root there: owners will not be restored, and some places may not be writable".into());
    }
}

/// Returns what is at these paths, its owners by number where `find` lists it. A path that is not there is simply not
/// among them.
pub(super) async fn look_at(
    ctx: &RunContext,
    host: &dyn Host,
    tools: &Tools,
    paths: &[RawPath],
    plan: &mut RestorePlan,
) -> Result<HashMap<RawPath, Entry>> {
    let mut there = HashMap::new();
    if !tools.find.is_empty() {
        let found = listing::exactly(ctx, host, paths).await?;
        for complaint in found.complaints {
            let absent = ["No such file", "Not a directory"].iter().any(|text| complaint.reason.contains(text));
            if !absent {
                let path = complaint.path.map(|path| path.to_text()).unwrap_or_default();
                plan.warnings.push(format!("{path}: {}", complaint.reason));
            }
        }
        there.extend(found.entries.into_iter().map(|entry| (entry.path.clone(), entry)));
        return Ok(there);
    }
    for path in paths {
        ctx.check()?;
        ctx.progress.alive();
        match host.stat(path).await {
            Ok(entry) => drop(there.insert(path.clone(), entry)),
            Err(error) if error.class == ErrorClass::Missing => {}
            Err(error) if error.class == ErrorClass::Refused => plan.warnings.push(error.message),
            Err(error) => return Err(error),
        }
    }
    Ok(there)
}

/// Lists what is below the picked folders. The second are folders of it that stay whatever the backup says: those where
/// another file system begins that the plan does not enter, and the folders above them. `in_place`: they are where they were.
async fn look_below(
    ctx: &RunContext,
    host: &dyn Host,
    tools: &Tools,
    roots: &[RawPath],
    settings: &Settings,
    in_place: bool,
) -> Result<(Vec<Entry>, HashSet<RawPath>)> {
    let one_file_system = settings.one_file_system;
    // Picked by itself, a mount point that the plan does not enter looks like any folder: the one above it tells.
    let is_inner = |root: &RawPath| in_place && one_file_system && !settings.roots.contains(root);
    let above = |root: &RawPath| if is_inner(root) { root.parent() } else { None };
    let looked: Vec<RawPath> = roots.iter().cloned().chain(roots.iter().filter_map(above)).collect();
    // What cannot be looked at was said when the targets were.
    let there = look_at(ctx, host, tools, &looked, &mut RestorePlan::default()).await?;
    let mounts = if tools.find.is_empty() {
        Mounts::read(host).await?
    } else {
        // find tells the devices, which say it better.
        Mounts::default()
    };
    let is_entered = |folder: &&Entry| {
        let parent = above(&folder.path).and_then(|path| there.get(&path));
        folder.is_dir() && !parent.is_some_and(|parent| mounts.crosses(parent, folder))
    };
    let folders: Vec<Entry> = roots.iter().filter_map(|root| there.get(root)).filter(is_entered).cloned().collect();
    let mut stays = HashSet::new();
    if folders.is_empty() {
        return Ok((Vec::new(), stays));
    }
    let found = if tools.find.is_empty() {
        walk_below(ctx, host, &folders, &mounts, one_file_system).await?
    } else {
        let paths: Vec<RawPath> = folders.iter().map(|folder| folder.path.clone()).collect();
        listing::below(ctx, host, &paths, &Walk { one_file_system, prune: Vec::new() }).await?.entries
    };
    if one_file_system {
        let all = folders.iter().chain(&found).filter(|entry| entry.is_dir());
        let by_path: HashMap<&RawPath, &Entry> = all.map(|entry| (&entry.path, entry)).collect();
        for entry in found.iter().filter(|entry| entry.is_dir()) {
            let folder = entry.path.parent().and_then(|path| by_path.get(&path).copied());
            if folder.is_some_and(|folder| mounts.crosses(folder, entry)) {
                stays.extend(entry.path.and_above());
            }
        }
    }
    Ok((found, stays))
}

/// Does what find does, through the host's own file calls.
async fn walk_below(
    ctx: &RunContext,
    host: &dyn Host,
    folders: &[Entry],
    mounts: &Mounts,
    one_file_system: bool,
) -> Result<Vec<Entry>> {
    let mut open = folders.to_vec();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        ctx.check()?;
        ctx.progress.alive();
        match host.list(&folder.path).await {
            Ok(below) => {
                let entered = below.iter().filter(|e| e.is_dir() && mounts.enters(&folder, e, one_file_system));
                open.extend(entered.cloned());
                found.extend(below);
            }
            Err(error) if error.class == ErrorClass::Missing => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
