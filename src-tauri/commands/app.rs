//! The app itself: facts, settings, secrets, the first screen, events, quitting.

use crate::bridge::window::Quitting;
use crate::bridge::{Engine, ipc};
use backstay_contract::{AppInfo, Event, IpcError, Overview, SecretsStatus, Settings};
use backstay_core::Secret;
use tauri::State;
use tauri::ipc::Channel;

/// Returns facts about this installation.
#[tauri::command]
#[specta::specta]
pub async fn app_info(engine: State<'_, Engine>) -> Result<AppInfo, IpcError> {
    engine.ready()?.app_info().await.map_err(ipc)
}

/// Returns the settings.
#[tauri::command]
#[specta::specta]
pub async fn settings(engine: State<'_, Engine>) -> Result<Settings, IpcError> {
    engine.ready()?.settings().await.map_err(ipc)
}

/// Stores the settings and returns them as stored.
#[tauri::command]
#[specta::specta]
pub async fn save_settings(engine: State<'_, Engine>, settings: Settings) -> Result<Settings, IpcError> {
    engine.ready()?.save_settings(settings).await.map_err(ipc)
}

/// Tells where secrets rest, and whether they can be read now.
#[tauri::command]
#[specta::specta]
pub async fn secrets_status(engine: State<'_, Engine>) -> Result<SecretsStatus, IpcError> {
    engine.ready()?.secrets_status().await.map_err(ipc)
}

/// Tries the keyring anew.
#[tauri::command]
#[specta::specta]
pub async fn secrets_try_keyring(engine: State<'_, Engine>) -> Result<SecretsStatus, IpcError> {
    engine.ready()?.secrets_try_keyring().await.map_err(ipc)
}

/// Unlocks the sealed secrets file.
#[tauri::command]
#[specta::specta]
pub async fn secrets_unlock(engine: State<'_, Engine>, passphrase: String) -> Result<SecretsStatus, IpcError> {
    engine.ready()?.secrets_unlock(Secret::new(passphrase).expose()).await.map_err(ipc)
}

/// Makes a sealed secrets file where there is no keyring.
#[tauri::command]
#[specta::specta]
pub async fn secrets_create_file(engine: State<'_, Engine>, passphrase: String) -> Result<SecretsStatus, IpcError> {
    engine.ready()?.secrets_create_file(Secret::new(passphrase).expose()).await.map_err(ipc)
}

/// Returns the first screen.
#[tauri::command]
#[specta::specta]
pub async fn overview(engine: State<'_, Engine>) -> Result<Overview, IpcError> {
    engine.ready()?.overview().await.map_err(ipc)
}

/// Sends every event of the engine to the window, until it closes or subscribes anew.
#[tauri::command]
#[specta::specta]
pub async fn subscribe(engine: State<'_, Engine>, channel: Channel<Event>) -> Result<(), IpcError> {
    engine.forward_events(channel)
}

/// Quits the app; asks first while runs go on.
#[tauri::command]
#[specta::specta]
pub async fn quit(quitting: State<'_, Quitting>) -> Result<(), IpcError> {
    quitting.ask();
    Ok(())
}
