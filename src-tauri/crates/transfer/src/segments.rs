//! The fixed map of a download's segments, and the file it is kept in.

use super::hash::{hex, unhex};
use serde::{Deserialize, Serialize};
use std::io;
use std::ops::Range;
use std::path::Path;

/// The size of a segment.
pub(super) const SEGMENT_BYTES: u64 = 8 << 20;

/// Which object is downloaded. Another one under the same name begins anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subject {
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// When the store says it was changed last.
    pub(super) modified: Option<i64>,
}

/// What is there already.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SegmentMap {
    pub(super) subject: Subject,
    segment_bytes: u64,
    /// One bit for each segment, as hex digits.
    done: String,
    #[serde(skip)]
    bits: Vec<u8>,
}

impl SegmentMap {
    pub(super) fn new(subject: Subject) -> Self {
        let count = subject.size.div_ceil(SEGMENT_BYTES);
        let bits = vec![0; usize::try_from(count.div_ceil(8)).unwrap_or(usize::MAX)];
        Self { subject, segment_bytes: SEGMENT_BYTES, done: String::new(), bits }
    }

    /// Reads a kept map; `None` if there is none, it cannot be read, or it is another object's.
    pub(super) fn load(path: &Path, subject: &Subject) -> Option<Self> {
        let mut map: Self = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
        map.bits = unhex(&map.done)?;
        let fits = map.segment_bytes == SEGMENT_BYTES && map.bits.len() as u64 == map.count().div_ceil(8);
        (fits && map.subject == *subject).then_some(map)
    }

    /// Keeps the map: a kill leaves the old or the new one.
    pub(super) fn save(&mut self, path: &Path) -> io::Result<()> {
        self.done = hex(&self.bits);
        let mut name = path.as_os_str().to_owned();
        name.push("~");
        std::fs::write(&name, serde_json::to_string(self)?)?;
        std::fs::rename(&name, path)
    }

    pub(super) fn count(&self) -> u64 {
        self.subject.size.div_ceil(SEGMENT_BYTES)
    }

    pub(super) fn range(&self, segment: u64) -> Range<u64> {
        let start = segment * SEGMENT_BYTES;
        start..(start + SEGMENT_BYTES).min(self.subject.size)
    }

    pub(super) fn is_done(&self, segment: u64) -> bool {
        let byte = usize::try_from(segment / 8).ok().and_then(|at| self.bits.get(at));
        byte.is_some_and(|byte| byte & (1 << (segment % 8)) != 0)
    }

    pub(super) fn set_done(&mut self, segment: u64) {
        if let Some(byte) = usize::try_from(segment / 8).ok().and_then(|at| self.bits.get_mut(at)) {
            *byte |= 1 << (segment % 8);
        }
    }

    /// Returns where the first gap from `start` on begins, in bytes. `start` is a segment's number.
    pub(super) fn whole_from(&self, start: u64) -> u64 {
        (start..self.count()).find(|segment| !self.is_done(*segment)).unwrap_or(self.count())
    }

    /// Bytes that are there.
    pub(super) fn done_bytes(&self) -> u64 {
        let done = (0..self.count()).filter(|segment| self.is_done(*segment)).map(|segment| self.range(segment));
        done.map(|range| range.end - range.start).sum()
    }
}
