//! A verify run: reads a backup back whole, and lets each kind look at its part.

use super::legs::being_freed;
use super::mend::{ARCHIVES, suspects_of};
use super::thaw::Turns;
use super::{Finish, Job, RunStart};
use crate::backstay::Backstay;
use crate::backups::copies::{Copy, frozen};
use crate::restore::{items_of, selection_of};
use crate::words::{count_text, invalid, size_text, time_text};
use async_trait::async_trait;
use backstay_core::config::{DestinationConfig, KnownBackup};
use backstay_core::context::Progress;
use backstay_core::destination::{Availability, Destination, Key};
use backstay_core::entry::{ByteStream, Entry, EntrySource};
use backstay_core::kind::ItemInput;
use backstay_core::layout::{BackupReader, Layout, Suspects};
use backstay_core::run::{Phase, Problem, ProblemKind, RunCounts, RunKind};
use backstay_core::{BackupId, DestinationId, ErrorClass, Result};
use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

/// Every backup in a vault has an object of its name below this.
const SNAPSHOTS: &str = "snapshots/";

struct Verify {
    copies: Vec<Copy>,
}

impl Backstay {
    /// Starts reading all copies of a backup back whole and returns the run's id.
    pub async fn start_verify(&self, backup: &str) -> Result<String> {
        let copies = self.inner.copies(&BackupId::from(backup))?;
        let Some(first) = copies.first() else { return Err(invalid("There is no such backup")) };
        let record = &first.known.record;
        let text = format!("{}, {}", record.plan_name, time_text(record.started));
        let names: Vec<&str> = copies.iter().map(|copy| copy.config.name.as_str()).collect();
        let start = RunStart {
            kind: RunKind::Verify,
            title: text.clone(),
            plan: record.plan.clone(),
            server: record.server.clone(),
            destination: Some(first.config.id.clone()),
            backup: Some(record.id.clone()),
            plan_lock: None,
            subject: format!("{text} at {}", names.join(", ")),
        };
        let work = Verify { copies };
        Ok(self.inner.start_run(start, move |job| work.run(job))?.to_string())
    }

    /// Starts checking all that lies at a destination, reading back this share of the data; returns the run's id.
    pub async fn start_verify_destination(&self, destination: &str, read_data_percent: u8) -> Result<String> {
        let config = self.inner.store.destination(&DestinationId::from(destination))?;
        if read_data_percent > 100 {
            return Err(invalid("The share of the data to be read back is between 0 and 100 percent"));
        }
        let start = RunStart {
            kind: RunKind::Verify,
            title: format!("All at {}", config.name),
            plan: None,
            server: None,
            destination: Some(config.id.clone()),
            backup: None,
            plan_lock: None,
            subject: format!("{}, {read_data_percent} percent of the data", config.name),
        };
        let work = move |job| check_destination(job, config, read_data_percent);
        Ok(self.inner.start_run(start, work)?.to_string())
    }
}

async fn check_destination(job: Job, config: DestinationConfig, percent: u8) -> Result<Finish> {
    job.phase(Phase::Opening);
    let _lock = job.inner.locks.use_destination(&config.id)?.ok_or_else(|| being_freed(&config))?;
    let place = job.ctx.or_cancel(job.inner.place(&config)).await?;
    let emptied = job.ctx.or_cancel(job.inner.emptied(&config, place.as_ref())).await?;
    if emptied.vault {
        emptied.refuse(&config, place.as_ref())?;
    }
    let mut suspects = Suspects::default();
    let mut layouts = vec![job.ctx.or_cancel(job.inner.archives(&config)).await?];
    if !config.vault_id.is_empty() {
        layouts.push(job.ctx.or_cancel(job.inner.vault(&config)).await?.layout);
    }
    let own = job.inner.all_backups(Some(&config.id))?;
    let archives: HashSet<&String> =
        own.iter().filter_map(|known| known.record.archive.as_ref()).map(|file| &file.key).collect();
    let mut named = HashSet::new();
    let (mut objects, mut bytes, mut not_read) = (0, 0, 0);
    for layout in layouts {
        job.phase(Phase::Checking);
        let found = layout.check(&job.ctx, percent).await?;
        objects += found.objects;
        bytes += found.bytes;
        not_read += found.not_read;
        suspects.objects.extend(found.damaged);
        for (subject, reason) in found.faults {
            // An archive's fault is named by its key.
            if archives.contains(&subject) {
                suspects.objects.insert(subject.clone());
            }
            named.insert(subject.clone());
            job.problem(Problem { kind: ProblemKind::Damaged, item: String::new(), subject, reason });
        }
    }
    for known in lost(&job, &config, place.as_ref(), &own).await? {
        let subject = subject_of(known);
        // A disk that is not mounted tells nothing of damage.
        if !emptied.has(known) {
            suspects.extend(suspects_of(known));
        }
        if named.insert(subject.clone()) {
            let reason = "it is in the list of backups and not there. Is the right disk mounted? If it was deleted by \
                          another computer, read the destination anew"
                .to_owned();
            job.problem(Problem { kind: ProblemKind::Damaged, item: String::new(), subject, reason });
        }
    }
    // Read whole, a destination has no damage but what was found.
    if percent == 100 && not_read == 0 && !(emptied.vault || emptied.archives) {
        job.inner.only_suspects(&config.id, &suspects)?;
    }
    job.remember_damage(&config, suspects)?;
    let looked = format!("Looked at {}", count_text(objects, "object", "objects"));
    let mut text = match percent == 0 || bytes == 0 {
        true if job.progress.spoiling() == 0 => format!("{looked}: all there; no data was read back"),
        true => end_text(&job, format!("{looked}, read back no data")),
        false => end_text(&job, format!("{looked}, read back {}", size_text(bytes))),
    };
    if not_read > 0 {
        text.push_str(&format!(". Not read, as frozen: {}", count_text(not_read, "archive", "archives")));
    }
    Ok(Finish { result: Some(text), ..Finish::default() })
}

/// Returns the backups of the list that do not lie there; `before` is the list as it was: what was deleted meanwhile is
/// not lost, and what was completed was not looked for.
async fn lost<'a>(
    job: &Job,
    config: &DestinationConfig,
    place: &dyn Destination,
    before: &'a [KnownBackup],
) -> Result<Vec<&'a KnownBackup>> {
    let mut there = HashSet::new();
    for folder in [ARCHIVES, SNAPSHOTS] {
        let objects = job.ctx.or_cancel(place.list(folder)).await?;
        there.extend(objects.into_iter().map(|object| object.key.as_str().to_owned()));
    }
    let now = job.inner.all_backups(Some(&config.id))?;
    let now: HashSet<BackupId> = now.into_iter().map(|known| known.record.id).collect();
    let is_there = |known: &KnownBackup| match &known.record.archive {
        Some(file) => there.contains(&file.key),
        None => there.contains(&format!("{SNAPSHOTS}{}", known.record.id)),
    };
    Ok(before.iter().filter(|known| now.contains(&known.record.id) && !is_there(known)).collect())
}

/// An archive is named by its key, as a check names it.
fn subject_of(known: &KnownBackup) -> String {
    match &known.record.archive {
        Some(file) => file.key.clone(),
        None => format!("backup {}", super::backup::short(known.record.id.as_str())),
    }
}

fn end_text(job: &Job, text: String) -> String {
    match job.progress.spoiling() {
        0 => format!("{text}: all whole"),
        faults => format!("{text}: {} damaged", count_text(faults, "thing is", "things are")),
    }
}

/// Tells whether the place of a copy is there, so that only the copy is not: a disk that is not mounted tells nothing
/// of damage.
async fn place_is_there(job: &Job, copy: &Copy) -> bool {
    let look = async {
        let place = job.inner.place(&copy.config).await?;
        match copy.known.record.archive {
            Some(_) => Ok(!place.list(ARCHIVES).await?.is_empty()),
            // Every vault has it.
            None => place.head(&Key::new("config")?).await.map(|_| true),
        }
    };
    job.ctx.or_cancel(look).await.unwrap_or(false)
}

impl Verify {
    async fn run(self, job: Job) -> Result<Finish> {
        let read = Arc::new(Read::default());
        let mut first = None;
        let mut proven = 0;
        let mut unread = Vec::new();
        let mut turns = Turns::of(self.copies.clone());
        while let Some((copy, told)) = turns.next(&job).await {
            job.ctx.check()?;
            let copy = &copy;
            let before = job.progress.spoiling();
            let mut met = Suspects::default();
            let checked = match told {
                Ok(Availability::Frozen) if self.copies.len() > 1 => {
                    job.problem(Problem::frozen(format!("copy at {}", copy.config.name)));
                    unread.push(copy.config.name.clone());
                    first.get_or_insert(frozen(copy));
                    continue;
                }
                Ok(Availability::Frozen) => Err(frozen(copy)),
                Ok(_) => self.check_copy(&job, copy, &read, &mut met).await,
                Err(error) => Err(error),
            };
            match checked {
                Ok(()) if job.progress.spoiling() == before => {
                    let mut verified = copy.known.clone();
                    verified.record.verified = Some(job.ctx.clock.now());
                    job.inner.store.put_backup(&verified)?;
                    job.inner.forget_suspect(&copy.config.id, &copy.known)?;
                    // What is damaged in one pack, and came from another one.
                    job.remember_damage(&copy.config, met)?;
                    proven += 1;
                }
                Ok(()) => {
                    proven += 1;
                    met.extend(suspects_of(&copy.known));
                    job.remember_damage(&copy.config, met)?;
                }
                Err(error) => {
                    let lost = error.class == ErrorClass::Missing && place_is_there(&job, copy).await;
                    if lost || error.class == ErrorClass::Corrupt {
                        met.extend(suspects_of(&copy.known));
                        job.remember_damage(&copy.config, met)?;
                    }
                    if error.is_cancelled() || self.copies.len() == 1 {
                        return Err(error);
                    }
                    job.problem(Problem {
                        kind: if error.class == ErrorClass::Corrupt {
                            ProblemKind::Damaged
                        } else {
                            ProblemKind::Other
                        },
                        item: String::new(),
                        subject: format!("copy at {}", copy.config.name),
                        reason: error.message.clone(),
                    });
                    first.get_or_insert(error);
                }
            }
        }
        if let Some(error) = first.filter(|_| proven == 0) {
            return Err(error);
        }
        let (files, bytes) = (read.files.load(Ordering::Relaxed), read.bytes.load(Ordering::Relaxed));
        let text = format!("Read back {} ({})", count_text(files, "file", "files"), size_text(bytes));
        let counts = RunCounts { files, bytes, ..RunCounts::default() };
        let mut text = end_text(&job, text);
        if !unread.is_empty() {
            text.push_str(&format!(". Not read, as frozen: {}", unread.join(", ")));
        }
        Ok(Finish { counts, backup: None, result: Some(text) })
    }

    /// Reads a copy back; `met` is told the objects that were damaged on the way.
    async fn check_copy(&self, job: &Job, copy: &Copy, read: &Arc<Read>, met: &mut Suspects) -> Result<()> {
        job.phase(Phase::Opening);
        let _lock = job.inner.locks.use_destination(&copy.config.id)?.ok_or_else(|| being_freed(&copy.config))?;
        let layout = job.ctx.or_cancel(job.inner.layout_of(copy)).await?;
        // What was read before proves nothing.
        let layout = layout.afresh().unwrap_or(layout);
        let result = self.read_copy(job, layout.as_ref(), copy, read).await;
        met.objects.extend(layout.damage_met());
        result
    }

    async fn read_copy(&self, job: &Job, layout: &dyn Layout, copy: &Copy, read: &Arc<Read>) -> Result<()> {
        let reader = job.ctx.or_cancel(layout.open(copy.id())).await?;
        job.phase(Phase::Checking);
        job.log(format!("Reading the copy at {}", copy.config.name));
        let counts = reader.record().counts;
        job.progress.total(Some(counts.files), Some(counts.bytes));
        let manifest = reader.manifest().await?;
        for item in items_of(manifest.as_ref())? {
            job.ctx.check()?;
            self.check_item(job, reader.as_ref(), item, read).await?;
        }
        Ok(())
    }

    async fn check_item(
        &self,
        job: &Job,
        reader: &dyn BackupReader,
        item: backstay_core::kind::Item,
        read: &Arc<Read>,
    ) -> Result<()> {
        let Some(selection) = selection_of(&item, &[]) else { return Ok(()) };
        let kind = job.inner.kind(&item.kind)?;
        let name = item.name.clone();
        job.log(format!("Checking {name}: {}", kind.describe(&item)));
        let source = job.ctx.or_cancel(reader.stream(&job.ctx, selection)).await?;
        let mut source = CountedSource { source, read: read.clone(), job, is_file: false };
        let input = ItemInput { item, password: None };
        let report = job.ctx.or_cancel(kind.check(&job.ctx, &input, &mut source)).await?;
        for (subject, reason) in report.faults {
            job.problem(Problem { kind: ProblemKind::Damaged, item: name.clone(), subject, reason });
        }
        Ok(())
    }
}

impl Job {
    /// Remembers what is damaged at a destination for its next sync.
    fn remember_damage(&self, config: &DestinationConfig, suspects: Suspects) -> Result<()> {
        if suspects.is_empty() {
            return Ok(());
        }
        self.inner.add_suspects(&config.id, suspects)?;
        self.log(match self.inner.may_be_mended(config)? {
            true => {
                format!("Sync of {} writes anew what is damaged there, from another destination that has it", config.name)
            }
            false => format!(
                "No other destination has what is damaged at {}: it can come from an older backup only, or from a copy kept \
                 elsewhere. The next backup writes anew what changed, and what of a vault's damaged packs the server still \
                 has",
                config.name
            ),
        });
        Ok(())
    }
}

#[derive(Default)]
struct Read {
    files: AtomicU64,
    bytes: AtomicU64,
}

/// Counts what a check read, and reads to its end what the check left unread: an unread file is not proven.
struct CountedSource<'a> {
    source: Box<dyn EntrySource>,
    read: Arc<Read>,
    job: &'a Job,
    /// The entry `next` returned last is a file whose content nobody asked for yet.
    is_file: bool,
}

#[async_trait]
impl EntrySource for CountedSource<'_> {
    async fn next(&mut self) -> Result<Option<Entry>> {
        if self.is_file {
            let mut content = self.content();
            let unread = tokio::io::copy(&mut content, &mut tokio::io::sink()).await;
            let unread = unread.map_err(|e| backstay_core::Error::io("Cannot read the backup back", e))?;
            self.job.progress.advance(0, unread);
        }
        let entry = self.source.next().await?;
        self.is_file = entry.as_ref().is_some_and(|entry| entry.is_file() && entry.size_bytes > 0);
        if let Some(entry) = &entry {
            self.job.progress_current(&entry.path.to_text());
            if entry.is_file() {
                self.read.files.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(entry)
    }
    fn content(&mut self) -> ByteStream {
        self.is_file = false;
        Box::new(CountedStream { stream: self.source.content(), read: self.read.clone() })
    }
    fn holes(&self) -> Vec<(u64, u64)> {
        self.source.holes()
    }
}

struct CountedStream {
    stream: ByteStream,
    read: Arc<Read>,
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let more = (buffer.filled().len() - before) as u64;
        if more > 0 {
            self.read.bytes.fetch_add(more, Ordering::Relaxed);
        }
        polled
    }
}
