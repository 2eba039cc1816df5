//! Files that appeared or changed since the preview, where only what is missing, or older, is to be written: they stay.

use super::{Restorer, archive_name};
use crate::gnu::unquote;
use backstay_core::entry::Entry;
use backstay_core::kind::RestoreMode;
use backstay_core::run::ProblemKind;
use backstay_core::{RawPath, Result};
use std::collections::{HashMap, HashSet};

/// What GNU tar says of a file that is there, and of one that is newer.
const EXISTS: &str = ": skipping existing file";
const IS_NEWER: &str = "' is newer or same age";

impl Restorer<'_> {
    /// Takes what tar says it left alone from what was sent, and names it.
    pub(super) fn leave_what_stayed(&mut self, said: &str) {
        if !said.contains(EXISTS) && !said.contains(IS_NEWER) {
            return;
        }
        let sent = self.written.iter().chain(&self.begun).filter(|(entry, _)| !entry.is_dir());
        let sent: HashSet<&RawPath> = sent.map(|(_, target)| target).collect();
        let stayed: HashSet<RawPath> = said.lines().filter_map(|line| read(line, |path| sent.contains(path))).collect();
        let names: HashMap<Vec<u8>, &RawPath> = stayed.iter().map(|path| (archive_name(path), path)).collect();
        let first_of = |entry: &Entry| {
            let first = self.first_names.get(&(entry.device, entry.inode)).filter(|_| entry.is_hard_linked())?;
            names.get(first).copied()
        };
        let (mut kept, mut linked) = (Vec::new(), Vec::new());
        for (entry, target) in &self.written {
            if stayed.contains(target) {
                kept.push(target.clone());
            } else if let Some(first) = first_of(entry) {
                linked.push((target.clone(), first.clone()));
            }
        }
        for target in &kept {
            self.name_what_stays(target);
        }
        for (target, first) in &linked {
            let why = format!("It was not restored: it is another name of {first}, which changed since the preview");
            self.problems.path(ProblemKind::Other, target, why);
        }
        self.stayed.extend(stayed);
        self.stayed.extend(linked.into_iter().map(|(target, _)| target));
        self.written.retain(|(_, target)| !self.stayed.contains(target));
    }

    /// Tells whether something is at `target` by now that stays, and names it. Folders that are there are not touched.
    pub(super) async fn stays_by_now(&mut self, entry: &Entry, target: &RawPath) -> Result<bool> {
        let mode = self.options.mode;
        if !matches!(mode, RestoreMode::Missing | RestoreMode::Newer) {
            return Ok(false);
        }
        let there = match self.host.stat(target).await {
            Ok(there) => there,
            Err(error) if error.class.ends_the_run() => return Err(error),
            // It is not there, or writing it says what is wrong.
            Err(_) => return Ok(false),
        };
        if entry.is_dir() {
            return Ok(there.is_dir());
        }
        let stays = mode == RestoreMode::Missing || there.mtime >= entry.mtime;
        if stays {
            self.name_what_stays(target);
        }
        Ok(stays)
    }

    fn name_what_stays(&mut self, target: &RawPath) {
        let why = "It was not restored: it appeared or changed since the preview, and stays as it is";
        self.problems.path(ProblemKind::Other, target, why);
        self.report.kept += 1;
    }
}

/// Returns what tar says it left alone. `is_known` (asked with the absolute path) tells whether it was sent.
pub(super) fn read(line: &str, is_known: impl Fn(&RawPath) -> bool) -> Option<RawPath> {
    let (_, rest) = line.split_once(": ")?;
    let path = |name: &[u8]| RawPath::new([b"/", name].concat()).ok().filter(&is_known);
    match rest.strip_suffix(EXISTS) {
        // Most versions do not quote this name.
        Some(name) => path(name.as_bytes()).or_else(|| path(&unquote(name.as_bytes()))),
        None => path(&unquote(rest.strip_prefix("Current '")?.strip_suffix(IS_NEWER)?.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_told_from_the_words() {
        let odd = |line| read(line, |path| path.as_bytes() == b"/a/it's: \\ so");
        assert!(odd("tar: ./a/it's: \\ so: skipping existing file").is_some());
        assert!(odd("tar: ./a/it's: \\\\ so: skipping existing file").is_some());
        assert!(odd("/bin/tar: Current './a/it\\'s: \\\\ so' is newer or same age").is_some());
        assert!(odd("tar: ./a/it's: Cannot open: File exists").is_none());
        assert!(odd("tar: ./other: skipping existing file").is_none());
    }
}
