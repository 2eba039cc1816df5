//! The packer: bytes and zip entries in, compressed blocks out, on all cores, in order and within bounded memory.
//!
//! The caller fills a block; a thread of the pool compresses it; one more thread takes the results in order and writes
//! them. Every block can be unpacked without the ones before it: docs/formats/archive.md says how each format keeps that
//! while it stays what tar, gzip, zstd and unzip read. Downloads and archives are both written by this.

mod blocks;
mod pool;
mod write;
mod zip;

use backstay_core::layout::ArchiveFormat;
use backstay_core::{Error, ErrorClass, Result, RunContext};
pub(crate) use blocks::{BlockAt, Codec, unpack};
use pool::{Job, Pool};
use std::io::{self, Write};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
pub(crate) use write::{LOCATOR_BYTES, Written, parse_locator};
pub(crate) use zip::{ZipHead, zip_name};

/// What the writing thread is told, in order.
enum Step<W> {
    /// A block, once it is compressed.
    Block {
        packed: oneshot::Receiver<io::Result<Packed>>,
        raw_bytes: u32,
        is_last: bool,
        _permit: OwnedSemaphorePermit,
    },
    /// An entry of a zip begins.
    ZipEntry(Box<ZipHead>),
    /// Tell where all blocks so far lie; what follows is the manifest.
    Settle(oneshot::Sender<Vec<BlockAt>>),
    /// End what has to be ended for the file so far to be one by itself, then do this to the output.
    Boundary(AtBoundary<W>),
    /// Everything was sent. Without it the file is not one.
    End,
}

/// What is done to an output that holds all so far.
type AtBoundary<W> = Box<dyn FnOnce(&mut W) + Send>;

/// A compressed block.
struct Packed {
    bytes: Vec<u8>,
    /// CRC-32 of what it holds; only where the format wants one.
    crc: flate2::Crc,
}

/// Packs one file into `W`.
pub(crate) struct Pack<W> {
    format: ArchiveFormat,
    block: Vec<u8>,
    block_bytes: usize,
    /// How many uncompressed bytes were given in all.
    at: u64,
    pool: Pool,
    permits: Arc<Semaphore>,
    steps: mpsc::UnboundedSender<Step<W>>,
    written: Option<oneshot::Receiver<io::Result<Written<W>>>>,
    in_zip_entry: bool,
}

impl<W: Write + Send + 'static> Pack<W> {
    /// Starts a file.
    pub fn start(format: ArchiveFormat, output: W) -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(12));
        let codec = Codec::of(format);
        let pool = Pool::start(codec, threads)?;
        let (steps, receiver) = mpsc::unbounded_channel();
        let (sender, written) = oneshot::channel();
        let work = move || {
            // Nobody waits any more when the file was given up.
            let _ = sender.send(write::write(receiver, format, output));
        };
        std::thread::Builder::new().name("archive".to_owned()).spawn(work).map_err(pool::no_threads)?;
        Ok(Self {
            format,
            block: Vec::new(),
            block_bytes: codec.block_bytes(),
            at: 0,
            pool,
            permits: Arc::new(Semaphore::new(threads * 2 + 2)),
            steps,
            written: Some(written),
            in_zip_entry: false,
        })
    }

    /// How many uncompressed bytes were given so far.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Tells whether entries begin with [`Pack::zip_entry`] instead of a tar header.
    pub fn is_zip(&self) -> bool {
        self.format == ArchiveFormat::Zip
    }

    /// Adds bytes of the tar, or of the open file of a zip.
    pub async fn push(&mut self, ctx: &RunContext, mut bytes: &[u8]) -> Result<()> {
        self.at += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.block.len() == self.block_bytes {
                self.hand_over(ctx, false).await?;
            }
            if self.block.capacity() == 0 {
                // A zip's small files need no large block.
                self.block = self.pool.buffer(if self.is_zip() { 0 } else { self.block_bytes });
            }
            let take = bytes.len().min(self.block_bytes - self.block.len());
            self.block.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
        }
        Ok(())
    }

    /// Begins an entry of a zip; its content follows by [`Pack::push`], then [`Pack::zip_entry_end`].
    pub async fn zip_entry(&mut self, head: ZipHead) -> Result<()> {
        self.in_zip_entry = true;
        match self.steps.send(Step::ZipEntry(Box::new(head))) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.why().await),
        }
    }

    /// Ends an entry of a zip.
    pub async fn zip_entry_end(&mut self, ctx: &RunContext) -> Result<()> {
        self.in_zip_entry = false;
        self.hand_over(ctx, true).await
    }

    /// Ends the block, waits until all are written, and returns where they lie. What follows is the manifest, and a
    /// pointer to it will end the file.
    pub async fn settle(&mut self, ctx: &RunContext) -> Result<Vec<BlockAt>> {
        if !self.block.is_empty() {
            self.hand_over(ctx, false).await?;
        }
        let (sender, receiver) = oneshot::channel();
        let sent = self.steps.send(Step::Settle(sender)).is_ok();
        let settled = ctx.or_cancel(async { Ok(receiver.await) }).await?;
        match settled {
            Ok(blocks) if sent => Ok(blocks),
            _ => Err(self.why().await),
        }
    }

    /// Ends the file so far, so that another run may go on behind it as if it began a file of its own, and runs `work` on
    /// the output once all of it was written. Not for zips, whose directory comes last.
    pub async fn boundary<T: Send + 'static>(
        &mut self,
        ctx: &RunContext,
        work: impl FnOnce(&mut W) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.format == ArchiveFormat::TarGz || !self.block.is_empty() {
            self.hand_over(ctx, true).await?;
        }
        let (sender, receiver) = oneshot::channel();
        let at_boundary = Box::new(move |output: &mut W| {
            // Nobody waits any more when the file was given up.
            let _ = sender.send(work(output));
        });
        let sent = self.steps.send(Step::Boundary(at_boundary)).is_ok();
        let done = ctx.or_cancel(async { Ok(receiver.await) }).await?;
        match done {
            Ok(done) if sent => done.map_err(write_error),
            _ => Err(self.why().await),
        }
    }

    /// Writes what is left and what ends the file.
    pub async fn finish(mut self, ctx: &RunContext) -> Result<Written<W>> {
        if self.format == ArchiveFormat::TarGz || !self.block.is_empty() {
            self.hand_over(ctx, true).await?;
        }
        let _ = self.steps.send(Step::End);
        let Some(mut written) = self.written.take() else { return Err(gone()) };
        let ended = ctx.or_cancel(async { (&mut written).await.map_err(|_| gone()) }).await;
        if ended.is_err() {
            self.written = Some(written);
            self.abandon().await;
        }
        ended?.map_err(write_error)
    }

    /// Gives the file up. When it returns, the output is dropped.
    pub async fn abandon(mut self) {
        let written = self.written.take();
        drop(self);
        if let Some(written) = written {
            let _ = written.await;
        }
    }

    async fn hand_over(&mut self, ctx: &RunContext, is_last: bool) -> Result<()> {
        let permits = self.permits.clone();
        let permit = ctx.or_cancel(async { permits.acquire_owned().await.map_err(|_| gone()) }).await?;
        let raw = std::mem::take(&mut self.block);
        let raw_bytes = raw.len() as u32;
        let (result, packed) = oneshot::channel();
        // An entry of a zip without content needs no compressing.
        let sent = if raw.is_empty() && self.is_zip() {
            let _ = result.send(Ok(Packed { bytes: Vec::new(), crc: flate2::Crc::new() }));
            true
        } else {
            self.pool.send(Job { raw, is_last, result })
        };
        let step = Step::Block { packed, raw_bytes, is_last, _permit: permit };
        if !sent || self.steps.send(step).is_err() {
            return Err(self.why().await);
        }
        Ok(())
    }

    /// Returns why the writing thread ended.
    async fn why(&mut self) -> Error {
        let Some(written) = self.written.take() else { return gone() };
        match written.await {
            Ok(Err(error)) => write_error(error),
            _ => gone(),
        }
    }
}

fn write_error(error: io::Error) -> Error {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let error = Error::io("Cannot write the file", error);
    if full { error.hint("Make room on that disk, or pick another folder") } else { error }
}

fn gone() -> Error {
    Error::new(ErrorClass::Internal, "Packing ended unexpectedly")
}
