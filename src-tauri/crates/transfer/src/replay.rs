//! Content that can be read again from any offset.

use async_trait::async_trait;
use backstay_core::destination::{Destination, Key};
use backstay_core::entry::ByteStream;
use backstay_core::error::{Error, ErrorClass, Result};
use std::io::SeekFrom;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tokio::io::AsyncSeekExt;

/// Content that can be read again from any offset, so that an upload of it can go on after a restart.
#[async_trait]
pub trait Replay: Send + Sync {
    /// Says which content it is. Another text means that the content changed, and that nothing sent before is worth
    /// anything.
    fn identity(&self) -> String;
    /// Returns its size in bytes.
    fn size(&self) -> u64;
    /// Returns the SHA-256 it must have, 64 hex digits, where that is known: the upload is not completed otherwise.
    fn sha256(&self) -> Option<&str> {
        None
    }
    /// Reads it from an offset on.
    async fn read(&self, offset: u64) -> Result<ByteStream>;
}

/// A file of this computer.
#[derive(Clone, Debug)]
pub struct FileReplay {
    path: PathBuf,
    size: u64,
    modified_ns: u128,
    sha256: Option<String>,
}

impl FileReplay {
    /// Looks at a file. `sha256` is what its content must have, where known.
    pub async fn open(path: impl Into<PathBuf>, sha256: Option<String>) -> Result<Self> {
        let path = path.into();
        let tried = format!("Cannot read {}", path.display());
        let metadata = tokio::fs::metadata(&path).await.map_err(|error| Error::io(&tried, error))?;
        if !metadata.is_file() {
            return Err(Error::new(ErrorClass::Invalid, format!("{tried}: it is not a file")));
        }
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Self { path, size: metadata.len(), modified_ns: modified.map_or(0, |since| since.as_nanos()), sha256 })
    }
}

#[async_trait]
impl Replay for FileReplay {
    fn identity(&self) -> String {
        format!("file {} {} {}", self.path.display(), self.size, self.modified_ns)
    }
    fn size(&self) -> u64 {
        self.size
    }
    fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }
    async fn read(&self, offset: u64) -> Result<ByteStream> {
        let tried = || format!("Cannot read {}", self.path.display());
        let mut file = tokio::fs::File::open(&self.path).await.map_err(|error| Error::io(tried(), error))?;
        file.seek(SeekFrom::Start(offset)).await.map_err(|error| Error::io(tried(), error))?;
        Ok(Box::new(file))
    }
}

/// An object of a destination.
pub struct ObjectReplay {
    /// Where it lies.
    pub destination: Arc<dyn Destination>,
    /// Its key there.
    pub key: Key,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 it must have, 64 hex digits, where known.
    pub sha256: Option<String>,
}

#[async_trait]
impl Replay for ObjectReplay {
    fn identity(&self) -> String {
        // Without the place: the same content may as well come from another copy next time.
        match &self.sha256 {
            Some(sha256) => format!("object {} {} {sha256}", self.key, self.size),
            None => format!("object {} {} at {}", self.key, self.size, self.destination.label()),
        }
    }
    fn size(&self) -> u64 {
        self.size
    }
    fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }
    async fn read(&self, offset: u64) -> Result<ByteStream> {
        self.destination.get_stream(&self.key, offset).await
    }
}
