//! Parts, each tried again; and the last step, whose lost answer is looked up.

use super::Trier;
use async_trait::async_trait;
use backstay_core::destination::{Destination, Key, PartUpload, StoredPart, WriteMode};
use backstay_core::{ErrorClass, Result};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much of a part's beginning is remembered, to know the object again.
const SAMPLE_BYTES: usize = 64;

pub(super) struct RetryUpload {
    destination: Arc<dyn Destination>,
    key: Key,
    inner: Arc<dyn PartUpload>,
    tries: Arc<Trier>,
    /// The beginning of each part sent, by its offset.
    samples: Mutex<BTreeMap<u64, Vec<u8>>>,
}

impl RetryUpload {
    pub(super) fn new(
        destination: Arc<dyn Destination>,
        key: &Key,
        inner: Arc<dyn PartUpload>,
        tries: Arc<Trier>,
    ) -> Self {
        Self { destination, key: key.clone(), inner, tries, samples: Mutex::default() }
    }

    fn samples(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<u8>>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether the object is what these parts make: its size, and the beginnings of its first and last part sent
    /// here. Whoever completes an upload confirms all of it by its hash anyway.
    async fn is_ours(&self, parts: &[StoredPart]) -> Result<bool> {
        let size: u64 = parts.iter().map(|part| part.size_bytes).sum();
        match self.tries.again(|| self.destination.head(&self.key)).await {
            Ok(info) if info.size_bytes == size => {}
            Ok(_) => return Ok(false),
            Err(error) if error.class == ErrorClass::Missing => return Ok(false),
            Err(error) => return Err(error),
        }
        let samples: Vec<(u64, Vec<u8>)> = {
            let samples = self.samples();
            let ends = [samples.first_key_value(), samples.last_key_value()];
            ends.into_iter().flatten().map(|(offset, sample)| (*offset, sample.clone())).collect()
        };
        for (offset, sample) in samples {
            let range = offset..offset + sample.len() as u64;
            let there = self.tries.again(|| self.destination.get(&self.key, Some(range.clone()))).await?;
            if there != sample {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[async_trait]
impl PartUpload for RetryUpload {
    fn token(&self) -> String {
        self.inner.token()
    }
    fn part_bytes(&self, number: u32) -> u64 {
        self.inner.part_bytes(number)
    }
    async fn stored(&self) -> Result<Vec<StoredPart>> {
        self.tries.again(|| self.inner.stored()).await
    }
    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
        let stored = self.tries.again(|| self.inner.put_part(number, offset, content.clone())).await?;
        let sample = content[..content.len().min(SAMPLE_BYTES)].to_vec();
        let mut samples = self.samples();
        samples.insert(offset, sample);
        // Only the first and the last are looked at.
        if let Some(middle) = samples.keys().nth(1).copied().filter(|_| samples.len() > 2) {
            samples.remove(&middle);
        }
        Ok(stored)
    }
    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        let doubtful = AtomicBool::new(false);
        let complete = || async {
            let result = self.inner.complete(parts, mode).await;
            if result.as_ref().is_err_and(|error| error.class.may_retry()) {
                doubtful.store(true, Ordering::Relaxed);
            }
            result
        };
        let result = self.tries.again(complete).await;
        let Err(error) = &result else { return result };
        // Done already, the upload is no more, or its name is taken: by us?
        let telling = matches!(error.class, ErrorClass::Exists | ErrorClass::Missing);
        if telling && doubtful.load(Ordering::Relaxed) && self.is_ours(parts).await? {
            return Ok(());
        }
        result
    }
    async fn abort(&self) -> Result<()> {
        self.tries.again(|| self.inner.abort()).await
    }
}
