//! A plan that writes into a vault at several destinations: all of them hold copies of one vault.

use crate::backstay::Inner;
use crate::parts::VaultPresence;
use crate::words::invalid;
use backstay_core::config::DestinationConfig;
use backstay_core::destination::{Destination, Key, WriteMode};
use backstay_core::secret::SecretName;
use backstay_core::{DestinationId, Error, ErrorClass, Result};

impl Inner {
    /// Reads a plan's destinations; each once.
    pub(super) fn checked_destinations(&self, ids: &[String]) -> Result<Vec<DestinationConfig>> {
        if ids.is_empty() {
            return Err(invalid("The plan has no destination").hint("Choose one"));
        }
        let mut configs: Vec<DestinationConfig> = Vec::new();
        for id in ids {
            let config = self.store.destination(&DestinationId::from(id.as_str()))?;
            if configs.iter().any(|known| known.id == config.id) {
                return Err(
                    invalid(format!("The plan writes to {} twice", config.name)).hint("Choose each destination once")
                );
            }
            configs.push(config);
        }
        Ok(configs)
    }

    /// Makes sure that all destinations hold copies of one vault: a place without one becomes a copy, one that holds another
    /// is refused.
    pub(super) async fn make_copies(&self, configs: &[DestinationConfig]) -> Result<()> {
        let Some(first) = configs.iter().find(|config| !config.vault_id.is_empty()) else {
            return Err(invalid("None of the plan's destinations has a vault")
                .hint("Add a destination with a vault, or let the plan write archives"));
        };
        // All are looked at before anything is written.
        for config in configs.iter().filter(|config| !config.vault_id.is_empty()) {
            if config.vault_id != first.vault_id {
                return Err(another_vault(config, first));
            }
        }
        for config in configs.iter().filter(|config| config.vault_id.is_empty()) {
            self.make_copy(first, config).await?;
        }
        Ok(())
    }

    async fn make_copy(&self, first: &DestinationConfig, copy: &DestinationConfig) -> Result<()> {
        let password = self.vault_password(first).await?;
        let to = self.place(copy).await?;
        let from = self.place(first).await?;
        match self.parts.vault_presence(to.as_ref()).await? {
            VaultPresence::Empty | VaultPresence::Archives => copy_head(from.as_ref(), to.as_ref()).await?,
            VaultPresence::Vault => {}
            VaultPresence::Foreign if is_half_copy(from.as_ref(), to.as_ref()).await? => {
                copy_head(from.as_ref(), to.as_ref()).await?;
            }
            VaultPresence::Foreign => {
                return Err(invalid(format!(
                    "Cannot make {} a copy of the vault at {}: other files lie there",
                    copy.name, first.name
                ))
                .hint("Choose an empty folder: add it as a destination of its own, without a vault"));
            }
        }
        let vault = match self.parts.open_vault(to, &password).await {
            Ok(vault) if vault.id == first.vault_id => vault,
            Ok(_) => return Err(another_vault(copy, first)),
            Err(error) if error.class == ErrorClass::WrongKey => return Err(another_vault(copy, first)),
            Err(error) => return Err(error),
        };
        self.put_secret(SecretName::vault_password(&copy.id), password).await?;
        self.store.put_destination(&DestinationConfig {
            vault_id: first.vault_id.clone(),
            kit_confirmed: first.kit_confirmed,
            ..copy.clone()
        })?;
        self.keep_vault(&copy.id, vault);
        self.audit("destination.copy", &format!("{} of the vault at {}", copy.name, first.name), "ok")?;
        self.changed("destinations");
        Ok(())
    }
}

fn another_vault(config: &DestinationConfig, first: &DestinationConfig) -> Error {
    invalid(format!("Cannot use {} and {} in one plan: different vaults lie there", first.name, config.name)).hint(
        "A plan writes copies of one vault. Add the second place again with an empty folder, without a vault, and choose that",
    )
}

/// Tells whether all that lies there is what a copying left that was cut off before the vault's config.
async fn is_half_copy(from: &dyn Destination, to: &dyn Destination) -> Result<bool> {
    for object in to.list("").await? {
        let key = object.key.as_str();
        if key.starts_with("archives/") || key.starts_with("backstay/") {
            continue;
        }
        if !key.starts_with("keys/") {
            return Ok(false);
        }
        match from.get(&object.key, None).await {
            Ok(content) if content == to.get(&object.key, None).await? => {}
            Err(error) if error.class != ErrorClass::Missing => return Err(error),
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Copies what makes a vault this vault: its keys first, its config last.
async fn copy_head(from: &dyn Destination, to: &dyn Destination) -> Result<()> {
    let mut keys: Vec<Key> = from.list("keys/").await?.into_iter().map(|object| object.key).collect();
    keys.push(Key::new("config")?);
    for key in keys {
        let content = from.get(&key, None).await?;
        match to.put(&key, content.clone(), WriteMode::CreateNew).await {
            // Left by a copying that was cut off.
            Err(error) if error.class == ErrorClass::Exists && to.get(&key, None).await? == content => {}
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        if to.get(&key, None).await? != content {
            return Err(Error::new(
                ErrorClass::Corrupt,
                format!("{} at {} is not what was written there", key, to.label()),
            )
            .hint("Do not use this destination: check its disk or cable"));
        }
    }
    Ok(())
}
