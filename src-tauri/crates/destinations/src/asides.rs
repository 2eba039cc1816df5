//! Folders in which nothing stepped aside, so that a delete need not look there again.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Folders that were seen to hold no object that stepped aside. A delete looks into each folder once: listing it for
/// every object would make clearing up a large vault take hours.
#[derive(Default)]
pub(crate) struct Tidy(Mutex<HashSet<Vec<u8>>>);

impl Tidy {
    /// Tells whether a folder was seen to hold none.
    pub(crate) fn is(&self, folder: impl AsRef<[u8]>) -> bool {
        self.folders().contains(folder.as_ref())
    }

    /// Notes that a folder holds none.
    pub(crate) fn note(&self, folder: impl AsRef<[u8]>) {
        self.folders().insert(folder.as_ref().to_vec());
    }

    /// Notes that an object steps aside in a folder, or was left there.
    pub(crate) fn forget(&self, folder: impl AsRef<[u8]>) {
        self.folders().remove(folder.as_ref());
    }

    fn folders(&self) -> MutexGuard<'_, HashSet<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
