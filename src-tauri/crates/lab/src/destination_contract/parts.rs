//! Uploads in parts, and what is cleared away of them.

use super::{class_of_get, key, noise, sorted};
use backstay_core::ErrorClass;
use backstay_core::destination::{Destination, PartUpload, StoredPart, WriteMode};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// A size large enough for any store's smallest parts.
const ABOUT_BYTES: u64 = 40 << 20;

pub(super) async fn all(destination: impl AsyncFn() -> Arc<dyn Destination>) {
    parts_make_an_object(destination().await).await;
    a_part_again_replaces(destination().await).await;
    goes_on_by_its_token(destination().await).await;
    an_aborted_upload_is_no_more(destination().await).await;
    completes_as_asked(destination().await).await;
    sweeping_spares_the_young(destination().await).await;
}

/// Begins an upload of two whole parts and a bit. Returns it with its content, cut.
async fn begin(
    destination: &dyn Destination,
    name: &str,
    seed: u64,
) -> (Arc<dyn PartUpload>, Bytes, Vec<(u64, Bytes)>) {
    let upload = destination.begin_upload(&key(name), Some(ABOUT_BYTES)).await.unwrap();
    let (first, second) = (upload.part_bytes(1), upload.part_bytes(2));
    assert!(first > 0 && second > 0 && first < (1 << 30), "parts of {first} bytes");
    let content = noise(seed, (first + second + 17) as usize);
    let cut = |from: u64, to: u64| (from, content.slice(from as usize..to as usize));
    let end = content.len() as u64;
    let parts = vec![cut(0, first), cut(first, first + second), cut(first + second, end)];
    (upload, content, parts)
}

async fn put(upload: &dyn PartUpload, number: u32, parts: &[(u64, Bytes)]) -> StoredPart {
    let (offset, content) = &parts[number as usize - 1];
    let stored = upload.put_part(number, *offset, content.clone()).await.unwrap();
    assert_eq!((stored.number, stored.offset, stored.size_bytes), (number, *offset, content.len() as u64));
    stored
}

async fn put_all(upload: &dyn PartUpload, parts: &[(u64, Bytes)]) -> Vec<StoredPart> {
    let mut stored = Vec::new();
    for number in 1..=parts.len() as u32 {
        stored.push(put(upload, number, parts).await);
    }
    stored
}

async fn nothing_shows(destination: &dyn Destination, name: &str) {
    assert_eq!(sorted(destination, "").await, [], "an upload under way is not listed");
    assert_eq!(class_of_get(destination, name).await, ErrorClass::Missing, "an upload under way is not read");
    assert_eq!(destination.head(&key(name)).await.unwrap_err().class, ErrorClass::Missing);
}

async fn parts_make_an_object(destination: Arc<dyn Destination>) {
    let name = "parts/whole";
    let (upload, content, parts) = begin(&*destination, name, 1).await;
    assert_eq!(upload.stored().await.unwrap(), [], "nothing is stored yet");
    nothing_shows(&*destination, name).await;
    let mut stored = if destination.capabilities().parallel_parts > 1 {
        let (third, first, second) = tokio::join!(put(&*upload, 3, &parts), put(&*upload, 1, &parts), async {
            tokio::task::yield_now().await;
            put(&*upload, 2, &parts).await
        });
        vec![first, second, third]
    } else {
        put_all(&*upload, &parts).await
    };
    nothing_shows(&*destination, name).await;
    let listed = upload.stored().await.unwrap();
    let places = |parts: &[StoredPart]| -> Vec<_> {
        parts.iter().map(|part| (part.number, part.offset, part.size_bytes)).collect()
    };
    assert_eq!(places(&listed), places(&stored), "by number, as they were stored");
    stored.sort_by_key(|part| part.number);
    upload.complete(&stored, WriteMode::CreateNew).await.unwrap();
    assert_eq!(sorted(&*destination, "").await, [(name.to_owned(), content.len() as u64)]);
    assert!(destination.get(&key(name), None).await.unwrap() == content, "the parts lie in their order");
}

async fn a_part_again_replaces(destination: Arc<dyn Destination>) {
    let (upload, content, parts) = begin(&*destination, "again", 2).await;
    let wrong = noise(77, parts[0].1.len());
    upload.put_part(1, 0, wrong).await.unwrap();
    let mut stored = vec![put(&*upload, 1, &parts).await];
    stored.push(put(&*upload, 2, &parts).await);
    stored[1] = put(&*upload, 2, &parts).await;
    stored.push(put(&*upload, 3, &parts).await);
    upload.complete(&stored, WriteMode::CreateNew).await.unwrap();
    assert!(destination.get(&key("again"), None).await.unwrap() == content, "what was stored last counts");
}

async fn goes_on_by_its_token(destination: Arc<dyn Destination>) {
    let name = key("resumed/k");
    let (upload, content, parts) = begin(&*destination, "resumed/k", 3).await;
    let first = put(&*upload, 1, &parts).await;
    // What was told to be there is there for the next process too.
    assert_eq!(upload.stored().await.unwrap(), std::slice::from_ref(&first));
    let token = upload.token();
    drop(upload);
    let upload = destination.resume_upload(&name, Some(ABOUT_BYTES), &token).await.unwrap();
    assert_eq!(upload.token(), token, "the token stays");
    assert_eq!(upload.stored().await.unwrap(), std::slice::from_ref(&first), "the store tells what it has");
    assert_eq!(upload.part_bytes(1), parts[0].1.len() as u64, "parts keep their sizes");
    let stored = vec![first, put(&*upload, 2, &parts).await, put(&*upload, 3, &parts).await];
    upload.complete(&stored, WriteMode::CreateNew).await.unwrap();
    assert!(destination.get(&name, None).await.unwrap() == content);
    let over = destination.resume_upload(&name, Some(ABOUT_BYTES), &token).await;
    // Some stores notice only when they are asked for its parts.
    let over = match over {
        Ok(upload) => upload.stored().await.err(),
        Err(error) => Some(error),
    };
    assert_eq!(over.map(|error| error.class), Some(ErrorClass::Missing), "a completed upload is no more");
}

async fn an_aborted_upload_is_no_more(destination: Arc<dyn Destination>) {
    let (upload, _, parts) = begin(&*destination, "aborted", 4).await;
    put(&*upload, 1, &parts).await;
    let token = upload.token();
    upload.abort().await.unwrap();
    upload.abort().await.expect("twice is fine");
    nothing_shows(&*destination, "aborted").await;
    let over = match destination.resume_upload(&key("aborted"), Some(ABOUT_BYTES), &token).await {
        Ok(upload) => upload.stored().await.err(),
        Err(error) => Some(error),
    };
    assert_eq!(over.map(|error| error.class), Some(ErrorClass::Missing), "an aborted upload is no more");
}

async fn completes_as_asked(destination: Arc<dyn Destination>) {
    destination.put(&key("taken"), Bytes::from_static(b"old"), WriteMode::CreateNew).await.unwrap();
    let (upload, content, parts) = begin(&*destination, "taken", 5).await;
    let stored = put_all(&*upload, &parts).await;
    assert_eq!(destination.get(&key("taken"), None).await.unwrap(), "old", "the old object shows until the end");
    if destination.capabilities().atomic_create {
        let error = upload.complete(&stored, WriteMode::CreateNew).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Exists);
        assert_eq!(destination.get(&key("taken"), None).await.unwrap(), "old", "a refused upload touches nothing");
        let _ = upload.abort().await;
        let (upload, _, _) = begin(&*destination, "taken", 5).await;
        let stored = put_all(&*upload, &parts).await;
        upload.complete(&stored, WriteMode::Replace).await.unwrap();
    } else {
        upload.complete(&stored, WriteMode::Replace).await.unwrap();
    }
    assert!(destination.get(&key("taken"), None).await.unwrap() == content);
    assert_eq!(sorted(&*destination, "").await.len(), 1);
}

async fn sweeping_spares_the_young(destination: Arc<dyn Destination>) {
    destination.put(&key("there"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    let (upload, _, parts) = begin(&*destination, "young", 6).await;
    put(&*upload, 1, &parts).await;
    let swept = destination.sweep(Duration::from_secs(3600), &[]).await.unwrap();
    assert_eq!(swept.removed, 0, "an upload that was just begun stays");
    assert_eq!(upload.stored().await.unwrap().len(), 1);
    let swept = destination.sweep(Duration::ZERO, &[upload.token()]).await.unwrap();
    assert_eq!(swept.removed, 0, "an upload that is still to be gone on with stays, however old");
    assert_eq!(upload.stored().await.unwrap().len(), 1);
    upload.abort().await.unwrap();
    destination.sweep(Duration::ZERO, &[]).await.unwrap();
    assert_eq!(sorted(&*destination, "").await, [("there".to_owned(), 1)], "objects are never swept");
}
