//! gzip on all cores: blocks are deflated side by side and put one after another into a single gzip member, as pigz
//! does. Each block ends at a byte's edge and refers to no block before it, so that any gzip reads it.

use super::part::Part;
use backstay_core::{Error, ErrorClass, Result};
use crossbeam_channel::{Receiver, Sender, bounded};
use flate2::{Compress, Compression, Crc, FlushCompress};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::thread::JoinHandle;

const BLOCK_BYTES: usize = 1024 * 1024;
/// Magic, deflate, no flags, no time, no extra flags, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A block to deflate, and where its result goes.
struct Job {
    block: Vec<u8>,
    is_last: bool,
    result: Sender<io::Result<Deflated>>,
}

struct Deflated {
    bytes: Vec<u8>,
    crc: Crc,
}

/// Writes a gzip file.
pub(super) struct GzipWriter {
    part: Part,
    block: Vec<u8>,
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    /// Results still to come, in the order of their blocks.
    waiting: VecDeque<Receiver<io::Result<Deflated>>>,
    crc: Crc,
    size_bytes: u64,
    most_waiting: usize,
}

impl GzipWriter {
    /// Starts a gzip file with so many threads.
    pub(super) fn new(mut part: Part, threads: usize) -> Result<Self> {
        part.write_all(&HEADER).map_err(|error| part.error(error))?;
        let (jobs, queue) = bounded::<Job>(threads);
        let start = |_| {
            let queue = queue.clone();
            std::thread::Builder::new().name("gzip".to_owned()).spawn(move || deflate_all(&queue))
        };
        let threads = (0..threads.max(1))
            .map(start)
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| Error::new(ErrorClass::Internal, "Cannot start threads to compress with").source(error))?;
        let most_waiting = threads.len() * 2;
        Ok(Self {
            part,
            block: Vec::with_capacity(BLOCK_BYTES),
            jobs: Some(jobs),
            threads,
            waiting: VecDeque::new(),
            crc: Crc::new(),
            size_bytes: 0,
            most_waiting,
        })
    }

    /// Writes what is left and the trailer.
    pub(super) fn finish(mut self) -> io::Result<Part> {
        self.hand_over(true)?;
        while self.write_next()? {}
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked gave no result, which was an error above.
            let _ = thread.join();
        }
        self.part.write_all(&self.crc.sum().to_le_bytes())?;
        // By the format's rule the size is kept modulo 4 GiB.
        self.part.write_all(&(self.size_bytes as u32).to_le_bytes())?;
        Ok(self.part)
    }

    fn hand_over(&mut self, is_last: bool) -> io::Result<()> {
        while self.waiting.len() >= self.most_waiting {
            self.write_next()?;
        }
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(if is_last { 0 } else { BLOCK_BYTES }));
        self.size_bytes += block.len() as u64;
        let (result, receiver) = bounded(1);
        let job = Job { block, is_last, result };
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or_else(thread_gone)?;
        self.waiting.push_back(receiver);
        Ok(())
    }

    /// Writes the oldest block; false when none waits.
    fn write_next(&mut self) -> io::Result<bool> {
        let Some(receiver) = self.waiting.pop_front() else { return Ok(false) };
        let deflated = receiver.recv().map_err(|_| thread_gone())??;
        self.part.write_all(&deflated.bytes)?;
        self.crc.combine(&deflated.crc);
        Ok(true)
    }
}

impl Write for GzipWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let take = bytes.len().min(BLOCK_BYTES - self.block.len());
        self.block.extend_from_slice(&bytes[..take]);
        if self.block.len() == BLOCK_BYTES {
            self.hand_over(false)?;
        }
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn deflate_all(queue: &Receiver<Job>) {
    for job in queue {
        // Nobody waits any more when the download was given up.
        let _ = job.result.send(deflate(&job.block, job.is_last));
    }
}

fn deflate(block: &[u8], is_last: bool) -> io::Result<Deflated> {
    let mut crc = Crc::new();
    crc.update(block);
    let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut compress = Compress::new(Compression::default(), false);
    // Deflate makes noise larger by 5 bytes in 16 KiB at most.
    let mut bytes = Vec::with_capacity(block.len() + block.len() / 1024 + 64);
    loop {
        let read = usize::try_from(compress.total_in()).unwrap_or(block.len());
        compress.compress_vec(&block[read..], &mut bytes, flush).map_err(io::Error::other)?;
        if compress.total_in() == block.len() as u64 && bytes.len() < bytes.capacity() {
            return Ok(Deflated { bytes, crc });
        }
        bytes.reserve(block.len() / 8 + 64);
    }
}

fn thread_gone() -> io::Error {
    io::Error::other("a compressing thread ended unexpectedly")
}
