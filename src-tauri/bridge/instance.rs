//! One running app for each home folder: a second start shows the first one's window.

use std::path::Path;
use tauri::Runtime;
use tauri::plugin::TauriPlugin;

/// Returns the plugin that hands a second start over to the running app. Apps with different homes do not meet.
pub fn single_instance<R: Runtime>(home: &Path) -> TauriPlugin<R> {
    tauri_plugin_single_instance::Builder::new()
        .callback(|app, _arguments, _folder| super::window::show(app))
        .dbus_id(format!("app.backstay.desktop.home{:016x}", fingerprint(home)))
        .build()
}

/// FNV-1a: the same for the same path in every version and on every machine, unlike the standard hasher.
fn fingerprint(home: &Path) -> u64 {
    home.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_are_told_apart_and_stay_the_same() {
        assert_eq!(fingerprint(Path::new("/a")), fingerprint(Path::new("/a")));
        assert_ne!(fingerprint(Path::new("/a")), fingerprint(Path::new("/b")));
        assert_eq!(fingerprint(Path::new("")), 0xcbf2_9ce4_8422_2325);
    }
}
