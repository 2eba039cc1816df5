//! The archives at a destination, and the keys they may be sealed with.

use crate::backstay::Inner;
use crate::parts::Parts;
use backstay_core::config::{ArchiveSettings, DestinationConfig, KnownBackup, Plan, PlanLayout, Seal};
use backstay_core::layout::{ArchiveKey, ArchiveKeys, Layout};
use backstay_core::secret::{Secret, SecretName, SecretStore};
use backstay_core::store::Store;
use backstay_core::{Error, ErrorClass, PlanId, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The key under which the names of known archive keys lie in the store.
const KNOWN_KEYS: &str = "known_archive_keys";

/// A key kept though no plan seals with it: of archives made elsewhere, or before a plan's key was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KnownKey {
    /// What its secret is called by.
    id: String,
    /// Whether it is a passphrase.
    passphrase: bool,
}

/// All keys of the secret store that archives may be sealed with, and those typed just now.
struct StoredKeys {
    parts: Arc<dyn Parts>,
    typed: Vec<ArchiveKey>,
}

impl ArchiveKeys for StoredKeys {
    fn candidates(&self, _key_id: &str) -> Vec<ArchiveKey> {
        let stored = stored_keys(self.parts.as_ref()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the keys of archives cannot be read");
            Vec::new()
        });
        self.typed.iter().cloned().chain(stored).collect()
    }
}

/// Reads all keys that are kept.
fn stored_keys(parts: &dyn Parts) -> Result<Vec<ArchiveKey>> {
    let store = parts.store();
    let secrets = parts.secrets();
    let mut keys = Vec::new();
    for plan in store.plans()? {
        let PlanLayout::Archive(settings) = &plan.layout else { continue };
        if let Some(secret) = kept_secret(secrets.as_ref(), &SecretName::archive_key(&plan.id))? {
            keys.extend(key_of(settings, secret));
        }
    }
    for known in known_keys(store.as_ref())? {
        if let Some(secret) = kept_secret(secrets.as_ref(), &SecretName::known_archive_key(&known.id))? {
            keys.push(if known.passphrase { ArchiveKey::Passphrase(secret) } else { ArchiveKey::Key(secret) });
        }
    }
    Ok(keys)
}

/// Reads a key; one that may lie in a keyring that does not open counts as not there: it must not hide all others.
fn kept_secret(secrets: &dyn SecretStore, name: &SecretName) -> Result<Option<Secret>> {
    match secrets.get(name) {
        Err(error) if error.class == ErrorClass::Missing => Ok(None),
        other => other,
    }
}

fn known_keys(store: &dyn Store) -> Result<Vec<KnownKey>> {
    let stored = store.setting(KNOWN_KEYS)?;
    Ok(stored.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default())
}

/// Adds the name of a key to those that are stored; names that cannot be read are no reason to forget them.
fn with_one_more(stored: Option<serde_json::Value>, key: &KnownKey) -> Result<serde_json::Value> {
    let broken =
        |e: serde_json::Error| Error::new(ErrorClass::Internal, "Cannot store the names of archive keys").source(e);
    let mut known: Vec<KnownKey> = stored.map(serde_json::from_value).transpose().map_err(broken)?.unwrap_or_default();
    known.push(key.clone());
    serde_json::to_value(&known).map_err(broken)
}

/// Returns the key a plan seals with, of its secret; `None` for plain archives.
pub(crate) fn key_of(settings: &ArchiveSettings, secret: Secret) -> Option<ArchiveKey> {
    match settings.seal {
        Seal::None => None,
        Seal::PlanKey | Seal::OwnKey => Some(ArchiveKey::Key(secret)),
        Seal::Passphrase => Some(ArchiveKey::Passphrase(secret)),
    }
}

/// One key and no other.
struct Only(ArchiveKey);

impl ArchiveKeys for Only {
    fn candidates(&self, _key_id: &str) -> Vec<ArchiveKey> {
        vec![self.0.clone()]
    }
}

pub(super) fn same_key(a: &ArchiveKey, b: &ArchiveKey) -> bool {
    match (a, b) {
        (ArchiveKey::Key(a), ArchiveKey::Key(b)) | (ArchiveKey::Passphrase(a), ArchiveKey::Passphrase(b)) => a == b,
        _ => false,
    }
}

impl Inner {
    /// Opens the archives at a destination.
    pub(crate) async fn archives(&self, config: &DestinationConfig) -> Result<Arc<dyn Layout>> {
        Ok(self.archives_over(self.place(config).await?))
    }

    /// Returns the archives at an open place, or at several at once.
    pub(crate) fn archives_over(&self, place: Arc<dyn backstay_core::destination::Destination>) -> Arc<dyn Layout> {
        self.archives_with(place, &[])
    }

    /// Returns the archives at an open place, with keys that are not kept yet.
    pub(super) fn archives_with(
        &self,
        place: Arc<dyn backstay_core::destination::Destination>,
        typed: &[ArchiveKey],
    ) -> Arc<dyn Layout> {
        self.parts.archives(place, Arc::new(StoredKeys { parts: self.parts.clone(), typed: typed.to_vec() }))
    }

    /// Counts the archives at an open place that neither a kept key opens nor one of these.
    pub(super) async fn locked_archives(
        &self,
        place: Arc<dyn backstay_core::destination::Destination>,
        typed: &[ArchiveKey],
    ) -> Result<u64> {
        let keys = StoredKeys { parts: self.parts.clone(), typed: typed.to_vec() };
        self.parts.locked_archives(place, Arc::new(keys)).await
    }

    /// Tells whether a key opens an archive by itself.
    pub(super) async fn opens(&self, key: &ArchiveKey, archive: &KnownBackup) -> Result<bool> {
        let place = self.place(&self.store.destination(&archive.destination)?).await?;
        let archives = self.parts.archives(place, Arc::new(Only(key.clone())));
        Ok(archives.list().await?.iter().any(|record| record.id == archive.record.id))
    }

    /// Returns all archive keys that are kept; none where they cannot be read.
    pub(super) async fn held_archive_keys(&self) -> Vec<ArchiveKey> {
        self.with_secret_store(stored_keys).await.unwrap_or_default()
    }

    /// Returns what seals a plan's archives; `None` for plain ones and for vaults.
    pub(crate) async fn archive_key(&self, plan: &Plan) -> Result<Option<ArchiveKey>> {
        let PlanLayout::Archive(settings) = &plan.layout else { return Ok(None) };
        if settings.seal == Seal::None {
            return Ok(None);
        }
        let secret = self.secret(SecretName::archive_key(&plan.id)).await?.ok_or_else(|| {
            Error::new(
                ErrorClass::Locked,
                format!("Cannot seal archives of \"{}\": its key is not in the secret store", plan.name),
            )
            .hint("Open one of its destinations again with the key from the plan's recovery kit")
        })?;
        Ok(key_of(settings, secret))
    }

    /// Keeps a key for archives that are there already, though no plan may seal with it.
    pub(crate) async fn keep_archive_key(&self, key: ArchiveKey) -> Result<()> {
        let parts = self.parts.clone();
        let given = key.clone();
        let held = self
            .with_secret_store(move |_| {
                let (known, secrets) = (known_keys(parts.store().as_ref())?, parts.secrets());
                for one in &known {
                    let name = SecretName::known_archive_key(&one.id);
                    let Some(secret) = kept_secret(secrets.as_ref(), &name)? else { continue };
                    let kept = if one.passphrase { ArchiveKey::Passphrase(secret) } else { ArchiveKey::Key(secret) };
                    if same_key(&kept, &given) {
                        return Ok(true);
                    }
                }
                Ok(false)
            })
            .await?;
        if held {
            return Ok(());
        }
        // A name of its own: archives carry ids by which a key is found, but not every key has one.
        let id = PlanId::random().to_string();
        let (secret, passphrase) = match key {
            ArchiveKey::Key(secret) => (secret, false),
            ArchiveKey::Passphrase(secret) => (secret, true),
        };
        self.put_secret(SecretName::known_archive_key(&id), secret).await?;
        let key = KnownKey { id, passphrase };
        self.store.update_setting(KNOWN_KEYS, &mut |stored| with_one_more(stored, &key))
    }
}
