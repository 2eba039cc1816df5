//! Starting without a window: commands answer, events arrive, and a home that cannot be used is said, not panicked about.

use backstay_app::bridge::Engine;
use backstay_app::bridge::window::{FAILURE, MAIN};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;
use tauri::ipc::{CallbackFn, Channel, InvokeBody, InvokeResponseBody};
use tauri::test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder, mock_context, noop_assets};
use tauri::utils::config::WindowConfig;
use tauri::webview::InvokeRequest;
use tauri::{App, Manager, WebviewWindow};

fn app(home: &Path) -> App<MockRuntime> {
    let mut context = mock_context(noop_assets());
    context.config_mut().app.windows.push(WindowConfig {
        label: MAIN.into(),
        create: false,
        ..WindowConfig::default()
    });
    let app = backstay_app::configure(mock_builder(), home.to_path_buf()).build(context).unwrap();
    // What the event loop would do first.
    backstay_app::set_up(app.handle(), home.to_path_buf()).unwrap();
    app
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

#[test]
fn an_empty_home_becomes_a_working_app() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("state");
    let app = app(&home);
    let window = app.get_webview_window(MAIN).unwrap();
    let info = invoke(&window, "app_info", json!({})).unwrap();
    assert_eq!(info["home"], home.to_string_lossy().as_ref());
    let servers = invoke(&window, "servers", json!({})).unwrap();
    assert_eq!(servers[0]["local"], true, "this computer is there from the start: {servers}");
    assert!(app.get_webview_window(FAILURE).is_none());
}

#[test]
fn an_error_crosses_with_its_class_and_a_hint_of_what_was_tried() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let window = app.get_webview_window(MAIN).unwrap();
    let error = invoke(&window, "start_backup", json!({ "plan": "no-such-plan" })).unwrap_err();
    assert!(error["code"].is_string() && error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    assert!(["missing", "invalid"].contains(&error["code"].as_str().unwrap()), "{error}");
}

#[test]
fn events_reach_the_window_through_its_channel() {
    let folder = tempfile::tempdir().unwrap();
    let app = app(folder.path());
    let window = app.get_webview_window(MAIN).unwrap();
    let (heard, hears) = mpsc::channel();
    let channel = Channel::new(move |body: InvokeResponseBody| {
        let InvokeResponseBody::Json(text) = body else { panic!("events are JSON") };
        let _ = heard.send(serde_json::from_str::<Value>(&text).unwrap());
        Ok(())
    });
    app.state::<Engine>().forward_events(channel).unwrap();
    let mut settings = invoke(&window, "settings", json!({})).unwrap();
    settings["theme"] = json!("dark");
    assert_eq!(invoke(&window, "save_settings", json!({ "settings": settings })).unwrap()["theme"], "dark");
    let event = hears.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(event, json!({ "type": "changed", "what": "settings" }));
}

#[test]
fn a_home_that_is_no_folder_opens_the_page_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("state");
    std::fs::write(&home, "a file").unwrap();
    let app = app(&home);
    assert!(app.get_webview_window(MAIN).is_none());
    let window = app.get_webview_window(FAILURE).unwrap();
    let error = invoke(&window, "servers", json!({})).unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("state"), "{error}");
}
