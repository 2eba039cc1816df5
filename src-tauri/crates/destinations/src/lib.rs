//! Destinations: the places where backups lie. Each backend is a folder with the same file names.

pub mod ftp;
pub mod local;
pub mod sftp;
mod probe;

pub use local::Local;
pub use probe::{ProbeStep, probe};

use backstay_core::Result;
use backstay_core::config::Place;
use backstay_core::destination::Destination;
use std::sync::Arc;

/// Opens the destination at a place. `label` is how messages name it. Nothing is written before the first `put`.
pub async fn open(label: &str, place: &Place) -> Result<Arc<dyn Destination>> {
    match place {
        Place::Local { path } => Ok(Arc::new(Local::open(label, path).await?)),
    }
}
