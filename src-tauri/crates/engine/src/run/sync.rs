//! A sync run: what a destination lacks of its plans' backups comes from the other copies, without the servers.

use super::journal::StoreJournal;
use super::leg::LegTraffic;
use super::legs::being_freed;
use super::mend::ARCHIVES;
use super::thaw::rest;
use super::{Finish, Job, RunStart};
use crate::backstay::{Backstay, locked};
use crate::backups::copies::{Copy, frozen};
use crate::destinations::Emptied;
use crate::words::{count_text, size_text};
use backstay_core::config::{DestinationConfig, KnownBackup};
use backstay_core::destination::{Availability, Destination};
use backstay_core::layout::Layout;
use backstay_core::run::{Phase, Problem, ProblemKind, RunCounts, RunKind};
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, Result};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Backups that come from one place.
struct Share {
    from: DestinationConfig,
    archives: bool,
    ids: Vec<BackupId>,
}

/// Where what is lacking can come from now.
#[derive(Default)]
struct Sources {
    shares: BTreeMap<(DestinationId, bool), Share>,
    /// Who is bringing back what nobody has at hand.
    thawing: BTreeSet<String>,
}

struct Sync {
    to: DestinationConfig,
}

impl Backstay {
    /// Starts making good what a destination lacks, and returns the run's id.
    pub async fn start_sync(&self, destination: &str) -> Result<String> {
        let to = self.inner.store.destination(&DestinationId::from(destination))?;
        let lock = self.inner.locks.hold_sync(&to.id)?.ok_or_else(|| {
            Error::new(ErrorClass::Locked, format!("{} is being made good already", to.name))
                .hint("Wait for it to end, or cancel it in Activity")
        })?;
        let start = RunStart {
            kind: RunKind::Sync,
            title: to.name.clone(),
            plan: None,
            server: None,
            destination: Some(to.id.clone()),
            backup: None,
            plan_lock: Some(lock),
            subject: to.name.clone(),
        };
        let work = Sync { to };
        Ok(self.inner.start_run(start, move |job| work.run(job))?.to_string())
    }
}

impl Sync {
    async fn run(self, job: Job) -> Result<Finish> {
        job.phase(Phase::Comparing);
        let _lock = job.inner.locks.use_destination(&self.to.id)?.ok_or_else(|| being_freed(&self.to))?;
        let (inner, id) = (job.inner.clone(), self.to.id.clone());
        let shown = job.progress.add_leg(&self.to.name, move || inner.limiters.limit_now(&id));
        let filled = async {
            let watch = LegTraffic::watch(&shown, &job.progress);
            let place = job.ctx.or_cancel(job.inner.open_place(&self.to, watch)).await?;
            shown.set("writing", None);
            let filled = self.fill(&job.copying_to(&shown), place.clone()).await?;
            job.sweep(&self.to, place).await;
            Ok(filled)
        };
        let result: Result<Finish> = filled.await;
        match &result {
            Ok(_) => shown.set("done", None),
            Err(error) => shown.set("failed", Some(error.message.clone())),
        }
        result
    }

    async fn fill(&self, job: &Job, place: Arc<dyn Destination>) -> Result<Finish> {
        let gone = self.gone(job, place.as_ref()).await?;
        // Before the list is read: a damaged one could not even be read.
        let mended = super::mend::mend(job, &self.to, &place).await?;
        let Some(gone) = gone else {
            // The list may tell of backups that were lost behind our back.
            job.ctx.or_cancel(job.inner.read_backups(&self.to)).await?;
            return self.copy_lacking(job, place, BTreeSet::new(), mended).await;
        };
        // Off the list until they are there: it must not tell of copies that a run which was cut off never made.
        for known in &gone {
            job.inner.store.delete_backup(&known.record.id, &self.to.id)?;
        }
        let ids = gone.iter().map(|known| known.record.id.clone()).collect();
        let filled = self.copy_lacking(job, place.clone(), ids, mended).await;
        if filled.is_err() {
            // Nothing came: the disk may just not be mounted.
            let still = Emptied::now(place.as_ref()).await;
            for known in gone.iter().filter(|known| still.has(known)) {
                job.inner.store.put_backup(known)?;
            }
        }
        filled
    }

    /// Copies what is lacking, and `gone` besides, from wherever it can be had.
    async fn copy_lacking(
        &self,
        job: &Job,
        place: Arc<dyn Destination>,
        gone: BTreeSet<BackupId>,
        mended: u64,
    ) -> Result<Finish> {
        let mut lacking: BTreeSet<BackupId> = self.lacking(job)?.into_iter().collect();
        lacking.extend(gone);
        let mut open = lacking.clone();
        let mut failed: HashSet<DestinationId> = HashSet::new();
        let (mut last, mut looks) = (None, 0);
        // Each round leaves out the places that failed; what they were to give comes from the next that has it.
        loop {
            let sources = self.sources(job, &open, &mut failed, &mut last).await?;
            if sources.shares.is_empty() {
                let Some(name) = sources.thawing.first() else { break };
                looks += 1;
                rest(job, name, looks).await?;
                continue;
            }
            for share in sources.shares.into_values() {
                job.ctx.check()?;
                let mut came = Vec::new();
                let taken = self.take(job, &share, place.clone(), &mut came).await;
                // What came over before an error counts: one that is lost there says nothing of the others.
                open.retain(|id| !came.contains(id));
                match taken {
                    Ok(()) => {
                        // What this place could not give, it will not give in the next round either.
                        if share.ids.iter().any(|id| open.contains(id)) {
                            failed.insert(share.from.id.clone());
                        }
                    }
                    Err(error) if error.is_cancelled() => return Err(error),
                    // What is wrong here is wrong whatever it is filled from.
                    Err(error) if is_own(&error, place.as_ref()) => return Err(error),
                    Err(error) => {
                        job.log(format!("{} was not used any further: {}", share.from.name, error.message));
                        failed.insert(share.from.id.clone());
                        last = Some(error);
                    }
                }
            }
        }
        if !self.check_level(job, place).await? && lacking.is_empty() {
            job.log("Objects that were lost there were brought back");
        }
        job.keep_locks(&self.to).await;
        let copied = lacking.len() - open.len();
        if copied == 0 && !open.is_empty() {
            return Err(last.unwrap_or_else(|| nowhere(&self.to)));
        }
        for id in &open {
            let reason = last.as_ref().map_or_else(|| nowhere(&self.to).message, reason_of);
            job.problem(Problem {
                kind: ProblemKind::Other,
                item: String::new(),
                subject: format!("backup {}", super::backup::short(id.as_str())),
                reason: format!("It could not be copied: {reason}"),
            });
        }
        Ok(self.finish(job, copied as u64, mended))
    }

    fn finish(&self, job: &Job, copied: u64, mended: u64) -> Finish {
        let (_, bytes) = job.progress.done();
        let copied = (copied > 0).then(|| format!("{} copied to", count_text(copied, "backup", "backups")));
        let mended =
            (mended > 0).then(|| format!("{} mended at", count_text(mended, "damaged object", "damaged objects")));
        let done: Vec<String> = copied.into_iter().chain(mended).collect();
        let text = match done.is_empty() {
            true if job.progress.spoiling() > 0 => format!("{} is not whole", self.to.name),
            true => format!("{} has everything", self.to.name),
            false => format!("{} {}", done.join(", "), self.to.name),
        };
        let text = if bytes > 0 { format!("{text}, {}", size_text(bytes)) } else { text };
        job.log(&text);
        let counts = RunCounts { bytes, bytes_added: bytes, ..RunCounts::default() };
        Finish { counts, backup: None, result: Some(text) }
    }

    /// Where what is known to lie there does not show at all, returns the backups that are to come back. Fails unless every
    /// one of them lies elsewhere: then the disk may just not be mounted, and the list is all that tells of them.
    async fn gone(&self, job: &Job, place: &dyn Destination) -> Result<Option<Vec<KnownBackup>>> {
        let emptied = job.ctx.or_cancel(job.inner.emptied(&self.to, place)).await?;
        let Err(refused) = emptied.refuse(&self.to, place) else { return Ok(None) };
        // With the one, the other may be lost in part.
        let there: HashSet<String> =
            job.ctx.or_cancel(place.list(ARCHIVES)).await?.into_iter().map(|object| object.key.to_string()).collect();
        let mut gone = job.inner.all_backups(Some(&self.to.id))?;
        gone.retain(|known| match &known.record.archive {
            Some(file) => !there.contains(&file.key),
            None => emptied.vault,
        });
        if gone.is_empty() && self.lacking(job)?.is_empty() {
            return Err(refused);
        }
        for known in gone.iter().filter(|known| emptied.has(known)) {
            if !job.inner.copies(&known.record.id)?.iter().any(|copy| self.can_come_from(copy)) {
                let text = format!("{}, and not all of it lies elsewhere", refused.message);
                return Err(Error::new(ErrorClass::Missing, text).hint(
                    "Is the right disk mounted? If all of it is gone for good, let the plans write to another folder and \
                     remove this destination",
                ));
            }
        }
        job.log(format!("Nothing of what was at {} is there: all of it comes from the other copies", self.to.name));
        Ok(Some(gone))
    }

    fn can_come_from(&self, copy: &Copy) -> bool {
        let fits = copy.known.record.archive.is_some() || copy.config.vault_id == self.to.vault_id;
        fits && copy.config.id != self.to.id
    }

    /// Returns the backups the list has there.
    fn own(&self, job: &Job) -> Result<HashSet<BackupId>> {
        Ok(job.inner.all_backups(Some(&self.to.id))?.into_iter().map(|known| known.record.id).collect())
    }

    fn lacking(&self, job: &Job) -> Result<Vec<BackupId>> {
        let mut ids = Vec::new();
        for plan in job.inner.store.plans()?.iter().filter(|plan| plan.destinations.contains(&self.to.id)) {
            ids.extend(job.inner.to_make_good(&plan.id, &self.to.id)?);
        }
        Ok(ids)
    }

    /// Says which backups come from where: each from the nearest place that has it at hand.
    async fn sources(
        &self,
        job: &Job,
        open: &BTreeSet<BackupId>,
        failed: &mut HashSet<DestinationId>,
        last: &mut Option<Error>,
    ) -> Result<Sources> {
        let mut sources = Sources::default();
        for id in open {
            let mut thaws = None;
            for copy in job.inner.copies(id)? {
                let archives = copy.known.record.archive.is_some();
                if failed.contains(&copy.config.id) || !self.can_come_from(&copy) {
                    continue;
                }
                match job.ctx.or_cancel(job.inner.state_of(&copy)).await {
                    Ok(Availability::Ready) => {
                        let from = copy.config;
                        let share = sources.shares.entry((from.id.clone(), archives));
                        share.or_insert_with(|| Share { from, archives, ids: Vec::new() }).ids.push(id.clone());
                        thaws = None;
                        break;
                    }
                    Ok(Availability::Thawing) => _ = thaws.get_or_insert(copy.config.name),
                    // Bringing it back costs money: that is for the user to ask for.
                    Ok(Availability::Frozen) => *last = Some(frozen(&copy)),
                    Err(error) if error.is_cancelled() => return Err(error),
                    Err(error) => {
                        // One that is lost says nothing of the others there.
                        if error.class != ErrorClass::Missing {
                            failed.insert(copy.config.id);
                        }
                        *last = Some(error);
                    }
                }
            }
            sources.thawing.extend(thaws);
        }
        Ok(sources)
    }

    /// Copies from one place; `came` gets what is there then, also after an error.
    async fn take(
        &self,
        job: &Job,
        share: &Share,
        place: Arc<dyn Destination>,
        came: &mut Vec<BackupId>,
    ) -> Result<()> {
        let _lock = job.inner.locks.use_destination(&share.from.id)?.ok_or_else(|| being_freed(&share.from))?;
        job.phase(Phase::Copying);
        job.progress_current(&share.from.name);
        job.log(format!(
            "Copying {} from {}",
            count_text(share.ids.len() as u64, "backup", "backups"),
            share.from.name
        ));
        let layout: Arc<dyn Layout> = match share.archives {
            true => job.ctx.or_cancel(job.inner.archives(&share.from)).await?,
            false => job.ctx.or_cancel(job.inner.vault(&share.from)).await?.layout,
        };
        copy_into(job, &layout, &self.to, place, &share.ids, came).await
    }

    /// Brings objects of a vault back that were lost here, though the backups they belong to are in the list. Returns
    /// whether nothing was lost.
    async fn check_level(&self, job: &Job, place: Arc<dyn Destination>) -> Result<bool> {
        let others = job.inner.twins_of(&self.to)?;
        let own = self.own(job)?;
        for other in others {
            let theirs = job.inner.all_backups(Some(&other.id))?;
            let shared = theirs.into_iter().filter(|known| known.record.archive.is_none());
            let shared: Vec<BackupId> = shared.map(|known| known.record.id).filter(|id| own.contains(id)).collect();
            if shared.is_empty() {
                continue;
            }
            let layout = match job.ctx.or_cancel(job.inner.vault(&other)).await {
                Ok(vault) => vault.layout,
                Err(error) if error.is_cancelled() => return Err(error),
                // Nothing more can be said from there.
                Err(_) => continue,
            };
            if layout.is_level_with(&job.ctx, place.clone()).await? {
                return Ok(true);
            }
            job.phase(Phase::Copying);
            let share = Share { from: other, archives: false, ids: shared };
            return self.take(job, &share, place, &mut Vec::new()).await.map(|()| false);
        }
        Ok(true)
    }
}

/// Tells whether an error is the destination's that is to be filled: errors name the place they come from.
pub(super) fn is_own(error: &Error, to: &dyn Destination) -> bool {
    matches!(error.class, ErrorClass::Full | ErrorClass::Invalid) || error.message.contains(to.label())
}

/// Says why in one sentence or two: what is to be done belongs to it.
fn reason_of(error: &Error) -> String {
    match &error.hint {
        Some(hint) => format!("{}. {hint}", error.message),
        None => error.message.clone(),
    }
}

fn nowhere(to: &DestinationConfig) -> Error {
    Error::new(ErrorClass::Missing, format!("Cannot make {} good: no other destination has what it lacks", to.name))
        .hint("Connect the other destinations, or make a new backup")
}

/// Copies backups to a destination and keeps those that are there now as its own. Returns those of them.
pub(super) async fn copy_backups(
    job: &Job,
    from: &Arc<dyn Layout>,
    to: &DestinationConfig,
    place: Arc<dyn Destination>,
    ids: &[BackupId],
) -> Result<Vec<BackupId>> {
    let mut copied = Vec::new();
    copy_into(job, from, to, place, ids, &mut copied).await?;
    Ok(copied)
}

async fn copy_into(
    job: &Job,
    from: &Arc<dyn Layout>,
    to: &DestinationConfig,
    place: Arc<dyn Destination>,
    ids: &[BackupId],
    came: &mut Vec<BackupId>,
) -> Result<()> {
    let journal = Arc::new(StoreJournal(job.inner.store.clone()));
    let synced = from.sync_to(&job.ctx, place.clone(), ids, journal).await;
    // What came over before it was cut off is there all the same.
    let there = match from.over(place.clone()) {
        Some(copy) => job.ctx.or_cancel(copy.list()).await,
        None => job.ctx.or_cancel(job.inner.archives_over(place).list()).await,
    };
    if let Ok(records) = &there {
        for record in records.iter().filter(|record| ids.contains(&record.id)) {
            came.push(record.id.clone());
            job.inner.store.put_backup(&KnownBackup { record: record.clone(), destination: to.id.clone() })?;
        }
    }
    locked(&job.inner.used).remove(&to.id);
    synced?;
    there.map(drop)
}
