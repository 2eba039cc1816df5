//! Where secrets rest: the OS keyring, or, where there is none that works, a file sealed by a passphrase.
//!
//! A sealed file that exists is always used. Without one the keyring is tried once, by reading back an entry; if that fails
//! (no bus, no service, locked and nobody to unlock it) the status says why, and the user is offered to make the file.

mod keyring;
mod sealed;
mod status;

pub use keyring::Keyring;
pub use status::{Backend, State, Status};

use backstay_core::secret::{Secret, SecretName, SecretStore};
use backstay_core::{Error, ErrorClass, Result};
use sealed::SealedFile;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Set to anything but `0`, it keeps the keyring untouched; for servers, scripts and tests.
pub const NO_KEYRING: &str = "BACKSTAY_NO_KEYRING";

const FILE_NAME: &str = "secrets.sealed";

/// The secrets of one Backstay home. Calls block; see [`SecretStore`].
pub struct Secrets {
    home: PathBuf,
    sealed: SealedFile,
    keyring: Mutex<Keyring>,
}

impl Secrets {
    /// Opens the secrets of a home folder, with the keyring of this system unless the environment forbids it. Touches
    /// neither before it is asked something.
    pub fn open(home: &Path) -> Self {
        let forbidden = std::env::var_os(NO_KEYRING).is_some_and(|value| !value.is_empty() && value != "0");
        Self::open_with(home, if forbidden { Keyring::forbidden() } else { Keyring::system() })
    }

    /// Opens the secrets of a home folder with the given keyring.
    pub fn open_with(home: &Path, keyring: Keyring) -> Self {
        Self { home: home.to_owned(), sealed: SealedFile::new(home.join(FILE_NAME)), keyring: Mutex::new(keyring) }
    }

    /// Tells where secrets rest and whether they can be read. The first call may wait for the user to unlock the keyring.
    pub fn status(&self) -> Status {
        let file = self.sealed.path().to_owned();
        if self.sealed.exists() {
            let state = if self.sealed.is_open() { State::Ready } else { State::Locked };
            return Status { backend: Backend::File, state, reason: None, file };
        }
        match self.with_keyring(|keyring, home| keyring.check(home)) {
            Ok(()) => Status { backend: Backend::Keyring, state: State::Ready, reason: None, file },
            Err(error) => Status { backend: Backend::None, state: State::NotSetUp, reason: Some(error.message), file },
        }
    }

    /// Opens the sealed file for this process. `WrongKey` for a wrong passphrase, `Corrupt` for a damaged file.
    pub fn unlock(&self, passphrase: &Secret) -> Result<()> {
        self.sealed.unlock(passphrase)
    }

    /// Makes a sealed file, empty and open. `Exists` when there is one.
    pub fn create_file(&self, passphrase: &Secret) -> Result<()> {
        self.sealed.create(passphrase)
    }

    fn with_keyring<T>(&self, work: impl FnOnce(&mut Keyring, &Path) -> Result<T>) -> Result<T> {
        work(&mut self.keyring.lock().unwrap_or_else(PoisonError::into_inner), &self.home)
    }

    /// Runs `work` on the keyring if it works at all.
    fn on_keyring<T>(&self, work: impl FnOnce(&mut Keyring, &Path) -> Result<T>) -> Result<T> {
        self.with_keyring(|keyring, home| {
            keyring.check(home).map_err(|error| {
                Error::new(
                    ErrorClass::Locked,
                    format!("Cannot reach the stored secrets: {}", lower_first(&error.message)),
                )
                .hint("Set a passphrase in the settings: secrets then rest in a file sealed by it")
                .detail(error.detail.unwrap_or_default())
            })?;
            work(keyring, home)
        })
    }
}

impl SecretStore for Secrets {
    fn set(&self, name: &SecretName, secret: &Secret) -> Result<()> {
        if self.sealed.exists() {
            return self.sealed.set(name, secret);
        }
        self.on_keyring(|keyring, home| keyring.set(home, name, secret))
    }

    fn get(&self, name: &SecretName) -> Result<Option<Secret>> {
        if self.sealed.exists() {
            return self.sealed.get(name);
        }
        self.on_keyring(|keyring, home| keyring.get(home, name))
    }

    fn delete(&self, name: &SecretName) -> Result<()> {
        if self.sealed.exists() {
            return self.sealed.delete(name);
        }
        self.on_keyring(|keyring, home| keyring.delete(home, name))
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
