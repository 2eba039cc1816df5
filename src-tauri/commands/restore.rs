//! Restore: ask for a preview, look at it, confirm it.

use crate::bridge::{Engine, ipc};
use backstay_contract::{ChangePage, IpcError, RestorePreview, RestoreRequest};
use tauri::State;

/// Works out what a restore would do, without doing it.
#[tauri::command]
#[specta::specta]
pub async fn plan_restore(engine: State<'_, Engine>, request: RestoreRequest) -> Result<RestorePreview, IpcError> {
    engine.ready()?.plan_restore(request).await.map_err(ipc)
}

/// Returns a page of a preview's list.
#[tauri::command]
#[specta::specta]
pub async fn restore_preview_page(
    engine: State<'_, Engine>,
    preview: String,
    change: String,
    text: String,
    offset: u64,
    limit: u64,
) -> Result<ChangePage, IpcError> {
    engine.ready()?.restore_preview_page(&preview, &change, &text, offset, limit).await.map_err(ipc)
}

/// Starts exactly the restore that was previewed; returns the id of its run.
#[tauri::command]
#[specta::specta]
pub async fn start_restore(
    engine: State<'_, Engine>,
    preview: String,
    typed_name: Option<String>,
) -> Result<String, IpcError> {
    engine.ready()?.start_restore(&preview, typed_name).await.map_err(ipc)
}
