//! The OS keyring: Secret Service, Keychain, Credential Manager.
//!
//! Entries have the service "Backstay" and the account HOME/NAME, where HOME is a random id kept in the home folder, so that two
//! homes of one user do not mix. Every call runs on a thread of its own: the libraries below block, and some of them may
//! not be called from an async worker.

use backstay_core::secret::{Secret, SecretName};
use backstay_core::{Error, ErrorClass, Result};
use keyring_core::api::CredentialStore;
use keyring_core::{Entry, Error as KeyringError};
use rand::RngExt;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use zeroize::Zeroizing;

const SERVICE: &str = "Backstay";
const ID_FILE: &str = "keyring.id";

/// How long the user may take to unlock the keyring.
const PATIENCE: Duration = Duration::from_secs(180);

/// The entry that proves the keyring to work. No secret.
const PROOF_NAME: &str = "keyring-works";
const PROOF: &str = "Backstay can read and write this keyring";

/// A keyring, asked for nothing yet, in use, or given up.
pub struct Keyring {
    origin: Origin,
    state: Connection,
}

enum Origin {
    System,
    Given(Arc<CredentialStore>),
    /// Not to be touched.
    Forbidden,
}

enum Connection {
    /// Whether it lets us read and write is not known yet.
    Untried,
    /// It reads and writes.
    Works { store: Arc<CredentialStore>, home_id: String },
    /// It does not, and why. Not tried again before that is asked for: each try may show the user a prompt.
    Closed(Closed),
}

/// Why a keyring cannot be used.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub reason: String,
    pub detail: String,
    /// There is one, and it may open at the next try: it is locked, or did not answer.
    pub may_open: bool,
}

impl Closed {
    /// The error of something that needed it.
    pub(super) fn error(&self) -> Error {
        Error::new(ErrorClass::Locked, format!("Cannot reach the stored secrets: {}", super::lower_first(&self.reason)))
            .hint("Open the keyring and try again, or set a passphrase: secrets then rest in a file sealed by it (Settings, Secrets)")
            .detail(self.detail.clone())
    }
}

impl Keyring {
    /// The keyring of this system.
    pub fn system() -> Self {
        Self { origin: Origin::System, state: Connection::Untried }
    }

    /// No keyring, by the user's wish.
    pub fn forbidden() -> Self {
        Self { origin: Origin::Forbidden, state: Connection::Untried }
    }

    /// A given store, e.g. a test double.
    pub fn with_store(store: Arc<CredentialStore>) -> Self {
        Self { origin: Origin::Given(store), state: Connection::Untried }
    }

    /// Makes sure that the keyring reads and writes; the first call finds out.
    pub(super) fn check(&mut self, home: &Path) -> Result<(), Closed> {
        self.works(home).map(|_| ())
    }

    /// Forgets that it was closed: the next call tries it anew.
    pub(super) fn try_again(&mut self) {
        if matches!(self.state, Connection::Closed(_)) {
            self.state = Connection::Untried;
        }
    }

    pub(super) fn set(&mut self, home: &Path, name: &SecretName, secret: &Secret) -> Result<()> {
        let (store, home_id) = self.works(home).map_err(|closed| closed.error())?;
        let account = format!("{home_id}/{}", name.0);
        let given = Zeroizing::new(secret.expose().to_owned());
        let kept = apart(move || write_and_read_back(&store, &account, &given));
        match kept {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::new(
                ErrorClass::Refused,
                format!("Cannot store the secret {}: the keyring gave back something else", name.0),
            )
            .hint("Set a passphrase in the settings, so that secrets rest in a sealed file")),
            Err(failure) => Err(failure.error(&format!("Cannot store the secret {}", name.0))),
        }
    }

    pub(super) fn get(&mut self, home: &Path, name: &SecretName) -> Result<Option<Secret>> {
        let (store, home_id) = self.works(home).map_err(|closed| closed.error())?;
        let account = format!("{home_id}/{}", name.0);
        let read = apart(move || match entry(&store, &account)?.get_password() {
            Ok(password) => Ok(Some(Secret::new(password))),
            Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(error.into()),
        });
        read.map_err(|failure| failure.error(&format!("Cannot read the secret {}", name.0)))
    }

    pub(super) fn delete(&mut self, home: &Path, name: &SecretName) -> Result<()> {
        let (store, home_id) = self.works(home).map_err(|closed| closed.error())?;
        let account = format!("{home_id}/{}", name.0);
        let deleted = apart(move || match entry(&store, &account)?.delete_credential() {
            Ok(()) | Err(KeyringError::NoEntry) => Ok(()),
            Err(error) => Err(error.into()),
        });
        deleted.map_err(|failure| failure.error(&format!("Cannot remove the secret {}", name.0)))
    }

    fn works(&mut self, home: &Path) -> Result<(Arc<CredentialStore>, String), Closed> {
        match &self.state {
            Connection::Works { store, home_id } => return Ok((Arc::clone(store), home_id.clone())),
            Connection::Closed(closed) => return Err(closed.clone()),
            Connection::Untried => {}
        }
        match self.prove(home) {
            Ok((store, home_id)) => {
                self.state = Connection::Works { store: Arc::clone(&store), home_id: home_id.clone() };
                Ok((store, home_id))
            }
            Err(failure) => {
                let closed =
                    Closed { reason: failure.reason(), detail: failure.detail(), may_open: failure.may_pass() };
                tracing::info!(reason = closed.reason, detail = closed.detail, "the keyring cannot be used");
                self.state = Connection::Closed(closed.clone());
                Err(closed)
            }
        }
    }

    /// Reaches the keyring and reads the proof entry back, writing it first if it is not there. Only then is this home's
    /// id kept: where it lies, a keyring was in use.
    fn prove(&self, home: &Path) -> Result<(Arc<CredentialStore>, String), Failure> {
        let given = match &self.origin {
            Origin::System => None,
            Origin::Given(store) => Some(Arc::clone(store)),
            Origin::Forbidden => return Err(Failure::Forbidden),
        };
        let known = read_id(&home.join(ID_FILE)).map_err(Failure::HomeId)?;
        let home_id = known.clone().unwrap_or_else(|| format!("{:016x}", rand::rng().random::<u64>()));
        let store = prove_store(given, home_id.clone())?;
        if known.is_some() {
            return Ok((store, home_id));
        }
        let kept = keep_id(home, &home_id).map_err(Failure::HomeId)?;
        if kept != home_id {
            // Another process was quicker: its id is the one.
            let store = prove_store(Some(store), kept.clone())?;
            return Ok((store, kept));
        }
        Ok((store, home_id))
    }
}

/// Tells whether secrets of this home were kept in a keyring at some time.
pub(super) fn was_used(home: &Path) -> bool {
    home.join(ID_FILE).symlink_metadata().is_ok()
}

fn prove_store(given: Option<Arc<CredentialStore>>, home_id: String) -> Result<Arc<CredentialStore>, Failure> {
    let account = format!("{home_id}/{PROOF_NAME}");
    apart(move || {
        let store = match given {
            Some(store) => store,
            None => system_store().map_err(|error| Failure::Absent(words(&error)))?,
        };
        let there = match entry(&store, &account)?.get_password() {
            Ok(password) => password == PROOF,
            Err(KeyringError::NoEntry) => false,
            Err(error) => return Err(error.into()),
        };
        if there || write_and_read_back(&store, &account, PROOF)? { Ok(store) } else { Err(Failure::Forgetful) }
    })
}

/// Why the keyring did not do what was asked.
enum Failure {
    /// There is none to reach.
    Absent(String),
    /// It is locked, and was not unlocked.
    Locked(String),
    /// It gives back something else than it was given.
    Forgetful,
    /// It did not answer in time.
    Silent,
    /// Anything else it said.
    Other(String),
    /// The user does not want it touched.
    Forbidden,
    /// Our own id for this home could not be read or made.
    HomeId(std::io::Error),
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        match &error {
            KeyringError::NoStorageAccess(_) => Self::Locked(words(&error)),
            KeyringError::NoDefaultStore => Self::Absent(words(&error)),
            _ => Self::Other(words(&error)),
        }
    }
}

impl Failure {
    fn reason(&self) -> String {
        match self {
            Self::Absent(_) => "No keyring runs in this session".to_owned(),
            Self::Locked(_) => "The keyring is locked and was not unlocked".to_owned(),
            Self::Forgetful => "The keyring does not give back what it was given".to_owned(),
            Self::Silent => "The keyring does not answer".to_owned(),
            Self::Other(_) => "The keyring reports an error".to_owned(),
            Self::Forbidden => format!("The keyring is switched off by {}", super::NO_KEYRING),
            Self::HomeId(_) => "Backstay's own folder cannot be written".to_owned(),
        }
    }

    /// Tells whether the same may work later, in the same session.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Locked(_) | Self::Silent | Self::Other(_))
    }

    fn detail(&self) -> String {
        match self {
            Self::Absent(text) | Self::Locked(text) | Self::Other(text) => text.clone(),
            Self::HomeId(error) => error.to_string(),
            Self::Forgetful | Self::Silent | Self::Forbidden => String::new(),
        }
    }

    fn error(&self, tried: &str) -> Error {
        let class = if matches!(self, Self::Silent) { ErrorClass::TimedOut } else { ErrorClass::Locked };
        Error::new(class, format!("{tried}: {}", super::lower_first(&self.reason())))
            .hint("Unlock the keyring and try again, or set a passphrase in the settings")
            .detail(self.detail())
    }
}

/// What the keyring said, without the bytes some of its errors carry: they may be the secret.
fn words(error: &KeyringError) -> String {
    match error {
        KeyringError::PlatformFailure(cause) | KeyringError::NoStorageAccess(cause) => cause.to_string(),
        KeyringError::NoEntry => "no such entry".to_owned(),
        KeyringError::BadEncoding(_) | KeyringError::BadDataFormat(..) => "the entry is not text".to_owned(),
        KeyringError::Ambiguous(_) => "there is more than one such entry".to_owned(),
        KeyringError::TooLong(what, limit) => format!("{what} is longer than {limit}"),
        KeyringError::NoDefaultStore => "there is no store".to_owned(),
        _ => "unknown error".to_owned(),
    }
}

/// Runs `work` on its own thread and waits for it within limits.
fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let (sender, receiver) = mpsc::channel();
    let started = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        // Nobody listens any more when it came too late.
        let _ = sender.send(work());
    });
    if let Err(error) = started {
        return Err(Failure::Other(error.to_string()));
    }
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|error| match error {
        mpsc::RecvTimeoutError::Timeout => Err(Failure::Silent),
        mpsc::RecvTimeoutError::Disconnected => Err(Failure::Other("its thread ended unexpectedly".to_owned())),
    })
}

fn entry(store: &Arc<CredentialStore>, account: &str) -> Result<Entry, Failure> {
    Ok(store.build(SERVICE, account, None)?)
}

fn write_and_read_back(store: &Arc<CredentialStore>, account: &str, text: &str) -> Result<bool, Failure> {
    let entry = entry(store, account)?;
    entry.set_password(text)?;
    let read = Zeroizing::new(entry.get_password()?);
    Ok(read.as_str() == text)
}

fn system_store() -> keyring_core::Result<Arc<CredentialStore>> {
    #[cfg(all(unix, not(target_os = "macos")))]
    let store: Arc<CredentialStore> = zbus_secret_service_keyring_store::Store::new()?;
    #[cfg(target_os = "macos")]
    let store: Arc<CredentialStore> = apple_native_keyring_store::keychain::Store::new()?;
    #[cfg(windows)]
    let store: Arc<CredentialStore> = windows_native_keyring_store::Store::new()?;
    Ok(store)
}

/// Keeps the id that tells this home's entries from another one's; returns the one that was kept first.
fn keep_id(home: &Path, id: &str) -> std::io::Result<String> {
    let file = home.join(ID_FILE);
    std::fs::create_dir_all(home)?;
    let mut temp = tempfile::NamedTempFile::new_in(home)?;
    temp.write_all(id.as_bytes())?;
    temp.as_file().sync_all()?;
    match temp.persist_noclobber(&file) {
        Ok(_) => Ok(id.to_owned()),
        Err(failed) if failed.error.kind() == ErrorKind::AlreadyExists => {
            read_id(&file)?.ok_or_else(|| std::io::Error::new(ErrorKind::InvalidData, format!("{ID_FILE} is damaged")))
        }
        Err(failed) => Err(failed.error),
    }
}

fn read_id(file: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) if text.trim().len() == 16 && text.trim().chars().all(|c| c.is_ascii_hexdigit()) => {
            Ok(Some(text.trim().to_owned()))
        }
        Ok(_) => Err(std::io::Error::new(ErrorKind::InvalidData, format!("{ID_FILE} is damaged"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
