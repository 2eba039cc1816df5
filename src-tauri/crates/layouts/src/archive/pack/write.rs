//! The writing thread: compressed blocks into the file, in order, with what each format puts around them.

use super::blocks::BlockAt;
use super::zip::ZipWriter;
use super::{Packed, Step};
use backstay_core::layout::ArchiveFormat;
use flate2::Crc;
use std::io::{self, Write};
use tokio::sync::mpsc::UnboundedReceiver;

/// Magic, deflate, no flags, no time, no extra flags, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// What the pointer to the manifest begins with.
const LOCATOR_MAGIC: &str = "backstay-manifest-1";
/// How long the pointer is.
pub(crate) const LOCATOR_BYTES: usize = LOCATOR_MAGIC.len() + 3 * 17;
/// The first of the magic numbers of zstd's skippable frames.
const SKIPPABLE: u32 = 0x184D_2A50;
/// Small writes are gathered to this.
const BUFFER_BYTES: usize = 256 << 10;

/// A file that was written.
pub(crate) struct Written<W> {
    /// What it was written to.
    pub output: W,
}

/// An output that knows how much went through it.
pub(super) struct Sink<W> {
    output: W,
    buffer: Vec<u8>,
    pub(super) at: u64,
}

impl<W: Write> Sink<W> {
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() >= BUFFER_BYTES {
            return self.output.write_all(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Writes all steps. An error where they end early.
pub(super) fn write<W: Write>(
    mut steps: UnboundedReceiver<Step<W>>,
    format: ArchiveFormat,
    output: W,
) -> io::Result<Written<W>> {
    let mut sink = Sink { output, buffer: Vec::with_capacity(BUFFER_BYTES), at: 0 };
    let mut blocks: Vec<BlockAt> = Vec::new();
    let mut manifest = None;
    let mut zip = ZipWriter::default();
    let mut member = (format == ArchiveFormat::TarGz).then(Member::default);
    loop {
        match steps.blocking_recv() {
            Some(Step::Block { packed, raw_bytes, is_last, _permit }) => {
                let packed: Packed = packed.blocking_recv().map_err(|_| thread_gone())??;
                if format == ArchiveFormat::Zip {
                    zip.block(&mut sink, &packed, raw_bytes, is_last)?;
                }
                if let Some(member) = &mut member {
                    member.block(&mut sink, &packed, raw_bytes)?;
                }
                if !packed.bytes.is_empty() {
                    blocks.push(BlockAt { at: sink.at, bytes: packed.bytes.len() as u32, raw_bytes });
                }
                sink.put(&packed.bytes)?;
                if format == ArchiveFormat::Zip && is_last {
                    zip.end_entry(&mut sink)?;
                }
            }
            Some(Step::ZipEntry(head)) => zip.begin_entry(*head),
            Some(Step::Settle(sender)) => {
                manifest = Some(blocks.len());
                let _ = sender.send(blocks.clone());
            }
            Some(Step::Boundary(work)) => {
                if let Some(member) = &mut member {
                    member.end(&mut sink)?;
                }
                sink.flush()?;
                work(&mut sink.output);
            }
            Some(Step::End) => break,
            None => return Err(io::Error::other("the file was given up")),
        }
    }
    let locator = manifest.and_then(|first| locator(blocks.get(first..)?));
    match format {
        ArchiveFormat::TarGz => {
            if let Some(member) = &mut member {
                member.end(&mut sink)?;
            }
            sink.put(&locator.map(|text| empty_gzip(&text)).unwrap_or_default())?;
        }
        ArchiveFormat::TarZst => sink.put(&locator.map(|text| skippable(&text)).unwrap_or_default())?,
        ArchiveFormat::Zip => zip.finish(&mut sink, locator.unwrap_or_default().as_bytes())?,
    }
    sink.flush()?;
    Ok(Written { output: sink.output })
}

/// The gzip member being written. Readers take one after the other for one file (RFC 1952, section 2.2).
#[derive(Default)]
struct Member {
    begun: bool,
    crc: Crc,
    raw_bytes: u64,
}

impl Member {
    /// Takes a block that is about to be written; before the first one goes the header.
    fn block<W: Write>(&mut self, sink: &mut Sink<W>, packed: &Packed, raw_bytes: u32) -> io::Result<()> {
        if !self.begun {
            sink.put(&GZIP_HEADER)?;
        }
        self.begun = true;
        self.crc.combine(&packed.crc);
        self.raw_bytes += u64::from(raw_bytes);
        Ok(())
    }

    /// Writes what ends the member, whose last block was the last of its deflate stream.
    fn end<W: Write>(&mut self, sink: &mut Sink<W>) -> io::Result<()> {
        if self.begun {
            sink.put(&self.crc.sum().to_le_bytes())?;
            // By the format's rule the size is kept modulo 4 GiB.
            sink.put(&(self.raw_bytes as u32).to_le_bytes())?;
        }
        *self = Self::default();
        Ok(())
    }
}

fn thread_gone() -> io::Error {
    io::Error::other("a compressing thread ended unexpectedly")
}

/// Writes where the manifest lies: where its blocks begin, how long they are, and how many bytes they hold.
fn locator(blocks: &[BlockAt]) -> Option<String> {
    let (first, last) = (blocks.first()?, blocks.last()?);
    let bytes = last.at + u64::from(last.bytes) - first.at;
    let raw: u64 = blocks.iter().map(|block| u64::from(block.raw_bytes)).sum();
    Some(format!("{LOCATOR_MAGIC} {:016x} {bytes:016x} {raw:016x}", first.at))
}

/// Finds the pointer to the manifest in a file's last bytes: where its blocks begin, how long they are, what they hold.
pub(crate) fn parse_locator(tail: &[u8]) -> Option<(u64, u64, u64)> {
    let at = tail.windows(LOCATOR_MAGIC.len()).rposition(|window| window == LOCATOR_MAGIC.as_bytes())?;
    let text = std::str::from_utf8(tail.get(at..at + LOCATOR_BYTES)?).ok()?;
    let mut numbers = text.split(' ').skip(1).map(|digits| u64::from_str_radix(digits, 16).ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

/// A gzip member that holds nothing but the pointer, in an extra field.
fn empty_gzip(locator: &str) -> Vec<u8> {
    let length = locator.len() as u16;
    let mut member = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];
    member.extend((length + 4).to_le_bytes());
    member.extend(b"BK");
    member.extend(length.to_le_bytes());
    member.extend(locator.as_bytes());
    // An empty last block, CRC-32 and size of nothing.
    member.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    member
}

/// A zstd frame every reader skips.
fn skippable(locator: &str) -> Vec<u8> {
    [&SKIPPABLE.to_le_bytes()[..], &(locator.len() as u32).to_le_bytes(), locator.as_bytes()].concat()
}
