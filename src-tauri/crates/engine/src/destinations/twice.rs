//! One place under two addresses, as through a link or over SFTP: as two destinations it would count as two copies, and to
//! delete one of them would delete both.

use super::configuration::FOLDER;
use crate::backstay::Inner;
use backstay_core::config::DestinationConfig;
use backstay_core::destination::{Destination, Key, WriteMode};
use backstay_core::{DestinationId, Error, ErrorClass, Result};
use bytes::Bytes;
use std::time::Duration;

/// A known place that does not answer in this time is not asked: it may be away for good.
const PATIENCE: Duration = Duration::from_secs(8);

impl Inner {
    /// Fails with `Exists` where a new place is one of the known destinations that hold this vault, or none; without a
    /// vault's id, any of them. Put there under a random name, something small shows at the other if it is the same place.
    /// Where that cannot be found out, nothing is said: a place that may only be read is opened all the same.
    pub(super) async fn refuse_twice(&self, name: &str, place: &dyn Destination, vault: Option<&str>) -> Result<()> {
        let mut known = self.store.destinations()?;
        known.retain(|config| vault.is_none_or(|id| config.vault_id.is_empty() || config.vault_id == id));
        if known.is_empty() {
            return Ok(());
        }
        let key = Key::new(format!("{FOLDER}place-{}", DestinationId::random()))?;
        let content = Bytes::from_static(b"Is it the same place?");
        if let Err(error) = place.put(&key, content, WriteMode::CreateNew).await {
            tracing::info!(%error, "whether a new place is a known one cannot be found out");
            return Ok(());
        }
        let looks = known.iter().map(|config| self.shows_at(config, &key));
        let shown = futures::future::join_all(looks).await;
        let same = known.iter().zip(shown).find_map(|(config, shows)| shows.then_some(config));
        if let Err(error) = place.delete(&key).await {
            tracing::info!(%key, %error, "what was put at a new place was not removed");
        }
        let Some(same) = same else { return Ok(()) };
        Err(Error::new(ErrorClass::Exists, format!("{name} and {} are the same place", same.name))
            .hint(format!("Use {}: a second destination at its place would be no second copy", same.name)))
    }

    async fn shows_at(&self, config: &DestinationConfig, key: &Key) -> bool {
        let look = async { self.place(config).await?.head(key).await };
        matches!(tokio::time::timeout(PATIENCE, look).await, Ok(Ok(_)))
    }
}
