//! Plans that write to several destinations: each copy on its own, made good later, read where it is whole.

mod mended;

use crate::support::*;
use backstay_contract::{DestinationDraft, Event, RestoreRequest};
use backstay_core::layout::Layout;
use backstay_core::secret::SecretName;
use backstay_core::{DestinationId, ErrorClass, RunContext};
use backstay_lab::MemoryDestination;
use backstay_lab::memory_destination::Operation;
use backstay_layouts::Vault;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A plan of some files, written to two buckets that hold one vault.
async fn pair() -> Pair {
    let world = World::new().await;
    world.patient().await;
    for n in 0..12_u8 {
        world.write(&format!("data/sub-{}/file-{n}", n % 3), &noise(n.into(), 30_000));
    }
    Pair::of_a_vault(world).await
}

impl Pair {
    fn change(&self, n: u8) {
        self.world.write(&format!("data/sub-{}/file-{n}", n % 3), &noise(u64::from(n) + 1000, 40_000));
    }
    async fn vault(&self, place: &MemoryDestination) -> Vault {
        let name = SecretName::vault_password(&DestinationId::from(self.a.0.as_str()));
        let password = self.world.parts.secrets.held.lock().unwrap().get(&name).unwrap().clone();
        Vault::open(Arc::new(place.clone()), &password).await.unwrap()
    }
    /// Reads everything at a copy back, and returns how many backups it holds.
    async fn whole(&self, place: &MemoryDestination) -> usize {
        let vault = self.vault(place).await;
        let check = vault.check(&RunContext::silent(), 100).await.unwrap();
        assert!(check.faults.is_empty(), "{:?}", check.faults);
        vault.list().await.unwrap().len()
    }
    fn same(&self) {
        assert_eq!(objects(&self.a.1), objects(&self.b.1));
    }
}

/// What the vault is made of.
fn objects(place: &MemoryDestination) -> BTreeMap<String, Bytes> {
    let ours = ["config", "keys/", "data/", "index/", "snapshots/"];
    let keys = place.keys().into_iter().filter(|key| ours.iter().any(|name| key.starts_with(name)));
    keys.map(|key| (key.clone(), place.object(&key).unwrap())).collect()
}

fn damage(place: &MemoryDestination, folder: &str) {
    for key in place.keys().into_iter().filter(|key| key.starts_with(folder)) {
        let flipped: Vec<u8> = place.object(&key).unwrap().iter().map(|byte| byte ^ 0x55).collect();
        place.tamper(&key, Some(flipped.into()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_copy_is_read_and_among_equals_the_primary() {
    let world = World::new().await;
    world.write("data/file", &noise(1, 30_000));
    let disk = DestinationDraft {
        name: "disk".into(),
        kind: "local".into(),
        path: text(&world.path("disk")),
        use_for: "none".into(),
        ..DestinationDraft::default()
    };
    let (a, b) = (world.add(world.bare_bucket("a")).await, world.add(world.bare_bucket("b")).await);
    let ids = [b, world.add(disk).await, a];
    let plan = world.plan_of_data(&ids, archives_sealed_by("none")).await;
    let backup = world.backed_up(&plan).await;
    let copies = world.engine.backup(&backup).await.unwrap().copies;
    let names: Vec<&str> = copies.iter().map(|copy| copy.destination_name.as_str()).collect();
    assert_eq!(names, ["disk", "b", "a"], "the folder of this computer, then the plan's first bucket");
    // It is what a restore reads: neither bucket is asked for the archive.
    let buckets = [world.parts.buckets.of("bucket-a"), world.parts.buckets.of("bucket-b")];
    buckets.iter().for_each(MemoryDestination::forget_calls);
    let preview = world.engine.plan_restore(world.restore_request(&backup, "back")).await.unwrap();
    let run = world.engine.start_restore(&preview.id, None).await.unwrap();
    assert_eq!(world.end(&run).await.row.state, "done");
    assert_eq!(tree(&world.path("back")), tree(&world.path("data")));
    let read: Vec<_> = buckets.iter().flat_map(MemoryDestination::calls).collect();
    assert!(!read.iter().any(|call| call.operation == Operation::Get && call.key.starts_with("archives/")), "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_read_goes_to_both_and_both_are_whole() {
    let pair = pair().await;
    let mut events = pair.world.engine.subscribe();
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    pair.same();
    assert_eq!((pair.whole(&pair.a.1).await, pair.whole(&pair.b.1).await), (1, 1));
    let row = pair.newest().await;
    assert_eq!((row.destinations.len(), row.missing_at.len(), row.layout.as_str()), (2, 0, "vault"));
    let mut legs = drain(&mut events).into_iter().filter_map(|event| match event {
        Event::Progress { progress } => Some(progress.destinations),
        _ => None,
    });
    let last = legs.next_back().unwrap();
    assert_eq!(last.iter().map(|leg| leg.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(last.iter().all(|leg| leg.state == "done" && leg.bytes > 300_000), "{last:?}");
    assert!(last.iter().all(|leg| leg.bytes_total == Some(leg.bytes)), "{last:?}");
    // The next one is small at both.
    pair.change(3);
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!((run.row.state.as_str(), run.files_read), ("done", 1), "{:?}", run.log);
    assert!(run.row.bytes_added < 80_000);
    pair.same();
    assert_eq!(pair.whole(&pair.b.1).await, 2);
    let verify = pair.world.engine.start_verify(&pair.newest().await.id).await.unwrap();
    assert_eq!(pair.world.end(&verify).await.row.state, "done");
    let copies = pair.world.engine.backup(&pair.newest().await.id).await.unwrap();
    assert_eq!(copies.copies.iter().filter(|copy| copy.state == "there").count(), 2);
    assert!(copies.row.verified.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_call_a_copy_fails_at_the_other_is_whole_and_sync_makes_it_good() {
    let pair = pair().await;
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    let (mut made_good, mut backups) = (0, 1);
    // Every call of the first few, then every third: each is a whole run.
    for n in (1..12_u64).chain((12..60).step_by(3)) {
        pair.change((n % 12) as u8);
        // From this call on, and for long enough that the end of the run sees it as well.
        for later in n..n + 400 {
            pair.b.1.fail_call(later, ErrorClass::Offline);
        }
        let before = pair.b.1.calls().len() as u64;
        let run = pair.world.back_up(&pair.plan).await;
        let hit = pair.b.1.calls().len() as u64 - before >= n;
        pair.b.1.clear_faults();
        backups += 1;
        assert_eq!(pair.whole(&pair.a.1).await, backups, "call {n}");
        if !hit {
            assert_eq!(run.row.state, "done", "{:?}", run.log);
            assert!(n > 10 && made_good > 5, "the faults must have hit");
            return;
        }
        let there = pair.vault(&pair.b.1).await.list().await.unwrap().len();
        assert_eq!(pair.whole(&pair.b.1).await, there, "call {n}: what is listed is whole");
        if run.row.state == "done_with_problems" {
            let problems = pair.world.engine.run_problems(&run.row.id, "", 0, 10).await.unwrap();
            assert_eq!(problems.total, 1, "{problems:?}");
            assert_eq!(problems.rows[0].subject, "b");
            assert!(problems.rows[0].reason.contains("Sync"), "{problems:?}");
            assert_eq!(pair.newest().await.missing_at, ["b"]);
        } else {
            assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
        }
        let sync = pair.world.sync(&pair.b.0).await;
        assert_eq!(sync.row.state, "done", "{:?} {:?}", sync.row.error, sync.log);
        made_good += 1;
        pair.same();
        assert_eq!(pair.newest().await.missing_at.len(), 0, "call {n}");
    }
    panic!("the runs never got through");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_fault_is_mended_at_the_end_of_the_run() {
    let pair = pair().await;
    pair.b.1.fail_operation(Operation::Put, 2, ErrorClass::Offline);
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "done", "{:?}", run.log);
    assert!(run.log.iter().any(|line| line.text.contains("b was made good")), "{:?}", run.log);
    pair.same();
    assert_eq!(pair.whole(&pair.b.1).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sync_copies_has_a_total_from_the_start() {
    let pair = pair().await;
    pair.b.1.set_offline(true);
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done_with_problems");
    pair.b.1.set_offline(false);
    pair.b.1.set_rate(Some(300_000));
    let mut events = pair.world.engine.subscribe();
    let sync = pair.world.sync(&pair.b.0).await;
    assert_eq!(sync.row.state, "done", "{:?} {:?}", sync.row.error, sync.log);
    let legs = drain(&mut events).into_iter().filter_map(|event| match event {
        Event::Progress { progress } => progress.destinations.into_iter().next(),
        _ => None,
    });
    let legs: Vec<_> = legs.collect();
    let last = legs.last().unwrap();
    assert_eq!((last.state.as_str(), last.bytes_total), ("done", Some(last.bytes)));
    let on_the_way: Vec<_> = legs.iter().filter(|leg| leg.bytes > 10_000 && leg.bytes < 250_000).collect();
    assert!(!on_the_way.is_empty(), "{legs:?}");
    for leg in on_the_way {
        let total = leg.bytes_total.unwrap();
        assert!(total > last.bytes * 8 / 10 && total <= last.bytes, "{leg:?} {last:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_primary_the_other_goes_on_and_the_primary_is_made_good() {
    let pair = pair().await;
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    pair.a.1.set_offline(true);
    pair.change(1);
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "done_with_problems", "{:?} {:?}", run.row.error, run.log);
    assert_eq!(run.next, None, "only a copy is missing: nothing that was read is amiss");
    assert_eq!(pair.newest().await.destinations, ["b"]);
    assert_eq!(pair.newest().await.problems, 0, "the backup itself is good");
    assert_eq!(pair.whole(&pair.b.1).await, 2);
    // And it can be read while the primary is away.
    assert_eq!(pair.restore(run.row.backup.as_ref().unwrap(), "r1").await.unwrap().row.state, "done");
    pair.compare("r1");
    pair.a.1.set_offline(false);
    let destinations = pair.world.engine.destinations().await.unwrap();
    assert_eq!(destinations.iter().map(|row| row.missing).collect::<Vec<_>>(), [1, 0]);
    let sync = pair.world.sync(&pair.a.0).await;
    assert_eq!(sync.row.state, "done", "{:?}", sync.log);
    pair.same();
    assert_eq!(pair.whole(&pair.a.1).await, 2);
    // It dies in the middle of a run: what is read back comes from the other.
    pair.change(2);
    pair.a.1.fail_operation(Operation::Put, 2, ErrorClass::Offline);
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    assert_eq!((pair.whole(&pair.a.1).await, pair.whole(&pair.b.1).await), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_one_destination_waits_for_no_other() {
    let pair = pair().await;
    pair.a.1.set_delay(Some(std::time::Duration::from_secs(600)));
    pair.a.1.forget_calls();
    let engine = &pair.world.engine;
    assert_eq!(engine.destination_id("b").unwrap().as_ref(), Some(&pair.b.0));
    assert_eq!(engine.destination_id(&pair.b.0).unwrap().as_ref(), Some(&pair.b.0));
    assert_eq!(engine.destination_id("c").unwrap(), None);
    assert_eq!(engine.destination_row(&pair.b.0).await.unwrap().name, "b");
    assert!(pair.a.1.calls().is_empty(), "{:?}", pair.a.1.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_destination_left_there_is_no_backup() {
    let pair = pair().await;
    pair.a.1.set_offline(true);
    pair.b.1.set_offline(true);
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "failed");
    assert_eq!(run.row.error.unwrap().code, "offline");
    assert_eq!(pair.world.backup_count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_was_lost_comes_back_from_nothing() {
    let pair = pair().await;
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    pair.b.1.keys().iter().for_each(|key| pair.b.1.tamper(key, None));
    pair.change(5);
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(
        run.row.state, "done_with_problems",
        "an empty place is not filled behind the user's back: {:?}",
        run.log
    );
    assert!(objects(&pair.b.1).is_empty());
    let sync = pair.world.sync(&pair.b.0).await;
    assert_eq!(sync.row.state, "done", "{:?} {:?}", sync.row.error, sync.log);
    pair.same();
    assert_eq!(pair.whole(&pair.b.1).await, 2);
    // Single objects lost behind everybody's back come back too.
    let pack = pair.b.1.keys().into_iter().find(|key| key.starts_with("data/")).unwrap();
    pair.b.1.tamper(&pack, None);
    let sync = pair.world.sync(&pair.b.0).await;
    assert_eq!(sync.row.state, "done", "{:?} {:?}", sync.row.error, sync.log);
    pair.same();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_at_one_copy_is_named_and_comes_from_the_other() {
    let pair = pair().await;
    let backup = pair.world.back_up(&pair.plan).await.row.backup.unwrap();
    damage(&pair.a.1, "data/");
    let (run, warnings) = pair.restore_warned(&backup, "r1").await.unwrap();
    assert!(["done", "done_with_problems"].contains(&run.row.state.as_str()), "{:?} {:?}", run.row, run.log);
    let problems = pair.world.engine.run_problems(&run.row.id, "", 0, 10).await.unwrap();
    let named = warnings.iter().any(|text| text.contains("copy at a"))
        || problems.rows.iter().any(|p| p.subject == "copy at a");
    assert!(named, "{warnings:?} {problems:?}");
    pair.compare("r1");
    let verify = pair.world.engine.start_verify(&backup).await.unwrap();
    let verify = pair.world.end(&verify).await;
    assert_eq!(verify.row.state, "done_with_problems", "{:?}", verify.log);
    // Damaged at both, it is never restored as good.
    damage(&pair.b.1, "data/");
    let request = RestoreRequest {
        backup: backup.clone(),
        paths: Vec::new(),
        server: "this-computer".into(),
        target: Some(text(&pair.world.path("r2"))),
        mode: "merge".into(),
        ..RestoreRequest::default()
    };
    if let Ok(preview) = pair.world.engine.plan_restore(request).await
        && let Ok(run) = pair.world.engine.start_restore(&preview.id, None).await
    {
        let run = pair.world.end(&run).await;
        assert_ne!(run.row.state, "done", "{:?}", run.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_copy_stays_deleted_and_its_room_is_freed() {
    let pair = pair().await;
    let first = pair.world.back_up(&pair.plan).await.row.backup.unwrap();
    for n in 0..12 {
        pair.change(n);
    }
    let second = pair.world.back_up(&pair.plan).await.row.backup.unwrap();
    let engine = &pair.world.engine;
    let preview = engine.delete_preview(&second, Vec::new()).await.unwrap();
    assert!(preview.newest && !preview.only && preview.copies.len() == 2, "{preview:?}");
    let only_b = vec![pair.b.0.clone()];
    let preview = engine.delete_preview(&first, only_b.clone()).await.unwrap();
    assert!(!preview.newest && preview.notes.iter().any(|note| note.contains("other copy")), "{preview:?}");
    let report = engine.delete_backup(&first, only_b).await.unwrap();
    assert_eq!((report.removed, report.failed.len()), (vec!["b".to_owned()], 0));
    assert!(report.prune_hint.contains(" at b"), "{}", report.prune_hint);
    assert_eq!((pair.whole(&pair.a.1).await, pair.whole(&pair.b.1).await), (2, 1));
    let row = engine.backups(Default::default()).await.unwrap().rows.into_iter().find(|row| row.id == first).unwrap();
    assert_eq!((row.destinations, row.missing_at.len()), (vec!["a".to_owned()], 0), "taken away on purpose");
    let sync = pair.world.sync(&pair.b.0).await;
    assert_eq!(sync.row.state, "done", "{:?}", sync.log);
    assert_eq!(pair.whole(&pair.b.1).await, 1, "sync does not bring it back");
    let before: usize = objects(&pair.b.1).values().map(Bytes::len).sum();
    let run = engine.start_prune(&pair.b.0).await.unwrap();
    let run = pair.world.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    let after: usize = objects(&pair.b.1).values().map(Bytes::len).sum();
    assert!(before - after > 200_000, "{before} {after}");
    assert_eq!(pair.whole(&pair.b.1).await, 1);
    // Backups go on to both, though their objects are not the same any more.
    pair.change(4);
    let run = pair.world.back_up(&pair.plan).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    assert_eq!((pair.whole(&pair.a.1).await, pair.whole(&pair.b.1).await), (3, 2));
    // A copy that refuses is told on its own.
    pair.a.1.fail_operation(Operation::Delete, 1, ErrorClass::Refused);
    let report = engine.delete_backup(&second, Vec::new()).await.unwrap();
    assert_eq!((report.removed, report.failed.len()), (vec!["b".to_owned()], 1));
    assert_eq!(report.failed[0].error.code, "refused");
    let audit = engine.audit(0, 100).await.unwrap();
    let deletions: Vec<_> = audit.rows.iter().filter(|row| row.action == "backup.delete").collect();
    assert_eq!(deletions.len(), 3);
    assert!(deletions.iter().any(|row| row.outcome == "refused"));
}
