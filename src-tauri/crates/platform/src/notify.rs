//! Notifications on the desktop.

use backstay_core::{Error, ErrorClass, Result};

/// How notifications are signed.
const APP_NAME: &str = "Backstay";

/// Shows a notification. Blocks until the desktop took it: call it where blocking is allowed. `Unsupported` where there is
/// no desktop to show it (a server, a container).
pub fn notify(title: &str, body: &str) -> Result<()> {
    let shown = notify_rust::Notification::new().appname(APP_NAME).summary(title).body(&escape(body)).show();
    shown.map(drop).map_err(|error| {
        Error::new(ErrorClass::Unsupported, "Cannot show a notification: this desktop takes none").source(error)
    })
}

/// Linux desktops read a small markup in bodies; a path or name must not be read as one.
fn escape(body: &str) -> String {
    if cfg!(all(unix, not(target_os = "macos"))) {
        body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    } else {
        body.to_owned()
    }
}
