//! The bytes of an archive as if it were not sealed, read in segments: neighbours in one read, each at most once while
//! it is remembered. Where a place has one stream at a time to give, all reads come out of one.

use super::line::Line;
use super::seal::{Cipher, SealHeader};
use backstay_core::destination::{Destination, Key};
use backstay_core::{Error, ErrorClass, Result};
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

/// A segment of what is not sealed.
const PLAIN_SEGMENT: u64 = 1 << 20;
/// The longest single read.
const LONGEST_READ: u64 = 4 << 20;
/// Segments remembered.
const REMEMBERED: usize = 24;

/// What reading gave; the error is shared by all who wanted it.
pub(crate) type Shareable<T> = Result<T, Arc<Error>>;
/// Neighbouring segments, each by itself good or bad.
type Run = Shared<BoxFuture<'static, Arc<Vec<Shareable<Bytes>>>>>;
/// A read that was asked of a line.
type Asked = oneshot::Receiver<Result<Bytes>>;

/// Copies a shared error.
pub(crate) fn copy_error(error: &Error) -> Error {
    let copy = Error::new(error.class, error.message.clone()).detail(error.detail.clone().unwrap_or_default());
    if let Some(hint) = &error.hint { copy.hint(hint) } else { copy }
}

/// An archive's bytes.
pub(crate) struct ArchiveBytes {
    inner: Arc<Inner>,
    remembered: Mutex<Remembered>,
}

struct Inner {
    destination: Arc<dyn Destination>,
    key: Key,
    size: u64,
    plain: u64,
    segment: u64,
    seal: Option<(SealHeader, Cipher)>,
    /// Where several ranges at the same time cost more than they bring.
    line: Option<Line>,
}

#[derive(Default)]
struct Remembered {
    runs: HashMap<u64, (Run, usize)>,
    order: VecDeque<u64>,
    /// How many segments were read in advance the last time: somebody may be about to take them.
    before: usize,
}

impl ArchiveBytes {
    /// Makes the bytes of an archive of `size` bytes as it is stored. `Corrupt` where no sealed file can be so long.
    pub fn new(
        destination: Arc<dyn Destination>,
        key: Key,
        size: u64,
        seal: Option<(SealHeader, Cipher)>,
    ) -> Result<Self> {
        let (plain, segment) = match &seal {
            None => (size, PLAIN_SEGMENT),
            Some((header, _)) => {
                let cut = || Error::new(ErrorClass::Corrupt, format!("{key} is damaged: it is cut short")).hint(HINT);
                (header.plain_bytes(size).ok_or_else(cut)?, u64::from(header.segment))
            }
        };
        let one_stream = destination.capabilities().parallel_ranges <= 1;
        let line = one_stream.then(|| Line::start(destination.clone(), key.clone()));
        let inner = Inner { destination, key, size, plain, segment, seal, line };
        Ok(Self { inner: Arc::new(inner), remembered: Mutex::default() })
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.inner.plain
    }

    /// Its name, for messages.
    pub fn name(&self) -> String {
        format!("The archive {} at {}", self.inner.key, self.inner.destination.label())
    }

    /// Starts reading the segments of these ranges, so that they are there when they are asked for. Over a line they are
    /// read in the order of these calls.
    pub fn prepare(&self, ranges: &[Range<u64>]) {
        let mut wanted: Vec<u64> = ranges.iter().flat_map(|range| self.segments_of(range)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.retain(|number| !remembered.runs.contains_key(number));
        if wanted.is_empty() {
            return;
        }
        let most = (LONGEST_READ / self.inner.segment).max(1);
        let mut rest = wanted.as_slice();
        while let Some(first) = rest.first() {
            let length = rest.iter().zip(*first..).take_while(|(a, b)| *a == b).count().min(most as usize);
            let numbers = *first..*first + length as u64;
            let run = self.inner.clone().start(numbers.clone());
            for (at, number) in numbers.enumerate() {
                remembered.runs.insert(number, (run.clone(), at));
                remembered.order.push_back(number);
            }
            rest = &rest[length..];
        }
        let keep = REMEMBERED.max(remembered.before + wanted.len());
        remembered.before = wanted.len();
        while remembered.order.len() > keep {
            if let Some(number) = remembered.order.pop_front() {
                remembered.runs.remove(&number);
            }
        }
    }

    /// Reads a range.
    pub async fn read(&self, range: Range<u64>) -> Shareable<Bytes> {
        if range.end > self.inner.plain || range.start > range.end {
            return Err(Arc::new(self.inner.damaged("it is shorter than its manifest says")));
        }
        self.prepare(std::slice::from_ref(&range));
        let mut out = BytesMut::new();
        for number in self.segments_of(&range) {
            let segment = self.segment(number).await?;
            let base = number * self.inner.segment;
            let from = range.start.saturating_sub(base) as usize;
            let to = (range.end - base).min(segment.len() as u64) as usize;
            let part = segment.slice(from.min(to)..to);
            if part.len() as u64 == range.end - range.start {
                return Ok(part);
            }
            out.extend_from_slice(&part);
        }
        if out.len() as u64 == range.end - range.start {
            Ok(out.freeze())
        } else {
            Err(Arc::new(self.inner.damaged("a part of it is missing")))
        }
    }

    async fn segment(&self, number: u64) -> Shareable<Bytes> {
        let found = self.remembered.lock().unwrap_or_else(PoisonError::into_inner).runs.get(&number).cloned();
        let (run, at) = match found {
            Some(found) => found,
            // Forgotten meanwhile.
            None => (self.inner.clone().start(number..number + 1), 0),
        };
        let read = run.await;
        let segment = read.get(at).cloned().unwrap_or_else(|| Err(Arc::new(self.inner.damaged("a part is missing"))));
        if segment.is_err() {
            // What failed may come the next time.
            self.remembered.lock().unwrap_or_else(PoisonError::into_inner).runs.remove(&number);
        }
        segment
    }

    fn segments_of(&self, range: &Range<u64>) -> Range<u64> {
        if range.is_empty() {
            return 0..0;
        }
        range.start / self.inner.segment..range.end.div_ceil(self.inner.segment)
    }
}

const HINT: &str = "Copy it anew from another destination by a sync, or make a new backup";

impl Inner {
    fn damaged(&self, why: &str) -> Error {
        let text = format!("The archive {} at {} is damaged: {why}", self.key, self.destination.label());
        Error::new(ErrorClass::Corrupt, text).hint(HINT)
    }

    /// Reads neighbouring segments on a task of its own, which ends when nobody can want them any more.
    fn start(self: Arc<Self>, numbers: Range<u64>) -> Run {
        let count = (numbers.end - numbers.start) as usize;
        // Asked for here, not on the task: what is asked for first is to be read first.
        let asked = self.line.as_ref().map(|line| line.ask(self.stored_all(&numbers)));
        let inner = self.clone();
        let task = AbortOnDropHandle::new(tokio::spawn(async move { inner.fetch(numbers, asked).await }));
        async move {
            Arc::new(task.await.unwrap_or_else(|_| {
                let error = Arc::new(Error::new(ErrorClass::Internal, "Reading an archive ended unexpectedly"));
                vec![Err(error); count]
            }))
        }
        .boxed()
        .shared()
    }

    async fn fetch(&self, numbers: Range<u64>, asked: Option<Asked>) -> Vec<Shareable<Bytes>> {
        let whole = self.stored_all(&numbers);
        let read = match asked {
            Some(asked) => asked.await.unwrap_or_else(|_| {
                Err(Error::new(ErrorClass::Internal, "Reading an archive in one stream ended unexpectedly"))
            }),
            None => self.destination.get(&self.key, Some(whole.clone())).await,
        };
        match read {
            Ok(bytes) => numbers
                .map(|number| {
                    let range = self.stored(number);
                    let part = (range.start - whole.start) as usize..(range.end - whole.start) as usize;
                    match bytes.len() < part.end {
                        true => Err(Arc::new(self.damaged("it is cut short"))),
                        false => self.open(number, bytes.slice(part)),
                    }
                })
                .collect(),
            // It ends in the middle of what was asked for: what is before its end is still good.
            Err(error) if error.class == ErrorClass::Corrupt && numbers.end - numbers.start > 1 => {
                let mut out = Vec::new();
                for number in numbers {
                    let read = self.destination.get(&self.key, Some(self.stored(number))).await;
                    out.push(match read {
                        Ok(bytes) => self.open(number, bytes),
                        Err(error) => Err(Arc::new(self.explain(error))),
                    });
                }
                out
            }
            Err(error) => {
                let error = Arc::new(self.explain(error));
                numbers.map(|_| Err(error.clone())).collect()
            }
        }
    }

    /// Where a segment lies as it is stored.
    fn stored(&self, number: u64) -> Range<u64> {
        match &self.seal {
            None => number * self.segment..((number + 1) * self.segment).min(self.size),
            Some((header, _)) => {
                let (at, bytes) = header.segment_at(number);
                at..(at + bytes).min(self.size)
            }
        }
    }

    /// Where neighbouring segments lie as they are stored.
    fn stored_all(&self, numbers: &Range<u64>) -> Range<u64> {
        self.stored(numbers.start).start..self.stored(numbers.end - 1).end
    }

    fn open(&self, number: u64, stored: Bytes) -> Shareable<Bytes> {
        let Some((_, cipher)) = &self.seal else { return Ok(stored) };
        let is_last = (number + 1) * self.segment >= self.plain;
        let opened = cipher.open(number, is_last, &stored);
        opened
            .map(Bytes::from)
            .ok_or_else(|| Arc::new(self.damaged(&format!("segment {number} is not what was sealed"))))
    }

    fn explain(&self, error: Error) -> Error {
        match error.class {
            ErrorClass::Missing => {
                let text = format!("The archive {} is missing at {}", self.key, self.destination.label());
                Error::new(ErrorClass::Corrupt, text).hint(HINT)
            }
            ErrorClass::Corrupt => self.damaged("it is cut short"),
            _ => error,
        }
    }
}
