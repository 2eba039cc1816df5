//! The audit log: list, verify, export.

use crate::bridge::{Engine, ipc};
use backstay_contract::{AuditCheck, AuditPage, IpcError};
use tauri::State;

/// Returns a page of the audit log, newest first.
#[tauri::command]
#[specta::specta]
pub async fn audit(engine: State<'_, Engine>, offset: u64, limit: u64) -> Result<AuditPage, IpcError> {
    engine.ready()?.audit(offset, limit).await.map_err(ipc)
}

/// Checks the audit log's chain of hashes.
#[tauri::command]
#[specta::specta]
pub async fn verify_audit(engine: State<'_, Engine>) -> Result<AuditCheck, IpcError> {
    engine.ready()?.verify_audit().await.map_err(ipc)
}

/// Writes the audit log to a file.
#[tauri::command]
#[specta::specta]
pub async fn export_audit(engine: State<'_, Engine>, file: String) -> Result<(), IpcError> {
    engine.ready()?.export_audit(&file).await.map_err(ipc)
}
