//! Storing objects, and proving that what lies there is what was written.

use super::id::Id;
use super::repo::{Repo, internal, pack_key};
use backstay_core::destination::{Key, WriteMode};
use backstay_core::{Error, ErrorClass, Result};
use backstay_transfer::sha256_there;
use bytes::Bytes;

impl Repo {
    /// Proves that an object lies there as it was written: by its size where the store checked its hash when it took it,
    /// by the hash the server itself finds there, else by reading all of it back.
    pub async fn prove_there(&self, key: &Key, id: &Id, size: u64) -> Result<()> {
        if self.destination.capabilities().checks_hash {
            let there = self.destination.head(key).await?.size_bytes;
            if there != size {
                return Err(self.not_as_written(format!("{key} has {there} bytes instead of {size}")));
            }
            // Asked again: of several destinations, one that checks nothing may have taken over and answered.
            if self.destination.capabilities().checks_hash {
                return Ok(());
            }
        }
        if sha256_there(&*self.destination, key, size).await?.is_some_and(|found| found == id.hex()) {
            return Ok(());
        }
        let content = self.destination.get(key, None).await?;
        let there = content.len() as u64;
        let id = *id;
        let same = tokio::task::spawn_blocking(move || Id::of(&content) == id).await;
        match same.map_err(|error| internal("Cannot prove an object").source(error))? {
            true => Ok(()),
            false => {
                Err(self
                    .not_as_written(format!("{key} has {there} bytes, {size} were written, and the checksum differs")))
            }
        }
    }

    /// Makes the error of an object that is not what was written.
    pub fn not_as_written(&self, detail: String) -> Error {
        let message = format!("What was written to {} is not what lies there", self.label());
        Error::new(ErrorClass::Corrupt, message).detail(detail)
    }

    /// Stores a pack and proves it. One that fails its proof does not stay: of the right size, it would pass for whole.
    pub async fn put_pack(&self, id: &Id, content: Bytes) -> Result<()> {
        let (key, size) = (pack_key(id)?, content.len() as u64);
        self.put(&key, content).await?;
        let proved = self.prove_there(&key, id, size).await;
        if proved.as_ref().is_err_and(|error| error.class == ErrorClass::Corrupt) {
            self.destination.delete(&key).await?;
        }
        proved
    }

    /// Stores an object named by its own checksum. What is there under that name with the same size is the same object:
    /// an earlier try that was thought lost.
    pub async fn put(&self, key: &Key, content: Bytes) -> Result<()> {
        let size = content.len() as u64;
        match self.destination.put(key, content.clone(), WriteMode::CreateNew).await {
            Err(error) if error.class == ErrorClass::Exists => {
                if self.destination.head(key).await?.size_bytes == size {
                    return Ok(());
                }
                self.destination.put(key, content, WriteMode::Replace).await
            }
            other => other,
        }
    }
}
