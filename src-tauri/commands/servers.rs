//! Servers: list, test, add, change, remove, look into folders.

use crate::bridge::{Engine, ipc};
use backstay_contract::{
    ConnectionTest, HostKeyReport, IpcError, Listing, ServerDetail, ServerDraft, ServerFactsView, ServerRow,
    SshConfigHost,
};
use tauri::State;

/// Lists servers, this computer first.
#[tauri::command]
#[specta::specta]
pub async fn servers(engine: State<'_, Engine>) -> Result<Vec<ServerRow>, IpcError> {
    engine.ready()?.servers().await.map_err(ipc)
}

/// Returns one server whole.
#[tauri::command]
#[specta::specta]
pub async fn server(engine: State<'_, Engine>, id: String) -> Result<ServerDetail, IpcError> {
    engine.ready()?.server(&id).await.map_err(ipc)
}

/// Lists the hosts of `~/.ssh/config`, ready to be picked.
#[tauri::command]
#[specta::specta]
pub async fn ssh_config_hosts(engine: State<'_, Engine>) -> Result<Vec<SshConfigHost>, IpcError> {
    engine.ready()?.ssh_config_hosts().await.map_err(ipc)
}

/// Fetches the host keys on the way to a server, before any log-in; of a destination's own way by what it has stored.
#[tauri::command]
#[specta::specta]
pub async fn probe_host_key(
    engine: State<'_, Engine>,
    draft: ServerDraft,
    destination: Option<String>,
) -> Result<HostKeyReport, IpcError> {
    engine.ready()?.probe_host_key(draft, destination.as_deref()).await.map_err(ipc)
}

/// Logs in and tells step by step whether a backup could work.
#[tauri::command]
#[specta::specta]
pub async fn test_server(engine: State<'_, Engine>, draft: ServerDraft) -> Result<ConnectionTest, IpcError> {
    engine.ready()?.test_server(draft).await.map_err(ipc)
}

/// Looks at what is on a server.
#[tauri::command]
#[specta::specta]
pub async fn discover_server(engine: State<'_, Engine>, draft: ServerDraft) -> Result<ServerFactsView, IpcError> {
    engine.ready()?.discover_server(draft).await.map_err(ipc)
}

/// Adds a server, or changes the one whose id the draft has.
#[tauri::command]
#[specta::specta]
pub async fn save_server(engine: State<'_, Engine>, draft: ServerDraft) -> Result<ServerRow, IpcError> {
    engine.ready()?.save_server(draft).await.map_err(ipc)
}

/// Removes a server. Its backups stay where they lie.
#[tauri::command]
#[specta::specta]
pub async fn remove_server(engine: State<'_, Engine>, id: String) -> Result<(), IpcError> {
    engine.ready()?.remove_server(&id).await.map_err(ipc)
}

/// Lists one folder of a server.
#[tauri::command]
#[specta::specta]
pub async fn browse_server(engine: State<'_, Engine>, id: String, path: String) -> Result<Listing, IpcError> {
    engine.ready()?.browse_server(&id, &path).await.map_err(ipc)
}
