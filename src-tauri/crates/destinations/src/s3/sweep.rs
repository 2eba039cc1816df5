//! Uploads that never ended: invisible, and paid for.

use super::client::Store;
use super::errors::Act;
use super::upload::S3Upload;
use aws_sdk_s3::types::{MultipartUpload, Part};
use backstay_core::destination::{Key, PartUpload, Swept};
use backstay_core::{ErrorClass, Result};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Where our objects lie; uploads of other names are somebody else's.
const OURS: [&str; 9] =
    ["data/", "index/", "snapshots/", "keys/", "locks/", "config", "archives/", "backstay/", "backstay-test-"];

impl Store {
    pub(super) async fn sweep(self: &Arc<Self>, older_than: Duration, spared: &[String]) -> Result<Swept> {
        let tried = format!("Cannot look for unfinished uploads on {}", self.label);
        let before = SystemTime::now().checked_sub(older_than).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut swept = Swept::default();
        for upload in self.uploads(&tried).await? {
            match self.to_end(&upload, before) {
                Some((key, id)) if !spared.contains(&id) && self.is_quiet(&tried, &key, &id, before).await? => {
                    S3Upload::begun(self, &key, id).abort().await?;
                    swept.removed += 1;
                }
                _ => swept.left += 1,
            }
        }
        Ok(swept)
    }

    /// Tells whether no part came since: a very large upload may have begun long ago and still go on.
    async fn is_quiet(&self, tried: &str, key: &Key, id: &str, before: SystemTime) -> Result<bool> {
        let mut pages = self
            .client
            .list_parts()
            .bucket(&self.place.bucket)
            .key(self.name(key))
            .upload_id(id)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = match page.map_err(|error| self.failed(Act::Write, tried, error)) {
                Ok(page) => page,
                // It ended meanwhile.
                Err(error) if error.class == ErrorClass::Missing => return Ok(false),
                // A key without the right to list parts, or a store without the call: its begin, long ago, decides.
                Err(error) if matches!(error.class, ErrorClass::Refused | ErrorClass::Unsupported) => return Ok(true),
                Err(error) => return Err(error),
            };
            let came = |part: &Part| part.last_modified().and_then(|at| SystemTime::try_from(*at).ok());
            if page.parts().iter().filter_map(came).any(|at| at > before) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn to_end(&self, upload: &MultipartUpload, before: SystemTime) -> Option<(Key, String)> {
        let key = self.key_of(upload.key()?)?;
        let ours = OURS.iter().any(|start| key.as_str().starts_with(start));
        // The store's clock dates it, ours counts: what has no date is left alone.
        let begun = SystemTime::try_from(*upload.initiated()?).ok()?;
        (ours && begun <= before).then_some((key, upload.upload_id()?.to_owned()))
    }

    /// Lists all uploads under our prefix.
    pub(super) async fn uploads(&self, tried: &str) -> Result<Vec<MultipartUpload>> {
        let mut found = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let asked = self
                .client
                .list_multipart_uploads()
                .bucket(&self.place.bucket)
                .prefix(self.full(""))
                .set_key_marker(key_marker.clone())
                .set_upload_id_marker(id_marker.clone())
                .send()
                .await;
            let page =
                asked.map_err(|error| self.failed(Act::Manage("s3:ListBucketMultipartUploads"), tried, error))?;
            let next = (page.next_key_marker.clone(), page.next_upload_id_marker.clone());
            let over = page.is_truncated != Some(true) || next.0.is_none();
            found.extend(page.uploads.unwrap_or_default());
            if over || next == (key_marker.clone(), id_marker.clone()) {
                return Ok(found);
            }
            (key_marker, id_marker) = next;
        }
    }
}
