//! The destinations of one backup run: opened together, written at the same time, each with its own outcome.

use super::Job;
use super::begun::Begun;
use super::leg::{Leg, LegTraffic};
use super::leg_place::LegPlace;
use super::locks::HeldLock;
use super::sync::copy_backups;
use crate::backstay::locked;
use crate::backups::copies::makes_archives;
use crate::parts::MirrorLeg;
use crate::words::error_of;
use backstay_core::config::{DestinationConfig, KnownBackup, Plan};
use backstay_core::destination::{Destination, Key};
use backstay_core::layout::{BackupRecord, Layout};
use backstay_core::run::{Phase, Problem, ProblemKind, StoredError};
use backstay_core::{Error, ErrorClass, PlanId, Result};
use backstay_transfer::{Uploaded, confirm};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One destination among several that does not answer in this time must not hold up the others.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);
/// One that failed gets so long to answer again at the end of the run.
const SECOND_LIMIT: Duration = Duration::from_secs(20);
/// The copy of the configuration is renewed at the end; it is no reason to wait.
const CONFIGURATION_LIMIT: Duration = Duration::from_secs(30);

/// One destination of a run.
pub(super) struct LegOfRun {
    pub config: DestinationConfig,
    shown: Arc<Leg>,
    place: Mutex<Option<Arc<dyn Destination>>>,
    /// Why it failed.
    error: Mutex<Option<StoredError>>,
    /// It has all the others have, so that a new backup is whole there at once.
    level: Mutex<bool>,
    _lock: Mutex<Option<HeldLock>>,
}

impl LegOfRun {
    fn fail(&self, error: &Error) {
        self.fail_for(&StoredError::from(error));
    }
    fn fail_for(&self, reason: &StoredError) {
        locked(&self.error).get_or_insert_with(|| reason.clone());
        self.shown.set("failed", Some(reason.message.clone()));
    }
    fn failed(&self) -> Option<StoredError> {
        locked(&self.error).clone()
    }
    fn is_live(&self) -> bool {
        locked(&self.error).is_none() && locked(&self.place).is_some()
    }
    fn open_place(&self) -> Option<Arc<dyn Destination>> {
        locked(&self.place).clone()
    }
}

/// All of them.
pub(super) struct Legs {
    plan: PlanId,
    all: Vec<Arc<LegOfRun>>,
    archives: bool,
}

/// What a backup is written into.
pub(super) struct Target {
    /// Writes to all destinations that are ready.
    pub layout: Arc<dyn Layout>,
    /// The one that is read from.
    base: Arc<LegOfRun>,
    /// The layout at that one alone.
    base_layout: Arc<dyn Layout>,
}

impl Legs {
    /// Shows all destinations as waiting.
    pub fn new(job: &Job, plan: &Plan, configs: Vec<DestinationConfig>) -> Self {
        let legs = configs.into_iter().map(|config| {
            let (inner, id) = (job.inner.clone(), config.id.clone());
            let shown = job.progress.add_leg(&config.name, move || inner.limiters.limit_now(&id));
            Arc::new(LegOfRun {
                config,
                shown,
                place: Mutex::default(),
                error: Mutex::default(),
                level: Mutex::new(true),
                _lock: Mutex::default(),
            })
        });
        Self { plan: plan.id.clone(), all: legs.collect(), archives: makes_archives(&plan.layout) }
    }

    /// Opens all destinations at the same time and looks whether they are ready. One that is not is left out, named; none
    /// at all is the first one's error.
    pub async fn open(&self, job: &Job, estimate: Option<u64>) -> Result<Target> {
        let opened = self.all.iter().map(|leg| async {
            let work = self.open_one(job, leg, estimate);
            let opened = match self.all.len() {
                1 => work.await,
                _ => tokio::time::timeout(ANSWER_LIMIT, work).await.unwrap_or_else(|_| Err(no_answer(&leg.config))),
            };
            if let Err(error) = opened {
                leg.fail(&error);
            }
        });
        job.ctx.or_cancel(async { Ok(futures::future::join_all(opened).await) }).await?;
        let (base, base_layout) = self.choose_base(job).await?;
        if !self.archives {
            self.compare(job, &base, &base_layout).await?;
        }
        let layout = self.write_into(job, &base, &base_layout)?;
        for leg in self.live() {
            leg.shown.set("writing", None);
        }
        Ok(Target { layout, base, base_layout })
    }

    fn live(&self) -> impl Iterator<Item = &Arc<LegOfRun>> {
        self.all.iter().filter(|leg| leg.is_live())
    }

    async fn open_one(&self, job: &Job, leg: &LegOfRun, estimate: Option<u64>) -> Result<()> {
        let lock = job.inner.locks.use_destination(&leg.config.id)?;
        if lock.is_none() {
            return Err(being_freed(&leg.config));
        }
        *locked(&leg._lock) = lock;
        let place = self.reach(job, leg).await?;
        super::backup::check_room(job, place.as_ref(), estimate).await?;
        self.begun(job, leg).end_old(job, place.as_ref()).await?;
        *locked(&leg.place) = Some(place);
        Ok(())
    }

    fn begun(&self, job: &Job, leg: &LegOfRun) -> Begun {
        Begun::new(&job.inner, &self.plan, &leg.config.id)
    }

    /// Opens a place and asks one small question.
    async fn reach(&self, job: &Job, leg: &LegOfRun) -> Result<Arc<dyn Destination>> {
        let watch = LegTraffic::watch(&leg.shown, &job.progress);
        let place = job.ctx.or_cancel(job.inner.open_place(&leg.config, watch)).await?;
        let key = Key::new(if self.archives { "backstay/ready" } else { "config" })?;
        match job.ctx.or_cancel(place.head(&key)).await {
            Ok(_) if !self.archives => Ok(place),
            Ok(_) => self.not_emptied(job, leg, place).await,
            Err(error) if error.class == ErrorClass::Missing && self.archives => {
                self.not_emptied(job, leg, place).await
            }
            Err(error) if error.class == ErrorClass::Missing => Err(Error::new(
                ErrorClass::Missing,
                format!("Cannot back up to {}: the vault is not there", place.label()),
            )
            .hint("Is the right disk mounted? To fill it anew from another copy, use Sync")),
            Err(error) => Err(error),
        }
    }

    async fn not_emptied(
        &self,
        job: &Job,
        leg: &LegOfRun,
        place: Arc<dyn Destination>,
    ) -> Result<Arc<dyn Destination>> {
        job.ctx.or_cancel(job.inner.refuse_emptied(&leg.config, place.as_ref())).await?;
        Ok(place)
    }

    /// Chooses the first destination whose backups can be read.
    async fn choose_base(&self, job: &Job) -> Result<(Arc<LegOfRun>, Arc<dyn Layout>)> {
        for leg in self.all.iter().filter(|leg| leg.is_live()) {
            let Some(place) = leg.open_place() else { continue };
            let layout = match self.archives {
                true => Ok(job.inner.archives_over(place)),
                false => job.ctx.or_cancel(job.inner.vault(&leg.config)).await.map(|vault| vault.layout),
            };
            match layout {
                Ok(layout) => return Ok((leg.clone(), layout)),
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => leg.fail(&error),
            }
        }
        Err(self.first_error())
    }

    fn first_error(&self) -> Error {
        let first = self.all.iter().find_map(|leg| leg.failed());
        first.map_or_else(|| Error::new(ErrorClass::Invalid, "The plan has no destination"), |e| error_of(&e))
    }

    /// Finds out which other destinations have all that is at the base.
    async fn compare(&self, job: &Job, base: &Arc<LegOfRun>, layout: &Arc<dyn Layout>) -> Result<()> {
        let others: Vec<_> = self.live().filter(|leg| !Arc::ptr_eq(leg, base)).cloned().collect();
        let looks = others.iter().map(|leg| async move {
            let Some(place) = leg.open_place() else { return };
            let look = tokio::time::timeout(ANSWER_LIMIT, layout.is_level_with(&job.ctx, place));
            match look.await.unwrap_or_else(|_| Err(no_answer(&leg.config))) {
                Ok(level) => *locked(&leg.level) = level,
                Err(error) => leg.fail(&error),
            }
        });
        futures::future::join_all(looks).await;
        job.ctx.check()
    }

    /// Makes one layout of all destinations that are ready.
    fn write_into(&self, job: &Job, base: &Arc<LegOfRun>, layout: &Arc<dyn Layout>) -> Result<Arc<dyn Layout>> {
        let mut legs = Vec::new();
        let first = base.open_place().ok_or_else(|| no_answer(&base.config))?;
        legs.push((base.clone(), LegPlace::first(first, self.begun(job, base))));
        for leg in self.live().filter(|leg| !Arc::ptr_eq(leg, base)) {
            if let Some(place) = leg.open_place() {
                legs.push((leg.clone(), LegPlace::further(place, self.begun(job, leg))));
            }
        }
        let names: Vec<&str> = legs.iter().map(|(leg, _)| leg.config.name.as_str()).collect();
        let place: Arc<dyn Destination> = if let [(_, only)] = legs.as_slice() {
            only.clone()
        } else {
            let label = names.join(" and ");
            let (all, log) = (self.all.clone(), job.clone());
            let on_failed = move |name: &str, reason: &StoredError| {
                if let Some(leg) = all.iter().find(|leg| leg.config.name == name) {
                    leg.fail_for(reason);
                    log.log(format!("{name} is left out from here on: {}", reason.message));
                }
            };
            let mirrored = legs.into_iter().map(|(leg, place)| {
                let destination: Arc<dyn Destination> = place;
                MirrorLeg { name: leg.config.name.clone(), destination, level: *locked(&leg.level) }
            });
            job.inner.parts.mirror(&label, mirrored.collect(), Arc::new(on_failed))
        };
        if self.archives {
            return Ok(job.inner.archives_over(place));
        }
        layout
            .over(place)
            .ok_or_else(|| Error::new(ErrorClass::Internal, "This layout cannot be written to several destinations"))
    }

    /// Says why a backup failed: where it was read from comes first, since what else went wrong came of that.
    pub fn reason(&self, target: &Target, error: Error) -> Error {
        for leg in &self.all {
            leg.fail(&error);
        }
        match target.base.failed() {
            Some(reason) if !error.is_cancelled() => error_of(&reason),
            _ => error,
        }
    }

    /// Ends the run: keeps what each destination has, makes good what can be, names the rest. There is a backup already.
    pub async fn settle(&self, job: &Job, target: &Target, record: &BackupRecord) -> Result<()> {
        let base = self.base_now(target);
        self.mark_done(job, &base, record)?;
        let mut later = Vec::new();
        // Each waits for a place of its own.
        let others = self.all.iter().filter(|leg| !Arc::ptr_eq(leg, &base)).map(|leg| async move {
            let level = *locked(&leg.level);
            let confirmed =
                if leg.is_live() && level { self.confirm(job, leg, record).await.map(|()| true) } else { Ok(false) };
            (leg, confirmed)
        });
        for (leg, confirmed) in futures::future::join_all(others).await {
            match confirmed {
                Ok(true) => self.mark_done(job, leg, record)?,
                Ok(false) => later.push(leg),
                Err(error) => {
                    leg.fail(&error);
                    later.push(leg);
                }
            }
        }
        for leg in later {
            self.make_good(job, target, leg, record).await?;
        }
        for leg in self.all.iter().filter(|leg| leg.failed().is_none()) {
            job.keep_locks(&leg.config).await;
        }
        self.keep_configuration(job).await;
        let places = self.live().filter_map(|leg| Some((&leg.config, leg.open_place()?)));
        futures::future::join_all(places.map(|(config, place)| job.sweep(config, place))).await;
        Ok(())
    }

    /// Where the new backup was read back.
    fn base_now(&self, target: &Target) -> Arc<LegOfRun> {
        if target.base.is_live() {
            return target.base.clone();
        }
        let next = self.live().find(|leg| *locked(&leg.level)).cloned();
        next.unwrap_or_else(|| target.base.clone())
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
    async fn make_good(&self, job: &Job, target: &Target, leg: &Arc<LegOfRun>, record: &BackupRecord) -> Result<()> {
        let failed = leg.failed();
        if failed.as_ref().is_none_or(|error| worth_another_try(error.class)) {
            leg.shown.set("retrying", failed.as_ref().map(|error| error.message.clone()));
            match self.sync(job, target, leg, record).await {
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
        job.problem(Problem {
            kind: ProblemKind::Other,
            item: String::new(),
            subject: leg.config.name.clone(),
            reason: format!("{reason}. The backup is not there; Sync makes it good later, without the server"),
        });
        Ok(())
    }

    async fn sync(&self, job: &Job, target: &Target, leg: &Arc<LegOfRun>, record: &BackupRecord) -> Result<()> {
        if locked(&leg._lock).is_none() {
            *locked(&leg._lock) = job.inner.locks.use_destination(&leg.config.id)?;
        }
        let answered = tokio::time::timeout(SECOND_LIMIT, self.reach(job, leg)).await;
        let place = answered.map_err(|_| no_answer(&leg.config))??;
        job.ctx.check()?;
        let base = self.base_now(target);
        let from = match (Arc::ptr_eq(&base, &target.base), self.archives) {
            (true, _) => target.base_layout.clone(),
            (false, true) => job.inner.archives(&base.config).await?,
            (false, false) => job.ctx.or_cancel(job.inner.vault(&base.config)).await?.layout,
        };
        // Older ones it lacks come along as far as they lie there.
        let mut ids = vec![record.id.clone()];
        for id in job.inner.to_make_good(&record.plan.clone().unwrap_or_else(|| "".into()), &leg.config.id)? {
            let there = job.inner.store.backup(&id)?.iter().any(|copy| copy.destination == base.config.id);
            if there && !ids.contains(&id) {
                ids.push(id);
            }
        }
        job.phase(Phase::Copying);
        job.progress_current(&leg.config.name);
        let copied = match copy_backups(&job.copying_to(&leg.shown), &from, &leg.config, place, &ids).await {
            // An older one that is lost there says nothing of this one.
            Err(error) if error.class == ErrorClass::Missing => {
                let there = job.inner.store.backup(&record.id)?;
                if !there.iter().any(|copy| copy.destination == leg.config.id) {
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

fn worth_another_try(class: ErrorClass) -> bool {
    use ErrorClass as C;
    matches!(class, C::Offline | C::TimedOut | C::Throttled | C::Locked | C::Corrupt | C::Internal | C::Missing)
}

fn no_answer(config: &DestinationConfig) -> Error {
    Error::new(ErrorClass::TimedOut, format!("{} does not answer", config.name))
        .hint("Check the connection to it; Sync makes it good later")
}

/// Makes the error of a destination whose vault is being pruned.
pub(super) fn being_freed(config: &DestinationConfig) -> Error {
    Error::new(ErrorClass::Locked, format!("Cannot use {}: room is being freed there", config.name))
        .hint("Wait for it to end, then start again")
}
