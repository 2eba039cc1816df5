//! The contract suite over the wire.

use crate::support::open_with;
use backstay_core::destination::Destination;
use backstay_lab::destination_contract;
use backstay_lab::s3::S3Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Runs the suite; each destination it asks for is a folder of its own in one bucket.
async fn keeps_the_contract(change: impl Fn(&mut backstay_core::config::S3Place)) {
    let server = S3Server::start().await;
    let count = AtomicU32::new(0);
    destination_contract::run(|| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let s3 = open_with(&server, |place| {
            place.prefix = format!("place {number}/ü");
            change(place);
        });
        async move { Arc::new(s3) as Arc<dyn Destination> }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_keeps_the_contract() {
    keeps_the_contract(|_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_keeps_the_contract_with_checksums_and_the_old_list() {
    keeps_the_contract(|place| {
        place.checksums = true;
        place.list_v1 = true;
        place.encryption = Some("AES256".into());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_keeps_the_contract_without_conditional_writes() {
    keeps_the_contract(|place| place.conditional_writes = false).await;
}
