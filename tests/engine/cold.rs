//! Archives in a bucket: what cold classes ask for, links for anybody, and what deleting early costs.

mod at_hand;

use crate::support::*;
use backstay_contract::{DestinationDraft, Event, RestoreRequest, RunDetail, S3Draft};
use backstay_core::ErrorClass;
use backstay_destinations::s3::make_bucket;
use backstay_lab::s3::{Moto, S3Server, fetch};
use chrono::TimeDelta;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Makes a destination of a bucket and a plan that writes archives into it; returns their ids.
async fn archives_into(world: &World, s3: S3Draft) -> (String, String) {
    world.patient().await;
    for n in 0..4 {
        world.write(&format!("data/file-{n}"), &noise(n, 200_000));
    }
    let draft = DestinationDraft {
        name: "bucket".into(),
        kind: "s3".into(),
        s3,
        use_for: "none".into(),
        ..DestinationDraft::default()
    };
    // As the wizard does: the test finds out what the store can do.
    let test = world.engine.test_destination(draft.clone(), "first").await.unwrap();
    let failed: Vec<&str> =
        test.steps.iter().filter(|step| step.state == "failed").map(|step| step.title.as_str()).collect();
    assert!(failed.is_empty(), "{test:?}");
    let place = world.add(draft).await;
    let plan = world.plan_of_data(std::slice::from_ref(&place), archives_sealed_by("none")).await;
    (place, plan)
}

async fn download(world: &World, backup: &str) -> RunDetail {
    world.download(world.download_request(vec![backup.into()], "as_is")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_moto_a_cold_archive_is_asked_for_waited_for_and_fetched() {
    let Some(moto) = tokio::task::spawn_blocking(Moto::start).await.unwrap() else { return };
    let bucket = moto.place("cold");
    moto.thaw_takes(Duration::from_secs(100_000));
    let made = make_bucket(&bucket, &moto.login(), &|_| {}).await;
    assert!(made.iter().all(|step| step.ok), "{made:?}");
    let world = World::new().await;
    let s3 = S3Draft {
        provider: "generic".into(),
        region: bucket.region,
        endpoint: bucket.endpoint,
        bucket: bucket.bucket,
        access_key: bucket.access_key,
        secret_key: Some(moto.login().secret.unwrap().expose().to_owned()),
        path_style: Some(true),
        // What lies in a cold class cannot be read back: the store must check what it takes.
        checksums: Some(true),
        storage_class: Some("GLACIER".into()),
        ..S3Draft::default()
    };
    let (place, plan) = archives_into(&world, s3).await;
    let engine = &world.engine;
    let backup = world.backed_up(&plan).await;
    let copy = engine.backup(&backup).await.unwrap().copies.remove(0);
    assert_eq!((copy.state.as_str(), copy.links), ("frozen", true), "{copy:?}");
    assert!(copy.cost_note.unwrap().ends_with("keeps charging for 90 days"));

    // Nobody asked for it: whatever wants to read says so, and what to do.
    let request = RestoreRequest {
        backup: backup.clone(),
        paths: Vec::new(),
        server: "this-computer".into(),
        target: Some(text(&world.path("restored"))),
        mode: "merge".into(),
        ..RestoreRequest::default()
    };
    let frozen = engine.plan_restore(request).await.unwrap_err();
    assert_eq!(frozen.class, ErrorClass::Locked, "{frozen}");
    assert!(frozen.hint.unwrap().contains("Thaw"));
    let run = download(&world, &backup).await;
    let error = run.row.error.unwrap();
    assert_eq!((run.row.state.as_str(), error.code.as_str()), ("failed", "locked"), "{error:?}");
    assert_eq!(engine.make_link(&backup, &place, 60).await.unwrap_err().class, ErrorClass::Locked);
    assert_eq!(engine.thaw_backup(&backup, &place, 31).await.unwrap_err().class, ErrorClass::Invalid);

    // Asked for, a download waits until it is there, and is whole.
    let mut events = engine.subscribe();
    moto.thaw_takes(Duration::from_secs(4));
    let limit = Instant::now() + Duration::from_secs(60);
    while engine.thaw_backup(&backup, &place, 3).await.unwrap().state != "thawing" {
        assert!(Instant::now() < limit, "moto does not begin");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let run = download(&world, &backup).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    let waited = |event: &Event| matches!(event, Event::Progress { progress } if progress.phase == "thawing");
    assert!(drain(&mut events).iter().any(waited), "it was not ready at once: {:?}", run.log);
    let file = PathBuf::from(run.row.result.unwrap());
    let fetched = std::fs::read(&file).unwrap();
    assert_eq!(engine.backup(&backup).await.unwrap().copies[0].state, "there");
    let link = engine.make_link(&backup, &place, 60).await.unwrap();
    let (status, body) = fetch(&link.url).await;
    assert!(status == 200 && body.ends_with(&fetched), "{status}");

    // Deleting it now is billed all the same, and is said before.
    let preview = engine.delete_preview(&backup, Vec::new()).await.unwrap();
    assert!(preview.notes.iter().any(|note| note.contains("Billed until")), "{:?}", preview.notes);
    let log = engine.audit(0, 100).await.unwrap().rows;
    let told = |action: &str, outcome: &str| log.iter().any(|row| row.action == action && row.outcome == outcome);
    assert!(told("backup.thaw", "ok") && told("backup.link", "ok") && told("backup.link", "locked"), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_made_by_the_engine_opens_the_archive_for_anybody() {
    let server = S3Server::start().await;
    let bucket = server.place();
    let world = World::new().await;
    let secret = server.login().secret.unwrap().expose().to_owned();
    let s3 = S3Draft {
        provider: "generic".into(),
        region: bucket.region,
        endpoint: bucket.endpoint,
        bucket: bucket.bucket,
        prefix: bucket.prefix,
        access_key: bucket.access_key,
        secret_key: Some(secret.clone()),
        path_style: Some(true),
        ..S3Draft::default()
    };
    let (place, plan) = archives_into(&world, s3).await;
    let backup = world.backed_up(&plan).await;
    let before = world.engine.backup(&backup).await.unwrap().copies.remove(0);
    assert_eq!((before.state.as_str(), before.cost_note), ("there", None));
    let link = world.engine.make_link(&backup, &place, 10).await.unwrap();
    assert!(!link.sealed && link.url.contains("X-Amz-Expires=600") && !link.url.contains(&secret), "{}", link.file);
    assert_eq!(Some(link.file), before.file);
    let run = download(&world, &backup).await;
    assert_eq!(run.row.state, "done", "{:?}", run.row.error);
    let fetched = std::fs::read(run.row.result.unwrap()).unwrap();
    let (status, body) = fetch(&link.url).await;
    assert!(status == 200 && body.ends_with(&fetched), "{status}");
    // The address is the only secret there is, and it is nowhere kept.
    let log = world.engine.audit(0, 100).await.unwrap().rows;
    assert!(log.iter().all(|row| !row.subject.contains("X-Amz")), "{log:?}");
    for minutes in [9, 7 * 24 * 60 + 1] {
        let error = world.engine.make_link(&backup, &place, minutes).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_deleting_early_costs_is_said_until_it_costs_nothing() {
    let world = World::new().await;
    let s3 = S3Draft { provider: "keeps".into(), region: String::new(), ..world.bucket("costly").s3 };
    let (_, plan) = archives_into(&world, s3).await;
    let backup = world.backed_up(&plan).await;
    let note = |days: i64| {
        let (world, backup) = (&world, backup.clone());
        async move {
            world.parts.clock.jump(TimeDelta::days(days));
            world.engine.backup(&backup).await.unwrap().copies.remove(0).cost_note
        }
    };
    let first = note(0).await.unwrap();
    assert!(first.contains("The store keeps keeps charging for 30 days"), "{first}");
    assert_eq!(note(29).await, Some(first));
    assert_eq!(note(2).await, None, "31 days later");
    let preview = world.engine.delete_preview(&backup, Vec::new()).await.unwrap();
    assert!(!preview.notes.iter().any(|note| note.contains("Billed")), "{:?}", preview.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_too_says_what_removing_early_costs() {
    let world = World::new().await;
    world.patient().await;
    world.write("data/file", b"content");
    let s3 = S3Draft { provider: "keeps".into(), region: String::new(), ..world.bucket("costly").s3 };
    let draft = DestinationDraft { name: "costly".into(), kind: "s3".into(), s3, ..DestinationDraft::default() };
    let row = world.engine.add_destination(draft).await.unwrap().destination;
    assert!(row.early_note.unwrap().starts_with("The store keeps bills whatever is removed within 30 days"));
    assert!(world.engine.early_note(&row.id).unwrap().is_some());
    let plan = world.plan("web", &row.id, vec![files(&world.path("data"))]).await;
    let backup = world.backed_up(&plan).await;
    let preview = world.engine.delete_preview(&backup, Vec::new()).await.unwrap();
    assert!(preview.notes.iter().any(|note| note.contains("billed until")), "{:?}", preview.notes);
    world.parts.clock.jump(TimeDelta::days(31));
    let preview = world.engine.delete_preview(&backup, Vec::new()).await.unwrap();
    assert!(!preview.notes.iter().any(|note| note.contains("billed until")), "{:?}", preview.notes);
    let vault = world.vault().await;
    assert_eq!(world.engine.early_note(&vault).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn lab_moto_a_clean_up_rule_is_set_and_told_as_the_bucket_has_it() {
    let Some(moto) = tokio::task::spawn_blocking(Moto::start).await.unwrap() else { return };
    let bucket = moto.place("tidy");
    assert!(make_bucket(&bucket, &moto.login(), &|_| {}).await.iter().all(|step| step.ok));
    let world = World::new().await;
    let s3 = S3Draft {
        provider: "generic".into(),
        region: bucket.region,
        endpoint: bucket.endpoint,
        bucket: bucket.bucket,
        prefix: "of-ours".into(),
        access_key: bucket.access_key,
        secret_key: Some(moto.login().secret.unwrap().expose().to_owned()),
        path_style: Some(true),
        ..S3Draft::default()
    };
    let (place, _) = archives_into(&world, s3).await;
    let rule = world.engine.set_cleanup_rule(&place).await.unwrap();
    assert_eq!((rule.upload_days, rule.version_days), (7, Some(30)));
    assert_eq!(rule.text, "Unfinished uploads go after 7 days, old versions after 30 days");
    let log = world.engine.audit(0, 100).await.unwrap().rows;
    assert!(log.iter().any(|row| row.action == "destination.cleanup_rule" && row.outcome == "ok"), "{log:?}");
    let vault = world.vault().await;
    assert_eq!(world.engine.set_cleanup_rule(&vault).await.unwrap_err().class, ErrorClass::Invalid);
}
