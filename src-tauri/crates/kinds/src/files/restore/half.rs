//! What a stream that ended too early left half written. tar writes under a file's own name, and a restore of what is
//! missing, or older, would take the part for the file.

use super::Restorer;
use crate::files::compare::look_at;
use backstay_core::entry::{Entry, EntryType};
use backstay_core::host::{Command, run_ok};
use backstay_core::kind::{Change, ChangeKind, RestorePlan};
use backstay_core::run::ProblemKind;
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Bytes that may be on their way to tar: the connection's window, packed, and what pipes hold.
const ON_THEIR_WAY: u64 = 64 << 20;
/// What an entry takes in a stream beside its content, at least.
const HEADER: u64 = 512;
/// How long looking and clearing may take, a new connection included.
const LIMIT: Duration = Duration::from_secs(30);
const AGAIN: &str = "Restore again with merge, which writes it anew";

impl Restorer<'_> {
    /// Removes new files of which only a part came, and names replaced ones, after a stream that ended with `error`. A cancel
    /// does not end it.
    pub(super) async fn clear_halves(&mut self, error: &Error) {
        let _unbroken = self.ctx.unbroken.token();
        let ctx = RunContext { cancel: CancellationToken::new(), ..self.ctx.clone() };
        let begun = self.begun_last(error.class == ErrorClass::Full);
        let Some((_, last)) = begun.iter().find(|(entry, _)| !entry.is_dir()) else { return };
        let halves = async { self.remove_halves(&ctx, &begun).await };
        match tokio::time::timeout(LIMIT, halves).await {
            Ok(Ok(replaced)) => {
                for target in &replaced {
                    let why = format!("Only a part of it came before the restore ended. {AGAIN}");
                    self.problems.path(ProblemKind::Unwritable, target, why);
                }
            }
            _ => {
                let why = format!(
                    "Only a part of it may be there, or of one sent right before it: the server could not be asked when \
                     the restore ended. {AGAIN}"
                );
                self.problems.path(ProblemKind::Unwritable, last, why);
            }
        }
    }

    /// Returns what tar may not be done with, the last first. On a full disk tar goes on, and each file may be short.
    fn begun_last(&self, all: bool) -> Vec<(Entry, RawPath)> {
        let mut bytes = 0;
        let fits = |(entry, _): &&(Entry, RawPath)| {
            let fits = all || bytes < ON_THEIR_WAY;
            bytes += entry.size_bytes + HEADER;
            fits
        };
        self.begun.iter().chain(self.written.iter().rev()).take_while(fits).cloned().collect()
    }

    /// Removes those new files of `begun` that are a part, and returns those that took another's place.
    async fn remove_halves(&self, ctx: &RunContext, begun: &[(Entry, RawPath)]) -> Result<Vec<RawPath>> {
        let targets: Vec<RawPath> = begun.iter().map(|(_, target)| target.clone()).collect();
        let there = look_at(ctx, self.host, self.tools, &targets, &mut RestorePlan::default()).await?;
        let texts: HashSet<String> = targets.iter().map(RawPath::to_text).collect();
        let planned = self.plan.changes.iter().filter(|change| texts.contains(&change.target));
        let planned: HashMap<&str, &Change> = planned.map(|change| (change.target.as_str(), change)).collect();
        let (mut names, mut replaced) = (Vec::new(), Vec::new());
        for (entry, target) in begun {
            let text = target.to_text();
            let Some(change) = planned.get(text.as_str()).filter(|_| !self.stayed.contains(target)) else { continue };
            let now = there.get(target);
            if change.kind == ChangeKind::Create && now.is_some_and(|now| is_part(entry, now)) {
                names.extend_from_slice(target.as_bytes());
                names.push(0);
                ctx.progress.log(&format!("{text} was removed: only a part of it came"));
            } else if change.kind == ChangeKind::Overwrite && now.is_none_or(|now| is_part(entry, now)) {
                // tar has not come to what still has its time.
                if now.is_none_or(|now| Some(now.mtime.to_parts().0) != change.target_mtime) {
                    replaced.push(target.clone());
                }
            }
        }
        if !names.is_empty() {
            let no_args: [&str; 0] = [];
            run_ok(self.host, Command::sh("xargs -0 rm -f --", no_args), &names).await?;
        }
        Ok(replaced)
    }
}

/// Tells whether what is there is the first part of a file, or what tar puts in a link's place until it ends.
fn is_part(entry: &Entry, there: &Entry) -> bool {
    match entry.kind {
        EntryType::File => there.is_file() && there.size_bytes < entry.size_bytes,
        EntryType::Symlink(_) => there.is_file() && there.size_bytes == 0,
        _ => false,
    }
}
