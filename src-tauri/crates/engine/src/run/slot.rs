//! How many runs work at once.

use backstay_core::{Error, ErrorClass, Result};
use std::sync::{Arc, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::backstay::locked;

/// At most so many runs work at once; the others wait. More would only fight for the same link and disk.
const AT_ONCE: usize = 3;

/// The slots of a process, taken in the order they are asked for.
pub(super) struct Slots(Arc<Semaphore>);

impl Default for Slots {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Slots {
    /// Returns a run's slot, which is not taken yet.
    pub fn slot(&self) -> Slot {
        Slot { slots: self.0.clone(), held: Mutex::default() }
    }
}

/// The slot of one run: held while it works, given back while it only waits, and when it is dropped.
pub(super) struct Slot {
    slots: Arc<Semaphore>,
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Slot {
    /// Waits until a slot is free and takes it.
    pub async fn take(&self) -> Result<()> {
        let taken = self.slots.clone().acquire_owned().await;
        let permit = taken.map_err(|e| Error::new(ErrorClass::Internal, "No slot for the run").source(e))?;
        *locked(&self.held) = Some(permit);
        Ok(())
    }

    /// Lets another run work: this one has nothing to do for a while.
    pub fn leave(&self) {
        locked(&self.held).take();
    }
}
