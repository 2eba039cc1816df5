//! Uploads in parts.

use super::client::Store;
use super::errors::{Act, Answer};
use super::lock::Lock;
use super::writer::taken;
use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream as Body;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use backstay_core::destination::{Key, PartUpload, StoredPart, WriteMode};
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stores take 10,000 parts; some room is left for an object that grew while it was read.
const PARTS_FOR_KNOWN: u64 = 9_000;
const MOST_PARTS: u32 = 10_000;
/// Stores take parts of 5 MiB to 5 GiB. Larger ones cost fewer requests, smaller ones less to send again.
const SMALLEST_PART: u64 = 16 << 20;
const LARGEST_PART: u64 = 5 << 30;
/// Of an upload of unknown size, parts double after so many: 10,000 of them hold 12 TiB, and 20 GB need but 32 MiB each.
const PARTS_OF_ONE_SIZE: u32 = 1_000;
/// Where all parts must be of one size (Cloudflare R2), 10,000 of these hold 625 GiB.
const EVEN_PART: u64 = 64 << 20;
/// An abort may miss parts still on their way; it is repeated until none is left.
const MOST_ABORTS: u32 = 5;

/// How large parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sizes {
    Known(u64),
    Growing,
    Even,
}

impl Sizes {
    fn of(provider: &str, size: Option<u64>) -> Self {
        match size {
            Some(size) => Self::Known(SMALLEST_PART.max(size.div_ceil(PARTS_FOR_KNOWN)).min(LARGEST_PART)),
            None if provider == "r2" => Self::Even,
            None => Self::Growing,
        }
    }

    fn part(self, number: u32) -> u64 {
        match self {
            Self::Known(bytes) => bytes,
            Self::Even => EVEN_PART,
            Self::Growing => {
                let doubled = number.saturating_sub(1) / PARTS_OF_ONE_SIZE;
                (SMALLEST_PART << doubled.min(20)).min(LARGEST_PART)
            }
        }
    }

    /// Where a part begins.
    fn offset(self, number: u32) -> u64 {
        (1..number).map(|before| self.part(before)).sum()
    }
}

/// An upload in parts to a bucket.
pub(super) struct S3Upload {
    store: Arc<Store>,
    key: Key,
    id: String,
    sizes: Sizes,
    /// A `complete` broke off without an answer.
    unsure: AtomicBool,
}

impl S3Upload {
    /// How much of a stream is read before it is known to need parts at all.
    pub(super) fn first_part() -> u64 {
        SMALLEST_PART
    }

    pub(super) async fn begin(store: &Arc<Store>, key: &Key, size: Option<u64>) -> Result<Self> {
        let tried = format!("Cannot begin to write {key} on {}", store.label);
        let lock = if Store::is_archive(key) { Lock::of(&store.place) } else { None };
        let begun = store
            .client
            .create_multipart_upload()
            .bucket(&store.place.bucket)
            .key(store.name(key))
            .set_server_side_encryption(store.encryption())
            .set_ssekms_key_id(store.kms_key())
            .set_storage_class(store.storage_class(key))
            .set_object_lock_mode(lock.as_ref().map(|lock| lock.mode.clone()))
            .set_object_lock_retain_until_date(lock.map(|lock| lock.until))
            .send()
            .await;
        let begun = begun.map_err(|error| store.failed(Act::Write, &tried, error))?;
        let Some(id) = begun.upload_id.filter(|id| !id.is_empty()) else {
            return Err(Error::new(ErrorClass::Unsupported, format!("{tried}: the store names no upload")));
        };
        Ok(Self::new(store, key, size, id))
    }

    /// Goes on with an upload begun before, after asking whether it is still there.
    pub(super) async fn resume(store: &Arc<Store>, key: &Key, size: Option<u64>, token: &str) -> Result<Self> {
        let upload = Self::new(store, key, size, token.to_owned());
        match upload.parts_there(Some(1)).await {
            // A key that may not list parts may end the upload all the same. Whoever goes on asks again.
            Err(error) if error.class != ErrorClass::Refused => Err(error),
            _ => Ok(upload),
        }
    }

    /// Takes an upload that was listed, to end it.
    pub(super) fn begun(store: &Arc<Store>, key: &Key, id: String) -> Self {
        Self::new(store, key, None, id)
    }

    fn new(store: &Arc<Store>, key: &Key, size: Option<u64>, id: String) -> Self {
        let sizes = Sizes::of(&store.place.provider, size);
        Self { store: Arc::clone(store), key: key.clone(), id, sizes, unsure: AtomicBool::new(false) }
    }

    fn tried(&self) -> String {
        format!("Cannot write {} on {}", self.key, self.store.label)
    }

    /// Asks which parts lie there; at most one page of `page` where given.
    async fn parts_there(&self, page: Option<i32>) -> Result<Vec<StoredPart>> {
        let tried = format!("Cannot go on writing {} on {}", self.key, self.store.label);
        let mut found: Vec<StoredPart> = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let asked = self
                .store
                .client
                .list_parts()
                .bucket(&self.store.place.bucket)
                .key(self.store.name(&self.key))
                .upload_id(&self.id)
                .set_max_parts(page)
                .set_part_number_marker(marker.clone())
                .send()
                .await;
            let listed = asked.map_err(|error| self.store.failed(Act::Write, &tried, error))?;
            for part in listed.parts() {
                let number = part.part_number.and_then(|number| u32::try_from(number).ok());
                let size = part.size.and_then(|size| u64::try_from(size).ok());
                let (Some(number), Some(size_bytes)) = (number.filter(|number| *number > 0), size) else { continue };
                let tag = part.e_tag.clone().unwrap_or_default();
                found.push(StoredPart { number, offset: self.sizes.offset(number), size_bytes, tag });
            }
            let next = listed.next_part_number_marker.filter(|_| listed.is_truncated == Some(true) && page.is_none());
            if next.is_none() || next == marker {
                found.sort_by_key(|part| part.number);
                found.dedup_by_key(|part| part.number);
                return Ok(found);
            }
            marker = next;
        }
    }

    /// `complete` said that the upload is no more, or that the key is taken: did an earlier `complete` of ours get through?
    async fn completed_before(&self, parts: &[StoredPart]) -> Result<bool> {
        if !self.unsure.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let size: u64 = parts.iter().map(|part| part.size_bytes).sum();
        match self.parts_there(Some(1)).await {
            // The upload is still there, so that it was not completed.
            Ok(_) => return Ok(false),
            Err(error) if error.class == ErrorClass::Missing => {}
            Err(error) => return Err(error),
        }
        match self.store.look_at(&self.key).await {
            Ok(info) => Ok(info.size_bytes == size),
            Err(error) if error.class == ErrorClass::Missing => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn try_complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        let tried = self.tried();
        let conditional = mode == WriteMode::CreateNew && self.store.place.conditional_writes;
        let named = parts
            .iter()
            .map(|part| {
                let number = i32::try_from(part.number).unwrap_or(i32::MAX);
                CompletedPart::builder().part_number(number).e_tag(&part.tag).build()
            })
            .collect();
        let sent = self
            .store
            .client
            .complete_multipart_upload()
            .bucket(&self.store.place.bucket)
            .key(self.store.name(&self.key))
            .upload_id(&self.id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(named)).build())
            .set_if_none_match(conditional.then(|| "*".to_owned()))
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        let answer = Answer::of(&error);
        let error = self.store.failed(Act::Write, &tried, error);
        let Some(answer) = answer else {
            self.unsure.store(true, Ordering::Relaxed);
            return Err(error);
        };
        // The store may go on putting the parts together after it said that it could not.
        if answer.status >= 500 {
            self.unsure.store(true, Ordering::Relaxed);
        }
        let doubtful = matches!(answer.status, 404 | 409 | 412);
        if doubtful && self.completed_before(parts).await? {
            return Ok(());
        }
        match answer.status {
            412 => Err(taken(&tried)),
            _ => Err(error),
        }
    }
}

#[async_trait]
impl PartUpload for S3Upload {
    fn token(&self) -> String {
        self.id.clone()
    }

    fn part_bytes(&self, number: u32) -> u64 {
        self.sizes.part(number)
    }

    async fn stored(&self) -> Result<Vec<StoredPart>> {
        self.parts_there(None).await
    }

    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
        let tried = format!("{} (part {number})", self.tried());
        let Some(wire_number) = i32::try_from(number).ok().filter(|_| (1..=MOST_PARTS).contains(&number)) else {
            return Err(Error::new(ErrorClass::Unsupported, format!("{tried}: the store takes {MOST_PARTS} parts"))
                .hint("Split the plan: it is larger than this store takes in one object"));
        };
        let size_bytes = content.len() as u64;
        let sent = self
            .store
            .client
            .upload_part()
            .bucket(&self.store.place.bucket)
            .key(self.store.name(&self.key))
            .upload_id(&self.id)
            .part_number(wire_number)
            .content_length(i64::try_from(content.len()).unwrap_or(i64::MAX))
            .body(Body::from(content))
            .send()
            .await;
        let sent = sent.map_err(|error| self.store.failed(Act::Write, &tried, error))?;
        Ok(StoredPart { number, offset, size_bytes, tag: sent.e_tag.unwrap_or_default() })
    }

    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        if parts.is_empty() {
            // No store makes an object of no parts.
            let empty = self.store.put_small(&self.key, Bytes::new(), mode).await;
            self.abort().await?;
            return empty;
        }
        if mode == WriteMode::CreateNew && !self.store.place.conditional_writes && !self.unsure.load(Ordering::Relaxed)
        {
            self.store.look_before(&self.key, &self.tried()).await?;
        }
        self.try_complete(parts, mode).await
    }

    async fn abort(&self) -> Result<()> {
        let tried = format!("Cannot end the upload of {} on {}", self.key, self.store.label);
        for _ in 0..MOST_ABORTS {
            let asked = self
                .store
                .client
                .abort_multipart_upload()
                .bucket(&self.store.place.bucket)
                .key(self.store.name(&self.key))
                .upload_id(&self.id)
                .send()
                .await;
            if let Err(error) = asked {
                let gone =
                    Answer::of(&error).is_some_and(|answer| answer.status == 404 || answer.code == "NoSuchUpload");
                if gone {
                    return Ok(());
                }
                return Err(self.store.failed(Act::Manage("s3:AbortMultipartUpload"), &tried, error));
            }
            match self.parts_there(Some(1)).await {
                Ok(parts) if parts.is_empty() => return Ok(()),
                Ok(_) => {}
                Err(error) if error.class.may_retry() => return Err(error),
                // Gone, or a store that does not tell, or not in words: the abort itself went through.
                Err(_) => return Ok(()),
            }
        }
        Err(Error::new(ErrorClass::Throttled, format!("{tried}: the store still holds parts of it"))
            .hint("They are cleared away later; a lifecycle rule for incomplete uploads does so too"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const TIB: u64 = 1 << 40;

    #[test]
    fn parts_fit_every_size() {
        assert_eq!(Sizes::of("aws", Some(10)).part(1), 16 << 20);
        for size in [1, 16 << 20, 150 << 30, 5 * TIB, 40 * TIB] {
            let part = Sizes::of("aws", Some(size)).part(1);
            assert!((16 << 20..=5 << 30).contains(&part));
            assert!(size.div_ceil(part) <= 9_000, "{size}");
        }
        let growing = Sizes::of("aws", None);
        assert_eq!((growing.part(1), growing.part(1_000), growing.part(1_001)), (16 << 20, 16 << 20, 32 << 20));
        assert!(growing.offset(10_001) > 12 * TIB, "10,000 parts hold {}", growing.offset(10_001));
        // A stream of 20 GB must not hold more than 300 MiB: parts stay small that far.
        let mut number = 1;
        while growing.offset(number + 1) < 20_000_000_000 {
            number += 1;
        }
        assert_eq!(growing.part(number), 32 << 20);
        let even = Sizes::of("r2", None);
        assert!((1..=10_000).all(|number| even.part(number) == even.part(1)));
    }
}
