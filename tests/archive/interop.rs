//! The reader in Python, which knows nothing but docs/formats/archive.md, opens what we made.

use crate::support::*;
use backstay_core::entry::EntryType;
use backstay_core::layout::{ArchiveFormat, ArchiveKey};
use backstay_lab::MemoryDestination;
use backstay_transfer::Sha256Sum;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/interop/read_archive.py");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn works(program: &Path, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|out| out.status.success())
}

/// Returns a Python that has `cryptography`: the system's, or one in an environment kept outside the repository.
fn python() -> Option<PathBuf> {
    let needs = ["-c", "import cryptography.hazmat.primitives.kdf.argon2, hashlib; hashlib.file_digest"];
    let system = PathBuf::from("python3");
    if works(&system, &needs) {
        return Some(system);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let home = cache.join("backstay-tests/python");
    let python = home.join("bin/python3");
    if !works(&python, &needs) {
        let made = works(&system, &["-m", "venv", home.to_str()?])
            && works(&python, &["-m", "pip", "install", "--quiet", "cryptography>=44"]);
        if !made || !works(&python, &needs) {
            println!("skipped: no Python with the package cryptography, and pip cannot bring it");
            return None;
        }
    }
    Some(python)
}

fn reader(python: &Path, dir: &Path, args: &[&str]) -> Output {
    Command::new(python).arg(READER).current_dir(dir).args(args).output().unwrap()
}

fn put(dir: &Path, memory: &MemoryDestination) -> String {
    let mut name = String::new();
    for key in memory.keys() {
        let file = key.rsplit('/').next().unwrap();
        std::fs::write(dir.join(file), memory.object(&key).unwrap()).unwrap();
        if !file.ends_with(".manifest") {
            name = file.to_owned();
        }
    }
    name
}

/// What the reader should print, by path in hex.
fn expected(files: &Files) -> std::collections::BTreeMap<String, serde_json::Value> {
    let line = |(path, (entry, content)): (&backstay_core::RawPath, &(backstay_core::entry::Entry, Vec<u8>))| {
        let kind = match &entry.kind {
            EntryType::File => "file",
            EntryType::Dir => "dir",
            EntryType::Symlink(_) => "symlink",
            EntryType::Fifo => "fifo",
            EntryType::CharDevice(..) => "char",
            _ => "block",
        };
        let path = hex(path.as_bytes());
        let mut line = serde_json::json!({"path": path, "type": kind, "size": content.len()});
        if entry.is_file() {
            line["sha256"] = Sha256Sum::of(content).into();
        }
        if let EntryType::Symlink(target) = &entry.kind {
            line["target"] = hex(target).into();
        }
        (path, line)
    };
    files.iter().map(line).collect()
}

#[tokio::test]
async fn a_reader_written_from_the_specification_alone_opens_everything() {
    let Some(python) = python() else { return };
    if !works(Path::new("zstd"), &["--version"]) {
        println!("skipped: zstd is not here");
        return;
    }
    let mut files = random_files(21, 60);
    files.extend([file("srv/large", &words(3, 6_000_000)), file("srv/noise", &noise(3, 2_500_000))]);
    for format in FORMATS {
        for key in seals() {
            let dir = tempfile::tempdir().unwrap();
            let memory = MemoryDestination::new();
            backup(&memory, &files, format, key.clone()).await;
            let name = put(dir.path(), &memory);
            let secret = match &key {
                None => vec![],
                Some(ArchiveKey::Key(hex)) => vec!["--key-file", hex.expose()],
                Some(ArchiveKey::Passphrase(words)) => vec!["--passphrase-file", words.expose()],
            };
            let mut args = vec![name.as_str()];
            if let [option, secret] = secret[..] {
                std::fs::write(dir.path().join("secret"), secret).unwrap();
                args.extend([option, "secret"]);
            }
            for more in [vec!["--plain", "plain"], vec!["--without-manifest"]] {
                let out = reader(&python, dir.path(), &[args.clone(), more].concat());
                assert!(out.status.success(), "{format:?}: {}", String::from_utf8_lossy(&out.stderr));
                let mut found = std::collections::BTreeMap::new();
                for line in String::from_utf8(out.stdout).unwrap().lines() {
                    let line: serde_json::Value = serde_json::from_str(line).unwrap();
                    found.insert(line["path"].as_str().unwrap().to_owned(), line);
                }
                assert!(found.remove(&hex(b".backstay/backup.json")).is_some());
                assert_eq!(found, expected(&files), "{format:?}");
            }
            let one = reader(&python, dir.path(), &[args.clone(), vec!["--one", "srv/noise"]].concat());
            assert!(String::from_utf8(one.stdout).unwrap().contains(&Sha256Sum::of(&noise(3, 2_500_000))));
            // Unsealed it is what other programs open.
            let test = match format {
                ArchiveFormat::TarGz => ("gzip", vec!["-tq"]),
                ArchiveFormat::TarZst => ("zstd", vec!["-tq"]),
                ArchiveFormat::Zip => ("python3", vec!["-m", "zipfile", "-t"]),
            };
            let plain = format!("plain.{}", format.extension());
            std::fs::rename(dir.path().join("plain"), dir.path().join(&plain)).unwrap();
            let out = Command::new(test.0).args(test.1).arg(dir.path().join(&plain)).output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            // It sees damage too.
            if key.is_some() {
                let mut bad = std::fs::read(dir.path().join(&name)).unwrap();
                let middle = bad.len() / 2;
                bad[middle] ^= 1;
                std::fs::write(dir.path().join(&name), bad).unwrap();
                assert!(!reader(&python, dir.path(), &args).status.success());
            }
        }
    }
}
