//! A destination as one of several a backup goes to: what nobody reads back there later is proved as it is written.

use super::begun::Begun;
use async_trait::async_trait;
use backstay_core::destination::{
    Availability, Destination, DestinationCapabilities, Key, ObjectInfo, PartUpload, Swept, WriteMode,
};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::secret::Secret;
use backstay_core::{Error, ErrorClass, Result};
use backstay_transfer::{Sha256Sum, sha256_there};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// One of several destinations.
pub(super) struct LegPlace {
    inner: Arc<dyn Destination>,
    /// Nobody else looks whether what was written is what lies there.
    prove: bool,
    begun: Begun,
}

impl LegPlace {
    /// The place that is read from: the layout proves what it wrote there.
    pub fn first(inner: Arc<dyn Destination>, begun: Begun) -> Arc<Self> {
        Arc::new(Self { inner, prove: false, begun })
    }
    /// A further one.
    pub fn further(inner: Arc<dyn Destination>, begun: Begun) -> Arc<Self> {
        Arc::new(Self { inner, prove: true, begun })
    }

    async fn is_hashed_there(&self, key: &Key, content: &Bytes) -> Result<bool> {
        let Some(found) = sha256_there(&*self.inner, key, content.len() as u64).await? else { return Ok(false) };
        let content = content.clone();
        let hashed = tokio::task::spawn_blocking(move || Sha256Sum::of(&content)).await;
        let ours = hashed.map_err(|error| Error::new(ErrorClass::Internal, "Cannot hash an object").source(error))?;
        Ok(found == ours)
    }

    async fn proved(&self, key: &Key, content: &Bytes) -> Result<()> {
        let size = content.len() as u64;
        let same = match self.inner.capabilities().checks_hash {
            true => self.inner.head(key).await?.size_bytes == size,
            false => self.is_hashed_there(key, content).await? || self.inner.get(key, None).await? == *content,
        };
        if same {
            return Ok(());
        }
        Err(Error::new(ErrorClass::Corrupt, format!("What was written to {} is not what lies there", self.label()))
            .hint("Verify the destination; its disk or its server is not to be trusted")
            .detail(format!("object {key}")))
    }
}

#[async_trait]
impl Destination for LegPlace {
    fn label(&self) -> &str {
        self.inner.label()
    }
    fn capabilities(&self) -> DestinationCapabilities {
        self.inner.capabilities()
    }
    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        match self.inner.put(key, content.clone(), mode).await {
            // An earlier try that was thought lost; anything else there is found below.
            Err(error) if error.class == ErrorClass::Exists && mode == WriteMode::CreateNew => {
                return self.proved(key, &content).await.map_err(|_| error);
            }
            other => other?,
        }
        if self.prove { self.proved(key, &content).await } else { Ok(()) }
    }
    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        self.inner.put_stream(key, content, mode).await
    }
    async fn begin_upload(&self, key: &Key, size: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        self.begun.keep(key, self.inner.begin_upload(key, size).await?).await
    }
    async fn resume_upload(&self, key: &Key, size: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
        self.inner.resume_upload(key, size, token).await
    }
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        self.inner.get(key, range).await
    }
    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        self.inner.get_stream(key, offset).await
    }
    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        self.inner.head(key).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        self.inner.list(prefix).await
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        self.inner.delete(key).await
    }
    async fn space(&self) -> Result<Space> {
        self.inner.space().await
    }
    async fn sha256_there(&self, key: &Key) -> Result<Option<String>> {
        self.inner.sha256_there(key).await
    }
    async fn availability(&self, key: &Key) -> Result<Availability> {
        self.inner.availability(key).await
    }
    async fn thaw(&self, key: &Key, days: u32) -> Result<Availability> {
        self.inner.thaw(key, days).await
    }
    async fn link(&self, key: &Key, valid: Duration) -> Result<Secret> {
        self.inner.link(key, valid).await
    }
    async fn locked_until(&self, key: &Key) -> Result<Option<i64>> {
        self.inner.locked_until(key).await
    }
    async fn extend_lock(&self, key: &Key, until: i64) -> Result<Option<i64>> {
        self.inner.extend_lock(key, until).await
    }
    async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        self.inner.sweep(older_than, spared).await
    }
}
