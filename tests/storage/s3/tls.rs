//! TLS: a certificate that is wrong is refused, named, and there is something to do about it: the user may accept it.

use crate::support::{MIB, key, open, open_with};
use backstay_core::ErrorClass;
use backstay_core::config::S3Place;
use backstay_core::destination::{Destination, WriteMode};
use backstay_destinations::s3::{S3, untrusted_certificate};
use backstay_lab::destination_contract::noise;
use backstay_lab::s3::{Certificate, S3Server};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::io::Cursor;

fn fingerprint(server: &S3Server) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(server.certificate()))
}

/// Opens a server as who accepted a certificate by its fingerprint.
fn open_pinned(server: &S3Server, pin: &str) -> S3 {
    open_with(server, |place| (place.ca_pem, place.pinned_certificate) = (None, Some(pin.into())))
}

#[tokio::test]
async fn an_authority_of_one_s_own_is_trusted_when_given() {
    let server = S3Server::start_tls(Certificate::Good).await;
    let s3 = open(&server);
    s3.put(&key("a"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    assert_eq!(s3.get(&key("a"), None).await.unwrap(), "x");
    let stranger = open_with(&server, |place| place.ca_pem = None);
    let error = stranger.list("").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::HostKeyUnknown);
    assert!(error.message.ends_with("vouches for the certificate of localhost"), "{error}: {:?}", error.detail);
    let hint = error.hint.unwrap();
    assert!(hint.contains("paste the certificate") && hint.contains("can be accepted"), "{hint}");
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
        assert_eq!(error.class, ErrorClass::HostKeyUnknown, "{certificate:?}");
        let wanted = format!("Cannot list store (s3://backups): the certificate of localhost {words}");
        assert_eq!(error.message, wanted, "{:?}", error.detail);
        assert!(error.hint.unwrap().contains("test the destination"));
    }
}

#[tokio::test]
async fn a_certificate_signed_by_itself_is_unknown_until_it_is_accepted() {
    let server = S3Server::start_tls(Certificate::SelfSigned).await;
    let error = open_with(&server, |place| place.ca_pem = None).list("").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::HostKeyUnknown, "{error}: {:?}", error.detail);
    assert!(server.seen().is_empty(), "nothing was said to it");

    let pin = fingerprint(&server);
    let s3 = open_pinned(&server, &pin);
    s3.put(&key("a/b"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    assert_eq!(s3.get(&key("a/b"), None).await.unwrap(), "x");
    assert_eq!(s3.get(&key("none"), None).await.unwrap_err().class, ErrorClass::Missing);
    let large = noise(1, 17 * MIB);
    s3.put_stream(&key("large"), Box::new(Cursor::new(large.clone())), WriteMode::CreateNew).await.unwrap();
    assert_eq!(server.count("UploadPart"), 2, "it went in parts");
    assert!(s3.get(&key("large"), None).await.unwrap() == large);
    let names: Vec<String> = s3.list("").await.unwrap().into_iter().map(|info| info.key.to_string()).collect();
    assert_eq!(names, ["a/b", "large"]);
    s3.delete(&key("large")).await.unwrap();

    // As people write it.
    let spelt: Vec<String> = pin.as_bytes().chunks(2).map(|two| String::from_utf8_lossy(two).to_uppercase()).collect();
    assert_eq!(open_pinned(&server, &spelt.join(":")).list("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_accepted_certificate_may_be_wrong_in_all_else() {
    for certificate in [Certificate::Expired, Certificate::Early, Certificate::OtherName] {
        let server = S3Server::start_tls(certificate).await;
        let s3 = open_pinned(&server, &fingerprint(&server));
        s3.put(&key("a"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
        assert_eq!(s3.get(&key("a"), None).await.unwrap(), "x", "{certificate:?}");
    }
}

#[tokio::test]
async fn any_other_certificate_than_the_accepted_one_stops_everything() {
    for certificate in [Certificate::SelfSigned, Certificate::Good] {
        let server = S3Server::start_tls(certificate).await;
        // Not even an authority that is trusted helps.
        let s3 = open_with(&server, |place| place.pinned_certificate = Some("ab".repeat(32)));
        let error = s3.list("").await.unwrap_err();
        assert_eq!(error.class, ErrorClass::HostKeyChanged, "{error}: {:?}", error.detail);
        let wanted = "Cannot list store (s3://backups): the certificate of localhost is not the one you accepted";
        assert_eq!(error.message, wanted);
        assert!(error.detail.unwrap().contains(&fingerprint(&server)));
        assert!(error.hint.unwrap().contains("accept the new one"));
        assert!(server.seen().is_empty(), "nothing was said to it");
    }
}

#[tokio::test]
async fn a_pinned_store_that_cannot_be_reached_is_offline() {
    let server = S3Server::start_tls(Certificate::SelfSigned).await;
    let s3 = open_pinned(&server, &fingerprint(&server));
    drop(server);
    let error = s3.list("").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline, "{error}: {:?}", error.detail);
    let plain = S3Server::start().await;
    let address = format!("https://localhost:{}", plain.port());
    let s3 = open_with(&plain, |place| (place.endpoint, place.pinned_certificate) = (address, Some("ab".repeat(32))));
    let error = s3.list("").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid, "{error}: {:?}", error.detail);
    assert!(error.message.ends_with("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn what_must_be_accepted_is_looked_at_before_anything_is_said() {
    for (certificate, why) in [
        (Certificate::Good, None),
        (Certificate::SelfSigned, Some("is not vouched for by any authority this computer trusts")),
        (Certificate::Expired, Some("has expired")),
        (Certificate::Early, Some("is not valid yet")),
        (Certificate::OtherName, Some("is for another name")),
    ] {
        let server = S3Server::start_tls(certificate).await;
        let mut place = server.place();
        if certificate == Certificate::SelfSigned {
            place.ca_pem = None;
        }
        let seen = untrusted_certificate(&place).await.unwrap();
        assert_eq!(seen.as_ref().map(|seen| seen.why.as_str()), why, "{certificate:?}");
        if let Some(seen) = seen {
            assert_eq!(seen.sha256, fingerprint(&server));
            let accepted = S3Place { pinned_certificate: Some(seen.sha256), ..place.clone() };
            assert_eq!(untrusted_certificate(&accepted).await.unwrap(), None);
        }
        // One that was accepted before is not this one.
        let other = S3Place { pinned_certificate: Some("ab".repeat(32)), ..place };
        assert!(untrusted_certificate(&other).await.unwrap().is_some(), "{certificate:?}");
        assert!(server.seen().is_empty(), "nothing was said to it");
    }
    let plain = S3Server::start().await;
    assert_eq!(untrusted_certificate(&plain.place()).await.unwrap(), None);
    // Where there is no certificate to be had, the store's own test says why.
    let wrong = S3Place { endpoint: format!("https://localhost:{}", plain.port()), ..plain.place() };
    assert_eq!(untrusted_certificate(&wrong).await.unwrap(), None);
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
