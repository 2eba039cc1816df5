//! Temporary links: anybody can read, for a time.

use crate::support::{key, open};
use backstay_core::ErrorClass;
use backstay_core::destination::{Destination, WriteMode};
use backstay_lab::destination_contract::noise;
use backstay_lab::s3::{S3Server, fetch};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_link_works_without_a_key_and_only_for_its_time() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    let content = noise(1, 50_000);
    let name = key("archives/web/a b+ü.tar.zst");
    s3.put(&name, content.clone(), WriteMode::CreateNew).await.unwrap();
    let link = s3.link(&name, Duration::from_secs(600)).await.unwrap();
    assert!(link.expose().contains("X-Amz-Expires=600") && !link.expose().contains(server.secret().expose()));
    let (status, body) = fetch(link.expose()).await;
    assert_eq!(status, 200);
    assert!(body.ends_with(&content[content.len() - 1_000..]));
    let (status, _) = fetch(&link.expose().replace("a%20b", "other")).await;
    assert_eq!(status, 403, "a link is for one object");

    let short = s3.link(&name, Duration::from_secs(1)).await.unwrap();
    let limit = Instant::now() + Duration::from_secs(15);
    while fetch(short.expose()).await.0 == 200 {
        assert!(Instant::now() < limit, "the link never ends");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn links_to_nothing_or_for_ever_are_not_made() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    let error = s3.link(&key("absent"), Duration::from_secs(600)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Missing);
    s3.put(&key("a"), noise(1, 10), WriteMode::CreateNew).await.unwrap();
    for valid in [Duration::ZERO, Duration::from_secs(7 * 24 * 3600 + 1)] {
        assert_eq!(s3.link(&key("a"), valid).await.unwrap_err().class, ErrorClass::Invalid);
    }
    s3.link(&key("a"), Duration::from_secs(7 * 24 * 3600)).await.unwrap();
}
