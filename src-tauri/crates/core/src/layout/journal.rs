//! How far transfers came.

use crate::error::Result;

/// Keeps how far a transfer came, so that it goes on after a restart. Calls are short and blocking (milliseconds).
pub trait TransferJournal: Send + Sync {
    /// Returns what was kept under a name.
    fn load(&self, name: &str) -> Result<Option<String>>;
    /// Keeps a text (JSON without secrets) under a name, durably.
    fn save(&self, name: &str, state: &str) -> Result<()>;
    /// Forgets a name.
    fn clear(&self, name: &str) -> Result<()>;
}

/// A journal that forgets with the process.
#[derive(Debug, Default)]
pub struct MemoryJournal(std::sync::Mutex<std::collections::HashMap<String, String>>);

impl TransferJournal for MemoryJournal {
    fn load(&self, name: &str) -> Result<Option<String>> {
        Ok(self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(name).cloned())
    }
    fn save(&self, name: &str, state: &str) -> Result<()> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(name.into(), state.into());
        Ok(())
    }
    fn clear(&self, name: &str) -> Result<()> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(name);
        Ok(())
    }
}
