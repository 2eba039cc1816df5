//! What interrupted uploads left at a destination is removed at the end of a run: nobody sees it, and somebody pays for it.

use super::Job;
use super::journal::StoreJournal;
use crate::backstay::Inner;
use crate::words::count_text;
use backstay_core::config::DestinationConfig;
use backstay_core::destination::{Destination, Swept};
use backstay_core::{DestinationId, ErrorClass, Result};
use backstay_transfer::upload_token;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::time::Duration;

/// What nobody wrote to for so long was given up: by then, another computer would have gone on with it.
const AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A destination is looked through again after this.
const EVERY: TimeDelta = TimeDelta::days(1);
/// A run does not wait longer for it.
const LIMIT: Duration = Duration::from_secs(5 * 60);

fn name_of(destination: &DestinationId) -> String {
    format!("swept/{destination}")
}

impl Inner {
    /// Forgets when a destination was swept.
    pub(crate) fn forget_sweep(&self, destination: &DestinationId) -> Result<()> {
        self.store.delete_transfer(&name_of(destination))
    }

    fn is_swept(&self, destination: &DestinationId, now: DateTime<Utc>) -> Result<bool> {
        let last = self.store.transfer(&name_of(destination))?.and_then(|text| text.parse::<DateTime<Utc>>().ok());
        // A clock that was put back must not stop it for long.
        Ok(last.is_some_and(|last| last <= now && now - last < EVERY))
    }

    /// Returns the tokens of all uploads that are still to be gone on with.
    fn uploads_to_go_on_with(&self) -> Result<Vec<String>> {
        let kept = StoreJournal(self.store.clone()).all()?;
        Ok(kept.iter().filter_map(|state| upload_token(state)).collect())
    }
}

impl Job {
    /// Removes what interrupted uploads left at a destination, at most once a day. The run is done already: whatever comes
    /// of this, it stays so.
    pub(super) async fn sweep(&self, config: &DestinationConfig, place: Arc<dyn Destination>) {
        self.ctx.progress.alive();
        let swept = tokio::select! {
            biased;
            () = self.ctx.cancel.cancelled() => return,
            swept = tokio::time::timeout(LIMIT, self.sweep_once_a_day(config, place.as_ref())) => swept,
        };
        match swept {
            Ok(Ok(swept)) => self.tell(config, swept),
            // A store that cannot list uploads, or a key that may not: it would be the same every day.
            Ok(Err(error)) if matches!(error.class, ErrorClass::Unsupported | ErrorClass::Refused) => {
                tracing::info!(destination = %config.name, %error, "it cannot be looked for unfinished uploads");
            }
            Ok(Err(error)) => self.log(format!("Leftovers were not cleared away: {}", error.message)),
            Err(_) => self.log(format!("Leftovers at {} were not cleared away: it took too long", config.name)),
        }
    }

    async fn sweep_once_a_day(&self, config: &DestinationConfig, place: &dyn Destination) -> Result<Swept> {
        let now = self.ctx.clock.now();
        if self.inner.is_swept(&config.id, now)? {
            return Ok(Swept::default());
        }
        // Kept before: one that cannot be swept is not asked at the end of every run.
        self.inner.store.put_transfer(&name_of(&config.id), &now.to_rfc3339())?;
        place.sweep(AGE, &self.inner.uploads_to_go_on_with()?).await
    }

    fn tell(&self, config: &DestinationConfig, swept: Swept) {
        if swept.removed > 0 {
            let count = count_text(swept.removed, "leftover", "leftovers");
            self.log(format!("{count} of interrupted uploads removed at {}", config.name));
        }
        if swept.restored > 0 {
            let count = count_text(swept.restored, "object", "objects");
            self.log(format!("{count} at {} named as before: replacing was cut off", config.name));
        }
    }
}
