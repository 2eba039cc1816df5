//! What restoring any kind of database has in common.

use crate::dump::database_name;
use backstay_core::entry::Entry;
use backstay_core::host::Host;
use backstay_core::kind::{Change, ChangeKind, ItemInput, RestoreMode, RestoreOptions, RestorePlan, RestoreReport};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::collections::HashMap;

/// A database to be restored: the name it had, and the one it gets.
pub(crate) struct Target {
    /// Its name in the backup.
    pub original: String,
    /// Its name at the target.
    pub name: String,
}

impl Target {
    /// Reads the database's name off its path; `None` when the path is no dump. Restored to another place, it does not
    /// touch the database of the same name: it gets `_restored` after its own.
    pub(crate) fn of(path: &RawPath, ending: &str, options: &RestoreOptions) -> Option<Self> {
        let file = std::str::from_utf8(path.name()?).ok()?;
        let original = database_name(file.strip_suffix(ending)?)?;
        if file.starts_with('!') {
            return None;
        }
        let name = if options.to.is_some() { format!("{original}_restored") } else { original.clone() };
        Some(Self { original, name })
    }
}

/// Returns the name of a database beside `name`, where `name`'s is loaded or kept for a while. Names have 63 bytes at most.
pub(crate) fn beside(name: &str, what: &str) -> String {
    let mut length = name.len().min(48);
    while !name.is_char_boundary(length) {
        length -= 1;
    }
    format!("{}_backstay_{what}", &name[..length])
}

/// Compares the dumps of a listing with the databases that are there.
pub(crate) fn plan(
    input: &ItemInput,
    listing: &[Entry],
    options: &RestoreOptions,
    there: &[String],
    ending: &str,
) -> RestorePlan {
    let mut plan = RestorePlan::default();
    for entry in listing.iter().filter(|entry| entry.is_file() && options.picks(&entry.path)) {
        let Some(target) = Target::of(&entry.path, ending, options) else {
            continue;
        };
        let exists = there.contains(&target.name);
        let kind = match (exists, options.mode) {
            (false, _) => ChangeKind::Create,
            (true, RestoreMode::Merge | RestoreMode::Replace) => ChangeKind::Overwrite,
            (true, RestoreMode::Newer | RestoreMode::Missing) => {
                plan.kept += 1;
                continue;
            }
        };
        if kind == ChangeKind::Overwrite && options.mode == RestoreMode::Merge {
            let why = format!(
                "The database {} is there: its tables of the same names are replaced, others stay",
                target.name
            );
            plan.warnings.push(why);
        }
        if kind == ChangeKind::Overwrite && options.mode == RestoreMode::Replace {
            let why = "it is replaced when the new one is whole; until then there must be room for both";
            plan.warnings.push(format!("The database {} is there: {why}", target.name));
        }
        if target.name != target.original {
            plan.facts.push(format!("The database {} is restored as {}", target.original, target.name));
        }
        plan.changes.push(Change {
            kind,
            item: input.item.name.clone(),
            target: format!("database {}", target.name),
            path: Some(entry.path.clone()),
            is_dir: false,
            size_bytes: entry.size_bytes,
            target_mtime: None,
        });
    }
    if plan.kept > 0 && options.mode == RestoreMode::Newer {
        plan.warnings.push("Databases that are there stay: their age cannot be told".into());
    }
    plan
}

/// Returns what a plan wants written, by path in the backup.
pub(crate) fn wanted(plan: &RestorePlan) -> HashMap<RawPath, ChangeKind> {
    let writes = plan.changes.iter().filter(|c| matches!(c.kind, ChangeKind::Create | ChangeKind::Overwrite));
    writes.filter_map(|change| Some((change.path.clone()?, change.kind))).collect()
}

/// Ends a restore: nothing restored although something was wanted is an error.
pub(crate) fn finish(
    host: &dyn Host,
    wanted: &HashMap<RawPath, ChangeKind>,
    report: RestoreReport,
) -> Result<RestoreReport> {
    if report.files == 0 && !wanted.is_empty() {
        let why = format!("Cannot restore to {}: none of {} databases could be loaded", host.label(), wanted.len());
        return Err(Error::new(ErrorClass::Internal, why).hint("See the problems of this run for the reasons"));
    }
    Ok(report)
}

/// Returns an error as a problem's reason: the message and the first line the tool said.
pub(crate) fn reason(error: &Error) -> String {
    match error.detail.as_deref().and_then(crate::dump::first_line) {
        Some(line) if !error.message.contains(line) => format!("{}: {line}", error.message),
        _ => error.message.clone(),
    }
}

/// Returns an error as a problem's reason, with what to do next where the error knows it.
pub(crate) fn advice(error: &Error) -> String {
    match error.hint.as_deref().filter(|hint| *hint != crate::dump::DETAILS) {
        Some(hint) => format!("{}. {hint}", reason(error)),
        None => reason(error),
    }
}

/// Makes the error of a database that is there, though it was not when what is to happen was looked at.
pub(crate) fn appeared(host: &dyn Host, name: &str) -> Error {
    let why = format!(
        "Cannot restore database {name} on {}: it was not to be seen there when the restore was planned, and is now",
        host.label()
    );
    Error::new(ErrorClass::Exists, why).hint("Look at what is in it, then plan the restore anew")
}
