//! Where secrets rest: the OS keyring, or, where there is none that works, a file sealed by a passphrase.
//!
//! A sealed file that exists is always used. Without one the keyring is tried, by reading back an entry. Where there is
//! none, the user is offered to make the file; one that is there and does not open (locked, silent), or that was in use
//! before, is something else: secrets lie in it, so the status tells it apart and it can be tried again. What a sealed
//! file lacks is looked up in the keyring that was in use before it.

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
        let keyring_used = keyring::was_used(&self.home);
        if self.sealed.exists() {
            let state = if self.sealed.is_open() { State::Ready } else { State::Locked };
            return Status { backend: Backend::File, state, reason: None, file, keyring_used };
        }
        match self.with_keyring(|keyring, home| keyring.check(home)) {
            Ok(()) => Status { backend: Backend::Keyring, state: State::Ready, reason: None, file, keyring_used: true },
            Err(closed) => {
                let state = if closed.may_open || keyring_used { State::KeyringClosed } else { State::NotSetUp };
                let backend = if keyring_used { Backend::Keyring } else { Backend::None };
                Status { backend, state, reason: Some(closed.reason), file, keyring_used }
            }
        }
    }

    /// Tries a keyring anew that could not be used. May wait for the user to unlock it.
    pub fn try_keyring(&self) -> Result<()> {
        self.with_keyring(|keyring, home| {
            keyring.try_again();
            keyring.check(home).map_err(|closed| closed.error())
        })
    }

    /// Opens the sealed file for this process. `WrongKey` for a wrong passphrase, `Corrupt` for a damaged file.
    pub fn unlock(&self, passphrase: &Secret) -> Result<()> {
        self.sealed.unlock(passphrase)
    }

    /// Makes a sealed file, empty and open. `Exists` when there is one.
    pub fn create_file(&self, passphrase: &Secret) -> Result<()> {
        self.sealed.create(passphrase)
    }

    fn with_keyring<T>(&self, work: impl FnOnce(&mut Keyring, &Path) -> T) -> T {
        work(&mut self.keyring.lock().unwrap_or_else(PoisonError::into_inner), &self.home)
    }

    /// Looks up in the keyring, where secrets rested before there was a sealed file, what that file lacks. `Missing` where
    /// it cannot be told: a caller who can do without goes on, and all others say where the secret may lie.
    fn in_keyring_before(&self, name: &SecretName) -> Result<Option<Secret>> {
        if !keyring::was_used(&self.home) {
            return Ok(None);
        }
        self.with_keyring(|keyring, home| match keyring.check(home) {
            Ok(()) => keyring.get(home, name),
            Err(closed) => Err(Error::new(
                ErrorClass::Missing,
                format!(
                    "Cannot read the secret {}: it is not in the sealed file, and the keyring used before it cannot be asked: {}",
                    name.0,
                    lower_first(&closed.reason)
                ),
            )
            .hint("Open the keyring and try it again in Settings, Secrets; or give the secret anew")
            .detail(closed.detail)),
        })
    }
}

impl SecretStore for Secrets {
    fn set(&self, name: &SecretName, secret: &Secret) -> Result<()> {
        if self.sealed.exists() {
            return self.sealed.set(name, secret);
        }
        self.with_keyring(|keyring, home| keyring.set(home, name, secret))
    }

    fn get(&self, name: &SecretName) -> Result<Option<Secret>> {
        if self.sealed.exists() {
            return match self.sealed.get(name)? {
                Some(secret) => Ok(Some(secret)),
                None => self.in_keyring_before(name),
            };
        }
        self.with_keyring(|keyring, home| keyring.get(home, name))
    }

    fn delete(&self, name: &SecretName) -> Result<()> {
        if self.sealed.exists() {
            self.sealed.delete(name)?;
            if !keyring::was_used(&self.home) {
                return Ok(());
            }
            // What is left there would be found again.
        }
        self.with_keyring(|keyring, home| keyring.delete(home, name))
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
