//! How much is in memory at the same time.

use super::*;
use backstay_core::destination::PartUpload;
use backstay_transfer::BUDGET_BYTES;

/// A stream of zeros that never was in memory.
struct Zeros(u64);

impl tokio::io::AsyncRead for Zeros {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        out: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let count = out.remaining().min(usize::try_from(self.0).unwrap_or(usize::MAX));
        out.initialize_unfilled_to(count).fill(0);
        out.advance(count);
        self.0 -= count as u64;
        std::task::Poll::Ready(Ok(()))
    }
}

/// Takes parts, slowly, keeps none, and counts what is in memory at the same time.
struct Drain {
    part_bytes: u64,
    holds: AtomicU64,
    most: AtomicU64,
    took: AtomicU64,
}

struct DrainUpload(Arc<Drain>);

#[async_trait::async_trait]
impl PartUpload for DrainUpload {
    fn token(&self) -> String {
        String::new()
    }
    fn part_bytes(&self, number: u32) -> u64 {
        // As for S3: parts grow as their count climbs.
        if number > 8 { self.0.part_bytes * 2 } else { self.0.part_bytes }
    }
    async fn stored(&self) -> Result<Vec<backstay_core::destination::StoredPart>> {
        Ok(Vec::new())
    }
    async fn put_part(
        &self,
        number: u32,
        offset: u64,
        content: Bytes,
    ) -> Result<backstay_core::destination::StoredPart> {
        let size_bytes = content.len() as u64;
        let holds = self.0.holds.fetch_add(size_bytes, Ordering::Relaxed) + size_bytes;
        self.0.most.fetch_max(holds, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(10)).await;
        self.0.holds.fetch_sub(size_bytes, Ordering::Relaxed);
        self.0.took.fetch_add(size_bytes, Ordering::Relaxed);
        Ok(backstay_core::destination::StoredPart { number, offset, size_bytes, tag: String::new() })
    }
    async fn complete(&self, _: &[backstay_core::destination::StoredPart], _: WriteMode) -> Result<()> {
        Ok(())
    }
    async fn abort(&self) -> Result<()> {
        Ok(())
    }
}

/// A memory destination whose uploads go down the drain.
struct ToDrain(MemoryDestination, Arc<Drain>);

#[async_trait::async_trait]
impl Destination for ToDrain {
    fn label(&self) -> &str {
        "drain"
    }
    fn capabilities(&self) -> backstay_core::destination::DestinationCapabilities {
        backstay_core::destination::DestinationCapabilities { parallel_parts: 16, ..self.0.capabilities() }
    }
    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        self.0.put(key, content, mode).await
    }
    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        self.0.put_stream(key, content, mode).await
    }
    async fn begin_upload(&self, _: &Key, _: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        Ok(Arc::new(DrainUpload(Arc::clone(&self.1))))
    }
    async fn resume_upload(&self, _: &Key, _: Option<u64>, _: &str) -> Result<Arc<dyn PartUpload>> {
        Ok(Arc::new(DrainUpload(Arc::clone(&self.1))))
    }
    async fn get(&self, key: &Key, range: Option<std::ops::Range<u64>>) -> Result<Bytes> {
        self.0.get(key, range).await
    }
    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        self.0.get_stream(key, offset).await
    }
    async fn head(&self, key: &Key) -> Result<backstay_core::destination::ObjectInfo> {
        self.0.head(key).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<backstay_core::destination::ObjectInfo>> {
        self.0.list(prefix).await
    }
    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.delete(key).await
    }
    async fn space(&self) -> Result<backstay_core::host::Space> {
        self.0.space().await
    }
}

#[tokio::test(start_paused = true)]
async fn memory_stays_bounded_whatever_the_length() {
    for part_bytes in [1 << 20, 16 << 20, 64 << 20] {
        let drain =
            Arc::new(Drain { part_bytes, holds: AtomicU64::new(0), most: AtomicU64::new(0), took: AtomicU64::new(0) });
        let destination = ToDrain(MemoryDestination::new(), Arc::clone(&drain));
        let ctx = RunContext::silent();
        let length = part_bytes * 14 + 5;
        let zeros: ByteStream = Box::new(Zeros(length));
        let done = transfer::upload_stream(&destination, &key("a"), zeros, None, WriteMode::CreateNew, &ctx).await;
        assert_eq!(done.unwrap().size, length);
        assert_eq!(drain.took.load(Ordering::Relaxed), length);
        let most = drain.most.load(Ordering::Relaxed);
        // Beside the parts under way one is being read.
        let reading = if part_bytes == 64 << 20 && most == part_bytes * 2 { part_bytes } else { part_bytes * 2 };
        assert!(most + reading <= BUDGET_BYTES + (64 << 20), "{most} bytes under way with parts of {part_bytes}");
        assert!(most >= part_bytes, "and they are under way at all");
    }
}
