//! Starting without a window: commands answer, and a home that cannot be used is said, not panicked about.

use serde_json::{Value, json};
use std::path::Path;
use tauri::ipc::{CallbackFn, InvokeBody};
use tauri::test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder, mock_context, noop_assets};
use tauri::webview::InvokeRequest;
use tauri::{App, WebviewWindow, WebviewWindowBuilder};

fn app(home: &Path) -> (App<MockRuntime>, WebviewWindow<MockRuntime>) {
    let app = backstay_app::configure(mock_builder(), home.to_path_buf()).build(context()).unwrap();
    let window = WebviewWindowBuilder::new(&app, "test", Default::default()).build().unwrap();
    (app, window)
}

fn context() -> tauri::Context<MockRuntime> {
    mock_context(noop_assets())
}

fn invoke(window: &WebviewWindow<MockRuntime>, command: &str, arguments: Value) -> Result<Value, Value> {
    let url = if cfg!(windows) { "http://tauri.localhost" } else { "tauri://localhost" };
    let request = InvokeRequest {
        cmd: command.into(),
        callback: CallbackFn(0),
        error: CallbackFn(1),
        url: url.parse().unwrap(),
        body: InvokeBody::Json(arguments),
        headers: Default::default(),
        invoke_key: INVOKE_KEY.to_string(),
    };
    get_ipc_response(window, request).map(|body| body.deserialize::<Value>().unwrap())
}
