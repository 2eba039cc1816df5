//! A plan's backup: preflight, collect each item, commit last.

use super::failures::Failures;
use super::legs::{Legs, Target};
use super::{Finish, HeldLock, Job, RunStart};
use crate::backstay::{Backstay, Inner};
use crate::own_folders::{leave_out, nothing_else};
use crate::words::{count_text, size_text};
use async_trait::async_trait;
use backstay_contract::FilesSettings;
use backstay_core::config::{DestinationConfig, Plan, PlanLayout, Server};
use backstay_core::destination::Destination;
use backstay_core::entry::{AddError, Content, Entry, EntrySink, Xattr};
use backstay_core::host::Host;
use backstay_core::kind::{CollectReport, ItemInput};
use backstay_core::layout::{ArchiveStart, BackupManifest, BackupRecord, BackupStart, BackupWriter};
use backstay_core::run::{Phase, Problem, ProblemKind, RunKind};
use backstay_core::secret::SecretName;
use backstay_core::{Error, ErrorClass, PlanId, RawPath, Result};
use std::sync::Arc;

/// Less room than this at the destination, and a backup is not even begun.
const MINIMUM_ROOM: u64 = 16 << 20;

impl Backstay {
    /// Starts a plan's backup and returns the run's id.
    pub async fn start_backup(&self, plan: &str) -> Result<String> {
        let plan = self.inner.store.plan(&PlanId::from(plan))?;
        let result = self.inner.begin_backup(&plan);
        match result {
            Ok(id) => Ok(id),
            Err(error) => self.inner.audited("backup.start", &plan.name, Err(error)),
        }
    }
}

impl Inner {
    fn begin_backup(self: &Arc<Self>, plan: &Plan) -> Result<String> {
        let server = self.store.server(&plan.server)?;
        let destinations = self.destinations_of(plan)?;
        let lock = self.lock_plan(plan)?;
        let names: Vec<&str> = destinations.iter().map(|config| config.name.as_str()).collect();
        let start = RunStart {
            kind: RunKind::Backup,
            title: plan.name.clone(),
            plan: Some(plan.id.clone()),
            server: Some(server.id.clone()),
            destination: destinations.first().map(|config| config.id.clone()),
            backup: None,
            plan_lock: Some(lock),
            subject: format!("{} from {} to {}", plan.name, server.name, names.join(", ")),
        };
        let work = Work { plan: plan.clone(), server, destinations };
        Ok(self.start_run(start, move |job| work.run(job))?.to_string())
    }

    fn lock_plan(&self, plan: &Plan) -> Result<HeldLock> {
        self.sweep_interrupted()?;
        self.locks.hold_plan(&plan.id)?.ok_or_else(|| {
            Error::new(
                ErrorClass::Locked,
                format!("Cannot back up \"{}\": a backup of it is already running", plan.name),
            )
            .hint("Wait for it to end, or cancel it in Activity")
        })
    }

    fn destinations_of(&self, plan: &Plan) -> Result<Vec<DestinationConfig>> {
        if plan.destinations.is_empty() {
            return Err(Error::new(ErrorClass::Invalid, format!("The plan \"{}\" has no destination", plan.name))
                .hint("Edit the plan and choose one"));
        }
        plan.destinations.iter().map(|id| self.store.destination(id)).collect()
    }

    async fn inputs(&self, plan: &Plan) -> Result<Vec<ItemInput>> {
        let mut inputs = Vec::with_capacity(plan.items.len());
        for item in &plan.items {
            // Files need no password; asking for one would wake a locked keyring for nothing.
            let password = match item.kind.as_str() {
                "files" | "sqlite" => None,
                _ => self.optional_secret(SecretName::item_password(&plan.id, &item.name)).await?,
            };
            inputs.push(ItemInput { item: item.clone(), password });
        }
        Ok(inputs)
    }
}

struct Work {
    plan: Plan,
    server: Server,
    destinations: Vec<DestinationConfig>,
}

impl Work {
    async fn run(self, job: Job) -> Result<Finish> {
        let legs = Legs::new(&job, &self.plan, self.destinations.clone());
        job.phase(Phase::Connecting);
        job.progress_current(&self.server.name);
        let host = job.ctx.or_cancel(job.inner.connect(&self.server)).await?;
        job.log(format!("Connected to {} {}", self.server.name, host.route()));
        self.warn_of_own_ground(&job)?;
        let result = self.on_host(&job, host.as_ref(), &legs).await;
        host.close().await;
        let (record, target, finish) = result?;
        // The server is not needed any more: what is left concerns the destinations alone.
        legs.settle(&job, &target, &record).await?;
        Ok(finish)
    }

    async fn on_host(&self, job: &Job, host: &dyn Host, legs: &Legs) -> Result<(BackupRecord, Target, Finish)> {
        let ctx = &job.ctx;
        let started = ctx.clock.now();
        let inputs = self.without_own(job, host, job.inner.inputs(&self.plan).await?).await?;
        let (ready, facts, estimate) = self.preflight(job, host, &inputs).await?;
        job.phase(Phase::Opening);
        let archive = self.archive(job).await?;
        let target = legs.open(job, estimate).await?;
        let mut manifest = BackupManifest {
            version: 1,
            server: self.server.id.clone(),
            server_name: self.server.name.clone(),
            plan: self.plan.id.clone(),
            plan_name: self.plan.name.clone(),
            // As they were read: what was left out, a restore that replaces must leave alone.
            items: inputs.iter().map(|input| input.item.clone()).collect(),
            started,
            app_version: env!("CARGO_PKG_VERSION").into(),
            facts,
            problems: Vec::new(),
        };
        let start = BackupStart {
            manifest: manifest.clone(),
            paths: paths_of(&inputs),
            parent: None,
            archive,
            damaged: target.damaged(job)?,
        };
        let writer = ctx.or_cancel(target.layout.begin(ctx, start)).await.map_err(|e| legs.reason(&target, e))?;
        let mut sink = WatchedSink { writer, failed: false };
        let collected = self.collect(job, host, &ready, &mut sink).await;
        let counted = match collected.and_then(|counted| ctx.check().map(|()| counted)) {
            Ok(counted) => counted,
            Err(error) => {
                sink.writer.abort().await;
                return Err(if sink.failed { legs.reason(&target, error) } else { error });
            }
        };
        manifest.problems = job.progress.kept_problems();
        job.phase(Phase::Saving);
        let record = sink.writer.commit(manifest).await.map_err(|e| legs.reason(&target, e))?;
        let mut counts = record.counts;
        counts.files_read = counts.files_read.max(counted.files_read);
        counts.bytes_read = counts.bytes_read.max(counted.bytes_read);
        job.log(format!(
            "Backup {} is complete: {}, {}; {} added",
            short(record.id.as_str()),
            count_text(counts.files, "file", "files"),
            size_text(counts.bytes),
            size_text(counts.bytes_added)
        ));
        let id = record.id.clone();
        Ok((record, target, Finish { counts, backup: Some(id), result: None }))
    }

    /// How an archive is made; `None` for a vault.
    async fn archive(&self, job: &Job) -> Result<Option<ArchiveStart>> {
        let PlanLayout::Archive(settings) = &self.plan.layout else { return Ok(None) };
        Ok(Some(ArchiveStart { settings: settings.clone(), key: job.inner.archive_key(&self.plan).await? }))
    }

    /// Looks at every item. One that cannot work among several is a problem; if none can, the first error ends the run.
    async fn preflight<'a>(
        &self,
        job: &Job,
        host: &dyn Host,
        inputs: &'a [ItemInput],
    ) -> Result<(Vec<&'a ItemInput>, Vec<String>, Option<u64>)> {
        job.phase(Phase::Preflight);
        let mut ready = Vec::new();
        let mut facts: Vec<String> = Vec::new();
        let mut bytes = None;
        let mut failures = Failures::new(inputs.len());
        for input in inputs {
            job.progress_current(&input.item.name);
            let kind = job.inner.kind(&input.item.kind)?;
            match job.ctx.or_cancel(kind.preflight(&job.ctx, host, input)).await {
                Ok(found) => {
                    for fact in found.facts {
                        if !facts.contains(&fact) {
                            facts.push(fact);
                        }
                    }
                    found.warnings.iter().for_each(|warning| job.log(warning));
                    bytes = match (bytes, found.bytes) {
                        (Some(sum), Some(more)) => Some(sum + more),
                        (sum, more) => sum.or(more),
                    };
                    ready.push(input);
                }
                Err(error) => failures.add(job, input, error)?,
            }
        }
        failures.end()?;
        facts.iter().for_each(|fact| job.log(fact));
        Ok((ready, facts, bytes))
    }

    async fn collect(
        &self,
        job: &Job,
        host: &dyn Host,
        ready: &[&ItemInput],
        sink: &mut WatchedSink,
    ) -> Result<CollectReport> {
        let mut sum = CollectReport::default();
        let mut failures = Failures::new(ready.len());
        for input in ready {
            job.ctx.check()?;
            let kind = job.inner.kind(&input.item.kind)?;
            job.log(format!("Backing up {}: {}", input.item.name, kind.describe(&input.item)));
            match job.ctx.or_cancel(kind.collect(&job.ctx, host, input, sink)).await {
                Ok(report) => {
                    sum.files += report.files;
                    sum.bytes += report.bytes;
                    sum.files_read += report.files_read;
                    sum.bytes_read += report.bytes_read;
                }
                // What the destination refused once cannot be made good by the next item.
                Err(error) if sink.failed => return Err(error),
                Err(error) => failures.add(job, input, error)?,
            }
            if sink.failed {
                return Err(Error::new(
                    ErrorClass::Internal,
                    format!("The destination failed while {} was written", input.item.name),
                ));
            }
        }
        failures.end()?;
        if sum.files == 0
            && let Some(first) = job.progress.kept_problems().first()
        {
            return Err(Error::new(
                ErrorClass::Refused,
                format!("Nothing on {} could be read: {}: {}", self.server.name, first.subject, first.reason),
            )
            .hint("Give the user Backstay logs in as the right to read it, or use sudo"));
        }
        Ok(sum)
    }

    /// Says so where a backup goes to the very server it comes from.
    fn warn_of_own_ground(&self, job: &Job) -> Result<()> {
        for config in &self.destinations {
            if job.inner.servers_under(config)?.iter().any(|server| server.id == self.server.id) {
                job.log(format!(
                    "{} lies on {} itself: lost with it, and open to who breaks in there. Back up to another place as well",
                    config.name, self.server.name
                ));
            }
        }
        Ok(())
    }

    /// Leaves Backstay's own folders on the server out of the items, and says so. An item that is nothing else is left
    /// out whole; if all are, there is nothing to back up.
    async fn without_own(&self, job: &Job, host: &dyn Host, inputs: Vec<ItemInput>) -> Result<Vec<ItemInput>> {
        let own = job.ctx.or_cancel(job.inner.own_folders(&self.server, Some(host))).await?;
        let (mut kept, mut first) = (Vec::with_capacity(inputs.len()), None);
        for mut input in inputs {
            let left_out = leave_out(&own, &mut input.item).await;
            for (what, paths) in by_what(&left_out.below) {
                job.log(format!("Left out: {}, where {what} lie", paths.join(", ")));
            }
            for (path, what) in &left_out.picked {
                job.log(format!("Left out: {path}, where {what} lie"));
                job.problem(Problem {
                    kind: ProblemKind::Skipped,
                    item: input.item.name.clone(),
                    subject: path.to_text(),
                    reason: format!("It was picked, and left out: {what} lie there, and would grow with every run"),
                });
            }
            if left_out.is_all {
                first = first.or_else(|| left_out.picked.into_iter().next());
            } else {
                kept.push(input);
            }
        }
        match first.filter(|_| kept.is_empty()) {
            Some(ours) => Err(nothing_else(&format!("back up \"{}\"", self.plan.name), &ours)),
            None => Ok(kept),
        }
    }
}

/// Puts folders with the same in them together.
fn by_what(found: &[(RawPath, String)]) -> Vec<(&str, Vec<String>)> {
    let mut all: Vec<(&str, Vec<String>)> = Vec::new();
    for (path, what) in found {
        match all.iter_mut().find(|(known, _)| known == what) {
            Some((_, paths)) => paths.push(path.to_text()),
            None => all.push((what.as_str(), vec![path.to_text()])),
        }
    }
    all
}

/// The absolute paths picked, as restic names them.
fn paths_of(inputs: &[ItemInput]) -> Vec<RawPath> {
    let files = inputs.iter().map(|input| &input.item).filter(|item| item.kind == "files");
    let settings = files.filter_map(|item| serde_json::from_value::<FilesSettings>(item.settings.clone()).ok());
    let texts = settings.flat_map(|settings| settings.paths);
    texts.filter_map(|text| RawPath::from_text(&text).ok()).collect()
}

impl Job {
    /// Says what is being worked on.
    pub(super) fn progress_current(&self, what: &str) {
        backstay_core::context::Progress::current(self.progress.as_ref(), what);
    }
    /// Keeps a problem.
    pub(super) fn problem(&self, problem: Problem) {
        backstay_core::context::Progress::problem(self.progress.as_ref(), problem);
    }
}

/// Looks whether there is room at a destination, where it tells.
pub(super) async fn check_room(job: &Job, destination: &dyn Destination, estimate: Option<u64>) -> Result<()> {
    let Ok(space) = job.ctx.or_cancel(destination.space()).await else { return Ok(()) };
    if space.free_bytes < MINIMUM_ROOM {
        return Err(Error::new(
            ErrorClass::Full,
            format!("Cannot back up to {}: only {} are free there", destination.label(), size_text(space.free_bytes)),
        )
        .hint("Make room on that disk, or choose another destination"));
    }
    if let Some(bytes) = estimate.filter(|bytes| *bytes > space.free_bytes) {
        job.log(format!(
            "There are about {} to back up, and {} has {} free: it may become full",
            size_text(bytes),
            destination.label(),
            size_text(space.free_bytes)
        ));
    }
    Ok(())
}

/// The layout's writer as the kinds see it; remembers whether the destination failed.
struct WatchedSink {
    writer: Box<dyn BackupWriter>,
    failed: bool,
}

#[async_trait]
impl EntrySink for WatchedSink {
    fn is_unchanged(&self, entry: &Entry) -> Option<Vec<Xattr>> {
        self.writer.is_unchanged(entry)
    }
    async fn add(&mut self, entry: Entry, content: Content<'_>) -> Result<u64, AddError> {
        let result = self.writer.add(entry, content).await;
        self.failed |= matches!(result, Err(AddError::Sink(_)));
        result
    }
}

/// The first digits of an id, as people read them.
pub(super) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
