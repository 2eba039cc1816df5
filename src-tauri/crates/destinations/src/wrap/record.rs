//! A record of what was asked and what came of it, for logs and tests.

use async_trait::async_trait;
use backstay_core::destination::{
    Availability, Destination, DestinationCapabilities, Key, ObjectInfo, PartUpload, StoredPart, Swept, WriteMode,
};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::{ErrorClass, Result, Secret};
use bytes::Bytes;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// One call and its outcome. Nothing secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The trait's method.
    pub call: &'static str,
    /// The key; the prefix of a list; empty where there is none.
    pub key: String,
    /// Content bytes handed in or out, where known.
    pub bytes: u64,
    /// How it failed.
    pub failed: Option<ErrorClass>,
    /// How long it took.
    pub took: Duration,
}

type Sink = Arc<dyn Fn(Recorded) + Send + Sync>;

/// A destination that records every call.
pub struct Record {
    inner: Arc<dyn Destination>,
    sink: Sink,
}

impl Record {
    /// Wraps a destination. `sink` is called after each call and must be quick.
    pub fn new(inner: Arc<dyn Destination>, sink: Arc<dyn Fn(Recorded) + Send + Sync>) -> Self {
        Self { inner, sink }
    }
}

async fn note<T>(
    sink: &Sink,
    call: &'static str,
    key: &str,
    bytes: impl FnOnce(&T) -> u64,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let began = Instant::now();
    let result = work.await;
    sink(Recorded {
        call,
        key: key.to_owned(),
        bytes: result.as_ref().map_or(0, bytes),
        failed: result.as_ref().err().map(|error| error.class),
        took: began.elapsed(),
    });
    result
}

fn none<T>(_: &T) -> u64 {
    0
}

#[async_trait]
impl Destination for Record {
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
        let size = content.len() as u64;
        note(&self.sink, "put", key.as_str(), |()| size, self.inner.put(key, content, mode)).await
    }
    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        let work = self.inner.put_stream(key, content, mode);
        note(&self.sink, "put_stream", key.as_str(), |size| *size, work).await
    }
    async fn begin_upload(&self, key: &Key, size: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        let work = self.inner.begin_upload(key, size);
        let inner = note(&self.sink, "begin_upload", key.as_str(), none, work).await?;
        Ok(Arc::new(RecordUpload { inner, sink: Arc::clone(&self.sink), key: key.as_str().to_owned() }))
    }
    async fn resume_upload(&self, key: &Key, size: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
        let work = self.inner.resume_upload(key, size, token);
        let inner = note(&self.sink, "resume_upload", key.as_str(), none, work).await?;
        Ok(Arc::new(RecordUpload { inner, sink: Arc::clone(&self.sink), key: key.as_str().to_owned() }))
    }
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        let size = |content: &Bytes| content.len() as u64;
        note(&self.sink, "get", key.as_str(), size, self.inner.get(key, range)).await
    }
    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        note(&self.sink, "get_stream", key.as_str(), none, self.inner.get_stream(key, offset)).await
    }
    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        note(&self.sink, "head", key.as_str(), none, self.inner.head(key)).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        note(&self.sink, "list", prefix, none, self.inner.list(prefix)).await
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        note(&self.sink, "delete", key.as_str(), none, self.inner.delete(key)).await
    }
    async fn space(&self) -> Result<Space> {
        note(&self.sink, "space", "", none, self.inner.space()).await
    }
    async fn sha256_there(&self, key: &Key) -> Result<Option<String>> {
        note(&self.sink, "sha256_there", key.as_str(), none, self.inner.sha256_there(key)).await
    }
    async fn availability(&self, key: &Key) -> Result<Availability> {
        note(&self.sink, "availability", key.as_str(), none, self.inner.availability(key)).await
    }
    async fn thaw(&self, key: &Key, days: u32) -> Result<Availability> {
        note(&self.sink, "thaw", key.as_str(), none, self.inner.thaw(key, days)).await
    }
    async fn link(&self, key: &Key, valid: Duration) -> Result<Secret> {
        note(&self.sink, "link", key.as_str(), none, self.inner.link(key, valid)).await
    }
    async fn locked_until(&self, key: &Key) -> Result<Option<i64>> {
        note(&self.sink, "locked_until", key.as_str(), none, self.inner.locked_until(key)).await
    }
    async fn extend_lock(&self, key: &Key, until: i64) -> Result<Option<i64>> {
        note(&self.sink, "extend_lock", key.as_str(), none, self.inner.extend_lock(key, until)).await
    }
    async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        note(&self.sink, "sweep", "", none, self.inner.sweep(older_than, spared)).await
    }
}

struct RecordUpload {
    inner: Arc<dyn PartUpload>,
    sink: Sink,
    key: String,
}

#[async_trait]
impl PartUpload for RecordUpload {
    fn token(&self) -> String {
        self.inner.token()
    }
    fn part_bytes(&self, number: u32) -> u64 {
        self.inner.part_bytes(number)
    }
    async fn stored(&self) -> Result<Vec<StoredPart>> {
        note(&self.sink, "stored", &self.key, none, self.inner.stored()).await
    }
    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
        let work = self.inner.put_part(number, offset, content);
        note(&self.sink, "put_part", &self.key, |part| part.size_bytes, work).await
    }
    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        note(&self.sink, "complete", &self.key, none, self.inner.complete(parts, mode)).await
    }
    async fn abort(&self) -> Result<()> {
        note(&self.sink, "abort", &self.key, none, self.inner.abort()).await
    }
}
