//! Destinations: the list, testing, adding, removing, reading anew.

mod add;
mod kit;

use crate::backstay::{Backstay, Inner, locked};
use crate::words::invalid;
use backstay_contract::{DestinationDraft, DestinationRow, DestinationTest, TestStep};
use backstay_core::config::{BackupQuery, DestinationConfig, KnownBackup, Place};
use backstay_core::layout::Layout;
use backstay_core::secret::SecretName;
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, Result};
use std::collections::HashMap;
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

impl Backstay {
    /// Returns all destinations.
    pub async fn destinations(&self) -> Result<Vec<DestinationRow>> {
        let configs = self.inner.store.destinations()?;
        let looks = configs.iter().map(|config| self.inner.destination_row(config));
        futures::future::join_all(looks).await.into_iter().collect()
    }

    /// Tests a destination step by step.
    pub async fn test_destination(&self, draft: DestinationDraft) -> Result<DestinationTest> {
        self.inner.test_draft(&draft).await
    }

    /// Forgets a destination; what lies there stays.
    pub async fn remove_destination(&self, id: &str) -> Result<()> {
        let config = self.inner.store.destination(&DestinationId::from(id))?;
        let result = self.inner.removable(&config).and_then(|()| self.inner.store.delete_destination(&config.id));
        self.inner.audited("destination.remove", &config.name, result)?;
        self.inner.drop_vault(&config.id).await;
        self.inner.forget_secret(SecretName::vault_password(&config.id)).await;
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
        let vault = self.inner.vault(&config).await?;
        let count = self.inner.read_backups(&config.id, vault.layout.as_ref()).await?;
        locked(&self.inner.used).remove(&config.id);
        self.inner.changed("backups");
        self.inner.changed("destinations");
        Ok(count)
    }
}

impl Inner {
    /// Makes the cached backups of a destination those it tells. What only we know, the last check, is kept.
    pub(crate) async fn read_backups(&self, id: &DestinationId, layout: &dyn Layout) -> Result<u64> {
        let records = layout.list().await?;
        let verified: HashMap<BackupId, _> = self
            .all_backups(Some(id))?
            .into_iter()
            .filter_map(|known| known.record.verified.map(|at| (known.record.id, at)))
            .collect();
        let known: Vec<_> = records
            .into_iter()
            .map(|mut record| {
                record.verified = record.verified.max(verified.get(&record.id).copied());
                KnownBackup { record, destination: id.clone() }
            })
            .collect();
        self.store.replace_backups(id, &known)?;
        Ok(known.len() as u64)
    }

    /// Returns every cached backup, of one destination or all.
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

    pub(crate) async fn destination_row(self: &Arc<Self>, config: &DestinationConfig) -> Result<DestinationRow> {
        let look = tokio::time::timeout(LOOK_LIMIT, self.look(config)).await.unwrap_or_else(|_| Look {
            state: "offline",
            text: "It does not answer".into(),
            free: None,
            total: None,
        });
        let query = BackupQuery { destination: Some(config.id.clone()), limit: 1, ..BackupQuery::default() };
        let backups = self.store.backups(&query)?.total;
        let plans = self.store.plans()?.iter().filter(|plan| plan.destinations.contains(&config.id)).count();
        let Place::Local { path } = &config.place;
        let used_bytes = locked(&self.used).get(&config.id).copied();
        if used_bytes.is_none() && matches!(look.state, "ok" | "kit_not_confirmed") {
            self.measure_used(config);
        }
        Ok(DestinationRow {
            id: config.id.to_string(),
            name: config.name.clone(),
            kind: "local".into(),
            place: path.clone(),
            used_bytes,
            free_bytes: look.free,
            total_bytes: look.total,
            backups,
            plans: plans as u64,
            state: look.state.into(),
            state_text: look.text,
        })
    }

    async fn look(&self, config: &DestinationConfig) -> Look {
        let offline = |error: &Error| Look { state: "offline", text: error.message.clone(), free: None, total: None };
        let destination = match self.place(config).await {
            Ok(destination) => destination,
            Err(error) => return offline(&error),
        };
        let space = destination.space().await.ok();
        let (free, total) = (space.map(|s| s.free_bytes), space.map(|s| s.total_bytes));
        match self.parts.vault_presence(destination.as_ref()).await {
            Ok(crate::VaultPresence::Vault) => {}
            Ok(_) => {
                let text = "The vault is not there; is the right disk mounted?".into();
                return Look { state: "offline", text, free, total };
            }
            Err(error) => return offline(&error),
        }
        match self.vault_password(config).await {
            Ok(_) if config.kit_confirmed => Look { state: "ok", text: "Ready".into(), free, total },
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
            let used = async { inner.vault(&config).await?.layout.used_bytes().await };
            match used.await {
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

    async fn test_draft(&self, draft: &DestinationDraft) -> Result<DestinationTest> {
        let place = place_of(draft)?;
        let failed = |error: Error| DestinationTest {
            ok: false,
            steps: vec![TestStep {
                title: "Open the folder".into(),
                state: "failed".into(),
                text: error.message,
                hint: error.hint,
            }],
            found: String::new(),
        };
        let Place::Local { path } = &place;
        let destination = match self.parts.open_destination(path, &place).await {
            Ok(destination) => destination,
            Err(error) => return Ok(failed(error)),
        };
        let steps: Vec<_> = self.parts.probe_destination(destination.as_ref()).await.into_iter().map(step).collect();
        let found = match self.parts.vault_presence(destination.as_ref()).await {
            Ok(crate::VaultPresence::Empty) => "empty",
            Ok(crate::VaultPresence::Vault) => "vault",
            Ok(crate::VaultPresence::Foreign) => "foreign",
            Err(error) => return Ok(failed(error)),
        };
        let ok = found != "foreign" && steps.iter().all(|step| step.state != "failed");
        Ok(DestinationTest { ok, steps, found: found.into() })
    }

    /// A vault whose only key would go with the entry must not be forgotten by a click.
    fn removable(&self, config: &DestinationConfig) -> Result<()> {
        let query = BackupQuery { destination: Some(config.id.clone()), limit: 1, ..BackupQuery::default() };
        if config.kit_confirmed || self.store.backups(&query)?.total == 0 {
            return Ok(());
        }
        Err(invalid(format!(
            "Cannot remove {}: its recovery kit was never confirmed, so the key to its backups could be lost",
            config.name
        ))
        .hint("Print the recovery kit and confirm it by one of its words, then remove the destination"))
    }
}

fn step(step: crate::ProbedStep) -> TestStep {
    let state = match (step.ok, step.note) {
        (true, false) => "ok",
        (_, true) => "note",
        (false, false) => "failed",
    };
    TestStep { title: step.title, state: state.into(), text: step.text, hint: step.hint }
}

/// Reads a draft's place.
fn place_of(draft: &DestinationDraft) -> Result<Place> {
    match draft.kind.as_str() {
        "local" | "" => {}
        other => {
            return Err(Error::new(
                ErrorClass::Unsupported,
                format!("There are no destinations of kind \"{other}\" yet"),
            )
            .hint("Choose a local or mounted folder"));
        }
    }
    let path = draft.path.trim();
    if path.is_empty() || !std::path::Path::new(path).is_absolute() {
        return Err(invalid(format!("\"{path}\" cannot be a destination: give a folder's full path"))
            .hint("For example /mnt/backup/backstay"));
    }
    Ok(Place::Local { path: path.into() })
}
