//! The threads that compress blocks.

use super::Packed;
use super::blocks::Codec;
use backstay_core::{Error, ErrorClass, Result};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use flate2::{Compress, Compression, Crc, FlushCompress};
use std::io;
use tokio::sync::oneshot;
use zstd::zstd_safe::CParameter;

/// The search of zstd's level 2 with the window and table of its default, level 3: on programs, documents and fonts 2 to 3 %
/// more bytes for a fifth less work: hashes and the reading back want the same cores.
const ZSTD_LEVEL: i32 = 2;
const ZSTD_WINDOW_LOG: u32 = 21;
const ZSTD_HASH_LOG: u32 = 17;
/// Emptied blocks kept to be filled again.
const SPARE_BLOCKS: usize = 4;

/// A block to compress, and where its result goes.
pub(super) struct Job {
    pub raw: Vec<u8>,
    /// It ends the deflate stream.
    pub is_last: bool,
    pub result: oneshot::Sender<io::Result<Packed>>,
}

/// Threads waiting for blocks. They end when it is dropped.
pub(super) struct Pool {
    jobs: Sender<Job>,
    spare: Receiver<Vec<u8>>,
}

impl Pool {
    /// Starts the threads.
    pub fn start(codec: Codec, threads: usize) -> Result<Self> {
        let (jobs, queue) = unbounded::<Job>();
        let (give_back, spare) = bounded(SPARE_BLOCKS);
        for _ in 0..threads.max(1) {
            let (queue, give_back) = (queue.clone(), give_back.clone());
            let mut packer = Packer::new(codec).map_err(no_threads)?;
            let work = move || {
                for Job { mut raw, is_last, result } in queue {
                    // Nobody waits any more when the file was given up.
                    let _ = result.send(packer.pack(&raw, is_last));
                    raw.clear();
                    let _ = give_back.try_send(raw);
                }
            };
            std::thread::Builder::new().name("compress".to_owned()).spawn(work).map_err(no_threads)?;
        }
        Ok(Self { jobs, spare })
    }

    /// Hands over a block; false when no thread is left.
    pub fn send(&self, job: Job) -> bool {
        self.jobs.send(job).is_ok()
    }

    /// Returns an empty block with room for so many bytes.
    pub fn buffer(&self, bytes: usize) -> Vec<u8> {
        match self.spare.try_recv() {
            Ok(spare) if spare.capacity() >= bytes => spare,
            _ => Vec::with_capacity(bytes),
        }
    }
}

pub(super) fn no_threads(error: io::Error) -> Error {
    Error::new(ErrorClass::Internal, "Cannot start threads to compress with").source(error)
}

/// Compresses one block after another with one set of tables.
enum Packer {
    /// With room for the largest result, kept from block to block: fresh memory of that size costs more than the copy.
    Zstd(zstd::bulk::Compressor<'static>, Vec<u8>),
    Deflate(Box<Compress>),
}

impl Packer {
    fn new(codec: Codec) -> io::Result<Self> {
        Ok(match codec {
            Codec::Zstd => {
                let mut packer = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
                packer.set_parameter(CParameter::WindowLog(ZSTD_WINDOW_LOG))?;
                packer.set_parameter(CParameter::HashLog(ZSTD_HASH_LOG))?;
                packer.include_checksum(true)?;
                packer.include_contentsize(true)?;
                Self::Zstd(packer, Vec::new())
            }
            Codec::Deflate => Self::Deflate(Box::new(Compress::new(Compression::default(), false))),
        })
    }

    fn pack(&mut self, raw: &[u8], is_last: bool) -> io::Result<Packed> {
        let mut crc = Crc::new();
        let bytes = match self {
            Self::Zstd(packer, room) => {
                room.clear();
                room.reserve(zstd::zstd_safe::compress_bound(raw.len()));
                packer.compress_to_buffer(raw, room)?;
                room.clone()
            }
            Self::Deflate(packer) => {
                let mut bytes = Vec::new();
                crc.update(raw);
                deflate(packer, raw, is_last, &mut bytes)?;
                bytes.shrink_to_fit();
                bytes
            }
        };
        Ok(Packed { bytes, crc })
    }
}

fn deflate(packer: &mut Compress, raw: &[u8], is_last: bool, bytes: &mut Vec<u8>) -> io::Result<()> {
    packer.reset();
    let flush = if is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    // Deflate makes noise larger by 5 bytes in 16 KiB at most.
    bytes.reserve_exact(raw.len() + raw.len() / 1024 + 64);
    loop {
        let read = usize::try_from(packer.total_in()).unwrap_or(raw.len());
        packer.compress_vec(&raw[read..], bytes, flush).map_err(io::Error::other)?;
        if packer.total_in() == raw.len() as u64 && bytes.len() < bytes.capacity() {
            return Ok(());
        }
        bytes.reserve(raw.len() / 8 + 64);
    }
}
