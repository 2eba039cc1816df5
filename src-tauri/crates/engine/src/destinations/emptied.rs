//! A disk that is not mounted looks like an empty folder: what is written there would be lost from sight with the next
//! mount, and what is not found there is not gone.

use crate::backstay::Inner;
use backstay_core::config::{BackupQuery, DestinationConfig, Place};
use backstay_core::destination::{Destination, Key};
use backstay_core::{Error, ErrorClass, Result};

/// So many of the newest backups are looked through for one that is an archive.
const LOOKED_AT: u64 = 100;
/// All archives lie below this.
const ARCHIVES: &str = "archives/";

impl Inner {
    /// Fails with `Missing` where archives are known to lie and none does. Buckets are not mounted: what is gone there is
    /// gone.
    pub(crate) async fn refuse_emptied(&self, config: &DestinationConfig, place: &dyn Destination) -> Result<()> {
        if matches!(config.place, Place::S3(_)) {
            return Ok(());
        }
        let query = BackupQuery { destination: Some(config.id.clone()), limit: LOOKED_AT, ..BackupQuery::default() };
        let known = self.store.backups(&query)?.rows;
        let Some(file) = known.into_iter().find_map(|known| known.record.archive) else { return Ok(()) };
        match place.head(&Key::new(file.key)?).await {
            Err(error) if error.class == ErrorClass::Missing => {}
            other => return other.map(drop),
        }
        if !place.list(ARCHIVES).await?.is_empty() {
            return Ok(());
        }
        let text = format!("Cannot use {}: the archives that were there are not", place.label());
        Err(Error::new(ErrorClass::Missing, text).hint(
            "Is the right disk mounted? If they are gone for good, read the destination anew, or fill it from another one by Sync",
        ))
    }
}
