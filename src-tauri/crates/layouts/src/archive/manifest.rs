//! The manifest of an archive: lines of JSON, compressed as they come; inside the archive as its last entry, and beside
//! it as a small object whose appearing makes the backup one.

use super::index::{Index, IndexBuilder};
use super::lines::{
    BackupLine, BlocksLine, End, EndLine, EntryLine, HeadLine, Place, VERSION, VOID, entry_line, read_entry,
};
use super::pack::BlockAt;
use backstay_core::entry::Entry;
use backstay_core::layout::{BackupManifest, BackupRecord};
use backstay_core::{Error, ErrorClass, Result};
use backstay_transfer::Sha256Sum;
use serde::Serialize;
use std::io::{self, BufRead, BufReader, Read, Write};

/// zstd's level for manifests.
const LEVEL: i32 = 3;
/// Blocks told of in one line.
const BLOCKS_A_LINE: usize = 4096;
/// No line is longer: the backup's own one holds at most 10,000 problems.
const LONGEST_LINE: u64 = 256 << 20;
/// The largest manifest: at some 60 bytes for each entry, 35 million of them. It is read into memory as a whole, where its
/// entries take three times as much again; a computer that has no room for that could not read a larger one.
pub(super) const LARGEST_MANIFEST: u64 = 2 << 30;
/// And how large it is unpacked: paths pack to little, hashes hardly.
const LARGEST_TEXT: u64 = 8 * LARGEST_MANIFEST;
/// What every zstd frame begins with.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Gathers the lines of a manifest but the first, compressed: some 60 bytes for each entry.
pub(crate) struct ManifestBuilder {
    packed: zstd::Encoder<'static, Vec<u8>>,
    line: Vec<u8>,
    sum: Sha256Sum,
    text_bytes: u64,
    entries: u64,
}

/// All lines but the first.
pub(crate) struct ManifestBody {
    packed: Vec<u8>,
    /// How many bytes they have unpacked.
    pub text_bytes: u64,
}

impl ManifestBuilder {
    pub fn new() -> Result<Self> {
        let setup = || {
            let mut packed = zstd::Encoder::new(Vec::new(), LEVEL)?;
            packed.include_checksum(true)?;
            Ok(packed)
        };
        let packed = setup().map_err(|error: io::Error| internal(error))?;
        Ok(Self { packed, line: Vec::new(), sum: Sha256Sum::new(), text_bytes: 0, entries: 0 })
    }

    /// Adds an entry.
    pub fn entry(&mut self, entry: &Entry, place: &Place) -> Result<()> {
        self.entries += 1;
        self.check_size()?;
        self.add(&entry_line(entry, place))
    }

    /// Adds bytes of the archive that mean nothing.
    pub fn void(&mut self, entry: &Entry) -> Result<()> {
        self.entries += 1;
        let place = Place::default();
        let line = EntryLine { kind: VOID.into(), size: 0, ..entry_line(entry, &place) };
        self.add(&line)
    }

    /// Adds what is known at the end.
    pub fn finish(mut self, blocks: &[BlockAt], backup: &BackupManifest) -> Result<ManifestBody> {
        let mut end = 0;
        for some in blocks.chunks(BLOCKS_A_LINE) {
            let mut line = BlocksLine { blocks: Vec::with_capacity(some.len()) };
            for block in some {
                line.blocks.push((block.raw_bytes, block.at - end, block.bytes));
                end = block.at + u64::from(block.bytes);
            }
            self.add(&line)?;
        }
        self.add(&BackupLine { backup: backup.clone() })?;
        let end = End { entries: self.entries, sha256: self.sum.clone().finish() };
        self.add(&EndLine { end })?;
        let packed = self.packed.finish().map_err(internal)?;
        Ok(ManifestBody { packed, text_bytes: self.text_bytes })
    }

    fn add(&mut self, line: &impl Serialize) -> Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line).map_err(|error| internal(error.into()))?;
        self.line.push(b'\n');
        self.sum.update(&self.line);
        self.text_bytes += self.line.len() as u64;
        self.packed.write_all(&self.line).map_err(internal)
    }

    /// Refuses more entries than can be read back, with room for what comes after them.
    fn check_size(&self) -> Result<()> {
        let packed = self.packed.get_ref().len() as u64;
        if packed <= LARGEST_MANIFEST - LONGEST_LINE && self.text_bytes <= LARGEST_TEXT - 2 * LONGEST_LINE {
            return Ok(());
        }
        let text = format!("Cannot keep more than {} files in one archive", self.entries - 1);
        Err(Error::new(ErrorClass::Unsupported, text).hint("Make two plans of this one, or let it use a vault"))
    }
}

impl ManifestBody {
    /// Returns the object beside the archive: the first line in a zstd frame of its own, then the others.
    pub fn object(&self, record: &BackupRecord) -> Result<Vec<u8>> {
        Ok([pack(&head_line(record)?)?, self.packed.clone()].concat())
    }

    /// Returns the lines unpacked, for the archive itself.
    pub fn text(&self) -> Result<impl Read + '_> {
        zstd::Decoder::new(self.packed.as_slice()).map_err(internal)
    }
}

fn pack(text: &[u8]) -> Result<Vec<u8>> {
    let mut packer = zstd::bulk::Compressor::new(LEVEL).map_err(internal)?;
    packer.include_checksum(true).map_err(internal)?;
    packer.compress(text).map_err(internal)
}

/// Makes the object beside an archive anew from the lines inside it, without the first.
pub(crate) fn pack_object(record: &BackupRecord, rest: &[u8]) -> Result<Vec<u8>> {
    Ok([pack(&head_line(record)?)?, pack(rest)?].concat())
}

/// Writes the first line.
pub(crate) fn head_line(record: &BackupRecord) -> Result<Vec<u8>> {
    let line = HeadLine { backstay_archive: VERSION, record: record.clone() };
    let mut line = serde_json::to_vec(&line).map_err(|error| internal(error.into()))?;
    line.push(b'\n');
    Ok(line)
}

fn internal(error: io::Error) -> Error {
    Error::new(ErrorClass::Internal, "Cannot write the archive's manifest").source(error)
}

fn damaged(name: &str, why: &str) -> Error {
    Error::new(ErrorClass::Corrupt, format!("{name} is damaged: {why}"))
        .hint("Restore it from another destination by a sync, or rebuild it from the archive itself")
}

/// Reads the first line from the beginning of a manifest object. `None` where more of it is needed.
pub(crate) fn read_head(beginning: &[u8], name: &str) -> Result<Option<BackupRecord>> {
    // zstd fails alike on a frame that is cut and on what is none.
    if beginning.get(..ZSTD_MAGIC.len()).is_some_and(|magic| magic != ZSTD_MAGIC) {
        return Err(damaged(name, "it does not begin as a manifest"));
    }
    let Ok(frame) = zstd::zstd_safe::find_frame_compressed_size(beginning) else { return Ok(None) };
    let mut line = Vec::new();
    let frame = beginning.get(..frame).unwrap_or_default();
    let unpacked = zstd::Decoder::with_buffer(frame).and_then(|unpack| unpack.take(1 << 24).read_to_end(&mut line));
    unpacked.map_err(|_| damaged(name, "its first line cannot be unpacked"))?;
    parse_head(&line, name).map(Some)
}

fn parse_head(line: &[u8], name: &str) -> Result<BackupRecord> {
    #[derive(serde::Deserialize)]
    struct Version {
        backstay_archive: u32,
    }
    let bad = |_| damaged(name, "its first line does not read");
    let version: Version = serde_json::from_slice(line).map_err(bad)?;
    if version.backstay_archive > VERSION {
        let text =
            format!("Cannot open {name}: it is of version {}, written by a newer Backstay", version.backstay_archive);
        return Err(Error::new(ErrorClass::Unsupported, text).hint("Use a newer Backstay"));
    }
    let head: HeadLine = serde_json::from_slice(line).map_err(bad)?;
    Ok(head.record)
}

/// A manifest, read.
pub(crate) struct Manifest {
    pub record: BackupRecord,
    pub backup: BackupManifest,
    pub index: Index,
    pub blocks: Vec<BlockAt>,
}

/// Reads a whole manifest object. Blocks.
pub(crate) fn read_object(object: &[u8], name: &str) -> Result<Manifest> {
    let unpack = zstd::Decoder::new(object).map_err(|_| damaged(name, "it cannot be unpacked"))?;
    read_text(unpack, name)
}

/// Reads the lines of a manifest. Blocks.
pub(crate) fn read_text(text: impl Read, name: &str) -> Result<Manifest> {
    let mut text = BufReader::with_capacity(128 << 10, text);
    let mut line = Vec::new();
    read_line(&mut text, &mut line, name)?;
    let record = parse_head(&line, name)?;
    let mut index = IndexBuilder::new(record.started);
    let (mut blocks, mut backup, mut sum, mut entries) = (Vec::new(), None, Sha256Sum::new(), 0);
    let mut text_bytes = 0;
    loop {
        read_line(&mut text, &mut line, name)?;
        text_bytes += line.len() as u64;
        if text_bytes > LARGEST_TEXT {
            return Err(damaged(name, "it is too large"));
        }
        let bad = |error: serde_json::Error| damaged(name, "a line does not read").source(error);
        if line.starts_with(b"{\"path\":") {
            entries += 1;
            let read: EntryLine<'_> = serde_json::from_slice(&line).map_err(bad)?;
            if read.kind != VOID {
                let (entry, place) = read_entry(read).ok_or_else(|| damaged(name, "an entry contradicts itself"))?;
                index.add(entry, place);
            }
        } else if line.starts_with(b"{\"blocks\":") {
            let read: BlocksLine = serde_json::from_slice(&line).map_err(bad)?;
            add_blocks(&mut blocks, &read).ok_or_else(|| damaged(name, "its list of blocks contradicts itself"))?;
        } else if line.starts_with(b"{\"backup\":") {
            let read: BackupLine = serde_json::from_slice(&line).map_err(bad)?;
            backup = Some(read.backup);
        } else if line.starts_with(b"{\"end\":") {
            let read: EndLine = serde_json::from_slice(&line).map_err(bad)?;
            if read.end.entries != entries || read.end.sha256 != sum.finish() {
                return Err(damaged(name, "its lines are not those that were written"));
            }
            break;
        }
        // Lines of other sorts are for later versions; the checksum holds them all.
        sum.update(&line);
    }
    let backup = backup.ok_or_else(|| damaged(name, "the line about the backup is missing"))?;
    Ok(Manifest { record, backup, index: index.finish(), blocks })
}

fn add_blocks(blocks: &mut Vec<BlockAt>, line: &BlocksLine) -> Option<()> {
    for (raw_bytes, gap, bytes) in &line.blocks {
        let end = blocks.last().map_or(0, |last| last.at + u64::from(last.bytes));
        let at = end.checked_add(*gap)?;
        at.checked_add(u64::from(*bytes))?;
        blocks.push(BlockAt { at, bytes: *bytes, raw_bytes: *raw_bytes });
    }
    Some(())
}

fn read_line(text: &mut impl BufRead, line: &mut Vec<u8>, name: &str) -> Result<()> {
    line.clear();
    text.take(LONGEST_LINE).read_until(b'\n', line).map_err(|_| damaged(name, "it cannot be unpacked"))?;
    if line.last() != Some(&b'\n') {
        return Err(damaged(name, "it is cut short"));
    }
    Ok(())
}
