//! What those who start Backstay need of the desktop and the process, so that they need not know `backstay-platform`.

use backstay_core::{Error, Result};
use std::path::PathBuf;

pub use backstay_platform::harden;
pub use backstay_platform::notify::notify;

/// Returns the folder Backstay keeps its state in: the one given, else `BACKSTAY_HOME`, else the platform's data folder.
pub fn home(given: Option<PathBuf>) -> Result<PathBuf> {
    let from_environment = || std::env::var_os("BACKSTAY_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = given.or_else(from_environment).unwrap_or_else(backstay_platform::paths::data_dir);
    std::path::absolute(&path).map_err(|error| Error::io(format!("Cannot use {}", path.display()), error))
}
