//! Reads a backup from one copy, and goes on with another where that one is damaged or gone.

use super::copies::{Copy, is_the_copys};
use crate::backstay::Inner;
use crate::run::Job;
use async_trait::async_trait;
use backstay_core::context::Progress;
use backstay_core::entry::{ByteStream, Entry, EntrySource};
use backstay_core::layout::{BackupReader, Selection};
use backstay_core::run::{Problem, ProblemKind};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};
use backstay_transfer::Sha256Sum;
use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// What was handed out before is read past at another copy in pieces of this size.
const PIECE_BYTES: u64 = 256 << 10;

/// The copies of a backup, as a run reads them.
#[derive(Clone)]
pub(crate) struct Copies {
    shared: Arc<Shared>,
}

struct Shared {
    job: Job,
    copies: Vec<Copy>,
    /// The copies that failed, each told once.
    told: Mutex<HashSet<usize>>,
}

impl Job {
    /// Returns the copies of a backup for reading: the nearest first.
    pub fn copies(&self, copies: Vec<Copy>) -> Copies {
        Copies { shared: Arc::new(Shared { job: self.clone(), copies, told: Mutex::default() }) }
    }
}

impl Copies {
    fn inner(&self) -> &Inner {
        &self.shared.job.inner
    }
    fn ctx(&self) -> &RunContext {
        &self.shared.job.ctx
    }

    /// Opens the nearest copy that can be read.
    pub async fn open(&self) -> Result<Arc<dyn BackupReader>> {
        self.open_from(0).await.map(|(reader, _)| reader)
    }

    /// Streams entries; whatever cannot be read of one copy comes from the next.
    pub async fn stream(&self, selection: Selection) -> Result<Box<dyn EntrySource>> {
        let mut at = 0;
        loop {
            let (reader, found) = self.open_from(at).await?;
            match self.ctx().or_cancel(reader.stream(self.ctx(), selection.clone())).await {
                Ok(source) => {
                    let copies = self.clone();
                    return Ok(Box::new(Spared {
                        copies,
                        selection,
                        source,
                        at: found,
                        given: 0,
                        skip: 0,
                        last: None,
                    }));
                }
                Err(error) if self.may_go_on(found, &error) => {
                    self.tell(found, &error);
                    at = found + 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Lists entries without content; of a copy whose lists cannot be read, from the next.
    pub async fn walk(&self, selection: &Selection) -> Result<Vec<Entry>> {
        let mut at = 0;
        loop {
            let (reader, found) = self.open_from(at).await?;
            match self.ctx().or_cancel(reader.walk(self.ctx(), selection)).await {
                Err(error) if self.may_go_on(found, &error) => {
                    self.tell(found, &error);
                    at = found + 1;
                }
                answer => return answer,
            }
        }
    }

    /// Opens the first copy from this one on that can be read.
    async fn open_from(&self, start: usize) -> Result<(Arc<dyn BackupReader>, usize)> {
        let mut first = None;
        for (at, copy) in self.shared.copies.iter().enumerate().skip(start) {
            match self.ctx().or_cancel(self.inner().open_copy(copy)).await {
                Ok(reader) => return Ok((reader, at)),
                Err(error) if error.is_cancelled() => return Err(error),
                Err(error) => {
                    if self.shared.copies.len() > 1 {
                        self.tell(at, &error);
                    }
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| Error::new(ErrorClass::Missing, "There is no other copy of this backup")))
    }

    fn may_go_on(&self, at: usize, error: &Error) -> bool {
        !self.ctx().cancel.is_cancelled() && at + 1 < self.shared.copies.len() && is_the_copys(error)
    }

    /// Names a copy that is damaged as a problem; one that only cannot be reached is a line of the log.
    fn tell(&self, at: usize, error: &Error) {
        let copy = &self.shared.copies[at];
        let job = &self.shared.job;
        job.log(format!("The copy at {} was not used: {}", copy.config.name, error.message));
        let damaged = matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing);
        if damaged && crate::backstay::locked(&self.shared.told).insert(at) {
            job.progress.problem(Problem {
                kind: ProblemKind::Damaged,
                item: String::new(),
                subject: format!("copy at {}", copy.config.name),
                reason: format!("{}. What it lacks was taken from another copy", error.message),
            });
        }
    }

    /// Opens one file's content at another copy, after what was handed out already.
    async fn reopen(self, failed: usize, path: RawPath, given: Given, error: Error) -> std::io::Result<ByteStream> {
        let mut at = 0;
        while at < self.shared.copies.len() {
            if at == failed {
                at += 1;
                continue;
            }
            let Ok((reader, found)) = self.open_from(at).await else { break };
            if found != failed
                && let Ok(content) = self.content_at(reader.as_ref(), &path, &given).await
            {
                self.tell(failed, &error);
                return Ok(content);
            }
            at = found + 1;
        }
        // No other copy goes on from there: what the first one said is the reason.
        let name = &self.shared.copies[failed].config.name;
        self.shared.job.log(format!("The copy at {name} failed in the midst of {path}: {}", error.message));
        if self.shared.copies.len() < 2 || !matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing) {
            return Err(error.into());
        }
        let hint =
            format!("Verify the backup, make its copy at {name} good with Sync from another one, then try again");
        Err(error.hint(hint).into())
    }

    async fn content_at(&self, reader: &dyn BackupReader, path: &RawPath, given: &Given) -> Result<ByteStream> {
        let only = Some(HashSet::from([path.clone()]));
        let selection = Selection { only, ..Selection::default() };
        let mut source = self.ctx().or_cancel(reader.stream(self.ctx(), selection)).await?;
        while let Some(entry) = self.ctx().or_cancel(source.next()).await? {
            self.shared.job.progress.alive();
            if entry.path != *path {
                continue;
            }
            let mut content = source.content();
            let before = Given::read(&mut content, given.bytes).await?;
            if before.bytes < given.bytes {
                break;
            }
            // Damaged bytes may have gone out before the damage was noticed: no rest makes them good.
            if before.sum.finish() != given.sum.clone().finish() {
                return Err(Error::new(ErrorClass::Corrupt, format!("Another copy begins {path} with other bytes")));
            }
            return Ok(Box::new(Kept { content, _source: source }));
        }
        Err(Error::new(ErrorClass::Missing, format!("Another copy does not hold {path}")))
    }
}

fn error_of(error: &std::io::Error) -> Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(inner) => Error::new(inner.class, inner.message.clone()),
        None => Error::new(ErrorClass::Corrupt, error.to_string()),
    }
}

/// Content that keeps its source alive.
struct Kept {
    content: ByteStream,
    _source: Box<dyn EntrySource>,
}

impl AsyncRead for Kept {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.content).poll_read(cx, out)
    }
}

/// Entries of the nearest copy, and of the others where that one fails.
struct Spared {
    copies: Copies,
    selection: Selection,
    source: Box<dyn EntrySource>,
    /// Which copy is read.
    at: usize,
    /// Entries handed out.
    given: u64,
    /// Entries that come again, since another copy took over. All copies hold the same in the same order.
    skip: u64,
    /// The file handed out last.
    last: Option<RawPath>,
}

#[async_trait]
impl EntrySource for Spared {
    async fn next(&mut self) -> Result<Option<Entry>> {
        loop {
            match self.source.next().await {
                Ok(Some(_)) if self.skip > 0 => self.skip -= 1,
                Ok(Some(entry)) => {
                    self.given += 1;
                    self.last = entry.is_file().then(|| entry.path.clone());
                    return Ok(Some(entry));
                }
                Ok(None) => return Ok(None),
                Err(error) if self.copies.may_go_on(self.at, &error) => {
                    self.copies.tell(self.at, &error);
                    let (reader, found) = self.copies.open_from(self.at + 1).await?;
                    let ctx = self.copies.ctx().clone();
                    self.source = ctx.or_cancel(reader.stream(&ctx, self.selection.clone())).await?;
                    (self.at, self.skip) = (found, self.given);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn content(&mut self) -> ByteStream {
        let stream = self.source.content();
        let Some(path) = self.last.clone().filter(|_| self.copies.shared.copies.len() > 1) else { return stream };
        Box::new(SparedContent {
            copies: self.copies.clone(),
            at: self.at,
            path,
            stream,
            given: Given::default(),
            switching: None,
            switched: false,
        })
    }

    fn holes(&self) -> Vec<(u64, u64)> {
        self.source.holes()
    }
}

type Switching = Pin<Box<dyn Future<Output = std::io::Result<ByteStream>> + Send>>;

/// The beginning of one file's content.
#[derive(Clone, Default)]
struct Given {
    bytes: u64,
    sum: Sha256Sum,
}

impl Given {
    fn add(&mut self, content: &[u8]) {
        self.bytes += content.len() as u64;
        self.sum.update(content);
    }

    /// Reads so many bytes, or up to the content's end.
    async fn read(content: &mut ByteStream, bytes: u64) -> Result<Self> {
        let mut given = Self::default();
        let mut piece = vec![0; usize::try_from(bytes.min(PIECE_BYTES)).unwrap_or(0)];
        while given.bytes < bytes {
            let most = piece.len().min(usize::try_from(bytes - given.bytes).unwrap_or(usize::MAX));
            let read = content.read(&mut piece[..most]).await;
            let read = read.map_err(|error| Error::io("Cannot read another copy", error))?;
            if read == 0 {
                break;
            }
            given.add(&piece[..read]);
        }
        Ok(given)
    }
}

/// One file's content.
struct SparedContent {
    copies: Copies,
    at: usize,
    path: RawPath,
    stream: ByteStream,
    /// What was handed out.
    given: Given,
    switching: Option<Switching>,
    switched: bool,
}

impl AsyncRead for SparedContent {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        loop {
            if let Some(switching) = &mut this.switching {
                let result = ready!(switching.as_mut().poll(cx));
                this.switching = None;
                this.stream = result?;
            }
            let before = out.filled().len();
            match ready!(Pin::new(&mut this.stream).poll_read(cx, out)) {
                Ok(()) => {
                    this.given.add(&out.filled()[before..]);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if !this.switched && is_the_copys(&error_of(&error)) => {
                    this.switched = true;
                    let (copies, path) = (this.copies.clone(), this.path.clone());
                    let given = this.given.clone();
                    this.switching = Some(Box::pin(copies.reopen(this.at, path, given, error_of(&error))));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}
