//! Lets rustic_core see a destination: its blocking calls, our async ones.

use super::id::Id;
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
}

impl Backend {
    /// Wraps a destination; `failure` receives the first error.
    pub fn new(destination: Arc<dyn Destination>, runtime: Handle, failure: Arc<Mutex<Option<Error>>>) -> Self {
        Self { destination, runtime, failure }
    }

    /// Leaves out key files that cannot be any: one damaged file must not keep the others from opening the vault.
    async fn sound_keys(&self, objects: Vec<ObjectInfo>) -> Result<Vec<ObjectInfo>> {
        let some = !objects.is_empty();
        let mut sound = Vec::new();
        for object in objects {
            let content = self.destination.get(&object.key, None).await?;
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
            let id = Id::parse(object.key.as_str().rsplit('/').next()?)?;
            Some((RusticId::new(id.0), size))
        });
        Ok(named.collect())
    }

    fn read_full(&self, kind: FileType, id: &RusticId) -> RusticResult<Bytes> {
        self.wait(async { self.destination.get(&key_of(kind, id)?, None).await })
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
        // Of two who make a vault in one place at the same time, one must lose.
        self.wait(async { self.destination.put(&key_of(kind, id)?, content, WriteMode::CreateNew).await })
    }

    fn remove(&self, kind: FileType, id: &RusticId, _: bool) -> RusticResult<()> {
        self.wait(async { self.destination.delete(&key_of(kind, id)?).await })
    }
}
