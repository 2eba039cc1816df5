//! The sealed file as a store: read anew at every call, so that the window and the command line may both use it.

mod format;

use backstay_core::secret::{Secret, SecretName};
use backstay_core::{Error, ErrorClass, Result};
use format::{Header, Key};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// No sealed file of ours is ever this large.
const SIZE_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

/// The secrets in the file, by name.
type Entries = BTreeMap<String, Secret>;

/// A file of secrets, sealed by a passphrase.
pub(super) struct SealedFile {
    path: PathBuf,
    /// The key, with the header it belongs to, once the passphrase was given.
    open: Mutex<Option<(Header, Key)>>,
}

impl SealedFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn exists(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    pub(super) fn is_open(&self) -> bool {
        let open = self.lock();
        let Some((header, _)) = open.as_ref() else { return false };
        self.read().is_ok_and(|bytes| Header::read(&bytes).is_ok_and(|(now, _)| now.same_key(header)))
    }

    pub(super) fn unlock(&self, passphrase: &Secret) -> Result<()> {
        let tried = self.tried("open");
        let bytes = self.read()?;
        let (header, _) = Header::read(&bytes).map_err(|fault| fault.error(&tried))?;
        let key = header.key(passphrase).map_err(|fault| fault.error(&tried))?;
        format::open(&bytes, &key).map_err(|fault| fault.error(&tried))?;
        *self.lock() = Some((header, key));
        Ok(())
    }

    pub(super) fn create(&self, passphrase: &Secret) -> Result<()> {
        let tried = self.tried("make");
        if passphrase.is_empty() {
            return Err(Error::new(ErrorClass::Invalid, format!("{tried}: the passphrase is empty")).hint("Give one"));
        }
        if let Some(home) = self.path.parent() {
            std::fs::create_dir_all(home).map_err(|error| Error::io(&tried, error))?;
        }
        let _guard = self.guard(&tried)?;
        if self.exists() {
            return Err(Error::new(ErrorClass::Exists, format!("{tried}: there is one already"))
                .hint("Open it with its passphrase"));
        }
        let header = Header::fresh();
        let (header, key) = header.with_check(passphrase).map_err(|fault| fault.error(&tried))?;
        self.write(&tried, &header, &key, &Entries::new())?;
        *self.lock() = Some((header, key));
        Ok(())
    }

    pub(super) fn set(&self, name: &SecretName, secret: &Secret) -> Result<()> {
        self.change(&format!("Cannot store the secret {}", name.0), |entries| {
            entries.insert(name.0.clone(), secret.clone());
        })
    }

    pub(super) fn delete(&self, name: &SecretName) -> Result<()> {
        self.change(&format!("Cannot remove the secret {}", name.0), |entries| {
            entries.remove(&name.0);
        })
    }

    pub(super) fn get(&self, name: &SecretName) -> Result<Option<Secret>> {
        let tried = format!("Cannot read the secret {}", name.0);
        let open = self.lock();
        let (_, mut entries) = self.load(&tried, &open)?;
        Ok(entries.remove(&name.0))
    }

    fn change(&self, tried: &str, change: impl FnOnce(&mut Entries)) -> Result<()> {
        let open = self.lock();
        let _guard = self.guard(tried)?;
        let (key, mut entries) = self.load(tried, &open)?;
        let header = match open.as_ref() {
            Some((header, _)) => header,
            None => return Err(locked(tried)),
        };
        let before = entries.clone();
        change(&mut entries);
        if entries == before {
            return Ok(());
        }
        self.write(tried, header, key, &entries)?;
        // Only what can be read again is stored.
        let (_, read) = self.load(tried, &open)?;
        if read == entries {
            Ok(())
        } else {
            Err(Error::new(ErrorClass::Corrupt, format!("{tried}: the sealed file gave back something else"))
                .hint("Check the disk that holds Backstay's own folder"))
        }
    }

    fn load<'a>(&self, tried: &str, open: &'a Option<(Header, Key)>) -> Result<(&'a Key, Entries)> {
        let Some((header, key)) = open else { return Err(locked(tried)) };
        let bytes = self.read()?;
        let (now, _) = Header::read(&bytes).map_err(|fault| fault.error(tried))?;
        if !now.same_key(header) {
            // Another process made it anew, under another passphrase.
            return Err(locked(tried));
        }
        let entries = format::open(&bytes, key).map_err(|fault| fault.error(tried))?;
        Ok((key, entries))
    }

    fn read(&self) -> Result<Vec<u8>> {
        let tried = self.tried("read");
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|file| file.take(SIZE_LIMIT_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| Error::io(&tried, error))?;
        if bytes.len() as u64 > SIZE_LIMIT_BYTES {
            return Err(format::Fault::Damaged("it is far too large").error(&tried));
        }
        Ok(bytes)
    }

    fn write(&self, tried: &str, header: &Header, key: &Key, entries: &Entries) -> Result<()> {
        let bytes = Zeroizing::new(format::seal(header, key, entries).map_err(|fault| fault.error(tried))?);
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            // Made with mode 0600 from the start.
            let mut temp = tempfile::Builder::new().prefix(".secrets-").tempfile_in(folder)?;
            temp.write_all(&bytes)?;
            temp.as_file().sync_all()?;
            temp.persist(&self.path).map_err(|failed| failed.error)?;
            #[cfg(unix)]
            File::open(folder)?.sync_all()?;
            Ok(())
        };
        write().map_err(|error| Error::io(tried, error))
    }

    /// Keeps other processes from changing the file between our reading and writing it.
    fn guard(&self, tried: &str) -> Result<File> {
        let path = self.path.with_extension("lock");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let locked = options.open(path).and_then(|file| match file.lock() {
            Ok(()) => Ok(file),
            // Some network file systems know no locks; two processes changing secrets at once is rare enough there.
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(file),
            Err(error) => Err(error),
        });
        locked.map_err(|error| Error::io(tried, error))
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Header, Key)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tried(&self, what: &str) -> String {
        format!("Cannot {what} the sealed secrets {}", self.path.display())
    }
}

fn locked(tried: &str) -> Error {
    Error::new(ErrorClass::Locked, format!("{tried}: the sealed file is locked"))
        .hint("Give its passphrase: in the window's settings, or as BACKSTAY_PASSPHRASE on the command line")
}
