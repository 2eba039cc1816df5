//! How far transfers came, kept in the store.

use backstay_core::Result;
use backstay_core::layout::TransferJournal;
use backstay_core::store::Store;
use std::sync::Arc;

const PREFIX: &str = "copy/";

/// The store as a journal. Names of different purposes are kept apart by their first part.
pub(crate) struct StoreJournal(pub Arc<dyn Store>);

impl StoreJournal {
    /// Returns all that is kept of transfers.
    pub fn all(&self) -> Result<Vec<String>> {
        Ok(self.0.transfers(PREFIX)?.into_iter().map(|(_, state)| state).collect())
    }
}

impl TransferJournal for StoreJournal {
    fn load(&self, name: &str) -> Result<Option<String>> {
        self.0.transfer(&format!("{PREFIX}{name}"))
    }
    fn save(&self, name: &str, state: &str) -> Result<()> {
        self.0.put_transfer(&format!("{PREFIX}{name}"), state)
    }
    fn clear(&self, name: &str) -> Result<()> {
        self.0.delete_transfer(&format!("{PREFIX}{name}"))
    }
}
