//! A look at the certificate a store shows, before anything is said to it.

use super::config::{self, Address, CONNECT_LIMIT};
use crate::tls::{CertificateSeen, Trust};
use backstay_core::Result;
use backstay_core::config::S3Place;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Returns the certificate of a store that must be accepted before the store can be used. `None` where one is trusted
/// or accepted already, at either of the names the store may be spoken to by, and where none can be had: what is wrong
/// with the place or the way there, its opening and its test say better.
pub async fn untrusted_certificate(place: &S3Place) -> Result<Option<CertificateSeen>> {
    const LABEL: &str = "the store";
    let Ok((place, address)) = config::check(LABEL, place) else { return Ok(None) };
    let Ok(given) = config::certificates(LABEL, &place) else { return Ok(None) };
    if !address.encrypted {
        return Ok(None);
    }
    // Judged by the authorities alone, whatever was pinned.
    let trust = Trust::authorities(given).await;
    let mut first = None;
    for name in config::names(&place, &address) {
        match shown(&name, &address, &trust).await? {
            Some(seen) if seen.must_be_accepted(place.pinned_certificate.as_deref()) => first = first.or(Some(seen)),
            Some(_) => return Ok(None),
            None => {}
        }
    }
    Ok(first)
}

async fn shown(name: &str, address: &Address, trust: &Arc<Trust>) -> Result<Option<CertificateSeen>> {
    let Ok(server) = ServerName::try_from(name.to_owned()) else { return Ok(None) };
    let (config, shown) = trust.config(rustls::ALL_VERSIONS)?;
    let shaken = async {
        let stream = TcpStream::connect((name, address.port)).await?;
        TlsConnector::from(Arc::new(config)).connect(server, stream).await
    };
    // What it showed counts, whatever became of the connection.
    let _ = tokio::time::timeout(CONNECT_LIMIT, shaken).await;
    Ok(shown.seen())
}
