//! The engine as the window's state: open, or not and why.

use backstay_contract::{Event, IpcError};
use backstay_engine::Backstay;
use std::sync::{Mutex, PoisonError};
use tauri::async_runtime::JoinHandle;
use tauri::ipc::Channel;

/// The engine, or why it could not be opened. A window is shown in either case.
pub struct Engine {
    opened: Result<Backstay, IpcError>,
    forwarding: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Wraps what opening the engine gave.
    pub fn new(opened: Result<Backstay, IpcError>) -> Self {
        Self { opened, forwarding: Mutex::new(None) }
    }

    /// Returns the engine, or why there is none.
    pub fn ready(&self) -> Result<&Backstay, IpcError> {
        self.opened.as_ref().map_err(Clone::clone)
    }

    /// Returns why the engine could not be opened, if so.
    pub fn failure(&self) -> Option<&IpcError> {
        self.opened.as_ref().err()
    }

    /// Sends all events from now on to the channel. A channel given earlier gets no more: a reloaded page has only one.
    pub fn forward_events(&self, channel: Channel<Event>) -> Result<(), IpcError> {
        let backstay = self.ready()?.clone();
        let task = tauri::async_runtime::spawn(super::events::forward(backstay, channel));
        let mut forwarding = self.forwarding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = forwarding.replace(task) {
            earlier.abort();
        }
        Ok(())
    }

    /// Counts the runs that would end with this process.
    pub fn own_runs(&self) -> usize {
        self.opened.as_ref().map_or(0, Backstay::own_runs)
    }

    /// Tells whether one of them is a restore.
    pub fn own_restore(&self) -> bool {
        self.opened.as_ref().is_ok_and(Backstay::own_restore)
    }
}
