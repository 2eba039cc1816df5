//! The handle everyone holds, and what all areas of the engine share.

use crate::destinations::{Limiters, follow_limits};
use crate::parts::{DestinationAccess, OpenVault, Parts, Watch};
use crate::restore::KeptPreview;
use crate::run::{Registry, RunLocks};
use crate::servers::{OpenHost, StorePins};
use backstay_contract::{Event, Settings};
use backstay_core::config::{AuditRecord, DestinationConfig, DestinationLogin, Place, S3Place, Server, ServerFacts};
use backstay_core::context::Clock;
use backstay_core::destination::Destination;
use backstay_core::host::Host;
use backstay_core::kind::Kind;
use backstay_core::layout::BackupDiff;
use backstay_core::secret::{Secret, SecretName};
use backstay_core::store::Store;
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, Result, ServerId};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// The key under which the settings lie in the store.
const SETTINGS_KEY: &str = "settings";
/// Events kept for a receiver that is slow; one that lags further reads all anew.
const EVENT_BACKLOG: usize = 1024;

/// The whole application behind one handle. Cheap to clone; all methods may run at the same time.
#[derive(Clone)]
pub struct Backstay {
    pub(crate) inner: Arc<Inner>,
}

/// What the areas share.
pub(crate) struct Inner {
    pub home: PathBuf,
    pub parts: Arc<dyn Parts>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub events: broadcast::Sender<Event>,
    pub registry: Registry,
    pub locks: RunLocks,
    pub previews: Mutex<HashMap<String, Arc<KeptPreview>>>,
    /// What a draft's server was found to be, until the draft is saved. Keyed by the connection as JSON.
    pub discovered: Mutex<HashMap<String, ServerFacts>>,
    /// What a bucket's test found out, until the draft is saved. Keyed by the place's identity.
    pub settled: Mutex<HashMap<String, S3Place>>,
    /// Comparisons of backups, the few newest.
    pub diffs: Mutex<Vec<(BackupId, BackupId, Arc<BackupDiff>)>>,
    /// Bytes used at destinations, until something is written there.
    pub used: Mutex<HashMap<DestinationId, u64>>,
    /// Connections that stay open while someone looks at a server.
    pub hosts: tokio::sync::Mutex<HashMap<ServerId, OpenHost>>,
    /// Which copy of the configuration lies at a destination, by its hash; only what this process wrote.
    pub configurations: Mutex<HashMap<DestinationId, [u8; 32]>>,
    /// What holds back bytes on their way to and from destinations.
    pub limiters: Limiters,
    /// Each in a slot of its own: one that does not answer must not hold up the others.
    vaults: Mutex<HashMap<DestinationId, Slot>>,
    /// Places reached over a network: opening one anew takes a log-in.
    places: tokio::sync::Mutex<HashMap<DestinationId, Arc<dyn Destination>>>,
}

/// A vault that is open, or being opened.
type Slot = Arc<tokio::sync::Mutex<Option<OpenVault>>>;

/// Locks a mutex; a panic of another holder does not spread.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backstay {
    /// Opens the application over its parts, with its state in `home`. Needs a Tokio runtime.
    pub async fn open(home: PathBuf, parts: Arc<dyn Parts>) -> Result<Self> {
        let locks = RunLocks::open(&home)?;
        let limiters = Limiters::new(parts.as_ref())?;
        let inner = Arc::new(Inner {
            home,
            store: parts.store(),
            clock: parts.clock(),
            parts,
            events: broadcast::channel(EVENT_BACKLOG).0,
            registry: Registry::default(),
            locks,
            previews: Mutex::default(),
            discovered: Mutex::default(),
            settled: Mutex::default(),
            diffs: Mutex::default(),
            used: Mutex::default(),
            hosts: tokio::sync::Mutex::default(),
            configurations: Mutex::default(),
            limiters,
            vaults: Mutex::default(),
            places: tokio::sync::Mutex::default(),
        });
        inner.sweep_interrupted()?;
        tokio::spawn(follow_limits(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// Returns a receiver of everything that changes from now on. One that lags behind should read all anew.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.inner.events.subscribe()
    }
}

impl Inner {
    /// Tells everyone who listens.
    pub fn emit(&self, event: Event) {
        // Nobody listening is fine: rows are the truth, events are a hint.
        let _ = self.events.send(event);
    }
    /// Tells that something of this sort is to be read anew.
    pub fn changed(&self, what: &str) {
        self.emit(Event::Changed { what: what.into() });
    }
    /// Writes an action into the audit log.
    pub fn audit(&self, action: &str, subject: &str, outcome: &str) -> Result<()> {
        let record = AuditRecord {
            who: self.parts.user_name(),
            action: action.into(),
            subject: subject.into(),
            outcome: outcome.into(),
        };
        self.store.audit(self.clock.now(), &record).map(|_| ())
    }
    /// Writes how an action ended into the audit log, and hands its result on.
    pub fn audited<T>(&self, action: &str, subject: &str, result: Result<T>) -> Result<T> {
        let outcome = result.as_ref().map_or_else(|error| error.class.as_str(), |_| "ok");
        match self.audit(action, subject, outcome) {
            Ok(()) => result,
            // The action's own error says more than a second one.
            Err(_) if result.is_err() => result,
            Err(error) => Err(error),
        }
    }
    /// Returns the settings; what cannot be read counts as the defaults.
    pub fn settings(&self) -> Result<Settings> {
        let stored = self.store.setting(SETTINGS_KEY)?;
        Ok(stored.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default())
    }
    /// Stores the settings.
    pub fn put_settings(&self, settings: &Settings) -> Result<()> {
        let value = serde_json::to_value(settings)
            .map_err(|e| Error::new(ErrorClass::Internal, "Cannot store the settings").source(e))?;
        self.store.put_setting(SETTINGS_KEY, &value)
    }
    /// Returns a kind by its id.
    pub fn kind(&self, id: &str) -> Result<Arc<dyn Kind>> {
        self.parts.kinds().into_iter().find(|kind| kind.id() == id).ok_or_else(|| {
            Error::new(ErrorClass::Unsupported, format!("This version of Backstay does not know the kind \"{id}\""))
                .hint("Update Backstay: a newer version made this")
        })
    }

    /// Runs a call to the secret store where it may block.
    async fn on_secrets<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Parts) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let parts = self.parts.clone();
        tokio::task::spawn_blocking(move || call(parts.as_ref()))
            .await
            .map_err(|e| Error::new(ErrorClass::Internal, "The secret store ended unexpectedly").source(e))?
    }
    /// Returns a secret.
    pub async fn secret(&self, name: SecretName) -> Result<Option<Secret>> {
        self.on_secrets(move |parts| parts.secrets().get(&name)).await
    }
    /// Returns a secret that need not be there: many keys have no passphrase, many databases no password. One that may lie
    /// in a keyring that does not open counts as not there.
    pub async fn optional_secret(&self, name: SecretName) -> Result<Option<Secret>> {
        match self.secret(name).await {
            Err(error) if error.class == ErrorClass::Missing => Ok(None),
            other => other,
        }
    }
    /// Stores a secret and reads it back: what cannot be read back must not be relied on.
    pub async fn put_secret(&self, name: SecretName, secret: Secret) -> Result<()> {
        self.on_secrets(move |parts| {
            let store = parts.secrets();
            store.set(&name, &secret)?;
            if store.get(&name)?.as_ref() == Some(&secret) {
                return Ok(());
            }
            Err(Error::new(ErrorClass::Locked, "Cannot store a secret: it could not be read back")
                .hint("See Settings, Secrets: unlock the keyring, or use a sealed file instead"))
        })
        .await
    }
    /// Removes a secret; a store that cannot be reached is no reason to stop.
    pub async fn forget_secret(&self, name: SecretName) {
        if let Err(error) = self.on_secrets(move |parts| parts.secrets().delete(&name)).await {
            tracing::warn!(%error, "a secret was not removed");
        }
    }
    /// Runs one of the secret store's own calls.
    pub async fn with_secret_store<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Parts) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.on_secrets(call).await
    }

    /// Connects to a server as it is set up.
    pub async fn connect(&self, server: &Server) -> Result<Arc<dyn Host>> {
        let login = self.login_of(server).await?;
        let pins = Arc::new(StorePins::new(self.store.clone(), &server.connection));
        self.parts.connect(&server.name, &server.connection, login, pins).await
    }
    /// Opens the place of a destination, or returns it when it is open already.
    pub async fn place(&self, config: &DestinationConfig) -> Result<Arc<dyn Destination>> {
        if matches!(config.place, Place::Local { .. }) {
            return self.open_place(config, Watch::default()).await;
        }
        let open = self.places.lock().await.get(&config.id).cloned();
        if let Some(place) = open {
            return Ok(place);
        }
        // Not under the lock: a place that does not answer must not hold up the others.
        let place = self.open_place(config, Watch::default()).await?;
        self.places.lock().await.insert(config.id.clone(), place.clone());
        Ok(place)
    }
    /// Opens the place of a destination for one purpose, watched.
    pub async fn open_place(
        &self,
        config: &DestinationConfig,
        watch: impl Into<Watch>,
    ) -> Result<Arc<dyn Destination>> {
        let watch = watch.into();
        let login = self.stored_destination_login(&config.id, &config.place, &DestinationLogin::default()).await?;
        let traffic = self.limiters.traffic(self.parts.as_ref(), &config.id, watch.traffic);
        let access = self.access(&config.place, login, traffic).await?;
        let access = DestinationAccess { on_retry: watch.on_retry, ..access };
        // The backend adds where it is.
        self.parts.open_destination(&config.name, &config.place, access).await
    }
    /// Returns how messages name a destination: "nas (/mnt/backup)".
    pub fn destination_label(&self, name: &str, place: &Place) -> String {
        format!("{name} ({})", self.place_text(place))
    }
    /// Opens a destination's vault, or returns it when it is open already.
    pub async fn vault(&self, config: &DestinationConfig) -> Result<OpenVault> {
        let slot = locked(&self.vaults).entry(config.id.clone()).or_default().clone();
        let mut open = slot.lock().await;
        if let Some(vault) = open.as_ref() {
            return Ok(vault.clone());
        }
        if config.vault_id.is_empty() {
            return Err(Error::new(ErrorClass::Missing, format!("There is no vault at {}", config.name))
                .hint("It holds archives only; use it in a plan together with a destination that has a vault"));
        }
        let password = self.vault_password(config).await?;
        let destination = self.place(config).await?;
        let vault = match config.place {
            Place::Local { .. } => self.parts.open_vault(destination, &password).await?,
            _ => self.parts.open_far_vault(destination, &password).await?,
        };
        if vault.id != config.vault_id {
            return Err(Error::new(
                ErrorClass::Invalid,
                format!(
                    "Cannot use the destination {}: another vault lies there than the one it was set up with",
                    config.name
                ),
            )
            .hint("Check that the right disk is mounted; to use this vault, add it as a destination of its own")
            .detail(format!("expected vault {}, found {}", config.vault_id, vault.id)));
        }
        *open = Some(vault.clone());
        Ok(vault)
    }
    /// Keeps a vault that was just made or opened.
    pub fn keep_vault(&self, id: &DestinationId, vault: OpenVault) {
        locked(&self.vaults).insert(id.clone(), Arc::new(tokio::sync::Mutex::new(Some(vault))));
    }
    /// Closes a vault, and the place it lies at.
    pub async fn drop_vault(&self, id: &DestinationId) {
        locked(&self.vaults).remove(id);
        self.places.lock().await.remove(id);
    }
    /// Returns the password of a destination's vault.
    pub async fn vault_password(&self, config: &DestinationConfig) -> Result<Secret> {
        self.secret(SecretName::vault_password(&config.id)).await?.ok_or_else(|| {
            Error::new(
                ErrorClass::Locked,
                format!("Cannot open the vault at {}: its password is not in the secret store", config.name),
            )
            .hint("Remove the destination and add it again with the password from its recovery kit")
        })
    }
}
