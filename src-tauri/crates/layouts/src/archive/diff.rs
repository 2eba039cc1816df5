//! Compares two backups by their manifests.

use super::index::compare_paths;
use super::reader::Reader;
use backstay_core::layout::{BackupDiff, DiffKind, DiffLine};
use backstay_core::path::RawPath;
use backstay_core::{Result, RunContext};
use std::cmp::Ordering;

/// Entries compared between two looks at whether the run was cancelled.
const LOOK_EVERY: usize = 4096;

pub(crate) fn diff(ctx: &RunContext, old: &Reader, new: &Reader) -> Result<BackupDiff> {
    let (a, b) = (old.index(), new.index());
    let mut lines = Vec::new();
    let (mut at_old, mut at_new) = (0, 0);
    while at_old < a.len() || at_new < b.len() {
        if (at_old + at_new).is_multiple_of(LOOK_EVERY) {
            ctx.check()?;
        }
        let order = match (at_old < a.len(), at_new < b.len()) {
            (true, true) => compare_paths(a.path(at_old), b.path(at_new)),
            (true, false) => Ordering::Less,
            _ => Ordering::Greater,
        };
        let was = order.is_le().then_some(at_old);
        let is = order.is_ge().then_some(at_new);
        at_old += usize::from(was.is_some());
        at_new += usize::from(is.is_some());
        let kind = match (was, is) {
            (Some(was), Some(is)) => match compare(old, was, new, is) {
                Some(kind) => kind,
                None => continue,
            },
            (Some(_), None) => DiffKind::Removed,
            _ => DiffKind::Added,
        };
        let either = is.map(|row| (b, row)).or(was.map(|row| (a, row)));
        let Some((index, row)) = either else { continue };
        let bytes = |of: Option<usize>, index: &super::index::Index| of.map_or(0, |row| index.size(row));
        lines.push(DiffLine {
            kind,
            path: RawPath::new(index.path(row)).unwrap_or_default(),
            is_dir: index.is_dir(row),
            old_bytes: bytes(was, a),
            new_bytes: bytes(is, b),
        });
    }
    lines.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(BackupDiff { lines })
}

fn compare(old: &Reader, was: usize, new: &Reader, is: usize) -> Option<DiffKind> {
    if old.index().differs(was, new.index(), is) {
        return Some(DiffKind::Changed);
    }
    let (a, b) = (old.index().entry(was), new.index().entry(is));
    let same = (a.mode, a.uid, a.gid, a.mtime) == (b.mode, b.uid, b.gid, b.mtime) && a.xattrs == b.xattrs;
    (!same && !b.is_dir()).then_some(DiffKind::Metadata)
}
