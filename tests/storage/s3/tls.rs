//! TLS: a certificate that is wrong is refused, named, and there is something to do about it.

use crate::support::{key, open, open_with};
use backstay_core::ErrorClass;
use backstay_core::destination::{Destination, WriteMode};
use backstay_lab::s3::{Certificate, S3Server};
use bytes::Bytes;

#[tokio::test]
async fn an_authority_of_one_s_own_is_trusted_when_given() {
    let server = S3Server::start_tls(Certificate::Good).await;
    let s3 = open(&server);
    s3.put(&key("a"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    assert_eq!(s3.get(&key("a"), None).await.unwrap(), "x");
    let stranger = open_with(&server, |place| place.ca_pem = None);
    let error = stranger.list("").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    assert!(error.message.ends_with("vouches for the certificate of localhost"), "{error}: {:?}", error.detail);
    assert!(error.hint.unwrap().contains("paste the certificate"));
    assert_eq!(server.count("ListObjectsV2"), 0, "nothing was said to it");
}

#[tokio::test]
async fn each_wrong_certificate_is_named() {
    for (certificate, words) in [
        (Certificate::Expired, "has expired"),
        (Certificate::Early, "is not valid yet"),
        (Certificate::OtherName, "belongs to another name"),
    ] {
        let server = S3Server::start_tls(certificate).await;
        let error = open(&server).list("").await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Refused, "{certificate:?}");
        let wanted = format!("Cannot list store (s3://backups): the certificate of localhost {words}");
        assert_eq!(error.message, wanted, "{:?}", error.detail);
        assert!(error.hint.is_some());
    }
}

#[tokio::test]
async fn tls_spoken_to_a_plain_port_says_what_to_change() {
    let server = S3Server::start().await;
    let s3 = open_with(&server, |place| place.endpoint = format!("https://localhost:{}", server.port()));
    let error = s3.list("").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid);
    assert!(error.message.ends_with("does not speak TLS"), "{error}: {:?}", error.detail);
    assert!(error.hint.unwrap().contains("http://"));
}
