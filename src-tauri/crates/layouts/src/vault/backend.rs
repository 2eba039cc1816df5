//! Lets rustic_core see a destination: its blocking calls, our async ones.

use super::id::Id;
use super::object::read_object;
use backstay_core::destination::{Destination, Key, ObjectInfo, WriteMode};
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id as RusticId, ReadBackend, RusticError, RusticResult, WriteBackend,
};
use serde::Deserialize;
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;

/// A destination as rustic_core's backend. Only for threads that may block (`spawn_blocking`).
///
/// rustic_core's errors carry no class of ours, so the first error of the destination is kept beside them.
pub(crate) struct Backend {
    destination: Arc<dyn Destination>,
    runtime: Handle,
    failure: Arc<Mutex<Option<Error>>>,
    /// The key it stored for a vault that is being made.
    own_key: Mutex<Option<Key>>,
}

impl Backend {
    /// Wraps a destination; `failure` receives the first error.
    pub fn new(destination: Arc<dyn Destination>, runtime: Handle, failure: Arc<Mutex<Option<Error>>>) -> Self {
        Self { destination, runtime, failure, own_key: Mutex::default() }
    }

    /// Leaves out key files that cannot be any: one damaged file must not keep the others from opening the vault.
    async fn sound_keys(&self, objects: Vec<ObjectInfo>) -> Result<Vec<ObjectInfo>> {
        let some = !objects.is_empty();
        let mut sound = Vec::new();
        for object in objects {
            let content = match read_object(self.destination.as_ref(), &object.key).await {
                Err(error) if error.class == ErrorClass::Corrupt => continue,
                other => other?,
            };
            if serde_json::from_slice::<KeyCosts>(&content).is_ok_and(|costs| costs.are_sound()) {
                sound.push(object);
            }
        }
        if some && sound.is_empty() {
            let text = format!("Cannot open the vault at {}: its key files are damaged", self.destination.label());
            return Err(Error::new(ErrorClass::Corrupt, text)
                .hint("Bring the folder \"keys\" back from another copy of the vault"));
        }
        Ok(sound)
    }

    async fn store(&self, kind: FileType, id: &RusticId, content: Bytes) -> Result<()> {
        let key = key_of(kind, id)?;
        let stored = self.destination.put(&key, content, WriteMode::CreateNew).await;
        match kind {
            FileType::Key if stored.is_ok() => {
                if let Ok(mut own) = self.own_key.lock() {
                    *own = Some(key);
                }
            }
            FileType::Config => return self.settle_keys(stored).await,
            _ => {}
        }
        stored
    }

    /// Of two who make a vault in one place at the same time, whose config came first has won. He takes away all keys but
    /// his own, those of makings that were interrupted too: they open nothing, and with the same password they would hide
    /// his. Not before: a key of somebody who may still win looks the same. Who has lost takes away his own.
    async fn settle_keys(&self, stored: Result<()>) -> Result<()> {
        let own = self.own_key.lock().ok().and_then(|own| own.clone());
        match stored {
            Ok(()) => {
                // The vault is made by now; a key that cannot be removed is no failure.
                for object in self.destination.list("keys/").await.unwrap_or_default() {
                    if own.as_ref() != Some(&object.key) {
                        let _ = self.destination.delete(&object.key).await;
                    }
                }
                Ok(())
            }
            Err(error) if error.class == ErrorClass::Exists => {
                if let Some(own) = own {
                    let _ = self.destination.delete(&own).await;
                }
                Err(made_meanwhile(self.destination.label()))
            }
            Err(error) => Err(error),
        }
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> RusticResult<T> {
        self.runtime.block_on(work).map_err(|error| {
            let text = error.message.clone();
            if let Ok(mut failure) = self.failure.lock() {
                failure.get_or_insert(error);
            }
            RusticError::new(ErrorKind::Backend, text)
        })
    }
}

/// The costs of deriving a key, as a key file states them.
#[derive(Deserialize)]
struct KeyCosts {
    #[serde(rename = "N")]
    n: u64,
    r: u64,
    p: u64,
}

impl KeyCosts {
    /// Absurd costs are a damaged or hostile file: they would take all memory, or make the derivation panic.
    fn are_sound(&self) -> bool {
        let memory = self.n.saturating_mul(self.r).saturating_mul(128);
        self.n.is_power_of_two() && self.n > 1 && (1..=64).contains(&self.p) && self.r > 0 && memory <= 1 << 30
    }
}

/// Makes the error of who lost to somebody else's vault.
pub(crate) fn made_meanwhile(label: &str) -> Error {
    let text = format!("Cannot make a vault at {label}: somebody else made one there at the same time");
    Error::new(ErrorClass::Exists, text).hint("Open that vault with its password, or choose another place")
}

fn key_of(kind: FileType, id: &RusticId) -> Result<Key> {
    let id = id.to_hex();
    match kind {
        FileType::Config => Key::new("config"),
        FileType::Pack => Key::new(format!("data/{}/{}", &id[..2], &*id)),
        other => Key::new(format!("{}/{}", other.dirname(), &*id)),
    }
}

impl ReadBackend for Backend {
    fn location(&self) -> String {
        self.destination.label().to_owned()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(RusticId, u32)>> {
        let prefix = if kind == FileType::Config { "config".to_owned() } else { format!("{}/", kind.dirname()) };
        let mut objects = self.wait(self.destination.list(&prefix))?;
        if kind == FileType::Key {
            objects = self.wait(self.sound_keys(objects))?;
        }
        let named = objects.into_iter().filter_map(|object| {
            let size = u32::try_from(object.size_bytes).ok()?;
            if kind == FileType::Config {
                return (object.key.as_str() == "config").then(|| (RusticId::default(), size));
            }
            let id = Id::of_key(object.key.as_str())?;
            Some((RusticId::new(id.0), size))
        });
        Ok(named.collect())
    }

    fn read_full(&self, kind: FileType, id: &RusticId) -> RusticResult<Bytes> {
        // Only configs and keys are read by it.
        self.wait(async { read_object(self.destination.as_ref(), &key_of(kind, id)?).await })
    }

    fn read_partial(&self, kind: FileType, id: &RusticId, _: bool, offset: u32, length: u32) -> RusticResult<Bytes> {
        let range = u64::from(offset)..u64::from(offset) + u64::from(length);
        self.wait(async { self.destination.get(&key_of(kind, id)?, Some(range)).await })
    }

    fn warmup_path(&self, kind: FileType, id: &RusticId) -> String {
        format!("{}/{}", kind.dirname(), &*id.to_hex())
    }
}

impl WriteBackend for Backend {
    fn write_bytes(&self, kind: FileType, id: &RusticId, _: bool, content: BytesList) -> RusticResult<()> {
        let parts = content.into_vec();
        let content = match parts.as_slice() {
            [one] => one.clone(),
            many => Bytes::from(many.concat()),
        };
        self.wait(self.store(kind, id, content))
    }

    fn remove(&self, kind: FileType, id: &RusticId, _: bool) -> RusticResult<()> {
        self.wait(async { self.destination.delete(&key_of(kind, id)?).await })
    }
}
