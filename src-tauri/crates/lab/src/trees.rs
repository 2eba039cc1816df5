//! Made-up servers: trees of files with all that is odd, and how what came back is compared with what was there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use backstay_core::entry::{Entry, EntrySource, EntryType, TimeNs, Xattr};
use backstay_core::kind::Item;
use backstay_core::layout::BackupManifest;
use backstay_core::path::RawPath;
use backstay_core::{Error, Result};
use chrono::{DateTime, TimeZone, Utc};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;
use tokio::io::AsyncReadExt;

/// A server's files by path, with content.
pub type Files = BTreeMap<RawPath, (Entry, Vec<u8>)>;

/// Returns a path.
pub fn path(text: &str) -> RawPath {
    RawPath::new(text).unwrap()
}

/// Returns an hour of one day.
pub fn moment(hour: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, hour, 0, 0).unwrap()
}

/// Returns the manifest of a backup of files.
pub fn manifest(server: &str, plan: &str, started: DateTime<Utc>) -> BackupManifest {
    let item = Item { name: "files".into(), kind: "files".into(), settings: serde_json::json!({"paths": ["/srv"]}) };
    BackupManifest {
        version: 1,
        server: "00000000000000aa".into(),
        server_name: server.into(),
        plan: format!("id-of-{plan}").as_str().into(),
        plan_name: plan.into(),
        items: vec![item],
        started,
        app_version: "0.1.0".into(),
        facts: vec!["GNU tar 1.34".into()],
        problems: Vec::new(),
    }
}

/// Returns a file of this content.
pub fn file(at: &str, content: &[u8]) -> (RawPath, (Entry, Vec<u8>)) {
    let mut entry = Entry::plain(path(at), EntryType::File, 0o640, TimeNs(1_700_000_000_123_456_789));
    entry.size_bytes = content.len() as u64;
    (entry.path.clone(), (entry, content.to_vec()))
}

/// Returns bytes that look like chance and are always the same.
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

/// Reads all that a source has, and looks whether it is in order.
pub async fn drain(source: &mut dyn EntrySource) -> Result<Files> {
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
            read.map_err(|error| Error::io("read", error))?;
            assert_eq!(content.len() as u64, entry.size_bytes, "{}", entry.path);
            for (offset, length) in holes {
                assert!(content[offset as usize..(offset + length) as usize].iter().all(|byte| *byte == 0));
            }
        }
        assert!(last.as_ref() != Some(&entry.path), "{} comes twice", entry.path);
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
