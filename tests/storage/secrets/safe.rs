//! A keyring in memory that can be locked.

use keyring_core::api::{Credential, CredentialApi, CredentialStoreApi};
use keyring_core::{Entry, Error, Result};
use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Inside {
    locked: AtomicBool,
    entries: Mutex<HashMap<String, Vec<u8>>>,
}

/// The keyring.
#[derive(Default)]
pub struct Safe(Arc<Inside>);

impl Safe {
    pub fn lock(&self, locked: bool) {
        self.0.locked.store(locked, Ordering::SeqCst);
    }
}

impl CredentialStoreApi for Safe {
    fn vendor(&self) -> String {
        "test".into()
    }
    fn id(&self) -> String {
        "safe".into()
    }
    fn build(&self, _service: &str, user: &str, _modifiers: Option<&HashMap<&str, &str>>) -> Result<Entry> {
        Ok(Entry::new_with_credential(Arc::new(Kept { inside: self.0.clone(), user: user.to_owned() })))
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Kept {
    inside: Arc<Inside>,
    user: String,
}

impl Kept {
    fn opened<T>(&self, work: impl FnOnce(&mut HashMap<String, Vec<u8>>) -> Result<T>) -> Result<T> {
        if self.inside.locked.load(Ordering::SeqCst) {
            return Err(Error::NoStorageAccess("it is locked".into()));
        }
        work(&mut self.inside.entries.lock().unwrap())
    }
}

impl CredentialApi for Kept {
    fn set_secret(&self, secret: &[u8]) -> Result<()> {
        self.opened(|entries| {
            entries.insert(self.user.clone(), secret.to_vec());
            Ok(())
        })
    }
    fn get_secret(&self) -> Result<Vec<u8>> {
        self.opened(|entries| entries.get(&self.user).cloned().ok_or(Error::NoEntry))
    }
    fn delete_credential(&self) -> Result<()> {
        self.opened(|entries| entries.remove(&self.user).map(drop).ok_or(Error::NoEntry))
    }
    fn get_credential(&self) -> Result<Option<Arc<Credential>>> {
        Ok(None)
    }
    fn get_specifiers(&self) -> Option<(String, String)> {
        None
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}
