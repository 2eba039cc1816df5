//! Backstay's app: wiring only. Logic lives in the crates, the screens in `ui/`.

pub mod bridge;
pub mod commands;

use backstay_contract::IpcError;
use backstay_engine::Backstay;
use bridge::Engine;
use std::path::PathBuf;
use tauri::{AppHandle, Builder, Manager, RunEvent, Runtime};

/// Runs the app until it ends.
pub fn run() {
    bridge::start_logging();
    bridge::install_panic_hook();
    let home = home();
    let app =
        configure(Builder::default().plugin(bridge::single_instance(&home)), home).build(tauri::generate_context!());
    match app {
        Ok(app) => app.run(|app, event| {
            if let RunEvent::ExitRequested { code: None, api, .. } = event
                && !bridge::window::may_exit(app)
            {
                api.prevent_exit();
            }
        }),
        Err(error) => give_up(&format!("Cannot open a window: {error}")),
    }
}

/// Where state lives: `BACKSTAY_HOME`, else the platform's data folder.
fn home() -> PathBuf {
    let given = std::env::var_os("BACKSTAY_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = given.unwrap_or_else(backstay_assembly::data_dir);
    // A relative path is taken as it is where the current folder cannot be told; opening it then says why it fails.
    std::path::absolute(&home).unwrap_or(home)
}

fn give_up(why: &str) {
    eprintln!("{why}");
    eprintln!("On a machine without a display use the command line: backstay --help");
    std::process::exit(1);
}

/// Adds commands, plugins and the engine in `home` to a builder. Generic, so that tests can run it without a window.
pub fn configure<R: Runtime>(builder: Builder<R>, home: PathBuf) -> Builder<R> {
    let page_home = home.clone();
    builder
        .plugin(tauri_plugin_dialog::init())
        .invoke_handler(commands::all::<R>().invoke_handler())
        .register_uri_scheme_protocol(bridge::FAILURE_SCHEME, move |context, _request| {
            bridge::failure_response(context.app_handle().try_state::<Engine>().as_deref(), &page_home)
        })
        .setup(move |app| Ok(set_up(app.handle(), home)?))
}

/// Opens the engine and a window: the main one, or the one that says why there is no engine.
pub fn set_up<R: Runtime>(app: &AppHandle<R>, home: PathBuf) -> tauri::Result<()> {
    app.manage(bridge::window::Quitting::default());
    tauri::async_runtime::spawn(bridge::window::quit_when_asked(app.clone()));
    let opened = tauri::async_runtime::block_on(open(home));
    let theme = match &opened {
        Ok(backstay) => tauri::async_runtime::block_on(theme(backstay)),
        Err(_) => String::new(),
    };
    let failed = opened.is_err();
    app.manage(Engine::new(opened));
    if failed { bridge::window::open_failure(app) } else { bridge::window::open(app, &theme) }
}

async fn open(home: PathBuf) -> Result<Backstay, IpcError> {
    backstay_assembly::open(home, backstay_assembly::AssemblyOptions::default()).await.map_err(bridge::ipc)
}

async fn theme(backstay: &Backstay) -> String {
    match backstay.settings().await {
        Ok(settings) => settings.theme,
        Err(error) => {
            tracing::warn!("cannot read the settings: {error}");
            String::new()
        }
    }
}
