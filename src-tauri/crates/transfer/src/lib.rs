//! Moving objects: streams into parts, interrupted uploads and downloads that go on, copies, and the proof at the end.
//!
//! Pure drivers over [`backstay_core::destination::Destination`]; layouts and the engine use the same ones. The one thing touched
//! besides is the file a download lands in. Memory is bounded: [`BUDGET_BYTES`] for an upload, whatever its size.

mod copy;
mod download;
mod hash;
mod landing;
mod progress;
mod replay;
mod resume;
mod segments;
mod sender;
mod traffic;
mod upload;

pub use copy::{Copying, confirm, copy, copy_small, read_back};
pub use download::{Downloaded, download_resumable};
pub use hash::Sha256Sum;
pub use replay::{FileReplay, ObjectReplay, Replay};
pub use resume::upload_resumable;
pub use traffic::{paced, pass};
pub use upload::upload_stream;

/// What an upload made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content, 64 hex digits.
    pub sha256: String,
}

/// The most bytes of one upload that are in memory: parts under way and the one being read.
pub const BUDGET_BYTES: u64 = 192 << 20;

/// Parts of one upload under way at the same time. Two keep a line full while one waits for its answer; with more, a cut
/// line would have more to send again.
pub const PARTS_AT_ONCE: usize = 2;
