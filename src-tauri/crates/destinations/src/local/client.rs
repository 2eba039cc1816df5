//! The folder itself: is it there, and is it still the one that was opened?

use super::{config, errors};
use async_trait::async_trait;
use backstay_core::destination::{
    Destination, DestinationCapabilities, Key, ObjectInfo, PartUpload, Swept, Traffic, WriteMode,
};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A folder as a destination. Objects are files; a key's `/` are folders.
///
/// The folder is made by the first `put`, if the one above it exists. Once it was seen it is never made again: a folder
/// that vanishes, or turns into another one (a disk unmounted, so that the bare mount point shows), is `Offline`.
pub struct Local {
    pub(super) folder: Arc<Folder>,
    pub(super) traffic: Arc<dyn Traffic>,
}

/// What all calls share.
pub(super) struct Folder {
    pub(super) label: String,
    pub(super) root: PathBuf,
    /// The file system's own name of the folder, once seen: (device, inode).
    seen: Mutex<Option<(u64, u64)>>,
}

/// Whether the folder is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is, and it is the one seen before.
    There,
    /// It never was.
    NeverSeen,
}

impl Local {
    /// Opens a folder; it need not exist yet.
    pub async fn open(label: &str, path: &str, traffic: Arc<dyn Traffic>) -> Result<Self> {
        let root = config::folder(label, path)?;
        let folder = Arc::new(Folder { label: format!("{label} ({path})"), root, seen: Mutex::new(None) });
        let local = Self { folder, traffic };
        local
            .blocking(|folder| {
                let tried = format!("Cannot open {}", folder.label);
                folder.presence(&tried).map(|_| ())
            })
            .await?;
        Ok(local)
    }

    /// Runs `work` where it may block.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        blocking(&self.folder, work).await
    }
}

/// Runs `work` on the folder where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    folder: &Arc<Folder>,
    work: impl FnOnce(&Folder) -> Result<T> + Send + 'static,
) -> Result<T> {
    let folder = Arc::clone(folder);
    tokio::task::spawn_blocking(move || work(&folder))
        .await
        .map_err(|error| Error::new(ErrorClass::Internal, "A file operation ended unexpectedly").source(error))?
}

impl Folder {
    /// Looks whether the folder is there, and whether it is the one seen before.
    pub(super) fn presence(&self, tried: &str) -> Result<Presence> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let metadata = match std::fs::metadata(&self.root) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound && seen.is_some() => {
                return Err(errors::vanished(tried, &self.root));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Presence::NeverSeen),
            Err(error) => return Err(errors::classify(tried, &self.root, error)),
        };
        if !metadata.is_dir() {
            return Err(Error::new(ErrorClass::Invalid, format!("{tried}: {} is not a folder", self.root.display()))
                .hint("Pick a folder"));
        }
        let now = identity(&metadata);
        match *seen {
            Some(before) if before != now => Err(errors::vanished(tried, &self.root)),
            Some(_) => Ok(Presence::There),
            None => {
                *seen = Some(now);
                Ok(Presence::There)
            }
        }
    }

    /// Makes the folder if it was never there; the folder above must exist, so that a mistyped or unmounted path does not
    /// come into being.
    pub(super) fn make(&self, tried: &str) -> Result<()> {
        if self.presence(tried)? == Presence::There {
            return Ok(());
        }
        match make_folder(&self.root) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let above = self.root.parent().unwrap_or(&self.root).display().to_string();
                return Err(Error::new(ErrorClass::Missing, format!("{tried}: the folder {above} is not there"))
                    .hint(format!("Mount its disk or make {above} first")));
            }
            Err(error) => return Err(errors::classify(tried, &self.root, error)),
        }
        if self.presence(tried)? == Presence::NeverSeen {
            return Err(errors::vanished(tried, &self.root));
        }
        if let Some(above) = self.root.parent() {
            sync_folder(above);
        }
        Ok(())
    }

    /// Turns an I/O error into ours. "Not found" below a folder that is gone means the folder.
    pub(super) fn error(&self, tried: &str, error: std::io::Error) -> Error {
        if error.kind() == ErrorKind::NotFound {
            match self.presence(tried) {
                Err(gone) => return gone,
                Ok(Presence::NeverSeen) => return errors::absent(tried, &self.root),
                Ok(Presence::There) => {}
            }
        }
        errors::classify(tried, &self.root, error)
    }
}

/// Makes one folder only its owner can look into.
pub(super) fn make_folder(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().mode(0o700).create(path)
    }
    #[cfg(not(unix))]
    std::fs::create_dir(path)
}

/// Makes a folder's new names durable. Some file systems refuse to sync a folder; their renames are durable or they are
/// not, and there is nothing more to be done about it.
pub(super) fn sync_folder(path: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = std::fs::File::open(path) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> (u64, u64) {
    // Windows takes the drive letter away with the disk, so that a bare mount point cannot show.
    (0, 0)
}

#[async_trait]
impl Destination for Local {
    fn label(&self) -> &str {
        &self.folder.label
    }

    fn capabilities(&self) -> DestinationCapabilities {
        DestinationCapabilities {
            atomic_create: true,
            atomic_replace: true,
            parallel_ranges: 4,
            space: true,
            parallel_parts: 4,
            parallel_objects: 8,
            checks_hash: false,
            links: false,
        }
    }

    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        self.write(key, content, mode).await
    }

    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        self.write_stream(key, content, mode).await
    }

    async fn begin_upload(&self, key: &Key, _: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        Ok(Arc::new(self.begin_parts(key).await?))
    }

    async fn resume_upload(&self, key: &Key, _: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
        Ok(Arc::new(self.resume_parts(key, token).await?))
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        self.read(key, range).await
    }

    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        self.read_stream(key, offset).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        self.look_at(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let prefix = prefix.to_owned();
        self.blocking(move |folder| folder.list(&prefix)).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.remove(key).await
    }

    async fn space(&self) -> Result<Space> {
        self.blocking(|folder| {
            let tried = format!("Cannot ask how much room there is on {}", folder.label);
            // A folder still to be made will have the room of the one above it.
            let place = match folder.presence(&tried)? {
                Presence::There => folder.root.as_path(),
                Presence::NeverSeen => folder.root.parent().unwrap_or(&folder.root),
            };
            let stats = fs4::statvfs(place).map_err(|error| folder.error(&tried, error))?;
            Ok(Space { total_bytes: stats.total_space(), free_bytes: stats.available_space() })
        })
        .await
    }

    async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        let spared = spared.to_vec();
        self.blocking(move |folder| folder.sweep(older_than, &spared)).await
    }
}
