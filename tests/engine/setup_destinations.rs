//! Destinations of every sort: what is refused, where secrets go, tests step by step, changes, limits.

use crate::places::{CERTIFICATE, SECRET_KEY};
use crate::support::{World, drain, files, noise, text};
use backstay_contract::{
    BandwidthRuleView, BandwidthView, DestinationDraft, DestinationLimit, Event, FtpDraft, Limits, S3Draft,
    ServerDraft, SftpDraft,
};
use backstay_core::ErrorClass;
use backstay_core::config::{Place, S3Place};
use backstay_core::secret::{Secret, SecretName};
use backstay_lab::memory_destination::Operation;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_buckets_secret_goes_in_and_never_out() {
    let world = World::on_disk().await;
    let mut events = world.engine.subscribe();
    let draft = world.bucket("cloud");
    let test = world.engine.test_destination(draft.clone(), "test-1").await.unwrap();
    assert!(test.ok && test.found == "empty" && !test.existing, "{test:?}");
    assert_eq!((test.abilities[0].id.as_str(), test.abilities[0].state.as_str()), ("links", "yes"));
    assert_eq!(test.settled.as_ref().unwrap().path_style, Some(true));
    let heard = drain(&mut events);
    let told: Vec<_> = heard
        .iter()
        .filter_map(|event| match event {
            Event::TestStep { step } => Some((step.test.as_str(), step.step.title.clone())),
            _ => None,
        })
        .collect();
    let steps: Vec<_> = test.steps.iter().map(|step| ("test-1", step.title.clone())).collect();
    assert_eq!(told, steps, "each step is told as it ends");

    let added = world.engine.add_destination(draft).await.unwrap();
    let row = &added.destination;
    assert_eq!((row.kind.as_str(), row.place.as_str()), ("s3", "s3://bucket-cloud"));
    assert_eq!(row.provider.as_deref(), Some("The store cloud"));
    assert!(row.vault && added.created && row.copies_of.is_empty());
    let held = world.parts.secrets.held.lock().unwrap().clone();
    assert_eq!(held.get(&SecretName::destination_login(&row.id.as_str().into())), Some(&Secret::new(SECRET_KEY)));
    let shown = world.engine.destination(&row.id).await.unwrap();
    assert_eq!((shown.s3.secret_key.clone(), shown.s3.endpoint.as_str()), (None, "https://s3.eu-1.cloud.example"));

    // A change without the secret in it keeps the one that is stored.
    let renamed = DestinationDraft { name: "renamed".into(), ..shown };
    assert_eq!(world.engine.change_destination(renamed).await.unwrap().name, "renamed");
    world.write("data/a", b"content");
    let plan = world.plan("p", &row.id, vec![files(&world.path("data"))]).await;
    assert_eq!(world.back_up(&plan).await.row.state, "done");

    let everything = format!(
        "{heard:?}{:?}{:?}{:?}{:?}",
        drain(&mut events),
        world.engine.destinations().await.unwrap(),
        world.engine.overview().await.unwrap(),
        world.engine.audit(0, 1000).await.unwrap()
    );
    let mut stored = Vec::new();
    for file in ["backstay.db", "backstay.db-wal"] {
        stored.extend(std::fs::read(world.path(file)).unwrap_or_default());
    }
    assert!(stored.len() > 10_000, "the database was read");
    for secret in held.values().map(Secret::expose) {
        assert!(!everything.contains(secret), "a secret is shown");
        assert!(!contains(&stored, secret.as_bytes()), "a secret is in the database");
        for (key, object) in world.parts.buckets.of("bucket-cloud").keys().into_iter().map(|key| {
            let content = world.parts.buckets.of("bucket-cloud").object(&key).unwrap();
            (key, content)
        }) {
            assert!(!contains(&object, secret.as_bytes()), "a secret is in {key}");
        }
    }
    world.engine.remove_plan(&plan).await.unwrap();
    world.engine.confirm_recovery_kit(&row.id, 1, "no").await.unwrap();
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_key_that_is_wrong_is_named_and_kept_nowhere() {
    let world = World::new().await;
    let mut draft = world.bucket("cloud");
    draft.s3.secret_key = Some("wrong".into());
    let test = world.engine.test_destination(draft.clone(), "").await.unwrap();
    let last = test.steps.last().unwrap();
    assert!(!test.ok && last.state == "failed" && last.text.contains("secret key is wrong"), "{test:?}");
    assert_eq!(world.engine.add_destination(draft.clone()).await.unwrap_err().class, ErrorClass::Refused);
    draft.s3.secret_key = None;
    assert_eq!(world.engine.add_destination(draft).await.unwrap_err().class, ErrorClass::Invalid);
    assert!(world.parts.secrets.held.lock().unwrap().is_empty());
    assert!(world.engine.destinations().await.unwrap().is_empty());

    let id = world.engine.add_destination(world.bucket("cloud")).await.unwrap().destination.id;
    let mut changed = world.engine.destination(&id).await.unwrap();
    changed.s3.secret_key = Some("wrong".into());
    let error = world.engine.change_destination(changed).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused, "a log-in that is refused is not stored");
    let name = SecretName::destination_login(&id.as_str().into());
    assert_eq!(world.parts.secrets.held.lock().unwrap().get(&name), Some(&Secret::new(SECRET_KEY)));
    let twice = DestinationDraft { name: "again".into(), ..world.bucket("cloud") };
    assert_eq!(world.engine.add_destination(twice).await.unwrap_err().class, ErrorClass::Exists);
}

fn kept(world: &World, id: &str) -> S3Place {
    match world.parts.store.destination(&id.into()).unwrap().place {
        Place::S3(place) => place,
        other => panic!("no bucket: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_test_finds_out_holds() {
    let world = World::new().await;
    let id = world.engine.add_destination(world.bucket("cloud")).await.unwrap().destination.id;
    assert!(kept(&world, &id).checks_md5);
    world.parts.buckets.trusting.store(true, Ordering::SeqCst);
    let draft = world.engine.destination(&id).await.unwrap();
    // One that breaks off found nothing out.
    let bucket = world.parts.buckets.of("bucket-cloud");
    bucket.fail_operation(Operation::Put, 1, ErrorClass::Offline);
    assert!(!world.engine.test_destination(draft.clone(), "").await.unwrap().ok);
    assert!(kept(&world, &id).checks_md5);
    assert!(world.engine.test_destination(draft.clone(), "").await.unwrap().ok);
    assert!(!kept(&world, &id).checks_md5, "it must be read back from now on");
    assert_eq!(world.parts.buckets.opened_once.load(Ordering::SeqCst), 2, "nothing is tried again in a test");
    let renamed = DestinationDraft { name: "renamed".into(), ..draft };
    world.engine.change_destination(renamed).await.unwrap();
    assert!(!kept(&world, &id).checks_md5);
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_are_checked_before_anything_is_reached() {
    let world = World::new().await;
    let s3 = |change: &dyn Fn(&mut S3Draft)| {
        let mut draft = world.bucket("x");
        change(&mut draft.s3);
        draft
    };
    let ftp = |ftp: FtpDraft| DestinationDraft { name: "f".into(), kind: "ftp".into(), ftp, ..Default::default() };
    let sftp = |sftp: SftpDraft| DestinationDraft { name: "s".into(), kind: "sftp".into(), sftp, ..Default::default() };
    let server = ServerDraft { host: "nas".into(), user: "me".into(), ..ServerDraft::default() };
    let good_ftp = FtpDraft { host: "nas".into(), user: "me".into(), ..FtpDraft::default() };
    let bad = [
        DestinationDraft { kind: "tape".into(), ..Default::default() },
        DestinationDraft { path: "relative".into(), ..Default::default() },
        s3(&|s3| s3.provider = "nobody".into()),
        s3(&|s3| s3.region = String::new()),
        s3(&|s3| s3.region = "mars-1".into()),
        s3(&|s3| s3.bucket = "a".into()),
        s3(&|s3| s3.bucket = "with/slash".into()),
        s3(&|s3| s3.prefix = "a/../b".into()),
        s3(&|s3| s3.prefix = "a".repeat(124)),
        s3(&|s3| s3.endpoint = "ftp://store".into()),
        s3(&|s3| s3.endpoint = "https://user:pass@store".into()),
        s3(&|s3| s3.endpoint = "https://store/bucket".into()),
        s3(&|s3| (s3.provider, s3.endpoint) = ("generic".into(), String::new())),
        s3(&|s3| s3.access_key = " ".into()),
        s3(&|s3| s3.ca_pem = Some("no certificate".into())),
        s3(&|s3| s3.pinned_certificate = Some("12:34".into())),
        s3(&|s3| s3.storage_class = Some("FREEZER".into())),
        s3(&|s3| s3.encryption = Some("rot13".into())),
        s3(&|s3| s3.kms_key = Some("key".into())),
        s3(&|s3| s3.lock_days = Some(40_000)),
        s3(&|s3| (s3.lock_days, s3.lock_mode) = (Some(3), Some("MAYBE".into()))),
        ftp(FtpDraft { host: String::new(), ..good_ftp.clone() }),
        ftp(FtpDraft { host: "a/b".into(), ..good_ftp.clone() }),
        ftp(FtpDraft { user: String::new(), ..good_ftp.clone() }),
        ftp(FtpDraft { tls: "perhaps".into(), ..good_ftp.clone() }),
        ftp(FtpDraft { path: "a/../..".into(), ..good_ftp.clone() }),
        ftp(FtpDraft { pinned_certificate: Some("12:34".into()), ..good_ftp }),
        sftp(SftpDraft { path: "/srv".into(), ..SftpDraft::default() }),
        sftp(SftpDraft { server: Some("this-computer".into()), path: "/srv".into(), ssh: None }),
        sftp(SftpDraft {
            ssh: Some(ServerDraft { sudo: "without_password".into(), ..server }),
            ..SftpDraft::default()
        }),
    ];
    for draft in bad {
        let error = world.engine.test_destination(draft.clone(), "").await.expect_err(&format!("{draft:?}"));
        assert_eq!(error.class, ErrorClass::Invalid, "{draft:?}: {error}");
    }
    assert_eq!(world.parts.buckets.opened.load(Ordering::SeqCst), 0);

    // What can be mended is mended: a prefix's slashes, a host without a scheme.
    let mut draft = world.bucket("good");
    (draft.s3.prefix, draft.s3.provider, draft.s3.region) = ("/a//b/".into(), "generic".into(), String::new());
    draft.s3.endpoint = "store.example:9000/".into();
    let id = world.engine.add_destination(draft).await.unwrap().destination.id;
    let Place::S3(place) = world.parts.store.destination(&id.as_str().into()).unwrap().place else {
        panic!("no bucket")
    };
    assert_eq!((place.prefix.as_str(), place.endpoint.as_str()), ("a/b", "https://store.example:9000"));
    assert!(place.conditional_writes && place.path_style, "what its test found out holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_nobody_vouches_for_must_be_accepted() {
    let world = World::new().await;
    let ftp = FtpDraft { host: "nas".into(), user: "me".into(), password: Some("pass".into()), ..FtpDraft::default() };
    let draft = DestinationDraft { name: "f".into(), kind: "ftp".into(), ftp, ..Default::default() };
    let test = world.engine.test_destination(draft.clone(), "").await.unwrap();
    assert_eq!(test.certificate.as_deref(), Some(CERTIFICATE));
    assert_eq!((test.steps.len(), test.steps[0].state.as_str()), (1, "failed"));
    assert_eq!(test.steps[0].text, "It has expired: CN=ftp.example");
    let mut pinned = draft;
    pinned.ftp.pinned_certificate = Some(CERTIFICATE.to_uppercase());
    let test = world.engine.test_destination(pinned.clone(), "").await.unwrap();
    assert_eq!(test.certificate, None);
    assert!(test.steps.last().unwrap().text.contains("no network"), "{test:?}");
    pinned.ftp.tls = "none".into();
    let test = world.engine.test_destination(pinned, "").await.unwrap();
    assert!(test.steps[0].state == "note" && test.steps[0].text.contains("readable for everyone"), "{test:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_says_which_certificate_it_accepts() {
    let world = World::new().await;
    let id = world.engine.add_destination(world.bucket("cloud")).await.unwrap().destination.id;
    for certificate in [CERTIFICATE.to_owned(), "ab".repeat(32), "ab".repeat(32)] {
        let mut draft = world.engine.destination(&id).await.unwrap();
        draft.s3.pinned_certificate = Some(certificate);
        world.engine.change_destination(draft).await.unwrap();
    }
    let rows = world.engine.audit(0, 100).await.unwrap().rows;
    let mut said: Vec<_> = rows.into_iter().filter(|row| row.action == "certificate.accept").collect();
    said.sort_by_key(|row| row.seq);
    let [first, second] = said.as_slice() else { panic!("{said:?}") };
    assert!(first.subject.starts_with("cloud: https://") && first.subject.ends_with(CERTIFICATE), "{first:?}");
    assert!(second.subject.ends_with(&format!("{}, instead of {CERTIFICATE}", "ab".repeat(32))), "{second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_without_a_vault_has_no_kit_and_another_place_is_another_destination() {
    let world = World::new().await;
    let draft = DestinationDraft { use_for: "none".into(), ..world.bucket("plain") };
    let added = world.engine.add_destination(draft).await.unwrap();
    assert!(added.kit.is_none() && !added.destination.vault && added.destination.state == "ok", "{added:?}");
    assert!(world.parts.buckets.of("bucket-plain").keys().is_empty(), "nothing is made there");
    let id = &added.destination.id;
    assert_eq!(world.engine.recovery_kit(id).await.unwrap_err().class, ErrorClass::Invalid);
    let mut moved = world.engine.destination(id).await.unwrap();
    assert_eq!(moved.use_for, "none");
    moved.s3.prefix = "elsewhere".into();
    assert_eq!(world.engine.change_destination(moved).await.unwrap_err().class, ErrorClass::Invalid);

    // Other files do not hinder archives, but a vault needs the place for itself.
    world.write("shared/other.txt", b"x");
    let local = DestinationDraft { name: "shared".into(), path: text(&world.path("shared")), ..Default::default() };
    assert!(!world.engine.test_destination(local.clone(), "").await.unwrap().ok);
    let for_archives = DestinationDraft { use_for: "none".into(), ..local };
    assert!(world.engine.test_destination(for_archives.clone(), "").await.unwrap().ok);
    world.engine.add_destination(for_archives).await.unwrap();
    let made = world.engine.make_bucket(world.bucket("new")).await.unwrap();
    assert!(made.ok && made.steps[0].title == "Make bucket-new");
}

fn limit(bytes_per_second: Option<u64>) -> BandwidthView {
    BandwidthView { bytes_per_second, rules: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_checked_kept_and_hold_at_once() {
    let world = World::new().await;
    let id = world.engine.add_destination(world.bucket("cloud")).await.unwrap().destination.id;
    let rule = BandwidthRuleView { days: vec![0, 6], from_minute: 60, to_minute: 30, bytes_per_second: Some(0) };
    let bad = [
        limit(Some(10)),
        BandwidthView { rules: vec![BandwidthRuleView { days: vec![7], ..rule.clone() }], ..limit(None) },
        BandwidthView { rules: vec![BandwidthRuleView { days: vec![], ..rule.clone() }], ..limit(None) },
        BandwidthView { rules: vec![BandwidthRuleView { from_minute: 1440, ..rule.clone() }], ..limit(None) },
    ];
    for all in bad {
        let error = world.engine.save_limits(Limits { all, destinations: Vec::new() }).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid);
    }
    let one =
        DestinationLimit { destination: id.clone(), bandwidth: BandwidthView { rules: vec![rule], ..limit(None) } };
    let kept = Limits { all: limit(Some(5 << 20)), destinations: vec![one.clone()] };
    assert_eq!(world.engine.save_limits(kept.clone()).await.unwrap(), kept);
    assert_eq!(world.engine.limits().await.unwrap(), kept);
    assert_eq!(world.engine.destinations().await.unwrap()[0].bandwidth, one.bandwidth);

    // At 4 KiB a second this backup takes minutes; lifted, it ends within the test's patience.
    let slow = DestinationLimit { bandwidth: limit(Some(4 << 10)), ..one };
    let free = DestinationLimit { bandwidth: limit(None), ..slow.clone() };
    world.engine.save_limits(Limits { all: limit(None), destinations: vec![slow] }).await.unwrap();
    let noise: Vec<u8> = (0..800_000_u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    world.write("data/noise", &noise);
    let plan = world.plan("p", &id, vec![files(&world.path("data"))]).await;
    let run = world.engine.start_backup(&plan).await.unwrap();
    let mut reading = false;
    for _ in 0..400 {
        let row = world.engine.run(&run).await.unwrap().row;
        assert!(matches!(row.state.as_str(), "waiting" | "running"), "{:?}", row.error);
        reading |= row.progress.is_some_and(|progress| matches!(progress.phase.as_str(), "reading" | "saving"));
        if reading {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert!(reading, "it got as far as its data");
    world.engine.save_limits(Limits { all: limit(None), destinations: vec![free] }).await.unwrap();
    assert_eq!(world.end(&run).await.row.state, "done");
}

/// How long 2.9 MiB take to a bucket under these limits: for everything, and its own.
async fn backup_takes(all: BandwidthView, bandwidth: BandwidthView) -> Duration {
    let world = World::new().await;
    let destination = world.add(world.bucket("cloud")).await;
    world.write("data/noise", &noise(1, 3_000_000));
    let plan = world.plan("p", &destination, vec![files(&world.path("data"))]).await;
    let own = DestinationLimit { destination, bandwidth };
    world.engine.save_limits(Limits { all, destinations: vec![own] }).await.unwrap();
    let began = Instant::now();
    world.backed_up(&plan).await;
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_for_everything_and_the_rule_of_the_hour_hold_for_a_run() {
    let hourly = |bytes_per_second| {
        let days: Vec<u8> = (0..7).collect();
        let rule = |hour: u16| BandwidthRuleView {
            days: days.clone(),
            from_minute: hour * 60,
            to_minute: (hour + 1) * 60,
            bytes_per_second,
        };
        BandwidthView { rules: (0..24).map(rule).collect(), ..limit(None) }
    };
    let least = Duration::from_secs(2);
    let took = backup_takes(limit(Some(1 << 20)), limit(None)).await;
    assert!(took >= least, "at 1 MiB a second for everything: {took:?}");
    let took = backup_takes(limit(None), hourly(Some(1 << 20))).await;
    assert!(took >= least, "at 1 MiB a second in each hour: {took:?}");
    // What holds in no hour would take most of one.
    let free = BandwidthView { bytes_per_second: Some(1024), ..hourly(None) };
    backup_takes(free.clone(), free).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_completed_or_deleted_while_a_place_is_read_anew_stays_so() {
    let world = World::new().await;
    let id = world.engine.add_destination(world.bucket("cloud")).await.unwrap().destination.id;
    world.write("data/a", b"content");
    let plan = world.plan("p", &id, vec![files(&world.path("data"))]).await;
    let first = world.back_up(&plan).await.row.backup.unwrap();
    let second = world.back_up(&plan).await.row.backup.unwrap();
    let store = &world.parts.store;
    let known = store.backup(&first.as_str().into()).unwrap().remove(0);
    let mut completed = known.clone();
    completed.record.id = "0123456789abcdef".into();
    // As a run and a click do while the list is on its way.
    world.parts.buckets.of("bucket-cloud").set_delay(Some(Duration::from_millis(300)));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(450)).await;
        store.put_backup(&completed).unwrap();
        store.delete_backup(&known.record.id, &known.destination).unwrap();
    };
    let (count, ()) = tokio::join!(world.engine.refresh_destination(&id), meanwhile);
    assert_eq!(count.unwrap(), 2);
    let there = |id: &str| store.backup(&id.into()).is_ok_and(|copies| !copies.is_empty());
    assert_eq!([there("0123456789abcdef"), there(&first), there(&second)], [true, false, true]);
    // The place itself tells the truth the next time.
    world.parts.buckets.of("bucket-cloud").set_delay(None);
    assert_eq!(world.engine.refresh_destination(&id).await.unwrap(), 2);
    assert_eq!([there("0123456789abcdef"), there(&first), there(&second)], [false, true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_does_not_answer_holds_up_no_other() {
    let world = World::new().await;
    let slow = world.engine.add_destination(world.bucket("slow")).await.unwrap().destination.id;
    let quick = world.engine.add_destination(world.bucket("quick")).await.unwrap().destination.id;
    world.parts.buckets.of("bucket-slow").set_delay(Some(Duration::from_secs(600)));
    let engine = world.engine.clone();
    let waiting = tokio::spawn(async move { engine.refresh_destination(&slow).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let read = tokio::time::timeout(Duration::from_secs(60), world.engine.refresh_destination(&quick)).await;
    assert_eq!(read.expect("it must not wait for the other").unwrap(), 0);
    assert!(!waiting.is_finished());
    waiting.abort();
}
