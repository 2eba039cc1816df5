//! Opening a place: the one table of backends.

use crate::ftp::Ftp;
use crate::local::Local;
use crate::sftp::Sftp;
use backstay_core::config::{DestinationLogin, Place};
use backstay_core::destination::{Destination, FreeTraffic, Traffic};
use backstay_core::remote::RemoteFilesSource;
use backstay_core::{Error, ErrorClass, Result};
use std::sync::Arc;

/// What opening a place needs besides the place.
#[derive(Clone)]
pub struct Opening {
    /// What logs in there.
    pub login: DestinationLogin,
    /// What sees, counts and limits the bytes.
    pub traffic: Arc<dyn Traffic>,
    /// The way to the files, for a place over SFTP.
    pub ssh: Option<Arc<dyn RemoteFilesSource>>,
}

impl Default for Opening {
    fn default() -> Self {
        Self { login: DestinationLogin::default(), traffic: Arc::new(FreeTraffic), ssh: None }
    }
}

/// Opens the destination at a place. `label` is how messages name it. Nothing is written before the first `put`.
pub async fn open(label: &str, place: &Place, opening: Opening) -> Result<Arc<dyn Destination>> {
    open_bare(label, place, &opening, Arc::clone(&opening.traffic)).await
}

/// Opens the backend alone, without wrappers.
pub async fn open_bare(
    label: &str,
    place: &Place,
    opening: &Opening,
    traffic: Arc<dyn Traffic>,
) -> Result<Arc<dyn Destination>> {
    Ok(match place {
        Place::Local { path } => Arc::new(Local::open(label, path, traffic).await?),
        Place::Sftp(place) => {
            let ssh = opening.ssh.clone().ok_or_else(|| {
                Error::new(ErrorClass::Internal, format!("Cannot open {label}: the way to its server is not known"))
            })?;
            Arc::new(Sftp::open(label, place, ssh, traffic).await?)
        }
        Place::Ftp(place) => Arc::new(Ftp::open(label, place, &opening.login, traffic).await?),
        Place::S3(_) => {
            return Err(Error::new(ErrorClass::Unsupported, format!("Cannot open {label}: S3 is not built in")));
        }
    })
}
