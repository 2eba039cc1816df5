//! A store that says no: each no has its class, its words and what to do.

use crate::support::{key, open, open_with};
use backstay_core::destination::{Destination, WriteMode};
use backstay_core::{Error, ErrorClass, Secret};
use backstay_destinations::s3::S3;
use backstay_lab::s3::{Does, Reply, S3Server};
use bytes::Bytes;
use std::sync::Arc;

async fn put(s3: &S3, name: &str) -> Result<(), Error> {
    s3.put(&key(name), Bytes::from_static(b"x"), WriteMode::Replace).await
}

#[tokio::test]
async fn a_wrong_secret_key_is_told_from_a_wrong_id() {
    let server = S3Server::start().await;
    let mut login = server.login();
    login.secret = Some(Secret::new("not-the-secret"));
    let s3 = S3::open("store", &server.place(), &login, Arc::new(backstay_core::destination::FreeTraffic)).unwrap();
    let error = s3.list("").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    assert_eq!(error.message, "Cannot list store (s3://backups): the secret key does not fit the access key id");
    assert!(error.hint.unwrap().starts_with("Enter the secret key again"));
    server.refuse(1, "ListObjectsV2", 403, "InvalidAccessKeyId");
    let error = open(&server).list("").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    assert!(error.message.ends_with("the store does not know this access key id"), "{error}");
}

#[tokio::test]
async fn a_missing_secret_key_is_refused_before_anything_is_sent() {
    let server = S3Server::start().await;
    for secret in [None, Some(Secret::new("  "))] {
        let login = backstay_core::config::DestinationLogin { secret, ..Default::default() };
        let opened = S3::open("store", &server.place(), &login, Arc::new(backstay_core::destination::FreeTraffic));
        assert_eq!(opened.unwrap_err().class, ErrorClass::Refused);
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn an_expired_key_says_so() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    for code in ["ExpiredToken", "TokenRefreshRequired"] {
        server.refuse(1, "PutObject", 400, code);
        let error = put(&s3, "a").await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Refused);
        assert!(error.message.ends_with("the key has expired"), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_clock_is_told_by_how_much() {
    let server = S3Server::start().await;
    server.skew(-17 * 60);
    server.refuse(1, "PutObject", 403, "RequestTimeTooSkewed");
    let error = put(&open(&server), "a").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    let (exact, late) = ("17 minutes ahead of the store's", "16 minutes ahead of the store's");
    assert!(error.message.contains(exact) || error.message.contains(late), "{error}");
    assert!(error.hint.unwrap().contains("clock"));
    server.skew(3 * 86_400);
    server.refuse(1, "PutObject", 403, "RequestTimeTooSkewed");
    let error = put(&open(&server), "a").await.unwrap_err();
    assert!(
        error.message.ends_with("this computer's clock is 3 days behind the store's")
            || error.message.ends_with("this computer's clock is 2 days behind the store's"),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_bucket_is_named_and_never_taken_for_an_empty_one() {
    let server = S3Server::start().await;
    let s3 = open_with(&server, |place| place.bucket = "elsewhere".into());
    for error in [
        s3.list("").await.unwrap_err(),
        put(&s3, "a").await.unwrap_err(),
        s3.get(&key("a"), None).await.unwrap_err(),
        s3.delete(&key("a")).await.unwrap_err(),
    ] {
        assert_eq!(error.class, ErrorClass::Missing);
        assert!(error.message.ends_with("there is no bucket \"elsewhere\""), "{error}");
    }
}

#[tokio::test]
async fn each_right_that_lacks_is_named() {
    let server = S3Server::start().await;
    let s3 = open_with(&server, |place| place.prefix = "web".into());
    put(&s3, "a").await.unwrap();
    let denied = |error: Error, words: &str, right: &str| {
        assert_eq!(error.class, ErrorClass::Refused);
        assert!(error.message.ends_with(&format!("this key may not {words} in bucket backups under web/")), "{error}");
        assert!(error.hint.unwrap().contains(right));
    };
    server.refuse(1, "ListObjectsV2", 403, "AccessDenied");
    denied(s3.list("").await.unwrap_err(), "list objects", "s3:ListBucket");
    server.refuse(1, "GetObject", 403, "AccessDenied");
    denied(s3.get(&key("a"), None).await.unwrap_err(), "read objects", "s3:GetObject");
    server.refuse(1, "PutObject", 403, "AccessDenied");
    denied(put(&s3, "b").await.unwrap_err(), "write objects", "s3:PutObject");
    server.refuse(1, "DeleteObject", 403, "AccessDenied");
    denied(s3.delete(&key("a")).await.unwrap_err(), "delete objects", "s3:DeleteObject");
    // An answer to HEAD has no words at all.
    server.fault(1, Does::Says(Reply { status: 403, ..Reply::default() }), |seen| seen.call == "HeadObject");
    denied(s3.head(&key("a")).await.unwrap_err(), "read objects", "s3:GetObject");
}

#[tokio::test]
async fn a_403_on_one_prefix_leaves_the_others_alone() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    let answer = Does::Says(Reply::error(403, "AccessDenied", "no"));
    server.fault(u32::MAX, answer, |seen| seen.path.starts_with("/backups/snapshots/"));
    put(&s3, "data/aa/1").await.unwrap();
    let error = put(&s3, "snapshots/1").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    assert!(error.message.starts_with("Cannot write snapshots/1 on store"), "{error}");
    assert_eq!(s3.list("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn asking_to_slow_down_is_its_own_class_however_it_is_said() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    for (status, code) in [
        (503, "SlowDown"),
        (400, "RequestRateLimitExceeded"),
        (429, "TooManyRequests"),
        (503, "ServiceUnavailable"),
        (503, ""),
        (400, "RequestLimitExceeded"),
    ] {
        server.refuse(1, "PutObject", status, code);
        let error = put(&s3, "a").await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Throttled, "{status} {code}");
        assert!(error.class.may_retry());
    }
    put(&s3, "a").await.unwrap();
    assert_eq!(server.count("PutObject"), 7, "the backend itself never tries again");
}

#[tokio::test]
async fn faults_of_the_store_may_be_tried_again_and_refusals_not() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    for status in [500, 502, 504] {
        server.refuse(1, "PutObject", status, "InternalError");
        let error = put(&s3, "a").await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Offline, "{status}");
    }
    for (status, code, class) in [
        (400, "RequestTimeout", ErrorClass::TimedOut),
        (400, "BadDigest", ErrorClass::Corrupt),
        (403, "QuotaExceeded", ErrorClass::Full),
        (507, "", ErrorClass::Full),
        (501, "NotImplemented", ErrorClass::Unsupported),
        (400, "InvalidStorageClass", ErrorClass::Invalid),
        (301, "PermanentRedirect", ErrorClass::Invalid),
        (403, "InvalidObjectState", ErrorClass::Refused),
        (418, "Teapot", ErrorClass::Invalid),
    ] {
        server.refuse(1, "PutObject", status, code);
        let error = put(&s3, "a").await.unwrap_err();
        assert_eq!(error.class, class, "{status} {code}: {error}");
    }
}

#[tokio::test]
async fn a_region_that_does_not_fit_is_named() {
    let server = S3Server::start().await;
    let mut reply = Reply::error(301, "PermanentRedirect", "elsewhere");
    reply.headers.push(("x-amz-bucket-region".into(), "eu-west-3".into()));
    server.fault(1, Does::Says(reply), |_| true);
    let error = open(&server).list("").await.unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("Choose the region eu-west-3"));
}
