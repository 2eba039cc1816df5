//! Planning a restore: the backup's listing against what is at the target.

use super::deletions::Deletions;
use super::listing;
use super::owners;
use super::settings::Settings;
use super::ways::Ways;
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
    let (there, ways) = look_at_targets(ctx, host, &tools, settings, options, &wanted, &mut plan).await?;

    let (changes, kept) = (Vec::new(), Vec::new());
    let mut comparison = Comparison { item, settings, options, there: &there, ways: &ways, changes, kept };
    for (entry, target) in &wanted {
        comparison.entry(entry, target, &mut plan);
    }
    let Comparison { mut changes, kept, .. } = comparison;
    if options.mode == RestoreMode::Replace {
        let deletions = Deletions { ctx, host, tools: &tools, item, settings, options, wanted: &wanted, ways: &ways };
        // What a file or link takes the place of must be empty then.
        let folders = changes.iter().filter(|c| c.kind == ChangeKind::Overwrite && !c.is_dir);
        let folders = folders.filter_map(|c| RawPath::from_text(&c.target).ok());
        let folders: HashSet<RawPath> = folders.filter(|path| there.get(path).is_some_and(Entry::is_dir)).collect();
        let (deletions, stuck) = deletions.list(&folders).await?;
        for (folder, inner) in &stuck {
            plan.warnings.push(format!(
                "{folder} is a folder there, but not in the backup: it stays as it is with all that is in it, because \
                 {inner} is not deleted"
            ));
        }
        let stuck: HashSet<String> = stuck.keys().map(RawPath::to_text).collect();
        changes.retain(|change| !stuck.contains(&change.target));
        add_touched_folders(item, &mut changes, &kept, &deletions);
        changes.extend(deletions);
    }
    plan.kept = (wanted.len() - changes.iter().filter(|c| c.kind != ChangeKind::Delete).count()) as u64;
    plan.changes = changes;
    add_notes(host, &tools, &mut plan);
    Ok(plan)
}

/// Returns what is at the targets, and how the folders there lead to them. Folders are asked for first: in those that are
/// not there nothing else is, which spares a restore into a new place one question for each file.
async fn look_at_targets(
    ctx: &RunContext,
    host: &dyn Host,
    tools: &Tools,
    settings: &Settings,
    options: &RestoreOptions,
    wanted: &[(&Entry, RawPath)],
    plan: &mut RestorePlan,
) -> Result<(HashMap<RawPath, Entry>, Ways)> {
    let targets: Vec<RawPath> = wanted.iter().map(|(_, target)| target.clone()).collect();
    let above = listing::folders_above(&targets);
    let folders = wanted.iter().filter(|(entry, _)| entry.is_dir()).map(|(_, target)| target);
    let asked: Vec<RawPath> = above.iter().chain(folders).cloned().collect();
    let mut there = look_at(ctx, host, tools, &asked, plan).await?;
    let restored = wanted.iter().filter(|(entry, _)| entry.is_dir() && !is_above(settings, entry));
    let restored: HashMap<&RawPath, &Entry> = restored.map(|(entry, target)| (target, *entry)).collect();
    let met: Vec<&Entry> = asked.iter().filter_map(|path| there.get(path)).filter(|entry| !entry.is_dir()).collect();
    let ways = Ways::find(ctx, host, settings, options, &met, &restored, plan).await?;
    let others = wanted.iter().filter(|(entry, target)| {
        let leads_here =
            |folder: &RawPath| folder.is_root() || (there.contains_key(folder) && ways.leads_below(folder));
        !entry.is_dir() && target.parent().is_none_or(|folder| leads_here(&folder))
    });
    let others: Vec<RawPath> = others.map(|(_, target)| target.clone()).collect();
    there.extend(look_at(ctx, host, tools, &others, plan).await?);
    if !tools.find.is_empty() {
        // The owners of the folders above are compared with nothing.
        let targets: HashSet<&RawPath> = targets.iter().collect();
        owners::name(host, there.values_mut().filter(|entry| targets.contains(&entry.path))).await?;
    }
    Ok((there, ways))
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
pub(super) fn is_above(settings: &Settings, entry: &Entry) -> bool {
    entry.is_dir() && settings.root_of(&entry.path.to_absolute()).is_none()
}

struct Comparison<'a> {
    item: &'a str,
    settings: &'a Settings,
    options: &'a RestoreOptions,
    there: &'a HashMap<RawPath, Entry>,
    ways: &'a Ways,
    changes: Vec<Change>,
    /// Folders that stay: (target, path in the backup).
    kept: Vec<(RawPath, RawPath)>,
}

impl Comparison<'_> {
    fn entry(&mut self, entry: &Entry, target: &RawPath, plan: &mut RestorePlan) {
        let there = self.there.get(target);
        let Some(kind) = self.decide(entry, target, there, plan) else {
            if entry.is_dir() && there.is_some_and(Entry::is_dir) && !is_above(self.settings, entry) {
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
        if self.ways.stays(target) {
            return None;
        }
        let Some(there) = there else {
            return Some(ChangeKind::Create);
        };
        if !entry.is_dir() && self.ways.leads_over(target) {
            if !is_same(entry, there) {
                plan.leave_out(target, "stays as it is: a link that stays leads over it");
            }
            return None;
        }
        if self.ways.gives_way(target) {
            return Some(ChangeKind::Overwrite);
        }
        if is_above(self.settings, entry) {
            return None;
        }
        if there.is_dir() && !entry.is_dir() && self.options.mode != RestoreMode::Replace {
            plan.leave_out(target, "is a folder there, but not in the backup: it stays as it is");
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
            // Links in a circle lead nowhere either.
            let absent = ["No such file", "Not a directory", "Too many levels of symbolic links", "Symbolic link loop"]
                .iter()
                .any(|text| complaint.reason.contains(text));
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
