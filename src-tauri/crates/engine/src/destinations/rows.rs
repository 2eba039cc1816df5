//! A destination's row: what lies there, how full it is, how it stands.

use crate::backstay::{Inner, locked};
use backstay_contract::DestinationRow;
use backstay_core::config::{BackupQuery, DestinationConfig, Place};
use backstay_core::destination::Key;
use backstay_core::{DestinationId, Error, ErrorClass, PlanId, Result};
use std::sync::Arc;
use std::time::Duration;

/// A destination that does not answer in this time is shown as offline; the list must not wait for a dead mount.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// How a destination stands.
struct Look {
    state: &'static str,
    text: String,
    free: Option<u64>,
    total: Option<u64>,
}

impl Inner {
    pub(crate) async fn destination_row(self: &Arc<Self>, config: &DestinationConfig) -> Result<DestinationRow> {
        let look = tokio::time::timeout(LOOK_LIMIT, self.look(config)).await.unwrap_or_else(|_| Look {
            state: "offline",
            text: "It does not answer".into(),
            free: None,
            total: None,
        });
        let query = BackupQuery { destination: Some(config.id.clone()), limit: 1, ..BackupQuery::default() };
        let backups = self.store.backups(&query)?.total;
        let mut plans = 0;
        let mut missing = 0;
        for plan in self.store.plans()?.iter().filter(|plan| plan.destinations.contains(&config.id)) {
            plans += 1;
            missing += self.missing_at(&plan.id, &config.id)?;
        }
        let used_bytes = locked(&self.used).get(&config.id).copied();
        if used_bytes.is_none() && matches!(look.state, "ok" | "kit_not_confirmed") {
            self.measure_used(config);
        }
        Ok(DestinationRow {
            id: config.id.to_string(),
            name: config.name.clone(),
            kind: config.place.kind().into(),
            provider: self.provider_name(&config.place),
            place: self.place_text(&config.place),
            vault: !config.vault_id.is_empty(),
            copies_of: self.copies_of(config)?,
            missing,
            damaged: self.damaged_at(&config.id)?,
            bandwidth: self.bandwidth(&config.id)?,
            used_bytes,
            free_bytes: look.free,
            total_bytes: look.total,
            backups,
            plans,
            early_note: self.early_note(config),
            on_servers: self.servers_under(config)?.into_iter().map(|server| server.id.to_string()).collect(),
            state: look.state.into(),
            state_text: look.text,
        })
    }

    /// Counts the backups of a plan that lie at another of its destinations and should at this one.
    pub(crate) fn missing_at(&self, plan: &PlanId, destination: &DestinationId) -> Result<u64> {
        Ok(self.to_make_good(plan, destination)?.len() as u64)
    }

    fn provider_name(&self, place: &Place) -> Option<String> {
        let Place::S3(place) = place else { return None };
        let known = self.parts.s3_providers().into_iter().find(|provider| provider.id == place.provider);
        Some(known.map_or_else(|| place.provider.clone(), |provider| provider.name))
    }

    fn copies_of(&self, config: &DestinationConfig) -> Result<Vec<String>> {
        if config.vault_id.is_empty() {
            return Ok(Vec::new());
        }
        let others = self.store.destinations()?.into_iter();
        let same = others.filter(|other| other.id != config.id && other.vault_id == config.vault_id);
        Ok(same.map(|other| other.name).collect())
    }

    async fn look(&self, config: &DestinationConfig) -> Look {
        let offline = |error: &Error| Look { state: "offline", text: error.message.clone(), free: None, total: None };
        let destination = match self.place(config).await {
            Ok(destination) => destination,
            Err(error) if error.class == ErrorClass::Locked => return Look { state: "locked", ..offline(&error) },
            Err(error) => return offline(&error),
        };
        let space = destination.space().await.ok();
        let (free, total) = (space.map(|s| s.free_bytes), space.map(|s| s.total_bytes));
        // One small question: reading all keys of a big bucket would take minutes.
        let config_object = match Key::new("config") {
            Ok(key) => destination.head(&key).await,
            Err(error) => Err(error),
        };
        let ready = |text: &str| Look { state: "ok", text: text.into(), free, total };
        match config_object {
            Err(error) if error.class == ErrorClass::Missing && config.vault_id.is_empty() => return ready("Ready"),
            Err(error) if error.class == ErrorClass::Missing => {
                let text = match config.place {
                    Place::Local { .. } => "The vault is not there; is the right disk mounted?",
                    _ => "The vault is not there; is it the right folder?",
                };
                return Look { state: "offline", text: text.into(), free, total };
            }
            Err(error) => return offline(&error),
            Ok(_) if config.vault_id.is_empty() => return ready("Ready"),
            Ok(_) => {}
        }
        match self.vault_password(config).await {
            Ok(_) if config.kit_confirmed => ready("Ready"),
            Ok(_) => {
                let text = "The recovery kit was not confirmed".into();
                Look { state: "kit_not_confirmed", text, free, total }
            }
            Err(error) => Look { state: "locked", text: error.message, free, total },
        }
    }

    /// Adds up the bytes used in the background, and tells when they are known.
    pub(crate) fn measure_used(self: &Arc<Self>, config: &DestinationConfig) {
        let (inner, config) = (self.clone(), config.clone());
        tokio::spawn(async move {
            match inner.used_bytes(&config).await {
                Ok(bytes) => {
                    // Tell only news: this must not go round and round with those who read upon it.
                    if locked(&inner.used).insert(config.id.clone(), bytes) != Some(bytes) {
                        inner.changed("destinations");
                    }
                }
                Err(error) => tracing::info!(destination = %config.name, %error, "the used bytes are not known"),
            }
        });
    }

    async fn used_bytes(&self, config: &DestinationConfig) -> Result<u64> {
        let archives = self.archives(config).await?.used_bytes().await?;
        if config.vault_id.is_empty() {
            return Ok(archives);
        }
        Ok(archives + self.vault(config).await?.layout.used_bytes().await?)
    }
}
