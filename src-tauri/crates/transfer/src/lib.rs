//! Moving objects: streams into parts, interrupted uploads and downloads that go on, copies, and the proof at the end.
//!
//! Pure drivers over [`backstay_core::destination::Destination`]; layouts and the engine use the same ones. The one thing touched
//! besides is the file a download lands in. Memory is bounded: [`BUDGET_BYTES`] for an upload, whatever its size.

mod copy;
mod download;
mod hash;
mod landing;
mod positioned;
mod progress;
mod replay;
mod resume;
mod segments;
mod sender;
mod traffic;
mod upload;

pub use copy::{Copying, confirm, copy, copy_small, read_back, sha256_there};
pub use download::{Downloaded, download_resumable};
pub use hash::{Crc64Sum, Sha256Sum};
pub use positioned::write_all_at;
pub use replay::{FileReplay, ObjectReplay, Replay};
pub use resume::{is_worth_keeping, upload_resumable, upload_token};
pub use traffic::{paced, pass};
pub use upload::upload_stream;

/// What an upload made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content, 64 hex digits.
    pub sha256: String,
    /// CRC-64/NVME of its content, where all of it was sent in one go. It finds what happened to it on the way as well as
    /// the hash does, at a tenth of the work; it proves nothing against somebody who alters it on purpose.
    pub crc64: Option<u64>,
}

impl Uploaded {
    /// An object of which a record tells the size in bytes and the SHA-256.
    pub fn recorded(size: u64, sha256: impl Into<String>) -> Self {
        Self { size, sha256: sha256.into(), crc64: None }
    }
}

/// The most bytes of one upload that are in memory: parts under way and the one being read.
pub const BUDGET_BYTES: u64 = 192 << 20;

/// Parts of one upload under way at the same time. Two keep a line full while one waits for its answer; with more, a cut
/// line would have more to send again.
pub const PARTS_AT_ONCE: usize = 2;
