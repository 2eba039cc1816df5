//! TLS for the S3 server of this process, with certificates good and bad.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

/// The certificate a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// For "localhost", by an authority of the lab's.
    Good,
    /// As the good one, but over.
    Expired,
    /// As the good one, but not valid yet.
    Early,
    /// By the same authority, for another name.
    OtherName,
    /// As the good one, but signed by itself.
    SelfSigned,
}

/// What a server needs to speak TLS.
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// PEM text of the authority that vouches for the certificate; the certificate itself where there is none.
    pub(super) authority: String,
    /// The certificate shown.
    pub(super) der: Vec<u8>,
}

/// Makes a certificate and what answers with it.
pub(super) fn make(certificate: Certificate) -> Tls {
    let authority_key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("an authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key).expect("an authority");
    let issuer = Issuer::new(params, authority_key);

    let name = if certificate == Certificate::OtherName { "other.example" } else { "localhost" };
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    match certificate {
        Certificate::Expired => {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        Certificate::Early => params.not_before = date_time_ymd(2090, 1, 1),
        Certificate::Good | Certificate::OtherName | Certificate::SelfSigned => {}
    }
    let key = KeyPair::generate().expect("a key");
    let (shown, authority) = if certificate == Certificate::SelfSigned {
        let shown = params.self_signed(&key).expect("a certificate");
        let own = shown.pem();
        (shown, own)
    } else {
        (params.signed_by(&key, &issuer).expect("a certificate"), authority.pem())
    };
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![shown.der().clone()], private)
        .expect("a certificate and its key");
    Tls { acceptor: TlsAcceptor::from(Arc::new(config)), authority, der: shown.der().to_vec() }
}
