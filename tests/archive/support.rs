//! What all tests of archives share: made-up servers, backups of them, and backups read back.

use backstay_core::config::{ArchiveSettings, Seal};
use backstay_core::entry::{AddError, Content, Entry};
use backstay_core::layout::{
    ArchiveFormat, ArchiveKey, ArchiveKeys, ArchiveStart, BackupManifest, BackupRecord, BackupStart, BackupWriter,
    Layout, Selection,
};
use backstay_core::{BackupId, Result, RunContext, Secret};
use backstay_lab::MemoryDestination;
pub use backstay_lab::trees::{Files, assert_same, drain, file, moment, noise, path, random_files, words};
use backstay_layouts::Archives;
use std::sync::Arc;

pub const FORMATS: [ArchiveFormat; 3] = [ArchiveFormat::TarGz, ArchiveFormat::TarZst, ArchiveFormat::Zip];
/// 64 hex digits.
pub const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

pub struct Keys(pub Vec<ArchiveKey>);

impl ArchiveKeys for Keys {
    fn candidates(&self, key_id: &str) -> Vec<ArchiveKey> {
        assert_eq!(key_id.len(), 16);
        self.0.clone()
    }
}

pub fn raw_key() -> ArchiveKey {
    ArchiveKey::Key(Secret::new(HEX))
}

pub fn passphrase() -> ArchiveKey {
    ArchiveKey::Passphrase(Secret::new("correct horse battery staple"))
}

/// The three ways an archive may be sealed.
pub fn seals() -> [Option<ArchiveKey>; 3] {
    [None, Some(raw_key()), Some(passphrase())]
}

/// Opens the archives of a destination as a computer with all keys.
pub fn open(memory: &MemoryDestination) -> Archives {
    Archives::open(Arc::new(memory.clone()), Arc::new(Keys(vec![passphrase(), raw_key()])))
}

pub fn manifest(plan: &str, hour: u32) -> BackupManifest {
    backstay_lab::trees::manifest("web 1/main", plan, moment(hour))
}

pub fn start(manifest: &BackupManifest, format: ArchiveFormat, key: Option<ArchiveKey>) -> BackupStart {
    let seal = match &key {
        None => Seal::None,
        Some(ArchiveKey::Key(_)) => Seal::OwnKey,
        Some(ArchiveKey::Passphrase(_)) => Seal::Passphrase,
    };
    let settings = ArchiveSettings { format, seal, template: "{plan}_{time:%Y%m%d_%H%M%S}".into() };
    BackupStart {
        manifest: manifest.clone(),
        paths: vec![path("/srv")],
        parent: None,
        archive: Some(ArchiveStart { settings, key }),
        damaged: Vec::new(),
    }
}

/// Adds one entry with content.
pub async fn add(writer: &mut dyn BackupWriter, entry: &Entry, content: &[u8]) -> Result<()> {
    let sink = writer.as_sink();
    assert!(sink.is_unchanged(entry).is_none());
    let mut reader = content;
    let content = if entry.is_file() { Content::Stream(&mut reader) } else { Content::None };
    match sink.add(entry.clone(), content).await {
        Ok(_) => Ok(()),
        Err(AddError::Sink(error)) => Err(error),
        Err(AddError::Content(error)) => panic!("memory cannot fail: {error}"),
    }
}

/// Makes a whole backup.
pub async fn backup_with(
    archives: &Archives,
    ctx: &RunContext,
    files: &Files,
    format: ArchiveFormat,
    key: Option<ArchiveKey>,
    hour: u32,
) -> Result<BackupRecord> {
    let manifest = manifest("nightly", hour);
    let mut writer = archives.begin(ctx, start(&manifest, format, key)).await?;
    for (entry, content) in files.values() {
        if let Err(error) = add(writer.as_mut(), entry, content).await {
            writer.abort().await;
            return Err(error);
        }
    }
    writer.commit(manifest).await
}

pub async fn backup(
    memory: &MemoryDestination,
    files: &Files,
    format: ArchiveFormat,
    key: Option<ArchiveKey>,
) -> BackupRecord {
    backup_with(&open(memory), &RunContext::silent(), files, format, key, 3).await.unwrap()
}

/// Reads a whole backup back, but what Backstay adds.
pub async fn read(archives: &Archives, id: &BackupId) -> Result<Files> {
    let reader = archives.open(id).await?;
    let selection = Selection { exclude: vec![path(".backstay")], ..Selection::default() };
    drain(reader.stream(&RunContext::silent(), selection).await?.as_mut()).await
}

/// The bytes of all objects at a destination.
pub fn used(memory: &MemoryDestination) -> u64 {
    memory.keys().iter().map(|key| memory.object(key).unwrap().len() as u64).sum()
}
