//! An opened vault: its key, its config, and the reading and writing of its sealed objects.

use super::backend::{Backend, made_meanwhile};
use super::cache::Cache;
use super::chunker::Chunker;
use super::crypto::Cipher;
use super::id::Id;
use super::index::Index;
use super::object::read_object;
use super::snapshot::Snapshot;
use super::tree::TreeCache;
use backstay_core::destination::{Destination, Key, ObjectInfo};
use backstay_core::{Error, ErrorClass, Result, Secret};
use bytes::Bytes;
use rustic_core::repofile::MasterKey;
use rustic_core::{
    ConfigOptions, Credentials, KeyOptions, Repository, RepositoryBackends, RepositoryOptions, RusticError,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Parts of packs fetched at the same time: at least so many, and at most, whatever the store is said to bear.
const FETCHES: (usize, usize) = (4, 16);
/// zstd's level for everything; 3 is what restic uses too.
pub(crate) const ZSTD_LEVEL: i32 = 3;
/// The largest object but packs we are ready to unpack: an index of some 10 million chunks.
pub(crate) const OBJECT_LIMIT: usize = 1 << 30;

/// Whether a vault is to be made or to be opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Create,
    Open,
}

/// An opened vault.
pub(crate) struct Repo {
    pub destination: Arc<dyn Destination>,
    pub cipher: Arc<Cipher>,
    pub chunker: Arc<Chunker>,
    /// The id in its config file.
    pub id: String,
    /// The format's version: 1 knows no compression.
    pub version: u32,
    pub index: tokio::sync::Mutex<Arc<Index>>,
    pub snapshots: Mutex<HashMap<Id, Arc<Snapshot>>>,
    pub trees: Arc<Mutex<TreeCache>>,
    /// (bytes, files) below each folder seen by `list`. Folders are named by their content: they never go stale.
    pub sizes: Mutex<HashMap<Id, (u64, u64)>>,
    pub fetches: Arc<Semaphore>,
    /// What was read before of a vault far away, on this computer.
    pub cache: Option<Arc<Cache>>,
    /// Packs something was found missing or damaged in.
    pub met_damaged: Mutex<HashSet<Id>>,
}

struct Opened {
    master: MasterKey,
    id: String,
    version: u32,
    polynomial: String,
}

impl Repo {
    /// Makes or opens the vault. Deriving the key takes half a second of one core.
    pub async fn start(destination: Arc<dyn Destination>, password: &Secret, access: Access) -> Result<Self> {
        let opened = open_with_rustic(destination.clone(), password.clone(), access).await?;
        let label = destination.label().to_owned();
        let broken = |what: &str| Error::new(ErrorClass::Corrupt, format!("Cannot use the vault at {label}: {what}"));
        if !(1..=2).contains(&opened.version) {
            return Err(too_new(&label));
        }
        let cipher = Cipher::new(&opened.master).ok_or_else(|| broken("its key has an impossible length"))?;
        let chunker = u64::from_str_radix(&opened.polynomial, 16)
            .ok()
            .and_then(Chunker::new)
            .ok_or_else(|| broken("its config has an impossible polynomial"))?;
        Ok(Self {
            fetches: fetches(destination.as_ref()),
            destination,
            cipher: Arc::new(cipher),
            chunker: Arc::new(chunker),
            id: opened.id,
            version: opened.version,
            index: tokio::sync::Mutex::default(),
            snapshots: Mutex::default(),
            trees: Arc::default(),
            sizes: Mutex::default(),
            cache: None,
            met_damaged: Mutex::default(),
        })
    }

    /// Returns the same vault at another destination, which holds or will hold a copy of it. What was read here serves
    /// there too: everything is named by its content.
    pub fn over(&self, destination: Arc<dyn Destination>) -> Self {
        Self {
            fetches: fetches(destination.as_ref()),
            destination,
            cipher: self.cipher.clone(),
            chunker: self.chunker.clone(),
            id: self.id.clone(),
            version: self.version,
            index: tokio::sync::Mutex::new(self.index.try_lock().map(|known| known.clone()).unwrap_or_default()),
            snapshots: Mutex::new(self.snapshots.lock().map(|known| known.clone()).unwrap_or_default()),
            trees: self.trees.clone(),
            sizes: Mutex::default(),
            cache: self.cache.clone(),
            met_damaged: Mutex::default(),
        }
    }

    /// Returns the same vault with nothing remembered: whatever it reads, it reads from the destination.
    pub fn afresh(&self) -> Self {
        Self {
            fetches: self.fetches.clone(),
            destination: self.destination.clone(),
            cipher: self.cipher.clone(),
            chunker: self.chunker.clone(),
            id: self.id.clone(),
            version: self.version,
            index: tokio::sync::Mutex::default(),
            snapshots: Mutex::default(),
            trees: Arc::default(),
            sizes: Mutex::default(),
            cache: None,
            met_damaged: Mutex::default(),
        }
    }

    /// Returns how messages name the vault.
    pub fn label(&self) -> &str {
        self.destination.label()
    }

    /// Lists the ids of one folder of objects.
    pub async fn ids(&self, folder: &str) -> Result<Vec<Id>> {
        let objects = self.destination.list(&format!("{folder}/")).await?;
        Ok(objects.iter().filter_map(|object| Id::of_key(object.key.as_str())).collect())
    }

    /// Reads, proves and opens an object of JSON; one that was read before comes from the cache.
    pub async fn load<T: DeserializeOwned>(&self, folder: &str, id: &Id) -> Result<T> {
        if let Some(sealed) = self.cached(folder, id).await {
            return self.open_json(folder, id, &sealed);
        }
        self.load_there(folder, id).await
    }

    /// Reads, proves and opens an object of JSON as it lies at the destination now.
    pub async fn load_there<T: DeserializeOwned>(&self, folder: &str, id: &Id) -> Result<T> {
        let sealed = read_object(self.destination.as_ref(), &object_key(folder, id)?).await?;
        let value = self.open_json(folder, id, &sealed)?;
        if let Some(cache) = self.cache.as_ref().filter(|_| Cache::takes(folder)) {
            cache.put(folder, id, sealed).await;
        }
        Ok(value)
    }

    async fn cached(&self, folder: &str, id: &Id) -> Option<Bytes> {
        let cache = self.cache.as_ref().filter(|_| Cache::takes(folder))?;
        let sealed = cache.get(folder, id).await?;
        if Id::of(&sealed) == *id {
            return Some(sealed);
        }
        cache.remove(folder, id).await;
        None
    }

    fn open_json<T: DeserializeOwned>(&self, folder: &str, id: &Id, sealed: &[u8]) -> Result<T> {
        let damaged = |what: &str| {
            Error::new(
                ErrorClass::Corrupt,
                format!("Cannot read {folder}/{} of the vault at {}: {what}", id.short(), self.label()),
            )
            .hint("Check the destination; another copy of this file would mend it")
        };
        if Id::of(sealed) != *id {
            return Err(damaged("it does not match its checksum"));
        }
        let plain = self.cipher.open(sealed).ok_or_else(|| damaged("it was not sealed with this vault's key"))?;
        let json = match plain.split_first() {
            Some((2, packed)) => unpack(packed, OBJECT_LIMIT).ok_or_else(|| damaged("it cannot be unpacked"))?,
            _ => plain,
        };
        serde_json::from_slice(&json).map_err(|error| damaged("it is not what it should be").source(error))
    }

    /// Seals and stores an object of JSON; returns its id.
    pub async fn save(&self, folder: &str, value: &(impl Serialize + Sync)) -> Result<Id> {
        let (id, sealed) = self.seal(value)?;
        self.put(&object_key(folder, &id)?, sealed).await?;
        Ok(id)
    }

    /// Seals an object of JSON.
    pub fn seal(&self, value: &impl Serialize) -> Result<(Id, Bytes)> {
        let mut plain = serde_json::to_vec(value).map_err(|error| internal("Cannot write JSON").source(error))?;
        if self.version >= 2 {
            let mut packed = vec![2];
            zstd::stream::copy_encode(plain.as_slice(), &mut packed, ZSTD_LEVEL)
                .map_err(|error| Error::io("Cannot compress", error))?;
            plain = packed;
        }
        let mut sealed = Vec::new();
        self.cipher.seal_into(&plain, &mut sealed).ok_or_else(|| internal("Cannot seal an object"))?;
        Ok((Id::of(&sealed), Bytes::from(sealed)))
    }

    /// Returns the packs there are, by the destination's own listing, with sizes.
    pub async fn packs_there(&self) -> Result<HashMap<Id, u64>> {
        let objects = self.destination.list("data/").await?;
        let named = |object: &ObjectInfo| Some((Id::of_key(object.key.as_str())?, object.size_bytes));
        Ok(objects.iter().filter_map(named).collect())
    }
}

fn fetches(destination: &dyn Destination) -> Arc<Semaphore> {
    let asked = usize::from(destination.capabilities().parallel_objects);
    Arc::new(Semaphore::new(asked.clamp(FETCHES.0, FETCHES.1)))
}

/// Makes an error of ours.
pub(crate) fn internal(message: &str) -> Error {
    Error::new(ErrorClass::Internal, message)
}

/// Unpacks zstd; `None` if it is damaged or would be larger than `limit`.
pub(crate) fn unpack(packed: &[u8], limit: usize) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut plain = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(packed).ok()?;
    decoder.take(limit as u64 + 1).read_to_end(&mut plain).ok()?;
    (plain.len() <= limit).then_some(plain)
}

/// Returns the key of an object that is no pack.
pub(crate) fn object_key(folder: &str, id: &Id) -> Result<Key> {
    Key::new(format!("{folder}/{}", id.hex()))
}

/// Returns the key of a pack.
pub(crate) fn pack_key(id: &Id) -> Result<Key> {
    let hex = id.hex();
    Key::new(format!("data/{}/{hex}", &hex[..2]))
}

async fn open_with_rustic(destination: Arc<dyn Destination>, password: Secret, access: Access) -> Result<Opened> {
    let label = destination.label().to_owned();
    let failure = Arc::new(Mutex::new(None));
    let backend = Backend::new(destination, Handle::current(), failure.clone());
    let work = move || -> std::result::Result<Opened, Box<RusticError>> {
        let backends = RepositoryBackends::new(Arc::new(backend), None);
        let mut options = RepositoryOptions::default();
        options.no_cache = true;
        let repository = Repository::new(&options, &backends)?;
        let credentials = Credentials::password(password.expose());
        let opened = match access {
            Access::Open => repository.open(&credentials)?,
            Access::Create => repository.init(&credentials, &KeyOptions::default(), &ConfigOptions::default())?,
        };
        let config = opened.config();
        Ok(Opened {
            master: opened.key(),
            id: config.id.to_hex().to_string(),
            version: config.version,
            polynomial: config.chunker_polynomial.clone(),
        })
    };
    let tried = if access == Access::Create { "make" } else { "open" };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(error)) => {
            let failed = failure.lock().ok().and_then(|mut failure| failure.take());
            Err(failed.unwrap_or_else(|| explain(&label, tried, *error)))
        }
        // A key file with absurd numbers makes the key derivation panic on its own thread.
        Err(error) => {
            Err(Error::new(ErrorClass::Corrupt, format!("Cannot {tried} the vault at {label}: a key file is damaged"))
                .source(error))
        }
    }
}

fn explain(label: &str, tried: &str, error: RusticError) -> Error {
    if error.is_incorrect_password() {
        return Error::new(
            ErrorClass::WrongKey,
            format!("Cannot open the vault at {label}: the password does not open it"),
        )
        .hint("Take the password from this vault's recovery kit");
    }
    let text = error.display_log();
    if text.contains("Config version") {
        return too_new(label);
    }
    if text.contains("already exists") {
        return made_meanwhile(label).detail(text);
    }
    Error::new(ErrorClass::Corrupt, format!("Cannot {tried} the vault at {label}")).detail(text)
}

fn too_new(label: &str) -> Error {
    Error::new(
        ErrorClass::Unsupported,
        format!("Cannot open the vault at {label}: it was written by a newer version of restic or Backstay"),
    )
    .hint("Update Backstay")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use backstay_lab::MemoryDestination;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_newer_format_is_refused_by_name() {
        let memory = MemoryDestination::new();
        let (destination, password) = (Arc::new(memory.clone()), Secret::new("x"));
        let repo = Repo::start(destination.clone(), &password, Access::Create).await.unwrap();
        let newer = format!(r#"{{"version":3,"id":"{}","chunker_polynomial":"3da3358b4dc173","new":1}}"#, repo.id);
        let mut sealed = Vec::new();
        repo.cipher.seal_into(newer.as_bytes(), &mut sealed).unwrap();
        memory.tamper("config", Some(sealed.into()));
        let error = Repo::start(destination, &password, Access::Open).await.err().unwrap();
        assert_eq!(error.class, ErrorClass::Unsupported, "{error:?}");
        assert!(error.message.contains("newer") && error.hint.is_some());
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = zstd::bulk::compress(&vec![0; 10 << 20], 3).unwrap();
        assert!(unpack(&bomb, 1 << 20).is_none());
        assert_eq!(unpack(&bomb, 10 << 20).unwrap().len(), 10 << 20);
    }
}
