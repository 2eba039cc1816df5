//! Takes one backup into an archive.

mod content;
mod finish;

use super::MANIFEST_ENDING;
use super::Shared;
use super::keys::MasterKey;
use super::lines::Place;
use super::manifest::ManifestBuilder;
use super::outlet::{Outlet, outlet};
use super::pack::{Pack, ZipHead, zip_name};
use super::seal::{ARCHIVE_SEGMENT, Sealer};
use async_trait::async_trait;
use backstay_core::destination::{Key, WriteMode};
use backstay_core::entry::{AddError, Content, Entry, EntrySink, EntryType, Xattr};
use backstay_core::layout::{ArchiveFormat, BackupManifest, BackupRecord, BackupWriter};
use backstay_core::path::RawPath;
use backstay_core::run::RunCounts;
use backstay_core::{BackupId, Error, ErrorClass, Result, RunContext, SilentProgress, tar};
use backstay_transfer::{Uploaded, upload_stream};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinHandle;

/// Content is read in pieces of this size.
const READ: usize = 256 << 10;
/// The manifest's name in the archive.
pub(crate) const MANIFEST_FILE: &str = "manifest.json";
/// A zip's names are at most so long.
const LONGEST_ZIP_NAME: usize = 65_000;
/// Stands for the size of what is no file.
const NO_FILE: u64 = u64::MAX;

/// What a new archive is.
pub(crate) struct NewArchive {
    /// Its key at the destination.
    pub key: Key,
    /// Its format.
    pub format: ArchiveFormat,
    /// What seals it.
    pub seal: Option<MasterKey>,
    /// The backup's id.
    pub id: BackupId,
}

/// A backup under way.
pub(super) struct Writer {
    shared: Arc<Shared>,
    ctx: RunContext,
    new: NewArchive,
    /// `None` once it failed or was finished.
    pack: Option<Pack<Outlet>>,
    upload: Option<JoinHandle<Result<Uploaded>>>,
    manifest: Option<ManifestBuilder>,
    /// Hashes of the paths so far, each with its file's size: 40 bytes an entry.
    seen: HashMap<u64, u64>,
    hasher: RandomState,
    /// Those of them stored in parts, which no hard link of a tar can name.
    in_parts: HashSet<u64>,
    /// Hashes of the names of hard-linked files, each with the first of them.
    links: HashMap<u64, Arc<RawPath>>,
    counts: RunCounts,
    sent: Arc<AtomicU64>,
    scratch: Vec<u8>,
}

impl Writer {
    /// Starts the threads and the upload.
    pub fn begin(shared: Arc<Shared>, ctx: &RunContext, new: NewArchive) -> Result<Self> {
        let sent = Arc::new(AtomicU64::new(0));
        let (sealer, header) = match &new.seal {
            Some(key) => {
                let (sealer, header) = Sealer::start(key, ARCHIVE_SEGMENT)?;
                (Some(sealer), header.to_vec())
            }
            None => (None, Vec::new()),
        };
        let (output, stream) = outlet(sealer, &header, sent.clone());
        let pack = Pack::start(new.format, output)?;
        // The run counts what it reads; what is uploaded of it is no progress of its own.
        let quiet = quiet(ctx);
        let (destination, key) = (shared.destination.clone(), new.key.clone());
        let upload = tokio::spawn(async move {
            upload_stream(destination.as_ref(), &key, stream, None, WriteMode::CreateNew, &quiet).await
        });
        Ok(Self {
            shared,
            ctx: ctx.clone(),
            new,
            pack: Some(pack),
            upload: Some(upload),
            manifest: Some(ManifestBuilder::new()?),
            seen: HashMap::new(),
            hasher: RandomState::new(),
            in_parts: HashSet::new(),
            links: HashMap::new(),
            counts: RunCounts::default(),
            sent,
            scratch: Vec::new(),
        })
    }

    /// Adds bytes to the stream. Why the upload ended is told before that packing did.
    async fn push(&mut self, bytes: &[u8]) -> Result<(), AddError> {
        let Some(pack) = &mut self.pack else { return Err(AddError::Sink(over())) };
        match pack.push(&self.ctx, bytes).await {
            Ok(()) => Ok(()),
            Err(error) => Err(AddError::Sink(self.why(error).await)),
        }
    }

    fn position(&self) -> u64 {
        self.pack.as_ref().map_or(0, Pack::position)
    }

    fn is_zip(&self) -> bool {
        self.new.format == ArchiveFormat::Zip
    }

    /// Ends the writing; returns why the upload failed, if it did.
    async fn why(&mut self, error: Error) -> Error {
        self.pack = None;
        let Some(upload) = self.upload.take() else { return error };
        match upload.await {
            Ok(Err(why)) if error.class == ErrorClass::Internal || why.class != ErrorClass::Cancelled => why,
            _ => error,
        }
    }

    async fn zip_begin(&mut self, entry: &Entry) -> Result<(), AddError> {
        let name = cut_name(zip_name(&entry.path));
        let Some(pack) = &mut self.pack else { return Err(AddError::Sink(over())) };
        match pack.zip_entry(ZipHead::new(&name, entry)).await {
            Ok(()) => Ok(()),
            Err(error) => Err(AddError::Sink(self.why(error).await)),
        }
    }

    async fn zip_end(&mut self) -> Result<(), AddError> {
        let Some(pack) = &mut self.pack else { return Err(AddError::Sink(over())) };
        match pack.zip_entry_end(&self.ctx).await {
            Ok(()) => Ok(()),
            Err(error) => Err(AddError::Sink(self.why(error).await)),
        }
    }

    /// Writes an entry without content of its own.
    async fn add_bare(&mut self, entry: &Entry, link_to: Option<&RawPath>) -> Result<(), AddError> {
        if !self.is_zip() {
            // A tar's hard link names a file of the tar; one in parts is none.
            if link_to.is_some_and(|first| self.in_parts.contains(&self.hash(first))) {
                return Ok(());
            }
            let header = tar::header(entry, entry.path.as_bytes(), 0, link_to.map(RawPath::as_bytes), &[]);
            return self.push(&header).await;
        }
        let target = match &entry.kind {
            EntryType::Symlink(target) if std::str::from_utf8(target).is_ok() => Some(target.clone()),
            EntryType::Dir => None,
            EntryType::File if link_to.is_none() => None,
            // A zip cannot hold it: only the manifest does.
            _ => return Ok(()),
        };
        self.zip_begin(entry).await?;
        if let Some(target) = target {
            self.push(&target).await?;
        }
        self.zip_end().await
    }

    fn hash(&self, path: &RawPath) -> u64 {
        self.hasher.hash_one(path.as_bytes())
    }

    /// Finds the size of the file an entry is a further name of.
    fn first_name(&self, first: &RawPath) -> Result<u64, AddError> {
        let size = self.seen.get(&self.hash(first)).copied().filter(|size| *size != NO_FILE);
        size.ok_or_else(|| {
            // The first name could not be read: neither can this one.
            let text = format!("it is another name of {first}, which is not in the backup");
            AddError::Content(std::io::Error::new(std::io::ErrorKind::NotFound, text))
        })
    }

    /// Finds the first name of a file by any of its names, which may be a further one: a tar and its manifest hold links
    /// to files only. A name whose first was replaced since is a first name itself.
    fn first_of(&mut self, name: &RawPath) -> Arc<RawPath> {
        let hash = self.hash(name);
        let stands =
            |first: &&Arc<RawPath>| self.links.get(&self.hash(first)).is_some_and(|its| Arc::ptr_eq(its, first));
        if let Some(first) = self.links.get(&hash).filter(stands) {
            return first.clone();
        }
        let first = Arc::new(name.clone());
        self.links.insert(hash, first.clone());
        first
    }

    /// Counts an entry; one of the same path added before no longer counts.
    fn count(&mut self, entry: &Entry) {
        let size = if entry.is_file() { entry.size_bytes } else { NO_FILE };
        let hash = self.hash(&entry.path);
        if let Some(before) = self.seen.insert(hash, size).filter(|before| *before != NO_FILE) {
            self.counts.files = self.counts.files.saturating_sub(1);
            self.counts.bytes = self.counts.bytes.saturating_sub(before);
        }
        if size != NO_FILE {
            self.counts.files += 1;
            self.counts.bytes += size;
        }
    }

    async fn add_entry(&mut self, mut entry: Entry, content: Content<'_>) -> Result<u64, AddError> {
        let mut place = Place::default();
        let mut link = None;
        let mut read = 0;
        if !entry.is_file() {
            entry.size_bytes = 0;
            self.add_bare(&entry, None).await?;
        } else {
            match content {
                Content::None => {
                    entry.size_bytes = 0;
                    self.add_bare(&entry, None).await?;
                }
                Content::Previous => {
                    let text = "The backup before does not hold a file it was said to hold";
                    return Err(AddError::Sink(Error::new(ErrorClass::Internal, text)));
                }
                Content::SameAs(name) => {
                    let name = name.to_relative();
                    entry.size_bytes = self.first_name(&name)?;
                    let first = self.first_of(&name);
                    self.add_bare(&entry, Some(&first)).await?;
                    place.same = Some((*first).clone());
                    link = Some(first);
                }
                Content::Stream(stream) => {
                    place = self.add_file(&mut entry, stream).await?;
                    read = entry.size_bytes;
                    if place.pieces.len() > 1 {
                        let hash = self.hash(&entry.path);
                        self.in_parts.insert(hash);
                    }
                }
            }
        }
        self.count(&entry);
        let hash = self.hash(&entry.path);
        match link {
            Some(first) => self.links.insert(hash, first),
            None => self.links.remove(&hash),
        };
        let Some(manifest) = &mut self.manifest else { return Err(AddError::Sink(over())) };
        manifest.entry(&entry, &place).map_err(AddError::Sink)?;
        Ok(read)
    }
}

/// Returns the key of what lies beside an archive.
pub(crate) fn manifest_key(archive: &Key) -> Result<Key> {
    Key::new(format!("{archive}{MANIFEST_ENDING}"))
}

/// A context that is cancelled with another, and tells nobody how far it came.
pub(crate) fn quiet(ctx: &RunContext) -> RunContext {
    RunContext { progress: Arc::new(SilentProgress), ..ctx.clone() }
}

fn cut_name(mut name: String) -> String {
    let mut cut = name.len().min(LONGEST_ZIP_NAME);
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    name.truncate(cut);
    name
}

fn over() -> Error {
    Error::new(ErrorClass::Internal, "The archive is no longer being written")
}

#[async_trait]
impl EntrySink for Writer {
    fn is_unchanged(&self, _: &Entry) -> Option<Vec<Xattr>> {
        // Every archive is whole by itself.
        None
    }

    async fn add(&mut self, mut entry: Entry, content: Content<'_>) -> Result<u64, AddError> {
        self.ctx.check().map_err(AddError::Sink)?;
        entry.path = entry.path.to_relative();
        // The root has no place of its own, and a socket lives only while its program runs.
        if entry.path.is_root() || entry.kind == EntryType::Socket {
            return Ok(0);
        }
        self.add_entry(entry, content).await
    }
}

#[async_trait]
impl BackupWriter for Writer {
    async fn commit(mut self: Box<Self>, manifest: BackupManifest) -> Result<BackupRecord> {
        match self.finish(&manifest).await {
            Ok(record) => {
                self.shared.remember(&record);
                Ok(record)
            }
            Err(error) => {
                self.abort().await;
                Err(error)
            }
        }
    }

    async fn abort(mut self: Box<Self>) {
        // The upload sees that its stream was given up, and removes what it sent.
        self.pack = None;
        if let Some(upload) = self.upload.take() {
            let _ = upload.await;
        }
    }

    fn as_sink(&mut self) -> &mut dyn EntrySink {
        self
    }

    fn bytes_added(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Dropped in mid-backup (its task was cancelled): the upload must not wait for ever.
        self.pack = None;
        self.shared.release(&self.new.key);
    }
}
