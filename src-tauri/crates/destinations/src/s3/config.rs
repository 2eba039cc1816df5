//! What the admin gave, checked once: bucket, prefix, address, certificates.

use super::pinned_client::pinned_client;
use super::wire::{ContentMd5, Paced, Sight};
use crate::tls::LastShown;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use backstay_core::config::S3Place;
use backstay_core::destination::{Key, Traffic};
use backstay_core::{Error, ErrorClass, Result, Secret};
use http::Uri;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Longer than this no store takes to answer the first packet.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Stores close what idles longer; a connection they closed costs a failed request.
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// The store's address, taken apart.
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encrypted: bool,
}

/// Checks a place and brings it into the one form everything else relies on.
pub(super) fn check(label: &str, place: &S3Place) -> Result<(S3Place, Address)> {
    let mut place = place.clone();
    let address = address(label, &place.endpoint)?;
    place.endpoint = place.endpoint.trim().trim_end_matches('/').to_owned();
    place.bucket = place.bucket.trim().to_owned();
    place.access_key = place.access_key.trim().to_owned();
    place.region = place.region.trim().to_owned();
    if place.region.is_empty() {
        "us-east-1".clone_into(&mut place.region);
    }
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !(3..=255).contains(&place.bucket.len()) || !place.bucket.chars().all(good) {
        return Err(invalid(label, format!("\"{}\" cannot be a bucket's name", place.bucket.escape_debug())).hint(
            "A bucket's name has 3 to 63 small letters, digits, dots and hyphens. Give a folder in it as the folder",
        ));
    }
    if place.access_key.is_empty() || place.access_key.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(invalid(label, "the access key id is missing or holds blanks".to_owned())
            .hint("Copy the access key id again from your provider's console"));
    }
    place.prefix = prefix(label, &place.prefix)?;
    place.path_style = needs_path_style(&place, &address);
    let pin = place.pinned_certificate.take().map(|pin| pin.trim().to_owned());
    place.pinned_certificate = pin.filter(|pin| !pin.is_empty() && address.encrypted);
    Ok((place, address))
}

fn prefix(label: &str, prefix: &str) -> Result<String> {
    let prefix = prefix.trim().trim_matches('/');
    if prefix.is_empty() {
        return Ok(String::new());
    }
    match Key::new(prefix) {
        // A key of 900 bytes must fit behind it: S3 takes 1,024.
        Ok(key) if key.as_str().len() <= 123 => Ok(prefix.to_owned()),
        _ => Err(invalid(label, format!("\"{}\" cannot be a folder in a bucket", prefix.escape_debug()))
            .hint("Use at most 123 bytes (letters beyond ASCII take two to four), without \"..\" and backslashes")),
    }
}

fn address(label: &str, endpoint: &str) -> Result<Address> {
    let wrong = || {
        invalid(label, format!("\"{}\" is no address of a store", endpoint.escape_debug()))
            .hint("An address looks like https://s3.eu-central-1.amazonaws.com, without the bucket and without a path")
    };
    let uri: Uri = endpoint.trim().parse().map_err(|_| wrong())?;
    let encrypted = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(wrong()),
    };
    let authority = uri.authority().ok_or_else(wrong)?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() || authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong());
    }
    let port = authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    Ok(Address { host, port, encrypted })
}

/// The bucket cannot be a part of the host name where the host is a number, and where the certificate would not match.
fn needs_path_style(place: &S3Place, address: &Address) -> bool {
    let plain_host = address.host.parse::<IpAddr>().is_ok() || address.host == "localhost";
    let odd_bucket = place.bucket.contains(['.', '_']) || place.bucket.chars().any(|c| c.is_ascii_uppercase());
    place.path_style || plain_host || odd_bucket || place.bucket.len() > 63
}

/// Returns the host names a checked place may be spoken to by, the wanted one first: that of the address, and that with
/// the bucket in it.
pub(super) fn names(place: &S3Place, address: &Address) -> Vec<String> {
    let mut names = vec![address.host.clone()];
    if !needs_path_style(&S3Place { path_style: false, ..place.clone() }, address) {
        names.push(format!("{}.{}", place.bucket, address.host));
    }
    if !place.path_style {
        names.reverse();
    }
    names
}

fn invalid(label: &str, why: String) -> Error {
    Error::new(ErrorClass::Invalid, format!("Cannot use {label}: {why}"))
}

/// Makes the HTTP client of a checked place. It trusts the system's authorities and the given certificates; where the
/// user accepted one certificate it takes that alone, and with it comes what tells which one it refused.
pub(super) fn http_client(label: &str, place: &S3Place) -> Result<(SharedHttpClient, Option<Arc<LastShown>>)> {
    // The SDK's client ends the program over a certificate it cannot read, so that each is tried before.
    certificates(label, place)?;
    if let Some(pin) = &place.pinned_certificate {
        let (client, shown) = pinned_client(pin)?;
        return Ok((client, Some(shown)));
    }
    let mut trust = TrustStore::default();
    if let Some(pem) = given_pem(place) {
        trust = trust.with_pem_certificate(pem.as_bytes());
    }
    let context = TlsContext::builder().with_trust_store(trust).build().map_err(|error| {
        Error::new(ErrorClass::Internal, format!("Cannot use {label}: its certificates cannot be loaded")).source(error)
    })?;
    let client = aws_smithy_http_client::Builder::new()
        .pool_idle_timeout(IDLE_LIMIT)
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https();
    Ok((client, None))
}

fn given_pem(place: &S3Place) -> Option<&str> {
    place.ca_pem.as_deref().map(str::trim).filter(|pem| !pem.is_empty())
}

/// Reads the certificates to trust beside the system's; each can be used.
pub(super) fn certificates(label: &str, place: &S3Place) -> Result<Vec<CertificateDer<'static>>> {
    let Some(pem) = given_pem(place) else { return Ok(Vec::new()) };
    let wrong = |why: String| {
        invalid(label, format!("the given certificate cannot be read: {why}"))
            .hint("Paste the whole text from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----")
    };
    let mut roots = rustls::RootCertStore::empty();
    let mut given = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate.clone()).map_err(|error| wrong(error.to_string()))?;
        given.push(certificate);
    }
    if given.is_empty() { Err(wrong("there is none in it".to_owned())) } else { Ok(given) }
}

/// Makes the SDK's client. Its own retries are off: the wrapper retries, and sees why.
pub(super) fn client(
    place: &S3Place,
    secret: &Secret,
    http: SharedHttpClient,
    traffic: Arc<dyn Traffic>,
    sight: Arc<Sight>,
) -> Client {
    let (requests, responses) = if place.checksums {
        (RequestChecksumCalculation::WhenSupported, ResponseChecksumValidation::WhenSupported)
    } else {
        (RequestChecksumCalculation::WhenRequired, ResponseChecksumValidation::WhenRequired)
    };
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(place.region.clone()))
        .credentials_provider(Credentials::new(&place.access_key, secret.expose().trim(), None, None, "backstay"))
        .endpoint_url(&place.endpoint)
        .force_path_style(place.path_style)
        .request_checksum_calculation(requests)
        .response_checksum_validation(responses)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_LIMIT).build())
        // A limit may hold a body for hours; the wrapper ends what is silent too long.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .interceptor(ContentMd5)
        .http_client(Paced { inner: http, traffic, sight })
        .build();
    Client::from_conf(config)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    fn place(endpoint: &str, bucket: &str) -> S3Place {
        S3Place {
            endpoint: endpoint.into(),
            bucket: bucket.into(),
            access_key: "AK".into(),
            prefix: "/a/b/".into(),
            ..S3Place::default()
        }
    }

    #[test]
    fn places_are_checked_and_settled() {
        let (settled, address) = check("x", &place("https://s3.example.com/", "backups")).unwrap();
        assert_eq!((settled.endpoint.as_str(), settled.prefix.as_str()), ("https://s3.example.com", "a/b"));
        assert_eq!((address.host.as_str(), address.port, address.encrypted), ("s3.example.com", 443, true));
        assert!(!settled.path_style);
        for (endpoint, bucket) in
            [("https://s3.example.com", "my.bucket"), ("http://127.0.0.1:9", "backups"), ("http://[::1]:9", "backups")]
        {
            assert!(check("x", &place(endpoint, bucket)).unwrap().0.path_style, "{endpoint} {bucket}");
        }
        for endpoint in ["s3.example.com", "ftp://x", "https://u:p@x", "https://x/bucket", "https://x?y", ""] {
            assert_eq!(check("x", &place(endpoint, "backups")).err().unwrap().class, ErrorClass::Invalid, "{endpoint}");
        }
        let in_folder = |length| S3Place { prefix: "a".repeat(length), ..place("https://s3.example.com", "backups") };
        assert_eq!(check("x", &in_folder(123)).unwrap().0.prefix.len(), 123);
        assert_eq!(check("x", &in_folder(124)).err().unwrap().class, ErrorClass::Invalid);
        for bucket in ["", "a", "a/b", "a b", "ä-bucket"] {
            assert_eq!(check("x", &place("https://s3.example.com", bucket)).err().unwrap().class, ErrorClass::Invalid);
        }
    }

    fn with_pem(pem: &str) -> S3Place {
        S3Place { ca_pem: Some(pem.into()), ..S3Place::default() }
    }

    #[test]
    fn a_broken_certificate_is_refused_not_fatal() {
        for pem in [
            "nothing",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----",
        ] {
            assert_eq!(http_client("x", &with_pem(pem)).err().unwrap().class, ErrorClass::Invalid);
        }
        assert!(http_client("x", &with_pem("  ")).is_ok());
    }

    #[test]
    fn an_accepted_certificate_is_for_https_alone() {
        let pinned = |endpoint| S3Place { pinned_certificate: Some(" AB:CD ".into()), ..place(endpoint, "backups") };
        assert!(check("x", &pinned("http://nas:9000")).unwrap().0.pinned_certificate.is_none());
        let (settled, _) = check("x", &pinned("https://nas:9000")).unwrap();
        assert_eq!(settled.pinned_certificate.as_deref(), Some("AB:CD"));
        assert_eq!(http_client("x", &settled).err().unwrap().class, ErrorClass::Invalid);
        let whole = S3Place { pinned_certificate: Some("ab".repeat(32)), ..settled };
        assert!(http_client("x", &whole).unwrap().1.is_some(), "what it refuses is known");
    }

    #[test]
    fn a_store_may_be_spoken_to_by_two_names() {
        for (endpoint, path_style, wanted) in [
            ("https://nas.example", true, vec!["nas.example", "backups.nas.example"]),
            ("https://nas.example", false, vec!["backups.nas.example", "nas.example"]),
            ("https://192.0.2.7:9000", false, vec!["192.0.2.7"]),
        ] {
            let (place, address) = check("x", &S3Place { path_style, ..place(endpoint, "backups") }).unwrap();
            assert_eq!(names(&place, &address), wanted, "{endpoint}");
        }
    }

    /// Writes requests down instead of sending them.
    #[derive(Debug, Clone, Default)]
    struct Written(Arc<std::sync::Mutex<Vec<String>>>);

    impl HttpConnector for Written {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            self.0.lock().unwrap().push(request.uri().to_owned());
            HttpConnectorFuture::ready(Err(ConnectorError::io("not sent".into())))
        }
    }

    #[tokio::test]
    async fn the_bucket_goes_into_the_host_name_or_the_path() {
        for (endpoint, bucket, path_style, wanted) in [
            (
                "https://s3.eu-central-1.amazonaws.com",
                "backups",
                false,
                "https://backups.s3.eu-central-1.amazonaws.com/",
            ),
            ("https://s3.eu-central-1.amazonaws.com", "backups", true, "https://s3.eu-central-1.amazonaws.com/backups"),
            ("https://ams1.vultrobjects.com", "my.backups", false, "https://ams1.vultrobjects.com/my.backups"),
            ("http://192.0.2.7:9000", "backups", false, "http://192.0.2.7:9000/backups"),
        ] {
            let place = S3Place { path_style, ..place(endpoint, bucket) };
            let (place, _) = check("x", &place).unwrap();
            let written = Written::default();
            let connector = SharedHttpConnector::new(written.clone());
            let http = http_client_fn(move |_, _| connector.clone());
            let traffic = Arc::new(backstay_core::destination::FreeTraffic);
            let client = client(&place, &Secret::new("s"), http, traffic, Arc::new(Sight::new()));
            let _ = client.list_objects_v2().bucket(&place.bucket).send().await;
            let uri = written.0.lock().unwrap()[0].clone();
            assert!(uri.starts_with(wanted), "{uri} for {wanted}");
            assert_eq!(written.0.lock().unwrap().len(), 1, "the SDK itself never tries again");
        }
    }
}
