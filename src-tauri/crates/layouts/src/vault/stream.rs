//! Streams entries with content. Content is fetched in batches, a few ahead, and handed out in order; at most
//! [`BATCHES`] + 2 batches are held.

use super::fetch::Fetched;
use super::id::Id;
use super::index::Index;
use super::repo::{Repo, internal};
use super::tree::lost;
use super::walk::Walker;
use async_trait::async_trait;
use backstay_core::entry::{ByteStream, Entry, EntrySource};
use backstay_core::path::RawPath;
use backstay_core::{Error, Result, RunContext};
use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

/// A batch ends when its content reaches so many bytes.
const BATCH_BYTES: u64 = 8 << 20;
/// Or when it holds so many pieces.
const BATCH_PIECES: usize = 2048;
/// Batches fetched at the same time: two where a read is quick, more where many may be under way.
const BATCHES: (usize, usize) = (2, 4);
/// Shorter runs of zeros are not worth a hole.
const HOLE_BYTES: u64 = 4096;
/// A chunk of zeros packs to less than this.
const PACKED_ZEROS: u32 = 1024;

/// A file's holes: offsets and lengths.
type Holes = Vec<(u64, u64)>;

enum Piece {
    Entry(Box<Entry>, Vec<(u64, u64)>, usize),
    Chunk(Id),
}

enum Message {
    /// An entry, its holes, and how many chunks follow.
    Entry(Box<Entry>, Vec<(u64, u64)>, usize),
    Chunk(Result<Bytes>),
    End(Result<()>),
}

/// Plans batches out of a walk.
struct Planner {
    walker: Walker,
    index: Arc<Index>,
    pending: VecDeque<Id>,
    zeros: HashMap<u64, Id>,
    ended: bool,
}

impl Planner {
    async fn batch(&mut self) -> Result<Option<Vec<Piece>>> {
        let mut pieces = Vec::new();
        let mut bytes = 0;
        while !self.ended && bytes < BATCH_BYTES && pieces.len() < BATCH_PIECES {
            if let Some(id) = self.pending.pop_front() {
                bytes += self.plain_bytes(&id).unwrap_or(0);
                pieces.push(Piece::Chunk(id));
                continue;
            }
            match self.walker.next().await? {
                Some(mut node) => {
                    let holes = self.measure(&mut node.entry, &node.content);
                    pieces.push(Piece::Entry(Box::new(node.entry), holes, node.content.len()));
                    self.pending = node.content.into();
                }
                None => self.ended = true,
            }
        }
        Ok((!pieces.is_empty()).then_some(pieces))
    }

    fn plain_bytes(&self, id: &Id) -> Option<u64> {
        self.index.find(id, false).next().map(|location| location.plain_bytes())
    }

    /// Sets a file's size to what its chunks hold, and finds its holes.
    fn measure(&mut self, entry: &mut Entry, content: &[Id]) -> Vec<(u64, u64)> {
        let mut holes: Vec<(u64, u64)> = Vec::new();
        let mut offset = 0;
        if !entry.is_file() {
            return holes;
        }
        for id in content {
            let Some(location) = self.index.find(id, false).next() else { return Vec::new() };
            let length = location.plain_bytes();
            if length >= HOLE_BYTES && location.raw > 0 && location.length < PACKED_ZEROS && self.is_zeros(id, length) {
                match holes.last_mut() {
                    Some((start, before)) if *start + *before == offset => *before += length,
                    _ => holes.push((offset, length)),
                }
            }
            offset += length;
        }
        entry.size_bytes = offset;
        holes
    }

    fn is_zeros(&mut self, id: &Id, length: u64) -> bool {
        *self.zeros.entry(length).or_insert_with(|| {
            let mut hash = Sha256::new();
            let block = [0; 8192];
            let mut left = length as usize;
            while left > 0 {
                let part = left.min(block.len());
                hash.update(&block[..part]);
                left -= part;
            }
            Id(hash.finalize().into())
        }) == *id
    }
}

/// Starts a stream.
pub(crate) fn start(repo: Arc<Repo>, index: Arc<Index>, walker: Walker, ctx: RunContext) -> Source {
    let (sender, receiver) = mpsc::channel(1);
    let planner =
        Planner { walker, index: index.clone(), pending: VecDeque::new(), zeros: HashMap::new(), ended: false };
    tokio::spawn(async move {
        let work = drive(repo, index, planner, &sender);
        let end = ctx.or_cancel(work).await;
        // Nobody listening means nobody wants to know.
        let _ = sender.send(vec![Message::End(end)]).await;
    });
    let state = State { receiver, batch: VecDeque::new(), file: 0, left: 0, ended: false };
    Source { state: Arc::new(Mutex::new(state)), file: 0, path: RawPath::root(), holes: Vec::new() }
}

fn batches(planner: Planner) -> impl Stream<Item = Result<Vec<Piece>>> {
    futures::stream::unfold(Some(planner), |planner| async {
        let mut planner = planner?;
        match planner.batch().await {
            Ok(Some(batch)) => Some((Ok(batch), Some(planner))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

async fn drive(
    repo: Arc<Repo>,
    index: Arc<Index>,
    planner: Planner,
    sender: &mpsc::Sender<Vec<Message>>,
) -> Result<()> {
    let parallel = usize::from(repo.destination.capabilities().parallel_objects);
    let at_once = (parallel / 2).clamp(BATCHES.0, BATCHES.1);
    let fetches = batches(planner).map(|pieces| {
        let (repo, index) = (repo.clone(), index.clone());
        // Its own task, so that it goes on while an earlier batch is handed out.
        let task = tokio::spawn(async move { fetch(&repo, &index, pieces?).await });
        async move { task.await.map_err(|error| internal("A reading task ended by a fault").source(error))? }
    });
    let mut fetches = std::pin::pin!(fetches.buffered(at_once));
    while let Some(batch) = fetches.next().await {
        if sender.send(batch?).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn fetch(repo: &Arc<Repo>, index: &Index, pieces: Vec<Piece>) -> Result<Vec<Message>> {
    let ids: Vec<Id> =
        pieces.iter().filter_map(|piece| if let Piece::Chunk(id) = piece { Some(*id) } else { None }).collect();
    let fetched: Fetched<Bytes> = repo.fetch(index, &ids, false, |_, plain| Ok(Bytes::from(plain))).await;
    let messages = pieces.into_iter().map(|piece| match piece {
        Piece::Entry(entry, holes, chunks) => Message::Entry(entry, holes, chunks),
        Piece::Chunk(id) => Message::Chunk(match fetched.get(&id) {
            Some(Ok(content)) => Ok(content.clone()),
            Some(Err(error)) => Err(copy(error)),
            None => Err(lost(&id)),
        }),
    });
    Ok(messages.collect())
}

/// Copies an error without its source: a chunk may be wanted more than once.
fn copy(error: &Error) -> Error {
    let copy = Error::new(error.class, error.message.clone()).detail(error.detail.clone().unwrap_or_default());
    if let Some(hint) = &error.hint { copy.hint(hint) } else { copy }
}

struct State {
    receiver: mpsc::Receiver<Vec<Message>>,
    batch: VecDeque<Message>,
    /// The number of the file whose chunks come now.
    file: u64,
    /// Its chunks not handed out yet.
    left: usize,
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
                None => return Poll::Ready(Message::End(Err(internal("Reading the backup ended by a fault")))),
            }
        }
    }

    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<(Entry, Holes)>>> {
        loop {
            match ready!(self.poll_message(cx)) {
                // Content nobody read.
                Message::Chunk(_) => self.left = self.left.saturating_sub(1),
                Message::Entry(entry, holes, chunks) => {
                    self.file += 1;
                    self.left = chunks;
                    return Poll::Ready(Ok(Some((*entry, holes))));
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
    state: Arc<Mutex<State>>,
    file: u64,
    path: RawPath,
    holes: Vec<(u64, u64)>,
}

#[async_trait]
impl EntrySource for Source {
    async fn next(&mut self) -> Result<Option<Entry>> {
        let state = self.state.clone();
        let next =
            std::future::poll_fn(|cx| state.lock().unwrap_or_else(PoisonError::into_inner).poll_entry(cx)).await?;
        Ok(next.map(|(entry, holes)| {
            self.file += 1;
            self.path = entry.path.clone();
            self.holes = holes;
            entry
        }))
    }

    fn content(&mut self) -> ByteStream {
        Box::new(ContentReader {
            state: self.state.clone(),
            file: self.file,
            path: self.path.clone(),
            current: Bytes::new(),
            failed: false,
        })
    }

    fn holes(&self) -> Vec<(u64, u64)> {
        self.holes.clone()
    }
}

/// One file's content.
struct ContentReader {
    state: Arc<Mutex<State>>,
    file: u64,
    path: RawPath,
    current: Bytes,
    failed: bool,
}

impl AsyncRead for ContentReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.failed {
            return Poll::Ready(Err(io::Error::other("The content is damaged")));
        }
        while this.current.is_empty() {
            let mut state = this.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.file != this.file {
                return Poll::Ready(Err(io::Error::other("The content was passed over already")));
            }
            if state.left == 0 {
                return Poll::Ready(Ok(()));
            }
            let error = match ready!(state.poll_message(cx)) {
                Message::Chunk(Ok(content)) => {
                    state.left -= 1;
                    this.current = content;
                    continue;
                }
                Message::Chunk(Err(error)) => {
                    state.left -= 1;
                    let text = format!("Cannot read {} from the backup: {}", this.path, error.message);
                    let named = Error::new(error.class, text).detail(error.detail.clone().unwrap_or_default());
                    if let Some(hint) = error.hint { named.hint(hint) } else { named }
                }
                Message::End(Err(error)) => {
                    // `next` must see it too: the stream ends here, not well.
                    state.batch.push_front(Message::End(Err(copy(&error))));
                    error
                }
                Message::Entry(..) | Message::End(Ok(())) => internal("The backup's content came out of order"),
            };
            this.failed = true;
            return Poll::Ready(Err(error.into()));
        }
        let part = this.current.split_to(this.current.len().min(out.remaining()));
        out.put_slice(&part);
        Poll::Ready(Ok(()))
    }
}
