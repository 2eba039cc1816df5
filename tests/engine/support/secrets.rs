//! Secrets in memory.

use backstay_core::secret::{Secret, SecretName, SecretStore};
use backstay_core::{Error, ErrorClass, Result};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Secrets in memory; locked on demand.
#[derive(Default)]
pub struct MemorySecrets {
    pub held: Mutex<HashMap<SecretName, Secret>>,
    pub locked: AtomicBool,
    /// What is not there may lie in a keyring that cannot be asked.
    pub keyring_closed: AtomicBool,
}

impl MemorySecrets {
    fn check(&self) -> Result<()> {
        match self.locked.load(Ordering::SeqCst) {
            true => Err(Error::new(ErrorClass::Locked, "The secrets are locked")),
            false => Ok(()),
        }
    }
}

impl SecretStore for MemorySecrets {
    fn set(&self, name: &SecretName, secret: &Secret) -> Result<()> {
        self.check()?;
        self.held.lock().unwrap().insert(name.clone(), secret.clone());
        Ok(())
    }
    fn get(&self, name: &SecretName) -> Result<Option<Secret>> {
        self.check()?;
        let held = self.held.lock().unwrap().get(name).cloned();
        if held.is_none() && self.keyring_closed.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorClass::Missing, "The keyring cannot be asked"));
        }
        Ok(held)
    }
    fn delete(&self, name: &SecretName) -> Result<()> {
        self.check()?;
        self.held.lock().unwrap().remove(name);
        Ok(())
    }
}
