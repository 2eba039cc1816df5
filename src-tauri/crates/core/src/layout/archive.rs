//! Archives: their formats, where one lies, and what seals it.

use serde::{Deserialize, Serialize};

/// The format of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArchiveFormat {
    /// tar, compressed by gzip.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// tar, compressed by zstd.
    #[serde(rename = "tar.zst")]
    TarZst,
    /// zip with deflate; owners, links to nowhere and special files do not survive it.
    #[serde(rename = "zip")]
    Zip,
}

impl ArchiveFormat {
    /// Returns the file name's ending.
    pub fn extension(self) -> &'static str {
        match self {
            Self::TarGz => "tar.gz",
            Self::TarZst => "tar.zst",
            Self::Zip => "zip",
        }
    }
}

/// Where an archive lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveFile {
    /// Its key at the destination: "archives/web-1/web_20261120_180000.tar.zst.sealed".
    pub key: String,
    /// Its format.
    pub format: ArchiveFormat,
    /// Whether it is sealed.
    pub sealed: bool,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the file as it lies there, 64 hex digits.
    pub sha256: String,
}

/// How one archive is made.
#[derive(Clone, Debug)]
pub struct ArchiveStart {
    /// Format, seal and file name.
    pub settings: crate::config::ArchiveSettings,
    /// What seals it; `None` for plain ones.
    pub key: Option<ArchiveKey>,
}

/// What seals an archive.
#[derive(Clone, Debug)]
pub enum ArchiveKey {
    /// A key of 32 bytes, as 64 hex digits: the plan's own or one the user brought.
    Key(crate::secret::Secret),
    /// A passphrase.
    Passphrase(crate::secret::Secret),
}

/// The keys archives may be sealed with. Calls may block: only for threads that may.
pub trait ArchiveKeys: Send + Sync {
    /// Returns all keys worth trying for a key id (16 hex digits, from the archive's header).
    fn candidates(&self, key_id: &str) -> Vec<ArchiveKey>;
}
