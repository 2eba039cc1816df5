//! What changed between two backups.

use super::copies::Copy;
use crate::backstay::{Backstay, Inner, locked};
use crate::words::invalid;
use backstay_contract::{DiffLineView, DiffView};
use backstay_core::entry::Entry;
use backstay_core::layout::{BackupDiff, DiffKind, DiffLine};
use backstay_core::{BackupId, RawPath, Result, RunContext};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Lines shown of a comparison.
const LINES_SHOWN: usize = 1000;
/// Comparisons kept: looking through a backup's folders asks for the same one each time.
const KEPT: usize = 4;

impl Backstay {
    /// Compares two backups.
    pub async fn backup_diff(&self, older: &str, newer: &str) -> Result<DiffView> {
        let (older, _) = self.inner.known_backup(&BackupId::from(older))?;
        let (newer, _) = self.inner.known_backup(&BackupId::from(newer))?;
        let diff = self.inner.diff_of(&older.record.id, &newer.record.id).await?;
        Ok(view(&older.record.id, &newer.record.id, &diff))
    }
}

impl Inner {
    /// Compares two backups where both lie, or returns what was found before.
    pub(super) async fn diff_of(&self, older: &BackupId, newer: &BackupId) -> Result<Arc<BackupDiff>> {
        let kept = locked(&self.diffs).iter().find(|(o, n, _)| o == older && n == newer).map(|(.., diff)| diff.clone());
        if let Some(diff) = kept {
            return Ok(diff);
        }
        let ctx = RunContext { clock: self.clock.clone(), ..RunContext::silent() };
        let diff = Arc::new(self.compare(&ctx, older, newer).await?);
        let mut diffs = locked(&self.diffs);
        diffs.push((older.clone(), newer.clone(), diff.clone()));
        if diffs.len() > KEPT {
            diffs.remove(0);
        }
        Ok(diff)
    }
}

impl Inner {
    /// Compares at the nearest place that has both and answers.
    async fn compare(&self, ctx: &RunContext, older: &BackupId, newer: &BackupId) -> Result<BackupDiff> {
        let others = self.copies(newer)?;
        let mut first = None;
        for copy in self.copies(older)? {
            let same_layout = |other: &Copy| {
                other.config.id == copy.config.id
                    && other.known.record.archive.is_some() == copy.known.record.archive.is_some()
            };
            if !others.iter().any(same_layout) {
                continue;
            }
            let compared = async { self.layout_of(&copy).await?.diff(ctx, older, newer).await };
            match compared.await {
                Ok(diff) => return Ok(diff),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
        Err(first.unwrap_or_else(|| {
            invalid("Cannot compare these backups: they lie at different destinations, or one of them is an archive")
                .hint("Compare two backups of one destination")
        }))
    }
}

fn view(older: &BackupId, newer: &BackupId, diff: &BackupDiff) -> DiffView {
    let own =
        RawPath::new(backstay_core::kind::BACKSTAY_DIR).and_then(|dir| dir.join("backup.json")).unwrap_or_default();
    // The manifest differs between any two backups; it is ours, not the server's.
    let lines: Vec<&DiffLine> = diff.lines.iter().filter(|line| line.path != own).collect();
    let count = |kind| lines.iter().filter(|line| line.kind == kind && !line.is_dir).count() as u64;
    let size = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let grown = lines.iter().filter(|line| !line.is_dir);
    let grown_bytes =
        grown.fold(0_i64, |sum, line| sum.saturating_add(size(line.new_bytes)).saturating_sub(size(line.old_bytes)));
    let mut shown: Vec<&DiffLine> = lines.iter().copied().filter(|line| !line.is_dir).collect();
    let total = shown.len() as u64;
    shown.sort_by(|a, b| {
        b.new_bytes.abs_diff(b.old_bytes).cmp(&a.new_bytes.abs_diff(a.old_bytes)).then(a.path.cmp(&b.path))
    });
    DiffView {
        older: older.to_string(),
        newer: newer.to_string(),
        added: count(DiffKind::Added),
        removed: count(DiffKind::Removed),
        changed: count(DiffKind::Changed),
        grown_bytes,
        lines: shown
            .into_iter()
            .take(LINES_SHOWN)
            .map(|line| DiffLineView {
                change: word(line.kind).into(),
                path: line.path.to_text(),
                old_bytes: line.old_bytes,
                new_bytes: line.new_bytes,
            })
            .collect(),
        total,
    }
}

fn word(kind: DiffKind) -> &'static str {
    match kind {
        DiffKind::Added => "added",
        DiffKind::Removed => "removed",
        DiffKind::Changed => "changed",
        DiffKind::Metadata => "metadata",
    }
}

/// Marks for the tree: what is new or changed, and the folders above it.
#[derive(Default)]
pub(super) struct Marks {
    entries: HashMap<RawPath, &'static str>,
    folders: HashSet<RawPath>,
}

impl Marks {
    pub(super) fn of(diff: &BackupDiff) -> Self {
        let mut marks = Self::default();
        for line in &diff.lines {
            let mark = match line.kind {
                DiffKind::Added => Some("added"),
                DiffKind::Changed => Some("changed"),
                // Something gone changes its folder, and has no line of its own.
                DiffKind::Removed => None,
                DiffKind::Metadata => continue,
            };
            if let Some(mark) = mark {
                marks.entries.insert(line.path.clone(), mark);
            }
            let mut above = line.path.parent();
            while let Some(folder) = above {
                above = folder.parent();
                if !marks.folders.insert(folder) {
                    break;
                }
            }
        }
        marks
    }

    pub(super) fn of_entry(&self, entry: &Entry) -> Option<&'static str> {
        let own = self.entries.get(&entry.path).copied();
        if !entry.is_dir() {
            return own;
        }
        own.filter(|mark| *mark == "added").or_else(|| self.folders.contains(&entry.path).then_some("changed"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use backstay_core::entry::{EntryType, TimeNs};

    fn line(kind: DiffKind, path: &str, old: u64, new: u64) -> DiffLine {
        DiffLine { kind, path: RawPath::new(path).unwrap(), is_dir: false, old_bytes: old, new_bytes: new }
    }

    #[test]
    fn the_lines_that_changed_size_most_come_first() {
        let diff = BackupDiff {
            lines: vec![
                line(DiffKind::Changed, "a", 10, 12),
                line(DiffKind::Removed, "b", 100, 0),
                line(DiffKind::Added, "c", 0, 5),
                line(DiffKind::Changed, ".backstay/backup.json", 1, 99),
            ],
        };
        let view = view(&"o".into(), &"n".into(), &diff);
        assert_eq!((view.added, view.removed, view.changed, view.total), (1, 1, 1, 3));
        assert_eq!(view.grown_bytes, 2 - 100 + 5);
        let paths: Vec<_> = view.lines.iter().map(|line| line.path.as_str()).collect();
        assert_eq!(paths, ["b", "c", "a"]);
    }

    #[test]
    fn folders_above_a_change_are_marked() {
        let diff = BackupDiff {
            lines: vec![line(DiffKind::Removed, "srv/www/x", 1, 0), line(DiffKind::Added, "etc/y", 0, 1)],
        };
        let marks = Marks::of(&diff);
        let entry = |path: &str, kind| Entry::plain(RawPath::new(path).unwrap(), kind, 0, TimeNs::default());
        assert_eq!(marks.of_entry(&entry("srv", EntryType::Dir)), Some("changed"));
        assert_eq!(marks.of_entry(&entry("etc/y", EntryType::File)), Some("added"));
        assert_eq!(marks.of_entry(&entry("etc/z", EntryType::File)), None);
        assert_eq!(marks.of_entry(&entry("opt", EntryType::Dir)), None);
    }
}
