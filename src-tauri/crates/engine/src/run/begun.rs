//! Uploads a backup began and no later one can go on with, since its source is read anew: what a kill left of them is
//! ended by the plan's next backup, not only swept after days. Some stores bill for it until then.

use super::Job;
use crate::backstay::Inner;
use async_trait::async_trait;
use backstay_core::destination::{Destination, Key, PartUpload, StoredPart, WriteMode};
use backstay_core::store::Store;
use backstay_core::{DestinationId, ErrorClass, PlanId, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A backup does not wait longer for the end of an old upload.
const LIMIT: Duration = Duration::from_secs(20);

/// What is kept of an upload while it runs.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    token: String,
}

/// Keeps which uploads a plan has begun at a destination.
#[derive(Clone)]
pub(super) struct Begun {
    store: Arc<dyn Store>,
    prefix: String,
}

impl Begun {
    pub fn new(inner: &Inner, plan: &PlanId, destination: &DestinationId) -> Self {
        Self { store: inner.store.clone(), prefix: format!("begun/{destination}/{plan}/") }
    }

    /// Keeps an upload until it is completed or ended. One that cannot be kept is ended at once.
    pub async fn keep(&self, key: &Key, upload: Arc<dyn PartUpload>) -> Result<Arc<dyn PartUpload>> {
        let token = upload.token();
        let name = format!("{}{key}", self.prefix);
        let kept = Kept { key: key.as_str().to_owned(), token };
        let text = serde_json::to_string(&kept).unwrap_or_default();
        if let Err(error) = self.store.put_transfer(&name, &text) {
            if let Err(left) = upload.abort().await {
                tracing::info!(%left, %key, "an upload that could not be noted is left to the sweep");
            }
            return Err(error);
        }
        Ok(Arc::new(KeptUpload { inner: upload, store: self.store.clone(), name }))
    }

    /// Ends what an earlier backup of the plan was killed in. No two backups of a plan run at the same time.
    pub async fn end_old(&self, job: &Job, place: &dyn Destination) -> Result<()> {
        for (name, text) in self.store.transfers(&self.prefix)? {
            if let Ok(kept) = serde_json::from_str::<Kept>(&text)
                && let Ok(key) = Key::new(kept.key)
            {
                let ended = async { place.resume_upload(&key, None, &kept.token).await?.abort().await };
                match tokio::time::timeout(LIMIT, job.ctx.or_cancel(ended)).await {
                    Ok(Ok(())) => job.log(format!("An unfinished upload of {key} at {} was ended", place.label())),
                    Ok(Err(error)) if error.class == ErrorClass::Missing => {}
                    Ok(Err(error)) if error.is_cancelled() => return Err(error),
                    // The next backup tries again, and what is left for days is swept.
                    Ok(Err(_)) | Err(_) => continue,
                }
            }
            self.store.delete_transfer(&name)?;
        }
        Ok(())
    }
}

/// An upload that is forgotten once it is over.
struct KeptUpload {
    inner: Arc<dyn PartUpload>,
    store: Arc<dyn Store>,
    name: String,
}

impl KeptUpload {
    fn forget(&self) {
        if let Err(error) = self.store.delete_transfer(&self.name) {
            tracing::info!(%error, name = %self.name, "an upload that is over is still kept as begun");
        }
    }
}

#[async_trait]
impl PartUpload for KeptUpload {
    fn token(&self) -> String {
        self.inner.token()
    }
    fn part_bytes(&self, number: u32) -> u64 {
        self.inner.part_bytes(number)
    }
    async fn stored(&self) -> Result<Vec<StoredPart>> {
        self.inner.stored().await
    }
    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
        self.inner.put_part(number, offset, content).await
    }
    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        self.inner.complete(parts, mode).await?;
        self.forget();
        Ok(())
    }
    async fn abort(&self) -> Result<()> {
        self.inner.abort().await?;
        self.forget();
        Ok(())
    }
}
