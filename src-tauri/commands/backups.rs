//! Backups: list, look into, compare, download, verify.

use crate::bridge::{Engine, ipc};
use backstay_contract::{
    BackupDetail, BackupEntry, BackupFilter, BackupPage, CopyView, DeletePreview, DeleteReport, DiffView,
    DownloadRequest, IpcError, LinkView,
};
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

/// Goes on with an interrupted download; returns the id of the new run.
#[tauri::command]
#[specta::specta]
pub async fn resume_download(engine: State<'_, Engine>, run: String) -> Result<String, IpcError> {
    engine.ready()?.resume_download(&run).await.map_err(ipc)
}

/// Tells what deleting a backup, or its copies at some destinations, would do.
#[tauri::command]
#[specta::specta]
pub async fn delete_preview(
    engine: State<'_, Engine>,
    backup: String,
    destinations: Vec<String>,
) -> Result<DeletePreview, IpcError> {
    engine.ready()?.delete_preview(&backup, destinations).await.map_err(ipc)
}

/// Deletes a backup, or its copies at some destinations.
#[tauri::command]
#[specta::specta]
pub async fn delete_backup(
    engine: State<'_, Engine>,
    backup: String,
    destinations: Vec<String>,
) -> Result<DeleteReport, IpcError> {
    engine.ready()?.delete_backup(&backup, destinations).await.map_err(ipc)
}

/// Makes an address anybody can read an archive at for some minutes.
#[tauri::command]
#[specta::specta]
pub async fn make_link(
    engine: State<'_, Engine>,
    backup: String,
    destination: String,
    minutes: u32,
) -> Result<LinkView, IpcError> {
    engine.ready()?.make_link(&backup, &destination, minutes).await.map_err(ipc)
}

/// Asks a cold store for an archive, to stay readable for some days.
#[tauri::command]
#[specta::specta]
pub async fn thaw_backup(
    engine: State<'_, Engine>,
    backup: String,
    destination: String,
    days: u32,
) -> Result<CopyView, IpcError> {
    engine.ready()?.thaw_backup(&backup, &destination, days).await.map_err(ipc)
}
