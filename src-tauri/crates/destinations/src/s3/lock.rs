//! Object lock: archives nobody can delete before their time.

use super::client::Store;
use super::errors::{Act, Answer, span};
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode};
use backstay_core::config::S3Place;
use backstay_core::destination::Key;
use backstay_core::{ErrorClass, Result};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A lock as an upload asks for it.
pub(super) struct Lock {
    pub(super) mode: ObjectLockMode,
    pub(super) until: DateTime,
}

impl Lock {
    /// Returns the lock archives get now; `None` where none is wanted.
    pub(super) fn of(place: &S3Place) -> Option<Self> {
        let days = place.lock_days.filter(|days| *days > 0)?;
        Some(Self { mode: mode(place), until: DateTime::from(SystemTime::now() + span_of(days)) })
    }
}

fn span_of(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 86_400)
}

fn mode(place: &S3Place) -> ObjectLockMode {
    match place.lock_mode.as_deref() {
        Some("COMPLIANCE") => ObjectLockMode::Compliance,
        _ => ObjectLockMode::Governance,
    }
}

impl Store {
    pub(super) async fn extend_lock(&self, key: &Key, until: i64) -> Result<Option<i64>> {
        let tried = format!("Cannot extend the lock of {key} on {}", self.label);
        let Some((locked, mode)) = self.lock_of(key, &tried).await? else { return Ok(None) };
        if locked >= until {
            return Ok(Some(locked));
        }
        let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(DateTime::from_secs(until)).build();
        let asked = self
            .client
            .put_object_retention()
            .bucket(&self.place.bucket)
            .key(self.name(key))
            .retention(retention)
            .send()
            .await;
        asked.map(|_| Some(until)).map_err(|error| self.failed(Act::Manage("s3:PutObjectRetention"), &tried, error))
    }

    /// Returns an object's lock, with its own mode: one of another mode would be refused.
    async fn lock_of(&self, key: &Key, tried: &str) -> Result<Option<(i64, ObjectLockRetentionMode)>> {
        let seen = self.look(key, tried).await?;
        if let Some(until) = seen.object_lock_retain_until_date {
            let mode = seen.object_lock_mode.unwrap_or_else(|| mode(&self.place));
            return Ok(Some((until.secs(), ObjectLockRetentionMode::from(mode.as_str()))));
        }
        // A look tells of no lock where this key has no right to see any, which must not pass for having none.
        let asked = self.client.get_object_retention().bucket(&self.place.bucket).key(self.name(key)).send().await;
        match asked {
            Ok(output) => Ok(output.retention.and_then(|lock| Some((lock.retain_until_date?.secs(), lock.mode?)))),
            Err(error) => match self.failed(Act::Manage("s3:GetObjectRetention"), tried, error) {
                error if error.class == ErrorClass::Refused || error.class.may_retry() => Err(error),
                _ => Ok(None),
            },
        }
    }

    /// Returns until when an object, or one version of it, is locked. A look at it tells, without a right of its own for
    /// locks in some stores; a store that knows no locks names none.
    pub(super) async fn locked_until(&self, key: &Key, version: Option<&str>) -> Result<Option<i64>> {
        let asked = self
            .client
            .head_object()
            .bucket(&self.place.bucket)
            .key(self.name(key))
            .set_version_id(version.map(str::to_owned))
            .send()
            .await;
        match asked {
            Ok(output) => Ok(output.object_lock_retain_until_date.map(|until| until.secs())),
            // A marker of a deletion cannot be looked at, and is never locked.
            Err(error) if Answer::of(&error).is_some_and(|answer| answer.status == 405) => Ok(None),
            Err(error) => {
                let tried = format!("Cannot read the lock of {key} on {}", self.label);
                Err(self.failed(Act::Read, &tried, error))
            }
        }
    }
}

/// How long from now until a moment, in words; `None` when it is over.
pub(super) fn still(until: i64) -> Option<String> {
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok())?;
    let left = u64::try_from(until.saturating_sub(now)).ok().filter(|left| *left > 0)?;
    Some(span(left))
}
