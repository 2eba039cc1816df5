//! Adding a destination: a new vault, or one that is there already.

use super::kit::{ask_word, make_kit, new_password};
use super::place_of;
use crate::backstay::{Backstay, Inner};
use crate::parts::{OpenVault, VaultPresence};
use crate::words::{checked_name, invalid};
use backstay_contract::{DestinationAdded, DestinationDraft};
use backstay_core::config::DestinationConfig;
use backstay_core::destination::Destination;
use backstay_core::secret::{Secret, SecretName};
use backstay_core::{DestinationId, Error, ErrorClass, Result};
use std::sync::Arc;

/// A password the user chooses must have so many characters: it is all that guards every backup.
const SHORTEST_PASSWORD: usize = 12;

/// A destination just set up.
struct Added {
    config: DestinationConfig,
    vault: OpenVault,
    password: Secret,
    created: bool,
}

impl Backstay {
    /// Adds a destination: makes a vault there or opens the one that is there.
    pub async fn add_destination(&self, draft: DestinationDraft) -> Result<DestinationAdded> {
        let name = draft.name.trim().to_owned();
        let result = self.inner.set_up_destination(draft).await;
        let action =
            if matches!(&result, Ok(added) if !added.created) { "destination.open" } else { "destination.add" };
        let added = self.inner.audited(action, &name, result)?;
        let backups = self.inner.read_backups(&added.config.id, added.vault.layout.as_ref()).await?;
        self.inner.keep_vault(&added.config.id, added.vault).await;
        let kit = make_kit(&added.config, &added.password);
        self.inner.changed("destinations");
        self.inner.changed("backups");
        Ok(DestinationAdded {
            destination: self.inner.destination_row(&added.config).await?,
            created: added.created,
            backups,
            ask_word: ask_word(&kit),
            kit,
        })
    }
}

impl Inner {
    async fn set_up_destination(&self, draft: DestinationDraft) -> Result<Added> {
        let name = checked_name(&draft.name, "destination")?;
        let place = place_of(&draft)?;
        let known = self.store.destinations()?;
        if known.iter().any(|config| config.name == name) {
            return Err(Error::new(ErrorClass::Exists, format!("There is a destination called {name} already"))
                .hint("Choose another name"));
        }
        self.secrets_ready().await?;
        let destination =
            self.parts.open_destination(&crate::backstay::destination_label(&name, &place), &place).await?;
        let presence = self.parts.vault_presence(destination.as_ref()).await?;
        let given = draft.vault_password.filter(|text| !text.is_empty()).map(Secret::new);
        let id = DestinationId::random();
        let created = presence == VaultPresence::Empty;
        let (vault, password) = match presence {
            VaultPresence::Empty => self.new_vault(&id, destination, given).await?,
            VaultPresence::Vault => self.existing_vault(&id, &known, destination, given).await?,
            VaultPresence::Foreign => {
                return Err(invalid(format!(
                    "Cannot make a vault at {}: the folder holds other files",
                    destination.label()
                ))
                .hint("Choose an empty folder, or a new one inside this folder"));
            }
        };
        let config = DestinationConfig {
            id,
            name,
            place,
            vault_id: vault.id.clone(),
            // Who opens a vault by its password has the password.
            kit_confirmed: !created,
            created: self.clock.now(),
        };
        self.store.put_destination(&config)?;
        Ok(Added { config, vault, password, created })
    }

    /// Makes a vault. Its password rests in the secret store, read back, before the vault exists.
    async fn new_vault(
        &self,
        id: &DestinationId,
        destination: Arc<dyn Destination>,
        given: Option<Secret>,
    ) -> Result<(OpenVault, Secret)> {
        if given.as_ref().is_some_and(|secret| secret.expose().chars().count() < SHORTEST_PASSWORD) {
            return Err(invalid(format!(
                "The vault's password is too short: use at least {SHORTEST_PASSWORD} characters"
            ))
            .hint("Or leave it empty: Backstay makes a strong one of ten words"));
        }
        let password = match given {
            Some(password) => password,
            None => new_password()?,
        };
        let name = SecretName::vault_password(id);
        self.put_secret(name.clone(), password.clone()).await?;
        match self.parts.create_vault(destination, &password).await {
            Ok(vault) => Ok((vault, password)),
            Err(error) => {
                self.forget_secret(name).await;
                Err(error)
            }
        }
    }

    async fn existing_vault(
        &self,
        id: &DestinationId,
        known: &[DestinationConfig],
        destination: Arc<dyn Destination>,
        given: Option<Secret>,
    ) -> Result<(OpenVault, Secret)> {
        let Some(password) = given else {
            return Err(invalid(format!(
                "There is a vault at {} already: its password is needed",
                destination.label()
            ))
            .hint("Give the password from its recovery kit"));
        };
        let label = destination.label().to_owned();
        let vault = self.parts.open_vault(destination, &password).await?;
        if let Some(same) = known.iter().find(|config| config.vault_id == vault.id) {
            return Err(Error::new(
                ErrorClass::Exists,
                format!("The vault at {label} is set up already: it is the destination {}", same.name),
            )
            .hint("Use that destination, or remove it first"));
        }
        self.put_secret(SecretName::vault_password(id), password.clone()).await?;
        Ok((vault, password))
    }

    /// Fails with what to do when secrets cannot be kept now.
    pub(crate) async fn secrets_ready(&self) -> Result<()> {
        let status = self.with_secret_store(|parts| Ok(parts.secrets_status())).await?;
        let (text, hint) = match status.state.as_str() {
            "ready" => return Ok(()),
            "locked" => ("it is locked", "Unlock it with its passphrase in Settings, Secrets"),
            _ => ("there is no keyring on this computer", "Make a sealed file with a passphrase in Settings, Secrets"),
        };
        Err(Error::new(ErrorClass::Locked, format!("Cannot reach the secret store: {text}"))
            .hint(hint)
            .detail(status.reason.unwrap_or_default()))
    }
}
