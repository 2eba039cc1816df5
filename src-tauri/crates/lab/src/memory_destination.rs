//! A destination in memory: records every call, and fails, fills up, goes offline or dawdles when told to.

use async_trait::async_trait;
use backstay_core::destination::{Destination, DestinationCapabilities, Key, ObjectInfo, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;

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
}

/// One call, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub operation: Operation,
    /// The key; the prefix of a list; empty for space.
    pub key: String,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    calls: Vec<Call>,
    /// Faults still to come: which operation (`None`: any), after how many more of them, with which class.
    faults: Vec<(Option<Operation>, u64, ErrorClass)>,
    room_bytes: Option<u64>,
    offline: bool,
    delay: Option<Duration>,
}

/// A destination in memory. Clones share their objects, as two computers share one cloud.
#[derive(Clone, Default)]
pub struct MemoryDestination {
    state: Arc<Mutex<State>>,
}

impl MemoryDestination {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self::default()
    }
    /// Makes the `n`-th call from now (1 = the next) fail with `class`, once.
    pub fn fail_call(&self, n: u64, class: ErrorClass) {
        self.state().faults.push((None, n, class));
    }
    /// Makes the `n`-th call of this operation from now (1 = the next) fail with `class`, once.
    pub fn fail_operation(&self, operation: Operation, n: u64, class: ErrorClass) {
        self.state().faults.push((Some(operation), n, class));
    }
    /// Takes away faults that have not come yet.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }
    /// Gives it room for so many bytes in all; `None`: no limit.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.state().room_bytes = bytes;
    }
    /// Makes every call fail as `Offline`, or ends that.
    pub fn set_offline(&self, offline: bool) {
        self.state().offline = offline;
    }
    /// Makes every call take so long; `None`: at once.
    pub fn set_delay(&self, delay: Option<Duration>) {
        self.state().delay = delay;
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

    /// Records a call, waits, and fails if it is to fail.
    async fn enter(&self, operation: Operation, key: &str) -> Result<()> {
        let (delay, fault) = {
            let mut state = self.state();
            state.calls.push(Call { operation, key: key.to_owned() });
            (state.delay, state.next_fault(operation))
        };
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        match fault {
            Some(class) => Err(Error::new(class, format!("Cannot {operation:?} {key} on memory: told to fail"))),
            None => Ok(()),
        }
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
        let found = self.state().objects.get(key.as_str()).cloned();
        found.ok_or_else(|| Error::new(ErrorClass::Missing, format!("Cannot read {key} on memory: it is not there")))
    }
}

impl State {
    fn used_bytes(&self) -> u64 {
        self.objects.values().map(|object| object.len() as u64).sum()
    }

    fn next_fault(&mut self, operation: Operation) -> Option<ErrorClass> {
        if self.offline {
            return Some(ErrorClass::Offline);
        }
        let mut hit = None;
        self.faults.retain_mut(|(of, left, class)| {
            if of.is_some_and(|of| of != operation) {
                return true;
            }
            *left = left.saturating_sub(1);
            if *left == 0 && hit.is_none() {
                hit = Some(*class);
                return false;
            }
            true
        });
        hit
    }
}

fn info(key: &Key, object: &Bytes) -> ObjectInfo {
    ObjectInfo { key: key.clone(), size_bytes: object.len() as u64, modified: Some(0) }
}

fn cut_short(key: &Key) -> Error {
    Error::new(ErrorClass::Corrupt, format!("Cannot read {key} on memory: it ends before the bytes asked for"))
}

#[async_trait]
impl Destination for MemoryDestination {
    fn label(&self) -> &str {
        "memory"
    }

    fn capabilities(&self) -> DestinationCapabilities {
        DestinationCapabilities { atomic_create: true, ranges: true, space: true }
    }

    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        self.enter(Operation::Put, key.as_str()).await?;
        self.store(key, content, mode)
    }

    async fn put_stream(&self, key: &Key, mut content: ByteStream, mode: WriteMode) -> Result<u64> {
        self.enter(Operation::Put, key.as_str()).await?;
        let mut all = Vec::new();
        content
            .read_to_end(&mut all)
            .await
            .map_err(|error| Error::io(format!("Cannot write {key} on memory"), error))?;
        let size_bytes = all.len() as u64;
        self.store(key, all.into(), mode)?;
        Ok(size_bytes)
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        self.enter(Operation::Get, key.as_str()).await?;
        let object = self.load(key)?;
        let Some(range) = range else { return Ok(object) };
        if range.start > range.end {
            return Err(Error::new(
                ErrorClass::Invalid,
                format!("Cannot read a range of {key} that ends before it starts"),
            ));
        }
        if range.end > object.len() as u64 {
            return Err(cut_short(key));
        }
        Ok(object.slice(range.start as usize..range.end as usize))
    }

    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        self.enter(Operation::Get, key.as_str()).await?;
        let object = self.load(key)?;
        if offset > object.len() as u64 {
            return Err(cut_short(key));
        }
        Ok(Box::new(std::io::Cursor::new(object.slice(offset as usize..))))
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        self.enter(Operation::Head, key.as_str()).await?;
        Ok(info(key, &self.load(key)?))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        self.enter(Operation::List, prefix).await?;
        let state = self.state();
        let matching = state.objects.iter().filter(|(key, _)| key.starts_with(prefix));
        matching.map(|(key, object)| Ok(info(&Key::new(key.as_str())?, object))).collect()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.enter(Operation::Delete, key.as_str()).await?;
        self.state().objects.remove(key.as_str());
        Ok(())
    }

    async fn space(&self) -> Result<Space> {
        self.enter(Operation::Space, "").await?;
        let state = self.state();
        let total_bytes = state.room_bytes.unwrap_or(1 << 50);
        Ok(Space { total_bytes, free_bytes: total_bytes.saturating_sub(state.used_bytes()) })
    }
}
