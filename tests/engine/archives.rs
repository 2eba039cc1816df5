//! Archives through the whole engine: made at several places from one read, listed, restored, fetched as they are, damaged.

mod cut_deletions;
mod lost;
mod rotten;

use crate::support::*;
use backstay_contract::LayoutDraft;
use backstay_core::ErrorClass;
use backstay_lab::MemoryDestination;
use backstay_lab::memory_destination::Operation;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// A plan of some files, written as sealed archives to two buckets.
async fn pair() -> Pair {
    pair_in(World::new().await).await
}

async fn pair_in(world: World) -> Pair {
    world.patient().await;
    for n in 0..12_u8 {
        world.write(&format!("data/sub-{}/file-{n}", n % 3), &noise(n.into(), 300_000));
    }
    let template = "{plan}_{time:%Y%m%d_%H%M%S}_{id}".into();
    Pair::of_archives(world, LayoutDraft { template, ..archives_sealed_by("plan_key") }).await
}

fn archives(place: &MemoryDestination) -> Vec<String> {
    place.keys().into_iter().filter(|key| key.starts_with("archives/")).collect()
}

fn archive_of(place: &MemoryDestination) -> (String, Bytes) {
    let key = archives(place).into_iter().find(|key| key.ends_with(".sealed")).unwrap();
    let content = place.object(&key).unwrap();
    (key, content)
}

/// Flips a bit in the middle.
fn flipped(whole: &Bytes) -> Bytes {
    let mut flipped = whole.to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    flipped.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_read_makes_the_same_archive_at_both() {
    let pair = pair().await;
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    assert_eq!(archives(&pair.a.1).len(), 2, "the archive and its manifest: {:?}", archives(&pair.a.1));
    for key in archives(&pair.a.1) {
        assert_eq!(pair.a.1.object(&key), pair.b.1.object(&key), "{key}");
    }
    let row = pair.newest().await;
    assert_eq!((row.layout.as_str(), row.sealed, row.destinations.len()), ("tar.zst", true, 2));
    assert_eq!(pair.restore(&row.id, "r1").await.unwrap().row.state, "done");
    assert_eq!(tree(&pair.world.path("r1")), tree(&pair.world.path("data")));
    let verify = pair.world.engine.start_verify(&row.id).await.unwrap();
    let verify = pair.world.end(&verify).await;
    assert_eq!(verify.row.state, "done", "{:?} {:?}", verify.row.error, verify.log);
    // What lies there tells everything anew.
    assert_eq!(pair.world.backups_in_vault(&pair.b.0).await, 1);
    let found = pair.world.engine.backup(&row.id).await.unwrap();
    assert_eq!(found.copies.iter().filter(|copy| copy.state == "there" && copy.links).count(), 2, "{:?}", found.copies);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_leaves_the_other_and_is_made_good() {
    let pair = pair().await;
    for operation in [Operation::Part, Operation::Complete, Operation::Put, Operation::Begin] {
        // Often enough that the end of the run sees it as well.
        for n in 1..40 {
            pair.b.1.fail_operation(operation, n, ErrorClass::Offline);
        }
        let run = pair.world.back_up(&pair.plan).await;
        pair.b.1.clear_faults();
        assert_eq!(run.row.state, "done_with_problems", "{operation:?}: {:?} {:?}", run.row.error, run.log);
        let row = pair.newest().await;
        assert_eq!((row.destinations.clone(), row.missing_at.clone()), (vec!["a".into()], vec!["b".into()]));
        let sync = pair.world.sync(&pair.b.0).await;
        assert_eq!(sync.row.state, "done", "{operation:?}: {:?} {:?}", sync.row.error, sync.log);
        assert_eq!(pair.newest().await.missing_at.len(), 0);
        for key in archives(&pair.a.1) {
            assert_eq!(pair.a.1.object(&key), pair.b.1.object(&key), "{operation:?}: {key}");
        }
    }
    assert_eq!(pair.world.backups_in_vault(&pair.b.0).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_archive_is_named_and_the_other_copy_is_used() {
    let pair = pair().await;
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    let row = pair.newest().await;
    let (key, whole) = archive_of(&pair.a.1);
    let faults = [Some(flipped(&whole)), Some(whole.slice(..whole.len() / 2)), None];
    for (n, fault) in faults.into_iter().enumerate() {
        pair.a.1.tamper(&key, fault);
        let folder = format!("r{n}");
        let (run, warnings) = pair.restore_warned(&row.id, &folder).await.unwrap();
        assert!(["done", "done_with_problems"].contains(&run.row.state.as_str()), "{n}: {:?} {:?}", run.row, run.log);
        assert_eq!(tree(&pair.world.path(&folder)), tree(&pair.world.path("data")), "{n}");
        let named = run.log.iter().map(|line| &line.text).chain(&warnings).any(|text| text.contains("copy at a"));
        assert!(named, "{n}: {warnings:?} {:?}", run.log);
        let verify = pair.world.engine.start_verify(&row.id).await.unwrap();
        let verify = pair.world.end(&verify).await;
        assert_eq!(verify.row.state, "done_with_problems", "{n}: {:?}", verify.log);
        // As it is, it comes from the whole copy, and its hash is right.
        let run = pair.world.download(pair.world.download_request(vec![row.id.clone()], "as_is")).await;
        assert_eq!(run.row.state, "done", "{n}: {:?} {:?}", run.row.error, run.log);
        let file = PathBuf::from(run.row.result.unwrap());
        assert_eq!(Sha256::digest(std::fs::read(file).unwrap()), Sha256::digest(&whole), "{n}");
    }
    // Damaged at both it is never restored as good.
    pair.b.1.tamper(&key, Some(whole.slice(..whole.len() / 3)));
    if let Ok(run) = pair.restore(&row.id, "bad").await {
        assert_ne!(run.row.state, "done", "{:?}", run.log);
    }
    let run = pair.world.download(pair.world.download_request(vec![row.id], "as_is")).await;
    assert_eq!(run.row.state, "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_writes_a_damaged_archive_anew_and_never_from_a_damaged_one() {
    let pair = pair().await;
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    let row = pair.newest().await;
    let (key, whole) = archive_of(&pair.b.1);
    let flipped = flipped(&whole);
    pair.b.1.tamper(&key, Some(flipped.clone()));
    let verify = pair.world.engine.start_verify_destination(&pair.b.0, 100).await.unwrap();
    assert_eq!(pair.world.end(&verify).await.row.state, "done_with_problems");
    // Damaged at the other as well, nothing is replaced.
    pair.a.1.tamper(&key, Some(flipped.clone()));
    let sync = pair.world.sync(&pair.b.0).await;
    assert_eq!(sync.row.state, "done_with_problems", "{:?} {:?}", sync.row.error, sync.log);
    assert_eq!(pair.b.1.object(&key), Some(flipped));
    pair.a.1.tamper(&key, Some(whole.clone()));
    let sync = pair.world.sync(&pair.b.0).await;
    assert_eq!(sync.row.state, "done", "{:?} {:?}", sync.row.error, sync.log);
    assert_eq!(pair.b.1.object(&key), Some(whole));
    let verify = pair.world.engine.start_verify(&row.id).await.unwrap();
    assert_eq!(pair.world.end(&verify).await.row.state, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_was_cut_off_goes_on_and_ends_with_the_right_hash() {
    let pair = pair().await;
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    let rows = pair.world.engine.backups(Default::default()).await.unwrap().rows;
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut request = pair.world.download_request(ids, "as_is");
    request.destination = Some(pair.a.0.clone());
    // So slow that it can be stopped in the middle of the second file.
    pair.a.1.set_rate(Some(6_000_000));
    let run = pair.world.engine.start_download(request).await.unwrap();
    let folder = pair.world.path("downloads");
    // Names only: what is listed may have another name by the time it is read.
    let finished = || {
        let mut files = std::fs::read_dir(&folder).unwrap().map(|found| found.unwrap());
        files.any(|file| file.path().extension().is_some_and(|ending| ending == "sealed"))
    };
    pair.world.until("the first file is there", finished).await;
    pair.world.engine.cancel_run(&run).await.unwrap();
    let stopped = pair.world.end(&run).await;
    assert_eq!(stopped.row.state, "cancelled", "{:?}", stopped.log);
    assert!(stopped.row.resumable);
    pair.a.1.set_rate(None);
    // The line is cut as well, again and again.
    pair.a.1.fail_operation(Operation::Get, 1, ErrorClass::Offline);
    let run = pair.world.engine.resume_download(&run).await.unwrap();
    let cut = pair.world.end(&run).await;
    assert_eq!(cut.row.state, "failed", "{:?}", cut.log);
    assert!(cut.row.resumable && cut.next.is_some());
    assert!(pair.world.engine.resume_download(&stopped.row.id).await.is_err(), "another run took over");
    pair.a.1.forget_calls();
    let run = pair.world.engine.resume_download(&run).await.unwrap();
    let run = pair.world.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    assert!(run.log.iter().any(|line| line.text.contains("is there already")), "{:?}", run.log);
    assert!(!run.row.resumable);
    let mut wanted: Vec<_> = archives(&pair.a.1).into_iter().filter(|key| key.ends_with(".sealed")).collect();
    wanted.sort();
    let names = tree(&folder);
    assert_eq!(names.len(), 2, "{:?}", names.keys());
    for key in wanted {
        let name = key.rsplit('/').next().unwrap();
        assert_eq!(names[name], pair.a.1.object(&key).unwrap().to_vec(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_repacked_on_the_way_and_deleted_at_once() {
    let pair = pair().await;
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    let row = pair.newest().await;
    let run = pair.world.download(pair.world.download_request(vec![row.id.clone()], "tar.gz")).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    assert!(run.row.result.unwrap().ends_with(".tar.gz"));
    let engine = &pair.world.engine;
    assert!(engine.make_link(&row.id, &pair.a.0, 5).await.is_err(), "too short");
    let preview = engine.delete_preview(&row.id, Vec::new()).await.unwrap();
    assert!(preview.only && preview.newest && preview.copies.len() == 2, "{preview:?}");
    let report = engine.delete_backup(&row.id, Vec::new()).await.unwrap();
    assert_eq!(report.removed.len(), 2, "{report:?}");
    assert!(report.freed_bytes > 6_000_000);
    assert!(archives(&pair.a.1).is_empty() && archives(&pair.b.1).is_empty());
    assert_eq!(pair.world.backup_count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_download_goes_on_after_its_last_mark() {
    let pair = pair().await;
    // Far more than is read ahead.
    for n in 0..12_u8 {
        pair.world.write(&format!("data/more/file-{n}"), &noise(n.into(), 2_500_000));
    }
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    let row = pair.newest().await;
    let mut request = pair.world.download_request(vec![row.id.clone()], "tar.gz");
    request.destination = Some(pair.a.0.clone());
    pair.a.1.set_rate(Some(8_000_000));
    let run = pair.world.engine.start_download(request).await.unwrap();
    let folder = pair.world.path("downloads");
    let part = || {
        let mut files = std::fs::read_dir(&folder).unwrap().map(|found| found.unwrap());
        files.find(|file| file.path().extension().is_some_and(|ending| ending == "part"))?.metadata().ok()
    };
    // A mark is kept after each of the files: before this there were some.
    pair.world.until("some marks are kept", || part().is_some_and(|part| part.len() > 8_000_000)).await;
    pair.world.engine.cancel_run(&run).await.unwrap();
    let stopped = pair.world.end(&run).await;
    assert_eq!(stopped.row.state, "cancelled", "{:?}", stopped.log);
    assert!(stopped.row.resumable && part().is_some());
    // Cancelled before it had its turn, it can still go on.
    let run = pair.world.engine.resume_download(&run).await.unwrap();
    pair.world.engine.cancel_run(&run).await.unwrap();
    let waiting = pair.world.end(&run).await;
    assert!(waiting.row.state == "cancelled" && waiting.row.resumable, "{:?}", waiting.log);
    pair.a.1.set_rate(None);
    let run = pair.world.engine.resume_download(&run).await.unwrap();
    let run = pair.world.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    assert!(run.log.iter().any(|line| line.text.starts_with("Went on after")), "{:?}", run.log);
    // With the backup's own description.
    assert_eq!(run.row.files, 25, "the whole file is counted");
    assert!(run.row.bytes > 12 * 2_800_000);
    let names: Vec<_> = tree(&folder).into_keys().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let unpacked = pair.world.path("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    let archive = folder.join(&names[0]);
    let tar = std::process::Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&unpacked).status().unwrap();
    assert!(tar.success());
    for n in 0..12_u8 {
        for (path, length) in
            [(format!("data/sub-{}/file-{n}", n % 3), 300_000), (format!("data/more/file-{n}"), 2_500_000)]
        {
            let path = pair.world.path(&path);
            let found = std::fs::read(unpacked.join(path.strip_prefix("/").unwrap())).unwrap();
            assert!(found == noise(n.into(), length), "{}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_a_backup_was_killed_in_is_ended_by_the_next_one() {
    let pair = pair().await;
    let begun = || pair.world.parts.store.transfers("begun/").unwrap();
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    assert_eq!(begun(), [], "what is done is not kept");
    // It goes wrong in the midst, and nothing reaches the place any more that would end the upload: as after a kill.
    pair.a.1.fail_operation(Operation::Part, 1, ErrorClass::Refused);
    (1..20).for_each(|n| pair.a.1.fail_operation(Operation::Abort, n, ErrorClass::Offline));
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done_with_problems");
    let left = begun();
    assert_eq!((left.len(), pair.a.1.open_uploads()), (1, 1), "{left:?}");
    assert!(left[0].0.starts_with(&format!("begun/{}/{}/", pair.a.0, pair.plan)), "{left:?}");
    pair.a.1.clear_faults();
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "done", "{:?}", run.row.error);
    assert_eq!((begun(), pair.a.1.open_uploads()), (Vec::new(), 0));
    assert!(run.log.iter().any(|line| line.text.starts_with("An unfinished upload of ")), "{:?}", run.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_cannot_be_noted_is_ended_at_once() {
    let pair = pair_in(World::on_disk().await).await;
    let database = rusqlite::Connection::open(pair.world.path("backstay.db")).unwrap();
    database
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON transfers WHEN NEW.name LIKE 'begun/%' \
             BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END",
        )
        .unwrap();
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "failed", "{:?}", run.log);
    assert_eq!((pair.a.1.open_uploads(), pair.b.1.open_uploads()), (0, 0));
}
