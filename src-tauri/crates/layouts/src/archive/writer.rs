//! Takes one backup into an archive.

use super::Shared;
use super::holes::HoleFinder;
use super::lines::Place;
use super::manifest::{ManifestBuilder, head_line};
use super::outlet::{Outlet, outlet};
use super::pack::{Pack, ZipHead};
use super::seal::{ARCHIVE_SEGMENT, MANIFEST_SEGMENT, Sealer, seal_all};
use super::{MANIFEST_ENDING, keys::MasterKey};
use async_trait::async_trait;
use backstay_core::destination::{Key, WriteMode};
use backstay_core::entry::{AddError, Content, Entry, EntrySink, EntryType, TimeNs, Xattr};
use backstay_core::kind::BACKSTAY_DIR;
use backstay_core::layout::{ArchiveFile, ArchiveFormat, BackupManifest, BackupRecord, BackupWriter};
use backstay_core::path::RawPath;
use backstay_core::run::{Phase, RunCounts};
use backstay_core::{BackupId, Error, ErrorClass, Result, RunContext, SilentProgress, tar};
use backstay_transfer::{Uploaded, confirm, upload_stream};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;

/// Content is read in pieces of this size.
const READ: usize = 256 << 10;
/// Files announced larger than this are written as they come; others are read first, so that their size is known.
const SMALL: u64 = 1 << 20;
/// Content of unknown length is cut into parts of this size: a tar tells the length before the content.
pub(crate) const PART: usize = 32 << 20;
/// The backup's own description, for people.
const BACKUP_FILE: &str = "backup.json";
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
    counts: RunCounts,
    sent: Arc<AtomicU64>,
    scratch: Vec<u8>,
}

/// A file's content as far as it was written.
struct Took {
    pieces: Vec<(u64, u64)>,
    bytes: u64,
    sum: Sha256,
    holes: HoleFinder,
}

impl Took {
    fn new() -> Self {
        Self { pieces: Vec::new(), bytes: 0, sum: Sha256::new(), holes: HoleFinder::default() }
    }

    fn note(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sum.update(bytes);
        self.holes.push(bytes);
    }
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

    /// Reads the next piece of content into the scratch buffer; false at its end.
    async fn read_more(&mut self, content: &mut (dyn AsyncRead + Send + Unpin), most: usize) -> Result<bool, AddError> {
        let mut limited = content.take(READ.min(most) as u64);
        let read = limited.read_buf(&mut self.scratch);
        tokio::select! {
            biased;
            () = self.ctx.cancel.cancelled() => Err(AddError::Sink(Error::cancelled())),
            read = read => read.map(|read| read > 0).map_err(AddError::Content),
        }
    }

    /// Reads until the scratch buffer holds `most`; true where the content ended before.
    async fn fill(&mut self, content: &mut (dyn AsyncRead + Send + Unpin), most: usize) -> Result<bool, AddError> {
        while self.scratch.len() < most {
            self.scratch.reserve(READ.min(most - self.scratch.len()));
            if !self.read_more(content, most - self.scratch.len()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes what the scratch buffer holds.
    async fn push_scratch(&mut self, took: &mut Took) -> Result<(), AddError> {
        let scratch = std::mem::take(&mut self.scratch);
        took.note(&scratch);
        let pushed = self.push(&scratch).await;
        self.scratch = scratch;
        self.scratch.clear();
        pushed
    }

    /// Writes a regular file with its content.
    async fn add_file(
        &mut self,
        entry: &mut Entry,
        content: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<Place, AddError> {
        let mut took = Took::new();
        self.scratch.clear();
        let wrote = match self.is_zip() {
            true => self.zip_file(entry, content, &mut took).await,
            false if entry.size_bytes > SMALL => self.large_file(entry, content, &mut took).await,
            false => self.small_file(entry, content, &mut took).await,
        };
        if let Err(error) = wrote {
            // What is written already cannot be taken back; the manifest says that it means nothing.
            if let (AddError::Content(_), false, Some(manifest)) = (&error, took.pieces.is_empty(), &mut self.manifest)
            {
                manifest.void(entry).map_err(AddError::Sink)?;
            }
            return Err(error);
        }
        entry.size_bytes = took.bytes;
        self.counts.files_read += 1;
        self.counts.bytes_read += took.bytes;
        let sha256 = (took.bytes > 0).then(|| took.sum.finalize().into());
        Ok(Place { sha256, pieces: took.pieces, holes: took.holes.finish(), same: None })
    }

    /// A file whose content fits the memory: its size is known before it is written. A longer one goes in parts.
    async fn small_file(
        &mut self,
        entry: &Entry,
        content: &mut (dyn AsyncRead + Send + Unpin),
        took: &mut Took,
    ) -> Result<(), AddError> {
        let mut ended = self.fill(content, PART).await?;
        if ended {
            let name = entry.path.as_bytes().to_vec();
            return self.piece(entry, &name, took).await;
        }
        let mut number = 1;
        loop {
            self.piece(entry, &part_name(entry, number), took).await?;
            if ended {
                return Ok(());
            }
            ended = self.fill(content, PART).await?;
            number += 1;
            if self.scratch.is_empty() {
                return Ok(());
            }
        }
    }

    /// A file written as it comes, with the size its listing told. What is missing of it is filled up with zeros that
    /// the manifest does not count; what is more goes into further parts.
    async fn large_file(
        &mut self,
        entry: &Entry,
        content: &mut (dyn AsyncRead + Send + Unpin),
        took: &mut Took,
    ) -> Result<(), AddError> {
        let announced = entry.size_bytes;
        let header = tar::header(entry, entry.path.as_bytes(), announced, None, &[]);
        self.push(&header).await?;
        let at = self.position();
        took.pieces.push((at, 0));
        let mut fault = None;
        while took.bytes < announced {
            self.scratch.reserve(READ);
            let left = usize::try_from(announced - took.bytes).unwrap_or(usize::MAX);
            match self.read_more(content, left).await {
                Ok(true) => self.push_scratch(took).await?,
                Ok(false) => break,
                Err(AddError::Content(error)) => {
                    fault = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        took.pieces[0].1 = took.bytes;
        self.push_zeros(announced - took.bytes + tar::padding(announced) as u64).await?;
        if let Some(error) = fault {
            return Err(AddError::Content(error));
        }
        let mut number = 2;
        while took.bytes >= announced {
            let ended = self.fill(content, PART).await?;
            if !self.scratch.is_empty() {
                self.piece(entry, &part_name(entry, number), took).await?;
            }
            number += 1;
            if ended {
                break;
            }
        }
        Ok(())
    }

    /// Writes the scratch buffer as a file of the tar.
    async fn piece(&mut self, entry: &Entry, name: &[u8], took: &mut Took) -> Result<(), AddError> {
        let size = self.scratch.len() as u64;
        let header = tar::header(entry, name, size, None, &[]);
        self.push(&header).await?;
        if size > 0 {
            took.pieces.push((self.position(), size));
            self.push_scratch(took).await?;
            self.push_zeros(tar::padding(size) as u64).await?;
        }
        Ok(())
    }

    async fn push_zeros(&mut self, mut zeros: u64) -> Result<(), AddError> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        while zeros > 0 {
            let some = zeros.min(ZEROS.len() as u64);
            self.push(&ZEROS[..some as usize]).await?;
            zeros -= some;
        }
        Ok(())
    }

    /// A file of a zip, of any length.
    async fn zip_file(
        &mut self,
        entry: &Entry,
        content: &mut (dyn AsyncRead + Send + Unpin),
        took: &mut Took,
    ) -> Result<(), AddError> {
        // A small file that cannot be read leaves nothing behind.
        let mut ended = self.fill(content, SMALL as usize).await?;
        self.zip_begin(entry).await?;
        took.pieces.push((self.position(), 0));
        let mut fault = None;
        loop {
            self.push_scratch(took).await?;
            if ended {
                break;
            }
            match self.fill(content, READ).await {
                Ok(end) => ended = end,
                Err(AddError::Content(error)) => {
                    fault = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        took.pieces[0].1 = took.bytes;
        self.zip_end().await?;
        if took.bytes == 0 {
            took.pieces.clear();
        }
        fault.map_or(Ok(()), |error| Err(AddError::Content(error)))
    }

    async fn zip_begin(&mut self, entry: &Entry) -> Result<(), AddError> {
        let name = zip_name(entry);
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
                Content::SameAs(first) => {
                    let first = first.to_relative();
                    entry.size_bytes = self.first_name(&first)?;
                    self.add_bare(&entry, Some(&first)).await?;
                    place.same = Some(first);
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
        let Some(manifest) = &mut self.manifest else { return Err(AddError::Sink(over())) };
        manifest.entry(&entry, &place).map_err(AddError::Sink)?;
        Ok(read)
    }

    /// Adds the description people read.
    async fn add_backup_file(&mut self, backup: &BackupManifest) -> Result<()> {
        let json = serde_json::to_vec_pretty(backup)
            .map_err(|error| Error::new(ErrorClass::Internal, "Cannot describe the backup").source(error))?;
        let counts = self.counts;
        let path = RawPath::new(format!("{BACKSTAY_DIR}/{BACKUP_FILE}"))?;
        let mut entry = Entry::plain(path, EntryType::File, 0o600, time_of(backup));
        entry.size_bytes = json.len() as u64;
        self.add_entry(entry, Content::Stream(&mut json.as_slice())).await?;
        self.counts = counts;
        Ok(())
    }

    /// Writes the manifest into the archive and ends it; returns what lies beside it, and the upload.
    async fn finish_file(&mut self, backup: &BackupManifest) -> Result<(super::manifest::ManifestBody, Uploaded)> {
        self.add_backup_file(backup).await?;
        let pack = self.pack.as_mut().ok_or_else(over)?;
        let blocks = match pack.settle(&self.ctx).await {
            Ok(blocks) => blocks,
            Err(error) => return Err(self.why(error).await),
        };
        let body = self.manifest.take().ok_or_else(over)?.finish(&blocks, backup)?;
        drop(blocks);
        let head = head_line(&self.record(backup, None))?;
        let path = RawPath::new(format!("{BACKSTAY_DIR}/{MANIFEST_FILE}"))?;
        let mut entry = Entry::plain(path, EntryType::File, 0o600, time_of(backup));
        entry.size_bytes = head.len() as u64 + body.text_bytes;
        if self.is_zip() {
            self.zip_begin(&entry).await?;
        } else {
            let header = tar::header(&entry, entry.path.as_bytes(), entry.size_bytes, None, &[]);
            self.push(&header).await?;
        }
        self.push(&head).await?;
        let mut text = body.text()?;
        let mut piece = vec![0; READ];
        loop {
            let read = text.read(&mut piece).map_err(|error| Error::io("Cannot unpack the manifest", error))?;
            if read == 0 {
                break;
            }
            self.push(&piece[..read]).await?;
        }
        drop(text);
        if self.is_zip() {
            self.zip_end().await?;
        } else {
            self.push_zeros(tar::padding(entry.size_bytes) as u64).await?;
            self.push(&tar::END).await?;
        }
        let pack = self.pack.take().ok_or_else(over)?;
        let ended = match pack.finish(&self.ctx).await {
            Ok(written) => written.output.finish().await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            return Err(self.why(error).await);
        }
        let upload = self.upload.take().ok_or_else(over)?;
        let uploaded = upload.await.map_err(|error| over().source(error))??;
        Ok((body, uploaded))
    }

    /// Uploads the rest, looks at what arrived, and makes it a backup by its manifest.
    async fn finish(&mut self, backup: &BackupManifest) -> Result<BackupRecord> {
        self.ctx.progress.phase(Phase::Saving);
        let (body, uploaded) = self.finish_file(backup).await?;
        let proven = self.prove(&uploaded).await;
        if proven.is_err() {
            // Without its manifest it is nothing. Where it cannot be removed now, a check names it.
            let _ = self.shared.destination.delete(&self.new.key).await;
        }
        proven?;
        self.commit_file(backup, &body, &uploaded).await
    }

    /// Looks at what arrived.
    async fn prove(&self, uploaded: &Uploaded) -> Result<()> {
        let destination = self.shared.destination.as_ref();
        self.ctx.check()?;
        self.ctx.progress.phase(Phase::Checking);
        if uploaded.size != self.sent.load(Ordering::Relaxed) {
            let text = format!("Cannot store {} on {}: not all of it arrived", self.new.key, destination.label());
            return Err(Error::new(ErrorClass::Corrupt, text));
        }
        confirm(destination, &self.new.key, uploaded.size, &uploaded.sha256, &self.ctx).await?;
        self.ctx.check()
    }

    /// Writes the manifest and reads it back.
    async fn commit_file(
        &self,
        backup: &BackupManifest,
        body: &super::manifest::ManifestBody,
        uploaded: &Uploaded,
    ) -> Result<BackupRecord> {
        let destination = self.shared.destination.as_ref();
        let mut record = self.record(backup, Some(uploaded));
        record.counts.bytes_added = uploaded.size;
        let mut object = body.object(&record)?;
        if let Some(key) = &self.new.seal {
            object = seal_all(key, MANIFEST_SEGMENT, &object)?;
        }
        let object = bytes::Bytes::from(object);
        let key = manifest_key(&self.new.key)?;
        let put = destination.put(&key, object.clone(), WriteMode::CreateNew).await;
        // What lies there counts, not what was answered: an answer can be lost.
        let (is_there, error) = match destination.get(&key, None).await {
            Ok(back) if back == object => return Ok(record),
            Ok(_) => (true, None),
            Err(error) => (error.class != ErrorClass::Missing, Some(error)),
        };
        // A manifest that cannot be taken away keeps its archive: the two are a whole backup, one alone is half of it.
        if !is_there || destination.delete(&key).await.is_ok() {
            let _ = destination.delete(&self.new.key).await;
        }
        Err(put.err().or(error).unwrap_or_else(|| {
            let text = format!("What was written to {} is not what lies there", destination.label());
            Error::new(ErrorClass::Corrupt, text)
        }))
    }

    fn record(&self, backup: &BackupManifest, uploaded: Option<&Uploaded>) -> BackupRecord {
        let mut kinds: Vec<String> = backup.items.iter().map(|item| item.kind.clone()).collect();
        kinds.sort();
        kinds.dedup();
        let spoiling = backup.problems.iter().filter(|problem| problem.kind.spoils_outcome());
        BackupRecord {
            id: self.new.id.clone(),
            started: backup.started,
            ended: self.ctx.clock.now(),
            server: Some(backup.server.clone()),
            server_name: backup.server_name.clone(),
            plan: Some(backup.plan.clone()),
            plan_name: backup.plan_name.clone(),
            kinds,
            problems: spoiling.count() as u64,
            counts: self.counts,
            parent: None,
            verified: None,
            archive: Some(ArchiveFile {
                key: self.new.key.to_string(),
                format: self.new.format,
                sealed: self.new.seal.is_some(),
                size_bytes: uploaded.map_or(0, |uploaded| uploaded.size),
                sha256: uploaded.map(|uploaded| uploaded.sha256.clone()).unwrap_or_default(),
            }),
        }
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

/// Parts stand beside one another and sort by their number: `cat NAME.part-*` makes the file.
fn part_name(entry: &Entry, number: u32) -> Vec<u8> {
    [entry.path.as_bytes(), format!(".part-{number:05}").as_bytes()].concat()
}

fn zip_name(entry: &Entry) -> String {
    let mut name = match std::str::from_utf8(entry.path.as_bytes()) {
        Ok(name) => name.to_owned(),
        Err(_) => entry.path.to_text(),
    };
    let mut cut = name.len().min(LONGEST_ZIP_NAME);
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    name.truncate(cut);
    name
}

fn time_of(backup: &BackupManifest) -> TimeNs {
    TimeNs::from_parts(backup.started.timestamp(), backup.started.timestamp_subsec_nanos())
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
