//! A header block back to an entry.

use super::extra::Extra;
use super::read::TarEntry;
use super::sparse::damaged;
use super::{BLOCK, acl};
use crate::entry::{Entry, EntryType, TimeNs};
use crate::path::RawPath;
use std::io;

/// Makes the entry of a header and what extended headers said of it.
pub(super) fn make_entry(
    block: &[u8; BLOCK],
    mut extra: Extra,
    size: u64,
    holes: Vec<(u64, u64)>,
) -> io::Result<TarEntry> {
    let is_dir = block[156] == b'5' || is_old_dir(block, &extra);
    acl::drop_texts(&mut extra.xattrs, is_dir);
    let name = extra.sparse_name.or(extra.name).unwrap_or_else(|| header_name(block));
    let link = extra.link.unwrap_or_else(|| until_nul(&block[157..257]).to_vec());
    let device = |at: usize| number(&block[at..at + 8]).map(|n| n as u32);
    let mut hard_link_to = None;
    let kind = match block[156] {
        b'1' => {
            hard_link_to = Some(link);
            EntryType::File
        }
        b'2' => EntryType::Symlink(link),
        b'3' => EntryType::CharDevice(device(329)?, device(337)?),
        b'4' => EntryType::BlockDevice(device(329)?, device(337)?),
        b'6' => EntryType::Fifo,
        _ if is_dir => EntryType::Dir,
        b'0' | 0 | b'7' | b'S' => EntryType::File,
        other => return Err(damaged(&format!("an entry has the unknown type {:?}", char::from(other)))),
    };
    let relative = name.strip_prefix(b"/").unwrap_or(&name);
    let path = RawPath::new(relative).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?.to_relative();
    let header_id = |at: usize| number(&block[at..at + 8]).map(|n| n.min(u64::from(u32::MAX)) as u32);
    let seconds = signed_number(&block[136..148])?;
    let mtime = extra.mtime.unwrap_or_else(|| TimeNs::from_parts(seconds, 0));
    let named = |text: Option<String>, at: usize| {
        let text = text.unwrap_or_else(|| String::from_utf8_lossy(until_nul(&block[at..at + 32])).into_owned());
        if text.is_empty() || &block[257..262] != b"ustar" { None } else { Some(text) }
    };
    let entry = Entry {
        path,
        kind,
        size_bytes: size,
        mode: (number(&block[100..108])? & 0o7777) as u32,
        uid: extra.uid.map_or_else(|| header_id(108), Ok)?,
        gid: extra.gid.map_or_else(|| header_id(116), Ok)?,
        user: named(extra.user, 265),
        group: named(extra.group, 297),
        mtime,
        ctime: extra.ctime.unwrap_or_default(),
        inode: 0,
        device: 0,
        links: 1,
        xattrs: extra.xattrs,
    };
    Ok(TarEntry { entry, name, hard_link_to, holes, odd_xattrs: extra.odd_xattrs })
}

/// Very old tars mark a folder by nothing but a trailing slash.
pub(super) fn is_old_dir(block: &[u8; BLOCK], extra: &Extra) -> bool {
    let last = extra.name.as_ref().map_or_else(|| header_name(block).last().copied(), |name| name.last().copied());
    matches!(block[156], b'0' | 0) && last == Some(b'/')
}

fn header_name(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_nul(&block[..100]);
    // Only POSIX ustar has a prefix there; GNU's own format keeps other things in that place.
    let prefix = if &block[257..263] == b"ustar\0" { until_nul(&block[345..500]) } else { b"" };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len())]
}

/// Reads a header's number: octal digits, or base 256 where the first bit is set. Negative ones count as 0.
pub(super) fn number(field: &[u8]) -> io::Result<u64> {
    signed_number(field).map(|value| value.max(0) as u64)
}

fn signed_number(field: &[u8]) -> io::Result<i64> {
    let Some(first) = field.first().filter(|first| **first & 0x80 != 0) else {
        let mut value: i64 = 0;
        let digits = until_nul(field).trim_ascii();
        for digit in digits {
            if !(b'0'..=b'7').contains(digit) {
                return Err(damaged("a header holds a number that is none"));
            }
            value = value
                .checked_mul(8)
                .map(|v| v + i64::from(digit - b'0'))
                .ok_or_else(|| damaged("a number is too big"))?;
        }
        return Ok(value);
    };
    let negative = first & 0x40 != 0;
    let mut value: i128 = if negative { -1 } else { 0 };
    for (i, byte) in field.iter().enumerate() {
        let byte = if i == 0 { if negative { *byte } else { byte & 0x7f } } else { *byte };
        value = (value << 8) | i128::from(byte);
    }
    i64::try_from(value).map_err(|_| damaged("a number is too big"))
}
