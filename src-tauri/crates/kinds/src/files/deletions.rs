//! What a restore that replaces deletes.

use super::compare::{is_above, look_at};
use super::listing::{self, Walk};
use super::mounts::Mounts;
use super::settings::Settings;
use super::ways::Ways;
use crate::gnu::Tools;
use backstay_core::entry::{Entry, EntryType};
use backstay_core::host::Host;
use backstay_core::kind::{Change, ChangeKind, RestoreOptions, RestorePlan};
use backstay_core::{ErrorClass, RawPath, Result, RunContext};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Looks for what is in the picked folders at the target and not in the backup.
pub(super) struct Deletions<'a> {
    pub ctx: &'a RunContext,
    pub host: &'a dyn Host,
    pub tools: &'a Tools,
    pub item: &'a str,
    pub settings: &'a Settings,
    pub options: &'a RestoreOptions,
    pub wanted: &'a [(&'a Entry, RawPath)],
    pub ways: &'a Ways,
}

impl Deletions<'_> {
    /// Lists the deletions. What the plan leaves out, and sockets, were never in the backup, nor were devices where there
    /// was no GNU tar: their absence says nothing, and they stay. So does what lies behind a link that is kept: what the
    /// restore writes there has another name in the backup.
    ///
    /// `giving_way` are folders that a file or link is to take the place of. Those in which something stays cannot: nothing
    /// is deleted in them, and they are returned, each with what stays.
    pub(super) async fn list(
        &self,
        giving_way: &HashSet<RawPath>,
    ) -> Result<(Vec<Change>, BTreeMap<RawPath, RawPath>)> {
        let Self { settings, options, wanted, .. } = *self;
        let is_picked = |path: &RawPath| match options.only.is_empty() {
            true => settings.roots.contains(&path.to_absolute()),
            false => options.only.contains(path),
        };
        let roots = wanted.iter().filter(|(e, _)| e.is_dir() && is_picked(&e.path) && !is_above(settings, e));
        let is_kept = |target: &RawPath| self.ways.leads_through_a_link(target) || self.ways.stays(target);
        let roots = roots.map(|(_, target)| target).filter(|target| !is_kept(target));
        let roots: Vec<RawPath> = roots.cloned().collect();
        if roots.is_empty() {
            return Ok(Default::default());
        }
        // By their real names: two of the picked folders may lead to one place.
        let known: HashSet<_> = wanted.iter().map(|(_, target)| self.ways.real_name(target)).collect::<Result<_>>()?;
        let Below { found, mut stays, shut } = self.look_below(&roots).await?;
        let within = |path: &RawPath| match giving_way.is_empty() {
            true => None,
            false => path.and_above().find(|above| giving_way.contains(above)),
        };
        let inner =
            found.iter().map(|entry| &entry.path).filter(|path| !giving_way.contains(path) && within(path).is_some());
        let inner: Vec<RawPath> = inner.cloned().collect();
        let (behind_links, passed) = self.behind_links(&roots)?;
        stays.extend(behind_links.iter().chain(&passed).flat_map(RawPath::and_above));
        let mut candidates = Vec::new();
        for entry in found {
            let source = source_path(&entry.path, options);
            let is_special =
                matches!(entry.kind, EntryType::Socket | EntryType::CharDevice(..) | EntryType::BlockDevice(..));
            if is_special || settings.is_excluded(&source) {
                stays.extend(listing::folders_above(std::slice::from_ref(&entry.path)));
            } else if !known.contains(&*self.ways.real_name(&entry.path)?) {
                candidates.push(entry);
            }
        }
        let is_behind = |path: &RawPath| behind_links.iter().any(|folder| path.starts_with(folder));
        candidates.retain(|entry| !stays.contains(&entry.path) && !is_behind(&entry.path));
        candidates.sort_by(|a, b| b.path.cmp(&a.path));
        candidates.dedup_by(|a, b| a.path == b.path);
        let deleted: HashSet<&RawPath> = candidates.iter().map(|entry| &entry.path).collect();
        let left = inner.into_iter().filter(|path| !deleted.contains(path)).chain(shut);
        // The last one is the deepest: a folder stays because of what is in it.
        let stuck: BTreeMap<RawPath, RawPath> = left.filter_map(|path| Some((within(&path)?, path))).collect();
        candidates.retain(|entry| !within(&entry.path).is_some_and(|folder| stuck.contains_key(&folder)));
        let change = |entry: Entry| Change {
            kind: ChangeKind::Delete,
            item: self.item.to_owned(),
            target: entry.path.to_text(),
            path: None,
            is_dir: entry.is_dir(),
            size_bytes: entry.size_bytes,
            target_mtime: Some(entry.mtime.to_parts().0),
        };
        Ok((candidates.into_iter().map(change).collect(), stuck))
    }

    /// Returns the folders below `roots` that kept links lead to, and what these lead over, by the names they have there.
    fn behind_links(&self, roots: &[RawPath]) -> Result<(Vec<RawPath>, Vec<RawPath>)> {
        let (mut folders, mut passed) = (Vec::new(), Vec::new());
        for root in roots {
            let real = self.ways.real_name(root)?;
            // A link above the root itself was chosen with it.
            for (_, folder) in self.ways.links().filter(|(link, _)| !root.starts_with(link)) {
                if real.starts_with(folder) {
                    folders.push(root.clone());
                } else if let Some(below) = folder.below(&real) {
                    folders.push(root.join(below.as_bytes())?);
                }
            }
            for below in self.ways.passed().iter().filter_map(|place| place.below(&real)) {
                passed.push(root.join(below.as_bytes())?);
            }
        }
        Ok((folders, passed))
    }

    /// Lists what is below the picked folders.
    async fn look_below(&self, roots: &[RawPath]) -> Result<Below> {
        let Self { ctx, host, tools, settings, .. } = *self;
        // They are where they were.
        let in_place = self.options.to.is_none();
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
        let mut below = Below::default();
        if folders.is_empty() {
            return Ok(below);
        }
        below.found = if tools.find.is_empty() {
            walk_below(ctx, host, &folders, &mounts, one_file_system).await?
        } else {
            let paths: Vec<RawPath> = folders.iter().map(|folder| folder.path.clone()).collect();
            let found = listing::below(ctx, host, &paths, &Walk { one_file_system, prune: Vec::new() }).await?;
            below.shut.extend(found.complaints.into_iter().filter_map(|complaint| complaint.path));
            found.entries
        };
        let all = folders.iter().chain(&below.found).filter(|entry| entry.is_dir());
        let by_path: HashMap<&RawPath, &Entry> = all.map(|entry| (&entry.path, entry)).collect();
        for entry in below.found.iter().filter(|entry| entry.is_dir()) {
            let folder = entry.path.parent().and_then(|path| by_path.get(&path).copied());
            if folder.is_some_and(|folder| mounts.crosses(folder, entry)) {
                below.shut.push(entry.path.clone());
                if one_file_system {
                    below.stays.extend(entry.path.and_above());
                }
            }
        }
        Ok(below)
    }
}

/// What is below the picked folders.
#[derive(Default)]
struct Below {
    found: Vec<Entry>,
    /// Folders that stay whatever the backup says: those where another file system begins that the plan does not enter, and
    /// the folders above them.
    stays: HashSet<RawPath>,
    /// What cannot be deleted: where another file system begins, and what could not be looked at.
    shut: Vec<RawPath>,
}

/// Returns where a target would have come from, as an absolute path.
fn source_path(target: &RawPath, options: &RestoreOptions) -> RawPath {
    let Some(to) = &options.to else {
        return target.clone();
    };
    let below = target.below(to).unwrap_or_default();
    options.strip.join(below.as_bytes()).map_or_else(|_| target.clone(), |path| path.to_absolute())
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
