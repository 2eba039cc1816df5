//! The way to the folder.

use async_trait::async_trait;
use backstay_core::destination::{Destination, DestinationCapabilities, Key, ObjectInfo, PartUpload, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// A folder as a destination.
pub struct Ftp {
    pub(super) label: String,
}

impl Ftp {
    fn unready<R>(&self) -> Result<R> {
        Err(Error::new(ErrorClass::Unsupported, format!("Cannot use {} yet", self.label)))
    }
}

#[async_trait]
impl Destination for Ftp {
    fn label(&self) -> &str {
        &self.label
    }
    fn capabilities(&self) -> DestinationCapabilities {
        DestinationCapabilities { parallel_parts: 1, parallel_objects: 1, ..DestinationCapabilities::default() }
    }
    async fn put(&self, _: &Key, _: Bytes, _: WriteMode) -> Result<()> {
        self.unready()
    }
    async fn put_stream(&self, _: &Key, _: ByteStream, _: WriteMode) -> Result<u64> {
        self.unready()
    }
    async fn begin_upload(&self, _: &Key, _: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        self.unready()
    }
    async fn resume_upload(&self, _: &Key, _: Option<u64>, _: &str) -> Result<Arc<dyn PartUpload>> {
        self.unready()
    }
    async fn get(&self, _: &Key, _: Option<Range<u64>>) -> Result<Bytes> {
        self.unready()
    }
    async fn get_stream(&self, _: &Key, _: u64) -> Result<ByteStream> {
        self.unready()
    }
    async fn head(&self, _: &Key) -> Result<ObjectInfo> {
        self.unready()
    }
    async fn list(&self, _: &str) -> Result<Vec<ObjectInfo>> {
        self.unready()
    }
    async fn delete(&self, _: &Key) -> Result<()> {
        self.unready()
    }
    async fn space(&self) -> Result<Space> {
        self.unready()
    }
}
