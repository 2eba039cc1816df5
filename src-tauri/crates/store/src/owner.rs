//! Which process a run belongs to. Each holds a lock on a file of its own for as long as it lives, so that a second one
//! can tell a run that goes on in the first from one whose process was killed.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// This process's mark on the runs it inserts.
pub(crate) struct Owner {
    id: String,
    folder: Option<PathBuf>,
    lock: Option<File>,
}

impl Owner {
    /// Makes a mark. `folder` is where lock files lie; `None` for a database in memory, which nobody else can see.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        Self { id: backstay_core::RunId::random().0, folder: folder.map(Path::to_owned), lock: None }
    }

    /// Returns the mark, taking the lock first. Where no lock can be taken the mark still works: others then take our runs
    /// for dead, which only shows in their list.
    pub(crate) fn take(&mut self) -> &str {
        if self.lock.is_none()
            && let Some(folder) = &self.folder
        {
            let path = lock_file(folder, &self.id);
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
            self.lock = file.and_then(|file| file.lock().map(|()| file)).ok();
        }
        &self.id
    }

    /// Tells whether the process with this mark lives, and is not us.
    pub(crate) fn is_alive_elsewhere(&self, id: &str) -> bool {
        let Some(folder) = &self.folder else { return false };
        if id == self.id || !id.chars().all(|c| c.is_ascii_hexdigit()) {
            return false;
        }
        let path = lock_file(folder, id);
        let Ok(file) = OpenOptions::new().write(true).open(&path) else { return false };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => true,
            _ => {
                let _ = std::fs::remove_file(&path);
                false
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.lock.take().is_some()
            && let Some(folder) = &self.folder
        {
            let _ = std::fs::remove_file(lock_file(folder, &self.id));
        }
    }
}

fn lock_file(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("runs-{id}.lock"))
}
