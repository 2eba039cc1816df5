//! A zip written without going back: sizes stand before the content where it fits one block, after it elsewhere.

use super::Packed;
use super::write::Sink;
use backstay_core::entry::{Entry, EntryType, TimeNs};
use backstay_core::path::{RawPath, escape};
use chrono::{Datelike, Timelike};
use flate2::Crc;
use std::io::{self, Write};

const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END_64: u32 = 0x0606_4b50;
const END_64_LOCATOR: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;
const SIZES_FOLLOW: u16 = 1 << 3;
const UTF8: u16 = 1 << 11;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Made on Unix, for version 4.5 of the format.
const MADE_BY: u16 = 3 << 8 | 45;
const NEEDS_PLAIN: u16 = 20;
const NEEDS_64: u16 = 45;
/// Sizes and offsets from here on need the large form.
const LARGE: u64 = 0xffff_ffff;
const FILE_TYPE_LINK: u32 = 0o120_000;
const FILE_TYPE_FILE: u32 = 0o100_000;
const FILE_TYPE_FOLDER: u32 = 0o040_000;

/// An entry's name and metadata, as a zip has them.
pub(crate) struct ZipHead {
    name: String,
    attributes: u32,
    dos_time: u32,
    seconds: Option<i32>,
    owner: (u32, u32),
}

impl ZipHead {
    /// Makes an entry's head. A folder's name gets its trailing slash here.
    pub fn new(name: &str, entry: &Entry) -> Self {
        let (kind, slash) = match entry.kind {
            EntryType::Dir => (FILE_TYPE_FOLDER, true),
            EntryType::Symlink(_) => (FILE_TYPE_LINK, false),
            _ => (FILE_TYPE_FILE, false),
        };
        let name = if slash && !name.ends_with('/') { format!("{name}/") } else { name.to_owned() };
        // The old bit for a folder, for programs that know no Unix modes.
        let attributes = (kind | entry.mode & 0o7777) << 16 | if slash { 0x10 } else { 0 };
        let seconds = i32::try_from(entry.mtime.to_parts().0).ok();
        Self { name, attributes, dos_time: dos_time(entry.mtime), seconds, owner: (entry.uid, entry.gid) }
    }

    /// Info-ZIP's extended timestamp and owners.
    fn extra(&self) -> Vec<u8> {
        let mut extra = Vec::with_capacity(24);
        if let Some(seconds) = self.seconds {
            extra.extend(0x5455_u16.to_le_bytes());
            extra.extend(5_u16.to_le_bytes());
            extra.push(1);
            extra.extend(seconds.to_le_bytes());
        }
        extra.extend(0x7875_u16.to_le_bytes());
        extra.extend(11_u16.to_le_bytes());
        extra.extend([1, 4]);
        extra.extend(self.owner.0.to_le_bytes());
        extra.push(4);
        extra.extend(self.owner.1.to_le_bytes());
        extra
    }
}

/// Returns a path's name in a zip: each part as it is where it is UTF-8, else escaped. One that could be taken for an
/// escaped one is escaped too, so that no two paths get one name.
pub(crate) fn zip_name(path: &RawPath) -> String {
    let name_of = |part| match std::str::from_utf8(part) {
        Ok(name) if !holds_escaped_byte(name) => name.to_owned(),
        _ => escape(part),
    };
    path.parts().map(name_of).collect::<Vec<_>>().join("/")
}

/// Tells whether a name holds what stands for a byte that is not UTF-8: `\x80` to `\xff`.
fn holds_escaped_byte(name: &str) -> bool {
    let is_one = |four: &[u8]| matches!(four, [b'\\', b'x', b'8' | b'9' | b'a'..=b'f', b'0'..=b'9' | b'a'..=b'f']);
    name.as_bytes().windows(4).any(is_one)
}

/// The old field of two-second steps, in UTC; what reads the extended one gets the exact second.
fn dos_time(time: TimeNs) -> u32 {
    let utc = chrono::DateTime::from_timestamp(time.to_parts().0, 0);
    let Some(utc) = utc.filter(|utc| (1980..=2107).contains(&utc.year())) else { return 0x0021_0000 };
    let date = ((utc.year() - 1980) as u32) << 9 | utc.month() << 5 | utc.day();
    date << 16 | utc.hour() << 11 | utc.minute() << 5 | (utc.second() / 2)
}

/// An entry that was begun.
struct Open {
    head: ZipHead,
    at: u64,
    crc: Crc,
    bytes: u64,
    raw_bytes: u64,
    /// Its local header is written.
    began: bool,
    sizes_follow: bool,
}

/// Writes the structure of one zip. Keeps the directory at its end in memory, some 100 bytes and the name for each entry.
#[derive(Default)]
pub(super) struct ZipWriter {
    open: Option<Open>,
    directory: Vec<u8>,
    entries: u64,
}

impl ZipWriter {
    pub fn begin_entry(&mut self, head: ZipHead) {
        let crc = Crc::new();
        self.open = Some(Open { head, at: 0, crc, bytes: 0, raw_bytes: 0, began: false, sizes_follow: false });
    }

    /// Takes note of the block written next, and writes the local header before the first one.
    pub fn block<W: Write>(
        &mut self,
        sink: &mut Sink<W>,
        packed: &Packed,
        raw_bytes: u32,
        is_last: bool,
    ) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Err(io::Error::other("a block belongs to no entry")) };
        open.crc.combine(&packed.crc);
        open.bytes += packed.bytes.len() as u64;
        open.raw_bytes += u64::from(raw_bytes);
        if open.began {
            return Ok(());
        }
        (open.began, open.at, open.sizes_follow) = (true, sink.at, !is_last);
        let mut extra = open.head.extra();
        if open.sizes_follow {
            // Its presence tells that the sizes after the content have eight bytes.
            extra.extend([&1_u16.to_le_bytes()[..], &16_u16.to_le_bytes(), &[0; 16]].concat());
        }
        let (crc, bytes, raw) = match open.sizes_follow {
            true => (0, u32::MAX, u32::MAX),
            false => (open.crc.sum(), open.bytes as u32, open.raw_bytes as u32),
        };
        let mut header = LOCAL.to_le_bytes().to_vec();
        header.extend(open.needs().to_le_bytes());
        header.extend(open.common(crc, bytes, raw));
        header.extend((open.head.name.len() as u16).to_le_bytes());
        header.extend((extra.len() as u16).to_le_bytes());
        header.extend(open.head.name.as_bytes());
        header.extend(extra);
        sink.put(&header)
    }

    /// Ends the entry, after its last block.
    pub fn end_entry<W: Write>(&mut self, sink: &mut Sink<W>) -> io::Result<()> {
        let Some(open) = self.open.take() else { return Err(io::Error::other("no entry is open")) };
        if open.sizes_follow {
            let mut descriptor = DESCRIPTOR.to_le_bytes().to_vec();
            descriptor.extend(open.crc.sum().to_le_bytes());
            descriptor.extend(open.bytes.to_le_bytes());
            descriptor.extend(open.raw_bytes.to_le_bytes());
            sink.put(&descriptor)?;
        }
        self.entries += 1;
        let mut large = Vec::new();
        let mut fit = |value: u64| {
            if value < LARGE {
                return value as u32;
            }
            large.extend(value.to_le_bytes());
            u32::MAX
        };
        let (raw, bytes, at) = (fit(open.raw_bytes), fit(open.bytes), fit(open.at));
        let mut extra = open.head.extra();
        if !large.is_empty() {
            extra.extend(1_u16.to_le_bytes());
            extra.extend((large.len() as u16).to_le_bytes());
            extra.extend(large);
        }
        let line = &mut self.directory;
        line.extend(CENTRAL.to_le_bytes());
        line.extend(MADE_BY.to_le_bytes());
        line.extend(open.needs().to_le_bytes());
        line.extend(open.common(open.crc.sum(), bytes, raw));
        line.extend((open.head.name.len() as u16).to_le_bytes());
        line.extend((extra.len() as u16).to_le_bytes());
        // No comment, first disk, no internal attributes.
        line.extend([0; 6]);
        line.extend(open.head.attributes.to_le_bytes());
        line.extend(at.to_le_bytes());
        line.extend(open.head.name.as_bytes());
        line.extend(extra);
        Ok(())
    }

    /// Writes the directory and what ends the file.
    pub fn finish<W: Write>(self, sink: &mut Sink<W>, comment: &[u8]) -> io::Result<()> {
        let (at, bytes) = (sink.at, self.directory.len() as u64);
        sink.put(&self.directory)?;
        if self.entries >= 0xffff || bytes >= LARGE || at >= LARGE {
            let end_at = sink.at;
            let mut end = END_64.to_le_bytes().to_vec();
            end.extend(44_u64.to_le_bytes());
            end.extend(MADE_BY.to_le_bytes());
            end.extend(NEEDS_64.to_le_bytes());
            end.extend([0; 8]);
            for value in [self.entries, self.entries, bytes, at] {
                end.extend(value.to_le_bytes());
            }
            end.extend(END_64_LOCATOR.to_le_bytes());
            end.extend([0; 4]);
            end.extend(end_at.to_le_bytes());
            end.extend(1_u32.to_le_bytes());
            sink.put(&end)?;
        }
        let mut end = END.to_le_bytes().to_vec();
        end.extend([0; 4]);
        let entries = self.entries.min(0xffff) as u16;
        end.extend(entries.to_le_bytes());
        end.extend(entries.to_le_bytes());
        end.extend((bytes.min(LARGE) as u32).to_le_bytes());
        end.extend((at.min(LARGE) as u32).to_le_bytes());
        end.extend((comment.len() as u16).to_le_bytes());
        end.extend(comment);
        sink.put(&end)
    }
}

impl Open {
    fn needs(&self) -> u16 {
        let large = self.sizes_follow || self.at >= LARGE;
        if large { NEEDS_64 } else { NEEDS_PLAIN }
    }

    /// Flags, method, time, checksum and sizes stand alike in both headers.
    fn common(&self, crc: u32, bytes: u32, raw: u32) -> Vec<u8> {
        let flags = UTF8 | if self.sizes_follow { SIZES_FOLLOW } else { 0 };
        let method = if self.bytes == 0 && self.raw_bytes == 0 { STORED } else { DEFLATED };
        let mut out = Vec::with_capacity(22);
        out.extend(flags.to_le_bytes());
        out.extend(method.to_le_bytes());
        out.extend(self.head.dos_time.to_le_bytes());
        out.extend(crc.to_le_bytes());
        out.extend(bytes.to_le_bytes());
        out.extend(raw.to_le_bytes());
        out
    }
}
