//! The one place that picks concrete parts. The window and the command line both start here.

mod desktop;

pub use desktop::{home, notify};

use backstay_core::{Error, ErrorClass, Result, Secret};
use backstay_engine::Backstay;
use std::path::PathBuf;

/// What differs between those who start Backstay.
#[derive(Clone, Debug, Default)]
pub struct AssemblyOptions {
    /// Opens the sealed file of secrets; makes one where there is neither a keyring nor a file.
    pub passphrase: Option<Secret>,
}

/// Opens Backstay with its state in `home`. Needs a Tokio runtime.
pub async fn open(home: PathBuf, options: AssemblyOptions) -> Result<Backstay> {
    let _ = (home, options);
    Err(Error::new(ErrorClass::Unsupported, "Cannot open Backstay: its parts are not joined yet"))
}
