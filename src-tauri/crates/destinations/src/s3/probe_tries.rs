//! The single tries of a bucket's test.

use super::client::Store;
use super::steps::wrong;
use super::upload::S3Upload;
use crate::probe::ProbeStep;
use backstay_core::destination::{Key, PartUpload, WriteMode};
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use rand::RngExt;
use std::sync::Arc;
use std::time::Duration;

/// Stores take parts from 5 MiB; the last may be smaller.
const PART_BYTES: usize = 5 << 20;
/// Long enough for two parts over a slow line.
const STEP_LIMIT: Duration = Duration::from_secs(180);

/// Two parts made into an object; and an upload that is ended and gone.
pub(super) async fn upload_and_abort(store: &Arc<Store>, key: &Key) -> Result<bool> {
    let upload = S3Upload::begin(store, key, None).await?;
    let outcome = async {
        let first = upload.put_part(1, 0, noise(PART_BYTES)).await?;
        let second = upload.put_part(2, PART_BYTES as u64, Bytes::from_static(b"!")).await?;
        let goes_on = match upload.stored().await {
            Ok(there) => there.iter().map(|part| part.number).eq([1, 2]),
            Err(error) if error.class.may_retry() => return Err(error),
            // A call that the store does not know, or a right that the key lacks.
            Err(_) => false,
        };
        upload.complete(&[first, second], WriteMode::Replace).await?;
        let size = store.look_at(key).await?.size_bytes;
        if size == PART_BYTES as u64 + 1 {
            return Ok(goes_on);
        }
        Err(Error::new(ErrorClass::Corrupt, format!("Cannot upload in parts: {size} bytes came of {}", PART_BYTES + 1)))
    }
    .await;
    if outcome.is_err() {
        let _ = upload.abort().await;
        return outcome;
    }
    let other = S3Upload::begin(store, key, None).await?;
    other.put_part(1, 0, Bytes::from_static(b"to be ended")).await?;
    other.abort().await?;
    outcome
}

pub(super) fn noise(length: usize) -> Bytes {
    let mut random = rand::rng();
    let mut content = vec![0; length];
    random.fill(&mut content[..]);
    content.into()
}

pub(super) async fn within<T>(work: impl Future<Output = T>) -> Result<T, ()> {
    tokio::time::timeout(STEP_LIMIT, work).await.map_err(|_| ())
}

pub(super) fn too_long(tried: &str) -> Error {
    Error::new(ErrorClass::TimedOut, format!("{tried}: no answer for {} seconds", STEP_LIMIT.as_secs()))
        .hint("Check the network and the address, then test again")
}

pub(super) fn differs(title: &str) -> ProbeStep {
    wrong(title, "What was read is not what was written", "Do not use this store: tell its provider")
}
