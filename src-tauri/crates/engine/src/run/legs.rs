//! The destinations of one backup run: opened together, written at the same time, each with its own outcome.

mod settle;

use super::Job;
use super::begun::Begun;
use super::leg::{Leg, LegTraffic};
use super::leg_place::LegPlace;
use super::locks::HeldLock;
use crate::backstay::locked;
use crate::backups::copies::makes_archives;
use crate::parts::MirrorLeg;
use crate::words::error_of;
use backstay_core::config::{DestinationConfig, Plan};
use backstay_core::destination::{Destination, Key};
use backstay_core::layout::Layout;
use backstay_core::run::StoredError;
use backstay_core::{Error, ErrorClass, PlanId, Result};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One destination among several that does not answer in this time must not hold up the others.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);

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

impl Target {
    /// Returns what is known to be damaged where it is read from.
    pub fn damaged(&self, job: &Job) -> Result<Vec<String>> {
        job.inner.damaged_objects(&self.base.config.id)
    }
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
