//! Objects of the right size that are not what they should be: found by a check, written anew by Sync.

use super::*;
use backstay_contract::RunDetail;
use backstay_lab::restic::{restic, run, to_folder};

impl Pair {
    async fn check(&self, id: &str) -> RunDetail {
        let run = self.world.engine.start_verify_destination(id, 100).await.unwrap();
        self.world.end(&run).await
    }
    async fn problems(&self, run: &RunDetail) -> Vec<(String, String)> {
        let page = self.world.engine.run_problems(&run.row.id, "", 0, 100).await.unwrap();
        page.rows.into_iter().map(|row| (row.subject, row.reason)).collect()
    }
    /// Lets restic read everything at a copy.
    fn restic_checks(&self, place: &MemoryDestination) {
        let name = SecretName::vault_password(&DestinationId::from(self.a.0.as_str()));
        let password = self.world.parts.secrets.held.lock().unwrap().get(&name).unwrap().clone();
        let folder = tempfile::tempdir_in(self.world.dir.path()).unwrap();
        let repository = folder.path().join("vault");
        to_folder(place, &repository);
        for foreign in ["backstay", "archives"] {
            let _ = std::fs::remove_dir_all(repository.join(foreign));
        }
        let Some(mut check) = restic(&repository, password.expose(), folder.path()) else { return };
        let said = run(check.args(["check", "--read-data"]));
        assert!(said.contains("no errors were found"), "{said}");
    }
}

fn keys_in(place: &MemoryDestination, folder: &str) -> Vec<String> {
    place.keys().into_iter().filter(|key| key.starts_with(folder)).collect()
}

/// Flips a bit in the middle; returns what was there.
fn flip(place: &MemoryDestination, key: &str) -> Bytes {
    let whole = place.object(key).unwrap();
    let mut flipped = whole.to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    place.tamper(key, Some(flipped.into()));
    whole
}

fn short(key: &str) -> String {
    key.rsplit('/').next().unwrap()[..8].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_named_by_a_check_and_mended_by_sync() {
    let pair = pair().await;
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    pair.change(3);
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    for folder in ["data/", "index/", "snapshots/"] {
        let key = keys_in(&pair.b.1, folder).remove(0);
        flip(&pair.b.1, &key);
        let check = pair.check(&pair.b.0).await;
        assert_eq!(check.row.state, "done_with_problems", "{folder} {:?}", check.log);
        let problems = pair.problems(&check).await;
        assert!(problems.iter().any(|(subject, _)| subject.contains(&short(&key))), "{key} {problems:?}");
        pair.b.1.forget_calls();
        let sync = pair.world.sync(&pair.b.0).await;
        assert_eq!(
            sync.row.state,
            "done",
            "{folder} {:?} {:?} {:?}",
            sync.row.error,
            sync.log,
            pair.problems(&sync).await
        );
        let deleted =
            |call: &&backstay_lab::memory_destination::Call| call.operation == Operation::Delete && call.key == key;
        assert_eq!(pair.b.1.calls().iter().filter(deleted).count(), 0, "what is there is never taken away first");
        pair.same();
        let check = pair.check(&pair.b.0).await;
        assert_eq!(check.row.state, "done", "{folder} {:?} {:?}", check.log, pair.problems(&check).await);
    }
    pair.restic_checks(&pair.b.1);
    // Nothing is left to mend: the next sync reads no pack.
    pair.b.1.forget_calls();
    assert_eq!(pair.world.sync(&pair.b.0).await.row.result.as_deref(), Some("b has everything"));
    assert!(!pair.b.1.calls().iter().any(|call| call.operation == Operation::Get && call.key.starts_with("data/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_found_damaged_at_one_copy_is_mended_there() {
    let pair = pair().await;
    let backup = pair.world.back_up(&pair.plan).await.row.backup.unwrap();
    let verify = pair.world.engine.start_verify(&backup).await.unwrap();
    assert_eq!(pair.world.end(&verify).await.row.state, "done");
    assert!(pair.newest().await.verified.is_some());
    // In the middle of the data, so that the list of files is still read.
    let largest = |key: &String| pair.b.1.object(key).unwrap().len();
    let key = keys_in(&pair.b.1, "data/").into_iter().max_by_key(largest).unwrap();
    flip(&pair.b.1, &key);
    let verify = pair.world.engine.start_verify(&backup).await.unwrap();
    let verify = pair.world.end(&verify).await;
    assert_eq!(verify.row.state, "done_with_problems", "{:?}", verify.log);
    assert_eq!(pair.newest().await.verified, None, "a proof of the other copy does not hide it");
    let known = pair.world.parts.store.backup(&backup.as_str().into()).unwrap();
    let proven: Vec<_> = known.iter().filter(|copy| copy.record.verified.is_some()).collect();
    assert!(proven.len() == 1 && proven[0].destination.as_str() == pair.a.0, "{known:?}");
    let sync = pair.world.sync(&pair.b.0).await;
    assert_eq!(sync.row.state, "done", "{:?} {:?}", sync.row.error, sync.log);
    assert!(sync.row.result.unwrap().contains("1 damaged object mended"));
    pair.same();
    pair.restic_checks(&pair.b.1);
    assert!(pair.newest().await.verified.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_that_are_gone_from_a_vault_are_named_by_a_check_and_come_back_by_sync() {
    let pair = pair().await;
    let backup = pair.world.back_up(&pair.plan).await.row.backup.unwrap();
    keys_in(&pair.b.1, "snapshots/").iter().for_each(|key| pair.b.1.tamper(key, None));
    let check = pair.check(&pair.b.0).await;
    assert_eq!(check.row.state, "done_with_problems", "{:?}", check.log);
    let problems = pair.problems(&check).await;
    assert!(problems.len() == 1 && problems[0].0 == format!("backup {}", &backup[..8]), "{problems:?}");
    let sync = pair.world.sync(&pair.b.0).await;
    assert_eq!(sync.row.state, "done", "{:?} {:?} {:?}", sync.row.error, sync.log, pair.problems(&sync).await);
    pair.same();
    let check = pair.check(&pair.b.0).await;
    assert_eq!(check.row.state, "done", "{:?} {:?}", check.log, pair.problems(&check).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_everywhere_is_left_as_it_is_and_remembered() {
    let pair = pair().await;
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    let key = keys_in(&pair.b.1, "data/").remove(0);
    let whole = flip(&pair.b.1, &key);
    let damaged = pair.b.1.object(&key);
    assert_eq!(pair.check(&pair.b.0).await.row.state, "done_with_problems");
    let damaged_at_b = || async {
        let engine = &pair.world.engine;
        let need = engine.overview().await.unwrap().needs.into_iter().find(|need| need.kind == "damaged");
        let row = engine.destination_row(&pair.b.0).await.unwrap();
        assert_eq!(row.damaged > 0, need.is_some_and(|need| need.subject == "b" && need.destination == Some(row.id)));
        row.damaged
    };
    assert_eq!(damaged_at_b().await, 1);
    // Other bits are flipped at the other copy: it has no right to the place.
    pair.a.1.tamper(&key, Some(whole.iter().map(|byte| byte ^ 1).collect()));
    let sync = pair.world.sync(&pair.b.0).await;
    assert_eq!(sync.row.state, "done_with_problems", "{:?} {:?}", sync.row.error, sync.log);
    let problems = pair.problems(&sync).await;
    assert!(problems.iter().any(|(subject, _)| *subject == key), "{problems:?}");
    assert_eq!((pair.b.1.object(&key), damaged_at_b().await), (damaged, 1));
    // Once there is a whole one again, the next sync mends it, without another check.
    pair.a.1.tamper(&key, Some(whole));
    let sync = pair.world.sync(&pair.b.0).await;
    assert_eq!(sync.row.state, "done", "{:?} {:?}", sync.row.error, sync.log);
    pair.same();
    assert_eq!(damaged_at_b().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_everywhere_and_still_on_the_server_comes_back_with_the_next_backup() {
    let pair = pair().await;
    let backup = pair.world.back_up(&pair.plan).await.row.backup.unwrap();
    let largest = |key: &String| pair.b.1.object(key).unwrap().len();
    let key = keys_in(&pair.b.1, "data/").into_iter().max_by_key(largest).unwrap();
    flip(&pair.a.1, &key);
    flip(&pair.b.1, &key);
    let verify = pair.world.engine.start_verify(&backup).await.unwrap();
    assert_ne!(pair.world.end(&verify).await.row.state, "done");
    let damaged = || async {
        let mut damaged = Vec::new();
        for (id, _) in [&pair.a, &pair.b] {
            damaged.push(pair.world.engine.destination_row(id).await.unwrap().damaged > 0);
        }
        damaged
    };
    assert_eq!(damaged().await, [true, true]);
    let again = pair.world.back_up(&pair.plan).await;
    assert_eq!(again.row.state, "done", "{:?} {:?}", again.row.error, again.log);
    for id in [&backup, again.row.backup.as_ref().unwrap()] {
        let verify = pair.world.engine.start_verify(id).await.unwrap();
        let verify = pair.world.end(&verify).await;
        assert_eq!(verify.row.state, "done", "{:?} {:?}", verify.row.error, verify.log);
    }
    // The damaged pack is of no use any more, and goes.
    for (id, place) in [&pair.a, &pair.b] {
        let prune = pair.world.engine.start_prune(id).await.unwrap();
        assert_eq!(pair.world.end(&prune).await.row.state, "done");
        assert!(!place.keys().contains(&key));
    }
    assert_eq!(damaged().await, [false, false]);
    assert_eq!(pair.check(&pair.a.0).await.row.state, "done");
}
