//! Deleting: with all versions where the bucket keeps any, so that what is deleted is no longer paid for.

use super::client::{S3, Store};
use super::errors::Act;
use super::lock::still;
use aws_sdk_s3::types::BucketVersioningStatus;
use backstay_core::destination::Key;
use backstay_core::{Error, ErrorClass, Result};

impl S3 {
    /// Returns how many versions of an object the store keeps, without markers; `None` where they cannot be seen.
    pub async fn versions(&self, key: &Key) -> Result<Option<usize>> {
        self.store.versions_left(key).await
    }
}

impl Store {
    pub(super) async fn remove(&self, key: &Key) -> Result<()> {
        let tried = format!("Cannot delete {key} on {}", self.label);
        if self.keeps_versions().await? {
            // Without the right to see versions, hiding the object is all that can be done.
            if let Some(versions) = self.versions_of(key, &tried).await? {
                return self.remove_versions(key, &tried, versions).await;
            }
        }
        self.remove_one(key, &tried, None).await
    }

    /// Tells whether the bucket keeps old versions, or kept some once. Whom the store does not tell is answered no.
    pub(super) async fn keeps_versions(&self) -> Result<bool> {
        let asked = self.versioned.get_or_try_init(|| async {
            match self.versioning().await {
                Ok(status) => {
                    Ok(matches!(status, Some(BucketVersioningStatus::Enabled | BucketVersioningStatus::Suspended)))
                }
                Err(error) if error.class.may_retry() => Err(error),
                Err(_) => Ok(false),
            }
        });
        asked.await.copied()
    }

    /// Returns the ids of all versions and markers of a key, newest first; `None` where they cannot be seen.
    async fn versions_of(&self, key: &Key, tried: &str) -> Result<Option<Vec<String>>> {
        let name = self.name(key);
        let mut found = Vec::new();
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let asked = self
                .client
                .list_object_versions()
                .bucket(&self.place.bucket)
                .prefix(&name)
                .set_key_marker(key_marker.clone())
                .set_version_id_marker(version_marker.clone())
                .send()
                .await;
            let page = match asked {
                Ok(page) => page,
                Err(error) => {
                    let error = self.failed(Act::List, tried, error);
                    return if error.class.may_retry() { Err(error) } else { Ok(None) };
                }
            };
            let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
            let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
            let ours = versions.chain(markers).filter(|(listed, _)| *listed == Some(name.as_str()));
            found.extend(ours.filter_map(|(_, id)| id.map(str::to_owned)));
            // Names come in order: once one after ours was seen, all of ours were.
            let past = page.versions().iter().filter_map(|version| version.key()).any(|listed| listed > name.as_str());
            let next = (page.next_key_marker.clone(), page.next_version_id_marker.clone());
            let over = page.is_truncated != Some(true) || past || next.0.is_none();
            if over || next == (key_marker.clone(), version_marker.clone()) {
                return Ok(Some(found));
            }
            (key_marker, version_marker) = next;
        }
    }

    /// Returns how many versions of a key there still are, without markers; `None` where they cannot be seen.
    pub(super) async fn versions_left(&self, key: &Key) -> Result<Option<usize>> {
        let name = self.name(key);
        let asked = self.client.list_object_versions().bucket(&self.place.bucket).prefix(&name).send().await;
        match asked {
            Ok(page) => Ok(Some(page.versions().iter().filter(|version| version.key() == Some(&name)).count())),
            Err(error) => {
                let error = self.failed(Act::List, &format!("Cannot see versions of {key} on {}", self.label), error);
                if error.class.may_retry() { Err(error) } else { Ok(None) }
            }
        }
    }

    async fn remove_versions(&self, key: &Key, tried: &str, versions: Vec<String>) -> Result<()> {
        let mut kept = None;
        // Oldest first: a kill on the way must not bring an old version back to light.
        for version in versions.iter().rev() {
            match self.remove_one(key, tried, Some(version)).await {
                Ok(()) => {}
                Err(error) if matches!(error.class, ErrorClass::Refused | ErrorClass::Invalid) => {
                    if let Some(left) = self.locked_until(key, Some(version)).await.ok().flatten().and_then(still) {
                        return Err(Error::new(ErrorClass::Refused, format!("{tried}: it is locked for {left} more"))
                            .hint("A lock cannot be lifted before its time; delete it then")
                            .detail(error.detail.unwrap_or_default()));
                    }
                    kept = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match kept {
            None => Ok(()),
            // Not allowed to remove versions: hide the object at least, which is what its deletion means there.
            Some(_) => self.remove_one(key, tried, None).await,
        }
    }

    async fn remove_one(&self, key: &Key, tried: &str, version: Option<&str>) -> Result<()> {
        let asked = self
            .client
            .delete_object()
            .bucket(&self.place.bucket)
            .key(self.name(key))
            .set_version_id(version.map(str::to_owned))
            .send()
            .await;
        let Err(error) = asked else { return Ok(()) };
        let no_bucket = super::errors::Answer::of(&error).is_some_and(|answer| answer.code == "NoSuchBucket");
        let error = self.failed(Act::Delete, tried, error);
        if error.class == ErrorClass::Missing && !no_bucket { Ok(()) } else { Err(error) }
    }
}
