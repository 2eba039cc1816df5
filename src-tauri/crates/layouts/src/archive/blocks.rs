//! The uncompressed stream of an archive, read block by block, each unpacked at most once while it is remembered.

use super::file::{ArchiveBytes, Shareable};
use super::pack::{BlockAt, Codec, unpack};
use backstay_core::{Error, ErrorClass};
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::task::AbortOnDropHandle;

/// Uncompressed bytes remembered.
const REMEMBERED_BYTES: u64 = 32 << 20;

type Unpacked = Shared<BoxFuture<'static, Shareable<Bytes>>>;

/// The uncompressed stream.
pub(crate) struct Blocks {
    inner: Arc<Inner>,
    remembered: Mutex<Remembered>,
}

struct Inner {
    bytes: ArchiveBytes,
    codec: Codec,
    blocks: Vec<BlockAt>,
    /// Where each block begins in the stream; one more for the end.
    starts: Vec<u64>,
}

#[derive(Default)]
struct Remembered {
    unpacked: HashMap<usize, Unpacked>,
    order: VecDeque<usize>,
    bytes: u64,
}

impl Blocks {
    pub fn new(bytes: ArchiveBytes, codec: Codec, blocks: Vec<BlockAt>) -> Self {
        let mut starts = Vec::with_capacity(blocks.len() + 1);
        let mut at = 0_u64;
        for block in &blocks {
            starts.push(at);
            at += u64::from(block.raw_bytes);
        }
        starts.push(at);
        Self { inner: Arc::new(Inner { bytes, codec, blocks, starts }), remembered: Mutex::default() }
    }

    /// Returns the blocks a range of the stream lies in.
    pub fn blocks_of(&self, at: u64, length: u64) -> Range<usize> {
        if length == 0 {
            return 0..0;
        }
        let starts = &self.inner.starts;
        let first = starts.partition_point(|start| *start <= at).saturating_sub(1);
        let end = starts.partition_point(|start| *start < at.saturating_add(length));
        first..end.min(self.inner.blocks.len())
    }

    /// Returns how many bytes a block holds.
    pub fn block_bytes(&self, number: usize) -> u64 {
        self.inner.blocks.get(number).map_or(0, |block| u64::from(block.raw_bytes))
    }

    /// Starts reading these blocks, neighbours together.
    pub fn prepare(&self, numbers: &[usize]) {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = numbers.iter().filter(|number| !remembered.unpacked.contains_key(number));
        let ranges: Vec<_> = missing.filter_map(|number| self.inner.range(*number)).collect();
        drop(remembered);
        self.inner.bytes.prepare(&ranges);
    }

    /// Reads a range of the stream that lies in one block or many.
    pub async fn read(&self, at: u64, length: u64) -> Shareable<Bytes> {
        let numbers = self.blocks_of(at, length);
        let mut out = BytesMut::new();
        for number in numbers {
            let block = self.block(number).await?;
            let start = self.inner.starts[number];
            let from = at.saturating_sub(start) as usize;
            let to = (at + length - start).min(block.len() as u64) as usize;
            let part = block.slice(from.min(to)..to);
            if part.len() as u64 == length {
                return Ok(part);
            }
            out.extend_from_slice(&part);
        }
        if out.len() as u64 == length {
            Ok(out.freeze())
        } else {
            Err(Arc::new(self.inner.damaged("its manifest names bytes it does not have")))
        }
    }

    /// Reads and unpacks one block.
    pub async fn block(&self, number: usize) -> Shareable<Bytes> {
        let unpacked = {
            let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            match remembered.unpacked.get(&number) {
                Some(unpacked) => unpacked.clone(),
                None => {
                    let unpacked = self.inner.clone().start(number);
                    remembered.unpacked.insert(number, unpacked.clone());
                    remembered.order.push_back(number);
                    remembered.bytes += self.block_bytes(number);
                    while remembered.bytes > REMEMBERED_BYTES && remembered.order.len() > 1 {
                        if let Some(old) = remembered.order.pop_front() {
                            remembered.unpacked.remove(&old);
                            remembered.bytes = remembered.bytes.saturating_sub(self.block_bytes(old));
                        }
                    }
                    unpacked
                }
            }
        };
        unpacked.await
    }
}

impl Inner {
    fn range(&self, number: usize) -> Option<Range<u64>> {
        let block = self.blocks.get(number)?;
        Some(block.at..block.at.checked_add(u64::from(block.bytes))?)
    }

    fn damaged(&self, why: &str) -> Error {
        Error::new(ErrorClass::Corrupt, format!("{} is damaged: {why}", self.bytes.name()))
            .hint("Copy it anew from another destination by a sync, or make a new backup")
    }

    fn start(self: Arc<Self>, number: usize) -> Unpacked {
        // It ends when nobody can want the block any more.
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let (Some(range), Some(block)) = (self.range(number), self.blocks.get(number).copied()) else {
                return Err(Arc::new(self.damaged("its manifest names a block it does not have")));
            };
            let packed = self.bytes.read(range).await?;
            let codec = self.codec;
            let work = tokio::task::spawn_blocking(move || unpack(codec, &packed, block.raw_bytes as usize));
            match work.await {
                Ok(Ok(raw)) => Ok(Bytes::from(raw)),
                _ => Err(Arc::new(self.damaged(&format!("block {number} cannot be unpacked")))),
            }
        }));
        async move {
            task.await.unwrap_or_else(|_| {
                Err(Arc::new(Error::new(ErrorClass::Internal, "Unpacking an archive ended unexpectedly")))
            })
        }
        .boxed()
        .shared()
    }
}
