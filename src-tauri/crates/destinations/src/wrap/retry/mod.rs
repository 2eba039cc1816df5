//! Another try, by the class of what failed.

mod gate;
mod patience;
mod stream;
mod upload;

pub use patience::{OnRetry, Patience};

use async_trait::async_trait;
use backstay_core::destination::{
    Availability, Destination, DestinationCapabilities, Key, ObjectInfo, PartUpload, Swept, WriteMode,
};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::{ErrorClass, Result, RunContext, Secret};
use backstay_transfer as transfer;
use bytes::Bytes;
use gate::Gate;
use patience::Tries;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stream::RetryStream;
use upload::RetryUpload;

/// A destination whose calls are tried again while that may help (see [`ErrorClass::may_retry`]).
///
/// A write that failed may have been done all the same, its answer lost: when the next try finds the name taken, what
/// lies there is compared with what was written before it is called `Exists`.
pub struct Retry {
    inner: Arc<dyn Destination>,
    tries: Arc<Trier>,
}

impl Retry {
    /// Wraps a destination.
    pub fn new(inner: Arc<dyn Destination>, patience: Patience) -> Self {
        let label = inner.label().to_owned();
        Self { inner, tries: Arc::new(Trier { label, patience, gate: Gate::default(), on_retry: None }) }
    }
    /// Calls `on_retry` before each wait: what failed, and how long the wait is.
    #[must_use]
    pub fn on_retry(mut self, on_retry: OnRetry) -> Self {
        let Trier { label, patience, .. } = &*self.tries;
        let (label, patience) = (label.clone(), patience.clone());
        self.tries = Arc::new(Trier { label, patience, gate: Gate::default(), on_retry: Some(on_retry) });
        self
    }

    async fn is_ours(&self, key: &Key, content: &Bytes) -> Result<bool> {
        let there = self.tries.again(|| self.inner.head(key)).await?;
        if there.size_bytes != content.len() as u64 {
            return Ok(false);
        }
        Ok(self.tries.again(|| self.inner.get(key, None)).await? == *content)
    }
}

/// What tries share: patience, and how many calls the store bears at the same time.
pub(super) struct Trier {
    label: String,
    patience: Patience,
    gate: Gate,
    on_retry: Option<OnRetry>,
}

impl Trier {
    /// Makes a call again and again, as far as that may help.
    async fn again<T, Work>(&self, call: impl Fn() -> Work) -> Result<T>
    where
        Work: Future<Output = Result<T>>,
    {
        let mut tries = self.begin();
        loop {
            match self.once(call()).await {
                Ok(done) => return Ok(done),
                Err(error) => tries.wait(error).await?,
            }
        }
    }

    /// Makes a call once, when the store bears another one.
    async fn once<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let pass = self.gate.enter().await;
        let result = call.await;
        pass.leave(result.as_ref().err().map(|error| error.class));
        result
    }

    fn begin(&self) -> Tries<'_> {
        Tries::new(&self.label, &self.patience, self.on_retry.as_ref())
    }
}

#[async_trait]
impl Destination for Retry {
    fn label(&self) -> &str {
        self.inner.label()
    }
    fn capabilities(&self) -> DestinationCapabilities {
        self.inner.capabilities()
    }
    fn backend(&self) -> Option<&(dyn std::any::Any + Send + Sync)> {
        self.inner.backend()
    }
    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        let doubtful = AtomicBool::new(false);
        let put = || async {
            let result = self.inner.put(key, content.clone(), mode).await;
            if result.as_ref().is_err_and(|error| error.class.may_retry()) {
                doubtful.store(true, Ordering::Relaxed);
            }
            result
        };
        match self.tries.again(put).await {
            Err(taken) if taken.class == ErrorClass::Exists && doubtful.load(Ordering::Relaxed) => {
                if self.is_ours(key, &content).await? { Ok(()) } else { Err(taken) }
            }
            result => result,
        }
    }
    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        // A stream cannot be read twice; its parts can be sent twice.
        let uploaded = transfer::upload_stream(self, key, content, None, mode, &RunContext::silent()).await?;
        Ok(uploaded.size)
    }
    async fn begin_upload(&self, key: &Key, size: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        let upload = self.tries.again(|| self.inner.begin_upload(key, size)).await?;
        Ok(Arc::new(RetryUpload::new(Arc::clone(&self.inner), key, upload, Arc::clone(&self.tries))))
    }
    async fn resume_upload(&self, key: &Key, size: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
        let upload = self.tries.again(|| self.inner.resume_upload(key, size, token)).await?;
        Ok(Arc::new(RetryUpload::new(Arc::clone(&self.inner), key, upload, Arc::clone(&self.tries))))
    }
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        self.tries.again(|| self.inner.get(key, range.clone())).await
    }
    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        let stream = self.tries.again(|| self.inner.get_stream(key, offset)).await?;
        Ok(Box::new(RetryStream::new(Arc::clone(&self.inner), key, offset, stream, Arc::clone(&self.tries))))
    }
    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        self.tries.again(|| self.inner.head(key)).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        self.tries.again(|| self.inner.list(prefix)).await
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        self.tries.again(|| self.inner.delete(key)).await
    }
    async fn space(&self) -> Result<Space> {
        self.tries.again(|| self.inner.space()).await
    }
    async fn sha256_there(&self, key: &Key) -> Result<Option<String>> {
        self.tries.again(|| self.inner.sha256_there(key)).await
    }
    async fn availability(&self, key: &Key) -> Result<Availability> {
        self.tries.again(|| self.inner.availability(key)).await
    }
    async fn thaw(&self, key: &Key, days: u32) -> Result<Availability> {
        self.tries.again(|| self.inner.thaw(key, days)).await
    }
    async fn link(&self, key: &Key, valid: Duration) -> Result<Secret> {
        self.tries.again(|| self.inner.link(key, valid)).await
    }
    async fn locked_until(&self, key: &Key) -> Result<Option<i64>> {
        self.tries.again(|| self.inner.locked_until(key)).await
    }
    async fn extend_lock(&self, key: &Key, until: i64) -> Result<Option<i64>> {
        self.tries.again(|| self.inner.extend_lock(key, until)).await
    }
    async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        self.tries.again(|| self.inner.sweep(older_than, spared)).await
    }
}
