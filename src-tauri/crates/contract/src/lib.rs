//! What crosses between the engine and those who show it: the window over IPC, and `backstay --json`.
//!
//! Requests, responses and events are declared once, here; the TypeScript below `ui/src/ipc/generated/` is written from
//! them. All paths are text in the reversible escape form of `backstay_core::RawPath`; all times are Unix milliseconds;
//! all sizes are bytes; all ids are text.
//!
//! # Commands
//! One method of `backstay_engine::Backstay` each, with the same name, arguments and result; over IPC an error is an
//! [`IpcError`].
//!
//! | command | arguments | result |
//! | --- | --- | --- |
//! | `app_info` | | [`AppInfo`] |
//! | `settings` / `save_settings` | / [`Settings`] | [`Settings`] |
//! | `secrets_status` / `secrets_try_keyring` | | [`SecretsStatus`] |
//! | `secrets_unlock` / `secrets_create_file` | `passphrase` | [`SecretsStatus`] |
//! | `overview` | | [`Overview`] |
//! | `servers` | | `Vec<ServerRow>` |
//! | `server` | `id` | [`ServerDetail`] |
//! | `ssh_config_hosts` | | `Vec<SshConfigHost>` |
//! | `probe_host_key` | [`ServerDraft`], `destination` (it leads there, or none) | [`HostKeyReport`] |
//! | `test_server` | [`ServerDraft`] | [`ConnectionTest`] (logs in; host key must be pinned in the draft) |
//! | `discover_server` | [`ServerDraft`] | [`ServerFactsView`] |
//! | `save_server` | [`ServerDraft`] | [`ServerRow`] (adds, or changes when `id` is set; stores facts if discovered) |
//! | `remove_server` | `id` | |
//! | `browse_server` | `id`, `path` | [`Listing`] |
//! | `destinations` | | `Vec<DestinationRow>` |
//! | `s3_providers` | | `Vec<S3Provider>` |
//! | `destination` | `id` | [`DestinationDraft`] (without secrets, to be changed) |
//! | `test_destination` | [`DestinationDraft`], `test` (a name for its steps' events) | [`DestinationTest`] |
//! | `look_at_destination` | [`DestinationDraft`], `test` | [`DestinationTest`] (of what lies there; nothing is written) |
//! | `make_bucket` | [`DestinationDraft`] | [`BucketMade`] (private, versioned, encrypted, stray uploads swept) |
//! | `add_destination` | [`DestinationDraft`] | [`DestinationAdded`] (makes or opens the vault) |
//! | `change_destination` | [`DestinationDraft`] | [`DestinationRow`] (name, log-in, limits; never another place) |
//! | `set_cleanup_rule` | `destination` | [`CleanupRule`] (as the bucket then tells it) |
//! | `open_existing` | [`DestinationDraft`], `key` (vault password, archive key or passphrase) | [`ExistingFound`] |
//! | `adopt_configuration` | `destination`, `configuration` | [`Adopted`] |
//! | `limits` / `save_limits` | / [`Limits`] | [`Limits`] (holds at once, in runs that go on too) |
//! | `start_sync` | `destination` | `run id` (makes good what it lacks, without the servers) |
//! | `start_prune` | `destination` | `run id` (frees up the space of deleted backups in its vault) |
//! | `remove_destination` | `id` | |
//! | `recovery_kit` | `id` | [`RecoveryKit`] |
//! | `save_recovery_kit` | `id`, `file`, `format` ("html" or "txt") | |
//! | `confirm_recovery_kit` | `id` (a destination's or a plan's), `word_number` (1-based), `word` | `bool` |
//! | `refresh_destination` | `id` | `u64` backups found (reads the destination anew) |
//! | `plans` | | `Vec<PlanRow>` |
//! | `plan` | `id` | [`PlanView`] |
//! | `save_plan` | [`PlanDraft`] | [`PlanSaved`] |
//! | `plan_kit` | `id` | [`RecoveryKit`] (of its archive key) |
//! | `archive_name` | [`PlanDraft`] | `String` (what the template gives now, or why it cannot be used) |
//! | `remove_plan` | `id` | |
//! | `exclude_from_plan` | `id`, `paths: Vec<String>` | [`PlanRow`] |
//! | `start_backup` | `plan` | `run id` |
//! | `backups` | [`BackupFilter`] | [`BackupPage`] |
//! | `backup` | `id` | [`BackupDetail`] |
//! | `backup_list` | `id`, `path` | `Vec<BackupEntry>` |
//! | `backup_search` | `id`, `text` | `Vec<BackupEntry>` |
//! | `backup_diff` | `older`, `newer` | [`DiffView`] |
//! | `plan_restore` | [`RestoreRequest`] | [`RestorePreview`] |
//! | `restore_preview_page` | `preview`, `change` ("create"…), `text`, `offset`, `limit` | [`ChangePage`] |
//! | `start_restore` | `preview`, `typed_name: Option<String>` | `run id` |
//! | `start_download` | [`DownloadRequest`] | `run id` |
//! | `resume_download` | `run` | `run id` |
//! | `start_verify` | `backup` | `run id` |
//! | `delete_preview` | `backup`, `destinations` (empty: all) | [`DeletePreview`] |
//! | `delete_backup` | `backup`, `destinations` (empty: all) | [`DeleteReport`] |
//! | `make_link` | `backup`, `destination`, `minutes` (10 to 10,080) | [`LinkView`] |
//! | `thaw_backup` | `backup`, `destination`, `days` | [`CopyView`] |
//! | `runs` | [`RunFilter`] | [`RunPage`] |
//! | `run` | `id` | [`RunDetail`] |
//! | `run_problems` | `id`, `text`, `offset`, `limit` | [`ProblemPage`] |
//! | `cancel_run` | `id` | |
//! | `audit` | `offset`, `limit` | [`AuditPage`] |
//! | `verify_audit` | | [`AuditCheck`] |
//! | `export_audit` | `file` | |
//! | `subscribe` | channel of [`Event`] | (until the window closes) |

mod backups;
mod destinations;
mod events;
mod plans;
mod restore;
mod runs;
mod servers;
mod system;

pub use backups::*;
pub use destinations::*;
pub use events::*;
pub use plans::*;
pub use restore::*;
pub use runs::*;
pub use servers::*;
pub use system::*;
