//! Links of other accounts that took a folder's place since the preview.

use super::Restorer;
use crate::files::compare::look_at;
use crate::files::listing;
use crate::files::ways::real_folder;
use backstay_core::entry::EntryType;
use backstay_core::kind::{ChangeKind, RestorePlan};
use backstay_core::run::ProblemKind;
use backstay_core::{ErrorClass, RawPath, Result};
use std::collections::HashSet;

impl Restorer<'_> {
    /// Leaves out what would be written where another account's link leads, and names the link. Looked at once more right
    /// before the writing: the preview may be hours old.
    pub(super) async fn without_led_by_others(&mut self, paths: HashSet<RawPath>) -> Result<HashSet<RawPath>> {
        let mut targeted = Vec::new();
        for path in paths {
            let target = self.options.target(&path)?;
            targeted.push((path, target));
        }
        let targets: Vec<RawPath> = targeted.iter().map(|(_, target)| target.clone()).collect();
        let folders = self.plan.changes.iter().filter(|c| c.is_dir && c.kind != ChangeKind::Delete);
        let folders = folders.filter_map(|c| RawPath::from_text(&c.target).ok());
        let asked: HashSet<RawPath> = folders.chain(listing::folders_above(&targets)).collect();
        let asked: Vec<RawPath> = asked.into_iter().collect();
        let there = look_at(self.ctx, self.host, self.tools, &asked, &mut RestorePlan::default()).await?;
        let mut closed = HashSet::new();
        for link in there.values().filter(|entry| matches!(entry.kind, EntryType::Symlink(_))) {
            let real = match real_folder(self.ctx, self.host, &link.path, &mut Vec::new()).await {
                // Nobody writes where nobody may look.
                Err(error) if error.class == ErrorClass::Refused => continue,
                real => real?,
            };
            let Some(real) = real else { continue };
            if let Some(why) = real.led_by_another(self.host).await? {
                self.problems.path(
                    ProblemKind::Unwritable,
                    &link.path,
                    format!("Nothing was restored below it: since the preview, {why}"),
                );
                closed.insert(link.path.clone());
            }
        }
        targeted.retain(|(_, target)| !target.and_above().any(|path| closed.contains(&path)));
        Ok(targeted.into_iter().map(|(path, _)| path).collect())
    }
}
