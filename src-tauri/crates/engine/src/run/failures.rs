//! Items of a run that failed: the others go on, and the run fails when all of them did, or for what concerns it whole.

use super::Job;
use backstay_core::kind::ItemInput;
use backstay_core::run::{Problem, ProblemKind};
use backstay_core::{Error, ErrorClass, Result};

/// Items that failed, while others may go on.
pub(super) struct Failures {
    items: usize,
    failed: usize,
    first: Option<Error>,
}

impl Failures {
    /// Of so many items.
    pub(super) fn new(items: usize) -> Self {
        Self { items, failed: 0, first: None }
    }
    /// Takes an item's error. What concerns the whole run comes back as the run's error.
    pub(super) fn add(&mut self, job: &Job, input: &ItemInput, error: Error) -> Result<()> {
        use ErrorClass as C;
        let ends_run = matches!(
            error.class,
            C::Offline | C::TimedOut | C::Cancelled | C::HostKeyChanged | C::HostKeyUnknown | C::Full
        );
        if ends_run || job.ctx.cancel.is_cancelled() {
            return Err(error);
        }
        // An only item's error is the run's own, and would be told twice.
        if self.items > 1 {
            tell(job, input, &error);
        }
        self.failed += 1;
        self.first.get_or_insert(error);
        Ok(())
    }
    /// Ends with the first error if every item failed.
    pub(super) fn end(self) -> Result<()> {
        match self.first {
            Some(error) if self.failed >= self.items => Err(error),
            _ => Ok(()),
        }
    }
}

fn tell(job: &Job, input: &ItemInput, error: &Error) {
    let name = &input.item.name;
    let kind = if input.item.kind == "files" { ProblemKind::Other } else { ProblemKind::Database };
    let reason = match &error.hint {
        Some(hint) => format!("{}. {hint}", error.message),
        None => error.message.clone(),
    };
    if let Some(detail) = &error.detail {
        job.log(format!("{name}: {detail}"));
    }
    job.problem(Problem { kind, item: name.clone(), subject: name.clone(), reason });
}
