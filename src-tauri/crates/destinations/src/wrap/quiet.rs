//! An end to silence: a call during which nothing moves for too long fails as `TimedOut`.

use super::Meter;
use async_trait::async_trait;
use backstay_core::destination::{
    Availability, Destination, DestinationCapabilities, Key, ObjectInfo, PartUpload, StoredPart, Swept, WriteMode,
};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::{Error, ErrorClass, Result, RunContext, Secret};
use backstay_transfer as transfer;
use bytes::Bytes;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Calls that move no bytes of ours while the store works may take so many times as long.
const SLOW: u32 = 5;

/// A destination whose silence ends. What a limit holds back is not silence.
pub struct Quiet {
    inner: Arc<dyn Destination>,
    watch: Watch,
}

#[derive(Clone)]
struct Watch {
    label: String,
    meter: Arc<Meter>,
    patience: Duration,
}

impl Quiet {
    /// Wraps a destination whose traffic passes `meter`.
    pub fn new(inner: Arc<dyn Destination>, meter: Arc<Meter>, patience: Duration) -> Self {
        let label = inner.label().to_owned();
        Self { inner, watch: Watch { label, meter, patience } }
    }
}

impl Watch {
    /// When the silence that began at `since` or later is over; `None` once it lasted too long.
    fn until(&self, since: Instant, patience: Duration) -> Option<Instant> {
        let now = Instant::now();
        if self.meter.is_held() {
            return Some(now + patience);
        }
        let end = since.max(self.meter.last_activity()) + patience;
        (end > now).then_some(end)
    }

    fn error(&self, patience: Duration) -> Error {
        let seconds = patience.as_secs();
        Error::new(ErrorClass::TimedOut, format!("{} does not answer: nothing came for {seconds} seconds", self.label))
            .hint("See whether the network and the store are up")
    }

    async fn over<T>(&self, times: u32, work: impl Future<Output = Result<T>>) -> Result<T> {
        let (began, patience) = (Instant::now(), self.patience * times);
        let mut work = pin!(work);
        let mut end = began + patience;
        loop {
            tokio::select! {
                biased;
                result = &mut work => return result,
                () = tokio::time::sleep_until(end) => match self.until(began, patience) {
                    Some(later) => end = later,
                    None => return Err(self.error(patience)),
                },
            }
        }
    }
}

#[async_trait]
impl Destination for Quiet {
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
        self.watch.over(1, self.inner.put(key, content, mode)).await
    }
    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        // Part by part, so that a slow source is not taken for a silent store.
        let uploaded = transfer::upload_stream(self, key, content, None, mode, &RunContext::silent()).await?;
        Ok(uploaded.size)
    }
    async fn begin_upload(&self, key: &Key, size: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        let inner = self.watch.over(1, self.inner.begin_upload(key, size)).await?;
        Ok(Arc::new(QuietUpload { inner, watch: self.watch.clone() }))
    }
    async fn resume_upload(&self, key: &Key, size: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
        let inner = self.watch.over(1, self.inner.resume_upload(key, size, token)).await?;
        Ok(Arc::new(QuietUpload { inner, watch: self.watch.clone() }))
    }
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        self.watch.over(1, self.inner.get(key, range)).await
    }
    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        let stream = self.watch.over(1, self.inner.get_stream(key, offset)).await?;
        Ok(Box::new(QuietStream { stream, watch: self.watch.clone(), silence: None }))
    }
    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        self.watch.over(1, self.inner.head(key)).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        self.watch.over(SLOW, self.inner.list(prefix)).await
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        self.watch.over(SLOW, self.inner.delete(key)).await
    }
    async fn space(&self) -> Result<Space> {
        self.watch.over(1, self.inner.space()).await
    }
    async fn sha256_there(&self, key: &Key) -> Result<Option<String>> {
        // No bytes move while the server hashes, however long; a connection that is gone tells by itself.
        self.inner.sha256_there(key).await
    }
    async fn availability(&self, key: &Key) -> Result<Availability> {
        self.watch.over(1, self.inner.availability(key)).await
    }
    async fn thaw(&self, key: &Key, days: u32) -> Result<Availability> {
        self.watch.over(1, self.inner.thaw(key, days)).await
    }
    async fn link(&self, key: &Key, valid: Duration) -> Result<Secret> {
        self.watch.over(1, self.inner.link(key, valid)).await
    }
    async fn locked_until(&self, key: &Key) -> Result<Option<i64>> {
        self.watch.over(1, self.inner.locked_until(key)).await
    }
    async fn extend_lock(&self, key: &Key, until: i64) -> Result<Option<i64>> {
        self.watch.over(1, self.inner.extend_lock(key, until)).await
    }
    async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        self.watch.over(SLOW, self.inner.sweep(older_than, spared)).await
    }
}

struct QuietUpload {
    inner: Arc<dyn PartUpload>,
    watch: Watch,
}

#[async_trait]
impl PartUpload for QuietUpload {
    fn token(&self) -> String {
        self.inner.token()
    }
    fn part_bytes(&self, number: u32) -> u64 {
        self.inner.part_bytes(number)
    }
    async fn stored(&self) -> Result<Vec<StoredPart>> {
        self.watch.over(1, self.inner.stored()).await
    }
    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
        self.watch.over(1, self.inner.put_part(number, offset, content)).await
    }
    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        self.watch.over(SLOW, self.inner.complete(parts, mode)).await
    }
    async fn abort(&self) -> Result<()> {
        self.watch.over(1, self.inner.abort()).await
    }
}

/// A stream whose silence ends. Only while somebody waits for it: a reader that does not read is no silence.
struct QuietStream {
    stream: ByteStream,
    watch: Watch,
    silence: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl AsyncRead for QuietStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(result) = Pin::new(&mut this.stream).poll_read(cx, out) {
            this.silence = None;
            return Poll::Ready(result);
        }
        let patience = this.watch.patience;
        let (began, sleep) = this.silence.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(tokio::time::sleep_until(now + patience)))
        });
        loop {
            ready!(sleep.as_mut().poll(cx));
            match this.watch.until(*began, patience) {
                Some(later) => sleep.as_mut().reset(later),
                None => return Poll::Ready(Err(this.watch.error(patience).into())),
            }
        }
    }
}
