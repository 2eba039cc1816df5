//! Files that turn out to be damaged in the backup: they are named, and keep no other file back.

use super::Restorer;
use backstay_core::run::ProblemKind;
use backstay_core::{Error, RawPath};

impl Restorer<'_> {
    /// Names a damaged file of which nothing was written.
    pub(super) fn leave_out(&mut self, target: &RawPath, error: Error) {
        self.problems.path(ProblemKind::Damaged, target, reason(&error));
        self.damaged.get_or_insert(error);
    }

    /// Names a damaged file the server's tar has begun with. The stream ends there, so that the file ends there too: filled up
    /// to its full size, it would look whole to every later restore.
    pub(super) fn cut_off(&mut self, target: RawPath, error: Error) {
        let why = format!("{}. Only what comes before the damage is there", reason(&error));
        self.problems.path(ProblemKind::Damaged, &target, why);
        self.cut.insert(target);
        self.damaged.get_or_insert(error);
    }
}

/// What is wrong with a damaged file, and what to do about it.
fn reason(error: &Error) -> String {
    match &error.hint {
        Some(hint) => format!("{}. {hint}", error.message),
        None => error.message.clone(),
    }
}
