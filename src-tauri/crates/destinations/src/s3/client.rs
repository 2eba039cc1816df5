//! The bucket itself: what all calls share, and the trait over it.

use super::config;
use super::upload::S3Upload;
use super::wire::Sight;
use crate::tls::LastShown;
use async_trait::async_trait;
use aws_sdk_s3::Client;
use backstay_core::config::{DestinationLogin, S3Place};
use backstay_core::destination::{
    Availability, Destination, DestinationCapabilities, Key, ObjectInfo, PartUpload, Swept, Traffic, WriteMode,
};
use backstay_core::entry::ByteStream;
use backstay_core::host::Space;
use backstay_core::{Error, ErrorClass, Result, Secret};
use bytes::Bytes;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Parts of one upload under way at the same time.
pub(super) const PARALLEL_PARTS: u8 = 4;
/// Whole objects under way at the same time: stores are far away, so that waiting, not the line, costs the time.
const PARALLEL_OBJECTS: u8 = 16;

/// A bucket, or a folder in one, as a destination.
#[derive(Clone)]
pub struct S3 {
    pub(super) store: Arc<Store>,
}

/// What all calls share.
pub(super) struct Store {
    pub(super) label: String,
    pub(super) place: S3Place,
    pub(super) address: config::Address,
    pub(super) client: Client,
    pub(super) secret: Secret,
    pub(super) sight: Arc<Sight>,
    /// What the store showed, where it may show nothing but the one certificate the user accepted.
    pub(super) shown: Option<Arc<LastShown>>,
    /// Whether the bucket keeps old versions; asked once.
    pub(super) versioned: OnceCell<bool>,
    /// The store was found not to know the second version of the list call.
    pub(super) list_v1: AtomicBool,
    /// Keys whose conditional write broke off without an answer: they may have been written.
    unsure: Mutex<HashSet<Key>>,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3").field("label", &self.store.label).finish_non_exhaustive()
    }
}

impl S3 {
    /// Opens a bucket. Nothing is asked of the store before the first call.
    pub fn open(label: &str, place: &S3Place, login: &DestinationLogin, traffic: Arc<dyn Traffic>) -> Result<Self> {
        let (place, address) = config::check(label, place)?;
        let Some(secret) = login.secret.clone().filter(|secret| !secret.expose().trim().is_empty()) else {
            return Err(Error::new(
                ErrorClass::Refused,
                format!("Cannot log in to {label}: its secret key is missing"),
            )
            .hint("Enter the secret key of its access key again"));
        };
        let (http, shown) = config::http_client(label, &place)?;
        let sight = Arc::new(Sight::new());
        let client = config::client(&place, &secret, http, traffic, Arc::clone(&sight));
        let slash = if place.prefix.is_empty() { "" } else { "/" };
        let label = format!("{label} (s3://{}{slash}{})", place.bucket, place.prefix);
        let list_v1 = AtomicBool::new(place.list_v1);
        Ok(Self {
            store: Arc::new(Store {
                label,
                place,
                address,
                client,
                secret,
                sight,
                shown,
                versioned: OnceCell::new(),
                list_v1,
                unsure: Mutex::default(),
            }),
        })
    }
}

impl Store {
    /// Returns the name the store knows a key by.
    pub(super) fn name(&self, key: &Key) -> String {
        self.full(key.as_str())
    }

    /// Puts our prefix before a text.
    pub(super) fn full(&self, text: &str) -> String {
        if self.place.prefix.is_empty() { text.to_owned() } else { format!("{}/{text}", self.place.prefix) }
    }

    /// Returns the key behind a name of the store's; `None` for what is not ours.
    pub(super) fn key_of(&self, name: &str) -> Option<Key> {
        let ours = if self.place.prefix.is_empty() {
            name
        } else {
            name.strip_prefix(&self.place.prefix)?.strip_prefix('/')?
        };
        Key::new(ours).ok()
    }

    /// Remembers whether a conditional write of this key may have gone through unseen.
    pub(super) fn set_unsure(&self, key: &Key, unsure: bool) {
        let mut keys = self.unsure.lock().unwrap_or_else(PoisonError::into_inner);
        if unsure {
            keys.insert(key.clone());
        } else {
            keys.remove(key);
        }
    }

    pub(super) fn is_unsure(&self, key: &Key) -> bool {
        self.unsure.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }
}

#[async_trait]
impl Destination for S3 {
    fn label(&self) -> &str {
        &self.store.label
    }

    fn backend(&self) -> Option<&(dyn std::any::Any + Send + Sync)> {
        Some(self)
    }

    fn capabilities(&self) -> DestinationCapabilities {
        DestinationCapabilities {
            atomic_create: self.store.place.conditional_writes,
            atomic_replace: true,
            parallel_ranges: 4,
            space: false,
            parallel_parts: PARALLEL_PARTS,
            parallel_objects: PARALLEL_OBJECTS,
            checks_hash: self.store.place.checks_md5 || self.store.place.checksums,
            links: true,
        }
    }

    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        self.store.put_small(key, content, mode).await
    }

    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        self.store.put_stream(key, content, mode).await
    }

    async fn begin_upload(&self, key: &Key, size: Option<u64>) -> Result<Arc<dyn PartUpload>> {
        Ok(Arc::new(S3Upload::begin(&self.store, key, size).await?))
    }

    async fn resume_upload(&self, key: &Key, size: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>> {
        Ok(Arc::new(S3Upload::resume(&self.store, key, size, token).await?))
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        self.store.read(key, range).await
    }

    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        self.store.read_stream(key, offset).await
    }

    async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        self.store.look_at(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        self.store.list_below(prefix).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.store.remove(key).await
    }

    async fn space(&self) -> Result<Space> {
        Err(Error::new(ErrorClass::Unsupported, format!("{} does not tell its free room", self.store.label)))
    }

    async fn availability(&self, key: &Key) -> Result<Availability> {
        self.store.availability(key).await
    }

    async fn thaw(&self, key: &Key, days: u32) -> Result<Availability> {
        self.store.thaw(key, days).await
    }

    async fn link(&self, key: &Key, valid: Duration) -> Result<Secret> {
        self.store.link(key, valid).await
    }

    async fn locked_until(&self, key: &Key) -> Result<Option<i64>> {
        self.store.locked_until(key, None).await
    }

    async fn extend_lock(&self, key: &Key, until: i64) -> Result<Option<i64>> {
        self.store.extend_lock(key, until).await
    }

    async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        self.store.sweep(older_than, spared).await
    }
}
