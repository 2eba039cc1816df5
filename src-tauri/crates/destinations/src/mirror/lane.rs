//! One leg's side of an upload: a queue, a knife, and parts on their way.

use super::leg::{Legs, Track};
use backstay_core::destination::{PartUpload, StoredPart};
use backstay_core::{Error, ErrorClass, Result};
use backstay_transfer::PARTS_AT_ONCE;
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

/// A leg holds at most so many bytes that are not stored yet, or two parts where they are larger.
const WINDOW_BYTES: u64 = 64 << 20;

enum Message {
    Content(u64, Bytes),
    Flush(oneshot::Sender<u64>),
    Finish(u64, oneshot::Sender<Result<Vec<StoredPart>>>),
}

/// How much a lane holds.
#[derive(Default)]
struct Flow {
    held_bytes: AtomicU64,
    /// Messages not worked off, and parts under way.
    busy: AtomicUsize,
    over: AtomicBool,
    changed: Notify,
}

impl Flow {
    fn change(&self, change: impl FnOnce(&Self)) {
        change(self);
        self.changed.notify_waiters();
    }
}

/// One leg's side of an upload.
pub(super) struct Lane {
    pub(super) track: Arc<Track>,
    pub(super) upload: Arc<dyn PartUpload>,
    queue: mpsc::UnboundedSender<Message>,
    flow: Arc<Flow>,
    worker: AbortHandle,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

impl Lane {
    /// Starts to send. `stored` is what the store has of it already.
    pub(super) fn start(
        legs: &Arc<Legs>,
        track: Arc<Track>,
        upload: Arc<dyn PartUpload>,
        stored: Vec<StoredPart>,
    ) -> Self {
        let (queue, messages) = mpsc::unbounded_channel();
        let flow = Arc::new(Flow::default());
        let knife = Knife::new(Arc::clone(&upload), stored);
        let at_once = usize::from(track.destination.capabilities().parallel_parts).clamp(1, PARTS_AT_ONCE);
        let worker = Worker {
            legs: Arc::clone(legs),
            track: Arc::clone(&track),
            upload: Arc::clone(&upload),
            flow: Arc::clone(&flow),
            knife,
            at_once,
            under_way: JoinSet::new(),
        };
        let worker = tokio::spawn(worker.run(messages)).abort_handle();
        Self { track, upload, queue, flow, worker }
    }

    /// Waits until so many bytes fit. A lane with nothing to do takes any number: it may need them to fill a part.
    pub(super) async fn room_for(&self, bytes: u64) {
        let window = WINDOW_BYTES.max(bytes.saturating_mul(2));
        loop {
            let changed = self.flow.changed.notified();
            let held = self.flow.held_bytes.load(Ordering::Relaxed);
            let idle = self.flow.busy.load(Ordering::Relaxed) == 0;
            if idle || held + bytes <= window || self.flow.over.load(Ordering::Relaxed) {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn take(&self, offset: u64, content: Bytes) {
        self.flow.held_bytes.fetch_add(content.len() as u64, Ordering::Relaxed);
        self.send(Message::Content(offset, content));
    }

    fn send(&self, message: Message) {
        self.flow.busy.fetch_add(1, Ordering::Relaxed);
        // A worker that has ended said why to the legs.
        let _ = self.queue.send(message);
    }

    /// Waits for the parts under way; returns up to which byte the store has all.
    pub(super) async fn flush(&self) -> Option<u64> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Flush(answer));
        answered.await.ok()
    }

    /// Sends what is left of `size` bytes. Returns all parts.
    pub(super) fn finish(&self, size: u64) -> impl Future<Output = Result<Vec<StoredPart>>> + use<> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Finish(size, answer));
        async move { answered.await.unwrap_or_else(|_| Err(Error::cancelled())) }
    }

    pub(super) async fn abort(&self) -> Result<()> {
        self.worker.abort();
        self.upload.abort().await
    }
}

/// Cuts a stream of contents into parts of one leg.
struct Knife {
    upload: Arc<dyn PartUpload>,
    /// The store had all up to here when the upload went on; what comes below it is skipped.
    had: u64,
    /// Where each part began, `had` ones included.
    starts: Vec<u64>,
    /// Where the part being filled begins.
    start: u64,
    filled: u64,
    pieces: VecDeque<Bytes>,
}

impl Knife {
    fn new(upload: Arc<dyn PartUpload>, stored: Vec<StoredPart>) -> Self {
        let (mut starts, mut start) = (Vec::new(), 0);
        let mut by_number: BTreeMap<u32, StoredPart> = stored.into_iter().map(|part| (part.number, part)).collect();
        // A short part can only be the last one: it is sent anew with what follows.
        while let Some(part) = by_number.remove(&(starts.len() as u32 + 1)) {
            if part.offset != start || part.size_bytes != upload.part_bytes(part.number) {
                break;
            }
            starts.push(start);
            start += part.size_bytes;
        }
        Self { upload, had: start, starts, start, filled: 0, pieces: VecDeque::new() }
    }

    fn number(&self) -> u32 {
        self.starts.len() as u32 + 1
    }

    /// Takes content at an offset: what follows, a part again, or what the store had already.
    fn push(&mut self, mut offset: u64, mut content: Bytes) -> Result<()> {
        if offset < self.had {
            let skip = usize::try_from(self.had - offset).unwrap_or(usize::MAX).min(content.len());
            let _ = content.split_to(skip);
            offset += skip as u64;
        }
        if content.is_empty() {
            return Ok(());
        }
        if offset < self.start
            && let Some(part) = self.starts.iter().position(|start| *start == offset)
        {
            self.starts.truncate(part);
            (self.start, self.filled) = (offset, 0);
            self.pieces.clear();
        }
        if offset >= self.start && offset < self.start + self.filled {
            self.shorten(offset - self.start);
        }
        if offset != self.start + self.filled {
            return Err(Error::new(ErrorClass::Internal, "Parts must come one after another"));
        }
        self.filled += content.len() as u64;
        self.pieces.push_back(content);
        Ok(())
    }

    fn shorten(&mut self, keep: u64) {
        while self.filled > keep {
            let Some(mut last) = self.pieces.pop_back() else { return };
            let before = self.filled - last.len() as u64;
            if before < keep {
                last.truncate(usize::try_from(keep - before).unwrap_or(usize::MAX));
                self.filled = keep;
                self.pieces.push_back(last);
                return;
            }
            self.filled = before;
        }
    }

    /// Cuts the next part off, if it is full, or if there is a rest and no more comes.
    fn cut(&mut self, last: bool) -> Option<(u32, u64, Bytes)> {
        let want = self.upload.part_bytes(self.number());
        if self.filled < want && !(last && self.filled > 0) {
            return None;
        }
        let size = usize::try_from(want.min(self.filled)).unwrap_or(usize::MAX);
        let content = match self.pieces.front_mut() {
            // One piece holds all of it: no copy.
            Some(first) if first.len() >= size => first.split_to(size),
            _ => self.join(size),
        };
        while self.pieces.front().is_some_and(Bytes::is_empty) {
            self.pieces.pop_front();
        }
        let (number, start) = (self.number(), self.start);
        self.starts.push(start);
        self.start += size as u64;
        self.filled -= size as u64;
        Some((number, start, content))
    }

    /// Returns what would be the last part if no more came, and keeps it.
    fn rest(&mut self) -> Option<(u32, u64, Bytes)> {
        if self.filled == 0 {
            return None;
        }
        let content = self.join(usize::try_from(self.filled).unwrap_or(usize::MAX));
        self.pieces = VecDeque::from([content.clone()]);
        Some((self.number(), self.start, content))
    }

    fn join(&mut self, size: usize) -> Bytes {
        let mut whole = BytesMut::with_capacity(size);
        while whole.len() < size {
            let Some(mut piece) = self.pieces.pop_front() else { break };
            let rest = piece.split_off(piece.len().min(size - whole.len()));
            whole.extend_from_slice(&piece);
            if !rest.is_empty() {
                self.pieces.push_front(rest);
            }
        }
        whole.freeze()
    }
}

struct Worker {
    legs: Arc<Legs>,
    track: Arc<Track>,
    upload: Arc<dyn PartUpload>,
    flow: Arc<Flow>,
    knife: Knife,
    at_once: usize,
    under_way: JoinSet<Result<StoredPart>>,
}

impl Worker {
    async fn run(mut self, mut messages: mpsc::UnboundedReceiver<Message>) {
        let mut stored = self.had_parts().await;
        loop {
            let idle = self.under_way.is_empty();
            let worked = tokio::select! {
                biased;
                Some(sent) = self.under_way.join_next(), if !idle => self.arrive(sent, &mut stored),
                message = messages.recv() => match message {
                    Some(message) => {
                        let worked = self.work(message, &mut stored).await;
                        self.flow.change(|flow| _ = flow.busy.fetch_sub(1, Ordering::Relaxed));
                        worked
                    }
                    None => return,
                },
            };
            if let Err(error) = worked {
                self.legs.fail(&self.track, &error);
                self.flow.change(|flow| flow.over.store(true, Ordering::Relaxed));
                // Nobody waits for what is still queued: answers are dropped with it.
                return;
            }
        }
    }

    /// What the store had when the upload went on.
    async fn had_parts(&self) -> BTreeMap<u32, StoredPart> {
        if self.knife.had == 0 {
            return BTreeMap::new();
        }
        let stored = self.upload.stored().await.unwrap_or_default();
        let had = stored.into_iter().filter(|part| part.number < self.knife.number());
        had.map(|part| (part.number, part)).collect()
    }

    async fn work(&mut self, message: Message, stored: &mut BTreeMap<u32, StoredPart>) -> Result<()> {
        match message {
            Message::Content(offset, content) => {
                let before = self.knife.start + self.knife.filled;
                let size = content.len() as u64;
                if offset < self.knife.start {
                    // A part again: the one before must not arrive after it.
                    self.all(stored).await?;
                }
                self.knife.push(offset, content)?;
                // What is not held after all: skipped, or in the place of something held before.
                let added = (self.knife.start + self.knife.filled).saturating_sub(before);
                self.release(size.saturating_sub(added));
                self.send_full(false, stored).await
            }
            Message::Flush(answer) => {
                // The rest is stored too, as a short part that the whole one replaces later.
                if let Some((number, offset, content)) = self.knife.rest() {
                    let part = self.upload.put_part(number, offset, content).await?;
                    stored.insert(number, part);
                }
                self.all(stored).await?;
                let whole = (1..).map_while(|number| stored.get(&number)).last();
                let _ = answer.send(whole.map_or(0, |part| part.offset + part.size_bytes));
                Ok(())
            }
            Message::Finish(size, answer) => {
                self.send_full(true, stored).await?;
                self.all(stored).await?;
                let parts: Vec<_> = stored.values().filter(|part| part.offset < size).cloned().collect();
                let whole: u64 = parts.iter().map(|part| part.size_bytes).sum();
                if whole != size {
                    return Err(Error::new(ErrorClass::Internal, "Parts of an upload are missing"));
                }
                let _ = answer.send(Ok(parts));
                Ok(())
            }
        }
    }

    async fn send_full(&mut self, last: bool, stored: &mut BTreeMap<u32, StoredPart>) -> Result<()> {
        while let Some((number, offset, content)) = self.knife.cut(last) {
            while self.under_way.len() >= self.at_once {
                self.one(stored).await?;
            }
            self.flow.change(|flow| _ = flow.busy.fetch_add(1, Ordering::Relaxed));
            let upload = Arc::clone(&self.upload);
            self.under_way.spawn(async move { upload.put_part(number, offset, content).await });
        }
        Ok(())
    }

    async fn all(&mut self, stored: &mut BTreeMap<u32, StoredPart>) -> Result<()> {
        while !self.under_way.is_empty() {
            self.one(stored).await?;
        }
        Ok(())
    }

    async fn one(&mut self, stored: &mut BTreeMap<u32, StoredPart>) -> Result<()> {
        match self.under_way.join_next().await {
            Some(sent) => self.arrive(sent, stored),
            None => Ok(()),
        }
    }

    fn arrive(
        &self,
        sent: Result<Result<StoredPart>, tokio::task::JoinError>,
        stored: &mut BTreeMap<u32, StoredPart>,
    ) -> Result<()> {
        let ended = |error| Error::new(ErrorClass::Internal, "Sending a part ended unexpectedly").source(error);
        let part = sent.map_err(ended)??;
        self.legs.stored(&self.track, part.size_bytes);
        self.release(part.size_bytes);
        self.flow.change(|flow| _ = flow.busy.fetch_sub(1, Ordering::Relaxed));
        stored.insert(part.number, part);
        Ok(())
    }

    fn release(&self, bytes: u64) {
        let lower = |held: u64| Some(held.saturating_sub(bytes));
        self.flow.change(|flow| _ = flow.held_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lower));
    }
}
