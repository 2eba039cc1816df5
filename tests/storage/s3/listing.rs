//! Long lists, old stores, and stores that send the same page for ever.

use crate::support::{key, open, open_with};
use backstay_core::ErrorClass;
use backstay_core::destination::{Destination, WriteMode};
use backstay_lab::s3::{Does, Reply, S3Server, Seen};
use bytes::Bytes;
use std::fmt::Write;
use std::sync::Arc;

const OBJECTS: usize = 100_000;

fn page_of(seen: &Seen) -> Reply {
    let token = seen.query.get("continuation-token").or(seen.query.get("marker"));
    // The marker of the old call is the last name, the token of the new one a bare number.
    let from: usize = token.map_or(0, |token| match token.rsplit_once('/') {
        Some((_, number)) => number.parse::<usize>().unwrap() + 1,
        None => token.parse().unwrap(),
    });
    let to = (from + 1000).min(OBJECTS);
    let mut xml = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
    for number in from..to {
        write!(xml, "<Contents><Key>web/data/{number:06}</Key><Size>{number}</Size></Contents>").unwrap();
    }
    let more = to < OBJECTS;
    write!(xml, "<IsTruncated>{more}</IsTruncated>").unwrap();
    if more && seen.call == "ListObjectsV2" {
        write!(xml, "<NextContinuationToken>{to}</NextContinuationToken>").unwrap();
    }
    xml.push_str("</ListBucketResult>");
    Reply::xml(xml)
}

#[tokio::test]
async fn a_hundred_thousand_objects_are_listed_by_both_calls() {
    for list_v1 in [false, true] {
        let server = S3Server::start().await;
        server.fault(u32::MAX, Does::Makes(Arc::new(page_of)), |_| true);
        let s3 = open_with(&server, |place| {
            place.prefix = "web".into();
            place.list_v1 = list_v1;
        });
        let listed = s3.list("data/").await.unwrap();
        assert_eq!(listed.len(), OBJECTS);
        assert!(listed.iter().enumerate().all(|(number, info)| info.size_bytes == number as u64));
        assert_eq!(listed[777].key, key("data/000777"));
        assert_eq!(server.seen().len(), OBJECTS / 1000);
        assert!(server.seen().iter().all(|seen| !seen.query.contains_key("encoding-type")), "only Amazon encodes");
    }
}

#[tokio::test]
async fn a_store_that_knows_only_the_old_call_is_listed_by_it() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    for number in 0..5 {
        s3.put(&key(&format!("a/{number}")), Bytes::new(), WriteMode::CreateNew).await.unwrap();
    }
    server.refuse(u32::MAX, "ListObjectsV2", 501, "NotImplemented");
    assert_eq!(s3.list("").await.unwrap().len(), 5);
    assert_eq!(s3.list("a/").await.unwrap().len(), 5);
    assert_eq!(server.count("ListObjectsV2"), 1, "it is not asked again");
}

#[tokio::test]
async fn the_same_page_for_ever_is_an_end_with_a_name() {
    let server = S3Server::start().await;
    let same = "<?xml version=\"1.0\"?><ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents>\
                <IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>";
    server.fault(u32::MAX, Does::Says(Reply::xml(same)), |_| true);
    let error = open(&server).list("").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unsupported);
    assert!(error.message.contains("the same page again and again"), "{error}");
    assert!(server.seen().len() < 10);
}

#[tokio::test]
async fn names_of_others_are_passed_over() {
    let server = S3Server::start().await;
    let foreign = "<?xml version=\"1.0\"?><ListBucketResult><Contents><Key>web/</Key><Size>0</Size></Contents>\
        <Contents><Key>web/a//b</Key><Size>1</Size></Contents><Contents><Key>web/ok</Key><Size>2</Size></Contents>\
        <Contents><Key>webby/x</Key><Size>3</Size></Contents><Contents><Key>web/../y</Key><Size>3</Size></Contents>\
        <IsTruncated>false</IsTruncated></ListBucketResult>";
    server.fault(1, Does::Says(Reply::xml(foreign)), |_| true);
    let listed = open_with(&server, |place| place.prefix = "web".into()).list("").await.unwrap();
    assert_eq!(listed.iter().map(|info| info.key.as_str()).collect::<Vec<_>>(), ["ok"]);
}

#[tokio::test]
async fn amazon_s_encoded_names_are_read() {
    let server = S3Server::start().await;
    let encoded = "<?xml version=\"1.0\"?><ListBucketResult><EncodingType>url</EncodingType>\
        <Contents><Key>a+b%2Bc/%C3%BC</Key><Size>2</Size></Contents><IsTruncated>false</IsTruncated></ListBucketResult>";
    server.fault(1, Does::Says(Reply::xml(encoded)), |seen| seen.query.contains_key("encoding-type"));
    let listed = open_with(&server, |place| place.provider = "aws".into()).list("").await.unwrap();
    assert_eq!(listed.iter().map(|info| info.key.as_str()).collect::<Vec<_>>(), ["a b+c/ü"]);
}
