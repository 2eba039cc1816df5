//! The window's commands: each parses nothing, calls one method of the engine, and maps the error.

pub mod app;
pub mod audit;
pub mod backups;
pub mod destinations;
pub mod plans;
pub mod restore;
pub mod runs;
pub mod servers;

use tauri::Runtime;
use tauri_specta::{Builder, ErrorHandlingMode, collect_commands};

/// Returns all commands with their types: what the window may invoke, and what the TypeScript client is written from.
pub fn all<R: Runtime>() -> Builder<R> {
    Builder::<R>::new()
        .error_handling(ErrorHandlingMode::Result)
        // Sizes and times stay far below 2^53; a JavaScript number holds them exactly.
        .dangerously_cast_bigints_to_number()
        .disable_serde_phases()
        .commands(collect_commands![
            app::app_info,
            app::settings,
            app::save_settings,
            app::secrets_status,
            app::secrets_try_keyring,
            app::secrets_unlock,
            app::secrets_create_file,
            app::overview,
            app::subscribe,
            app::quit,
            servers::servers,
            servers::server,
            servers::ssh_config_hosts,
            servers::probe_host_key,
            servers::test_server,
            servers::discover_server,
            servers::save_server,
            servers::remove_server,
            servers::browse_server,
            destinations::destinations,
            destinations::s3_providers,
            destinations::destination,
            destinations::test_destination,
            destinations::look_at_destination,
            destinations::make_bucket,
            destinations::set_cleanup_rule,
            destinations::add_destination,
            destinations::change_destination,
            destinations::open_existing,
            destinations::adopt_configuration,
            destinations::limits,
            destinations::save_limits,
            destinations::start_sync,
            destinations::start_prune,
            destinations::remove_destination,
            destinations::recovery_kit,
            destinations::save_recovery_kit,
            destinations::confirm_recovery_kit,
            destinations::refresh_destination,
            plans::plans,
            plans::plan,
            plans::save_plan,
            plans::plan_kit,
            plans::archive_name,
            plans::remove_plan,
            plans::exclude_from_plan,
            plans::start_backup,
            backups::backups,
            backups::backup,
            backups::backup_list,
            backups::backup_search,
            backups::backup_diff,
            backups::start_download,
            backups::resume_download,
            backups::start_verify,
            backups::delete_preview,
            backups::delete_backup,
            backups::make_link,
            backups::thaw_backup,
            restore::plan_restore,
            restore::restore_preview_page,
            restore::start_restore,
            runs::runs,
            runs::run,
            runs::run_problems,
            runs::cancel_run,
            audit::audit,
            audit::verify_audit,
            audit::export_audit,
        ])
}
