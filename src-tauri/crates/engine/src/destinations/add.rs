//! Adding a destination: a new vault, one that is there already, or a place without one.

use super::draft::identity;
use super::kit::{ask_word, new_password};
use super::limits::bandwidth_of;
use crate::backstay::{Backstay, Inner, locked};
use crate::parts::{OpenVault, VaultPresence};
use crate::words::{checked_name, invalid};
use backstay_contract::{DestinationAdded, DestinationDraft};
use backstay_core::config::{Bandwidth, DestinationConfig, DestinationLogin, Place};
use backstay_core::destination::Destination;
use backstay_core::secret::{Secret, SecretName};
use backstay_core::{DestinationId, Error, ErrorClass, Result};
use std::sync::Arc;

/// A password the user chooses must have so many characters: it is all that guards every backup.
const SHORTEST_PASSWORD: usize = 12;

/// A destination just set up.
pub(super) struct Added {
    pub config: DestinationConfig,
    pub vault: Option<(OpenVault, Secret)>,
    pub created: bool,
}

/// What a new destination is set up for at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To write backups there.
    BackUp,
    /// To open what lies there.
    Open,
}

/// A place checked and open, before it becomes a destination.
pub(super) struct Opened {
    pub id: DestinationId,
    pub name: String,
    pub place: Place,
    pub login: DestinationLogin,
    pub bandwidth: Bandwidth,
    pub destination: Arc<dyn Destination>,
    pub presence: VaultPresence,
}

impl Backstay {
    /// Adds a destination: makes a vault there, opens the one that is there, or leaves the place without.
    pub async fn add_destination(&self, draft: DestinationDraft) -> Result<DestinationAdded> {
        let name = draft.name.trim().to_owned();
        let result = self.inner.set_up_destination(draft).await;
        let action =
            if matches!(&result, Ok(added) if !added.created) { "destination.open" } else { "destination.add" };
        let added = self.inner.audited(action, &name, result)?;
        let kit = added.vault.as_ref().map(|(_, password)| self.inner.kit_of(&added.config, password));
        if let Some((vault, _)) = added.vault {
            self.inner.keep_vault(&added.config.id, vault);
        }
        let backups = self.inner.read_backups(&added.config).await?;
        self.inner.store_configuration_copies().await;
        self.inner.changed("destinations");
        self.inner.changed("backups");
        Ok(DestinationAdded {
            destination: self.inner.destination_row(&added.config).await?,
            created: added.created,
            backups,
            ask_word: kit.as_ref().map_or(0, ask_word),
            kit,
        })
    }
}

impl Inner {
    async fn set_up_destination(&self, draft: DestinationDraft) -> Result<Added> {
        let for_vault = match draft.use_for.as_str() {
            "" | "vault" => true,
            "none" => false,
            other => return Err(invalid(format!("A destination cannot be used for \"{other}\""))),
        };
        let opened = self.open_new(&draft, Purpose::BackUp).await?;
        let given = draft.vault_password.filter(|text| !text.is_empty()).map(Secret::new);
        // Where a vault is opened, its id says which of the known ones it may be; where none can be made, nothing is added.
        let opens = for_vault && opened.presence == VaultPresence::Vault;
        let vain = for_vault && opened.presence == VaultPresence::Foreign;
        if !opens && !vain {
            self.refuse_twice(&opened.name, opened.destination.as_ref(), None).await?;
        }
        if !for_vault {
            let config = self.keep_destination(opened, String::new(), true).await?;
            return Ok(Added { config, vault: None, created: true });
        }
        let created = !matches!(opened.presence, VaultPresence::Vault);
        let (vault, password) = match opened.presence {
            VaultPresence::Empty | VaultPresence::Archives => {
                self.new_vault(&opened.id, opened.destination.clone(), given).await?
            }
            VaultPresence::Vault => self.existing_vault(&opened, given).await?,
            VaultPresence::Foreign => {
                return Err(invalid(format!(
                    "Cannot make a vault at {}: the folder holds other files",
                    opened.destination.label()
                ))
                .hint("Choose an empty folder, or a new one inside this folder"));
            }
        };
        // Who opens a vault by its password has the password.
        let config = self.keep_destination(opened, vault.id.clone(), !created).await?;
        Ok(Added { config, vault: Some((vault, password)), created })
    }

    /// Checks a draft of a new destination and opens its place.
    pub(super) async fn open_new(&self, draft: &DestinationDraft, purpose: Purpose) -> Result<Opened> {
        let name = checked_name(&draft.name, "destination")?;
        let mut place = self.place_of(draft)?;
        let bandwidth = bandwidth_of(&draft.bandwidth)?;
        let login = self.login_of_destination(draft, &place).await?;
        for config in self.store.destinations()? {
            if config.name == name {
                return Err(Error::new(ErrorClass::Exists, format!("There is a destination called {name} already"))
                    .hint("Choose another name"));
            }
            if identity(&config.place) == identity(&place) {
                return Err(Error::new(
                    ErrorClass::Exists,
                    format!("{} is set up already: it is the destination {}", self.place_text(&place), config.name),
                )
                .hint("Use that destination, or remove it first"));
            }
        }
        self.secrets_ready().await?;
        let mut destination = self.open_draft(&name, &place, login.clone()).await?;
        if let Some(settled) = self.settle(&place, destination.as_ref(), purpose).await? {
            place = settled;
            destination = self.open_draft(&name, &place, login.clone()).await?;
        }
        let presence = self.parts.vault_presence(destination.as_ref()).await?;
        Ok(Opened { id: DestinationId::random(), name, place, login, bandwidth, destination, presence })
    }

    /// What a bucket can do decides how it is written to: what its test found out, or a test made now. To open what lies
    /// there it is enough to look: a key that may not write must do.
    pub(super) async fn settle(
        &self,
        place: &Place,
        destination: &dyn Destination,
        purpose: Purpose,
    ) -> Result<Option<Place>> {
        let Place::S3(wanted) = place else { return Ok(None) };
        let known = locked(&self.settled).get(&identity(place)).cloned();
        let found = match known {
            Some(found) => found,
            None => {
                let probed = match purpose {
                    Purpose::BackUp => self.parts.probe_destination(place, destination, &|_| {}).await,
                    Purpose::Open => self.parts.look_at_destination(place, destination, &|_| {}).await,
                };
                if let Some(failed) = probed.steps.iter().find(|step| !step.ok && !step.note) {
                    let error = Error::new(
                        ErrorClass::Refused,
                        format!("Cannot use {}: {}: {}", destination.label(), failed.title, failed.text),
                    );
                    return Err(match &failed.hint {
                        Some(hint) => error.hint(hint.clone()),
                        None => error,
                    });
                }
                match probed.settled {
                    Some(found) => found,
                    None => return Ok(None),
                }
            }
        };
        // What was filled in since the test stays as it is filled in.
        let mut settled = wanted.clone();
        settled.path_style = found.path_style;
        settled.checksums = found.checksums;
        settled.list_v1 = found.list_v1;
        settled.conditional_writes = found.conditional_writes;
        settled.checks_md5 = found.checks_md5;
        if !found.region.is_empty() {
            settled.region = found.region;
        }
        Ok(Some(Place::S3(settled)))
    }

    /// Stores a new destination with what logs in there.
    pub(super) async fn keep_destination(
        &self,
        opened: Opened,
        vault_id: String,
        kit_confirmed: bool,
    ) -> Result<DestinationConfig> {
        let config = DestinationConfig {
            id: opened.id,
            name: opened.name,
            place: opened.place,
            vault_id,
            kit_confirmed,
            created: self.clock.now(),
        };
        self.store_destination_login(&config.id, &config.place, &opened.login, None).await?;
        let stored = self
            .store
            .put_destination(&config)
            .and_then(|()| self.put_limits(None, &[(config.id.clone(), opened.bandwidth)]));
        if let Err(error) = stored {
            self.forget_destination_secrets(&config.id, &config.place).await;
            return Err(error);
        }
        Ok(config)
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

    /// Opens a vault that is there. It may be a copy of one we know: then its password is known too.
    async fn existing_vault(&self, opened: &Opened, given: Option<Secret>) -> Result<(OpenVault, Secret)> {
        let place = opened.destination.clone();
        let (vault, password) = match given {
            Some(password) => (self.parts.open_vault(place.clone(), &password).await?, password),
            None => self.known_vault(place.clone()).await.ok_or_else(|| {
                invalid(format!("There is a vault at {} already: its password is needed", place.label()))
                    .hint("Give the password from its recovery kit; if making it failed just now, choose a new folder")
            })?,
        };
        self.refuse_twice(&opened.name, place.as_ref(), Some(&vault.id)).await?;
        self.put_secret(SecretName::vault_password(&opened.id), password.clone()).await?;
        Ok((vault, password))
    }

    /// Tries the passwords of the vaults we know.
    async fn known_vault(&self, destination: Arc<dyn Destination>) -> Option<(OpenVault, Secret)> {
        let mut tried: Vec<Secret> = Vec::new();
        for config in self.store.destinations().ok()?.iter().filter(|config| !config.vault_id.is_empty()) {
            let Ok(password) = self.vault_password(config).await else { continue };
            if tried.contains(&password) {
                continue;
            }
            if let Ok(vault) = self.parts.open_vault(destination.clone(), &password).await {
                return Some((vault, password));
            }
            tried.push(password);
        }
        None
    }

    /// Fails with what to do when secrets cannot be kept now.
    pub(crate) async fn secrets_ready(&self) -> Result<()> {
        let status = self.with_secret_store(|parts| Ok(parts.secrets_status())).await?;
        let (text, hint) = match status.state.as_str() {
            "ready" => return Ok(()),
            "locked" => ("it is locked", "Unlock it with its passphrase in Settings, Secrets"),
            "keyring_closed" => {
                ("the keyring does not open", "Open the keyring, and try it again in Settings, Secrets")
            }
            _ => ("there is no keyring on this computer", "Make a sealed file with a passphrase in Settings, Secrets"),
        };
        Err(Error::new(ErrorClass::Locked, format!("Cannot reach the secret store: {text}"))
            .hint(hint)
            .detail(status.reason.unwrap_or_default()))
    }
}
