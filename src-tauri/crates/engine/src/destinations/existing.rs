//! Opening a place with backups on a computer that knows nothing of them.

use super::add::{Opened, Purpose};
use super::archives::same_key;
use super::draft::identity;
use super::seal::key_bytes;
use crate::backstay::{Backstay, Inner};
use crate::parts::{OpenVault, VaultPresence};
use crate::plans::seals;
use backstay_contract::{DestinationDraft, ExistingFound};
use backstay_core::config::{BackupQuery, DestinationConfig, KnownBackup, Plan, PlanLayout, Seal};
use backstay_core::destination::Destination;
use backstay_core::layout::ArchiveKey;
use backstay_core::secret::{Secret, SecretName};
use backstay_core::{Error, ErrorClass, Result};
use std::sync::Arc;

impl Backstay {
    /// Opens a place with existing backups by its vault's password or kit words, an archive key or a passphrase, makes it
    /// a destination, and tells what is there. Needs nothing of the database that made them.
    pub async fn open_existing(&self, draft: DestinationDraft, key: &str) -> Result<ExistingFound> {
        let name = draft.name.trim().to_owned();
        let keys = keys_of_text(key);
        let result = self.inner.open_with(&draft, &keys).await;
        let config = self.inner.audited("destination.open", &name, result)?;
        let backups = self.inner.read_backups(&config).await?;
        self.inner.recover_archive_keys(&config).await?;
        let place = self.inner.place(&config).await?;
        let locked = self.inner.locked_archives(place.clone(), &[]).await?;
        let configurations = self.inner.read_configurations(place.as_ref(), &self.inner.all_keys(&keys).await).await?;
        let own = self.inner.installation()?;
        let others = configurations.iter().filter(|configuration| configuration.installation != own);
        let configurations = others.map(|other| self.inner.configuration_view(other)).collect::<Result<_>>()?;
        self.inner.changed("destinations");
        self.inner.changed("backups");
        let destination = self.inner.destination_row(&config).await?;
        Ok(ExistingFound { destination, backups, locked, configurations })
    }
}

/// What a typed key may be: 64 hex digits, words of a kit with blanks between, or a password as it is.
fn keys_of_text(text: &str) -> Vec<ArchiveKey> {
    let text = text.trim();
    let mut keys = Vec::new();
    if text.is_empty() {
        return keys;
    }
    let joined: String = text.split_whitespace().collect();
    if key_bytes(&joined).is_some() {
        keys.push(ArchiveKey::Key(Secret::new(joined.to_ascii_lowercase())));
    }
    keys.push(ArchiveKey::Passphrase(Secret::new(text)));
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace() || c == '-' || c == ',')
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let by_words = words.join("-");
    if words.len() > 1 && by_words != text {
        keys.push(ArchiveKey::Passphrase(Secret::new(by_words)));
    }
    keys
}

fn passwords(keys: &[ArchiveKey]) -> impl Iterator<Item = &Secret> {
    keys.iter().filter_map(|key| match key {
        ArchiveKey::Passphrase(secret) => Some(secret),
        ArchiveKey::Key(_) => None,
    })
}

impl Inner {
    async fn open_with(&self, draft: &DestinationDraft, keys: &[ArchiveKey]) -> Result<DestinationConfig> {
        let place = self.place_of(draft)?;
        let known = self.store.destinations()?.into_iter().find(|known| identity(&known.place) == identity(&place));
        if let Some(known) = known {
            return self.open_known(known, keys).await;
        }
        let opened = self.open_new(draft, Purpose::Open).await?;
        let vault = match opened.presence {
            VaultPresence::Vault => self.vault_by(&opened, keys).await?,
            _ => None,
        };
        let useful = self.useful_keys(opened.destination.clone(), keys, vault.as_ref().map(|(_, password)| password));
        let useful = useful.await?;
        if vault.is_none() && useful.is_empty() {
            self.check_worth(&opened).await?;
        }
        let id = vault.as_ref().map(|(vault, _)| vault.id.as_str());
        self.refuse_twice(&opened.name, opened.destination.as_ref(), id).await?;
        for key in useful {
            self.keep_archive_key(key).await?;
        }
        let Some((vault, password)) = vault else { return self.keep_destination(opened, String::new(), true).await };
        let name = SecretName::vault_password(&opened.id);
        self.put_secret(name, password).await?;
        // Who opens a vault by its key has the key.
        let config = self.keep_destination(opened, vault.id.clone(), true).await?;
        self.keep_vault(&config.id, vault);
        Ok(config)
    }

    /// A place that is a destination already: the key may open what was locked.
    async fn open_known(&self, known: DestinationConfig, keys: &[ArchiveKey]) -> Result<DestinationConfig> {
        let vault = match self.vault_password(&known).await {
            _ if known.vault_id.is_empty() => None,
            Ok(password) => Some(password),
            Err(_) => self.unlock(&known, keys).await?,
        };
        for key in self.useful_keys(self.place(&known).await?, keys, vault.as_ref()).await? {
            self.keep_archive_key(key).await?;
        }
        Ok(known)
    }

    /// Opens a vault whose password was not known by one of these keys; returns which.
    async fn unlock(&self, known: &DestinationConfig, keys: &[ArchiveKey]) -> Result<Option<Secret>> {
        for password in passwords(keys) {
            match self.parts.open_vault(self.place(known).await?, password).await {
                Ok(vault) if vault.id == known.vault_id => {
                    self.put_secret(SecretName::vault_password(&known.id), password.clone()).await?;
                    self.keep_vault(&known.id, vault);
                    return Ok(Some(password.clone()));
                }
                Err(error) if error.class != ErrorClass::WrongKey => return Err(error),
                _ => {}
            }
        }
        Ok(None)
    }

    async fn vault_by(&self, opened: &Opened, keys: &[ArchiveKey]) -> Result<Option<(OpenVault, Secret)>> {
        for password in passwords(keys) {
            match self.parts.open_vault(opened.destination.clone(), password).await {
                Ok(vault) => return Ok(Some((vault, password.clone()))),
                Err(error) if error.class == ErrorClass::WrongKey => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// A place is opened only if the key opens something there, or something there needs none.
    async fn check_worth(&self, opened: &Opened) -> Result<()> {
        let label = opened.destination.label();
        if !self.archives_over(opened.destination.clone()).list().await?.is_empty() {
            return Ok(());
        }
        let locked = self.locked_archives(opened.destination.clone(), &[]).await?;
        if opened.presence == VaultPresence::Vault || locked > 0 {
            return Err(Error::new(ErrorClass::WrongKey, format!("The key opens nothing at {label}"))
                .hint("Give the password or the words of the recovery kit, or the archives' key or passphrase"));
        }
        Err(Error::new(ErrorClass::Missing, format!("There are no backups at {label}"))
            .hint("Check the folder; to back up into it, add it as a new destination"))
    }

    /// Of all that a typed text may mean, returns what opens archives, or a configuration whose archives are yet to come.
    async fn useful_keys(
        &self,
        place: Arc<dyn Destination>,
        keys: &[ArchiveKey],
        vault: Option<&Secret>,
    ) -> Result<Vec<ArchiveKey>> {
        let locked = self.locked_archives(place.clone(), &[]).await?;
        let mut useful = Vec::new();
        for key in keys {
            let one = std::slice::from_ref(key);
            let opens_archives = locked > 0 && self.locked_archives(place.clone(), one).await? < locked;
            let is_vaults = matches!((key, vault), (ArchiveKey::Passphrase(text), Some(password)) if text == password);
            let opens =
                opens_archives || (!is_vaults && !self.read_configurations(place.as_ref(), one).await?.is_empty());
            if opens {
                useful.push(key.clone());
            }
        }
        Ok(useful)
    }

    /// The typed keys, and all we hold.
    pub(super) async fn all_keys(&self, typed: &[ArchiveKey]) -> Vec<ArchiveKey> {
        let mut keys = typed.to_vec();
        for password in self.vault_passwords().await {
            if !passwords(&keys).any(|known| *known == password) {
                keys.push(ArchiveKey::Passphrase(password));
            }
        }
        keys.extend(self.held_archive_keys().await);
        keys
    }

    async fn vault_passwords(&self) -> Vec<Secret> {
        let mut all = Vec::new();
        for config in self.store.destinations().unwrap_or_default() {
            all.extend(self.vault_password(&config).await);
        }
        all
    }

    /// Plans that were taken over before their key was typed get it now.
    async fn recover_archive_keys(&self, at: &DestinationConfig) -> Result<()> {
        for plan in self.store.plans()?.iter().filter(|plan| plan.destinations.contains(&at.id)) {
            if matches!(self.archive_key(plan).await, Err(Error { class: ErrorClass::Locked, .. })) {
                self.recover_archive_key(plan).await?;
            }
        }
        Ok(())
    }

    /// A plan's key may be one that was typed to open its archives.
    pub(super) async fn recover_archive_key(&self, plan: &Plan) -> Result<bool> {
        if !seals(&plan.layout) {
            return Ok(true);
        }
        let mut held = Vec::new();
        for key in self.held_archive_keys().await.into_iter().filter(|key| fits(key, plan)) {
            if !held.iter().any(|known| same_key(known, &key)) {
                held.push(key);
            }
        }
        let Some(ArchiveKey::Key(secret) | ArchiveKey::Passphrase(secret)) = self.key_among(plan, held).await? else {
            return Ok(false);
        };
        self.put_secret(SecretName::archive_key(&plan.id), secret).await?;
        Ok(true)
    }

    /// Finds a plan's key: the one that opens its newest archive. A wrong one would seal archives its kit does not open.
    async fn key_among(&self, plan: &Plan, mut held: Vec<ArchiveKey>) -> Result<Option<ArchiveKey>> {
        let query = BackupQuery { plan: Some(plan.id.clone()), limit: 1000, ..BackupQuery::default() };
        let sealed = |known: &KnownBackup| known.record.archive.as_ref().is_some_and(|file| file.sealed);
        if let Some(newest) = self.store.backups(&query)?.rows.into_iter().find(sealed) {
            for key in held {
                if self.opens(&key, &newest).await? {
                    return Ok(Some(key));
                }
            }
            return Ok(None);
        }
        // None is open. An only key is that of an only plan. A vault's password, typed to read the configuration, is none.
        let vaults = self.vault_passwords().await;
        held.retain(|key| !matches!(key, ArchiveKey::Passphrase(text) if vaults.contains(text)));
        let alone =
            !self.store.plans()?.iter().any(|other| other.id != plan.id && held.iter().any(|key| fits(key, other)));
        Ok(if held.len() == 1 && alone { held.pop() } else { None })
    }
}

/// Tells whether a plan's archives may be sealed by such a key.
fn fits(key: &ArchiveKey, plan: &Plan) -> bool {
    let PlanLayout::Archive(settings) = &plan.layout else { return false };
    match key {
        ArchiveKey::Passphrase(_) => settings.seal == Seal::Passphrase,
        ArchiveKey::Key(_) => matches!(settings.seal, Seal::PlanKey | Seal::OwnKey),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_typed_key_may_be_a_key_words_or_a_password() {
        let texts = |typed: &str| -> Vec<String> {
            keys_of_text(typed)
                .into_iter()
                .map(|key| match key {
                    ArchiveKey::Key(secret) => format!("key {}", secret.expose()),
                    ArchiveKey::Passphrase(secret) => format!("text {}", secret.expose()),
                })
                .collect()
        };
        assert_eq!(texts(" One  two\nthree "), ["text One  two\nthree", "text one-two-three"]);
        assert_eq!(texts("one-two-three"), ["text one-two-three"]);
        assert!(texts("").is_empty());
        let key = "0F".repeat(32);
        assert_eq!(texts(&key)[0], format!("key {}", "0f".repeat(32)));
        let grouped: String = key.as_bytes().chunks(8).map(|c| format!("{} ", String::from_utf8_lossy(c))).collect();
        assert_eq!(texts(&grouped)[0], format!("key {}", "0f".repeat(32)));
    }
}
