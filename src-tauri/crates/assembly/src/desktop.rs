//! What those who start Backstay need of the desktop, so that they need not know `backstay-platform`.

use backstay_core::{Error, ErrorClass, Result};
use std::path::PathBuf;

/// Returns the folder Backstay keeps its state in: the one given, else `BACKSTAY_HOME`, else the platform's data folder.
pub fn home(given: Option<PathBuf>) -> Result<PathBuf> {
    let from_environment = || std::env::var_os("BACKSTAY_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let Some(path) = given.or_else(from_environment).or_else(data_folder) else {
        return Err(Error::new(ErrorClass::Missing, "Cannot tell where to keep Backstay's state: there is no home folder")
            .hint("Set BACKSTAY_HOME to a folder of yours"));
    };
    std::path::absolute(&path).map_err(|error| Error::io(format!("Cannot use {}", path.display()), error))
}

fn data_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        return Some(variable("LOCALAPPDATA")?.join("Backstay"));
    }
    if cfg!(target_os = "macos") {
        return Some(variable("HOME")?.join("Library/Application Support/Backstay"));
    }
    Some(variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")))?.join("backstay"))
}

/// Shows a notification on the desktop. Blocks; may take as long as the notification service does.
pub fn notify(title: &str, body: &str) -> Result<()> {
    let _ = (title, body);
    Err(Error::new(ErrorClass::Unsupported, "Cannot show a notification: the platform is not joined yet"))
}
