//! The one place that picks concrete parts. The window and the command line both start here.

mod destinations;
mod parts;

use backstay_core::{Error, Result, Secret};
use backstay_engine::Backstay;
use backstay_platform::secrets::{Secrets, State};
use backstay_store::SqliteStore;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use backstay_platform::notify::notify;
pub use backstay_platform::paths::{data_dir, user_home};

/// Blocks are filled on one thread and dropped on another. The system's allocator keeps what each thread freed for that
/// thread: a first backup held twice the memory that it used.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What differs between those who start Backstay.
#[derive(Clone, Debug)]
pub struct AssemblyOptions {
    /// Opens the sealed file of secrets; makes one where there is neither a keyring nor a file.
    pub passphrase: Option<Secret>,
    /// Show a notification on the desktop when a run ends, as the settings say.
    pub notifications: bool,
}

impl Default for AssemblyOptions {
    fn default() -> Self {
        Self { passphrase: None, notifications: true }
    }
}

/// Opens Backstay with its state in `home`, which is made if needed. Needs a Tokio runtime.
///
/// Errors: the home cannot be written, the database is damaged or of a newer version, the passphrase does not open the
/// sealed file (`WrongKey`).
pub async fn open(home: PathBuf, options: AssemblyOptions) -> Result<Backstay> {
    backstay_platform::harden();
    make_private_dir(&home)?;
    let home = home.canonicalize().map_err(|e| Error::io(format!("Cannot use the folder {}", home.display()), e))?;
    let (store, secrets) = {
        let home = home.clone();
        // Both may block: the database on a lock, the keyring on its daemon.
        tokio::task::spawn_blocking(move || -> Result<_> {
            let store = SqliteStore::open(&home.join("backstay.db"))?;
            let secrets = Secrets::open(&home);
            if let Some(passphrase) = &options.passphrase {
                match secrets.status().state {
                    State::Ready => {}
                    State::Locked => secrets.unlock(passphrase)?,
                    // A file begun here would hide what lies in the keyring: only the user may want that.
                    State::KeyringClosed if secrets.status().keyring_used => {}
                    State::KeyringClosed | State::NotSetUp => secrets.create_file(passphrase)?,
                }
            }
            Ok((store, secrets))
        })
        .await
        .map_err(|e| {
            Error::new(backstay_core::ErrorClass::Internal, "Opening Backstay ended unexpectedly").source(e)
        })??
    };
    let parts = parts::Concrete::new(Arc::new(store), Arc::new(secrets), options.notifications);
    Backstay::open(home, Arc::new(parts)).await
}

/// Makes the folder; a new one only its owner may enter, since names of servers and files lie in it.
fn make_private_dir(home: &Path) -> Result<()> {
    if home.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(home).map_err(|e| {
        Error::io(format!("Cannot make the folder {}", home.display()), e)
            .hint("Give another folder with --home or BACKSTAY_HOME")
    })
}
