//! Object lock: what is still kept stays locked, what somebody wants gone does not.

use crate::support::*;
use backstay_contract::RunDetail;
use backstay_core::ErrorClass;
use backstay_lab::MemoryDestination;
use backstay_lab::memory_destination::Operation;
use chrono::TimeDelta;
use std::time::Duration;

const DAY: i64 = 86_400;

/// Archives in a bucket that locks them for 30 days.
struct Locking {
    world: World,
    place: MemoryDestination,
    id: String,
    plan: String,
}

impl Locking {
    async fn new() -> Self {
        let world = World::new().await;
        world.patient().await;
        world.write("data/file", b"content");
        let mut draft = world.bare_bucket("locking");
        (draft.s3.lock_days, draft.s3.lock_mode) = (Some(30), Some("COMPLIANCE".into()));
        let id = world.add(draft).await;
        let plan = world.plan_of_data(std::slice::from_ref(&id), archives_sealed_by("none")).await;
        let place = world.parts.buckets.of("bucket-locking");
        Self { world, place, id, plan }
    }

    fn now(&self) -> i64 {
        backstay_core::context::Clock::now(self.world.parts.clock.as_ref()).timestamp()
    }

    /// Backs up; what the run wrote is locked as a bucket would lock it.
    async fn back_up(&self) -> RunDetail {
        let before = self.place.keys();
        let run = self.world.back_up(&self.plan).await;
        for key in self.place.keys().iter().filter(|key| key.starts_with("archives/") && !before.contains(key)) {
            self.place.set_lock(key, self.now() + 30 * DAY);
        }
        run
    }

    /// Days until the first lock of these objects ends.
    fn left(&self, keys: &[String]) -> i64 {
        let ends = keys.iter().map(|key| self.place.lock_of(key).unwrap());
        (ends.min().unwrap() - self.now() + DAY / 2) / DAY
    }

    fn archives(&self) -> Vec<String> {
        self.place.keys().into_iter().filter(|key| key.starts_with("archives/")).collect()
    }

    fn asked(&self) -> usize {
        self.place.calls().iter().filter(|call| call.operation == Operation::Lock).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_of_what_is_kept_are_extended_before_they_end() {
    let locking = Locking::new().await;
    let first = locking.back_up().await;
    assert_eq!(first.row.state, "done", "{:?} {:?}", first.row.error, first.log);
    let backup = first.row.backup.unwrap();
    let keys = locking.archives();
    assert_eq!(keys.len(), 2, "an archive and its manifest: {keys:?}");
    let shown = locking.world.engine.backup(&backup).await.unwrap().copies.remove(0).locked_until.unwrap();
    assert_eq!((shown / 1000 - locking.now() + DAY / 2) / DAY, 30);

    locking.world.parts.clock.jump(TimeDelta::days(14));
    assert_eq!(locking.back_up().await.row.state, "done");
    assert_eq!((locking.asked(), locking.left(&keys)), (0, 16), "not past its half");
    locking.world.parts.clock.jump(TimeDelta::days(2));
    let run = locking.back_up().await;
    assert_eq!(run.row.state, "done", "{:?}", run.log);
    assert!(run.log.iter().any(|line| line.text.contains("The locks of 1 archive at locking hold until")));
    assert_eq!((locking.asked(), locking.left(&keys)), (2, 30));
    // Not again before half of the new lock is over; and a sync does it as well.
    assert_eq!(locking.back_up().await.row.state, "done");
    assert_eq!(locking.asked(), 2);
    locking.world.parts.clock.jump(TimeDelta::days(20));
    let sync = locking.world.engine.start_sync(&locking.id).await.unwrap();
    assert_eq!(locking.world.end(&sync).await.row.state, "done");
    assert_eq!(locking.left(&locking.archives()), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_cannot_be_extended_is_named_and_the_backup_is_there() {
    let locking = Locking::new().await;
    locking.back_up().await;
    locking.world.parts.clock.jump(TimeDelta::days(20));
    locking.place.fail_operation(Operation::Lock, 1, ErrorClass::Refused);
    let run = locking.back_up().await;
    assert_eq!(run.row.state, "done_with_problems", "{:?} {:?}", run.row.error, run.log);
    assert!(run.row.backup.is_some());
    let problems = locking.world.engine.run_problems(&run.row.id, "", 0, 10).await.unwrap().rows;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].subject == "locking" && problems[0].reason.contains("could not be extended"), "{problems:?}");
    let run = locking.back_up().await;
    assert_eq!(run.row.state, "done", "the next run makes it good: {:?}", run.log);
    assert_eq!(locking.left(&locking.archives()), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_of_what_somebody_wants_gone_is_left_to_end() {
    let locking = Locking::new().await;
    let backup = locking.back_up().await.row.backup.unwrap();
    let keys = locking.archives();
    let engine = &locking.world.engine;
    let preview = engine.delete_preview(&backup, Vec::new()).await.unwrap();
    assert!(preview.notes.iter().any(|note| note.contains("has it locked until")), "{:?}", preview.notes);
    locking.place.fail_operation(Operation::Delete, 1, ErrorClass::Refused);
    let report = engine.delete_backup(&backup, Vec::new()).await.unwrap();
    assert!(report.failed[0].error.hint.as_ref().unwrap().contains("not extended any more"), "{report:?}");
    locking.world.parts.clock.jump(TimeDelta::days(20));
    assert_eq!(locking.back_up().await.row.state, "done");
    assert_eq!((locking.asked(), locking.left(&keys)), (0, 10));
    locking.world.parts.clock.jump(TimeDelta::days(11));
    let report = engine.delete_backup(&backup, Vec::new()).await.unwrap();
    assert_eq!(report.removed, ["locking"], "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_let_go_while_locks_are_extended_stays_let_go() {
    let locking = Locking::new().await;
    let backup = locking.back_up().await.row.backup.unwrap();
    locking.world.parts.clock.jump(TimeDelta::days(20));
    locking.place.set_delay(Some(Duration::from_millis(300)));
    let sync = locking.world.engine.start_sync(&locking.id).await.unwrap();
    locking.world.until("a lock is being extended", || locking.asked() > 0).await;
    let (store, name) = (&locking.world.parts.store, format!("locks/{}", locking.id));
    let wanted = serde_json::json!({ "until": {}, "let_go": [backup] });
    store.put_transfer(&name, &wanted.to_string()).unwrap();
    let sync = locking.world.end(&sync).await;
    assert_eq!(sync.row.state, "done", "{:?} {:?}", sync.row.error, sync.log);
    let kept: serde_json::Value = serde_json::from_str(&store.transfer(&name).unwrap().unwrap()).unwrap();
    assert_eq!(kept["let_go"], wanted["let_go"]);
    assert!(kept["until"][&backup].is_i64(), "and what was extended is known: {kept}");
}
