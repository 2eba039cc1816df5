//! Against servers that are not ours: moto for versions, locks, lifecycle and cold classes, Garage as a real engine.
//! Where they are not to be had, this says so and passes.

use crate::support::{MIB, key};
use backstay_core::ErrorClass;
use backstay_core::config::S3Place;
use backstay_core::destination::{Availability, Destination, FreeTraffic, WriteMode};
use backstay_destinations::s3::{S3, make_bucket, probe};
use backstay_lab::destination_contract::{self, noise};
use backstay_lab::s3::{Garage, Moto};
use bytes::Bytes;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn open(moto: &Moto, place: &S3Place) -> S3 {
    S3::open("moto", place, &moto.login(), Arc::new(FreeTraffic)).unwrap()
}

async fn start() -> Option<Moto> {
    tokio::task::spawn_blocking(Moto::start).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_moto_a_bucket_made_for_backups() {
    let Some(moto) = start().await else { return };
    let place = S3Place { lock_days: Some(10), prefix: "web".into(), ..moto.place("made-for-backups") };
    let steps = make_bucket(&place, &moto.login(), &|_| {}).await;
    assert!(steps.iter().all(|step| step.ok && !step.note), "{steps:#?}");
    let again = make_bucket(&place, &moto.login(), &|_| {}).await;
    assert!(again.len() == 1 && again[0].ok && again[0].note, "a second time it is left as it is: {again:#?}");
    let s3 = open(&moto, &place);
    let settings = s3.settings().await.unwrap();
    assert_eq!((settings.versioning, settings.lock, settings.lifecycle), (Some(true), Some(true), Some(true)));
    assert_eq!(settings.upload_days, Some(7));
    let probed = probe("moto", &place, &moto.login(), &|_| {}).await;
    let failed: Vec<_> = probed.steps.iter().filter(|step| !step.ok).map(|step| step.title.as_str()).collect();
    assert!(failed.is_empty(), "{:#?}", probed.steps);
    for id in ["conditional_writes", "versioning", "object_lock", "lifecycle", "ranges"] {
        assert_eq!(probed.abilities.iter().find(|ability| ability.id == id).unwrap().state, "yes", "{id}");
    }
    assert!(probed.cost_notes.iter().any(|note| note.contains("old versions")), "{:?}", probed.cost_notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_moto_deleting_takes_all_versions_along() {
    let Some(moto) = start().await else { return };
    let place = moto.place("versions");
    make_bucket(&place, &moto.login(), &|_| {}).await;
    let s3 = open(&moto, &place);
    for content in ["one", "two", "three"] {
        s3.put(&key("a"), Bytes::from(content), WriteMode::Replace).await.unwrap();
    }
    s3.put(&key("ab"), Bytes::from_static(b"neighbour"), WriteMode::Replace).await.unwrap();
    s3.delete(&key("a")).await.unwrap();
    s3.delete(&key("a")).await.unwrap();
    assert_eq!(s3.get(&key("a"), None).await.unwrap_err().class, ErrorClass::Missing);
    assert_eq!(s3.get(&key("ab"), None).await.unwrap(), "neighbour");
    assert_eq!(s3.versions(&key("a")).await.unwrap(), Some(0), "nothing of it stays to be paid for");
    assert_eq!(s3.versions(&key("ab")).await.unwrap(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_moto_locked_archives_cannot_be_deleted() {
    let Some(moto) = start().await else { return };
    let place = S3Place { lock_days: Some(3), lock_mode: Some("COMPLIANCE".into()), ..moto.place("locks") };
    make_bucket(&place, &moto.login(), &|_| {}).await;
    let s3 = open(&moto, &place);
    let archive = key("archives/web/a.tar.zst");
    // moto overlooks the lock of an upload in parts, so that this is a small one.
    s3.put_stream(&archive, Box::new(Cursor::new(noise(1, MIB))), WriteMode::CreateNew).await.unwrap();
    let locked = s3.locked_until(&archive).await.unwrap().expect("it is locked");
    let error = s3.delete(&archive).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    assert!(error.message.contains("it is locked for "), "{error}");
    assert_eq!(s3.head(&archive).await.unwrap().size_bytes, MIB as u64, "it is still in sight");
    let longer = locked + 7 * 86_400;
    assert_eq!(s3.extend_lock(&archive, longer).await.unwrap(), Some(longer));
    assert_eq!(s3.locked_until(&archive).await.unwrap(), Some(longer));
    assert_eq!(s3.extend_lock(&archive, locked).await.unwrap(), Some(longer), "a lock never gets shorter");
    // Another mode than that of the lock would be refused.
    let other = open(&moto, &S3Place { lock_mode: Some("GOVERNANCE".into()), ..place.clone() });
    assert_eq!(other.extend_lock(&archive, longer + 1).await.unwrap(), Some(longer + 1));
    s3.put(&key("locks/1"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    assert_eq!(s3.extend_lock(&key("locks/1"), longer).await.unwrap(), None, "what has no lock gets none");
    s3.delete(&key("locks/1")).await.expect("what is no archive is not locked");
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_moto_cold_archives_come_back() {
    let Some(moto) = start().await else { return };
    let place = S3Place { storage_class: Some("GLACIER".into()), ..moto.place("cold") };
    make_bucket(&place, &moto.login(), &|_| {}).await;
    let s3 = open(&moto, &place);
    let archive = key("archives/web/a.tar.zst");
    s3.put_stream(&archive, Box::new(Cursor::new(noise(1, 17 * MIB))), WriteMode::CreateNew).await.unwrap();
    assert_eq!(s3.availability(&archive).await.unwrap(), Availability::Frozen);
    let error = s3.get(&archive, Some(0..10)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    assert!(error.message.contains("cold storage class"), "{error}");
    s3.thaw(&archive, 3).await.unwrap();
    // moto brings it back after a few looks.
    let mut now = s3.availability(&archive).await.unwrap();
    for _ in 0..100 {
        if now == Availability::Ready {
            break;
        }
        assert_eq!(now, Availability::Thawing);
        now = s3.availability(&archive).await.unwrap();
    }
    assert_eq!(now, Availability::Ready);
    assert_eq!(s3.get(&archive, Some(0..10)).await.unwrap(), noise(1, 10));
    s3.put(&key("data/aa/1"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    assert_eq!(s3.availability(&key("data/aa/1")).await.unwrap(), Availability::Ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_moto_lifecycle_keeps_the_rules_of_others() {
    let Some(moto) = start().await else { return };
    let bucket = moto.place("rules");
    make_bucket(&bucket, &moto.login(), &|_| {}).await;
    let first = open(&moto, &S3Place { prefix: "first".into(), ..bucket.clone() });
    first.set_lifecycle().await.unwrap();
    let settings = first.settings().await.unwrap();
    assert_eq!((settings.upload_days, settings.version_days), (Some(7), Some(30)));
    first.set_lifecycle().await.unwrap();
    let second = open(&moto, &S3Place { prefix: "second".into(), ..bucket });
    second.set_lifecycle().await.unwrap();
    assert_eq!(first.settings().await.unwrap().upload_days, Some(7), "another folder's rule left ours alone");
    assert_eq!(second.settings().await.unwrap().upload_days, Some(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_moto_keeps_the_contract() {
    let Some(moto) = start().await else { return };
    let place = moto.place("contract");
    make_bucket(&place, &moto.login(), &|_| {}).await;
    let s3 = open(&moto, &place);
    // moto answers some requests in the wrong order under load, so that only the plain part is asked of it.
    s3.put(&key("ünï/日本 語+1"), noise(1, 70_000), WriteMode::CreateNew).await.unwrap();
    let error = s3.put(&key("ünï/日本 語+1"), noise(2, 1), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Exists);
    assert_eq!(s3.list("ünï/").await.unwrap()[0].key, key("ünï/日本 語+1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_garage_keeps_the_contract() {
    let Some(garage) = tokio::task::spawn_blocking(Garage::start).await.unwrap() else { return };
    let count = AtomicU32::new(0);
    destination_contract::run(|| {
        let place = S3Place { prefix: format!("g{}", count.fetch_add(1, Ordering::Relaxed)), ..garage.place() };
        let s3 = S3::open("garage", &place, &garage.login(), Arc::new(FreeTraffic)).unwrap();
        async move { Arc::new(s3) as Arc<dyn Destination> }
    })
    .await;
    let probed = probe("garage", &garage.place(), &garage.login(), &|_| {}).await;
    assert!(probed.steps.iter().all(|step| step.ok), "{:#?}", probed.steps);
    assert!(!probed.settled.unwrap().conditional_writes, "Garage ignores If-None-Match");
}
