//! Uploads in parts: going on in another process, ending, clearing away.

use crate::support::{MIB, key, open, open_with, until};
use backstay_core::destination::{Destination, PartUpload, StoredPart, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::layout::MemoryJournal;
use backstay_core::{ErrorClass, RunContext};
use backstay_lab::MemoryDestination;
use backstay_lab::destination_contract::noise;
use backstay_lab::s3::{Does, Reply, S3Server};
use backstay_transfer::{ObjectReplay, Uploaded, read_back, upload_resumable, upload_stream};
use bytes::Bytes;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

async fn part(upload: &Arc<dyn PartUpload>, content: &Bytes, number: u32) -> StoredPart {
    let size = upload.part_bytes(number);
    let from = (u64::from(number) - 1) * size;
    let to = (from + size).min(content.len() as u64);
    upload.put_part(number, from, content.slice(from as usize..to as usize)).await.unwrap()
}

#[tokio::test]
async fn an_upload_goes_on_in_another_process() {
    let server = S3Server::start().await;
    let content = noise(1, 40 * MIB);
    let size = Some(content.len() as u64);
    let name = key("archives/web/a b+ü.tar.zst");
    let token = {
        let first = open(&server);
        let upload = first.begin_upload(&name, size).await.unwrap();
        assert_eq!(upload.part_bytes(1), 16 << 20);
        part(&upload, &content, 3).await;
        part(&upload, &content, 1).await;
        upload.token()
    };
    let second = open(&server);
    assert_eq!(second.list("").await.unwrap(), [], "nothing is listed before it is complete");
    let upload = second.resume_upload(&name, size, &token).await.unwrap();
    let stored = upload.stored().await.unwrap();
    let numbers: Vec<_> = stored.iter().map(|part| (part.number, part.offset, part.size_bytes)).collect();
    assert_eq!(numbers, [(1, 0, 16 << 20), (3, 32 << 20, 8 << 20)]);
    let missing = part(&upload, &content, 2).await;
    let mut parts = stored;
    parts.insert(1, missing);
    upload.complete(&parts, WriteMode::CreateNew).await.unwrap();
    assert!(second.get(&name, None).await.unwrap() == content);
    assert_eq!(server.count("UploadPart"), 3, "nothing was sent twice");
    assert_eq!(server.unfinished(), 0);
    let gone = second.resume_upload(&name, size, &token).await.err().unwrap();
    assert_eq!(gone.class, ErrorClass::Missing);
}

#[tokio::test]
async fn an_upload_that_was_ended_is_missing_and_may_be_ended_again() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    let upload = s3.begin_upload(&key("a"), None).await.unwrap();
    upload.put_part(1, 0, Bytes::from_static(b"x")).await.unwrap();
    upload.abort().await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(upload.stored().await.unwrap_err().class, ErrorClass::Missing);
    assert_eq!(server.unfinished(), 0);
}

#[tokio::test]
async fn without_the_right_to_list_parts_an_upload_is_ended_and_begun_anew() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    server.refuse(u32::MAX, "ListParts", 403, "AccessDenied");
    let name = key("archives/web.tar.zst");
    let upload = s3.begin_upload(&name, None).await.unwrap();
    upload.put_part(1, 0, Bytes::from_static(b"x")).await.unwrap();
    let again = s3.resume_upload(&name, None, &upload.token()).await.unwrap();
    assert_eq!(again.stored().await.unwrap_err().class, ErrorClass::Refused);
    again.abort().await.unwrap();
    assert_eq!(server.unfinished(), 0);

    let content = noise(5, 40 * MIB);
    let memory = MemoryDestination::new();
    memory.tamper(name.as_str(), Some(content.clone()));
    let size = content.len() as u64;
    let source = ObjectReplay { destination: Arc::new(memory), key: name.clone(), size, sha256: None };
    let (journal, ctx) = (MemoryJournal::default(), RunContext::silent());
    let go = async || upload_resumable(&s3, &name, &source, &journal, "n", WriteMode::CreateNew, &ctx).await;
    server.refuse(1, "UploadPart", 403, "AccessDenied");
    assert_eq!(go().await.unwrap_err().class, ErrorClass::Refused);
    go().await.unwrap();
    assert!(s3.get(&name, None).await.unwrap() == content);
    assert_eq!(server.unfinished(), 0, "the first one is ended");
}

#[tokio::test]
async fn a_lost_answer_to_complete_is_no_failure() {
    let server = S3Server::start().await;
    for conditional in [true, false] {
        let s3 = open_with(&server, |place| place.conditional_writes = conditional);
        let name = key(&format!("large-{conditional}"));
        let upload = s3.begin_upload(&name, Some(10)).await.unwrap();
        let stored = upload.put_part(1, 0, Bytes::from_static(b"0123456789")).await.unwrap();
        server.fault(1, Does::LosesAnswer, |seen| seen.call == "CompleteMultipartUpload");
        let error = upload.complete(std::slice::from_ref(&stored), WriteMode::CreateNew).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Offline);
        upload.complete(&[stored], WriteMode::CreateNew).await.expect("it was completed");
        assert_eq!(s3.get(&name, None).await.unwrap(), "0123456789");
    }
}

#[tokio::test]
async fn complete_does_not_replace_what_is_there() {
    let server = S3Server::start().await;
    for conditional in [true, false] {
        let s3 = open_with(&server, |place| place.conditional_writes = conditional);
        let name = key(&format!("taken-{conditional}"));
        let upload = s3.begin_upload(&name, None).await.unwrap();
        let stored = upload.put_part(1, 0, Bytes::from_static(b"late")).await.unwrap();
        s3.put(&name, Bytes::from_static(b"early"), WriteMode::CreateNew).await.unwrap();
        let error = upload.complete(std::slice::from_ref(&stored), WriteMode::CreateNew).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Exists);
        assert_eq!(s3.get(&name, None).await.unwrap(), "early");
        upload.complete(&[stored], WriteMode::Replace).await.unwrap();
        assert_eq!(s3.get(&name, None).await.unwrap(), "late");
    }
}

#[tokio::test]
async fn a_stream_goes_in_one_request_or_in_parts() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    for (length, parts) in [(0, 0), (16 * MIB - 1, 0), (16 * MIB, 1), (16 * MIB + 1, 2), (50 * MIB, 4)] {
        server.forget();
        let content = noise(2, length);
        let name = key(&format!("s/{length}"));
        let stream = Box::new(Cursor::new(content.clone()));
        assert_eq!(s3.put_stream(&name, stream, WriteMode::CreateNew).await.unwrap(), length as u64);
        assert_eq!(server.count("UploadPart"), parts, "{length} bytes");
        assert_eq!(server.count("PutObject"), usize::from(parts == 0), "{length} bytes");
        assert!(s3.get(&name, None).await.unwrap() == content);
    }
    assert_eq!(server.unfinished(), 0);
}

#[tokio::test]
async fn a_stream_that_fails_or_is_given_up_ends_its_upload() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    server.refuse(1, "UploadPart", 500, "InternalError");
    let stream = Box::new(Cursor::new(noise(3, 40 * MIB)));
    s3.put_stream(&key("failed"), stream, WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(server.unfinished(), 0);
    let (mut feed, stream) = tokio::io::duplex(MIB);
    let writing = {
        let s3 = s3.clone();
        tokio::spawn(async move { s3.put_stream(&key("given-up"), Box::new(stream), WriteMode::CreateNew).await })
    };
    tokio::io::AsyncWriteExt::write_all(&mut feed, &noise(4, 20 * MIB)).await.unwrap();
    until("the upload began", || server.unfinished() == 1).await;
    writing.abort();
    until("the upload was ended", || server.unfinished() == 0).await;
    assert_eq!(s3.list("").await.unwrap(), []);
}

#[tokio::test]
async fn sweeping_ends_our_old_uploads_and_nobody_else_s() {
    let server = S3Server::start().await;
    let ours = open_with(&server, |place| place.prefix = "ours".into());
    let others = open_with(&server, |place| place.prefix = "others".into());
    for name in ["archives/web/old.tar.zst", "data/ab/abcd"] {
        ours.begin_upload(&key(name), None).await.unwrap();
    }
    let kept = ours.begin_upload(&key("archives/web/kept.tar.zst"), None).await.unwrap();
    ours.begin_upload(&key("holiday/film.mp4"), None).await.unwrap();
    others.begin_upload(&key("archives/web/old.tar.zst"), None).await.unwrap();
    let young = ours.sweep(Duration::from_secs(3600), &[]).await.unwrap();
    assert_eq!((young.removed, young.left), (0, 4));
    let swept = ours.sweep(Duration::ZERO, &[kept.token()]).await.unwrap();
    assert_eq!((swept.removed, swept.left), (2, 2), "what is not named as we name things, and what is spared, is left");
    assert_eq!(kept.stored().await.unwrap(), []);
    assert_eq!(server.unfinished(), 3);
    // Without the right to list parts, or the call, it is the begin that counts.
    for (status, code) in [(403, "AccessDenied"), (501, "NotImplemented")] {
        server.refuse(u32::MAX, "ListParts", status, code);
        ours.begin_upload(&key("data/ab/abcd"), None).await.unwrap();
        assert_eq!(ours.sweep(Duration::from_secs(3600), &[kept.token()]).await.unwrap().removed, 0, "{code}");
        assert_eq!(ours.sweep(Duration::ZERO, &[kept.token()]).await.unwrap().removed, 1, "{code}");
        server.behave();
    }
    // A store that cannot list uploads says so, and nothing is pretended.
    server.refuse(1, "ListMultipartUploads", 501, "NotImplemented");
    assert_eq!(ours.sweep(Duration::ZERO, &[]).await.unwrap_err().class, ErrorClass::Unsupported);
}

#[tokio::test]
async fn archives_get_their_class_and_lock_and_nothing_else_does() {
    let server = S3Server::start().await;
    let s3 = open_with(&server, |place| {
        place.storage_class = Some("GLACIER".into());
        place.encryption = Some("aws:kms".into());
        place.kms_key = Some("key-1".into());
        place.lock_days = Some(30);
        place.lock_mode = Some("COMPLIANCE".into());
    });
    let content = Bytes::from_static(b"x");
    s3.put(&key("data/aa/1"), content.clone(), WriteMode::Replace).await.unwrap();
    s3.put(&key("archives/web/a.tar.zst.manifest"), content.clone(), WriteMode::Replace).await.unwrap();
    s3.put_stream(&key("archives/web/a.tar.zst"), Box::new(Cursor::new(content)), WriteMode::Replace).await.unwrap();
    s3.begin_upload(&key("archives/web/b.tar.zst"), None).await.unwrap();
    s3.begin_upload(&key("data/aa/2"), None).await.unwrap();
    let seen = server.seen();
    let header = |path: &str, name: &str| {
        let request = seen.iter().find(|seen| seen.path == format!("/backups/{path}") && seen.method != "GET").unwrap();
        request.headers.get(name).cloned()
    };
    for path in ["data/aa/1", "archives/web/a.tar.zst", "archives/web/b.tar.zst", "data/aa/2"] {
        assert_eq!(header(path, "x-amz-server-side-encryption").as_deref(), Some("aws:kms"), "{path}");
        assert_eq!(header(path, "x-amz-server-side-encryption-aws-kms-key-id").as_deref(), Some("key-1"), "{path}");
    }
    for path in ["archives/web/a.tar.zst", "archives/web/b.tar.zst"] {
        assert_eq!(header(path, "x-amz-storage-class").as_deref(), Some("GLACIER"), "{path}");
        assert_eq!(header(path, "x-amz-object-lock-mode").as_deref(), Some("COMPLIANCE"), "{path}");
    }
    let manifest = "archives/web/a.tar.zst.manifest";
    assert_eq!(header(manifest, "x-amz-storage-class"), None, "a manifest must be readable at once");
    assert!(header(manifest, "x-amz-object-lock-retain-until-date").is_some(), "but is locked with its archive");
    for path in ["data/aa/1", "data/aa/2"] {
        assert_eq!(header(path, "x-amz-storage-class"), None, "{path}");
        assert_eq!(header(path, "x-amz-object-lock-mode"), None, "{path}");
    }
}

/// The most memory this process held, in MiB.
#[cfg(target_os = "linux")]
fn most_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Set in the process of its own that a test of memory runs in.
#[cfg(target_os = "linux")]
const ALONE: &str = "BACKSTAY_TEST_ALONE";

/// What the other tests held, and the allocator kept, would count too: it runs in a process of its own.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "slow: npm run test:extended"]
fn twenty_gigabytes_of_unknown_length_fit_into_300_mib() {
    if std::env::var_os(ALONE).is_some() {
        return tokio::runtime::Runtime::new().unwrap().block_on(twenty_gigabytes());
    }
    let name = "uploads::twenty_gigabytes_of_unknown_length_fit_into_300_mib";
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    let output = alone.args(["--ignored", "--exact", name]).env(ALONE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[cfg(target_os = "linux")]
async fn twenty_gigabytes() {
    const BYTES: u64 = 20_000_000_000;
    let server = S3Server::start().await;
    // Parts are taken in and forgotten: it is our side that is measured.
    let part = Reply { status: 200, headers: vec![("etag".into(), "\"t\"".into())], body: Bytes::new() };
    server.fault(u32::MAX, Does::Says(part), |seen| seen.call == "UploadPart");
    let done = Reply::xml("<CompleteMultipartUploadResult><ETag>\"t\"</ETag></CompleteMultipartUploadResult>");
    server.fault(1, Does::Says(done), |seen| seen.call == "CompleteMultipartUpload");
    let stream = tokio::io::AsyncReadExt::take(tokio::io::repeat(7), BYTES);
    let size = open(&server).put_stream(&key("archives/large"), Box::new(stream), WriteMode::CreateNew).await.unwrap();
    assert_eq!(size, BYTES);
    let sent: u64 = server
        .seen()
        .iter()
        .filter(|seen| seen.call == "UploadPart")
        .map(|seen| seen.headers["content-length"].parse::<u64>().unwrap())
        .sum();
    assert_eq!(sent, BYTES);
    let most = most_memory_mib();
    assert!(most < 300, "{most} MiB were held");
}

/// Blocks of noise, each with its number in it, so that no two are the same.
fn numbered_blocks(bytes: u64) -> impl Iterator<Item = Bytes> + Send {
    const BLOCK: u64 = MIB as u64;
    let block = noise(5, MIB);
    (0..bytes.div_ceil(BLOCK)).map(move |number| {
        let mut block = block.to_vec();
        block[..8].copy_from_slice(&number.to_le_bytes());
        block.truncate((bytes - number * BLOCK).min(BLOCK) as usize);
        block.into()
    })
}

/// More than one request may carry or copy in S3 (5 GiB), and more than 32 bits can count.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: npm run test:extended"]
async fn an_object_of_more_than_five_gibibytes_comes_back_whole() {
    const BYTES: u64 = (5 << 30) + 3 * MIB as u64 + 12_345;
    let server = S3Server::start().await;
    let s3 = open(&server);
    let (name, ctx) = (key("archives/large"), RunContext::silent());
    let stream = || -> ByteStream {
        let blocks = numbered_blocks(BYTES).map(std::io::Result::Ok);
        Box::new(tokio_util::io::StreamReader::new(futures::stream::iter(blocks)))
    };
    let uploaded = upload_stream(&s3, &name, stream(), Some(BYTES), WriteMode::CreateNew, &ctx).await.unwrap();
    assert_eq!(uploaded.size, BYTES);
    assert_eq!(s3.head(&name).await.unwrap().size_bytes, BYTES);
    // All of it, by checksum and by hash.
    read_back(&s3, &name, &uploaded, &ctx).await.unwrap();
    read_back(&s3, &name, &Uploaded::recorded(BYTES, uploaded.sha256.as_str()), &ctx).await.unwrap();
    // A range behind 5 GiB, across two blocks and up to the end.
    let from = (5 << 30) + 2 * MIB as u64 - 100;
    let expected: Vec<u8> = numbered_blocks(BYTES).skip(5 * 1024 + 1).flat_map(Vec::from).collect();
    let expected = &expected[MIB - 100..];
    assert!(s3.get(&name, Some(from..BYTES)).await.unwrap() == expected);
    s3.delete(&name).await.unwrap();
}
