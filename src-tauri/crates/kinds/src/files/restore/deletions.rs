//! Confirmed deletions that would no longer be made where the preview looked.

use super::Restorer;
use crate::files::compare::look_at;
use crate::files::listing;
use crate::files::ways::is_within;
use backstay_core::kind::RestorePlan;
use backstay_core::run::ProblemKind;
use backstay_core::{RawPath, Result};

impl Restorer<'_> {
    /// Leaves out and names what lies behind a link that took a folder's place since the preview: nobody confirmed to
    /// delete what is there now. Links above what is restored were there, or were chosen with the place itself.
    pub(super) async fn without_led_away(&mut self, deletions: Vec<(RawPath, bool)>) -> Result<Vec<(RawPath, bool)>> {
        let paths: Vec<RawPath> = deletions.iter().map(|(path, _)| path.clone()).collect();
        let folders = deletions.iter().filter(|(_, is_dir)| *is_dir).map(|(path, _)| path.clone());
        let asked: Vec<RawPath> = listing::folders_above(&paths).into_iter().chain(folders).collect();
        let there = look_at(self.ctx, self.host, self.tools, &asked, &mut RestorePlan::default()).await?;
        let leads_away = |path: &RawPath| {
            there.get(path).is_some_and(|entry| !entry.is_dir()) && is_within(self.settings, self.options, path)
        };
        let (led_away, rest): (Vec<_>, Vec<_>) =
            deletions.into_iter().partition(|(path, _)| path.and_above().any(|path| leads_away(&path)));
        for (path, _) in &led_away {
            let why = "It was not deleted: since the preview, it or a folder above it has become a link or a file";
            self.problems.path(ProblemKind::Other, path, why);
        }
        Ok(rest)
    }
}
