//! Files that turn out to be damaged in the backup: none keeps the others back, and none looks whole afterwards.

use super::Restorer;
use crate::files::outlet::Outlet;
use backstay_core::host::{Command, run_ok};
use backstay_core::run::ProblemKind;
use backstay_core::{Error, RawPath, Result};
use std::collections::HashSet;

/// What is added to the name of a file of which only the beginning is whole.
const ENDING: &[u8] = b".damaged";
/// Zeros sent at once.
const PIECE: u64 = 256 << 10;

impl Restorer<'_> {
    /// Names a damaged file of which nothing was written.
    pub(super) fn leave_out(&mut self, target: &RawPath, error: Error) {
        self.problems.path(ProblemKind::Damaged, target, reason(&error));
        self.damaged.get_or_insert(error);
    }

    /// Ends a damaged file the server's tar has begun with: with zeros, for tar to find the next one.
    pub(super) async fn fill_up(&mut self, target: RawPath, error: Error, outlet: &mut Outlet<'_>) -> Result<()> {
        self.begun.push((target, error));
        while self.awaited > 0 {
            self.ctx.check()?;
            let room = outlet.room(self.awaited.min(PIECE)).await?;
            room.fill(0);
            let length = room.len();
            outlet.filled(length);
            self.awaited -= length as u64;
        }
        Ok(())
    }

    /// Gives the files that were filled up with zeros another name, whatever came of the rest.
    pub(super) async fn set_aside(&mut self) {
        let begun = std::mem::take(&mut self.begun);
        let parents: HashSet<RawPath> = begun.iter().filter_map(|(target, _)| target.parent()).collect();
        for (target, error) in begun {
            let there = match self.rename(&target).await {
                Ok(aside) => format!("What comes before the damage is kept as {aside}"),
                Err(_) => "What is there under its name is not whole: remove it".to_owned(),
            };
            self.problems.path(ProblemKind::Damaged, &target, format!("{}. {there}", reason(&error)));
            self.damaged.get_or_insert(error);
        }
        if let Err(error) = self.touch(&parents).await {
            self.ctx.progress.log(&format!("Folders of damaged files have the time of now: {error}"));
        }
    }

    async fn rename(&self, target: &RawPath) -> Result<RawPath> {
        let aside = RawPath::new([target.as_bytes(), ENDING].concat())?;
        let command = Command::new("mv").args(["-f", "-T", "--"]).arg(target.as_bytes()).arg(aside.as_bytes());
        run_ok(self.host, command, b"").await?;
        Ok(aside)
    }
}

/// What is wrong with a damaged file, and what to do about it.
fn reason(error: &Error) -> String {
    match &error.hint {
        Some(hint) => format!("{}. {hint}", error.message),
        None => error.message.clone(),
    }
}
