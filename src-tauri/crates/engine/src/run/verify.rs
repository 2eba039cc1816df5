//! A verify run: reads a backup back whole, and lets each kind look at its part.

use super::{Finish, Job, RunStart};
use crate::backstay::Backstay;
use crate::restore::{items_of, selection_of};
use crate::words::{count_text, size_text, time_text};
use async_trait::async_trait;
use backstay_core::config::{DestinationConfig, KnownBackup};
use backstay_core::context::Progress;
use backstay_core::entry::{ByteStream, Entry, EntrySource};
use backstay_core::kind::ItemInput;
use backstay_core::layout::BackupReader;
use backstay_core::run::{Phase, Problem, ProblemKind, RunCounts, RunKind};
use backstay_core::{BackupId, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};

struct Verify {
    backup: KnownBackup,
    destination: DestinationConfig,
}

impl Backstay {
    /// Starts reading a backup back whole and returns the run's id.
    pub async fn start_verify(&self, backup: &str) -> Result<String> {
        let (backup, destination) = self.inner.known_backup(&BackupId::from(backup))?;
        let record = &backup.record;
        let text = format!("{}, {}", record.plan_name, time_text(record.started));
        let start = RunStart {
            kind: RunKind::Verify,
            title: text.clone(),
            plan: record.plan.clone(),
            server: record.server.clone(),
            destination: Some(destination.id.clone()),
            backup: Some(record.id.clone()),
            plan_lock: None,
            subject: format!("{text} at {}", destination.name),
        };
        let work = Verify { backup, destination };
        Ok(self.inner.start_run(start, move |job| work.run(job))?.to_string())
    }
}

impl Verify {
    async fn run(self, job: Job) -> Result<Finish> {
        job.phase(Phase::Opening);
        let layout = job.ctx.or_cancel(job.inner.vault(&self.destination)).await?.layout;
        let reader = job.ctx.or_cancel(layout.open(&self.backup.record.id)).await?;
        job.phase(Phase::Checking);
        let counts = reader.record().counts;
        job.progress.total(Some(counts.files), Some(counts.bytes));
        let read = Arc::new(Read::default());
        let manifest = reader.manifest().await?;
        for item in items_of(manifest.as_ref())? {
            job.ctx.check()?;
            self.check_item(&job, reader.as_ref(), item, &read).await?;
        }
        let (files, bytes) = (read.files.load(Ordering::Relaxed), read.bytes.load(Ordering::Relaxed));
        if job.progress.spoiling() == 0 {
            let mut verified = self.backup.clone();
            verified.record.verified = Some(job.ctx.clock.now());
            job.inner.store.put_backup(&verified)?;
        }
        let text = format!("Read back {} ({})", count_text(files, "file", "files"), size_text(bytes));
        let end = match job.progress.spoiling() {
            0 => "all whole".to_owned(),
            faults => format!("{} damaged", count_text(faults, "thing is", "things are")),
        };
        let counts = RunCounts { files, bytes, ..RunCounts::default() };
        Ok(Finish { counts, backup: None, result: Some(format!("{text}: {end}")) })
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
