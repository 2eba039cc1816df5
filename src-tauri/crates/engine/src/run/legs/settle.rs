//! How a backup run ends at its destinations: what each has is kept, what can be is made good, the rest is named.

use super::{LegOfRun, Legs, Target, no_answer};
use crate::backstay::locked;
use crate::run::Job;
use crate::run::sync::copy_backups;
use backstay_core::config::{DestinationConfig, KnownBackup};
use backstay_core::destination::{Destination, Key};
use backstay_core::layout::{BackupRecord, Layout};
use backstay_core::run::{Phase, Problem, ProblemKind};
use backstay_core::{Error, ErrorClass, Result};
use backstay_transfer::{Uploaded, confirm};
use std::sync::Arc;
use std::time::Duration;

/// One that failed gets so long to answer again at the end of the run.
const SECOND_LIMIT: Duration = Duration::from_secs(20);
/// The copy of the configuration is renewed at the end; it is no reason to wait.
const CONFIGURATION_LIMIT: Duration = Duration::from_secs(30);

/// What is said of a backup that was written whole, and whose proof did not get through.
const UNPROVEN: &str = "The backup lies there, and was not read back: verify it";

/// Where the new backup lies, proven.
struct Base {
    leg: Arc<LegOfRun>,
    /// The layout there, where it is open.
    layout: Option<Arc<dyn Layout>>,
}

/// What a destination that did not get through has of the new backup.
#[derive(PartialEq, Eq)]
enum Left {
    /// Nothing that counts.
    Nothing,
    /// All of it, but it could not be read back.
    Unproven,
}

impl Left {
    fn after(proof: &Error) -> Self {
        match proof.class {
            ErrorClass::Corrupt | ErrorClass::Missing => Self::Nothing,
            // Nothing speaks against what lies there.
            _ => Self::Unproven,
        }
    }
}

impl Legs {
    /// Ends the run: keeps what each destination has, makes good what can be, names the rest. There is a backup already.
    pub async fn settle(&self, job: &Job, target: &Target, record: &BackupRecord) -> Result<()> {
        let base = self.base_now(job, target, record).await?;
        self.mark_done(job, &base.leg, record)?;
        let mut later = Vec::new();
        // Each waits for a place of its own.
        let others = self.all.iter().filter(|leg| !Arc::ptr_eq(leg, &base.leg)).map(|leg| async move {
            let level = *locked(&leg.level);
            let confirmed =
                if leg.is_live() && level { self.confirm(job, leg, record).await.map(|()| true) } else { Ok(false) };
            (leg, confirmed)
        });
        for (leg, confirmed) in futures::future::join_all(others).await {
            match confirmed {
                Ok(true) => self.mark_done(job, leg, record)?,
                Ok(false) => later.push((leg, Left::Nothing)),
                Err(error) => {
                    leg.fail(&error);
                    later.push((leg, Left::after(&error)));
                }
            }
        }
        for (leg, left) in later {
            self.make_good(job, &base, leg, record, left).await?;
        }
        for leg in self.all.iter().filter(|leg| leg.failed().is_none()) {
            job.keep_locks(&leg.config).await;
        }
        self.keep_configuration(job).await;
        let places = self.live().filter_map(|leg| Some((&leg.config, leg.open_place()?)));
        futures::future::join_all(places.map(|(config, place)| job.sweep(config, place))).await;
        Ok(())
    }

    /// Finds where the new backup was read back. Where that place fell out since, the next one proves it once more: the
    /// backup may have been read back before.
    async fn base_now(&self, job: &Job, target: &Target, record: &BackupRecord) -> Result<Base> {
        let others: Vec<_> = match target.base.is_live() {
            true => Vec::new(),
            false => self.live().filter(|leg| *locked(&leg.level)).cloned().collect(),
        };
        let (mut failed, mut unproven) = (None, None);
        for leg in others {
            let Err(error) = self.confirm(job, &leg, record).await else { return Ok(Base { leg, layout: None }) };
            if Left::after(&error) == Left::Unproven {
                unproven.get_or_insert((leg, error));
                continue;
            }
            leg.fail(&error);
            if let (ErrorClass::Corrupt, Some(place)) = (error.class, leg.open_place())
                && let Err(left) = self.take_away(job, place, record).await
            {
                job.log(left.message);
            }
            failed = Some(error);
        }
        match (unproven, failed) {
            (Some((leg, error)), _) => {
                job.problem(about(&leg.config, format!("{}. {UNPROVEN}", error.message)));
                Ok(Base { leg, layout: None })
            }
            (None, Some(error)) => Err(error),
            (None, None) => Ok(Base { leg: target.base.clone(), layout: Some(target.base_layout.clone()) }),
        }
    }

    /// Takes away what was found to be no good copy: of the right size, with its manifest beside, a damaged archive would
    /// pass for whole.
    async fn take_away(&self, job: &Job, place: Arc<dyn Destination>, record: &BackupRecord) -> Result<()> {
        match job.inner.archives_over(place).delete(&job.ctx, &record.id).await {
            Err(error) if error.class == ErrorClass::Missing => Ok(()),
            other => other.map(drop),
        }
    }

    fn mark_done(&self, job: &Job, leg: &LegOfRun, record: &BackupRecord) -> Result<()> {
        locked(&job.inner.used).remove(&leg.config.id);
        job.inner.store.put_backup(&KnownBackup { record: record.clone(), destination: leg.config.id.clone() })?;
        leg.shown.set("done", None);
        Ok(())
    }

    /// Proves an archive; what a vault is made of was proved as it was written.
    async fn confirm(&self, job: &Job, leg: &LegOfRun, record: &BackupRecord) -> Result<()> {
        let (Some(file), Some(place)) = (&record.archive, leg.open_place()) else { return Ok(()) };
        leg.shown.set("checking", None);
        let key = Key::new(file.key.clone())?;
        let recorded = Uploaded::recorded(file.size_bytes, file.sha256.as_str());
        confirm(place.as_ref(), &key, &recorded, &job.ctx).await.map(drop)
    }

    /// Makes a destination good from the others if it can be reached now; else names why not.
    async fn make_good(
        &self,
        job: &Job,
        base: &Base,
        leg: &Arc<LegOfRun>,
        record: &BackupRecord,
        left: Left,
    ) -> Result<()> {
        let failed = leg.failed();
        if failed.as_ref().is_none_or(|error| worth_another_try(error.class)) {
            leg.shown.set("retrying", failed.as_ref().map(|error| error.message.clone()));
            match self.sync(job, base, leg, record).await {
                Ok(()) => {
                    *locked(&leg.error) = None;
                    job.log(format!("{} was made good", leg.config.name));
                    leg.shown.set("done", None);
                    return Ok(());
                }
                // Cancelled now, the backup is there all the same: what it lacks is named like any other reason.
                Err(error) => leg.fail(&error),
            }
        }
        let reason = leg.failed().map_or_else(|| "It could not be made good".into(), |error| error.message);
        leg.shown.set("failed", Some(reason.clone()));
        // An archive that the attempt found there was not proven by it either.
        let is_listed = self.archives && self.is_listed(job, leg, record)?;
        if left == Left::Unproven && !is_listed {
            job.inner.store.put_backup(&KnownBackup { record: record.clone(), destination: leg.config.id.clone() })?;
        }
        let what = match is_listed || left == Left::Unproven {
            true => UNPROVEN,
            false => "The backup is not there; Sync copies it there later from another destination",
        };
        job.problem(about(&leg.config, format!("{reason}. {what}")));
        Ok(())
    }

    /// Tells whether the new backup is in this computer's list of a destination.
    fn is_listed(&self, job: &Job, leg: &LegOfRun, record: &BackupRecord) -> Result<bool> {
        Ok(job.inner.store.backup(&record.id)?.iter().any(|copy| copy.destination == leg.config.id))
    }

    async fn sync(&self, job: &Job, base: &Base, leg: &Arc<LegOfRun>, record: &BackupRecord) -> Result<()> {
        if locked(&leg._lock).is_none() {
            *locked(&leg._lock) = job.inner.locks.use_destination(&leg.config.id)?;
        }
        let answered = tokio::time::timeout(SECOND_LIMIT, self.reach(job, leg)).await;
        let place = answered.map_err(|_| no_answer(&leg.config))??;
        job.ctx.check()?;
        if self.archives && leg.failed().is_some_and(|error| error.class == ErrorClass::Corrupt) {
            self.take_away(job, place.clone(), record).await?;
        }
        let from = match (&base.layout, self.archives) {
            (Some(layout), _) => layout.clone(),
            (None, true) => job.inner.archives(&base.leg.config).await?,
            (None, false) => job.ctx.or_cancel(job.inner.vault(&base.leg.config)).await?.layout,
        };
        // Older ones it lacks come along as far as they lie there.
        let mut ids = vec![record.id.clone()];
        for id in job.inner.to_make_good(&record.plan.clone().unwrap_or_else(|| "".into()), &leg.config.id)? {
            let there = job.inner.store.backup(&id)?.iter().any(|copy| copy.destination == base.leg.config.id);
            if there && !ids.contains(&id) {
                ids.push(id);
            }
        }
        job.phase(Phase::Copying);
        job.progress_current(&leg.config.name);
        let copied = match copy_backups(&job.copying_to(&leg.shown), &from, &leg.config, place, &ids).await {
            // An older one that is lost there says nothing of this one.
            Err(error) if error.class == ErrorClass::Missing => {
                if !self.is_listed(job, leg, record)? {
                    return Err(error);
                }
                job.log(error.message);
                return Ok(());
            }
            copied => copied?,
        };
        if copied.contains(&record.id) {
            return Ok(());
        }
        Err(Error::new(ErrorClass::Corrupt, format!("The backup could not be copied to {}", leg.config.name)))
    }

    /// Renews the copy of the configuration at every destination that has the backup.
    async fn keep_configuration(&self, job: &Job) {
        let copies = self.all.iter().filter(|leg| leg.failed().is_none()).map(|leg| async {
            let kept = job.inner.store_configuration_copy(&leg.config);
            if let Ok(Err(error)) = tokio::time::timeout(CONFIGURATION_LIMIT, kept).await {
                tracing::info!(destination = %leg.config.name, %error, "the copy of the configuration was not renewed");
            }
        });
        futures::future::join_all(copies).await;
    }
}

/// Makes a problem of a destination.
fn about(config: &DestinationConfig, reason: String) -> Problem {
    Problem { kind: ProblemKind::Other, item: String::new(), subject: config.name.clone(), reason }
}

fn worth_another_try(class: ErrorClass) -> bool {
    use ErrorClass as C;
    matches!(class, C::Offline | C::TimedOut | C::Throttled | C::Locked | C::Corrupt | C::Internal | C::Missing)
}
