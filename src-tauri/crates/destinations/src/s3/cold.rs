//! Cold storage classes: what lies there must be asked for before it can be read.

use super::client::Store;
use super::errors::{Act, Answer};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{GlacierJobParameters, RestoreRequest, StorageClass, Tier};
use backstay_core::Result;
use backstay_core::destination::{Availability, Key};

/// Tells from a look at an object whether it can be read.
fn stands(seen: &HeadObjectOutput) -> Availability {
    let cold = matches!(seen.storage_class, Some(StorageClass::Glacier | StorageClass::DeepArchive))
        || seen.archive_status.is_some();
    match seen.restore.as_deref() {
        _ if !cold => Availability::Ready,
        Some(restore) if restore.contains("ongoing-request=\"true\"") => Availability::Thawing,
        Some(restore) if restore.contains("ongoing-request=\"false\"") => Availability::Ready,
        _ => Availability::Frozen,
    }
}

impl Store {
    pub(super) async fn availability(&self, key: &Key) -> Result<Availability> {
        let tried = format!("Cannot find {key} on {}", self.label);
        Ok(stands(&self.look(key, &tried).await?))
    }

    pub(super) async fn thaw(&self, key: &Key, days: u32) -> Result<Availability> {
        let tried = format!("Cannot bring {key} back from cold storage on {}", self.label);
        let seen = self.look(key, &tried).await?;
        if stands(&seen) != Availability::Frozen {
            return Ok(stands(&seen));
        }
        // Bulk is cheaper but takes two days; Expedited cannot be had for the coldest class.
        let tier = GlacierJobParameters::builder().tier(Tier::Standard).build();
        let tier = tier.map_err(|error| {
            backstay_core::Error::new(backstay_core::ErrorClass::Internal, tried.clone()).source(error)
        })?;
        // What a store moved into an archive tier by itself comes back to stay, and days are refused.
        let days = seen.archive_status.is_none().then(|| i32::try_from(days.max(1)).unwrap_or(i32::MAX));
        let asked = self
            .client
            .restore_object()
            .bucket(&self.place.bucket)
            .key(self.name(key))
            .restore_request(RestoreRequest::builder().set_days(days).glacier_job_parameters(tier).build())
            .send()
            .await;
        match asked {
            // Some stores have it ready at once.
            Ok(_) => self.availability(key).await,
            Err(error) => {
                let asked_before = Answer::of(&error).is_some_and(|answer| answer.code == "RestoreAlreadyInProgress");
                if asked_before {
                    return Ok(Availability::Thawing);
                }
                Err(self.failed(Act::Manage("s3:RestoreObject"), &tried, error))
            }
        }
    }
}
