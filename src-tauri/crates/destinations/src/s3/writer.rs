//! Writing objects: whole ones in one request, streams in parts once they outgrow one.

use super::client::{PARALLEL_PARTS, Store};
use super::errors::{Act, Answer};
use super::lock;
use super::upload::S3Upload;
use aws_sdk_s3::primitives::ByteStream as Body;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use backstay_core::destination::{Key, PartUpload, StoredPart, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::{Error, ErrorClass, Result};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::sync::Arc;
use tokio::io::AsyncReadExt;

/// What parts on their way may hold of memory together; large parts go fewer at a time.
const MEMORY_FOR_PARTS: u64 = 128 << 20;

/// How the store keeps an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Ready to be read at any time: all but the archives themselves.
    Ready,
    /// As the place says for archives: a storage class of its own.
    AsArchive,
}

impl Store {
    /// Storage class and lock hold for archives alone: what the vault could not read, overwrite or delete any more
    /// would make it useless.
    pub(super) fn is_archive(key: &Key) -> bool {
        key.as_str().starts_with("archives/")
    }

    pub(super) fn encryption(&self) -> Option<ServerSideEncryption> {
        self.place.encryption.as_deref().filter(|kind| !kind.is_empty()).map(ServerSideEncryption::from)
    }

    pub(super) fn kms_key(&self) -> Option<String> {
        let kms = self.place.encryption.as_deref().is_some_and(|kind| kind.starts_with("aws:kms"));
        self.place.kms_key.clone().filter(|key| kms && !key.is_empty())
    }

    pub(super) fn storage_class(&self, key: &Key) -> Option<StorageClass> {
        let class = self.place.storage_class.as_deref().filter(|class| !class.is_empty() && *class != "STANDARD");
        class.filter(|_| Self::is_archive(key)).map(StorageClass::from)
    }

    pub(super) async fn put_small(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        self.put_whole(key, content, mode, Kept::Ready).await
    }

    async fn put_whole(&self, key: &Key, content: Bytes, mode: WriteMode, kept: Kept) -> Result<()> {
        let tried = format!("Cannot write {key} on {}", self.label);
        let conditional = mode == WriteMode::CreateNew && self.place.conditional_writes;
        if mode == WriteMode::CreateNew && !conditional {
            self.look_before(key, &tried).await?;
        }
        let lock = self.lock(key);
        let sent = self
            .client
            .put_object()
            .bucket(&self.place.bucket)
            .key(self.name(key))
            .content_length(i64::try_from(content.len()).unwrap_or(i64::MAX))
            .body(Body::from(content.clone()))
            .set_if_none_match(conditional.then(|| "*".to_owned()))
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.kms_key())
            .set_storage_class(self.storage_class(key).filter(|_| kept == Kept::AsArchive))
            .set_object_lock_mode(lock.as_ref().map(|lock| lock.mode.clone()))
            .set_object_lock_retain_until_date(lock.map(|lock| lock.until))
            .send()
            .await;
        let Err(error) = sent else {
            self.set_unsure(key, false);
            return Ok(());
        };
        let answer = Answer::of(&error);
        let error = self.failed(Act::Write, &tried, error);
        if !conditional {
            return Err(error);
        }
        match answer {
            Some(answer) if matches!(answer.status, 409 | 412) => {
                self.after_conflict(key, &tried, error, &content).await
            }
            Some(_) => Err(error),
            // It may have been written all the same; the next try must not take its own object for another's.
            None => {
                self.set_unsure(key, true);
                Err(error)
            }
        }
    }

    /// Refuses to go on when the key is taken. For stores that do not refuse by themselves.
    pub(super) async fn look_before(&self, key: &Key, tried: &str) -> Result<()> {
        match self.look_at(key).await {
            Ok(_) => Err(taken(tried)),
            Err(error) if error.class == ErrorClass::Missing => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A conditional write met a conflict: is it ours, another's, or only one under way?
    async fn after_conflict(&self, key: &Key, tried: &str, error: Error, content: &Bytes) -> Result<()> {
        let there = match self.look_at(key).await {
            Ok(info) => info,
            // Somebody else's write was under way and came to nothing: to be tried again.
            Err(look) if look.class == ErrorClass::Missing => {
                let busy = "the store is still busy with another write of it";
                return Err(Error::new(ErrorClass::Throttled, format!("{tried}: {busy}"))
                    .detail(error.detail.unwrap_or_default()));
            }
            Err(look) => return Err(look),
        };
        if self.is_unsure(key) {
            let same = there.size_bytes == content.len() as u64 && self.read(key, None).await? == *content;
            self.set_unsure(key, false);
            if same {
                return Ok(());
            }
        }
        Err(taken(tried))
    }

    /// Stores a stream. What fits in one part goes in one request; the rest in parts, some at the same time.
    pub(super) async fn put_stream(
        self: &Arc<Self>,
        key: &Key,
        mut content: ByteStream,
        mode: WriteMode,
    ) -> Result<u64> {
        let tried = format!("Cannot write {key} on {}", self.label);
        let first = fill(&mut content, S3Upload::first_part(), &tried).await?;
        if (first.len() as u64) < S3Upload::first_part() {
            let size = first.len() as u64;
            self.put_whole(key, first, mode, Kept::AsArchive).await?;
            return Ok(size);
        }
        if mode == WriteMode::CreateNew {
            self.look_before(key, &tried).await?;
        }
        let upload = Arc::new(S3Upload::begin(self, key, None).await?);
        let guard = AbortIfDropped(Some(Arc::clone(&upload)));
        let done = async {
            let parts = send_parts(&upload, first, &mut content, &tried).await?;
            upload.complete(&parts, mode).await?;
            Ok(parts.iter().map(|part| part.size_bytes).sum())
        }
        .await;
        guard.defuse();
        if done.is_err() {
            // What stays of it is swept later; the first error is the one that counts.
            let _ = upload.abort().await;
        }
        done
    }
}

pub(super) fn taken(tried: &str) -> Error {
    Error::new(ErrorClass::Exists, format!("{tried}: it is there already"))
}

/// Reads until `size` bytes are there or the stream ends.
async fn fill(content: &mut ByteStream, size: u64, tried: &str) -> Result<Bytes> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut part = BytesMut::new();
    while part.len() < size {
        part.reserve((size - part.len()).min(1 << 20));
        let mut room = (&mut *content).take((size - part.len()) as u64);
        // The source's error keeps its own class: it is not this store's fault.
        if room.read_buf(&mut part).await.map_err(|error| Error::io(tried, error))? == 0 {
            break;
        }
    }
    Ok(part.freeze())
}

async fn send_parts(upload: &S3Upload, first: Bytes, content: &mut ByteStream, tried: &str) -> Result<Vec<StoredPart>> {
    let mut under_way = FuturesUnordered::new();
    let mut parts = Vec::new();
    let (mut number, mut offset, mut next) = (1, 0, first);
    while !next.is_empty() {
        let length = next.len() as u64;
        under_way.push(upload.put_part(number, offset, next));
        let at_once = (MEMORY_FOR_PARTS / length.max(1)).clamp(1, u64::from(PARALLEL_PARTS));
        number += 1;
        offset += length;
        if length < upload.part_bytes(number - 1) {
            break;
        }
        let mut reading = Box::pin(fill(content, upload.part_bytes(number), tried));
        // Parts go on while the next is read.
        next = loop {
            tokio::select! {
                part = &mut reading => break part?,
                Some(stored) = under_way.next() => parts.push(stored?),
            }
        };
        while under_way.len() as u64 >= at_once {
            if let Some(stored) = under_way.next().await {
                parts.push(stored?);
            }
        }
    }
    while let Some(stored) = under_way.next().await {
        parts.push(stored?);
    }
    parts.sort_by_key(|part| part.number);
    Ok(parts)
}

/// Ends an upload whose caller went away half way.
struct AbortIfDropped(Option<Arc<S3Upload>>);

impl AbortIfDropped {
    fn defuse(mut self) {
        self.0 = None;
    }
}

impl Drop for AbortIfDropped {
    fn drop(&mut self) {
        let (Some(upload), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else { return };
        runtime.spawn(async move {
            let _ = upload.abort().await;
        });
    }
}

impl Store {
    /// The lock an object gets; `None` for what must stay free.
    fn lock(&self, key: &Key) -> Option<lock::Lock> {
        if Self::is_archive(key) { lock::Lock::of(&self.place) } else { None }
    }
}
