//! What all tests of the vault share: made-up servers, backups of them, and backups read back.

use aes256ctr_poly1305aes::aead::Aead;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Nonce};
use backstay_core::destination::{Destination, Key};
use backstay_core::entry::{AddError, Content, Entry, EntryType, TimeNs, Xattr};
use backstay_core::kind::Item;
use backstay_core::layout::{BackupManifest, BackupRecord, BackupStart, BackupWriter, Layout, Selection};
use backstay_core::path::RawPath;
use backstay_core::{BackupId, Result, RunContext, Secret};
use backstay_lab::MemoryDestination;
use backstay_layouts::Vault;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, TimeZone, Utc};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use tokio::io::AsyncReadExt;

pub const PASSWORD: &str = "correct horse battery staple";

pub fn password() -> Secret {
    Secret::new(PASSWORD)
}

/// A server's files by path, with content.
pub type Files = BTreeMap<RawPath, (Entry, Vec<u8>)>;

/// Returns a destination with a new vault. Made once: deriving keys is slow on purpose.
pub async fn new_vault() -> MemoryDestination {
    static TEMPLATE: OnceLock<Vec<(String, bytes::Bytes)>> = OnceLock::new();
    if TEMPLATE.get().is_none() {
        let memory = MemoryDestination::new();
        Vault::create(Arc::new(memory.clone()), &password()).await.unwrap();
        make_cheap(&memory);
        let objects = memory.keys().into_iter().map(|key| (key.clone(), memory.object(&key).unwrap()));
        let _ = TEMPLATE.set(objects.collect());
    }
    let memory = MemoryDestination::new();
    for (key, content) in TEMPLATE.get().unwrap() {
        memory.tamper(key, Some(content.clone()));
    }
    memory
}

/// Seals the master key anew with a key derived at next to no cost: tests open vaults hundreds of times.
fn make_cheap(memory: &MemoryDestination) {
    let name = keys_in(memory, "keys/").remove(0);
    let mut file: serde_json::Value = serde_json::from_slice(&memory.object(&name).unwrap()).unwrap();
    let bytes = |text: &serde_json::Value| BASE64.decode(text.as_str().unwrap()).unwrap();
    let cipher = |file: &serde_json::Value| {
        let cost = |name: &str| file[name].as_u64().unwrap() as u32;
        let costs = scrypt::Params::new(cost("N").ilog2() as u8, cost("r"), cost("p")).unwrap();
        let mut key = [0; 64];
        scrypt::scrypt(PASSWORD.as_bytes(), &bytes(&file["salt"]), &costs, &mut key).unwrap();
        Aes256CtrPoly1305Aes::new(aes256ctr_poly1305aes::Key::from_slice(&key))
    };
    let sealed = bytes(&file["data"]);
    let nonce = Nonce::from_slice(&sealed[..16]);
    let master = cipher(&file).decrypt(nonce, &sealed[16..]).unwrap();
    (file["N"], file["r"], file["p"]) = (2.into(), 1.into(), 1.into());
    let cheap = [&sealed[..16], &cipher(&file).encrypt(nonce, master.as_slice()).unwrap()].concat();
    file["data"] = BASE64.encode(cheap).into();
    let file = serde_json::to_vec(&file).unwrap();
    memory.tamper(&name, None);
    // Its name is its checksum, as of every object.
    memory.tamper(&format!("keys/{}", sha256_hex(&file)), Some(file.into()));
}

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub async fn open(memory: &MemoryDestination) -> Vault {
    Vault::open(Arc::new(memory.clone()), &password()).await.unwrap()
}

pub fn path(text: &str) -> RawPath {
    RawPath::new(text).unwrap()
}

pub fn moment(hour: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, hour, 0, 0).unwrap()
}

pub fn manifest(plan: &str, started: DateTime<Utc>) -> BackupManifest {
    let item = Item { name: "files".into(), kind: "files".into(), settings: serde_json::json!({"paths": ["/srv"]}) };
    BackupManifest {
        version: 1,
        server: "00000000000000aa".into(),
        server_name: "web-1".into(),
        plan: format!("id-of-{plan}").as_str().into(),
        plan_name: plan.into(),
        items: vec![item],
        started,
        app_version: "0.1.0".into(),
        facts: vec!["GNU tar 1.34".into()],
        problems: Vec::new(),
    }
}

pub fn start(manifest: &BackupManifest) -> BackupStart {
    BackupStart { manifest: manifest.clone(), paths: vec![path("/srv")], parent: None, archive: None }
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

/// Makes a tree with odd names, odd types, odd times, small and large files.
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
        1 => b"the same words again and again ".iter().copied().cycle().take(length).collect(),
        _ => noise(random.random_range(0..40), length),
    }
}

/// Pushes all files into a writer as a kind would: unchanged ones are not opened. Returns how many were opened.
pub async fn push(writer: &mut dyn BackupWriter, files: &Files) -> Result<u64> {
    let mut opened = 0;
    for (entry, content) in files.values() {
        let sink = writer.as_sink();
        if let Some(xattrs) = sink.is_unchanged(entry) {
            assert_eq!(xattrs, entry.xattrs);
            sink.add(entry.clone(), Content::Previous).await.map_err(backstay_core::Error::from)?;
        } else if entry.is_file() {
            opened += 1;
            let mut reader = content.as_slice();
            let read = sink.add(entry.clone(), Content::Stream(&mut reader)).await;
            let read = read.map_err(|error| match error {
                AddError::Sink(error) => error,
                AddError::Content(error) => panic!("memory cannot fail: {error}"),
            })?;
            assert_eq!(read, content.len() as u64);
        } else {
            sink.add(entry.clone(), Content::None).await.map_err(backstay_core::Error::from)?;
        }
    }
    Ok(opened)
}

/// Makes a whole backup. Returns its record and how many files were opened.
pub async fn backup_at(vault: &Vault, files: &Files, hour: u32) -> Result<(BackupRecord, u64)> {
    let manifest = manifest("nightly", moment(hour));
    let mut writer = vault.begin(&RunContext::silent(), start(&manifest)).await?;
    match push(writer.as_mut(), files).await {
        Ok(opened) => Ok((writer.commit(manifest).await?, opened)),
        Err(error) => {
            writer.abort().await;
            Err(error)
        }
    }
}

pub async fn backup(vault: &Vault, files: &Files) -> BackupRecord {
    backup_at(vault, files, 3).await.unwrap().0
}

/// Reads a whole backup back, but what Backstay adds.
pub async fn read(vault: &Vault, id: &BackupId) -> Result<Files> {
    let reader = vault.open(id).await?;
    let selection = Selection { exclude: vec![path(".backstay")], ..Selection::default() };
    let mut source = reader.stream(&RunContext::silent(), selection).await?;
    let mut files = Files::new();
    let mut last: Option<RawPath> = None;
    while let Some(entry) = source.next().await? {
        if let Some(parent) = entry.path.parent().filter(|parent| !parent.is_root()) {
            assert!(files.contains_key(&parent), "{} comes before its folder", entry.path);
        }
        let mut content = Vec::new();
        if entry.is_file() {
            let holes = source.holes();
            let read = source.content().read_to_end(&mut content).await;
            read.map_err(|error| backstay_core::Error::io("read", error))?;
            assert_eq!(content.len() as u64, entry.size_bytes, "{}", entry.path);
            for (offset, length) in holes {
                assert!(content[offset as usize..(offset + length) as usize].iter().all(|byte| *byte == 0));
            }
        }
        assert!(last.as_ref() != Some(&entry.path));
        last = Some(entry.path.clone());
        files.insert(entry.path.clone(), (entry, content));
    }
    Ok(files)
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

/// Writes a destination's objects into a folder, for restic.
pub fn to_folder(memory: &MemoryDestination, folder: &Path) {
    for key in memory.keys() {
        let file = folder.join(&key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, memory.object(&key).unwrap()).unwrap();
    }
}

/// Reads a folder restic wrote.
pub fn from_folder(folder: &Path) -> MemoryDestination {
    let memory = MemoryDestination::new();
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                open.push(entry);
            } else {
                let key = entry.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                memory.tamper(&key, Some(std::fs::read(&entry).unwrap().into()));
            }
        }
    }
    memory
}

/// Returns the restic command on a repository, or `None` (and says so) where there is none.
pub fn restic(repository: &Path, cache: &Path) -> Option<Command> {
    if Command::new("restic").arg("version").output().is_err() {
        println!("skipped: restic is not installed");
        return None;
    }
    let mut command = Command::new("restic");
    command.env("RESTIC_PASSWORD", PASSWORD).env("RESTIC_REPOSITORY", repository);
    command.env("XDG_CACHE_HOME", cache).env("HOME", cache).arg("--no-cache");
    Some(command)
}

/// Runs a command and returns what it printed; anything but success is a failed test.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}\n{errors}", output.status);
    text
}

pub async fn sizes(memory: &MemoryDestination) -> BTreeMap<String, u64> {
    let objects = memory.list("").await.unwrap();
    objects.into_iter().map(|object| (object.key.as_str().to_owned(), object.size_bytes)).collect()
}

pub fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub fn keys_in(memory: &MemoryDestination, folder: &str) -> Vec<String> {
    memory.keys().into_iter().filter(|key| key.starts_with(folder)).collect()
}
