//! A bucket made for backups: private, versioned, encrypted, tidy.

use super::client::{S3, Store};
use super::errors::{Act, Answer};
use super::settings::{UPLOAD_DAYS, VERSION_DAYS};
use super::steps::{failed, noted, passed};
use crate::probe::ProbeStep;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use backstay_core::config::{DestinationLogin, S3Place};
use backstay_core::destination::FreeTraffic;
use backstay_core::{Error, ErrorClass, Result};
use std::sync::Arc;

/// What to do with a bucket that we did not make.
const SET_BY_HAND: &str = "Keep it private at the provider; \"Set the clean-up rule…\" in the destination's details \
                           clears away leftovers";

/// Makes the bucket of a place and sets it up for backups, step by step: made, public access blocked, old versions
/// kept, encrypted, unfinished uploads and old versions cleared away. A store that does not know a step gets a note.
/// A bucket that is there already is left as it is: what others keep in it would follow our settings too. Never fails
/// itself: what failed is a step. The bucket can be used when every step is `ok`.
pub async fn make_bucket(
    place: &S3Place,
    login: &DestinationLogin,
    on_step: &(dyn Fn(ProbeStep) + Send + Sync),
) -> Vec<ProbeStep> {
    const MAKE: &str = "Make the bucket";
    let mut steps = Vec::new();
    let mut tell = |step: ProbeStep| {
        on_step(step.clone());
        steps.push(step);
    };
    let s3 = match S3::open("the new bucket", place, login, Arc::new(FreeTraffic)) {
        Ok(s3) => s3,
        Err(error) => {
            tell(failed(MAKE, &error));
            return steps;
        }
    };
    let store = &s3.store;
    match store.make().await {
        Ok(true) => tell(passed(MAKE, format!("{} was made", store.place.bucket))),
        Ok(false) => {
            let text = format!("{} is there already: its settings were left as they are", store.place.bucket);
            tell(noted(MAKE, text, Some(SET_BY_HAND)));
            return steps;
        }
        Err(error) => {
            tell(failed(MAKE, &error));
            return steps;
        }
    }
    tell(outcome("Keep the public out", "Nobody can make it public by accident", store.block_public().await));
    tell(outcome("Keep old versions", "What is deleted or replaced stays for a while", store.keep_versions().await));
    tell(outcome("Encrypt at rest", "The store encrypts what it writes to its disks", store.encrypt().await));
    let tidy = format!("Unfinished uploads go after {UPLOAD_DAYS} days, old versions after {VERSION_DAYS}");
    tell(outcome("Clear away leftovers", &tidy, store.set_lifecycle().await));
    steps
}

fn outcome(title: &str, good: &str, outcome: Result<()>) -> ProbeStep {
    match outcome {
        Ok(()) => passed(title, good.to_owned()),
        Err(error) if error.class == ErrorClass::Unsupported => {
            noted(title, "This store does not offer it".to_owned(), None)
        }
        Err(error) => failed(title, &error),
    }
}

impl Store {
    /// Makes the bucket; `false` when it is ours already.
    async fn make(&self) -> Result<bool> {
        let bucket = &self.place.bucket;
        let tried = format!("Cannot make the bucket {bucket}");
        // Some stores answer "exists" for ours and for others' alike, so that it is looked at first.
        match self.client.head_bucket().bucket(bucket).send().await {
            Ok(_) => return Ok(false),
            Err(error) => match Answer::of(&error).map(|answer| answer.status) {
                Some(404) => {}
                Some(403) => return Err(self.not_ours_or_not_allowed(&tried).await),
                _ => return Err(self.failed(Act::Manage("s3:CreateBucket"), &tried, error)),
            },
        }
        let place = &self.place;
        // Amazon wants the region in the request, but not for its first one; others mostly take it from the address.
        let located = place.provider == "aws" && place.region != "us-east-1";
        let location = located.then(|| {
            let region = BucketLocationConstraint::from(place.region.as_str());
            CreateBucketConfiguration::builder().location_constraint(region).build()
        });
        let asked = self
            .client
            .create_bucket()
            .bucket(bucket)
            .set_create_bucket_configuration(location)
            .set_object_lock_enabled_for_bucket(place.lock_days.filter(|days| *days > 0).map(|_| true))
            .send()
            .await;
        match asked {
            Ok(_) => Ok(true),
            Err(error) => match Answer::of(&error).map(|answer| answer.code) {
                Some(code) if code == "BucketAlreadyOwnedByYou" => Ok(false),
                Some(code) if code == "BucketAlreadyExists" => Err(name_taken(&tried)),
                _ => Err(self.failed(Act::Manage("s3:CreateBucket"), &tried, error)),
            },
        }
    }

    /// A look at a bucket answers 403 for another's bucket and for a key that does not work: only a listing says which.
    async fn not_ours_or_not_allowed(&self, tried: &str) -> Error {
        let listed = self.client.list_buckets().send().await;
        match listed {
            Ok(_) => name_taken(tried),
            Err(error) => {
                let denied = Answer::of(&error).is_some_and(|answer| answer.code == "AccessDenied");
                if denied { name_taken(tried) } else { self.failed(Act::Manage("s3:CreateBucket"), tried, error) }
            }
        }
    }

    async fn block_public(&self) -> Result<()> {
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let asked = self
            .client
            .put_public_access_block()
            .bucket(&self.place.bucket)
            .public_access_block_configuration(block)
            .send()
            .await;
        self.set("s3:PutBucketPublicAccessBlock", "block public access to", asked)
    }

    async fn keep_versions(&self) -> Result<()> {
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let asked =
            self.client.put_bucket_versioning().bucket(&self.place.bucket).versioning_configuration(on).send().await;
        self.set("s3:PutBucketVersioning", "turn on versions of", asked)
    }

    async fn encrypt(&self) -> Result<()> {
        let kind = self.encryption().unwrap_or(ServerSideEncryption::Aes256);
        let by_default = ServerSideEncryptionByDefault::builder()
            .sse_algorithm(kind)
            .set_kms_master_key_id(self.kms_key())
            .build()
            .map_err(|error| Error::new(ErrorClass::Internal, "Cannot encrypt the bucket").source(error))?;
        let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build();
        let all = ServerSideEncryptionConfiguration::builder()
            .rules(rule)
            .build()
            .map_err(|error| Error::new(ErrorClass::Internal, "Cannot encrypt the bucket").source(error))?;
        let asked = self
            .client
            .put_bucket_encryption()
            .bucket(&self.place.bucket)
            .server_side_encryption_configuration(all)
            .send()
            .await;
        self.set("s3:PutEncryptionConfiguration", "encrypt", asked)
    }

    /// Reads the outcome of a call that sets something. A call the store does not know is `Unsupported`.
    fn set<T, E>(
        &self,
        right: &'static str,
        what: &str,
        asked: Result<T, SdkError<E, aws_sdk_s3::config::http::HttpResponse>>,
    ) -> Result<()>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let Err(error) = asked else { return Ok(()) };
        // Stores that do not know a call take it for another one, and find that one malformed.
        let unknown = Answer::of(&error).is_some_and(|answer| {
            answer.is_unknown_call()
                || matches!(answer.code.as_str(), "MalformedXML" | "InvalidRequest" | "BucketAlreadyExists")
                || matches!(answer.code.as_str(), "BucketAlreadyOwnedByYou" | "InvalidBucketState")
        });
        let tried = format!("Cannot {what} the bucket {}", self.place.bucket);
        let mut error = self.failed(Act::Manage(right), &tried, error);
        if unknown {
            error.class = ErrorClass::Unsupported;
        }
        Err(error)
    }
}

fn name_taken(tried: &str) -> Error {
    Error::new(ErrorClass::Exists, format!("{tried}: somebody else has a bucket of that name"))
        .hint("Bucket names are shared by all customers of a provider: choose another")
}
