//! Opening a place: the one table of backends.

use crate::ftp::Ftp;
use crate::local::Local;
use crate::s3::S3;
use crate::sftp::Sftp;
use crate::wrap::{Meter, OnRetry, Patience, Quiet, Record, Recorded, Retry};
use backstay_core::config::{DestinationLogin, Place};
use backstay_core::destination::{Destination, FreeTraffic, Traffic};
use backstay_core::remote::RemoteFilesSource;
use backstay_core::{Error, ErrorClass, Result};
use std::sync::Arc;
use std::time::Duration;

/// What opening a place needs besides the place.
#[derive(Clone)]
pub struct Opening {
    /// What logs in there.
    pub login: DestinationLogin,
    /// What sees, counts and limits the bytes.
    pub traffic: Arc<dyn Traffic>,
    /// The way to the files, for a place over SFTP.
    pub ssh: Option<Arc<dyn RemoteFilesSource>>,
    /// How long calls are tried again.
    pub patience: Patience,
    /// A call during which nothing moves for so long has failed.
    pub silence: Duration,
    /// Told before each wait for another try.
    pub on_retry: Option<OnRetry>,
}

impl Default for Opening {
    /// Enough for a folder of this computer.
    fn default() -> Self {
        Self {
            login: DestinationLogin::default(),
            traffic: Arc::new(FreeTraffic),
            ssh: None,
            patience: Patience::default(),
            silence: Duration::from_secs(60),
            on_retry: None,
        }
    }
}

/// Opens the destination at a place, with another try and an end to silence around it. `label` is how messages name it.
/// Nothing is written before the first `put`.
pub async fn open(label: &str, place: &Place, opening: Opening) -> Result<Arc<dyn Destination>> {
    let meter = Meter::new(Arc::clone(&opening.traffic));
    let traffic: Arc<dyn Traffic> = Arc::<Meter>::clone(&meter);
    let bare = open_bare(label, place, &opening, traffic).await?;
    let quiet = Quiet::new(bare, meter, opening.silence);
    let retry = Retry::new(logged(Arc::new(quiet)), opening.patience);
    Ok(match opening.on_retry {
        Some(on_retry) => Arc::new(retry.on_retry(on_retry)),
        None => Arc::new(retry),
    })
}

/// Logs each call and what came of it, where the log goes that far: for nobody no key is copied.
fn logged(destination: Arc<dyn Destination>) -> Arc<dyn Destination> {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return destination;
    }
    let place = destination.label().to_owned();
    let sink = move |asked: Recorded| {
        let Recorded { call, key, bytes, failed, took } = asked;
        tracing::debug!(%place, call, %key, bytes, ?failed, ?took, "asked of a destination");
    };
    Arc::new(Record::new(destination, Arc::new(sink)))
}

/// Opens the destination at a place without another try: for its test (see [`crate::probe`]), where what fails must show
/// at once. Silence ends, on the way there too.
pub async fn open_once(label: &str, place: &Place, opening: Opening) -> Result<Arc<dyn Destination>> {
    let meter = Meter::new(Arc::clone(&opening.traffic));
    let traffic: Arc<dyn Traffic> = Arc::<Meter>::clone(&meter);
    let opened = tokio::time::timeout(opening.silence, open_bare(label, place, &opening, traffic)).await;
    let late = |_| {
        Err(Error::new(ErrorClass::TimedOut, format!("Cannot reach {label}: it does not answer"))
            .hint("See whether the address is right and a firewall is in the way"))
    };
    Ok(Arc::new(Quiet::new(opened.unwrap_or_else(late)?, meter, opening.silence)))
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
        Place::S3(place) => Arc::new(S3::open(label, place, &opening.login, traffic)?),
        Place::Sftp(place) => {
            let ssh = opening.ssh.clone().ok_or_else(|| {
                Error::new(ErrorClass::Internal, format!("Cannot open {label}: the way to its server is not known"))
            })?;
            Arc::new(Sftp::open(label, place, ssh, traffic).await?)
        }
        Place::Ftp(place) => Arc::new(Ftp::open(label, place, &opening.login, traffic).await?),
    })
}
