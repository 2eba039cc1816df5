//! A folder of an FTP server.

mod client;

pub use client::Ftp;

use backstay_core::config::{DestinationLogin, FtpPlace};
use backstay_core::destination::Traffic;
use backstay_core::{Error, ErrorClass, Result};
use std::sync::Arc;

/// The certificate a server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSeen {
    /// SHA-256 of the whole certificate, 64 hex digits.
    pub sha256: String,
    /// Whom it names: "CN=ftp.example.org".
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Valid from, Unix seconds.
    pub not_before: i64,
    /// Valid until, Unix seconds.
    pub not_after: i64,
    /// Whether an authority of this computer vouches for it, for this host name and now.
    pub trusted: bool,
}

/// Asks a server for its certificate, without logging in.
pub async fn probe_certificate(place: &FtpPlace) -> Result<CertificateSeen> {
    Err(Error::new(ErrorClass::Unsupported, format!("Cannot ask {} yet", place.host)))
}

impl Ftp {
    /// Opens a folder; it need not exist yet.
    pub async fn open(
        label: &str,
        _place: &FtpPlace,
        _login: &DestinationLogin,
        _traffic: Arc<dyn Traffic>,
    ) -> Result<Self> {
        Ok(Self { label: label.to_owned() })
    }
}
