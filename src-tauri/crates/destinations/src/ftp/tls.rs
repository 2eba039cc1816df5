//! TLS of control and data connections: who may be trusted, and sessions that are taken up again.

use super::certificate::{CertificateSeen, fingerprint, read_fingerprint};
use backstay_core::{Error, ErrorClass, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionMemoryCache, Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, Mutex, PoisonError};
use suppaftp::tokio::AsyncRustlsConnector;
use tokio_rustls::TlsConnector;

static TLS12_ALONE: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
/// Sessions kept of one control connection.
const SESSIONS: usize = 32;

/// How sure the other side of a place must be.
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    /// `None` where this computer knows no authorities at all.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    pin: Option<String>,
}

/// What a server showed, and what is wrong with it.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    der: Vec<u8>,
    problem: Option<Problem>,
}

#[derive(Clone, Debug)]
enum Problem {
    NotThePinnedOne,
    Unknown(String),
}

impl Trust {
    /// Reads this computer's authorities. `pin` is the fingerprint the user accepted.
    pub(super) async fn of(pin: Option<&str>) -> Result<Arc<Self>> {
        let pin = match pin.map(str::trim).filter(|pin| !pin.is_empty()) {
            Some(text) => Some(read_fingerprint(text).ok_or_else(|| {
                Error::new(ErrorClass::Invalid, "The pinned certificate is not a SHA-256 fingerprint of 64 hex digits")
            })?),
            None => None,
        };
        let provider = Arc::new(ring::default_provider());
        // Reads files.
        let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.map(|found| found.certs).unwrap_or_default());
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().ok();
        Ok(Arc::new(Self { provider, authorities, pin }))
    }

    /// Makes what connects one control connection and its data connections. They share the sessions: most servers take
    /// a data connection only when it takes up the session of its control connection.
    pub(super) fn connector(self: &Arc<Self>, versions: Versions) -> Result<Connector> {
        let failed = |error| Error::new(ErrorClass::Internal, "Cannot set up TLS").source(error);
        let shown = Arc::new(Mutex::new(None));
        let verifier = Arc::new(Verifier { trust: self.clone(), shown: shown.clone() });
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(match versions {
                Versions::All => rustls::ALL_VERSIONS,
                Versions::Tls12 => TLS12_ALONE,
            })
            .map_err(failed)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(SESSIONS)));
        Ok(Connector { tls: TlsConnector::from(Arc::new(config)), shown })
    }
}

/// Which versions are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versions {
    /// 1.2 and 1.3. A ticket of 1.3 serves once, and tickets that data connections give are refused by ProFTPD and vsftpd:
    /// after two transfers there are none left.
    All,
    /// 1.2 alone: its sessions can be taken up any number of times.
    Tls12,
}

/// Connects one control connection and its data connections.
pub(super) struct Connector {
    tls: TlsConnector,
    shown: Arc<Mutex<Option<Shown>>>,
}

impl Connector {
    /// Returns the form the FTP library takes.
    pub(super) fn for_library(&self) -> AsyncRustlsConnector {
        AsyncRustlsConnector::from(self.tls.clone())
    }

    /// Returns the certificate the server showed.
    pub(super) fn seen(&self) -> Option<CertificateSeen> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(CertificateSeen::of(&shown.der, shown.problem.is_none()))
    }

    /// Returns the error of a certificate that was not taken, if that was it.
    pub(super) fn refusal(&self, tried: &str, host: &str) -> Option<Error> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let seen = CertificateSeen::of(&shown.der, false);
        Some(match shown.problem? {
            Problem::NotThePinnedOne => Error::new(
                ErrorClass::HostKeyChanged,
                format!("{tried}: the certificate of {host} is not the one you accepted"),
            )
            .hint("If its administrator renewed it, compare the fingerprint and accept the new one; else somebody may be listening in")
            .detail(seen.text()),
            Problem::Unknown(why) => {
                Error::new(ErrorClass::HostKeyUnknown, format!("{tried}: the certificate of {host} {why}"))
                    .hint("Compare its fingerprint with the server's, and accept it if they are the same")
                    .detail(seen.text())
            }
        })
    }
}

#[derive(Debug)]
struct Verifier {
    trust: Arc<Trust>,
    shown: Arc<Mutex<Option<Shown>>>,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").field("pin", &self.pin).finish_non_exhaustive()
    }
}

impl Verifier {
    fn judge(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> std::result::Result<(), (Problem, rustls::Error)> {
        if let Some(pin) = &self.trust.pin {
            // Exactly this one, whatever it says of its name and dates.
            let refused = || (Problem::NotThePinnedOne, rustls::Error::General("not the pinned certificate".into()));
            return if fingerprint(end) == *pin { Ok(()) } else { Err(refused()) };
        }
        let Some(authorities) = &self.trust.authorities else {
            let error = rustls::Error::General("no authorities are known".into());
            return Err((Problem::Unknown("cannot be checked: this computer knows no authorities".into()), error));
        };
        let checked = authorities.verify_server_cert(end, between, name, &[], now);
        checked.map(drop).map_err(|error| (Problem::Unknown(why_unknown(&error)), error))
    }
}

fn why_unknown(error: &rustls::Error) -> String {
    use rustls::CertificateError as C;
    let rustls::Error::InvalidCertificate(why) = error else { return format!("cannot be checked ({error})") };
    match why {
        C::Expired | C::ExpiredContext { .. } => "has expired".into(),
        C::NotValidYet | C::NotValidYetContext { .. } => "is not valid yet".into(),
        C::NotValidForName | C::NotValidForNameContext { .. } => "is for another name".into(),
        C::UnknownIssuer => "is not vouched for by any authority this computer trusts".into(),
        C::Revoked => "was revoked".into(),
        // What an authority signs itself, shown as the server's own.
        C::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "is not vouched for by any authority this computer trusts".into()
        }
        other => format!("cannot be trusted ({other})"),
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let judged = self.judge(end, between, name, now);
        let problem = judged.as_ref().err().map(|(problem, _)| problem.clone());
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(Shown { der: end.to_vec(), problem });
        judged.map(|()| ServerCertVerified::assertion()).map_err(|(_, error)| error)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.trust.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.trust.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.provider.signature_verification_algorithms.supported_schemes()
    }
}
