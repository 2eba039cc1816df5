//! Destinations: the list, testing, adding, changing, removing, reading anew.

mod access;
mod add;
mod adopt;
mod archives;
mod change;
mod cleanup;
mod configuration;
mod draft;
mod emptied;
mod existing;
mod kit;
mod kit_page;
mod limits;
mod missing;
mod rows;
mod seal;
mod take_over;
mod test;
mod twice;

pub(crate) use emptied::Emptied;
pub(crate) use limits::{Limiters, follow_limits};
pub(crate) use seal::key_bytes;

use crate::backstay::{Backstay, Inner, locked};
use crate::words::invalid;
use backstay_contract::{DestinationDraft, DestinationRow, S3Provider};
use backstay_core::config::{BackupQuery, DestinationConfig, KnownBackup};
use backstay_core::{BackupId, DestinationId, Result};
use std::collections::{HashMap, HashSet};

impl Backstay {
    /// Returns all destinations.
    pub async fn destinations(&self) -> Result<Vec<DestinationRow>> {
        let configs = self.inner.store.destinations()?;
        let looks = configs.iter().map(|config| self.inner.destination_row(config));
        futures::future::join_all(looks).await.into_iter().collect()
    }

    /// Returns the id of the destination of this name or id, asking nobody.
    pub fn destination_id(&self, name: &str) -> Result<Option<String>> {
        let configs = self.inner.store.destinations()?;
        let found = configs.iter().find(|config| config.name == name || config.id.as_str() == name);
        Ok(found.map(|config| config.id.to_string()))
    }

    /// Returns one destination, asking no other.
    pub async fn destination_row(&self, id: &str) -> Result<DestinationRow> {
        self.inner.destination_row(&self.inner.store.destination(&DestinationId::from(id))?).await
    }

    /// Says what a destination's provider bills for what is removed there too early, asking nobody.
    pub fn early_note(&self, id: &str) -> Result<Option<String>> {
        Ok(self.inner.early_note(&self.inner.store.destination(&DestinationId::from(id))?))
    }

    /// Returns a destination as the wizard shows it, to be changed; without secrets.
    pub async fn destination(&self, id: &str) -> Result<DestinationDraft> {
        self.inner.draft_of(&self.inner.store.destination(&DestinationId::from(id))?)
    }

    /// Returns the providers of S3-compatible storage we know.
    pub async fn s3_providers(&self) -> Result<Vec<S3Provider>> {
        Ok(self.inner.parts.s3_providers())
    }

    /// Forgets a destination; what lies there stays.
    pub async fn remove_destination(&self, id: &str) -> Result<()> {
        let config = self.inner.store.destination(&DestinationId::from(id))?;
        let result = self.inner.removable(&config).and_then(|()| self.inner.store.delete_destination(&config.id));
        self.inner.audited("destination.remove", &config.name, result)?;
        self.inner.drop_vault(&config.id).await;
        self.inner.forget_destination_secrets(&config.id, &config.place).await;
        self.inner.put_limits(None, &[(config.id.clone(), Default::default())])?;
        self.inner.forget_sweep(&config.id)?;
        locked(&self.inner.used).remove(&config.id);
        self.inner.changed("destinations");
        self.inner.changed("backups");
        Ok(())
    }

    /// Reads a destination's backups anew and returns how many there are.
    pub async fn refresh_destination(&self, id: &str) -> Result<u64> {
        let config = self.inner.store.destination(&DestinationId::from(id))?;
        // A vault that was replaced under us must be seen as it is now.
        self.inner.drop_vault(&config.id).await;
        let count = self.inner.read_backups(&config).await?;
        locked(&self.inner.used).remove(&config.id);
        self.inner.changed("backups");
        self.inner.changed("destinations");
        Ok(count)
    }
}

impl Inner {
    /// Makes the cached backups of a destination those it tells, in its vault and as archives. What only we know, the
    /// last check, is kept; so is what was completed or deleted while it told. Fails where the place looks emptied.
    pub(crate) async fn read_backups(&self, config: &DestinationConfig) -> Result<u64> {
        let id = &config.id;
        let before: HashSet<BackupId> = self.all_backups(Some(id))?.into_iter().map(|known| known.record.id).collect();
        let place = self.place(config).await?;
        self.emptied(config, place.as_ref()).await?.refuse(config, place.as_ref())?;
        let mut records = Vec::new();
        if !config.vault_id.is_empty() {
            records = self.vault(config).await?.layout.list().await?;
        }
        records.extend(self.archives(config).await?.list().await?);
        let mut now: HashMap<BackupId, KnownBackup> =
            self.all_backups(Some(id))?.into_iter().map(|known| (known.record.id.clone(), known)).collect();
        let mut known = Vec::with_capacity(records.len());
        for mut record in records {
            let cached = now.remove(&record.id);
            if cached.is_none() && before.contains(&record.id) {
                continue;
            }
            record.verified = record.verified.max(cached.and_then(|cached| cached.record.verified));
            known.push(KnownBackup { record, destination: id.clone() });
        }
        for cached in now.into_values() {
            // Off the list, what a deletion left half done could never be finished.
            if !before.contains(&cached.record.id) || self.is_half_deleted(&cached, place.as_ref()).await? {
                known.push(cached);
            }
        }
        self.store.replace_backups(id, &known)?;
        Ok(known.len() as u64)
    }

    /// Returns every cached copy of a backup, of one destination or all.
    pub(crate) fn all_backups(&self, destination: Option<&DestinationId>) -> Result<Vec<KnownBackup>> {
        const PAGE: u64 = 1000;
        let mut all = Vec::new();
        loop {
            let query = BackupQuery {
                destination: destination.cloned(),
                offset: all.len() as u64,
                limit: PAGE,
                ..BackupQuery::default()
            };
            let page = self.store.backups(&query)?;
            let last = (page.rows.len() as u64) < PAGE;
            all.extend(page.rows);
            if last {
                return Ok(all);
            }
        }
    }

    /// A vault whose only key would go with the entry must not be forgotten by a click.
    fn removable(&self, config: &DestinationConfig) -> Result<()> {
        let query = BackupQuery { destination: Some(config.id.clone()), limit: 1, ..BackupQuery::default() };
        let others = self.store.destinations()?;
        let kept_elsewhere = others.iter().any(|other| other.id != config.id && other.vault_id == config.vault_id);
        let safe = config.vault_id.is_empty() || config.kit_confirmed || kept_elsewhere;
        if safe || self.store.backups(&query)?.total == 0 {
            return Ok(());
        }
        Err(invalid(format!(
            "Cannot remove {}: its recovery kit was never confirmed, so the key to its backups could be lost",
            config.name
        ))
        .hint("Print the recovery kit and confirm it by one of its words, then remove the destination"))
    }
}
