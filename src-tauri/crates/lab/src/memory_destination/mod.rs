//! A destination in memory: records every call, and fails, fills up, goes offline or dawdles when told to.

mod faults;
mod upload;

use async_trait::async_trait;
use backstay_core::destination::{
    Availability, Destination, DestinationCapabilities, Direction, FreeTraffic, Key, ObjectInfo, PIECE, PartUpload,
    Swept, Traffic, WriteMode,
};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::{Error, ErrorClass, Result};
use backstay_transfer as transfer;
use bytes::Bytes;
use faults::State;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, ReadBuf};
use upload::{MemoryUpload, Upload};

/// What was asked of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `put` or `put_stream`.
    Put,
    /// `get` or `get_stream`.
    Get,
    /// `head`.
    Head,
    /// `list`.
    List,
    /// `delete`.
    Delete,
    /// `space`.
    Space,
    /// `begin_upload` or `resume_upload`.
    Begin,
    /// `put_part`.
    Part,
    /// `stored`.
    Stored,
    /// `complete`.
    Complete,
    /// `abort`.
    Abort,
    /// `sweep`.
    Sweep,
    /// `extend_lock`.
    Lock,
}

/// One call, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub operation: Operation,
    /// The key; the prefix of a list; empty for space.
    pub key: String,
}

/// A destination in memory. Clones share their objects, as two computers share one cloud.
#[derive(Clone)]
pub struct MemoryDestination {
    state: Arc<Mutex<State>>,
    traffic: Arc<dyn Traffic>,
    part_bytes: u64,
}

impl Default for MemoryDestination {
    fn default() -> Self {
        Self { state: Arc::default(), traffic: Arc::new(FreeTraffic), part_bytes: 256 << 10 }
    }
}

impl MemoryDestination {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }
    /// Returns the same destination as somebody sees it whose bytes pass `traffic`.
    #[must_use]
    pub fn with_traffic(&self, traffic: Arc<dyn Traffic>) -> Self {
        Self { traffic, ..self.clone() }
    }
    /// Returns the same destination with parts of this size.
    #[must_use]
    pub fn with_part_bytes(&self, part_bytes: u64) -> Self {
        Self { part_bytes, ..self.clone() }
    }
    /// Returns all calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }
    /// Counts the calls of one operation so far.
    pub fn count(&self, operation: Operation) -> usize {
        self.state().calls.iter().filter(|call| call.operation == operation).count()
    }
    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }
    /// Returns the keys there are, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }
    /// Returns an object without a call being recorded.
    pub fn object(&self, key: &str) -> Option<Bytes> {
        self.state().objects.get(key).cloned()
    }
    /// Counts the uploads that were begun and neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.state().uploads.len()
    }
    /// Sets (`Some`) or removes (`None`) an object behind everybody's back: damage.
    pub fn tamper(&self, key: &str, content: Option<Bytes>) {
        let mut state = self.state();
        match content {
            Some(content) => state.objects.insert(key.to_owned(), content),
            None => state.objects.remove(key),
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call, waits, and fails if it is to fail. Returns the failure that is to come after the work is done.
    async fn enter(&self, operation: Operation, key: &str) -> Result<Option<Error>> {
        let (delay, fault) = {
            let mut state = self.state();
            state.calls.push(Call { operation, key: key.to_owned() });
            (state.delay, state.next_fault(operation))
        };
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        let failed = |class| Error::new(class, format!("Cannot {operation:?} {key} on memory: told to fail"));
        match fault {
            Some((class, false)) => Err(failed(class)),
            Some((class, true)) => Ok(Some(failed(class))),
            None => Ok(None),
        }
    }

    /// Moves so many bytes: at the set rate, past the traffic, until it goes offline.
    async fn travel(&self, direction: Direction, bytes: usize) -> Result<()> {
        let mut left = bytes;
        while left > 0 {
            let piece = left.min(PIECE);
            let rate = self.state().bytes_per_second;
            if direction == Direction::Up {
                self.traffic.pass(direction, piece).await;
            }
            if let Some(rate) = rate {
                tokio::time::sleep(Duration::from_secs_f64(piece as f64 / rate.max(1) as f64)).await;
            }
            if self.state().offline {
                return Err(Error::new(ErrorClass::Offline, "Cannot go on with memory: the line is cut"));
            }
            if direction == Direction::Down {
                self.traffic.pass(direction, piece).await;
            }
            left -= piece;
        }
        Ok(())
    }

    fn store(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        let mut state = self.state();
        let old = state.objects.get(key.as_str()).map(|object| object.len() as u64);
        if mode == WriteMode::CreateNew && old.is_some() {
            return Err(Error::new(ErrorClass::Exists, format!("Cannot write {key} on memory: it is there already")));
        }
        let used = state.used_bytes() - old.unwrap_or(0);
        if state.room_bytes.is_some_and(|room| used + content.len() as u64 > room) {
            return Err(Error::new(ErrorClass::Full, format!("Cannot write {key} on memory: there is no room left")));
        }
        state.objects.insert(key.as_str().to_owned(), content);
        Ok(())
    }

    fn load(&self, key: &Key) -> Result<Bytes> {
        if self.state().stands(key) != Availability::Ready {
            return Err(Error::new(
                ErrorClass::Refused,
                format!("Cannot read {key} on memory: it lies in a cold storage class"),
            ));
        }
        self.peek(key)
    }

    fn peek(&self, key: &Key) -> Result<Bytes> {
        let found = self.state().objects.get(key.as_str()).cloned();
        found.ok_or_else(|| Error::new(ErrorClass::Missing, format!("Cannot read {key} on memory: it is not there")))
    }
}

fn info(key: &Key, object: &Bytes) -> ObjectInfo {
    ObjectInfo { key: key.clone(), size_bytes: object.len() as u64, modified: Some(0) }
}

fn cut_short(key: &Key) -> Error {
    Error::new(ErrorClass::Corrupt, format!("Cannot read {key} on memory: it ends before the bytes asked for"))
}

fn answer<T>(lost: Option<Error>, result: T) -> Result<T> {
    lost.map_or(Ok(result), Err)
}

#[async_trait]
impl Destination for MemoryDestination {
    fn label(&self) -> &str {
        "memory"
    }

    fn capabilities(&self) -> DestinationCapabilities {
        self.state().capabilities.unwrap_or(DestinationCapabilities {
            atomic_create: true,
            atomic_replace: true,
            parallel_ranges: 4,
            space: true,
            parallel_parts: 4,
            parallel_objects: 8,
            checks_hash: false,
            links: false,
        })
    }

    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        let lost = self.enter(Operation::Put, key.as_str()).await?;
        self.travel(Direction::Up, content.len()).await?;
        let content = self.damaged(key, content);
        answer(lost, self.store(key, content, mode)?)
    }

    async fn put_stream(&self, key: &Key, mut content: ByteStream, mode: WriteMode) -> Result<u64> {
        let lost = self.enter(Operation::Put, key.as_str()).await?;
        let mut all = Vec::new();
        let mut piece = vec![0; PIECE];
        loop {
            let read = content.read(&mut piece).await;
            let read = read.map_err(|error| Error::io(format!("Cannot write {key} on memory"), error))?;
            if read == 0 {
                break;
            }
            self.travel(Direction::Up, read).await?;
            all.extend_from_slice(&piece[..read]);
        }
        let size_bytes = all.len() as u64;
        self.store(key, all.into(), mode)?;
        answer(lost, size_bytes)
    }

    async fn begin_upload(&self, key: &Key, _: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        let lost = self.enter(Operation::Begin, key.as_str()).await?;
        let token = {
            let mut state = self.state();
            state.next_upload += 1;
            let token = format!("upload-{}", state.next_upload);
            state.uploads.insert(token.clone(), Upload { key: key.as_str().to_owned(), ..Upload::default() });
            token
        };
        answer(lost, Arc::new(MemoryUpload { destination: self.clone(), key: key.clone(), token }))
    }

    async fn resume_upload(&self, key: &Key, _: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
        let lost = self.enter(Operation::Begin, key.as_str()).await?;
        let upload = MemoryUpload { destination: self.clone(), key: key.clone(), token: token.to_owned() };
        upload.with(|_| ())?;
        answer(lost, Arc::new(upload))
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        let lost = self.enter(Operation::Get, key.as_str()).await?;
        let object = self.load(key)?;
        let range = range.unwrap_or(0..object.len() as u64);
        if range.start > range.end {
            return Err(Error::new(
                ErrorClass::Invalid,
                format!("Cannot read a range of {key} that ends before it starts"),
            ));
        }
        if range.end > object.len() as u64 {
            return Err(cut_short(key));
        }
        let content = object.slice(range.start as usize..range.end as usize);
        self.travel(Direction::Down, content.len()).await?;
        answer(lost, content)
    }

    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        let lost = self.enter(Operation::Get, key.as_str()).await?;
        let object = self.load(key)?;
        if offset > object.len() as u64 {
            return Err(cut_short(key));
        }
        let content = std::io::Cursor::new(object.slice(offset as usize..));
        let stream = Breaking { content, left: self.state().cut_streams_after };
        answer(lost, transfer::paced(Box::new(stream), Arc::clone(&self.traffic), Direction::Down))
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        let lost = self.enter(Operation::Head, key.as_str()).await?;
        answer(lost, info(key, &self.peek(key)?))
    }

    async fn availability(&self, key: &Key) -> Result<Availability> {
        self.head(key).await?;
        Ok(self.state().stands(key))
    }

    async fn thaw(&self, key: &Key, _: u32) -> Result<Availability> {
        self.head(key).await?;
        let mut state = self.state();
        if state.stands(key) == Availability::Frozen {
            state.cold.insert(key.as_str().to_owned(), Availability::Thawing);
        }
        Ok(state.stands(key))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let lost = self.enter(Operation::List, prefix).await?;
        let state = self.state();
        let matching = state.objects.iter().filter(|(key, _)| key.starts_with(prefix));
        let listed: Result<_> = matching.map(|(key, object)| Ok(info(&Key::new(key.as_str())?, object))).collect();
        answer(lost, listed?)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let lost = self.enter(Operation::Delete, key.as_str()).await?;
        self.state().objects.remove(key.as_str());
        answer(lost, ())
    }

    async fn space(&self) -> Result<Space> {
        let lost = self.enter(Operation::Space, "").await?;
        let state = self.state();
        let total_bytes = state.room_bytes.unwrap_or(1 << 50);
        answer(lost, Space { total_bytes, free_bytes: total_bytes.saturating_sub(state.used_bytes()) })
    }

    async fn locked_until(&self, key: &Key) -> Result<Option<i64>> {
        self.head(key).await?;
        Ok(self.lock_of(key.as_str()))
    }

    async fn extend_lock(&self, key: &Key, until: i64) -> Result<Option<i64>> {
        let lost = self.enter(Operation::Lock, key.as_str()).await?;
        self.peek(key)?;
        let mut state = self.state();
        let locked = state.locks.get_mut(key.as_str()).map(|lock| {
            *lock = until.max(*lock);
            *lock
        });
        answer(lost, locked)
    }

    async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        let lost = self.enter(Operation::Sweep, "").await?;
        let mut state = self.state();
        let open = state.uploads.len() as u64;
        // Nothing ages here: everything is old enough only when no age is asked for.
        if !older_than.is_zero() {
            return answer(lost, Swept { left: open, ..Swept::default() });
        }
        state.uploads.retain(|id, _| spared.iter().any(|token| token == id));
        let left = state.uploads.len() as u64;
        answer(lost, Swept { removed: open - left, left, restored: 0 })
    }
}

/// A stream that breaks off when it is told to.
struct Breaking {
    content: std::io::Cursor<Bytes>,
    left: Option<u64>,
}

impl tokio::io::AsyncRead for Breaking {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let Some(left) = self.left else { return std::pin::Pin::new(&mut self.content).poll_read(cx, out) };
        if left == 0 {
            return std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        let at = usize::try_from(self.content.position()).unwrap_or(usize::MAX);
        let rest = self.content.get_ref().get(at..).unwrap_or(&[]);
        let count = rest.len().min(out.remaining()).min(usize::try_from(left).unwrap_or(usize::MAX));
        out.put_slice(&rest[..count]);
        self.content.set_position((at + count) as u64);
        self.left = Some(left - count as u64);
        std::task::Poll::Ready(Ok(()))
    }
}
