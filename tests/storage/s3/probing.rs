//! The test of a bucket finds out what a store does, and leaves nothing behind.

use crate::support::open;
use backstay_core::config::{Place, S3Place};
use backstay_core::destination::{Destination, Key, WriteMode};
use backstay_destinations::s3::{make_bucket, probe};
use backstay_destinations::{ProbeStep, Probed, look};
use backstay_lab::s3::{Does, Reply, S3Server, Seen};
use bytes::Bytes;
use std::sync::Mutex;

async fn test(server: &S3Server, change: impl FnOnce(&mut S3Place)) -> Probed {
    // As the wizard begins: nothing is known of the store.
    let mut place = S3Place { conditional_writes: false, checks_md5: false, ..server.place() };
    change(&mut place);
    let told = Mutex::new(Vec::new());
    let probed = probe("store", &place, &server.login(), &|step: ProbeStep| told.lock().unwrap().push(step)).await;
    assert_eq!(*told.lock().unwrap(), probed.steps, "every step is told as it ends");
    assert!(server.unfinished() == 0, "no upload stays");
    probed
}

fn step<'a>(probed: &'a Probed, title: &str) -> &'a ProbeStep {
    let found = probed.steps.iter().find(|step| step.title == title);
    found.unwrap_or_else(|| panic!("no step \"{title}\" in {:#?}", probed.steps))
}

fn state<'a>(probed: &'a Probed, id: &str) -> &'a str {
    &probed.abilities.iter().find(|ability| ability.id == id).unwrap().state
}

#[tokio::test]
async fn a_bucket_that_is_there_is_not_made_and_keeps_its_settings() {
    let server = S3Server::start().await;
    let steps = make_bucket(&server.place(), &server.login(), &|_| {}).await;
    let [step] = steps.as_slice() else { panic!("{steps:#?}") };
    assert!(step.ok && step.note && step.text.contains("left as they are"), "{step:?}");
    assert!(step.hint.as_ref().is_some_and(|hint| hint.contains("Set the clean-up rule")), "{step:?}");
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.method == "HEAD"), "nothing is set: {seen:#?}");
}

#[tokio::test]
async fn a_good_store_passes_and_settles() {
    let server = S3Server::start().await;
    let probed = test(&server, |place| place.prefix = "web".into()).await;
    assert!(probed.steps.iter().all(|step| step.ok), "{:#?}", probed.steps);
    assert_eq!(
        probed.steps.iter().map(|step| step.title.as_str()).collect::<Vec<_>>(),
        [
            "Reach the bucket",
            "Compare the clocks",
            "Read the bucket's settings",
            "Write a file",
            "Refuse a wrong sum",
            "Read it back",
            "Read a part of it",
            "Open a temporary link",
            "Try newer checksums",
            "Never overwrite by accident",
            "Upload in parts",
            "List what is there",
            "Delete it",
        ]
    );
    let settled = probed.settled.clone().unwrap();
    assert!(settled.conditional_writes && settled.checks_md5 && settled.path_style && !settled.list_v1);
    assert!(!settled.checksums, "off unless asked for");
    for (id, wanted) in
        [("conditional_writes", "yes"), ("ranges", "yes"), ("resume", "yes"), ("versioning", "no"), ("links", "yes")]
    {
        assert_eq!(state(&probed, id), wanted, "{id}");
    }
    assert!(step(&probed, "Reach the bucket").note, "http is worth a note");
    assert_eq!(open(&server).list("").await.unwrap(), [], "nothing is left behind");
}

#[tokio::test]
async fn a_careless_store_is_found_out() {
    let server = S3Server::start().await;
    server.fault(u32::MAX, Does::IgnoresCondition, |seen| seen.headers.contains_key("if-none-match"));
    server.fault(u32::MAX, Does::IgnoresSums, |seen| seen.path.ends_with("/wrong-sum"));
    server.refuse(u32::MAX, "ListObjectsV2", 501, "NotImplemented");
    server.fault(u32::MAX, Does::Says(Reply::error(400, "InvalidArgument", "Unsupported header")), |seen| {
        seen.headers.contains_key("x-amz-checksum-crc32")
    });
    let probed = test(&server, |place| place.checksums = false).await;
    let settled = probed.settled.clone().unwrap();
    assert!(!settled.conditional_writes && !settled.checks_md5 && !settled.checksums && settled.list_v1);
    assert_eq!(state(&probed, "conditional_writes"), "no");
    for title in ["Never overwrite by accident", "Refuse a wrong sum"] {
        assert!(step(&probed, title).ok && step(&probed, title).note, "{title} is a note, not a failure");
    }
    assert!(step(&probed, "Try newer checksums").text.starts_with("The store refuses them"));
    server.behave();
    assert_eq!(open(&server).list("").await.unwrap(), []);
}

#[tokio::test]
async fn checksums_that_are_refused_are_turned_off() {
    let server = S3Server::start().await;
    server.fault(u32::MAX, Does::Says(Reply::error(400, "InvalidArgument", "no such header")), |seen| {
        seen.headers.contains_key("x-amz-checksum-crc32") && seen.path.ends_with("/checksums")
    });
    let probed = test(&server, |place| place.checksums = true).await;
    assert!(!probed.settled.unwrap().checksums);
    let server = S3Server::start().await;
    assert!(test(&server, |place| place.checksums = true).await.settled.unwrap().checksums);
}

#[tokio::test]
async fn each_lacking_right_fails_its_own_step() {
    for (call, title) in [
        ("ListObjectsV2", "List what is there"),
        ("PutObject", "Write a file"),
        ("DeleteObject", "Delete it"),
        ("GetObject", "Read it back"),
    ] {
        let server = S3Server::start().await;
        let denied = Does::Says(Reply::error(403, "AccessDenied", "no"));
        server.fault(u32::MAX, denied, move |seen| {
            seen.call == call || (call == "ListObjectsV2" && seen.call == "ListObjects")
        });
        let probed = test(&server, |_| {}).await;
        assert!(step(&probed, "Reach the bucket").ok, "{call}");
        let failed = step(&probed, title);
        assert!(!failed.ok && failed.text.contains("this key may not"), "{call}: {failed:?}");
    }
}

#[tokio::test]
async fn old_versions_that_cannot_be_seen_do_not_pass_for_none() {
    const ENABLED: &str = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                           <Status>Enabled</Status></VersioningConfiguration>";
    let server = S3Server::start().await;
    server.fault(u32::MAX, Does::Says(Reply::xml(ENABLED)), |seen| seen.call == "GetBucketVersioning");
    server.refuse(u32::MAX, "ListObjectVersions", 403, "AccessDenied");
    let probed = test(&server, |_| {}).await;
    let delete = step(&probed, "Delete it");
    assert!(delete.ok && delete.note && delete.text.contains("cannot see"), "{delete:?}");
    assert!(delete.hint.as_ref().unwrap().contains("s3:ListBucketVersions"), "{delete:?}");
    let [note] = probed.cost_notes.as_slice() else { panic!("{:?}", probed.cost_notes) };
    assert!(note.contains("only hides what it deletes"), "{note}");
    // A bucket that never kept versions has none, whoever asks.
    let server = S3Server::start().await;
    server.refuse(u32::MAX, "ListObjectVersions", 403, "AccessDenied");
    let probed = test(&server, |_| {}).await;
    assert!(!step(&probed, "Delete it").note, "{probed:?}");
}

#[tokio::test]
async fn links_are_tried_and_not_believed() {
    let server = S3Server::start().await;
    let denied = Does::Says(Reply::error(403, "AccessDenied", "no"));
    server.fault(u32::MAX, denied, |seen| seen.query.contains_key("X-Amz-Signature"));
    let probed = test(&server, |_| {}).await;
    let link = step(&probed, "Open a temporary link");
    assert!(link.ok && link.note, "it hinders no backup: {link:?}");
    assert_eq!(state(&probed, "links"), "no");
    let server = S3Server::start().await;
    test(&server, |_| {}).await;
    let opened = server.seen().into_iter().find(|seen| seen.query.contains_key("X-Amz-Signature")).unwrap();
    assert!(opened.call == "GetObject" && !opened.headers.contains_key("authorization"), "{opened:?}");
}

#[tokio::test]
async fn a_look_reads_and_writes_nothing() {
    let server = S3Server::start().await;
    let s3 = open(&server);
    s3.put(&Key::new("config").unwrap(), Bytes::from(vec![7; 300]), WriteMode::CreateNew).await.unwrap();
    server.forget();
    let denied = Does::Says(Reply::error(403, "AccessDenied", "no"));
    server.fault(u32::MAX, denied, |seen| seen.method != "GET" && seen.method != "HEAD");
    let place = Place::S3(server.place());
    let looked = look(&place, &s3, &|_| {}).await;
    assert!(looked.steps.iter().all(|step| step.ok), "{:#?}", looked.steps);
    assert_eq!(step(&looked, "Read a file").text, "300 B read");
    assert!(step(&looked, "Read a part of it").ok && looked.settled.unwrap().path_style);
    assert!(server.seen().iter().all(|seen| seen.method == "GET" || seen.method == "HEAD"), "{:?}", server.seen());
    // However much a vault holds, a look at it lists none of that.
    let whole = |seen: &Seen| seen.call == "ListObjectsV2" && !seen.query.contains_key("max-keys");
    let listed = server.seen().into_iter().filter(whole);
    let asked: Vec<_> = listed.filter_map(|seen| seen.query.get("prefix").cloned()).collect();
    assert!(asked.iter().all(|prefix| !prefix.is_empty() && !prefix.starts_with("data")), "{asked:?}");
    server.refuse(u32::MAX, "GetObject", 403, "AccessDenied");
    let looked = look(&place, &s3, &|_| {}).await;
    assert!(!step(&looked, "Read a file").ok, "{:#?}", looked.steps);
}

#[tokio::test]
async fn what_cannot_be_reached_ends_the_test_with_its_reason() {
    let server = S3Server::start().await;
    let probed = test(&server, |place| place.bucket = "elsewhere".into()).await;
    assert_eq!(probed.steps.len(), 1);
    assert!(probed.steps[0].text.ends_with("there is no bucket \"elsewhere\""));
    assert!(probed.settled.is_none());
    let mut login = server.login();
    login.secret = Some(backstay_core::Secret::new("wrong"));
    let probed = probe("store", &server.place(), &login, &|_| {}).await;
    assert!(!probed.steps[0].ok && probed.steps[0].text.contains("the secret key does not fit"));
}

#[tokio::test]
async fn a_wrong_clock_is_a_step_of_its_own() {
    let server = S3Server::start().await;
    server.skew(-5 * 60);
    let probed = test(&server, |_| {}).await;
    let clock = step(&probed, "Compare the clocks");
    assert!(clock.ok && clock.note && clock.text.contains("ahead of the store's"), "{clock:?}");
    server.skew(3600);
    let probed = test(&server, |_| {}).await;
    assert!(!step(&probed, "Compare the clocks").ok);
}
