//! What a `replace` must not delete: things that are missing in the backup only because they could not be read.

use backstay_core::RawPath;
use backstay_core::kind::{ChangeKind, RestoreOptions, RestorePlan};
use backstay_core::layout::BackupManifest;
use backstay_core::run::{Problem, ProblemKind};

/// Takes deletions out of a plan that would hit what the backup run could not read, and says so. Returns how many.
pub(super) fn spare_unread(plan: &mut RestorePlan, problems: &[Problem], options: &RestoreOptions) -> u64 {
    let unread: Vec<RawPath> = problems.iter().filter_map(|problem| target_of(problem, options)).collect();
    if unread.is_empty() {
        return 0;
    }
    let before = plan.changes.len();
    plan.changes.retain(|change| {
        if change.kind != ChangeKind::Delete {
            return true;
        }
        let Ok(target) = RawPath::from_text(&change.target) else { return true };
        // The folders above what is spared stay too.
        !unread.iter().any(|path| target.starts_with(path) || (change.is_dir && path.starts_with(&target)))
    });
    let spared = (before - plan.changes.len()) as u64;
    if spared > 0 {
        plan.kept += spared;
        plan.warnings.push(format!(
            "{spared} that the backup could not read are not deleted: they are missing in it only because of that"
        ));
    }
    spared
}

/// Tells whether the reading of files broke off in a backup, and it was completed with its other items.
pub(super) fn is_cut_off(manifest: &BackupManifest) -> bool {
    let mut files = manifest.items.iter().filter(|item| item.kind == "files").map(|item| item.name.as_str());
    // The problem of an item that failed as a whole names the item itself; those of single files name paths.
    files.any(|name| manifest.problems.iter().any(|problem| problem.item == name && problem.subject == name))
}

/// Takes all deletions out of a plan of files whose reading broke off: what the backup run never got to is missing in it
/// just as what was not there. Says so.
pub(super) fn spare_all(plan: &mut RestorePlan) {
    let before = plan.changes.len();
    plan.changes.retain(|change| change.kind != ChangeKind::Delete);
    plan.kept += (before - plan.changes.len()) as u64;
    plan.warnings.push(
        "Nothing is deleted: the reading of the files broke off in this backup, and what it never got to looks like what \
         was not there"
            .into(),
    );
}

fn target_of(problem: &Problem, options: &RestoreOptions) -> Option<RawPath> {
    if matches!(problem.kind, ProblemKind::Database | ProblemKind::Vanished) {
        return None;
    }
    let path = RawPath::from_text(&problem.subject).ok().filter(|path| path.is_absolute() && !path.is_root())?;
    options.target(&path.to_relative()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use backstay_core::kind::{Change, RestoreMode};

    fn change(kind: ChangeKind, target: &str, is_dir: bool) -> Change {
        Change {
            kind,
            item: "files".into(),
            target: target.into(),
            path: None,
            is_dir,
            size_bytes: 1,
            target_mtime: None,
        }
    }

    fn unreadable(subject: &str) -> Problem {
        Problem {
            kind: ProblemKind::Unreadable,
            item: "files".into(),
            subject: subject.into(),
            reason: "no right".into(),
        }
    }

    #[test]
    fn what_could_not_be_read_is_not_deleted() {
        let options = RestoreOptions { mode: RestoreMode::Replace, to: None, strip: RawPath::root(), only: Vec::new() };
        let delete = |target, is_dir| change(ChangeKind::Delete, target, is_dir);
        let mut plan = RestorePlan {
            changes: vec![
                change(ChangeKind::Create, "/srv/new", false),
                delete("/srv/private/key", false),
                delete("/srv/private", true),
                delete("/srv/locked", true),
                delete("/srv/locked/a", false),
                delete("/srv/private/other", false),
                delete("/srv/locked-not", false),
            ],
            ..RestorePlan::default()
        };
        let spared = spare_unread(&mut plan, &[unreadable("/srv/private/key"), unreadable("/srv/locked")], &options);
        let left: Vec<_> = plan.changes.iter().map(|change| change.target.as_str()).collect();
        assert_eq!(left, ["/srv/new", "/srv/private/other", "/srv/locked-not"]);
        assert_eq!((spared, plan.kept, plan.warnings.len()), (4, 4, 1));
    }

    #[test]
    fn elsewhere_the_same_places_are_spared() {
        let to = Some(RawPath::new("/restored").unwrap());
        let options =
            RestoreOptions { mode: RestoreMode::Replace, to, strip: RawPath::new("srv").unwrap(), only: vec![] };
        let mut plan =
            RestorePlan { changes: vec![change(ChangeKind::Delete, "/restored/key", false)], ..RestorePlan::default() };
        assert_eq!(spare_unread(&mut plan, &[unreadable("/srv/key")], &options), 1);
    }
}
