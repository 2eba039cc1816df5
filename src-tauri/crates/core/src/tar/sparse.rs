//! Files with holes: the list of their data, written and read in the forms tars use.

use super::BLOCK;
use std::io;

/// More data segments than this in one file are taken for damage, not for a file.
pub(super) const MOST_SEGMENTS: u64 = 16 << 20;

/// Returns the ranges of a file of `size` that are stored, given its holes: what must be written after its header.
///
/// They begin and end at whole blocks (GNU tar fills up each of them when it reads), so that the edges of a hole may be
/// stored too. Holes outside the file or out of order are cut to sense.
pub fn data_segments(size: u64, holes: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let block = BLOCK as u64;
    let mut segments = Vec::with_capacity(holes.len() + 1);
    let mut at = 0;
    for (offset, length) in holes {
        let start = offset.div_ceil(block).saturating_mul(block).min(size);
        let end = offset.saturating_add(*length);
        let end = if end >= size { size } else { end / block * block };
        if start < at || end <= start {
            continue;
        }
        if start > at {
            segments.push((at, start - at));
        }
        at = end;
    }
    if at < size {
        segments.push((at, size - at));
    }
    segments
}

/// Returns the holes of a file of `size`, given where it has data.
pub(super) fn holes_between(size: u64, segments: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut holes = Vec::new();
    let mut at = 0;
    for (offset, length) in segments {
        if *offset > at {
            holes.push((at, offset - at));
        }
        at = offset + length;
    }
    if at < size {
        holes.push((at, size - at));
    }
    holes
}

/// Returns the GNU sparse 1.0 map that stands before the content: decimal numbers, a line each, filled up to whole
/// blocks. A file that ends in a hole gets an empty segment at its end, from which tar learns the length.
pub(super) fn map_block(size: u64, holes: &[(u64, u64)]) -> Vec<u8> {
    let mut segments = data_segments(size, holes);
    if segments.last().is_none_or(|(offset, length)| offset + length < size) {
        segments.push((size, 0));
    }
    let mut text = format!("{}\n", segments.len());
    for (offset, length) in segments {
        text.push_str(&format!("{offset}\n{length}\n"));
    }
    let mut map = text.into_bytes();
    map.resize(map.len().div_ceil(BLOCK) * BLOCK, 0);
    map
}

/// Checks that segments are sorted, do not overlap and lie within the file, and drops empty ones.
pub(super) fn checked(segments: Vec<(u64, u64)>, size: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut end = 0;
    for (offset, length) in &segments {
        let next = offset.checked_add(*length).filter(|next| *offset >= end && *next <= size);
        end = next.ok_or_else(|| damaged("a file's map of holes contradicts itself"))?;
    }
    Ok(segments.into_iter().filter(|(_, length)| *length > 0).collect())
}

/// Makes the error of an archive that contradicts itself.
pub(super) fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("The tar stream is damaged: {why}"))
}
