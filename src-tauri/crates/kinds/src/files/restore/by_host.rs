//! Restoring where there is no GNU tar: file by file, through the host's own calls. What such a host cannot do is named.

use super::Restorer;
use crate::files::compare::look_at;
use crate::files::watched::watched;
use crate::files::ways::real_folder;
use crate::problems::Problems;
use backstay_core::entry::{Entry, EntrySource, EntryType};
use backstay_core::host::Attribute;
use backstay_core::kind::RestorePlan;
use backstay_core::run::ProblemKind;
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::collections::{BTreeMap, HashSet};

/// Files that get their attributes together.
const BATCH: usize = 256;
/// Names told of things that went wrong with many files for one reason.
const NAMES: usize = 3;

/// What could not be restored of files that are there otherwise.
#[derive(Default)]
pub(super) struct Lacking(BTreeMap<&'static str, (u64, Vec<RawPath>)>);

impl Lacking {
    fn add(&mut self, what: &'static str, path: &RawPath) {
        let (count, names) = self.0.entry(what).or_default();
        *count += 1;
        if names.len() < NAMES {
            names.push(path.clone());
        }
    }

    pub(super) fn report(self, problems: &mut Problems<'_>) {
        for (what, (count, names)) in self.0 {
            let names: Vec<String> = names.iter().map(RawPath::to_text).collect();
            let more = if count > names.len() as u64 { ", …" } else { "" };
            let why =
                format!("They could not be restored without GNU tar, or not by this user: {}{more}", names.join(", "));
            problems.report(ProblemKind::Unwritable, format!("{what} ({count})"), why);
        }
    }
}

impl Restorer<'_> {
    pub(super) async fn write_through_host(
        &mut self,
        source: &mut dyn EntrySource,
        paths: &HashSet<RawPath>,
    ) -> Result<()> {
        let (mut files, mut folders, mut links) = (Vec::new(), Vec::new(), Vec::new());
        let mut inodes = HashSet::new();
        while let Some(entry) = source.next().await? {
            self.ctx.check()?;
            if !paths.contains(&entry.path) || entry.kind == EntryType::Socket {
                continue;
            }
            let target = self.options.target(&entry.path)?;
            self.ctx.progress.current(&target.to_text());
            if matches!(entry.kind, EntryType::Symlink(_)) {
                // Last of all: nothing of the backup may be written through a link of the backup.
                links.push(Entry { path: target, ..entry });
                continue;
            }
            if self.make(&entry, &target, source).await? {
                if entry.is_hard_linked() && !inodes.insert((entry.device, entry.inode)) {
                    self.lacking.add("hard links: they are copies now", &target);
                }
                if !entry.xattrs.is_empty() {
                    self.lacking.add("extended attributes", &target);
                }
                let there = Entry { path: target, xattrs: Vec::new(), ..entry };
                if there.is_dir() { folders.push(there) } else { files.push(there) }
            }
            if files.len() >= BATCH {
                self.give_attributes(&mut files).await?;
            }
        }
        self.give_attributes(&mut files).await?;
        for link in links {
            self.ctx.check()?;
            let EntryType::Symlink(to) = &link.kind else { continue };
            if self.stays_by_now(&link, &link.path).await? {
                self.ctx.progress.advance(1, 0);
                continue;
            }
            let above = match link.path.parent() {
                Some(folder) => self.host.make_dir(&folder).await,
                None => Ok(()),
            };
            let made = match above {
                Ok(()) => self.host.make_link(&link.path, to).await,
                error => error,
            };
            if self.is_done(made, &link.path)? {
                self.written.push((link.clone(), link.path.clone()));
                files.push(link);
            }
            self.ctx.progress.advance(1, 0);
        }
        self.give_attributes(&mut files).await?;
        // The deepest first: a folder's own mode and time come after all that happened in it.
        folders.sort_by(|a, b| b.path.cmp(&a.path));
        self.give_attributes(&mut folders).await?;
        Ok(())
    }

    /// Removes folders that a file or link takes the place of, once they are empty: tar does that by itself.
    pub(super) async fn remove_emptied(&mut self, in_the_way: HashSet<RawPath>) -> Result<()> {
        let targets: Vec<RawPath> = in_the_way.into_iter().collect();
        let there = look_at(self.ctx, self.host, self.tools, &targets, &mut RestorePlan::default()).await?;
        for folder in there.values().filter(|entry| entry.is_dir()) {
            match self.host.remove(&folder.path).await {
                Err(error) if error.class.ends_the_run() => return Err(error),
                // What could not go is named when its place is to be taken.
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes a folder or file; false when that is a problem, or something stays in its place.
    async fn make(&mut self, entry: &Entry, target: &RawPath, source: &mut dyn EntrySource) -> Result<bool> {
        if self.stays_by_now(entry, target).await? {
            self.ctx.progress.advance(u64::from(!entry.is_dir()), 0);
            return Ok(false);
        }
        let made = match entry.kind {
            EntryType::Dir => self.make_folder(target).await,
            EntryType::File => self.make_file(entry, target, source).await,
            _ => {
                let why = "It is a pipe or device, which cannot be made without GNU tar on the server";
                self.problems.path(ProblemKind::Unwritable, target, why);
                return Ok(false);
            }
        };
        let done = self.is_done(made, target)?;
        if !entry.is_dir() {
            self.ctx.progress.advance(1, 0);
        }
        if done {
            self.written.push((entry.clone(), target.clone()));
        }
        Ok(done)
    }

    async fn make_file(&self, entry: &Entry, target: &RawPath, source: &mut dyn EntrySource) -> Result<()> {
        if let Some(folder) = target.parent() {
            self.host.make_dir(&folder).await?;
        }
        let mut content = source.content();
        let mut content = watched(&mut content, self.ctx);
        // Nobody else's until it has its owner.
        self.host.write(target, entry.mode & 0o700, &mut content).await.map(drop)
    }

    /// Makes a folder. A new one is nobody else's until it has all that is its own; ours it must be whatever its mode
    /// says, since its files are yet to come.
    async fn make_folder(&self, target: &RawPath) -> Result<()> {
        let is_new = match self.host.stat(target).await {
            Ok(there) if !there.is_dir() => {
                // Its mode, owner and time would become those of the folder it leads to.
                if real_folder(self.ctx, self.host, target, &mut Vec::new()).await?.is_some() {
                    let why = format!(
                        "Cannot make the folder {target}: it has become a symbolic link to a folder, which stays, and \
                         what lies below it is written there"
                    );
                    return Err(Error::new(ErrorClass::Exists, why));
                }
                if !self.giving_way.contains(target) {
                    let why = format!("Cannot make the folder {target}: something took its place since the preview");
                    return Err(Error::new(ErrorClass::Exists, why));
                }
                self.host.remove(target).await?;
                true
            }
            Ok(_) => false,
            Err(error) if error.class.ends_the_run() => return Err(error),
            Err(error) => error.class == ErrorClass::Missing,
        };
        self.host.make_dir(target).await?;
        if is_new {
            // Its owner as it is for now: what was given away early, others could change while we write into it.
            let closed = Entry { mode: 0o700, ..self.host.stat(target).await? };
            // What cannot be set is named at the end, when all of it is set.
            self.host.set_attributes(&[closed]).await?;
        }
        Ok(())
    }

    fn is_done(&mut self, made: Result<()>, target: &RawPath) -> Result<bool> {
        use ErrorClass as C;
        match made {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.class, C::Refused | C::Exists | C::Missing | C::Unsupported) => {
                self.problems.path(ProblemKind::Unwritable, target, error.message);
                Ok(false)
            }
            // Nothing took its place: a file is written beside it first.
            Err(error) if error.class == C::Corrupt => {
                self.leave_out(target, error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn give_attributes(&mut self, entries: &mut Vec<Entry>) -> Result<()> {
        for batch in entries.chunks(BATCH) {
            self.ctx.check()?;
            self.ctx.progress.alive();
            for (path, what) in self.host.set_attributes(batch).await? {
                self.lacking.add(
                    match what {
                        Attribute::Owner => "owners",
                        Attribute::Mode => "modes",
                        Attribute::Time => "times",
                    },
                    &path,
                );
            }
        }
        entries.clear();
        Ok(())
    }
}
