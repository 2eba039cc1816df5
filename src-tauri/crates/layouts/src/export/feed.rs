//! The reading half, as far as all formats share it.

use super::part::Part;
use crate::archive::pack::{Pack, ZipHead};
use backstay_core::entry::{ByteStream, Entry, EntrySource};
use backstay_core::kind::BACKSTAY_DIR;
use backstay_core::layout::{ExportFrom, ExportMark};
use backstay_core::run::{Problem, ProblemKind};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::io::AsyncReadExt;

/// Content is read in pieces of this size.
const PIECE_BYTES: usize = 256 * 1024;
/// A mark holds all problems told before it, and is written again and again: with more than these, none is kept.
const MOST_PROBLEMS: usize = 10_000;

/// Reads entries and packs them.
pub(super) struct Feed<'a> {
    ctx: &'a RunContext,
    pack: Pack<Part>,
    /// First names of hard-linked files, by device and inode.
    links: HashMap<(u64, u64), FirstName>,
    /// Regular files sent so far.
    pub(super) files: u64,
    /// Content bytes sent so far.
    pub(super) bytes: u64,
    /// Entries taken from the source, and the last of them.
    entries: u64,
    last: RawPath,
    /// What was told of them.
    problems: Mutex<Vec<Problem>>,
}

struct FirstName {
    path: RawPath,
    size_bytes: u64,
    mtime: backstay_core::entry::TimeNs,
}

impl<'a> Feed<'a> {
    pub(super) fn new(ctx: &'a RunContext, pack: Pack<Part>) -> Self {
        Self {
            ctx,
            pack,
            links: HashMap::new(),
            files: 0,
            bytes: 0,
            entries: 0,
            last: RawPath::root(),
            problems: Mutex::default(),
        }
    }

    /// Goes on where an earlier one came to; tells again what it told, and counts what it counted.
    pub(super) fn go_on(ctx: &'a RunContext, pack: Pack<Part>, from: ExportFrom) -> Self {
        let mut feed = Self::new(ctx, pack);
        let ExportFrom { mark, before } = from;
        for entry in &before {
            feed.first_name(entry);
        }
        for problem in mark.problems {
            feed.tell(problem);
        }
        (feed.files, feed.bytes, feed.entries) = (mark.files, mark.bytes, mark.entries);
        ctx.progress.advance(mark.files, mark.bytes);
        feed
    }

    /// How many bytes of the tar were given since it began, or went on.
    pub(super) fn position(&self) -> u64 {
        self.pack.position()
    }

    /// Tells whether what was told so far fits into a mark.
    pub(super) fn can_mark(&self) -> bool {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).len() <= MOST_PROBLEMS
    }

    /// Makes everything so far durable, and says where that is.
    pub(super) async fn mark(&mut self) -> Result<ExportMark> {
        let (part_bytes, sum) = self.pack.boundary(self.ctx, Part::keep).await?;
        Ok(ExportMark {
            entries: self.entries,
            last: self.last.to_text(),
            files: self.files,
            bytes: self.bytes,
            part_bytes,
            sum,
            problems: self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        })
    }

    /// Returns the packer, to be ended or given up.
    pub(super) fn into_pack(self) -> Pack<Part> {
        self.pack
    }

    /// Returns the next entry worth packing. Sockets are told and left out; the root itself has no name.
    pub(super) async fn next(&mut self, source: &mut dyn EntrySource) -> Result<Option<Entry>> {
        loop {
            let Some(entry) = self.ctx.or_cancel(source.next()).await? else { return Ok(None) };
            self.entries += 1;
            self.last = entry.path.clone();
            if entry.path.is_root() {
                continue;
            }
            if entry.kind == backstay_core::entry::EntryType::Socket {
                self.problem(&entry, ProblemKind::Skipped, "a socket holds nothing to keep");
                continue;
            }
            self.ctx.progress.current(&entry.path.to_text());
            return Ok(Some(entry));
        }
    }

    /// Counts a regular file as packed.
    pub(super) fn count_file(&mut self) {
        self.files += 1;
        self.ctx.progress.advance(1, 0);
    }

    /// Tells of one entry's problem.
    pub(super) fn problem(&self, entry: &Entry, kind: ProblemKind, reason: impl Into<String>) {
        let mut parts = entry.path.parts();
        let item = match (parts.next(), parts.next()) {
            (Some(first), Some(item)) if first == BACKSTAY_DIR.as_bytes() => String::from_utf8_lossy(item).into_owned(),
            _ => "files".to_owned(),
        };
        self.tell(Problem { kind, item, subject: entry.path.to_text(), reason: reason.into() });
    }

    fn tell(&self, problem: Problem) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        // One more than a mark may hold is enough to know that there will be none.
        if problems.len() <= MOST_PROBLEMS {
            problems.push(problem.clone());
        }
        drop(problems);
        self.ctx.progress.problem(problem);
    }

    /// Returns the first name of the file that `entry` is a further name of, remembering first names. An inode that was
    /// freed and taken again while the backup ran differs in size or time.
    pub(super) fn first_name(&mut self, entry: &Entry) -> Option<RawPath> {
        if !entry.is_hard_linked() {
            return None;
        }
        let key = (entry.device, entry.inode);
        match self.links.get(&key) {
            Some(first) if first.size_bytes == entry.size_bytes && first.mtime == entry.mtime => {
                Some(first.path.clone())
            }
            _ => {
                let (size_bytes, mtime) = (entry.size_bytes, entry.mtime);
                self.links.insert(key, FirstName { path: entry.path.clone(), size_bytes, mtime });
                None
            }
        }
    }

    /// Packs bytes of the tar, or of the open file of a zip.
    pub(super) async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.pack.push(self.ctx, bytes).await
    }

    /// Begins an entry of a zip.
    pub(super) async fn zip_entry(&mut self, head: ZipHead) -> Result<()> {
        self.pack.zip_entry(head).await
    }

    /// Ends an entry of a zip.
    pub(super) async fn zip_entry_end(&mut self) -> Result<()> {
        self.pack.zip_entry_end(self.ctx).await
    }

    /// Sends exactly the given (offset, length) ranges of a file's content, in order. What is missing or damaged is filled
    /// up with zeros and told; content beyond the file's size is left out and told.
    pub(super) async fn send_content(
        &mut self,
        entry: &Entry,
        content: ByteStream,
        segments: &[(u64, u64)],
    ) -> Result<()> {
        let mut reader = Content { stream: content, at: 0, fault: None };
        let mut buffer = vec![0; PIECE_BYTES.min(usize::try_from(entry.size_bytes).unwrap_or(PIECE_BYTES)).max(1)];
        for (offset, length) in segments {
            while reader.at < *offset && reader.fault.is_none() {
                let wanted = buffer.len().min(usize::try_from(offset - reader.at).unwrap_or(usize::MAX));
                reader.read(self.ctx, entry, &mut buffer[..wanted]).await?;
            }
            let mut left = *length;
            while left > 0 {
                let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let read = reader.read(self.ctx, entry, &mut buffer[..wanted]).await?;
                if read == 0 {
                    // From here on zeros: the length stands before the content already.
                    buffer[..wanted].fill(0);
                }
                let sent = if read == 0 { wanted } else { read };
                self.push(&buffer[..sent]).await?;
                left -= sent as u64;
                self.bytes += sent as u64;
                self.ctx.progress.advance(0, sent as u64);
            }
        }
        if reader.fault.is_none() && reader.is_longer(self.ctx, entry).await? {
            reader.fault =
                Some(format!("it is longer than its recorded {} bytes; the rest was left out", entry.size_bytes));
        }
        if let Some(fault) = reader.fault {
            self.problem(entry, ProblemKind::Damaged, fault);
        }
        Ok(())
    }
}

/// A file's content, with the first thing that is wrong with it.
struct Content {
    stream: ByteStream,
    at: u64,
    fault: Option<String>,
}

impl Content {
    /// Reads some bytes; 0 once something is wrong. `Err` is what ends the download.
    async fn read(&mut self, ctx: &RunContext, entry: &Entry, buffer: &mut [u8]) -> Result<usize> {
        if self.fault.is_some() || buffer.is_empty() {
            return Ok(0);
        }
        match self.read_some(ctx, entry, buffer).await {
            Ok(0) => {
                self.fault = Some(format!(
                    "it ends at byte {} of {}; the rest was filled up with zeros",
                    self.at, entry.size_bytes
                ));
                Ok(0)
            }
            Ok(read) => Ok(read),
            Err(error) if matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing) => {
                self.fault =
                    Some(format!("it is damaged; from byte {} on it was filled up with zeros: {error}", self.at));
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    async fn is_longer(&mut self, ctx: &RunContext, entry: &Entry) -> Result<bool> {
        // A hole at the end is not read by anyone; skip to where the file ends.
        let mut buffer = vec![0; 64 * 1024];
        while self.at < entry.size_bytes {
            let wanted = buffer.len().min(usize::try_from(entry.size_bytes - self.at).unwrap_or(usize::MAX));
            if self.read(ctx, entry, &mut buffer[..wanted]).await? == 0 {
                return Ok(false);
            }
        }
        match self.read_some(ctx, entry, &mut buffer[..1]).await {
            Ok(read) => Ok(read > 0),
            // All of it is packed already, and not to be trusted.
            Err(error) if matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing) => {
                self.fault = Some(error.to_string());
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn read_some(&mut self, ctx: &RunContext, entry: &Entry, buffer: &mut [u8]) -> Result<usize> {
        let stream = &mut self.stream;
        let read = ctx
            .or_cancel(async {
                stream.read(buffer).await.map_err(|error| Error::io(format!("Cannot read {}", entry.path), error))
            })
            .await?;
        self.at += read as u64;
        Ok(read)
    }
}
