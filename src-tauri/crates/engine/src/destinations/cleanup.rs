//! The clean-up rule of a bucket: what it clears away by itself, so that leftovers are not paid for.

use crate::backstay::Backstay;
use crate::words::invalid;
use backstay_contract::CleanupRule;
use backstay_core::config::Place;
use backstay_core::{DestinationId, Error, ErrorClass, Result};

impl Backstay {
    /// Sets the clean-up rule of a destination's bucket; rules of others stay. Returns what the bucket then says it does.
    pub async fn set_cleanup_rule(&self, destination: &str) -> Result<CleanupRule> {
        let config = self.inner.store.destination(&DestinationId::from(destination))?;
        if !matches!(config.place, Place::S3(_)) {
            return Err(invalid(format!("Cannot set a clean-up rule at {}: it is no bucket", config.name))
                .hint("Backstay clears its own leftovers away there"));
        }
        let set = async {
            let place = self.inner.place(&config).await?;
            let days = self.inner.parts.set_cleanup_rule(place.as_ref()).await?;
            let Some(uploads) = days.uploads else {
                let text = format!("The bucket of {} took the clean-up rule, but does not show it", config.name);
                return Err(Error::new(ErrorClass::Unsupported, text)
                    .hint("Look in your provider's console whether it is there"));
            };
            let text = match days.versions {
                Some(versions) => {
                    format!("Unfinished uploads go after {uploads} days, old versions after {versions} days")
                }
                None => format!("Unfinished uploads go after {uploads} days; old versions stay"),
            };
            Ok(CleanupRule { upload_days: uploads, version_days: days.versions, text })
        };
        self.inner.audited("destination.cleanup_rule", &config.name, set.await)
    }
}
