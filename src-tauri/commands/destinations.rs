//! Destinations and their recovery kits.

use crate::bridge::{Engine, ipc};
use backstay_contract::{
    Adopted, BucketMade, CleanupRule, DestinationAdded, DestinationDraft, DestinationRow, DestinationTest,
    ExistingFound, IpcError, Limits, RecoveryKit, S3Provider,
};
use backstay_core::Secret;
use tauri::State;

/// Lists destinations.
#[tauri::command]
#[specta::specta]
pub async fn destinations(engine: State<'_, Engine>) -> Result<Vec<DestinationRow>, IpcError> {
    engine.ready()?.destinations().await.map_err(ipc)
}

/// Lists the providers of S3-compatible storage with their regions.
#[tauri::command]
#[specta::specta]
pub async fn s3_providers(engine: State<'_, Engine>) -> Result<Vec<S3Provider>, IpcError> {
    engine.ready()?.s3_providers().await.map_err(ipc)
}

/// Returns a destination to be changed, without its secrets.
#[tauri::command]
#[specta::specta]
pub async fn destination(engine: State<'_, Engine>, id: String) -> Result<DestinationDraft, IpcError> {
    engine.ready()?.destination(&id).await.map_err(ipc)
}

/// Tries a destination step by step, and tells what lies there. Each step is an event under the test's name too.
#[tauri::command]
#[specta::specta]
pub async fn test_destination(
    engine: State<'_, Engine>,
    draft: DestinationDraft,
    test: String,
) -> Result<DestinationTest, IpcError> {
    engine.ready()?.test_destination(draft, &test).await.map_err(ipc)
}

/// Looks at a place with existing backups step by step, without writing; steps are events as those of a test.
#[tauri::command]
#[specta::specta]
pub async fn look_at_destination(
    engine: State<'_, Engine>,
    draft: DestinationDraft,
    test: String,
) -> Result<DestinationTest, IpcError> {
    engine.ready()?.look_at_destination(draft, &test).await.map_err(ipc)
}

/// Makes a bucket that is private, versioned, encrypted and swept of stray uploads.
#[tauri::command]
#[specta::specta]
pub async fn make_bucket(engine: State<'_, Engine>, draft: DestinationDraft) -> Result<BucketMade, IpcError> {
    engine.ready()?.make_bucket(draft).await.map_err(ipc)
}

/// Sets the clean-up rule of a bucket, and returns it as the bucket then tells it.
#[tauri::command]
#[specta::specta]
pub async fn set_cleanup_rule(engine: State<'_, Engine>, destination: String) -> Result<CleanupRule, IpcError> {
    engine.ready()?.set_cleanup_rule(&destination).await.map_err(ipc)
}

/// Makes or opens the vault at a destination and adds it.
#[tauri::command]
#[specta::specta]
pub async fn add_destination(engine: State<'_, Engine>, draft: DestinationDraft) -> Result<DestinationAdded, IpcError> {
    engine.ready()?.add_destination(draft).await.map_err(ipc)
}

/// Changes a destination's name, log-in and limits; never its place.
#[tauri::command]
#[specta::specta]
pub async fn change_destination(
    engine: State<'_, Engine>,
    draft: DestinationDraft,
) -> Result<DestinationRow, IpcError> {
    engine.ready()?.change_destination(draft).await.map_err(ipc)
}

/// Opens a place with existing backups by its key, and tells what is there.
#[tauri::command]
#[specta::specta]
pub async fn open_existing(
    engine: State<'_, Engine>,
    draft: DestinationDraft,
    key: String,
) -> Result<ExistingFound, IpcError> {
    engine.ready()?.open_existing(draft, Secret::new(key).expose()).await.map_err(ipc)
}

/// Takes over the servers, plans and destinations another installation kept at a destination.
#[tauri::command]
#[specta::specta]
pub async fn adopt_configuration(
    engine: State<'_, Engine>,
    destination: String,
    configuration: String,
) -> Result<Adopted, IpcError> {
    engine.ready()?.adopt_configuration(&destination, &configuration).await.map_err(ipc)
}

/// Returns how fast bytes may go.
#[tauri::command]
#[specta::specta]
pub async fn limits(engine: State<'_, Engine>) -> Result<Limits, IpcError> {
    engine.ready()?.limits().await.map_err(ipc)
}

/// Stores how fast bytes may go; holds at once.
#[tauri::command]
#[specta::specta]
pub async fn save_limits(engine: State<'_, Engine>, limits: Limits) -> Result<Limits, IpcError> {
    engine.ready()?.save_limits(limits).await.map_err(ipc)
}

/// Makes good what a destination lacks, without the servers; returns the id of the run.
#[tauri::command]
#[specta::specta]
pub async fn start_sync(engine: State<'_, Engine>, destination: String) -> Result<String, IpcError> {
    engine.ready()?.start_sync(&destination).await.map_err(ipc)
}

/// Frees the room of deleted backups in a destination's vault; returns the id of the run.
#[tauri::command]
#[specta::specta]
pub async fn start_prune(engine: State<'_, Engine>, destination: String) -> Result<String, IpcError> {
    engine.ready()?.start_prune(&destination).await.map_err(ipc)
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
