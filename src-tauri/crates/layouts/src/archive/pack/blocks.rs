//! Blocks: what is compressed at once, and unpacked on its own.

use backstay_core::layout::ArchiveFormat;
use std::io;

/// How blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Each block is a zstd frame.
    Zstd,
    /// Each block is a piece of a deflate stream that begins and ends at a byte and refers to nothing before it.
    Deflate,
}

/// Deflate has forgotten everything after 32 KiB, zstd level 3 after 2 MiB.
const DEFLATE_BLOCK: usize = 1 << 20;
const ZSTD_BLOCK: usize = 4 << 20;
/// No block is larger: what claims so is damaged or hostile.
pub(crate) const LARGEST_BLOCK: u32 = 64 << 20;

impl Codec {
    /// Returns what a format uses.
    pub fn of(format: ArchiveFormat) -> Self {
        match format {
            ArchiveFormat::TarZst => Self::Zstd,
            ArchiveFormat::TarGz | ArchiveFormat::Zip => Self::Deflate,
        }
    }
    /// How many bytes are compressed at once.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::Zstd => ZSTD_BLOCK,
            Self::Deflate => DEFLATE_BLOCK,
        }
    }
}

/// Where a block lies in the (unsealed) file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockAt {
    /// Where its compressed bytes begin.
    pub at: u64,
    /// How many they are.
    pub bytes: u32,
    /// How many bytes it holds.
    pub raw_bytes: u32,
}

/// Unpacks one block, which must give exactly `raw_bytes`.
pub(crate) fn unpack(codec: Codec, packed: &[u8], raw_bytes: usize) -> io::Result<Vec<u8>> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "a compressed block is damaged");
    if raw_bytes > LARGEST_BLOCK as usize {
        return Err(bad());
    }
    let mut raw = Vec::with_capacity(raw_bytes);
    match codec {
        Codec::Zstd => {
            let mut unpacker = zstd::bulk::Decompressor::new()?;
            unpacker.decompress_to_buffer(packed, &mut raw).map_err(|_| bad())?;
        }
        Codec::Deflate => {
            let mut unpacker = flate2::Decompress::new(false);
            while raw.len() < raw_bytes {
                let used = unpacker.total_in() as usize;
                let before = raw.len();
                unpacker.decompress_vec(&packed[used..], &mut raw, flate2::FlushDecompress::Sync).map_err(|_| bad())?;
                if raw.len() == before && unpacker.total_in() as usize == used {
                    return Err(bad());
                }
            }
        }
    }
    if raw.len() == raw_bytes { Ok(raw) } else { Err(bad()) }
}
