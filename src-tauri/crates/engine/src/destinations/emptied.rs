//! A disk that is not mounted looks like an empty folder: what is written there would be lost from sight with the next
//! mount, and what is not found there is not gone.

use crate::backstay::Inner;
use backstay_core::config::{BackupQuery, DestinationConfig, KnownBackup, Place};
use backstay_core::destination::{Destination, Key};
use backstay_core::{Error, ErrorClass, Result};

/// So many of the newest backups are looked through for one that is an archive.
const LOOKED_AT: u64 = 100;
/// All archives lie below this.
const ARCHIVES: &str = "archives/";

/// What is known to lie at a place, and does not show there at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Emptied {
    pub vault: bool,
    pub archives: bool,
}

impl Emptied {
    /// Looks what does not show at a place now, whatever is known of it.
    pub async fn now(place: &dyn Destination) -> Self {
        let archives = place.list(ARCHIVES).await.is_ok_and(|all| all.is_empty());
        Self { vault: vault_gone(place).await.unwrap_or(false), archives }
    }

    /// Tells whether a backup is among what does not show.
    pub fn has(self, known: &KnownBackup) -> bool {
        if known.record.archive.is_some() { self.archives } else { self.vault }
    }

    /// Fails with `Missing` if anything does not show. To remove the destination is the one way to say that it is gone for
    /// good: reading it anew must not forget what lies on a disk that is not mounted.
    pub fn refuse(self, config: &DestinationConfig, place: &dyn Destination) -> Result<()> {
        let what = match (self.vault, self.archives) {
            (true, _) => "the vault that was there is not",
            (_, true) => "the archives that were there are not",
            _ => return Ok(()),
        };
        let asked = match config.place {
            Place::S3(_) => "Is it the right folder?",
            _ => "Is the right disk mounted?",
        };
        let text = format!("Cannot use {}: {what}", place.label());
        Err(Error::new(ErrorClass::Missing, text).hint(format!(
            "{asked} If all of it is gone for good, fill the place from another destination by Sync; where a backup lies \
             nowhere else, let the plans write to another folder and remove this destination"
        )))
    }
}

impl Inner {
    /// Looks whether what is known to lie at a place shows there.
    pub(crate) async fn emptied(&self, config: &DestinationConfig, place: &dyn Destination) -> Result<Emptied> {
        let vault = !config.vault_id.is_empty() && vault_gone(place).await?;
        Ok(Emptied { vault, archives: self.archives_gone(config, place).await? })
    }

    /// Fails with `Missing` where archives are known to lie and none does.
    pub(crate) async fn refuse_emptied(&self, config: &DestinationConfig, place: &dyn Destination) -> Result<()> {
        let archives = self.archives_gone(config, place).await?;
        Emptied { vault: false, archives }.refuse(config, place)
    }

    /// Buckets are not mounted: what is gone there is gone.
    async fn archives_gone(&self, config: &DestinationConfig, place: &dyn Destination) -> Result<bool> {
        if matches!(config.place, Place::S3(_)) {
            return Ok(false);
        }
        let query = BackupQuery { destination: Some(config.id.clone()), limit: LOOKED_AT, ..BackupQuery::default() };
        let known = self.store.backups(&query)?.rows;
        let Some(file) = known.into_iter().find_map(|known| known.record.archive) else { return Ok(false) };
        match place.head(&Key::new(file.key)?).await {
            Err(error) if error.class == ErrorClass::Missing => Ok(place.list(ARCHIVES).await?.is_empty()),
            other => other.map(|_| false),
        }
    }
}

async fn vault_gone(place: &dyn Destination) -> Result<bool> {
    // Every vault has it.
    match place.head(&Key::new("config")?).await {
        Err(error) if error.class == ErrorClass::Missing => Ok(true),
        other => other.map(|_| false),
    }
}
