//! Destinations and their recovery kits.

use crate::bridge::{Engine, ipc};
use backstay_contract::{DestinationAdded, DestinationDraft, DestinationRow, DestinationTest, IpcError, RecoveryKit};
use tauri::State;

/// Lists destinations.
#[tauri::command]
#[specta::specta]
pub async fn destinations(engine: State<'_, Engine>) -> Result<Vec<DestinationRow>, IpcError> {
    engine.ready()?.destinations().await.map_err(ipc)
}

/// Tries a destination step by step, and tells what lies there.
#[tauri::command]
#[specta::specta]
pub async fn test_destination(engine: State<'_, Engine>, draft: DestinationDraft) -> Result<DestinationTest, IpcError> {
    engine.ready()?.test_destination(draft).await.map_err(ipc)
}

/// Makes or opens the vault at a destination and adds it.
#[tauri::command]
#[specta::specta]
pub async fn add_destination(engine: State<'_, Engine>, draft: DestinationDraft) -> Result<DestinationAdded, IpcError> {
    engine.ready()?.add_destination(draft).await.map_err(ipc)
}

/// Forgets a destination. What lies there stays.
#[tauri::command]
#[specta::specta]
pub async fn remove_destination(engine: State<'_, Engine>, id: String) -> Result<(), IpcError> {
    engine.ready()?.remove_destination(&id).await.map_err(ipc)
}

/// Returns the recovery kit of a destination.
#[tauri::command]
#[specta::specta]
pub async fn recovery_kit(engine: State<'_, Engine>, id: String) -> Result<RecoveryKit, IpcError> {
    engine.ready()?.recovery_kit(&id).await.map_err(ipc)
}

/// Writes the recovery kit to a file as "html" or "txt".
#[tauri::command]
#[specta::specta]
pub async fn save_recovery_kit(
    engine: State<'_, Engine>,
    id: String,
    file: String,
    format: String,
) -> Result<(), IpcError> {
    engine.ready()?.save_recovery_kit(&id, &file, &format).await.map_err(ipc)
}

/// Compares one word of the kit with what the user typed.
#[tauri::command]
#[specta::specta]
pub async fn confirm_recovery_kit(
    engine: State<'_, Engine>,
    id: String,
    word_number: u32,
    word: String,
) -> Result<bool, IpcError> {
    engine.ready()?.confirm_recovery_kit(&id, word_number, &word).await.map_err(ipc)
}

/// Reads the list of backups from a destination anew; returns how many there are.
#[tauri::command]
#[specta::specta]
pub async fn refresh_destination(engine: State<'_, Engine>, id: String) -> Result<u64, IpcError> {
    engine.ready()?.refresh_destination(&id).await.map_err(ipc)
}
