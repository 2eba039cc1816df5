//! What a bucket is set to do by itself: versions, lock, lifecycle.

use super::client::{S3, Store};
use super::errors::{Act, Answer};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus,
    LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, ObjectLockEnabled,
};
use backstay_core::destination::Destination;
use backstay_core::{Error, ErrorClass, Result};

/// How the names of our rules begin among the bucket's rules; the folder follows, so that each has its own.
const RULE: &str = "backstay";
/// An upload that is not done after so many days never will be.
pub(super) const UPLOAD_DAYS: i32 = 7;
/// Deleted and replaced objects stay so long where the bucket keeps versions.
pub(super) const VERSION_DAYS: i32 = 30;

/// What a bucket is set to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketSettings {
    /// It keeps old versions; `None` where the store does not tell.
    pub versioning: Option<bool>,
    /// It can lock objects; `None` where the store does not tell.
    pub lock: Option<bool>,
    /// Days every new object is locked by the bucket itself.
    pub default_lock_days: Option<u32>,
    /// Unfinished uploads go away by themselves after so many days; `None` where they do not.
    pub upload_days: Option<u32>,
    /// Old versions go away by themselves after so many days; `None` where they do not.
    pub version_days: Option<u32>,
    /// It knows lifecycle rules; `None` where the store does not tell.
    pub lifecycle: Option<bool>,
}

/// An answer that says "nothing is set" or "that I do not know", or an error worth its name.
enum Silence {
    NotSet,
    Unknown,
    /// We may not ask.
    Forbidden,
}

impl S3 {
    /// Reads what the bucket is set to. What the store does not tell, or does not let this key ask, is `None`.
    pub async fn settings(&self) -> Result<BucketSettings> {
        self.store.settings().await
    }

    /// Adds our lifecycle rule to the bucket's: unfinished uploads go after 7 days, old versions after 30. Other rules
    /// stay as they are.
    pub async fn set_lifecycle(&self) -> Result<()> {
        self.store.set_lifecycle().await
    }
}

impl Store {
    /// Tells what an error of a question about settings means; an error where it means something else.
    fn silence<E>(&self, right: &'static str, what: &str, error: SdkError<E, HttpResponse>) -> Result<Silence>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        const NONE: [&str; 4] = [
            "NoSuchLifecycleConfiguration",
            "ObjectLockConfigurationNotFoundError",
            "NoSuchObjectLockConfiguration",
            "NoSuchConfiguration",
        ];
        let answer = Answer::of(&error);
        if answer.as_ref().is_some_and(|answer| NONE.contains(&answer.code.as_str())) {
            return Ok(Silence::NotSet);
        }
        let tried = format!("Cannot read {what} of {}", self.label);
        let error = self.failed(Act::Manage(right), &tried, error);
        match error.class {
            ErrorClass::Unsupported | ErrorClass::Invalid => Ok(Silence::Unknown),
            ErrorClass::Refused => Ok(Silence::Forbidden),
            // A 404 that does not name the bucket: this store knows no such setting.
            ErrorClass::Missing if answer.is_some_and(|answer| answer.code != "NoSuchBucket") => Ok(Silence::Unknown),
            _ => Err(error),
        }
    }

    pub(super) async fn settings(&self) -> Result<BucketSettings> {
        let versioning = match self.versioning().await {
            Ok(status) => Some(status == Some(BucketVersioningStatus::Enabled)),
            Err(error) if matches!(error.class, ErrorClass::Unsupported | ErrorClass::Invalid) => Some(false),
            Err(error) if error.class == ErrorClass::Refused => None,
            Err(error) => return Err(error),
        };
        let mut settings = BucketSettings { versioning, ..BucketSettings::default() };
        let lock = self.client.get_object_lock_configuration().bucket(&self.place.bucket).send().await;
        match lock {
            Ok(output) => {
                let lock = output.object_lock_configuration;
                let enabled = lock.as_ref().and_then(|lock| lock.object_lock_enabled.clone());
                settings.lock = Some(enabled == Some(ObjectLockEnabled::Enabled));
                let retention = lock.and_then(|lock| lock.rule).and_then(|rule| rule.default_retention);
                settings.default_lock_days = retention.and_then(|retention| {
                    let years = retention.years.unwrap_or(0).saturating_mul(365);
                    u32::try_from(retention.days.unwrap_or(years)).ok().filter(|days| *days > 0)
                });
            }
            Err(error) => match self.silence("s3:GetBucketObjectLockConfiguration", "the lock", error)? {
                Silence::NotSet | Silence::Unknown => settings.lock = Some(false),
                Silence::Forbidden => {}
            },
        }
        match self.rules().await? {
            Ok(rules) => {
                settings.lifecycle = Some(true);
                settings.upload_days = rules.iter().filter_map(|rule| self.upload_days(rule)).min();
                settings.version_days = rules.iter().filter_map(|rule| self.version_days(rule)).min();
            }
            Err(Silence::Forbidden) => {}
            Err(Silence::NotSet | Silence::Unknown) => settings.lifecycle = Some(false),
        }
        Ok(settings)
    }

    /// Asks whether the bucket keeps versions; `None` when it never did.
    pub(super) async fn versioning(&self) -> Result<Option<BucketVersioningStatus>> {
        match self.client.get_bucket_versioning().bucket(&self.place.bucket).send().await {
            Ok(output) => Ok(output.status),
            Err(error) => match Answer::misnamed(&error, "Status") {
                Some(status) => Ok(Some(BucketVersioningStatus::from(status.as_str()))),
                None if error.raw_response().is_some_and(|raw| raw.status().is_success()) => Ok(None),
                None => {
                    let tried = format!("Cannot read the versioning of {}", self.label);
                    Err(self.failed(Act::Manage("s3:GetBucketVersioning"), &tried, error))
                }
            },
        }
    }

    async fn rules(&self) -> Result<Result<Vec<LifecycleRule>, Silence>> {
        let asked = self.client.get_bucket_lifecycle_configuration().bucket(&self.place.bucket).send().await;
        match asked {
            Ok(output) => Ok(Ok(output.rules.unwrap_or_default())),
            Err(error) => Ok(match self.silence("s3:GetLifecycleConfiguration", "the lifecycle rules", error)? {
                Silence::NotSet => Ok(Vec::new()),
                other => Err(other),
            }),
        }
    }

    /// Returns after how many days a rule ends unfinished uploads of ours.
    fn upload_days(&self, rule: &LifecycleRule) -> Option<u32> {
        let days = rule.abort_incomplete_multipart_upload.as_ref()?.days_after_initiation?;
        u32::try_from(days).ok().filter(|_| self.is_under(rule))
    }

    /// Returns after how many days a rule removes old versions of ours.
    fn version_days(&self, rule: &LifecycleRule) -> Option<u32> {
        let days = rule.noncurrent_version_expiration.as_ref()?.noncurrent_days?;
        u32::try_from(days).ok().filter(|_| self.is_under(rule))
    }

    /// Tells whether a rule holds for all that is ours.
    fn is_under(&self, rule: &LifecycleRule) -> bool {
        #[allow(deprecated)] // Stores other than Amazon's still answer with it.
        let prefix = rule.filter.as_ref().and_then(|filter| filter.prefix.as_deref()).or(rule.prefix.as_deref());
        rule.status == ExpirationStatus::Enabled && prefix.is_none_or(|prefix| self.full("").starts_with(prefix))
    }

    fn rule_name(&self) -> String {
        if self.place.prefix.is_empty() { RULE.to_owned() } else { format!("{RULE} {}", self.place.prefix) }
    }

    fn our_rule(&self, tried: &str) -> Result<LifecycleRule> {
        let uploads = AbortIncompleteMultipartUpload::builder().days_after_initiation(UPLOAD_DAYS).build();
        let versions = NoncurrentVersionExpiration::builder().noncurrent_days(VERSION_DAYS).build();
        LifecycleRule::builder()
            .id(self.rule_name())
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(self.full("")).build())
            .abort_incomplete_multipart_upload(uploads)
            .noncurrent_version_expiration(versions)
            .build()
            .map_err(|error| Error::new(ErrorClass::Internal, tried.to_owned()).source(error))
    }

    pub(super) async fn set_lifecycle(&self) -> Result<()> {
        let tried = format!("Cannot set the lifecycle rule of {}", self.label);
        // The call replaces all rules, so that those of others are sent along.
        let mut rules = match self.rules().await? {
            Ok(rules) => rules,
            Err(Silence::Forbidden) => {
                return Err(Error::new(
                    ErrorClass::Refused,
                    format!("{tried}: this key may not read the rules there are"),
                )
                .hint(
                    "Give the key the right s3:GetLifecycleConfiguration, or set the rule in your provider's console",
                ));
            }
            Err(_) => {
                return Err(Error::new(ErrorClass::Unsupported, format!("{tried}: the store knows no such rules")));
            }
        };
        let name = self.rule_name();
        rules.retain(|rule| rule.id.as_deref() != Some(name.as_str()));
        rules.push(self.our_rule(&tried)?);
        let all = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
        let all = all.map_err(|error| Error::new(ErrorClass::Internal, tried.clone()).source(error))?;
        let asked = self
            .client
            .put_bucket_lifecycle_configuration()
            .bucket(&self.place.bucket)
            .lifecycle_configuration(all)
            .send()
            .await;
        asked.map(|_| ()).map_err(|error| self.failed(Act::Manage("s3:PutLifecycleConfiguration"), &tried, error))
    }
}

/// Sets the clean-up rule of an open bucket, and reads back what the bucket does by itself from then on.
pub async fn set_cleanup_rule(destination: &dyn Destination) -> Result<BucketSettings> {
    let Some(s3) = destination.backend().and_then(|backend| backend.downcast_ref::<S3>()) else {
        let text = format!("Cannot set a clean-up rule at {}: it is no bucket", destination.label());
        return Err(Error::new(ErrorClass::Unsupported, text));
    };
    s3.set_lifecycle().await?;
    s3.settings().await
}
