//! Backups: list, look into, compare, download, verify.

use crate::bridge::{Engine, ipc};
use backstay_contract::{BackupDetail, BackupEntry, BackupFilter, BackupPage, DiffView, DownloadRequest, IpcError};
use tauri::State;

/// Returns a page of the backups that match.
#[tauri::command]
#[specta::specta]
pub async fn backups(engine: State<'_, Engine>, filter: BackupFilter) -> Result<BackupPage, IpcError> {
    engine.ready()?.backups(filter).await.map_err(ipc)
}

/// Returns one backup whole.
#[tauri::command]
#[specta::specta]
pub async fn backup(engine: State<'_, Engine>, id: String) -> Result<BackupDetail, IpcError> {
    engine.ready()?.backup(&id).await.map_err(ipc)
}

/// Lists one folder of a backup.
#[tauri::command]
#[specta::specta]
pub async fn backup_list(engine: State<'_, Engine>, id: String, path: String) -> Result<Vec<BackupEntry>, IpcError> {
    engine.ready()?.backup_list(&id, &path).await.map_err(ipc)
}

/// Finds entries of a backup by name.
#[tauri::command]
#[specta::specta]
pub async fn backup_search(engine: State<'_, Engine>, id: String, text: String) -> Result<Vec<BackupEntry>, IpcError> {
    engine.ready()?.backup_search(&id, &text).await.map_err(ipc)
}

/// Compares two backups.
#[tauri::command]
#[specta::specta]
pub async fn backup_diff(engine: State<'_, Engine>, older: String, newer: String) -> Result<DiffView, IpcError> {
    engine.ready()?.backup_diff(&older, &newer).await.map_err(ipc)
}

/// Starts a download into a folder of this computer; returns the id of its run.
#[tauri::command]
#[specta::specta]
pub async fn start_download(engine: State<'_, Engine>, request: DownloadRequest) -> Result<String, IpcError> {
    engine.ready()?.start_download(request).await.map_err(ipc)
}

/// Starts reading a backup back whole; returns the id of its run.
#[tauri::command]
#[specta::specta]
pub async fn start_verify(engine: State<'_, Engine>, backup: String) -> Result<String, IpcError> {
    engine.ready()?.start_verify(&backup).await.map_err(ipc)
}
