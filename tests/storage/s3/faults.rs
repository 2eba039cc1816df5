//! Lost answers, cut bodies, lies, and damage behind our back.

use crate::support::{MIB, key, open, open_with};
use backstay_core::ErrorClass;
use backstay_core::destination::{Destination, Direction, PIECE, Traffic, WriteMode};
use backstay_destinations::s3::S3;
use backstay_lab::destination_contract::noise;
use backstay_lab::proxy::FaultProxy;
use backstay_lab::s3::{Does, S3Server};
use bytes::Bytes;
use std::io::Cursor;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn a_lost_answer_does_not_make_our_own_object_another_s() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    server.fault(1, Does::LosesAnswer, |seen| seen.call == "PutObject");
    let content = noise(1, 10_000);
    let error = s3.put(&key("a"), content.clone(), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline);
    s3.put(&key("a"), content.clone(), WriteMode::CreateNew).await.expect("the second try finds its own object");
    assert_eq!(s3.get(&key("a"), None).await.unwrap(), content);
    // What another wrote meanwhile is another's, lost answer or not.
    server.fault(1, Does::HangsUp, |seen| seen.call == "PutObject");
    s3.put(&key("b"), content.clone(), WriteMode::CreateNew).await.unwrap_err();
    open(&server).put(&key("b"), noise(2, 10_000), WriteMode::CreateNew).await.unwrap();
    let error = s3.put(&key("b"), content, WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Exists);
}

#[tokio::test]
async fn a_conflict_that_came_to_nothing_is_tried_again() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    server.refuse(1, "PutObject", 409, "ConditionalRequestConflict");
    let error = s3.put(&key("a"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap_err();
    assert!(error.class.may_retry(), "{error}");
    s3.put(&key("a"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    server.refuse(1, "PutObject", 409, "ConditionalRequestConflict");
    let error = s3.put(&key("a"), Bytes::from_static(b"y"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Exists);
}

#[tokio::test]
async fn a_store_that_lies_about_tags_harms_nothing() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    server.fault(u32::MAX, Does::LiesAboutTag, |seen| seen.call != "UploadPart");
    let content = noise(3, 18 * MIB);
    s3.put(&key("small"), content.slice(..1_000), WriteMode::CreateNew).await.unwrap();
    assert_eq!(s3.get(&key("small"), None).await.unwrap(), content.slice(..1_000));
    let size =
        s3.put_stream(&key("large"), Box::new(Cursor::new(content.clone())), WriteMode::CreateNew).await.unwrap();
    assert_eq!(size, content.len() as u64);
    assert!(s3.get(&key("large"), None).await.unwrap() == content);
}

#[tokio::test]
async fn without_conditional_writes_a_look_comes_first() {
    let server = S3Server::start().await;
    server.fault(u32::MAX, Does::IgnoresCondition, |_| true);
    let s3 = open_with(&server, |place| place.conditional_writes = false);
    assert!(!s3.capabilities().atomic_create);
    s3.put(&key("a"), Bytes::from_static(b"one"), WriteMode::CreateNew).await.unwrap();
    let error = s3.put(&key("a"), Bytes::from_static(b"two"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Exists);
    assert_eq!(s3.get(&key("a"), None).await.unwrap(), "one");
    assert!(server.seen().iter().all(|seen| !seen.headers.contains_key("if-none-match")));
}

#[tokio::test]
async fn a_download_cut_anywhere_is_never_taken_for_whole() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    let content = noise(4, 300_000);
    s3.put(&key("a"), content.clone(), WriteMode::CreateNew).await.unwrap();
    for after in [0, 1, 65_536, 299_999] {
        server.fault(2, Does::CutsBody(after), |seen| seen.call == "GetObject");
        let error = s3.get(&key("a"), None).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Offline, "cut after {after}: {error}");
        let mut read = Vec::new();
        let error = match s3.get_stream(&key("a"), 0).await {
            Ok(mut stream) => {
                let error = stream.read_to_end(&mut read).await.unwrap_err();
                backstay_core::Error::io("Cannot read", error)
            }
            Err(error) => error,
        };
        assert_eq!(error.class, ErrorClass::Offline, "the class comes through the stream");
        assert!(content.starts_with(&read), "what came before is right");
        // It goes on from where it was.
        let mut rest = Vec::new();
        s3.get_stream(&key("a"), read.len() as u64).await.unwrap().read_to_end(&mut rest).await.unwrap();
        assert!([read, rest].concat() == content);
    }
}

#[tokio::test]
async fn an_upload_cut_on_the_way_leaves_nothing() {
    let server = S3Server::start().await;
    let proxy = FaultProxy::start(server.port()).await.unwrap();
    let s3 = open_with(&server, |place| place.endpoint = format!("http://127.0.0.1:{}", proxy.port()));
    proxy.set(|faults| faults.rate = Some(4 << 20));
    let content = noise(5, 8 * MIB);
    let name = key("a");
    let put = s3.put(&name, content.clone(), WriteMode::CreateNew);
    let cut = async {
        crate::support::until("the upload began", || server.count("PutObject") > 0).await;
        proxy.cut_now();
    };
    let (put, ()) = tokio::join!(put, cut);
    assert_eq!(put.unwrap_err().class, ErrorClass::Offline);
    proxy.set(|faults| faults.rate = None);
    assert_eq!(s3.list("").await.unwrap(), []);
    s3.put(&key("a"), content, WriteMode::CreateNew).await.unwrap();
}

#[tokio::test]
async fn damage_behind_our_back_is_found_and_named() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    s3.put(&key("data/aa/1"), noise(6, 10_000), WriteMode::CreateNew).await.unwrap();
    let file = server.object("data/aa/1").unwrap();
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(4_000).unwrap();
    for range in [0..10_000, 3_999..4_001, 5_000..6_000] {
        let error = s3.get(&key("data/aa/1"), Some(range.clone())).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Corrupt, "{range:?}");
        assert!(error.message.contains("it ends at byte 4000"), "{error}");
    }
    assert_eq!(s3.get_stream(&key("data/aa/1"), 4_001).await.err().unwrap().class, ErrorClass::Corrupt);
    assert_eq!(s3.head(&key("data/aa/1")).await.unwrap().size_bytes, 4_000);
    open(&server).delete(&key("data/aa/1")).await.unwrap();
    assert_eq!(s3.get(&key("data/aa/1"), Some(0..10)).await.unwrap_err().class, ErrorClass::Missing);
}

#[tokio::test]
async fn a_store_that_ignores_ranges_still_gives_the_right_bytes() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    let content = noise(7, 100_000);
    s3.put(&key("a"), content.clone(), WriteMode::CreateNew).await.unwrap();
    server.fault(u32::MAX, Does::IgnoresRange, |_| true);
    assert_eq!(s3.get(&key("a"), Some(500..900)).await.unwrap(), content.slice(500..900));
    assert_eq!(s3.get(&key("a"), Some(500..100_001)).await.unwrap_err().class, ErrorClass::Corrupt);
    let mut read = Vec::new();
    s3.get_stream(&key("a"), 77_777).await.unwrap().read_to_end(&mut read).await.unwrap();
    assert!(read == content[77_777..]);
    assert_eq!(s3.get_stream(&key("a"), 100_001).await.err().unwrap().class, ErrorClass::Corrupt);
}

#[tokio::test]
async fn content_damaged_on_the_way_is_refused_by_the_store() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    server.fault(1, Does::TakesDamaged, |seen| seen.call == "PutObject");
    let error = s3.put(&key("small"), noise(8, 5_000), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Corrupt, "{error}");
    server.fault(1, Does::TakesDamaged, |seen| seen.call == "UploadPart");
    let stream = Box::new(Cursor::new(noise(9, 18 * MIB)));
    let error = s3.put_stream(&key("large"), stream, WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Corrupt, "{error}");
    assert_eq!(s3.list("").await.unwrap(), [], "nothing of it is there");
    s3.put(&key("small"), noise(8, 5_000), WriteMode::CreateNew).await.unwrap();
}

#[tokio::test]
async fn every_upload_names_its_sum_and_is_plain() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    s3.put(&key("a"), noise(8, 5_000), WriteMode::CreateNew).await.unwrap();
    let seen = server.seen();
    let put = seen.iter().find(|seen| seen.call == "PutObject").unwrap();
    assert_eq!(put.headers["content-md5"].len(), 24, "every upload names its sum");
    assert_eq!(put.headers["content-length"], "5000");
    assert_eq!(put.headers["x-amz-content-sha256"].len(), 64, "and is signed by its content");
    assert!(!put.headers.contains_key("x-amz-trailer") && !put.headers.contains_key("x-amz-checksum-crc32"));
    assert!(!put.headers.contains_key("content-encoding"), "the body is plain");
}

#[derive(Default)]
struct Counted(Mutex<(u64, u64, usize)>);

#[async_trait::async_trait]
impl Traffic for Counted {
    async fn pass(&self, direction: Direction, bytes: usize) {
        let mut counted = self.0.lock().unwrap();
        match direction {
            Direction::Up => counted.0 += bytes as u64,
            Direction::Down => counted.1 += bytes as u64,
        }
        counted.2 = counted.2.max(bytes);
    }
}

#[tokio::test]
async fn every_byte_passes_the_traffic_in_small_pieces() {
    let server = S3Server::start().await;
    let counted = Arc::new(Counted::default());
    let s3 = S3::open("store", &server.place(), &server.login(), counted.clone()).unwrap();
    let content = noise(9, 20 * MIB);
    s3.put_stream(&key("a"), Box::new(Cursor::new(content.clone())), WriteMode::CreateNew).await.unwrap();
    let up = counted.0.lock().unwrap().0;
    assert!(up >= content.len() as u64 && up < content.len() as u64 + 10_000, "{up} bytes up");
    s3.get(&key("a"), None).await.unwrap();
    let (_, down, largest) = *counted.0.lock().unwrap();
    assert!(down >= content.len() as u64 && down < content.len() as u64 + 10_000, "{down} bytes down");
    assert_eq!(largest, PIECE);
}

#[tokio::test]
async fn nobody_there_and_no_such_name_are_told_apart() {
    let server = S3Server::start().await;
    let port = server.port();
    let gone = open(&server);
    drop(server);
    crate::support::until("the port is free", || std::net::TcpStream::connect(("127.0.0.1", port)).is_err()).await;
    let error = gone.list("").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline);
    assert!(error.message.ends_with(&format!("nothing answers at 127.0.0.1 port {port}")), "{error}");
    let server = S3Server::start().await;
    // A label of 64 letters is no name: it fails without anybody being asked.
    let host = format!("{}.invalid", "n".repeat(64));
    let s3 = open_with(&server, |place| place.endpoint = format!("http://{host}:9"));
    let error = s3.list("").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline);
    let told = format!("the address {host} was not found");
    assert!(error.message.ends_with(&told), "{error}: {:?}", error.detail);
}
