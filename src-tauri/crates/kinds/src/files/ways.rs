//! The folders a restore goes through, as they are at the target. Administrators move folders to bigger disks and put a
//! link in their place: such a link is kept, and what is below it is compared and written through it.

use super::settings::Settings;
use crate::gnu::Tools;
use backstay_core::entry::{Entry, EntryType};
use backstay_core::host::Host;
use backstay_core::kind::{RestoreMode, RestoreOptions, RestorePlan};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext, path};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Links followed from one path before it counts as a circle; as many as Linux follows.
const LINKS: usize = 40;

/// What stands at the target where a folder must be, and is none.
#[derive(Default)]
pub(super) struct Ways {
    /// Links that lead to a folder, each with that folder.
    links: HashMap<RawPath, RawPath>,
    /// Those of them among what is restored. Those further up were chosen with the place itself.
    met: HashSet<RawPath>,
    /// All that the links lead over, by its real name: without it they lead nowhere.
    passed: Vec<RawPath>,
    /// What a folder of the backup takes the place of.
    giving_way: HashSet<RawPath>,
    /// What stays, so that nothing can be written below it.
    closed: HashSet<RawPath>,
}

impl Ways {
    /// Decides on each of `met`, what is at the target and no folder, and says so in the plan. `restored` are the folders of
    /// the backup by their targets.
    pub(super) async fn find(
        ctx: &RunContext,
        host: &dyn Host,
        settings: &Settings,
        options: &RestoreOptions,
        met: &[&Entry],
        restored: &HashMap<&RawPath, &Entry>,
        plan: &mut RestorePlan,
    ) -> Result<Self> {
        let mut ways = Self::default();
        for entry in met {
            let path = &entry.path;
            let folder_of_backup = restored.get(path);
            if matches!(entry.kind, EntryType::Symlink(_)) {
                let mut passed = Vec::new();
                let folder = match real_folder(ctx, host, path, &mut passed).await {
                    // Where it leads is not ours to see, so it must not give way.
                    Err(error) if error.class == ErrorClass::Refused => {
                        let why = format!("stays as it is, and nothing is restored below it: {}", error.message);
                        plan.leave_out(path, &why);
                        ways.passed.extend(passed);
                        ways.closed.insert(path.clone());
                        continue;
                    }
                    folder => folder?,
                };
                if let Some(real) = folder {
                    if let Some(why) = real.led_by_another(host).await? {
                        plan.warnings.push(format!("{path} stays as it is, and nothing is restored below it: {why}"));
                        ways.passed.extend(passed);
                        ways.closed.insert(path.clone());
                        continue;
                    }
                    let folder = real.folder;
                    let is_met = is_within(settings, options, path);
                    let and = match (options.mode == RestoreMode::Replace, is_met) {
                        (true, true) => ", and nothing is deleted there",
                        (true, false) => ", and what replace deletes below it is deleted there, by this name only",
                        (false, _) => "",
                    };
                    plan.warnings.push(format!(
                        "{path} is a symbolic link to {folder} there: it stays, and what lies below it is written to \
                         that folder{and}"
                    ));
                    if is_met {
                        ways.met.insert(path.clone());
                    }
                    ways.links.insert(path.clone(), folder);
                    ways.passed.extend(passed);
                    continue;
                }
                if let Some(end) = passed.last().filter(|end| *end != path && restored.contains_key(end)) {
                    let why = format!(
                        "leads to {end}, which this restore makes: it stays; restore again for what is below it"
                    );
                    plan.leave_out(path, &why);
                    ways.closed.insert(path.clone());
                    continue;
                }
            }
            let what = what(entry);
            let is_newer = options.mode == RestoreMode::Newer
                && folder_of_backup.is_some_and(|folder| entry.mtime >= folder.mtime);
            if options.mode == RestoreMode::Missing || is_newer {
                let why = "it stays as it is, and nothing is restored below it";
                plan.leave_out(path, &format!("is {what} there, where a folder must be: {why}"));
                ways.closed.insert(path.clone());
            } else if folder_of_backup.is_some() {
                plan.warnings
                    .push(format!("{path} is {what} there, but a folder in the backup: the folder takes its place"));
                ways.giving_way.insert(path.clone());
            } else {
                let why = format!("Cannot restore below {path} on {}: it is {what} there, no folder", host.label());
                return Err(Error::new(ErrorClass::Exists, why).hint("Move it away, or restore to another place"));
            }
        }
        Ok(ways)
    }

    /// Tells whether `target` is to be left as it is, or cannot be made because something above it is.
    pub(super) fn stays(&self, target: &RawPath) -> bool {
        let is_below = || target.and_above().any(|path| self.closed.contains(&path));
        self.links.contains_key(target) || (!self.closed.is_empty() && is_below())
    }

    /// Tells whether a folder of the backup takes the place of what is at `target`.
    pub(super) fn gives_way(&self, target: &RawPath) -> bool {
        self.giving_way.contains(target)
    }

    /// Tells whether anything can be below `folder`, which is there.
    pub(super) fn leads_below(&self, folder: &RawPath) -> bool {
        !self.giving_way.contains(folder) && !self.closed.contains(folder)
    }

    /// Tells whether a link was met at `target` or on the way to it.
    pub(super) fn leads_through_a_link(&self, target: &RawPath) -> bool {
        !self.met.is_empty() && target.and_above().any(|path| self.met.contains(&path))
    }

    /// Tells whether a link that stays leads over `target`.
    pub(super) fn leads_over(&self, target: &RawPath) -> bool {
        !self.passed.is_empty() && self.real_name(target).is_ok_and(|real| self.passed.contains(&*real))
    }

    /// Returns the links that lead to a folder, each with that folder.
    pub(super) fn links(&self) -> impl Iterator<Item = (&RawPath, &RawPath)> {
        self.links.iter()
    }

    /// Returns what the links lead over, by its real name.
    pub(super) fn passed(&self) -> &[RawPath] {
        &self.passed
    }

    /// Returns the name of `path` that leads over no link.
    pub(super) fn real_name<'a>(&self, path: &'a RawPath) -> Result<Cow<'a, RawPath>> {
        if self.links.is_empty() {
            return Ok(Cow::Borrowed(path));
        }
        // Where the nearest one leads to is free of links itself.
        for above in path.and_above().skip(1) {
            if let Some(folder) = self.links.get(&above) {
                let below = path.below(&above).unwrap_or_default();
                return Ok(Cow::Owned(folder.join(below.as_bytes())?));
            }
        }
        Ok(Cow::Borrowed(path))
    }
}

/// Tells whether `path`, at the target, is among what is restored, and not above it.
pub(super) fn is_within(settings: &Settings, options: &RestoreOptions, path: &RawPath) -> bool {
    match &options.to {
        // Only a folder that was picked itself is restored to the place itself.
        Some(to) if path == to => {
            options.picks(&options.strip) && settings.root_of(&options.strip.to_absolute()).is_some()
        }
        Some(to) => path.starts_with(to),
        None => settings.root_of(path).is_some(),
    }
}

fn what(entry: &Entry) -> String {
    match &entry.kind {
        EntryType::Symlink(to) => format!("a symbolic link to {}, which is no folder,", path::escape(to)),
        EntryType::File => "a file".into(),
        _ => "a pipe, socket or device".into(),
    }
}

/// Where a path leads to.
pub(super) struct Real {
    pub folder: RawPath,
    /// The links it leads over, each with its owner.
    links: Vec<(RawPath, u32)>,
}

impl Real {
    /// Says why this way is not to be taken. An account that was broken into could have root write anywhere by a link. So one
    /// counts that root or we ourselves made, or the owner of the folder it leads to.
    pub(super) async fn led_by_another(&self, host: &dyn Host) -> Result<Option<String>> {
        let mut others: Vec<_> = self.links.iter().filter(|(_, uid)| *uid != 0).collect();
        if !others.is_empty() {
            let account = Tools::probe(host).await?.uid;
            others.retain(|(_, uid)| Some(*uid) != account);
        }
        if others.is_empty() {
            return Ok(None);
        }
        let (folder, owner) = (&self.folder, host.stat(&self.folder).await?.uid);
        let foreign = others.into_iter().find(|(_, uid)| *uid != owner);
        Ok(foreign.map(|(link, uid)| {
            format!(
                "{link} is a symbolic link of another account (uid {uid}) to {folder}, which is not its own. If that is \
                 right, give the link to root (chown -h), or restore to {folder} itself"
            )
        }))
    }
}

/// Follows the links of a path as the server would, part by part, and adds what it comes over to `passed`, last of all what
/// is not there. `None` when it leads to no folder. Who made the links is not judged.
pub(super) async fn real_folder(
    ctx: &RunContext,
    host: &dyn Host,
    path: &RawPath,
    passed: &mut Vec<RawPath>,
) -> Result<Option<Real>> {
    let root = RawPath::new("/")?;
    let mut at = root.clone();
    let mut rest: Vec<Vec<u8>> = path.parts().rev().map(<[u8]>::to_vec).collect();
    let mut links = Vec::new();
    while let Some(part) = rest.pop() {
        ctx.check()?;
        if part == b".." {
            at = at.parent().unwrap_or(at);
            continue;
        }
        let next = at.join(&part)?;
        passed.push(next.clone());
        let there = match host.stat(&next).await {
            Ok(there) => there,
            Err(error) if error.class == ErrorClass::Missing => return Ok(None),
            Err(error) => return Err(error),
        };
        match there.kind {
            EntryType::Dir => at = next,
            EntryType::Symlink(to) if links.len() < LINKS => {
                links.push((next, there.uid));
                if to.first() == Some(&b'/') {
                    at = root.clone();
                }
                let parts = to.split(|b| *b == b'/').filter(|part| !part.is_empty() && *part != b".");
                rest.extend(parts.rev().map(<[u8]>::to_vec));
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(Real { folder: at, links }))
}
