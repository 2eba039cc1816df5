//! Problems of one item, each path named once.

use backstay_core::run::{Problem, ProblemKind};
use backstay_core::{RawPath, RunContext};
use std::collections::HashSet;

/// Reports problems of one item.
pub(crate) struct Problems<'a> {
    ctx: &'a RunContext,
    item: &'a str,
    named: HashSet<RawPath>,
    spoiling: u64,
}

impl<'a> Problems<'a> {
    /// Makes a reporter for an item.
    pub(crate) fn new(ctx: &'a RunContext, item: &'a str) -> Self {
        Self { ctx, item, named: HashSet::new(), spoiling: 0 }
    }

    /// Reports a problem with a path, unless one was reported for it already.
    pub(crate) fn path(&mut self, kind: ProblemKind, path: &RawPath, reason: impl Into<String>) {
        if self.named.insert(path.clone()) {
            self.report(kind, path.to_text(), reason);
        }
    }

    /// Reports a problem with anything else.
    pub(crate) fn report(&mut self, kind: ProblemKind, subject: impl Into<String>, reason: impl Into<String>) {
        if kind.spoils_outcome() {
            self.spoiling += 1;
        }
        self.ctx.progress.problem(Problem {
            kind,
            item: self.item.to_owned(),
            subject: subject.into(),
            reason: reason.into(),
        });
    }

    /// Tells whether a problem was reported for this path.
    pub(crate) fn has(&self, path: &RawPath) -> bool {
        self.named.contains(path)
    }

    /// Returns how many problems were reported that spoil the outcome.
    pub(crate) fn spoiling(&self) -> u64 {
        self.spoiling
    }
}
