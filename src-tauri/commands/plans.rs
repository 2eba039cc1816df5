//! Plans: list, add, change, remove, start.

use crate::bridge::{Engine, ipc};
use backstay_contract::{IpcError, PlanDraft, PlanRow, PlanSaved, PlanView, RecoveryKit};
use tauri::State;

/// Lists plans.
#[tauri::command]
#[specta::specta]
pub async fn plans(engine: State<'_, Engine>) -> Result<Vec<PlanRow>, IpcError> {
    engine.ready()?.plans().await.map_err(ipc)
}

/// Returns one plan whole.
#[tauri::command]
#[specta::specta]
pub async fn plan(engine: State<'_, Engine>, id: String) -> Result<PlanView, IpcError> {
    engine.ready()?.plan(&id).await.map_err(ipc)
}

/// Adds a plan, or changes the one whose id the draft has.
#[tauri::command]
#[specta::specta]
pub async fn save_plan(engine: State<'_, Engine>, draft: PlanDraft) -> Result<PlanSaved, IpcError> {
    engine.ready()?.save_plan(draft).await.map_err(ipc)
}

/// Returns the recovery kit of a plan's archive key.
#[tauri::command]
#[specta::specta]
pub async fn plan_kit(engine: State<'_, Engine>, id: String) -> Result<RecoveryKit, IpcError> {
    engine.ready()?.plan_kit(&id).await.map_err(ipc)
}

/// Returns the file name an archive of a plan would get now.
#[tauri::command]
#[specta::specta]
pub async fn archive_name(engine: State<'_, Engine>, draft: PlanDraft) -> Result<String, IpcError> {
    engine.ready()?.archive_name(draft).await.map_err(ipc)
}

/// Removes a plan. Its backups stay.
#[tauri::command]
#[specta::specta]
pub async fn remove_plan(engine: State<'_, Engine>, id: String) -> Result<(), IpcError> {
    engine.ready()?.remove_plan(&id).await.map_err(ipc)
}

/// Adds paths to a plan's excludes.
#[tauri::command]
#[specta::specta]
pub async fn exclude_from_plan(engine: State<'_, Engine>, id: String, paths: Vec<String>) -> Result<PlanRow, IpcError> {
    engine.ready()?.exclude_from_plan(&id, paths).await.map_err(ipc)
}

/// Starts a backup; returns the id of its run.
#[tauri::command]
#[specta::specta]
pub async fn start_backup(engine: State<'_, Engine>, plan: String) -> Result<String, IpcError> {
    engine.ready()?.start_backup(&plan).await.map_err(ipc)
}
