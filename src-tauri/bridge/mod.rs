//! Between the engine and the window: state, events, errors, the window's own life.

mod engine;
mod events;
mod failure_page;
mod faults;
mod instance;
pub mod window;

pub use engine::Engine;
pub use failure_page::{SCHEME as FAILURE_SCHEME, respond as failure_response};
pub use faults::{install_panic_hook, start_logging};
pub use instance::single_instance;

use backstay_contract::IpcError;
use backstay_core::Error;

/// Maps an error to what crosses IPC.
pub fn ipc(error: Error) -> IpcError {
    backstay_engine::ipc_error(&error)
}
