//! Texts and shapes for those who show things: errors, sizes, times.

use backstay_contract::IpcError;
use backstay_core::Error;

/// Returns an error as it crosses IPC and as `--json` prints it.
pub fn ipc_error(error: &Error) -> IpcError {
    IpcError {
        code: error.class.as_str().into(),
        message: error.message.clone(),
        hint: error.hint.clone(),
        detail: error.detail.clone(),
    }
}
