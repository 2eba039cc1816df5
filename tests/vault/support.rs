//! What all tests of the vault share: made-up servers, backups of them, and backups read back.

use aes256ctr_poly1305aes::aead::Aead;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Nonce};
use backstay_core::destination::{Destination, Key};
use backstay_core::entry::{AddError, Content};
use backstay_core::layout::{BackupManifest, BackupRecord, BackupStart, BackupWriter, Layout, Selection};
use backstay_core::{BackupId, Result, RunContext, Secret};
use backstay_lab::MemoryDestination;
pub use backstay_lab::restic::{from_folder, run, to_folder};
pub use backstay_lab::trees::{Files, assert_same, drain, file, moment, noise, path, random_files};
use backstay_layouts::Vault;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};

pub const PASSWORD: &str = "correct horse battery staple";

pub fn password() -> Secret {
    Secret::new(PASSWORD)
}

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

pub fn manifest(plan: &str, started: DateTime<Utc>) -> BackupManifest {
    backstay_lab::trees::manifest("web-1", plan, started)
}

pub fn start(manifest: &BackupManifest) -> BackupStart {
    BackupStart {
        manifest: manifest.clone(),
        paths: vec![path("/srv")],
        parent: None,
        archive: None,
        damaged: Vec::new(),
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
    drain(reader.stream(&RunContext::silent(), selection).await?.as_mut()).await
}

/// Returns the restic command on a repository of ours, or `None` (and says so) where there is none.
pub fn restic(repository: &Path, cache: &Path) -> Option<Command> {
    backstay_lab::restic::restic(repository, PASSWORD, cache)
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
