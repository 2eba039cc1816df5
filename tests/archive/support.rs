//! What all tests of archives share: made-up servers, backups of them, and backups read back.

use backstay_core::config::{ArchiveSettings, Seal};
use backstay_core::entry::{AddError, Content, Entry, EntrySource, EntryType, TimeNs, Xattr};
use backstay_core::kind::Item;
use backstay_core::layout::{
    ArchiveFormat, ArchiveKey, ArchiveKeys, ArchiveStart, BackupManifest, BackupRecord, BackupStart, BackupWriter,
    Layout, Selection,
};
use backstay_core::path::RawPath;
use backstay_core::{BackupId, Error, Result, RunContext, Secret};
use backstay_lab::MemoryDestination;
use backstay_layouts::Archives;
use chrono::{DateTime, TimeZone, Utc};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::AsyncReadExt;

pub const FORMATS: [ArchiveFormat; 3] = [ArchiveFormat::TarGz, ArchiveFormat::TarZst, ArchiveFormat::Zip];
/// 64 hex digits.
pub const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A server's files by path, with content.
pub type Files = BTreeMap<RawPath, (Entry, Vec<u8>)>;

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

pub fn path(text: &str) -> RawPath {
    RawPath::new(text).unwrap()
}

pub fn moment(hour: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, hour, 0, 0).unwrap()
}

pub fn manifest(plan: &str, hour: u32) -> BackupManifest {
    let item = Item { name: "files".into(), kind: "files".into(), settings: serde_json::json!({"paths": ["/srv"]}) };
    BackupManifest {
        version: 1,
        server: "00000000000000aa".into(),
        server_name: "web 1/main".into(),
        plan: format!("id-of-{plan}").as_str().into(),
        plan_name: plan.into(),
        items: vec![item],
        started: moment(hour),
        app_version: "0.1.0".into(),
        facts: vec!["GNU tar 1.34".into()],
        problems: Vec::new(),
    }
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
    }
}

pub fn file(at: &str, content: &[u8]) -> (RawPath, (Entry, Vec<u8>)) {
    let mut entry = Entry::plain(path(at), EntryType::File, 0o640, TimeNs(1_700_000_000_123_456_789));
    entry.size_bytes = content.len() as u64;
    (entry.path.clone(), (entry, content.to_vec()))
}

pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// Text that compresses some three to one, and repeats itself beyond what a compressor remembers.
pub fn words(seed: u64, length: usize) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut some = Vec::new();
    while some.len() < length.min(150_000) {
        some.extend_from_slice(format!("{:x} word ", random.random::<u32>() >> random.random_range(0..30)).as_bytes());
    }
    let mut out = Vec::with_capacity(length + some.len());
    while out.len() < length {
        out.extend_from_slice(&some);
    }
    out.truncate(length);
    out
}

/// Makes a tree with odd names, odd types, odd times, hard links, small and large files.
pub fn random_files(seed: u64, count: usize) -> Files {
    let mut random = StdRng::seed_from_u64(seed);
    let mut folders = vec![path("srv")];
    let mut files = Files::new();
    for number in 0..count {
        let parent = folders[random.random_range(0..folders.len())].clone();
        let mut name = match random.random_range(0..6) {
            0 => (0..random.random_range(1..40)).map(|_| random.random_range(1..=255u8)).collect(),
            1 => format!("ünïcode 日本 {number}").into_bytes(),
            2 => format!("-dash\\x41\"quote\n{number}").into_bytes(),
            _ => format!("file{number}").into_bytes(),
        };
        name.retain(|byte| *byte != b'/');
        if matches!(name.as_slice(), b"" | b"." | b"..") {
            name = b"plain".to_vec();
        }
        let at = parent.join(&name).unwrap();
        let kind = match random.random_range(0..12) {
            0 => EntryType::Symlink(noise(number as u64, random.random_range(1..60))),
            1 => EntryType::Symlink(b"../target".to_vec()),
            2 => EntryType::Fifo,
            3 => EntryType::CharDevice(random.random_range(0..4096), random.random_range(0..1 << 20)),
            4 => EntryType::BlockDevice(8, number as u32),
            5 | 6 => EntryType::Dir,
            _ => EntryType::File,
        };
        if files.contains_key(&at) {
            continue;
        }
        if kind == EntryType::Dir {
            folders.push(at.clone());
        }
        let entry = random_entry(&mut random, at.clone(), kind);
        let content = if entry.is_file() { random_content(&mut random) } else { Vec::new() };
        files.insert(at, (Entry { size_bytes: content.len() as u64, ..entry }, content));
    }
    files
}

fn random_entry(random: &mut StdRng, at: RawPath, kind: EntryType) -> Entry {
    let time = |random: &mut StdRng| TimeNs::from_parts(random.random_range(-1_000_000_000..4_000_000_000), 1);
    let mut entry = Entry::plain(at, kind, random.random_range(0..0o10000), time(random));
    entry.ctime = time(random);
    entry.uid = random.random();
    entry.gid = random.random_range(0..3);
    entry.user = random.random_bool(0.5).then(|| "wärter".to_owned());
    entry.group = random.random_bool(0.5).then(|| "games".to_owned());
    entry.inode = random.random_range(1..u64::MAX);
    entry.device = 2049;
    if random.random_bool(0.1) {
        entry.xattrs = vec![
            Xattr { name: "user.note".into(), value: noise(random.random(), 30) },
            Xattr { name: "SCHILY.acl.access".into(), value: b"user::rwx\nuser:7:r--\n".to_vec() },
        ];
    }
    entry
}

fn random_content(random: &mut StdRng) -> Vec<u8> {
    let length = match random.random_range(0..12) {
        0 => 0,
        1 => random.random_range(400_000..3_000_000),
        _ => random.random_range(1..30_000),
    };
    match random.random_range(0..4) {
        0 => vec![0; length],
        1 => words(random.random(), length),
        _ => noise(random.random_range(0..40), length),
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

/// Reads all that a source has.
pub async fn drain(source: &mut dyn EntrySource) -> Result<Files> {
    let mut files = Files::new();
    while let Some(entry) = source.next().await? {
        if let Some(parent) = entry.path.parent().filter(|parent| !parent.is_root()) {
            assert!(files.contains_key(&parent), "{} comes before its folder", entry.path);
        }
        let mut content = Vec::new();
        if entry.is_file() {
            let holes = source.holes();
            let read = source.content().read_to_end(&mut content).await;
            read.map_err(|error| Error::io("read", error))?;
            assert_eq!(content.len() as u64, entry.size_bytes, "{}", entry.path);
            for (offset, length) in holes {
                assert!(content[offset as usize..(offset + length) as usize].iter().all(|byte| *byte == 0));
            }
        }
        files.insert(entry.path.clone(), (entry, content));
    }
    Ok(files)
}

/// Reads a whole backup back, but what Backstay adds.
pub async fn read(archives: &Archives, id: &BackupId) -> Result<Files> {
    let reader = archives.open(id).await?;
    let selection = Selection { exclude: vec![path(".backstay")], ..Selection::default() };
    drain(reader.stream(&RunContext::silent(), selection).await?.as_mut()).await
}

/// Compares what was backed up with what came back. Folders nobody added have made-up metadata.
pub fn assert_same(was: &Files, is: &Files) {
    for (path, (entry, content)) in was {
        let (back, back_content) = is.get(path).unwrap_or_else(|| panic!("{path} is gone"));
        assert_eq!(back, entry, "{path}");
        assert!(back_content == content, "the content of {path} differs");
    }
    for (path, (entry, _)) in is {
        assert!(was.contains_key(path) || entry.is_dir(), "{path} came from nowhere");
    }
}
