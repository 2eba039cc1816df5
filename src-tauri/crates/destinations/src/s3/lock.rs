//! Object lock: archives nobody can delete before their time.

use super::client::{S3, Store};
use super::errors::{Act, Answer, span};
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode};
use backstay_core::Result;
use backstay_core::config::S3Place;
use backstay_core::destination::Key;
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

impl S3 {
    /// Returns until when an object is locked, Unix seconds; `None` when it is not.
    pub async fn locked_until(&self, key: &Key) -> Result<Option<i64>> {
        self.store.locked_until(key, None).await
    }

    /// Locks an object anew for so many days from now, where that is longer than it is locked already: to be called
    /// before a lock that is still wanted ends. Returns until when it is locked then, Unix seconds.
    pub async fn extend_lock(&self, key: &Key, days: u32) -> Result<i64> {
        let store = &self.store;
        let until = DateTime::from(SystemTime::now() + span_of(days));
        if let Some(locked) = store.locked_until(key, None).await?.filter(|locked| *locked >= until.secs()) {
            return Ok(locked);
        }
        let retention = ObjectLockRetention::builder()
            .mode(ObjectLockRetentionMode::from(mode(&store.place).as_str()))
            .retain_until_date(until)
            .build();
        let asked = store
            .client
            .put_object_retention()
            .bucket(&store.place.bucket)
            .key(store.name(key))
            .retention(retention)
            .send()
            .await;
        let tried = format!("Cannot lock {key} on {}", store.label);
        asked.map(|_| until.secs()).map_err(|error| store.failed(Act::Manage("s3:PutObjectRetention"), &tried, error))
    }
}

impl Store {
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
