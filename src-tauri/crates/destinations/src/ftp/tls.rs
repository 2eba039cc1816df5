//! TLS of control and data connections: its versions, and sessions that are taken up again.

use crate::tls::{CertificateSeen, LastShown, Trust};
use backstay_core::{Error, Result};
use rustls::client::{ClientSessionMemoryCache, Resumption};
use std::sync::Arc;
use suppaftp::tokio::AsyncRustlsConnector;
use tokio_rustls::TlsConnector;

static TLS12_ALONE: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
/// Sessions kept of one control connection.
const SESSIONS: usize = 32;

/// Returns who is trusted: the certificate the user accepted, else this computer's authorities.
pub(super) async fn trust_of(pin: Option<&str>) -> Result<Arc<Trust>> {
    match pin.map(str::trim).filter(|pin| !pin.is_empty()) {
        Some(pin) => Trust::pinned(pin),
        None => Ok(Trust::authorities(Vec::new()).await),
    }
}

/// Which versions are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versions {
    /// 1.2 and 1.3. A ticket of 1.3 serves once, and tickets that data connections give are refused by ProFTPD and
    /// vsftpd: after two transfers there are none left.
    All,
    /// 1.2 alone: its sessions can be taken up any number of times.
    Tls12,
}

/// Connects one control connection and its data connections.
pub(super) struct Connector {
    tls: TlsConnector,
    shown: Arc<LastShown>,
}

impl Connector {
    /// Makes what connects one control connection and its data connections. They share the sessions: most servers take
    /// a data connection only when it takes up the session of its control connection.
    pub(super) fn new(trust: &Arc<Trust>, versions: Versions) -> Result<Self> {
        let (mut config, shown) = trust.config(match versions {
            Versions::All => rustls::ALL_VERSIONS,
            Versions::Tls12 => TLS12_ALONE,
        })?;
        config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(SESSIONS)));
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), shown })
    }

    /// Returns the form the FTP library takes.
    pub(super) fn for_library(&self) -> AsyncRustlsConnector {
        AsyncRustlsConnector::from(self.tls.clone())
    }

    /// Returns the certificate the server showed.
    pub(super) fn seen(&self) -> Option<CertificateSeen> {
        self.shown.seen()
    }

    /// Returns the error of a certificate that was not taken, if that was it.
    pub(super) fn refusal(&self, tried: &str, host: &str) -> Option<Error> {
        self.shown.refusal(tried, host)
    }
}
