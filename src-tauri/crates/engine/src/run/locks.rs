//! Locks that end with their process: who still runs what, over all processes that share a home.
//!
//! The window and the command line may work on one home at the same time. A run holds a lock file; when its process
//! dies, however it dies, the system lets go of it, and whoever looks next knows that the run was interrupted. That is
//! safer than process ids, which are used again.

use backstay_core::{DestinationId, Error, PlanId, Result, RunId};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// The folder of lock files.
pub(crate) struct RunLocks {
    dir: PathBuf,
}

/// A lock held until dropped.
pub(crate) struct HeldLock {
    file: Option<File>,
    path: PathBuf,
    remove: bool,
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // Not left to the closing: a program that is just being started has the file open too, for a moment.
            let _ = file.unlock();
        }
        if self.remove {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl RunLocks {
    /// Opens the folder, making it if needed.
    pub fn open(home: &Path) -> Result<Self> {
        let dir = home.join("runs");
        std::fs::create_dir_all(&dir).map_err(|e| Error::io(format!("Cannot make the folder {}", dir.display()), e))?;
        Ok(Self { dir })
    }
    /// Takes the lock of a new run. Its file goes when it is dropped.
    pub fn hold_run(&self, run: &RunId) -> Result<Option<HeldLock>> {
        self.hold(format!("{run}.lock"), true)
    }
    /// Takes the lock of a plan; `None` while another run of it holds it, in whatever process. Its file stays: removing
    /// it would let two holders in.
    pub fn hold_plan(&self, plan: &PlanId) -> Result<Option<HeldLock>> {
        self.hold(format!("plan-{plan}.lock"), false)
    }
    /// Takes a place beside others who read or write a destination; `None` while somebody has it for himself.
    pub fn use_destination(&self, destination: &DestinationId) -> Result<Option<HeldLock>> {
        self.hold_as(format!("destination-{destination}.lock"), false, true)
    }
    /// Takes a destination for oneself: nobody of this computer reads or writes there. `None` while anybody does.
    pub fn own_destination(&self, destination: &DestinationId) -> Result<Option<HeldLock>> {
        self.hold(format!("destination-{destination}.lock"), false)
    }
    /// Takes the lock of a sync; `None` while another one fills the same destination.
    pub fn hold_sync(&self, destination: &DestinationId) -> Result<Option<HeldLock>> {
        self.hold(format!("sync-{destination}.lock"), false)
    }
    /// Takes the lock of going on with a run that is over; `None` while somebody else does. Its file goes when it is
    /// dropped: by then what was kept of that run is forgotten, and nobody can go on with it.
    pub fn hold_resume(&self, run: &RunId) -> Result<Option<HeldLock>> {
        self.hold(format!("resume-{run}.lock"), true)
    }
    /// Tells whether the run's process is still there.
    pub fn is_alive(&self, run: &RunId) -> bool {
        let path = self.dir.join(format!("{run}.lock"));
        let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else { return false };
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    }
    /// Removes what a dead run left.
    pub fn forget(&self, run: &RunId) {
        let _ = std::fs::remove_file(self.dir.join(format!("{run}.lock")));
        let _ = std::fs::remove_file(self.cancel_file(run));
    }
    /// Removes a wish to cancel that came too late.
    pub fn forget_cancel(&self, run: &RunId) {
        let _ = std::fs::remove_file(self.cancel_file(run));
    }
    /// Asks the process that owns the run to cancel it.
    pub fn ask_cancel(&self, run: &RunId) -> Result<()> {
        let path = self.cancel_file(run);
        File::create(&path).map(|_| ()).map_err(|e| Error::io(format!("Cannot write {}", path.display()), e))
    }
    /// Tells whether another process asked to cancel this run.
    pub fn cancel_asked(&self, run: &RunId) -> bool {
        self.cancel_file(run).exists()
    }

    fn cancel_file(&self, run: &RunId) -> PathBuf {
        self.dir.join(format!("{run}.cancel"))
    }

    fn hold(&self, name: String, remove: bool) -> Result<Option<HeldLock>> {
        self.hold_as(name, remove, false)
    }

    fn hold_as(&self, name: String, remove: bool, shared: bool) -> Result<Option<HeldLock>> {
        let path = self.dir.join(name);
        let tried = || format!("Cannot lock {}", path.display());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| Error::io(tried(), e))?;
        match if shared { file.try_lock_shared() } else { file.try_lock() } {
            Ok(()) => Ok(Some(HeldLock { file: Some(file), path, remove })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io(tried(), error)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_lock_that_a_child_has_open_is_free_once_it_is_dropped() {
        let home = std::env::temp_dir().join(format!("backstay-locks-{:?}", RunId::random()));
        let locks = RunLocks::open(&home).unwrap();
        let plan = PlanId::random();
        let held = locks.hold_plan(&plan).unwrap().unwrap();
        // What a fork does to each open file.
        let inherited = held.file.as_ref().unwrap().try_clone().unwrap();
        drop(held);
        assert!(locks.hold_plan(&plan).unwrap().is_some());
        drop(inherited);
        std::fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn a_plan_is_held_once_and_free_again_after() {
        let home = std::env::temp_dir().join(format!("backstay-locks-{:?}", RunId::random()));
        let locks = RunLocks::open(&home).unwrap();
        let plan = PlanId::random();
        let held = locks.hold_plan(&plan).unwrap();
        assert!(held.is_some());
        assert!(locks.hold_plan(&plan).unwrap().is_none());
        drop(held);
        assert!(locks.hold_plan(&plan).unwrap().is_some());

        let run = RunId::random();
        assert!(!locks.is_alive(&run));
        let held = locks.hold_run(&run).unwrap();
        assert!(locks.is_alive(&run));
        drop(held);
        assert!(!locks.is_alive(&run));
        std::fs::remove_dir_all(home).unwrap();
    }
}
