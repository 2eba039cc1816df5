//! The copy of the configuration at each destination: servers, plans and destinations, without passwords, sealed by what
//! opens the backups beside it. So another computer needs a destination and its key, and nothing else.

use super::access::own_ssh;
use super::seal;
use crate::backstay::{Inner, locked};
use crate::servers::jumps::{self, Owner};
use backstay_core::config::{Connection, DestinationConfig, Plan, PlanLayout, Server};
use backstay_core::destination::{Destination, Key, WriteMode};
use backstay_core::layout::ArchiveKey;
use backstay_core::secret::SecretName;
use backstay_core::{DestinationId, Error, ErrorClass, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The folder of the copies at a destination.
pub(super) const FOLDER: &str = "backstay/";
/// The key under which this installation's id lies in the store.
const INSTALLATION: &str = "installation";
/// Saving a plan must not wait longer for a destination that does not answer; the next backup writes the copy.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is kept of an installation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Configuration {
    pub version: u32,
    pub installation: String,
    pub computer: String,
    pub made: DateTime<Utc>,
    /// Which of its destinations the copy was written to: another computer may reach it by another way.
    pub written_to: DestinationId,
    pub servers: Vec<Server>,
    pub destinations: Vec<DestinationConfig>,
    pub plans: Vec<Plan>,
    /// Names of the secrets the installation held for these, so that another knows what to ask for.
    #[serde(default)]
    pub secrets: Vec<SecretText>,
}

/// A secret's name.
pub(super) type SecretText = String;

impl Inner {
    /// Returns the id of this installation; made once.
    pub(super) fn installation(&self) -> Result<String> {
        if let Some(serde_json::Value::String(id)) = self.store.setting(INSTALLATION)? {
            return Ok(id);
        }
        let mut id = DestinationId::random().to_string();
        self.store.update_setting(INSTALLATION, &mut |kept| {
            if let Some(serde_json::Value::String(other)) = kept {
                id = other;
            }
            Ok(serde_json::Value::String(id.clone()))
        })?;
        Ok(id)
    }

    /// Keeps a copy of the configuration at a destination. Nothing is written where nothing could seal it.
    pub(crate) async fn store_configuration_copy(&self, config: &DestinationConfig) -> Result<()> {
        let keys = self.keys_of(config).await?;
        if keys.is_empty() {
            return Ok(());
        }
        let configuration = self.configuration(config).await?;
        let digest = digest_of(&configuration, &keys)?;
        if locked(&self.configurations).get(&config.id) == Some(&digest) {
            return Ok(());
        }
        let place = self.place(config).await?;
        let key = Key::new(format!("{FOLDER}config-{}.sealed", configuration.installation))?;
        let sealed = tokio::task::spawn_blocking(move || -> Result<Vec<u8>> {
            let content = serde_json::to_vec(&configuration).map_err(unreadable)?;
            seal::seal(&configuration.installation, &content, &keys)
        });
        let sealed =
            sealed.await.map_err(|e| Error::new(ErrorClass::Internal, "Sealing ended unexpectedly").source(e))??;
        place.put(&key, sealed.into(), WriteMode::Replace).await?;
        locked(&self.configurations).insert(config.id.clone(), digest);
        Ok(())
    }

    /// Keeps the copies at all destinations, as far as they answer soon: a copy that is older is no fault.
    pub(crate) async fn store_configuration_copies(&self) {
        let Ok(configs) = self.store.destinations() else { return };
        let copies = configs.iter().map(|config| async {
            let stored = tokio::time::timeout(PATIENCE, self.store_configuration_copy(config)).await;
            let text = match stored {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.message,
                Err(_) => "it does not answer".to_owned(),
            };
            tracing::info!(destination = %config.name, %text, "the copy of the configuration was not renewed");
        });
        futures::future::join_all(copies).await;
    }

    /// Returns what opens the backups at a destination: the vault's password, and the keys of archives written there.
    async fn keys_of(&self, config: &DestinationConfig) -> Result<Vec<ArchiveKey>> {
        let mut keys = Vec::new();
        if !config.vault_id.is_empty() {
            keys.push(ArchiveKey::Passphrase(self.vault_password(config).await?));
        }
        for plan in self.store.plans()?.iter().filter(|plan| plan.destinations.contains(&config.id)) {
            // A key that is missing now is no reason to keep no copy under the others.
            if let Ok(Some(key)) = self.archive_key(plan).await {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    async fn configuration(&self, at: &DestinationConfig) -> Result<Configuration> {
        let mut servers = self.store.servers()?;
        // What was found there is found again; it would only make the copy big.
        servers.iter_mut().for_each(|server| server.facts = None);
        let plans = self.store.plans()?;
        let destinations = self.store.destinations()?;
        let mut names = Vec::new();
        for server in &servers {
            names.extend([
                SecretName::server_password(&server.id),
                SecretName::server_key_passphrase(&server.id),
                SecretName::server_sudo_password(&server.id),
            ]);
            if let Connection::Ssh(ssh) = &server.connection {
                names.extend(jumps::names(&Owner::server(&server.id), ssh).into_iter().map(|(name, _)| name));
            }
        }
        for config in &destinations {
            names.extend([
                SecretName::destination_login(&config.id),
                SecretName::destination_key_passphrase(&config.id),
                SecretName::vault_password(&config.id),
            ]);
            if let Some(ssh) = own_ssh(&config.place) {
                names.extend(jumps::names(&Owner::destination(&config.id), ssh).into_iter().map(|(name, _)| name));
            }
        }
        for plan in &plans {
            if matches!(plan.layout, PlanLayout::Archive(_)) {
                names.push(SecretName::archive_key(&plan.id));
            }
            names.extend(plan.items.iter().map(|item| SecretName::item_password(&plan.id, &item.name)));
        }
        let secrets = self
            .with_secret_store(move |parts| {
                let secrets = parts.secrets();
                let held = names.into_iter().filter(|name| matches!(secrets.get(name), Ok(Some(_))));
                Ok(held.map(|name| name.0).collect())
            })
            .await?;
        Ok(Configuration {
            version: 1,
            installation: self.installation()?,
            computer: self.parts.computer_name(),
            made: self.clock.now(),
            written_to: at.id.clone(),
            servers,
            destinations,
            plans,
            secrets,
        })
    }

    /// Reads the copies at a place that one of the keys opens, newest first.
    pub(super) async fn read_configurations(
        &self,
        place: &dyn Destination,
        keys: &[ArchiveKey],
    ) -> Result<Vec<Configuration>> {
        let mut found = Vec::new();
        for object in place.list(FOLDER).await? {
            if !object.key.as_str().ends_with(".sealed") || object.size_bytes > seal::LARGEST as u64 {
                continue;
            }
            let file = place.get(&object.key, None).await?;
            let keys = keys.to_vec();
            let opened = tokio::task::spawn_blocking(move || seal::open(&file, &keys));
            let opened =
                opened.await.map_err(|e| Error::new(ErrorClass::Internal, "Opening ended unexpectedly").source(e))?;
            let read = opened.and_then(|content| serde_json::from_slice::<Configuration>(&content).map_err(unreadable));
            match read {
                Ok(configuration) => found.push(configuration),
                // One that cannot be opened or read must not hide the others.
                Err(error) => tracing::info!(key = %object.key, %error, "a copy of a configuration is left out"),
            }
        }
        found.sort_by_key(|configuration| std::cmp::Reverse(configuration.made));
        Ok(found)
    }
}

/// Tells a configuration from another, and its keys, without keeping either.
fn digest_of(configuration: &Configuration, keys: &[ArchiveKey]) -> Result<[u8; 32]> {
    let undated = Configuration { made: DateTime::<Utc>::UNIX_EPOCH, ..configuration.clone() };
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(&undated).map_err(unreadable)?);
    for key in keys {
        let (ArchiveKey::Key(secret) | ArchiveKey::Passphrase(secret)) = key;
        hash.update([0]);
        hash.update(secret.expose());
    }
    Ok(hash.finalize().into())
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::new(ErrorClass::Corrupt, "The copy of the configuration cannot be read")
        .hint("Update Backstay: a newer version may have written it")
        .source(error)
}
