//! Runs: list, look into, cancel.

use crate::bridge::{Engine, ipc};
use backstay_contract::{IpcError, ProblemPage, RunDetail, RunFilter, RunPage};
use tauri::State;

/// Returns a page of runs, newest first.
#[tauri::command]
#[specta::specta]
pub async fn runs(engine: State<'_, Engine>, filter: RunFilter) -> Result<RunPage, IpcError> {
    engine.ready()?.runs(filter).await.map_err(ipc)
}

/// Returns one run whole.
#[tauri::command]
#[specta::specta]
pub async fn run(engine: State<'_, Engine>, id: String) -> Result<RunDetail, IpcError> {
    engine.ready()?.run(&id).await.map_err(ipc)
}

/// Returns a page of a run's problems.
#[tauri::command]
#[specta::specta]
pub async fn run_problems(
    engine: State<'_, Engine>,
    id: String,
    text: String,
    offset: u64,
    limit: u64,
) -> Result<ProblemPage, IpcError> {
    engine.ready()?.run_problems(&id, &text, offset, limit).await.map_err(ipc)
}

/// Asks a run to end. It ends cleanly, soon, and leaves nothing half done.
#[tauri::command]
#[specta::specta]
pub async fn cancel_run(engine: State<'_, Engine>, id: String) -> Result<(), IpcError> {
    engine.ready()?.cancel_run(&id).await.map_err(ipc)
}
