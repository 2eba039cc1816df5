//! How much an SFTP destination does at the same time.

/// Bytes that go in one piece; the traffic's own measure.
pub(super) const PIECE_BYTES: usize = backstay_core::destination::PIECE;
/// Pieces on their way at once: 8 MiB, so that a long way does not stop the flow.
pub(super) const PIECES: usize = 128;
/// Parts of uploads. Small enough to lose little, large enough that their ends do not count.
pub(super) const PART_BYTES: u64 = 16 << 20;
/// Parts under way at the same time.
pub(super) const PARALLEL_PARTS: u8 = 3;
/// Objects under way at the same time.
pub(super) const PARALLEL_OBJECTS: u8 = 8;
/// Folders listed at the same time.
pub(super) const PARALLEL_FOLDERS: usize = 16;
