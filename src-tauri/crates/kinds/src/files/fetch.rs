//! Fetching what changed: names go in on tar's standard input while its archive comes out.

mod further;

use super::watched::watched;
use crate::gnu::{self, Tools};
use crate::problems::Problems;
use crate::wire::{self, Meter, Packing};
use backstay_core::entry::{AddError, Content, Entry, EntrySink, EntryType, TimeNs, Xattr};
use backstay_core::host::{Command, ExitStatus, Host, Process, ProcessControl, read_tail};
use backstay_core::kind::CollectReport;
use backstay_core::run::ProblemKind;
use backstay_core::tar::{TarEntry, TarReader};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWriteExt};

/// The first batch is small: it shows how fast the link is.
const FIRST_BATCH: u64 = 16 << 20;
/// Later batches are large, yet small enough that the packing is thought over now and then.
const BATCH: u64 = 2 << 30;
/// A header, for guessing how much a batch is.
const HEADER: u64 = 1024;
/// Below these rates (bytes a second) the link is slower than the packer, and packing pays.
const ZSTD_PAYS: f64 = 40e6;
const GZIP_PAYS: f64 = 8e6;

/// Fetches entries of one item through tar.
pub(super) struct Fetcher<'a> {
    pub ctx: &'a RunContext,
    pub host: &'a dyn Host,
    pub tools: &'a Tools,
    pub problems: &'a mut Problems<'a>,
    pub report: &'a mut CollectReport,
    /// Further names of hard-linked files, each with the name whose content it shares. Both relative.
    pub further_names: Vec<(Entry, RawPath)>,
    /// First names that made it into the backup as they were listed, with their device, inode and attributes.
    pub first_names: HashMap<RawPath, ((u64, u64), Vec<Xattr>)>,
}

/// What one batch took.
struct Took {
    wire_bytes: u64,
    content_bytes: u64,
    seconds: f64,
}

impl Fetcher<'_> {
    /// Fetches all of `wanted` (relative paths, in the order they shall come) into the sink, then the further names.
    pub(super) async fn fetch(&mut self, wanted: &[Entry], sink: &mut dyn EntrySink) -> Result<()> {
        self.fetch_all(wanted, sink).await?;
        let left = self.add_further_names(sink).await?;
        // tar tells by itself which of them are one file.
        self.fetch_all(&left, sink).await
    }

    async fn fetch_all(&mut self, wanted: &[Entry], sink: &mut dyn EntrySink) -> Result<()> {
        let mut packing = Packing::None;
        let mut plain_rate = None;
        let mut settled = false;
        let mut rest = wanted;
        let mut limit = FIRST_BATCH;
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch_length(rest, limit));
            let took = self.batch(batch, packing, sink).await?;
            (rest, limit) = (later, BATCH);
            let rate = (took.content_bytes + batch.len() as u64 * HEADER) as f64 / took.seconds.max(0.001);
            if packing == Packing::None && !settled && took.seconds > 0.3 {
                plain_rate = Some(rate);
                packing = self.packing_for(took.wire_bytes as f64 / took.seconds);
                if packing != Packing::None {
                    let line = format!("The link brings {:.1} MB/s: packing by {}", rate / 1e6, packing.by());
                    self.ctx.progress.log(&line);
                }
            } else if packing != Packing::None && plain_rate.is_some_and(|plain| rate < plain) {
                self.ctx.progress.log("Packing on the server did not pay: sending the rest as it is");
                (packing, settled) = (Packing::None, true);
            }
        }
        Ok(())
    }

    fn packing_for(&self, rate: f64) -> Packing {
        if self.tools.zstd && rate < ZSTD_PAYS {
            Packing::Zstd
        } else if self.tools.gzip && rate < GZIP_PAYS {
            Packing::Gzip
        } else if !self.tools.zstd && !self.tools.gzip && rate < GZIP_PAYS {
            Packing::Line
        } else {
            Packing::None
        }
    }

    fn command(&self, packing: Packing) -> Command {
        // Times and owners come from the listing; without these records a header is a third of the size.
        let options = self.tools.tar_knows(&[
            "--no-unquote",
            "--verbatim-files-from",
            "--sparse",
            "--xattrs",
            "--quoting-style=escape",
            "--pax-option=delete=atime,delete=ctime,delete=mtime",
        ]);
        let command =
            Command::new("tar").args(["--create", "--file=-", "--format=posix", "--no-recursion"]).args(options);
        let command = match packing {
            Packing::None => command,
            Packing::Line => command.packable(),
            Packing::Gzip => command.arg("--use-compress-program=gzip -1"),
            Packing::Zstd => command.arg("--use-compress-program=zstd -3 -T0 -q"),
        };
        command.args(["--directory=/", "--null", "--files-from=-"])
    }

    async fn batch(&mut self, batch: &[Entry], packing: Packing, sink: &mut dyn EntrySink) -> Result<Took> {
        let began = Instant::now();
        let Process { mut stdin, stdout, mut stderr, mut control } = self.host.start(self.command(packing)).await?;
        let names = names_of(batch);
        let feed = tokio::spawn(async move {
            // A tar that ends early says why on its own.
            let _ = stdin.write_all(&names).await;
            let _ = stdin.shutdown().await;
        });
        let errors = tokio::spawn(async move { read_tail(&mut stderr, 16 << 20).await });
        let (stdout, wire_bytes) = Meter::new(stdout);
        let mut reader = TarReader::new(wire::unpack(stdout, packing));
        let before = self.report.bytes_read;
        let mut missing = Vec::new();
        let received = match self.receive(&mut reader, batch, &mut missing, sink).await {
            Ok(()) => reader.drain().await.map(drop).map_err(|e| self.stream_error(e)),
            Err(error) => Err(error),
        };
        if let Err(error) = received {
            return Err(self.why_it_ended(error, control.as_mut(), errors).await);
        }
        let status = self.ctx.while_it_runs(control.wait()).await?;
        feed.abort();
        let text = errors.await.unwrap_or_default();
        self.explain(batch, &missing, status, &text, sink).await?;
        Ok(Took {
            wire_bytes: wire_bytes.load(Ordering::Relaxed),
            content_bytes: self.report.bytes_read - before,
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    async fn receive<R: AsyncRead + Send + Unpin>(
        &mut self,
        reader: &mut TarReader<R>,
        batch: &[Entry],
        missing: &mut Vec<usize>,
        sink: &mut dyn EntrySink,
    ) -> Result<()> {
        let mut next = 0;
        while let Some(got) = reader.next().await.map_err(|e| self.stream_error(e))? {
            self.ctx.check()?;
            let Some(at) = batch[next..].iter().position(|e| e.path == got.entry.path).map(|at| at + next) else {
                let why = format!("Cannot read files from {}: tar sent {} unasked", self.host.label(), got.entry.path);
                return Err(Error::new(ErrorClass::Corrupt, why));
            };
            missing.extend(next..at);
            next = at + 1;
            self.add(reader, &batch[at], got, sink).await?;
        }
        missing.extend(next..batch.len());
        Ok(())
    }

    /// Adds one entry as tar sent it: the listing's metadata, tar's size, attributes and content.
    async fn add<R: AsyncRead + Send + Unpin>(
        &mut self,
        reader: &mut TarReader<R>,
        listed: &Entry,
        got: TarEntry,
        sink: &mut dyn EntrySink,
    ) -> Result<()> {
        let mut entry = listed.clone();
        let earlier = got.hard_link_to.as_deref().and_then(|name| Some(RawPath::new(name).ok()?.to_relative()));
        let as_listed = self.is_as_listed(listed, &got.entry, earlier.as_ref());
        let first = earlier.as_ref().and_then(|earlier| self.first_names.get(earlier));
        // tar sends them with the first name only.
        entry.xattrs = first.map_or(got.entry.xattrs, |(_, xattrs)| xattrs.clone());
        if std::mem::discriminant(&got.entry.kind) != std::mem::discriminant(&entry.kind) {
            // It became something else after it was listed. Not knowing its times, it is read again next time.
            (entry.mode, entry.ctime, entry.inode, entry.links) = (got.entry.mode, Default::default(), 0, 1);
        }
        entry.kind = got.entry.kind;
        entry.size_bytes = got.entry.size_bytes;
        if let Some(name) = got.odd_xattrs.first() {
            let name = backstay_core::path::escape(name);
            let why = format!("Its attribute {name} is not in the backup: the attribute's name is not UTF-8");
            self.problems.path(ProblemKind::Unreadable, &entry.path.to_absolute(), why);
            // The time of no file: it is read, and named, again next time.
            entry.ctime = TimeNs(1);
        }
        if !entry.is_file() {
            sink.add(entry, Content::None).await?;
            self.ctx.progress.advance(0, 0);
            return Ok(());
        }
        self.ctx.progress.current(&entry.path.to_absolute().to_text());
        let (path, xattrs, size) = (entry.path.clone(), entry.xattrs.clone(), entry.size_bytes);
        if entry.is_hard_linked() && !as_listed {
            // Its other names may have another content: neither they nor a restore may take its own for theirs. By the
            // time of no file it is read again next time.
            (entry.ctime, entry.inode, entry.links) = (TimeNs(1), 0, 1);
        }
        let linked = entry.is_hard_linked().then_some((entry.device, entry.inode));
        let read = if let Some(earlier) = &earlier {
            sink.add(entry, Content::SameAs(earlier)).await
        } else if size == 0 {
            sink.add(entry, Content::None).await
        } else {
            let mut content = watched(reader, self.ctx);
            sink.add(entry, Content::Stream(&mut content)).await
        };
        match read {
            Ok(read) => {
                self.report.files += 1;
                self.report.bytes += size;
                self.report.files_read += 1;
                self.report.bytes_read += read;
            }
            Err(AddError::Content(error)) => return Err(self.stream_error(error)),
            Err(AddError::Sink(error)) => return Err(error),
        }
        if let Some(inode) = linked {
            self.first_names.insert(path, (inode, xattrs));
        }
        self.ctx.progress.advance(1, 0);
        Ok(())
    }

    /// Turns tar's complaints and what it left out into problems, or into an error when they do not explain the end.
    async fn explain(
        &mut self,
        batch: &[Entry],
        missing: &[usize],
        status: ExitStatus,
        text: &str,
        sink: &mut dyn EntrySink,
    ) -> Result<()> {
        let mut unexplained = Vec::new();
        if !text.is_empty() {
            let known: HashMap<RawPath, &Entry> = batch.iter().map(|e| (e.path.to_absolute(), e)).collect();
            for line in text.lines().filter(|line| !is_noise(line)) {
                let complaint = gnu::tar_complaint(line, |path| known.contains_key(path));
                match complaint.path {
                    Some(path) => {
                        let (kind, reason) = problem_of(&complaint.reason);
                        // What is in a folder comes from the listing, not from tar: only its time moved.
                        let torn = kind != ProblemKind::Changed || !known.get(&path).is_some_and(|e| e.is_dir());
                        if torn {
                            self.problems.path(kind, &path, reason);
                        }
                    }
                    None => unexplained.push(complaint.reason),
                }
            }
        }
        for at in missing {
            let entry = &batch[*at];
            let path = entry.path.to_absolute();
            if entry.is_dir() {
                // Its metadata is known from the listing all the same.
                sink.add(entry.clone(), Content::None).await?;
            } else if entry.kind != EntryType::Socket {
                self.problems.path(ProblemKind::Unreadable, &path, "The server's tar left it out without a word");
            }
        }
        let usual = match status {
            ExitStatus::Code(0 | 1) => true,
            ExitStatus::Code(2) => unexplained.is_empty(),
            _ => false,
        };
        if !usual {
            let why = format!("Cannot read files from {}: tar ended with {status}", self.host.label());
            let said = unexplained.join("\n");
            return Err(Error::new(ErrorClass::Internal, why).hint(gnu::ended_hint(&said)).detail(said));
        }
        for line in unexplained {
            self.ctx.progress.log(&format!("tar: {line}"));
        }
        Ok(())
    }

    /// Finds out why the stream ended early: cancelled, the tool failed, or the connection was lost.
    async fn why_it_ended(
        &self,
        error: Error,
        control: &mut dyn ProcessControl,
        errors: tokio::task::JoinHandle<String>,
    ) -> Error {
        if error.is_cancelled() || !matches!(error.class, ErrorClass::Offline | ErrorClass::Corrupt) {
            control.kill().await;
            return error;
        }
        let limit = std::time::Duration::from_secs(5);
        let status = tokio::time::timeout(limit, control.wait()).await;
        control.kill().await;
        match status {
            Ok(Ok(status)) if !status.success() => {
                let text = tokio::time::timeout(limit, errors).await.ok().and_then(std::result::Result::ok);
                let text = text.unwrap_or_default();
                let class = if status == ExitStatus::Code(127) { ErrorClass::Unsupported } else { error.class };
                let why =
                    format!("Cannot read files from {}: tar ended with {status} in mid-stream", self.host.label());
                Error::new(class, why).hint(gnu::ended_hint(&text)).detail(text)
            }
            Ok(Err(offline)) => offline,
            _ => error,
        }
    }

    fn stream_error(&self, error: io::Error) -> Error {
        let tried = format!("Cannot read files from {}", self.host.label());
        if error.kind() == io::ErrorKind::UnexpectedEof {
            let why = format!("{tried}: the stream was cut short");
            return Error::new(ErrorClass::Offline, why).hint("Check the connection, then run the backup again");
        }
        Error::io(tried, error)
    }
}

/// Returns how many of `entries` make a batch of about `limit` bytes; at least one.
fn batch_length(entries: &[Entry], limit: u64) -> usize {
    let mut sum = 0;
    let within = entries.iter().take_while(|entry| {
        sum += entry.size_bytes + HEADER;
        sum <= limit
    });
    let length = within.count().max(1);
    // A rest that would be no batch of its own goes along.
    let rest: u64 = entries[length..].iter().map(|entry| entry.size_bytes + HEADER).take(10_000).sum();
    if entries.len() - length < 10_000 && rest < limit { entries.len() } else { length }
}

fn names_of(entries: &[Entry]) -> Vec<u8> {
    let mut names = Vec::new();
    for entry in entries {
        // "./" keeps a leading dash from looking like an option on tars that know no --verbatim-files-from.
        names.extend_from_slice(b"./");
        names.extend_from_slice(entry.path.as_bytes());
        names.push(0);
    }
    names
}

fn is_noise(line: &str) -> bool {
    line.is_empty()
        || line.contains("Exiting with failure status")
        || line.contains("Removing leading")
        || line.ends_with("socket ignored")
}

/// Reads tar's reason.
fn problem_of(reason: &str) -> (ProblemKind, String) {
    let reason = reason.strip_prefix("Warning: ").unwrap_or(reason);
    let (kind, text) =
        if reason.contains("File removed before we read it") || reason.ends_with("No such file or directory") {
            (ProblemKind::Vanished, "It was gone before it was read".to_owned())
        } else if reason.contains("file changed as we read it") {
            (ProblemKind::Changed, "It changed while it was read; what is in the backup may be torn".to_owned())
        } else if reason.contains("File shrank by") {
            (ProblemKind::Changed, "It became shorter while it was read; zeros stand in for its end".to_owned())
        } else if reason.contains("Read error at byte") {
            (ProblemKind::Unreadable, format!("{reason}; zeros stand in for what could not be read"))
        } else {
            (ProblemKind::Unreadable, reason.trim_start_matches("Cannot open: ").to_owned())
        };
    (kind, text)
}
