//! The folder itself: is it there, and the calls that are passed on to the files beside this one.

use super::follow::Waiting;
use super::{config, errors};
use crate::asides::Tidy;
use crate::server_names;
use async_trait::async_trait;
use backstay_core::config::SftpPlace;
use backstay_core::destination::{
    Destination, DestinationCapabilities, Key, ObjectInfo, PartUpload, Swept, Traffic, WriteMode,
};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::remote::{RemoteFeatures, RemoteFiles, RemoteFilesSource, RemoteKind};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A folder of an SFTP server as a destination. No shell is needed there.
///
/// The folder is made by the first `put`: below the log-in folder with all on the way, elsewhere only if the one above
/// it exists, so that a mistyped or unmounted path does not come into being. Once it was seen it is never made again: a
/// folder that vanishes is `Offline`.
///
/// `CreateNew` is atomic where the server is OpenSSH's or like it (it offers `hardlink@openssh.com`): its rename refuses
/// a name that is taken. Elsewhere the name is looked at first. `Replace` is atomic where `posix-rename@openssh.com` is
/// offered; elsewhere the old object is moved aside for a moment.
pub struct Sftp {
    pub(super) folder: Arc<Folder>,
}

/// What all calls share.
pub(super) struct Folder {
    pub(super) label: String,
    pub(super) root: RawPath,
    pub(super) traffic: Arc<dyn Traffic>,
    pub(super) features: RemoteFeatures,
    /// Hashes of uploads that were followed, until they are asked for.
    pub(super) hashes: Waiting,
    pub(super) tidy: Tidy,
    source: Arc<dyn RemoteFilesSource>,
    seen: AtomicBool,
}

impl Sftp {
    /// Opens a folder; it need not exist yet. Connects, so that errors of the way there show here.
    pub async fn open(
        label: &str,
        place: &SftpPlace,
        source: Arc<dyn RemoteFilesSource>,
        traffic: Arc<dyn Traffic>,
    ) -> Result<Self> {
        let root = server_names::folder(label, &place.path)?;
        let label = format!("{label} ({}:{})", source.label(), place.path);
        let files = source.open().await?;
        let features = files.features();
        let (hashes, tidy, seen) = (Waiting::default(), Tidy::default(), AtomicBool::new(false));
        let folder = Folder { label, root, traffic, features, hashes, tidy, source, seen };
        folder.is_there(&*files, &format!("Cannot open {}", folder.label)).await?;
        Ok(Self { folder: Arc::new(folder) })
    }
}

impl Folder {
    /// Returns the server's files over a living connection.
    pub(super) async fn files(&self, tried: &str) -> Result<Arc<dyn RemoteFiles>> {
        self.source.open().await.map_err(|error| {
            let hint = error.hint.clone();
            let mut same = Error::new(error.class, format!("{tried}: {}", lower_first(&error.message))).source(error);
            same.hint = hint;
            same
        })
    }

    /// Returns the folder in words.
    pub(super) fn place(&self) -> String {
        if self.root.as_bytes().is_empty() { "the log-in folder".to_owned() } else { self.root.to_text() }
    }

    /// Looks whether the folder is there. Once seen, it must stay.
    pub(super) async fn is_there(&self, files: &dyn RemoteFiles, tried: &str) -> Result<bool> {
        // As it was when the question left: another writer may make the folder before the answer is here.
        let seen = self.seen.load(Ordering::Relaxed);
        match files.stat(&self.root).await {
            Ok(stat) if stat.kind == RemoteKind::Dir => {
                self.seen.store(true, Ordering::Relaxed);
                Ok(true)
            }
            Ok(_) => Err(errors::not_a_folder(tried, &self.place())),
            Err(error) if error.class == ErrorClass::Missing => {
                if seen {
                    return Err(errors::vanished(tried, &self.place()));
                }
                Ok(false)
            }
            Err(error) => Err(self.error(tried, error)),
        }
    }

    /// Makes a folder at or below the root, and those between.
    pub(super) async fn make_folders(&self, files: &dyn RemoteFiles, tried: &str, path: &RawPath) -> Result<()> {
        if !self.is_there(files, tried).await? {
            self.make_root(files, tried).await?;
        }
        let Some(below) = path.below(&self.root) else { return Ok(()) };
        let mut at = self.root.clone();
        for part in below.parts() {
            at = at.join(part)?;
            match files.make_dir(&at).await {
                Ok(()) => {}
                Err(error) if error.class == ErrorClass::Exists => {}
                Err(error) => return Err(self.write_error(files, tried, 0, error).await),
            }
        }
        Ok(())
    }

    async fn make_root(&self, files: &dyn RemoteFiles, tried: &str) -> Result<()> {
        let mut to_make = vec![self.root.clone()];
        if !self.root.is_absolute() {
            // All on the way from the log-in folder.
            let mut above = self.root.parent();
            while let Some(path) = above.filter(|path| !path.is_root()) {
                above = path.parent();
                to_make.push(path);
            }
        }
        for path in to_make.iter().rev() {
            match files.make_dir(path).await {
                Ok(()) => {}
                Err(error) if error.class == ErrorClass::Exists => {}
                Err(error) if error.class == ErrorClass::Missing => {
                    let above = path.parent().map_or_else(|| self.place(), |above| above.to_text());
                    return Err(errors::no_parent(tried, &above));
                }
                Err(error) => return Err(self.write_error(files, tried, 0, error).await),
            }
        }
        if self.is_there(files, tried).await? { Ok(()) } else { Err(errors::vanished(tried, &self.place())) }
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[async_trait]
impl Destination for Sftp {
    fn label(&self) -> &str {
        &self.folder.label
    }

    fn capabilities(&self) -> DestinationCapabilities {
        let features = self.folder.features;
        DestinationCapabilities {
            atomic_create: features.hard_link,
            atomic_replace: features.posix_rename,
            parallel_ranges: 4,
            space: features.space,
            parallel_parts: config::PARALLEL_PARTS,
            parallel_objects: config::PARALLEL_OBJECTS,
            checks_hash: false,
            links: false,
        }
    }

    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        self.folder.clone().write(key, content, mode).await
    }

    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        self.folder.clone().write_stream(key, content, mode).await
    }

    async fn begin_upload(&self, key: &Key, _size: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        super::parts::begin(self.folder.clone(), key).await
    }

    async fn resume_upload(&self, key: &Key, _size: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
        super::parts::resume(self.folder.clone(), key, token).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        self.folder.read(key, range).await
    }

    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        self.folder.clone().read_stream(key, offset).await
    }

    async fn sha256_there(&self, key: &Key) -> Result<Option<String>> {
        let tried = format!("Cannot hash {key} on {}", self.folder.label);
        let files = self.folder.files(&tried).await?;
        let path = server_names::path_of(&self.folder.root, key)?;
        let followed = match self.folder.hashes.take(&path) {
            Some(hash) => hash.finish().await.map_err(|error| self.folder.error(&tried, error))?,
            None => None,
        };
        if followed.is_some() {
            return Ok(followed);
        }
        files.sha256(&path).await.map_err(|error| self.folder.error(&tried, error))
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        self.folder.look_at(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        self.folder.list(prefix).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.folder.remove(key).await
    }

    async fn space(&self) -> Result<Space> {
        let tried = format!("Cannot ask how much room there is on {}", self.folder.label);
        let files = self.folder.files(&tried).await?;
        // A folder still to be made will have the room of the one above it.
        let mut place = Some(self.folder.root.clone());
        if !self.folder.is_there(&*files, &tried).await? {
            place = self.folder.root.parent();
        }
        let space = files.space(&place.unwrap_or_default()).await;
        space.map_err(|error| self.folder.error(&tried, error))
    }

    async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        self.folder.sweep(older_than, spared).await
    }
}
