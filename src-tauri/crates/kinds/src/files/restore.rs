//! Restoring: one tar stream into the server's tar, then exactly the deletions that were confirmed.

mod by_host;
mod by_tar;
mod damaged;
mod deletions;
mod half;
mod led_away;
mod sending;
mod since;
mod unset;

use super::listing;
use super::settings::Settings;
use crate::gnu::Tools;
use crate::problems::Problems;
use backstay_core::entry::{Entry, EntrySource};
use backstay_core::host::{Command, Host, run};
use backstay_core::kind::{ChangeKind, RestoreMode, RestoreOptions, RestorePlan, RestoreReport};
use backstay_core::run::{Phase, ProblemKind};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext, tar};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Restores what `plan` says. A cancel ends it, once what is half written is cleared.
pub(super) async fn restore(
    ctx: &RunContext,
    host: &dyn Host,
    item: &str,
    settings: &Settings,
    source: &mut dyn EntrySource,
    plan: &RestorePlan,
    options: &RestoreOptions,
) -> Result<RestoreReport> {
    ctx.progress.phase(Phase::Restoring);
    let tools = ctx.or_cancel(Tools::probe(host)).await?;
    let writes = plan.changes.iter().filter(|c| c.kind != ChangeKind::Delete && c.kind != ChangeKind::Keep);
    let bytes = writes.clone().map(|c| c.size_bytes).sum();
    ctx.progress.total(Some(writes.clone().filter(|c| !c.is_dir).count() as u64), Some(bytes));
    let mut paths: HashSet<RawPath> = writes.filter_map(|c| c.path.clone()).collect();
    let mut deletions = Vec::new();
    for change in plan.changes.iter().filter(|c| c.kind == ChangeKind::Delete) {
        deletions.push((RawPath::from_text(&change.target)?, change.is_dir));
    }
    let overwrites = || plan.changes.iter().filter(|c| c.kind == ChangeKind::Overwrite);
    let giving_way = overwrites().filter(|c| c.is_dir).filter_map(|c| RawPath::from_text(&c.target).ok()).collect();
    let mut restorer = Restorer {
        ctx,
        host,
        tools: &tools,
        settings,
        plan,
        options,
        problems: Problems::new(ctx, item),
        report: RestoreReport { kept: plan.kept, ..RestoreReport::default() },
        written: Vec::new(),
        begun: None,
        stayed: HashSet::new(),
        first_names: HashMap::new(),
        lacking: by_host::Lacking::default(),
        unset: BTreeMap::new(),
        giving_way,
        damaged: None,
        cut: HashSet::new(),
    };
    // What stands where a file or link must go has to leave first.
    let in_the_way: HashSet<RawPath> =
        overwrites().filter(|c| !c.is_dir).filter_map(|c| RawPath::from_text(&c.target).ok()).collect();
    let (first, later): (Vec<_>, Vec<_>) = deletions.into_iter().partition(|(path, _)| {
        listing::folders_above(std::slice::from_ref(path)).iter().any(|f| in_the_way.contains(f))
    });
    ctx.or_cancel(restorer.delete(first)).await?;
    if tools.tar.is_empty() && options.mode == RestoreMode::Replace {
        ctx.or_cancel(restorer.remove_emptied(in_the_way)).await?;
    }
    if !paths.is_empty() {
        paths = ctx.or_cancel(restorer.without_led_by_others(paths)).await?;
    }
    if !paths.is_empty() {
        restorer.write(source, &paths).await?;
    }
    ctx.or_cancel(restorer.finish(later)).await
}

struct Restorer<'a> {
    ctx: &'a RunContext,
    host: &'a dyn Host,
    tools: &'a Tools,
    settings: &'a Settings,
    plan: &'a RestorePlan,
    options: &'a RestoreOptions,
    problems: Problems<'a>,
    report: RestoreReport,
    /// What was sent, with its target.
    written: Vec<(Entry, RawPath)>,
    /// What is being sent to tar.
    begun: Option<(Entry, RawPath)>,
    /// What was left alone there, since it appeared or changed after the preview.
    stayed: HashSet<RawPath>,
    /// Hard-linked files already sent in this stream: (device, inode) to the name in the archive.
    first_names: HashMap<(u64, u64), Vec<u8>>,
    /// What could not be restored of files that are there.
    lacking: by_host::Lacking,
    /// Why tar could not set attributes, each with its files. tar may say so twice.
    unset: BTreeMap<String, BTreeSet<String>>,
    /// What a folder takes the place of, as the preview said.
    giving_way: HashSet<RawPath>,
    /// The first file that is damaged in the backup and was left out.
    damaged: Option<Error>,
    /// Files that turned out to be damaged when the server's tar had begun with them.
    cut: HashSet<RawPath>,
}

impl Restorer<'_> {
    async fn write(&mut self, source: &mut dyn EntrySource, paths: &HashSet<RawPath>) -> Result<()> {
        if !self.tools.tar.is_empty() {
            return self.write_through_tar(source, paths).await;
        }
        if !self.host.capabilities().files {
            let why = format!("Cannot restore files to {}: GNU tar is not installed there", self.host.label());
            let hint = "Install it (Alpine: apk add tar; Debian: apt install tar), or switch on SFTP.";
            return Err(Error::new(ErrorClass::Unsupported, why).hint(hint));
        }
        self.ctx.or_cancel(self.write_through_host(source, paths)).await
    }

    /// Looks whether everything is there, then deletes, and says what is lacking.
    async fn finish(mut self, deletions: Vec<(RawPath, bool)>) -> Result<RestoreReport> {
        let none = self.written.iter().all(|(entry, _)| entry.is_dir());
        if let Some(error) = self.damaged.take_if(|_| none) {
            return Err(error);
        }
        self.verify().await?;
        self.delete_last(deletions).await?;
        // After the deletions: a file without its owner is there all the same.
        std::mem::take(&mut self.lacking).report(&mut self.problems);
        for (reason, files) in std::mem::take(&mut self.unset) {
            self.problems.report(ProblemKind::Unwritable, unset::names(&files), reason);
        }
        Ok(self.report)
    }

    /// Deletes what was confirmed, if all was written, and gives the folders their times back.
    async fn delete_last(&mut self, deletions: Vec<(RawPath, bool)>) -> Result<()> {
        if deletions.is_empty() {
            return Ok(());
        }
        if self.problems.spoiling() > 0 {
            let why = "They were not deleted, because not everything went as planned";
            self.problems.report(ProblemKind::Other, format!("{} deletions", deletions.len()), why);
            return Ok(());
        }
        let parents: HashSet<RawPath> = deletions.iter().filter_map(|(path, _)| path.parent()).collect();
        self.ctx.progress.phase(Phase::Deleting);
        self.delete(deletions).await?;
        self.touch(&parents).await
    }

    /// Compares what is at the target with what was sent. Nothing at all there is an error, never a success.
    async fn verify(&mut self) -> Result<()> {
        if self.written.is_empty() {
            return Ok(());
        }
        let targets: Vec<RawPath> = self.written.iter().map(|(_, target)| target.clone()).collect();
        let mut notes = RestorePlan::default();
        let there = super::compare::look_at(self.ctx, self.host, self.tools, &targets, &mut notes).await?;
        let mut good = 0;
        for (entry, target) in &self.written {
            let whole = there.get(target).is_some_and(|there| {
                std::mem::discriminant(&there.kind) == std::mem::discriminant(&entry.kind)
                    && (!entry.is_file() || there.size_bytes == entry.size_bytes)
            });
            if whole {
                good += 1;
                if !entry.is_dir() && !self.problems.has(target) {
                    self.report.files += 1;
                    self.report.bytes += entry.size_bytes;
                }
            } else {
                self.problems.path(ProblemKind::Unwritable, target, "It is not there as it was sent");
            }
        }
        let any_file = self.written.iter().any(|(entry, _)| !entry.is_dir());
        if good == 0 || (any_file && self.report.files == 0) {
            let why = format!("Cannot restore to {}: nothing of what was sent is there", self.host.label());
            return Err(Error::new(ErrorClass::Refused, why).hint("See the problems of this run for the reasons"));
        }
        Ok(())
    }

    /// Deletes exactly these, deepest first. Names go in on standard input, ended by NUL.
    async fn delete(&mut self, paths: Vec<(RawPath, bool)>) -> Result<()> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut paths = self.without_led_away(paths).await?;
        paths.sort_by(|a, b| b.0.cmp(&a.0));
        if !self.host.capabilities().commands {
            for (path, _) in &paths {
                self.ctx.check()?;
                match self.host.remove(path).await {
                    Ok(()) => {
                        self.report.deleted += 1;
                        self.ctx.progress.alive();
                    }
                    Err(error) if error.class == ErrorClass::Offline => return Err(error),
                    Err(error) => self.problems.path(ProblemKind::Unwritable, path, error.message),
                }
            }
            return Ok(());
        }
        for (folders, script) in [(false, "xargs -0 rm -f --"), (true, "xargs -0 rmdir --")] {
            let mut names = Vec::new();
            for (path, _) in paths.iter().filter(|(path, is_dir)| *is_dir == folders && !path.is_root()) {
                names.extend_from_slice(path.as_bytes());
                names.push(0);
            }
            if !names.is_empty() {
                self.ctx.check()?;
                let no_args: [&str; 0] = [];
                let deleting = run(self.host, Command::sh(script, no_args), &names);
                let output = self.ctx.while_it_runs(deleting).await?;
                output.stderr.lines().for_each(|line| self.ctx.progress.log(line));
            }
        }
        let targets: Vec<RawPath> = paths.iter().map(|(path, _)| path.clone()).collect();
        let mut notes = RestorePlan::default();
        let there = super::compare::look_at(self.ctx, self.host, self.tools, &targets, &mut notes).await?;
        for path in &targets {
            if there.contains_key(path) {
                self.problems.path(ProblemKind::Unwritable, path, "It could not be deleted");
            } else {
                self.report.deleted += 1;
            }
        }
        Ok(())
    }

    /// Sends those of these folders that are restored once more, for their times.
    async fn touch(&mut self, folders: &HashSet<RawPath>) -> Result<()> {
        let restored = self.written.iter().filter(|(entry, target)| entry.is_dir() && folders.contains(target));
        let folders: Vec<&(Entry, RawPath)> = restored.collect();
        if folders.is_empty() {
            return Ok(());
        }
        if self.tools.tar.is_empty() {
            let entries: Vec<Entry> =
                folders.iter().map(|(entry, target)| Entry { path: target.clone(), ..entry.clone() }).collect();
            // What cannot be set is known since the first time.
            return self.host.set_attributes(&entries).await.map(drop);
        }
        let mut bytes = Vec::new();
        for (entry, target) in folders {
            bytes.extend(tar::header(entry, &archive_name(target), 0, None, &[]));
        }
        bytes.extend(tar::END);
        let output = self.ctx.while_it_runs(run(self.host, self.extract_command(), &bytes)).await?;
        output.stderr.lines().for_each(|line| self.ctx.progress.log(line));
        Ok(())
    }
}

/// Returns a target's name in the stream: relative to "/", and never looking like an option.
fn archive_name(target: &RawPath) -> Vec<u8> {
    [b"./", target.to_relative().as_bytes()].concat()
}
