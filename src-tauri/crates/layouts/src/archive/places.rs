//! What lies where: archives, their manifests, and names for new ones.

use super::file::ArchiveBytes;
use super::manifest::{LARGEST_MANIFEST, Manifest, read_head, read_object};
use super::name::{ArchiveNameFacts, archive_name, safe_name};
use super::pack::Codec;
use super::reader::Reader;
use super::seal::{Cipher, MANIFEST_SEGMENT, SealHeader, TAG_BYTES, open_all};
use super::writer::{NewArchive, manifest_key};
use super::{
    ARCHIVES_PREFIX, LEAST_SEALED, MANIFEST_ENDING, SEALED_ENDING, Shared, keys::KeyRing, keys::blocking, lock,
};
use backstay_core::destination::{Destination, Key, ObjectInfo};
use backstay_core::layout::{ArchiveFormat, ArchiveStart, BackupManifest, BackupRecord, Deleted};
use backstay_core::{BackupId, Error, ErrorClass, Result, RunContext};
use bytes::Bytes;
use futures::stream::StreamExt;
use rand::RngExt;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// How much of a manifest is read for its first line.
const HEAD_BYTES: u64 = 16 << 10;
/// Its first line is not looked for any further: it tells of one backup, not of its entries.
const MOST_HEAD_BYTES: u64 = 64 << 20;
/// The longest name's number tried.
pub(super) const MOST_NAMES: u32 = 10_000;

/// What lies below `archives/`.
pub(crate) struct Places {
    /// Archives, with their sizes.
    pub files: BTreeMap<String, u64>,
    /// What lies beside them.
    pub manifests: Vec<ObjectInfo>,
}

impl Places {
    pub async fn read(destination: &dyn Destination) -> Result<Self> {
        let (mut files, mut manifests) = (BTreeMap::new(), Vec::new());
        for object in destination.list(ARCHIVES_PREFIX).await? {
            if object.key.as_str().ends_with(MANIFEST_ENDING) {
                manifests.push(object);
            } else if format_of(object.key.as_str()).is_some() {
                files.insert(object.key.to_string(), object.size_bytes);
            }
        }
        Ok(Self { files, manifests })
    }

    /// Returns the archives without a manifest.
    pub fn orphans(&self) -> Vec<Key> {
        let claimed: HashSet<&str> =
            self.manifests.iter().filter_map(|object| object.key.as_str().strip_suffix(MANIFEST_ENDING)).collect();
        let orphans = self.files.keys().filter(|key| !claimed.contains(key.as_str()));
        orphans.filter_map(|key| Key::new(key).ok()).collect()
    }
}

/// Tells a format, and whether it is sealed, by an archive's name.
pub(crate) fn format_of(key: &str) -> Option<(ArchiveFormat, bool)> {
    let (plain, sealed) = match key.strip_suffix(SEALED_ENDING) {
        Some(plain) => (plain, true),
        None => (key, false),
    };
    let formats = [ArchiveFormat::TarGz, ArchiveFormat::TarZst, ArchiveFormat::Zip];
    let format = formats.into_iter().find(|format| {
        plain.strip_suffix(format.extension()).is_some_and(|stem| stem.ends_with('.') && !stem.ends_with("/."))
    });
    format.map(|format| (format, sealed))
}

/// An archive whose bytes were not asked for yet.
pub(crate) struct ArchiveSource {
    destination: Arc<dyn Destination>,
    keys: KeyRing,
    key: Key,
    size: u64,
    sealed: bool,
}

impl ArchiveSource {
    /// Reads the seal's header, where there is one.
    pub async fn open(&self) -> Result<ArchiveBytes> {
        let name = format!("{} at {}", self.key, self.destination.label());
        let seal = if self.sealed {
            let header = self.destination.get(&self.key, Some(0..LEAST_SEALED)).await;
            let header = header.map_err(|error| match error.class {
                ErrorClass::Missing => Error::new(ErrorClass::Corrupt, format!("{name} is missing")),
                ErrorClass::Corrupt => Error::new(ErrorClass::Corrupt, format!("{name} is damaged: it is cut short")),
                _ => error,
            })?;
            let header = SealHeader::parse(&header, &name)?;
            let master = self.keys.find(&header, &name).await?;
            let cipher = Cipher::new(&header, &master)?;
            Some((header, cipher))
        } else {
            None
        };
        ArchiveBytes::new(self.destination.clone(), self.key.clone(), self.size, seal)
    }
}

/// What the beginning of a manifest told.
pub(crate) enum Opened {
    Record(Box<BackupRecord>),
    /// The archive it belongs to was lost behind our back.
    Alone(Box<BackupRecord>),
    /// No key at hand opens it.
    Locked,
    /// Why it cannot be read.
    Bad(String),
}

/// Returns the archive a manifest belongs to.
fn archive_of(manifest: &Key) -> Result<Key> {
    Key::new(manifest.as_str().strip_suffix(MANIFEST_ENDING).unwrap_or(manifest.as_str()))
}

impl Shared {
    /// Lists the manifests.
    pub async fn manifests(&self) -> Result<Vec<ObjectInfo>> {
        Ok(Places::read(self.destination.as_ref()).await?.manifests)
    }

    /// Names an object, for messages.
    pub fn name_of(&self, key: &Key) -> String {
        format!("{key} at {}", self.destination.label())
    }

    /// Reads the seal's header of an object; `None` where its name says that it has none, or it has been removed.
    pub async fn seal_header(&self, key: &Key, size: u64) -> Result<Option<SealHeader>> {
        let archive = archive_of(key)?;
        if !archive.as_str().ends_with(SEALED_ENDING) {
            return Ok(None);
        }
        let name = self.name_of(key);
        if size < LEAST_SEALED {
            return Err(Error::new(ErrorClass::Corrupt, format!("{name} is damaged: it is cut short")));
        }
        match self.destination.get(key, Some(0..LEAST_SEALED)).await {
            Ok(bytes) => SealHeader::parse(&bytes, &name).map(Some),
            Err(error) if error.class == ErrorClass::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the first line of every manifest.
    pub async fn heads(&self) -> Result<Vec<(Key, Opened)>> {
        let Places { files, manifests } = Places::read(self.destination.as_ref()).await?;
        let at_once = usize::from(self.destination.capabilities().parallel_objects).clamp(1, 8);
        let reads = manifests.into_iter().map(|object| async move {
            let opened = self.head(&object).await;
            (object.key, opened)
        });
        let mut reads = futures::stream::iter(reads).buffer_unordered(at_once);
        let mut heads = Vec::new();
        while let Some((key, opened)) = reads.next().await {
            let opened = match opened {
                Ok(record) => {
                    self.remember(&record);
                    let there = record.archive.as_ref().is_some_and(|file| files.contains_key(&file.key));
                    let record = Box::new(record);
                    if there { Opened::Record(record) } else { Opened::Alone(record) }
                }
                Err(error) => match error.class {
                    ErrorClass::WrongKey => Opened::Locked,
                    ErrorClass::Corrupt | ErrorClass::Unsupported => Opened::Bad(error.message),
                    // Deleted between listing and reading.
                    ErrorClass::Missing => continue,
                    _ => return Err(error),
                },
            };
            heads.push((key, opened));
        }
        Ok(heads)
    }

    /// Reads the first line of one manifest.
    pub(super) async fn head(&self, object: &ObjectInfo) -> Result<BackupRecord> {
        let (key, size) = (&object.key, object.size_bytes);
        let name = self.name_of(key);
        let sealed = key.as_str().strip_suffix(MANIFEST_ENDING).is_some_and(|key| key.ends_with(SEALED_ENDING));
        let mut want = match sealed {
            true => LEAST_SEALED + u64::from(MANIFEST_SEGMENT) + TAG_BYTES,
            false => HEAD_BYTES,
        };
        loop {
            let whole = size <= want;
            let range = if whole { None } else { Some(0..want) };
            let stored = self.destination.get(key, range).await?;
            let plain = if sealed { self.unseal(&stored, size, &name).await? } else { stored };
            if let Some(mut record) = read_head(&plain, &name)? {
                let archive = archive_of(key)?;
                let Some(file) = &mut record.archive else {
                    let text = format!("{name} is damaged: it names no archive");
                    return Err(Error::new(ErrorClass::Corrupt, text));
                };
                // Folders may have been renamed: it belongs to what it lies beside.
                file.key = archive.to_string();
                return Ok(record);
            }
            if whole {
                return Err(Error::new(ErrorClass::Corrupt, format!("{name} is damaged: it is cut short")));
            }
            want *= 4;
            if want > MOST_HEAD_BYTES {
                let text = format!("{name} is damaged: its first line does not end");
                return Err(Error::new(ErrorClass::Corrupt, text));
            }
        }
    }

    /// Opens a sealed object that lies in memory, whole or its beginning.
    async fn unseal(&self, stored: &Bytes, size: u64, name: &str) -> Result<Bytes> {
        let header = SealHeader::parse(stored, name)?;
        let key = self.keys.find(&header, name).await?;
        let (stored, name) = (stored.clone(), name.to_owned());
        blocking(move || open_all(&header, &key, &stored, size, &name)).await.map(Bytes::from)
    }

    /// Reads a whole manifest.
    pub async fn manifest(&self, key: &Key) -> Result<(Manifest, u64)> {
        let name = self.name_of(key);
        let size = self.destination.head(key).await?.size_bytes;
        if size > LARGEST_MANIFEST {
            return Err(Error::new(ErrorClass::Corrupt, format!("{name} is damaged: it is too large")));
        }
        let stored = self.destination.get(key, None).await?;
        let sealed = archive_of(key)?.as_str().ends_with(SEALED_ENDING);
        let size = stored.len() as u64;
        let plain = if sealed { self.unseal(&stored, size, &name).await? } else { stored };
        let manifest = blocking(move || read_object(&plain, &name)).await?;
        Ok((manifest, size))
    }

    /// Finds where a backup lies.
    pub async fn find(&self, id: &BackupId) -> Result<Key> {
        let known = lock(&self.known).get(id).cloned();
        if let Some(key) = known
            && self.destination.head(&manifest_key(&key)?).await.is_ok()
        {
            return Ok(key);
        }
        lock(&self.known).remove(id);
        for (_, opened) in self.heads().await? {
            if let Opened::Record(record) | Opened::Alone(record) = opened
                && record.id == *id
                && let Some(file) = &record.archive
            {
                return Key::new(&file.key);
            }
        }
        let text = format!("Cannot open the backup {id}: it is not at {}", self.destination.label());
        Err(Error::new(ErrorClass::Missing, text).hint("Read the list of backups anew"))
    }

    /// Opens a backup.
    pub async fn open(&self, id: &BackupId) -> Result<Arc<Reader>> {
        let key = self.find(id).await?;
        let last = lock(&self.last).clone().filter(|reader| reader.record.id == *id);
        if let Some(reader) = last {
            return Ok(reader);
        }
        let manifest = self.manifest(&manifest_key(&key)?).await?.0;
        let reader = Arc::new(self.reader(&key, manifest)?);
        *lock(&self.last) = Some(reader.clone());
        Ok(reader)
    }

    /// Makes the reader of an archive from its manifest. The archive itself is not looked at: it may lie in a cold class.
    pub fn reader(&self, key: &Key, manifest: Manifest) -> Result<Reader> {
        let Manifest { mut record, backup, index, blocks } = manifest;
        let Some(file) = &mut record.archive else {
            let text = format!("{} is damaged: it names no archive", self.name_of(key));
            return Err(Error::new(ErrorClass::Corrupt, text));
        };
        file.key = key.to_string();
        let (size, sealed, codec) = (file.size_bytes, file.sealed, Codec::of(file.format));
        let (destination, keys) = (self.destination.clone(), self.keys.clone());
        let source = ArchiveSource { destination, keys, key: key.clone(), size, sealed };
        Ok(Reader::new(record, backup, Arc::new(index), source, codec, blocks))
    }

    /// Makes the bytes of an archive of this size.
    pub async fn bytes(&self, key: &Key, size: u64, sealed: bool) -> Result<ArchiveBytes> {
        let (destination, keys) = (self.destination.clone(), self.keys.clone());
        ArchiveSource { destination, keys, key: key.clone(), size, sealed }.open().await
    }

    /// Finds a name for a new archive that nothing else there has, and the key that seals it.
    pub async fn new_archive(&self, backup: &BackupManifest, start: &ArchiveStart) -> Result<NewArchive> {
        let id = BackupId(format!("{:032x}", rand::rng().random::<u128>()));
        let mut kinds: Vec<String> = backup.items.iter().map(|item| item.kind.clone()).collect();
        kinds.sort();
        kinds.dedup();
        let facts = ArchiveNameFacts {
            server: &backup.server_name,
            plan: &backup.plan_name,
            kinds: &kinds,
            started: backup.started,
            id: &id,
        };
        let name = archive_name(&start.settings.template, &facts)?;
        let server = match safe_name(&backup.server_name) {
            server if server.is_empty() => "server".to_owned(),
            server => server,
        };
        let places = Places::read(self.destination.as_ref()).await?;
        let seal = match &start.key {
            Some(key) => {
                let newest = places.manifests.iter().max_by_key(|object| object.modified);
                let sealed = places.manifests.iter().filter(|object| object.key.as_str().contains(SEALED_ENDING));
                let newest = sealed.max_by_key(|object| object.modified).or(newest);
                let seen = match newest {
                    // A damaged neighbour is no reason not to make a good one.
                    Some(object) => self.seal_header(&object.key, object.size_bytes).await.unwrap_or_default(),
                    None => None,
                };
                Some(self.keys.for_new(key, seen).await?)
            }
            None if start.settings.seal == backstay_core::config::Seal::None => None,
            None => {
                let text = "Cannot make a sealed archive: its key is not at hand";
                return Err(Error::new(ErrorClass::WrongKey, text)
                    .hint("Give the plan's key or passphrase again, or let it make plain archives"));
            }
        };
        let format = start.settings.format;
        let ending = format!("{}{}", format.extension(), if seal.is_some() { SEALED_ENDING } else { "" });
        let taken: HashSet<String> = places.files.keys().map(|key| key.to_lowercase()).collect();
        let mut reserved = lock(&self.reserved);
        for number in 1..MOST_NAMES {
            let suffix = if number == 1 { String::new() } else { format!("-{number}") };
            let key = Key::new(format!("{ARCHIVES_PREFIX}{server}/{name}{suffix}.{ending}"))?;
            let lower = key.as_str().to_lowercase();
            if !taken.contains(&lower) && reserved.insert(lower) {
                return Ok(NewArchive { key, format, seal, id });
            }
        }
        Err(Error::new(ErrorClass::Exists, format!("Cannot name an archive: {MOST_NAMES} are called {name}"))
            .hint("Put the time into the plan's template for file names"))
    }

    /// Removes a backup: the manifest first, so that what is left for a moment is no backup.
    pub async fn delete(&self, ctx: &RunContext, id: &BackupId) -> Result<Deleted> {
        let key = ctx.or_cancel(self.find(id)).await?;
        let manifest = manifest_key(&key)?;
        let size = async |key: &Key| match self.destination.head(key).await {
            Ok(info) => Ok(info.size_bytes),
            Err(error) if error.class == ErrorClass::Missing => Ok(0),
            Err(error) => Err(error),
        };
        let freed_bytes = ctx.or_cancel(async { Ok(size(&key).await? + size(&manifest).await?) }).await?;
        ctx.or_cancel(self.destination.delete(&manifest)).await?;
        lock(&self.known).remove(id);
        lock(&self.last).take();
        self.destination.delete(&key).await?;
        Ok(Deleted { freed_bytes, unused_bytes: Some(0) })
    }
}
