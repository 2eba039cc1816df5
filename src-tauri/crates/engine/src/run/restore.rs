//! A restore run: does what the preview showed.

use super::failures::Failures;
use super::legs::being_freed;
use super::thaw::one_ready;
use super::{Finish, HeldLock, Job, RunStart};
use crate::backstay::Inner;
use crate::backups::copies::Copy;
use crate::backups::spare::Copies;
use crate::restore::{KeptPreview, RestorePart};
use crate::words::{count_text, size_text};
use backstay_core::context::Progress;
use backstay_core::host::SharedHost;
use backstay_core::kind::{ChangeKind, RestoreReport};
use backstay_core::run::{Phase, Problem, ProblemKind, RunCounts, RunKind};
use backstay_core::{Error, ErrorClass, Result};
use std::collections::HashSet;
use std::sync::Arc;

impl Inner {
    /// Starts the restore of a confirmed preview.
    pub(crate) fn begin_restore(self: &Arc<Self>, kept: Arc<KeptPreview>, subject: String) -> Result<String> {
        let start = RunStart {
            kind: RunKind::Restore,
            title: format!("{} to {}", kept.backup.record.plan_name, kept.server.name),
            plan: kept.backup.record.plan.clone(),
            server: Some(kept.server.id.clone()),
            destination: Some(kept.destination.id.clone()),
            backup: Some(kept.backup.record.id.clone()),
            plan_lock: None,
            subject,
        };
        Ok(self.start_run(start, move |job| run(job, kept))?.to_string())
    }
}

async fn run(job: Job, kept: Arc<KeptPreview>) -> Result<Finish> {
    // Before the server is connected to: bringing a copy back may take hours.
    job.phase(Phase::Opening);
    let (copies, _locks) = copies_of(&job, &kept)?;
    one_ready(&job, &copies).await?;
    job.phase(Phase::Connecting);
    job.progress_current(&kept.server.name);
    let host = job.ctx.or_cancel(job.inner.take_host(&kept.server)).await?;
    job.log(format!("Connected to {} {}", kept.server.name, host.route()));
    job.log(&kept.shown.sentence);
    kept.shown.warnings.iter().for_each(|warning| job.log(warning));
    let result = on_host(&job, &kept, &host, &job.copies(copies)).await;
    host.close().await;
    result
}

/// Returns the copies to read, and keeps their destinations from being pruned meanwhile.
fn copies_of(job: &Job, kept: &KeptPreview) -> Result<(Vec<Copy>, Vec<HeldLock>)> {
    let mut found = job.inner.copies(&kept.backup.record.id)?;
    // The copy the preview was made from comes first; they all hold the same.
    found.sort_by_key(|copy| copy.config.id != kept.destination.id);
    let mut locks = Vec::new();
    for copy in &found {
        locks.push(job.inner.locks.use_destination(&copy.config.id)?.ok_or_else(|| being_freed(&copy.config))?);
    }
    Ok((found, locks))
}

async fn on_host(job: &Job, kept: &KeptPreview, host: &SharedHost, copies: &Copies) -> Result<Finish> {
    job.phase(Phase::Restoring);
    let mut sum = RestoreReport::default();
    let mut failures = Failures::new(kept.parts.len());
    for part in &kept.parts {
        job.ctx.check()?;
        match restore_part(job, host, copies, part).await {
            Ok(report) => {
                sum.files += report.files;
                sum.bytes += report.bytes;
                sum.deleted += report.deleted;
                sum.kept += report.kept;
            }
            Err(error) => failures.add(job, &part.input, error)?,
        }
    }
    failures.end()?;
    let planned = kept.shown.create.count + kept.shown.overwrite.count;
    // What turned out to be there already needs no writing.
    if planned > 0 && sum.files == 0 && sum.kept <= kept.shown.kept {
        let first = job.progress.kept_problems().first().map(|p| format!(": {}: {}", p.subject, p.reason));
        return Err(Error::new(
            ErrorClass::Refused,
            format!(
                "Nothing was written to {} though {} were planned{}",
                kept.server.name,
                count_text(planned, "file", "files"),
                first.unwrap_or_default()
            ),
        )
        .hint("Give the user Backstay logs in as the right to write there, or use sudo"));
    }
    name_left_out(job, kept);
    Ok(finish(kept, sum))
}

/// Names what was wanted and could not be restored: the preview warned of it, and not everybody looks at that.
fn name_left_out(job: &Job, kept: &KeptPreview) {
    for part in &kept.parts {
        for left in &part.plan.not_restored {
            job.problem(Problem {
                kind: ProblemKind::Unwritable,
                item: part.input.item.name.clone(),
                subject: left.target.clone(),
                reason: left.reason.clone(),
            });
        }
    }
}

fn finish(kept: &KeptPreview, sum: RestoreReport) -> Finish {
    let place = kept.parts.first().and_then(|part| part.options.to.as_ref());
    let place = place.map_or_else(|| kept.server.name.clone(), |to| format!("{to} on {}", kept.server.name));
    let mut text = format!("Restored {} ({}) to {place}", count_text(sum.files, "file", "files"), size_text(sum.bytes));
    if sum.deleted > 0 {
        text.push_str(&format!(", deleted {}", sum.deleted));
    }
    if sum.kept > 0 {
        text.push_str(&format!(", left {}", count_text(sum.kept, "entry as it was", "entries as they were")));
    }
    let counts = RunCounts { files: sum.files, bytes: sum.bytes, files_deleted: sum.deleted, ..RunCounts::default() };
    Finish { counts, backup: None, result: Some(text) }
}

async fn restore_part(job: &Job, host: &SharedHost, copies: &Copies, part: &RestorePart) -> Result<RestoreReport> {
    let kind = job.inner.kind(&part.input.item.kind)?;
    let mut selection = part.selection.clone();
    let writes = part.plan.changes.iter().filter(|c| matches!(c.kind, ChangeKind::Create | ChangeKind::Overwrite));
    let (mut files, mut bytes, mut only) = (0, 0, HashSet::new());
    for change in writes {
        files += u64::from(!change.is_dir);
        bytes += change.size_bytes;
        only.extend(change.path.clone());
    }
    // Files: just what was planned. Other kinds keep their own notes beside the dumps and choose themselves.
    if part.input.item.kind == "files" {
        selection.only = Some(only);
    }
    job.phase(Phase::Restoring);
    job.progress.total(Some(files), Some(bytes));
    let mut source = job.ctx.or_cancel(copies.stream(selection)).await?;
    // Not dropped on cancel: the kind stops by itself, in a place where the target is not half a file.
    kind.restore(&job.ctx, host, &part.input, source.as_mut(), &part.plan, &part.options).await
}
