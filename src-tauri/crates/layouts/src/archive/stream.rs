//! Streams entries with content. Content is fetched in batches, a few ahead, and handed out in order; every file is
//! proven by its hash before its last piece is handed out.

use super::blocks::Blocks;
use super::file::{Shareable, copy_error};
use super::index::Index;
use async_trait::async_trait;
use backstay_core::entry::{ByteStream, Entry, EntrySource};
use backstay_core::path::RawPath;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use bytes::Bytes;
use futures::stream::StreamExt;
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// A batch ends when its content reaches so many bytes,
const BATCH_BYTES: u64 = 8 << 20;
/// or it holds so many entries,
const BATCH_ENTRIES: usize = 2048;
/// or its content lies scattered over blocks of so many bytes.
const BATCH_BLOCK_BYTES: u64 = 24 << 20;
/// Content is handed out in pieces of at most this.
const PIECE: u64 = 4 << 20;
/// Batches fetched at the same time.
const BATCHES: usize = 2;

/// What a batch is made of: an entry, or a piece of the content of the one before.
enum Part {
    Entry(usize),
    Content(u64, u64),
}

enum Message {
    Entry(usize),
    Content(Shareable<Bytes>),
    End(Result<()>),
}

/// An archive's entries and their content.
pub(crate) struct Contents {
    pub index: Arc<Index>,
    pub blocks: Blocks,
}

/// Cuts rows into batches.
struct Planner {
    contents: Arc<Contents>,
    rows: std::vec::IntoIter<usize>,
    pending: VecDeque<(u64, u64)>,
}

impl Iterator for Planner {
    type Item = Vec<Part>;

    fn next(&mut self) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        let (mut bytes, mut block_bytes) = (0, 0);
        let mut blocks = BTreeSet::new();
        while bytes < BATCH_BYTES && parts.len() < BATCH_ENTRIES && block_bytes < BATCH_BLOCK_BYTES {
            if let Some((at, length)) = self.pending.pop_front() {
                let take = length.min(PIECE);
                if take < length {
                    self.pending.push_front((at + take, length - take));
                }
                for block in self.contents.blocks.blocks_of(at, take) {
                    if blocks.insert(block) {
                        block_bytes += self.contents.blocks.block_bytes(block);
                    }
                }
                bytes += take;
                parts.push(Part::Content(at, take));
                continue;
            }
            let Some(row) = self.rows.next() else { break };
            if self.contents.index.is_file(row) {
                self.pending = self.contents.index.pieces(row).into_iter().filter(|(_, length)| *length > 0).collect();
            }
            parts.push(Part::Entry(row));
        }
        (!parts.is_empty()).then_some(parts)
    }
}

/// Starts a stream of these rows.
pub(crate) fn start(contents: Arc<Contents>, rows: Vec<usize>, ctx: RunContext) -> Source {
    let (sender, receiver) = mpsc::channel(1);
    let planner = Planner { contents: contents.clone(), rows: rows.into_iter(), pending: VecDeque::new() };
    let fetched = contents.clone();
    tokio::spawn(async move {
        let work = async {
            let batches = futures::stream::iter(planner).map(|parts| {
                let blocks = blocks_of(&fetched, &parts);
                // Here, so that it is asked for in order.
                fetched.blocks.prepare(&blocks);
                // Its own task, so that it goes on while an earlier batch is handed out.
                let task = AbortOnDropHandle::new(tokio::spawn(fetch(fetched.clone(), parts, blocks)));
                async move { task.await.map_err(|error| fault().source(error)) }
            });
            let mut batches = std::pin::pin!(batches.buffered(BATCHES));
            while let Some(batch) = batches.next().await {
                if sender.send(batch?).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        let end = tokio::select! {
            end = ctx.or_cancel(work) => end,
            // What is under way ends with its batches.
            () = sender.closed() => return,
        };
        // Nobody listening means nobody wants to know.
        let _ = sender.send(vec![Message::End(end)]).await;
    });
    let state = State { receiver, batch: VecDeque::new(), file: 0, ended: false };
    Source { contents, state: Arc::new(Mutex::new(state)), file: 0, row: 0 }
}

fn fault() -> Error {
    Error::new(ErrorClass::Internal, "Reading the archive ended by a fault")
}

/// Returns the blocks the content of these parts lies in.
fn blocks_of(contents: &Contents, parts: &[Part]) -> Vec<usize> {
    let mut numbers = BTreeSet::new();
    for part in parts {
        if let Part::Content(at, length) = part {
            numbers.extend(contents.blocks.blocks_of(*at, *length));
        }
    }
    numbers.into_iter().collect()
}

async fn fetch(contents: Arc<Contents>, parts: Vec<Part>, blocks: Vec<usize>) -> Vec<Message> {
    // All blocks at once, so that they are unpacked side by side.
    let unpacking = blocks.iter().map(|number| contents.blocks.block(*number));
    let _held = futures::future::join_all(unpacking).await;
    let mut messages = Vec::with_capacity(parts.len());
    for part in parts {
        messages.push(match part {
            Part::Entry(row) => Message::Entry(row),
            Part::Content(at, length) => Message::Content(contents.blocks.read(at, length).await),
        });
    }
    messages
}

struct State {
    receiver: mpsc::Receiver<Vec<Message>>,
    batch: VecDeque<Message>,
    /// The number of the file whose content comes now.
    file: u64,
    ended: bool,
}

impl State {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Message> {
        loop {
            if let Some(message) = self.batch.pop_front() {
                return Poll::Ready(message);
            }
            match ready!(self.receiver.poll_recv(cx)) {
                Some(batch) => self.batch = batch.into(),
                None if self.ended => return Poll::Ready(Message::End(Ok(()))),
                None => return Poll::Ready(Message::End(Err(fault()))),
            }
        }
    }

    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<usize>>> {
        loop {
            match ready!(self.poll_message(cx)) {
                // Content nobody read.
                Message::Content(_) => {}
                Message::Entry(row) => {
                    self.file += 1;
                    return Poll::Ready(Ok(Some(row)));
                }
                Message::End(end) => {
                    self.ended = true;
                    return Poll::Ready(end.map(|()| None));
                }
            }
        }
    }
}

/// Entries with content.
pub(crate) struct Source {
    contents: Arc<Contents>,
    state: Arc<Mutex<State>>,
    file: u64,
    row: usize,
}

impl Source {
    /// Returns the next entry's row.
    pub async fn next_row(&mut self) -> Result<Option<usize>> {
        let state = self.state.clone();
        let next =
            std::future::poll_fn(|cx| state.lock().unwrap_or_else(PoisonError::into_inner).poll_entry(cx)).await?;
        if let Some(row) = next {
            self.file += 1;
            self.row = row;
        }
        Ok(next)
    }
}

#[async_trait]
impl EntrySource for Source {
    async fn next(&mut self) -> Result<Option<Entry>> {
        Ok(self.next_row().await?.map(|row| self.contents.index.entry(row)))
    }

    fn content(&mut self) -> ByteStream {
        let index = &self.contents.index;
        Box::new(ContentReader {
            state: self.state.clone(),
            file: self.file,
            path: RawPath::new(index.path(self.row)).unwrap_or_default(),
            current: Bytes::new(),
            left: if index.is_file(self.row) { index.size(self.row) } else { 0 },
            sum: Sha256::new(),
            expected: index.sha256(self.row),
            lost: index.is_lost(self.row),
            failed: false,
        })
    }

    fn holes(&self) -> Vec<(u64, u64)> {
        self.contents.index.holes(self.row)
    }
}

/// One file's content.
struct ContentReader {
    state: Arc<Mutex<State>>,
    file: u64,
    path: RawPath,
    current: Bytes,
    left: u64,
    sum: Sha256,
    expected: [u8; 32],
    /// It has no content in the archive.
    lost: bool,
    failed: bool,
}

impl ContentReader {
    fn named(&self, error: &Error) -> Error {
        let text = format!("Cannot read {} from the backup: {}", self.path, error.message);
        let named = Error::new(error.class, text).detail(error.detail.clone().unwrap_or_default());
        if let Some(hint) = &error.hint { named.hint(hint) } else { named }
    }

    /// Gets the next piece; an empty one at the end of what is there.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Error>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.file != self.file {
            let text = "The content was passed over already";
            return Poll::Ready(Err(Error::new(ErrorClass::Internal, text)));
        }
        let error = match ready!(state.poll_message(cx)) {
            Message::Content(Ok(content)) => return Poll::Ready(Ok(content)),
            Message::Content(Err(error)) => error,
            Message::End(Err(error)) => {
                // `next` must see it too: the stream ends here, not well.
                state.batch.push_front(Message::End(Err(copy_error(&error))));
                return Poll::Ready(Err(error));
            }
            Message::Entry(..) | Message::End(Ok(())) => Arc::new(fault()),
        };
        drop(state);
        Poll::Ready(Err(self.named(&error)))
    }
}

impl AsyncRead for ContentReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.failed {
            return Poll::Ready(Err(io::Error::other("The content is damaged")));
        }
        if this.left == 0 {
            return Poll::Ready(Ok(()));
        }
        if this.lost {
            this.failed = true;
            let error = Error::new(ErrorClass::Corrupt, "the file it is another name of is not in the archive");
            return Poll::Ready(Err(this.named(&error).into()));
        }
        while this.current.is_empty() {
            match ready!(this.poll_piece(cx)) {
                Ok(piece) => this.current = piece,
                Err(error) => {
                    this.failed = true;
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
        let most = this.current.len().min(out.remaining()).min(usize::try_from(this.left).unwrap_or(usize::MAX));
        let part = this.current.split_to(most);
        this.sum.update(&part);
        this.left -= part.len() as u64;
        // Before the last piece goes out: who knows the size asks for nothing after it.
        if this.left == 0 && std::mem::take(&mut this.sum).finalize().as_slice() != this.expected {
            this.failed = true;
            let error = Error::new(ErrorClass::Corrupt, "its content does not match its checksum");
            return Poll::Ready(Err(this.named(&error).into()));
        }
        out.put_slice(&part);
        Poll::Ready(Ok(()))
    }
}
