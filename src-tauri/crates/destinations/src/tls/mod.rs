//! TLS to places whose certificate the user may accept by its fingerprint: who is trusted, and what a server showed.

mod certificate;

pub use certificate::CertificateSeen;

use backstay_core::{Error, ErrorClass, Result};
use certificate::{fingerprint, read_fingerprint};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use std::sync::{Arc, Mutex, PoisonError};

/// What an error says deep down when a certificate is not the one the user accepted.
pub(crate) const NOT_PINNED: &str = "not the pinned certificate";

/// How sure the other side of a place must be.
pub(crate) struct Trust {
    provider: Arc<CryptoProvider>,
    basis: Basis,
}

enum Basis {
    /// Exactly the certificate with this fingerprint, whatever it says of its name and dates.
    Pin(String),
    /// `None` where this computer knows no authorities at all.
    Authorities(Option<Arc<WebPkiServerVerifier>>),
}

/// What a server showed last, over all connections of one configuration.
#[derive(Debug, Default)]
pub(crate) struct LastShown(Mutex<Option<Shown>>);

#[derive(Clone, Debug)]
struct Shown {
    der: Vec<u8>,
    /// What is wrong with it.
    problem: Option<Problem>,
}

#[derive(Clone, Debug)]
enum Problem {
    NotThePinnedOne,
    Unknown(String),
}

impl Trust {
    /// Trusts the one certificate the user accepted, by its fingerprint.
    pub(crate) fn pinned(pin: &str) -> Result<Arc<Self>> {
        let pin = read_fingerprint(pin).ok_or_else(|| {
            Error::new(ErrorClass::Invalid, "The pinned certificate is not a SHA-256 fingerprint of 64 hex digits")
        })?;
        Ok(Arc::new(Self { provider: Arc::new(ring::default_provider()), basis: Basis::Pin(pin) }))
    }

    /// Trusts this computer's authorities, and those given.
    pub(crate) async fn authorities(given: Vec<CertificateDer<'static>>) -> Arc<Self> {
        let provider = Arc::new(ring::default_provider());
        // Reads files.
        let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.map(|found| found.certs).unwrap_or_default());
        roots.add_parsable_certificates(given);
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().ok();
        Arc::new(Self { provider, basis: Basis::Authorities(authorities) })
    }

    /// Makes the settings of connections, and what remembers the certificates shown over them.
    pub(crate) fn config(
        self: &Arc<Self>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<(ClientConfig, Arc<LastShown>)> {
        let failed = |error| Error::new(ErrorClass::Internal, "Cannot set up TLS").source(error);
        let shown = Arc::new(LastShown::default());
        let verifier = Arc::new(Verifier { trust: self.clone(), shown: shown.clone() });
        let config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(versions)
            .map_err(failed)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok((config, shown))
    }
}

impl LastShown {
    /// Returns the certificate the server showed.
    pub(crate) fn seen(&self) -> Option<CertificateSeen> {
        let shown = self.get()?;
        Some(CertificateSeen::of(&shown.der, shown.problem.map(Problem::words)))
    }

    /// Returns the error of a certificate that was not taken, if that was it.
    pub(crate) fn refusal(&self, tried: &str, host: &str) -> Option<Error> {
        let shown = self.get()?;
        let problem = shown.problem?;
        let (class, hint) = match &problem {
            Problem::NotThePinnedOne => (
                ErrorClass::HostKeyChanged,
                "If its administrator renewed it, compare the fingerprint and accept the new one; else somebody may be \
                 listening in",
            ),
            Problem::Unknown(_) => (
                ErrorClass::HostKeyUnknown,
                "Compare its fingerprint with the server's, and accept it if they are the same",
            ),
        };
        let why = problem.words();
        let error = Error::new(class, format!("{tried}: the certificate of {host} {why}")).hint(hint);
        Some(error.detail(CertificateSeen::of(&shown.der, Some(why)).text()))
    }

    fn get(&self) -> Option<Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, new: Shown) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Connections are made side by side: one that is taken must not hide why another was not.
        if new.problem.is_some() || last.as_ref().is_none_or(|last| last.problem.is_none()) {
            *last = Some(new);
        }
    }
}

impl Problem {
    /// Says it so that it goes on after "the certificate".
    fn words(self) -> String {
        match self {
            Self::NotThePinnedOne => "is not the one you accepted".to_owned(),
            Self::Unknown(why) => why,
        }
    }
}

#[derive(Debug)]
struct Verifier {
    trust: Arc<Trust>,
    shown: Arc<LastShown>,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pin = match &self.basis {
            Basis::Pin(pin) => Some(pin),
            Basis::Authorities(_) => None,
        };
        f.debug_struct("Trust").field("pin", &pin).finish_non_exhaustive()
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
        match &self.trust.basis {
            Basis::Pin(pin) if fingerprint(end) == *pin => Ok(()),
            Basis::Pin(_) => Err((Problem::NotThePinnedOne, rustls::Error::General(NOT_PINNED.into()))),
            Basis::Authorities(None) => {
                let error = rustls::Error::General("no authorities are known".into());
                Err((Problem::Unknown("cannot be checked: this computer knows no authorities".into()), error))
            }
            Basis::Authorities(Some(authorities)) => {
                let checked = authorities.verify_server_cert(end, between, name, &[], now);
                checked.map(drop).map_err(|error| (Problem::Unknown(why_unknown(&error)), error))
            }
        }
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
        self.shown.set(Shown { der: end.to_vec(), problem });
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn shows(trust: &Arc<Trust>, shown: &Arc<LastShown>, der: &[u8]) -> bool {
        let verifier = Verifier { trust: trust.clone(), shown: shown.clone() };
        let name = ServerName::try_from("nas.example").unwrap();
        verifier.verify_server_cert(&CertificateDer::from(der.to_vec()), &[], &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn the_pin_decides_alone_and_a_refusal_is_remembered() {
        let trust = Trust::pinned(&fingerprint(b"the one").to_uppercase()).unwrap();
        let shown = Arc::new(LastShown::default());
        assert!(shown.seen().is_none());
        assert!(shows(&trust, &shown, b"the one"));
        assert!(shown.seen().unwrap().trusted && shown.refusal("Cannot list x", "nas").is_none());
        assert!(!shows(&trust, &shown, b"another"));
        assert!(shows(&trust, &shown, b"the one"));
        let refusal = shown.refusal("Cannot list x", "nas").unwrap();
        assert_eq!(refusal.class, ErrorClass::HostKeyChanged);
        assert_eq!(refusal.message, "Cannot list x: the certificate of nas is not the one you accepted");
        assert!(refusal.detail.unwrap().contains(&fingerprint(b"another")));
    }

    #[tokio::test]
    async fn what_no_authority_signed_is_unknown() {
        let trust = Trust::authorities(Vec::new()).await;
        let shown = Arc::new(LastShown::default());
        assert!(!shows(&trust, &shown, b"no certificate at all"));
        let seen = shown.seen().unwrap();
        assert!(!seen.trusted && !seen.why.is_empty(), "{seen:?}");
        assert_eq!(shown.refusal("Cannot list x", "nas").unwrap().class, ErrorClass::HostKeyUnknown);
    }

    #[test]
    fn a_pin_is_a_fingerprint() {
        assert_eq!(Trust::pinned("12:34").err().unwrap().class, ErrorClass::Invalid);
    }
}
