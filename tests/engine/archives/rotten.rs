//! Damage that keeps an archive's size: what arrives with it, and what it gets later.

use super::*;
use backstay_contract::RunDetail;

const LARGE: usize = 3_000_000;

/// A plan of a small and a large file, written as plain archives of a format to two buckets.
async fn plain(format: &str) -> Pair {
    let world = World::new().await;
    world.patient().await;
    world.write("data/small", &noise(1, 1000));
    world.write("data/large", &noise(2, LARGE));
    Pair::of_archives(world, LayoutDraft { format: format.into(), ..archives_sealed_by("none") }).await
}

impl Pair {
    async fn reasons(&self, run: &RunDetail) -> Vec<(String, String)> {
        let page = self.world.engine.run_problems(&run.row.id, "", 0, 10).await.unwrap();
        page.rows.into_iter().map(|row| (row.subject, row.reason)).collect()
    }
}

/// Flips a bit in the midst of the large file, which nothing could pack: the stream around it still reads.
fn rot(place: &MemoryDestination) {
    let key = archives(place).into_iter().find(|key| !key.ends_with(".manifest")).unwrap();
    let mut bytes = place.object(&key).unwrap().to_vec();
    // One piece may lie across two blocks of what packed it.
    let content = noise(2, LARGE);
    let mut pieces = content[LARGE / 2..].chunks(64);
    let at = pieces.find_map(|piece| bytes.windows(64).position(|window| window == piece)).unwrap();
    bytes[at] ^= 1;
    place.tamper(&key, Some(bytes.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_rotted_is_never_restored_or_packed_as_good() {
    for format in ["tar.gz", "zip"] {
        let pair = plain(format).await;
        let backup = pair.world.backed_up(&pair.plan).await;
        rot(&pair.a.1);
        rot(&pair.b.1);
        if let Ok(run) = pair.restore(&backup, "r1").await {
            assert_ne!(run.row.state, "done", "{format}: {:?}", run.log);
            let error = run.row.error.clone().map(|error| error.message);
            let told = pair.reasons(&run).await;
            assert!(format!("{error:?} {told:?}").contains("large"), "{format}: {error:?} {told:?}");
        }
        let run = pair.world.download(pair.world.download_request(vec![backup], "tar.zst")).await;
        assert_eq!(run.row.state, "done_with_problems", "{format}: {:?} {:?}", run.row.error, run.log);
        let told = pair.reasons(&run).await;
        assert!(told.iter().any(|(subject, _)| subject.ends_with("data/large")), "{format}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_put_together_of_damaged_bytes_and_another_copys_rest() {
    for format in ["tar.gz", "zip"] {
        let pair = plain(format).await;
        let backup = pair.world.backed_up(&pair.plan).await;
        rot(&pair.a.1);
        let (run, _) = pair.restore_warned(&backup, "r1").await.unwrap();
        let told = pair.reasons(&run).await;
        assert_eq!(run.row.state, "done_with_problems", "{format}: {:?}", run.row.error);
        let (_, reason) = told.iter().find(|(subject, _)| subject.ends_with("r1/large")).unwrap();
        assert!(
            reason.contains("its copy at a good with Sync") && reason.contains("Only what comes before"),
            "{reason}"
        );
        // What was given out already cannot be taken back, and must not look whole.
        assert_ne!(pair.world.path("r1/large").metadata().unwrap().len(), LARGE as u64);
        assert!(!told.iter().any(|(_, reason)| reason.contains("taken from another copy")), "{format}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_damaged_at_a_further_place_is_written_anew() {
    let pair = pair().await;
    pair.b.1.damage_uploads(1);
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    assert!(run.log.iter().any(|line| line.text.contains("b was made good")), "{:?}", run.log);
    for key in archives(&pair.a.1) {
        assert_eq!(pair.a.1.object(&key), pair.b.1.object(&key), "{key}");
    }
    // Damaged again and again, it is no copy.
    pair.b.1.damage_uploads(9);
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "done_with_problems", "{:?} {:?}", run.row.error, run.log);
    assert_eq!(pair.newest().await.missing_at, ["b"]);
    assert_eq!(pair.world.backups_in_vault(&pair.b.0).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_takes_over_last_is_proven_before_it_counts() {
    let pair = pair().await;
    pair.b.1.damage_uploads(1);
    // What is no part of an upload is the manifest, which comes when the archive at the first place is proven.
    (1..5).for_each(|n| pair.a.1.fail_operation(Operation::Put, n, ErrorClass::Offline));
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "failed", "{:?}", run.log);
    assert_eq!(run.row.error.unwrap().code, "corrupt");
    assert_eq!((pair.world.backup_count().await, pair.world.backups_in_vault(&pair.b.0).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_takes_over_last_and_cannot_be_read_now_is_named() {
    let pair = pair().await;
    let mut named = 0;
    for first in 1..6 {
        (1..5).for_each(|n| pair.a.1.fail_operation(Operation::Put, n, ErrorClass::Offline));
        (first..first + 4).for_each(|n| pair.b.1.fail_operation(Operation::Get, n, ErrorClass::Offline));
        let run = pair.world.back_up(&pair.plan).await;
        [&pair.a.1, &pair.b.1].into_iter().for_each(|place| place.clear_faults());
        let told = pair.reasons(&run).await;
        if told.iter().any(|(place, reason)| place == "b" && reason.contains("was not read back")) {
            named += 1;
            let backup = run.row.backup.expect("it lies there");
            assert_eq!(run.row.state, "done_with_problems");
            let restored = pair.restore(&backup, &format!("r{first}")).await.unwrap();
            assert_eq!(restored.row.state, "done", "{:?}", restored.log);
        }
    }
    assert!(named > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_read_back_is_proven_before_it_is_made_good() {
    let pair = pair().await;
    let (mut made_good, mut unproven) = (0, 0);
    for (first, faults) in (1..6).flat_map(|first| (1..5).map(move |faults| (first, faults))) {
        pair.b.1.damage_uploads(1);
        (first..first + faults).for_each(|n| pair.b.1.fail_operation(Operation::Get, n, ErrorClass::Offline));
        let run = pair.world.back_up(&pair.plan).await;
        pair.b.1.clear_faults();
        if run.row.state == "done" {
            assert!(run.log.iter().any(|line| line.text.contains("b was made good")), "{:?}", run.log);
            made_good += 1;
            let id = run.row.backup.unwrap();
            let own = archives(&pair.a.1).into_iter().filter(|key| key.contains(&id[..8]));
            let own: Vec<String> = own.collect();
            assert_eq!(own.len(), 2);
            for key in own {
                assert!(pair.a.1.object(&key) == pair.b.1.object(&key), "{key} at b after {first} and {faults}");
            }
        } else {
            let told = pair.reasons(&run).await;
            assert!(told.iter().any(|(place, _)| place == "b"), "{told:?}");
            unproven += u32::from(told.iter().any(|(_, reason)| reason.contains("was not read back")));
        }
    }
    assert!(made_good > 0 && unproven > 0, "{made_good} {unproven}");
}
