//! Backups removed from a vault, and room freed: nothing that is still needed goes, whoever else is at work.

use crate::copies::{assert_whole, objects};
use crate::support::*;
use async_trait::async_trait;
use backstay_core::context::Clock;
use backstay_core::destination::{Direction, Traffic};
use backstay_core::layout::Layout;
use backstay_core::{ErrorClass, RunContext};
use backstay_lab::MemoryDestination;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, Mutex};

#[tokio::test(flavor = "multi_thread")]
async fn deleted_backups_leave_room_that_pruning_frees() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let kept_files = random_files(41, 60);
    let gone = backup_at(&vault, &random_files(42, 60), 1).await.unwrap().0;
    let kept = backup_at(&vault, &kept_files, 2).await.unwrap().0;
    let before = vault.used_bytes().await.unwrap();
    let deleted = vault.delete(&RunContext::silent(), &gone.id).await.unwrap();
    assert!(deleted.freed_bytes > 0);
    let unused = deleted.unused_bytes.unwrap();
    assert!(unused > 10_000, "{deleted:?}");
    assert_eq!(vault.list().await.unwrap().len(), 1);
    assert_eq!(vault.open(&gone.id).await.err().unwrap().class, ErrorClass::Missing);
    let pruned = vault.prune(&RunContext::silent()).await.unwrap();
    assert_eq!(pruned.freed_bytes, unused, "what was promised is what was freed");
    let after = vault.used_bytes().await.unwrap();
    assert!(before - after > unused * 9 / 10, "{before} {after} {unused}");
    assert!(keys_in(&memory, "locks/").is_empty());
    assert_whole(&memory, 1).await;
    assert_same(&kept_files, &read(&vault, &kept.id).await.unwrap());
    assert_same(&kept_files, &read(&open(&memory).await, &kept.id).await.unwrap());
    let again = vault.prune(&RunContext::silent()).await.unwrap();
    assert_eq!(again.objects, 0, "nothing is left to do");
    // Backups go on, and share what is there.
    backup_at(&vault, &kept_files, 3).await.unwrap();
    assert!(vault.used_bytes().await.unwrap() - after < 20_000);

    let dir = tempfile::tempdir().unwrap();
    let Some(mut check) = restic(&dir.path().join("vault"), dir.path()) else { return };
    to_folder(&memory, &dir.path().join("vault"));
    assert!(run(check.args(["check", "--read-data"])).contains("no errors were found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_killed_at_any_call_loses_nothing() {
    let template = new_vault().await;
    let vault = open(&template).await;
    let files = random_files(43, 40);
    let mut mixed = random_files(44, 40);
    mixed.extend(files.clone());
    let gone = backup_at(&vault, &mixed, 1).await.unwrap().0;
    let kept = backup_at(&vault, &files, 2).await.unwrap().0;
    vault.delete(&RunContext::silent(), &gone.id).await.unwrap();
    let start = objects(&template);
    let mut moved = false;
    for n in 1..200 {
        let memory = MemoryDestination::new();
        start.iter().for_each(|(key, content)| memory.tamper(key, Some(content.clone())));
        let vault = open(&memory).await;
        // From this call on nothing works any more, as after a kill.
        memory.fail_call(n, ErrorClass::Offline);
        for later in n + 1..n + 60 {
            memory.fail_call(later, ErrorClass::Offline);
        }
        let result = vault.prune(&RunContext::silent()).await;
        memory.clear_faults();
        // The lock of the dead is another matter; restic has its own ways with it.
        keys_in(&memory, "locks/").iter().for_each(|key| memory.tamper(key, None));
        assert_whole(&memory, 1).await;
        assert_same(&files, &read(&open(&memory).await, &kept.id).await.unwrap());
        let end = open(&memory).await.prune(&RunContext::silent()).await.unwrap();
        moved |= end.moved_bytes > 0;
        assert_whole(&memory, 1).await;
        assert_eq!(open(&memory).await.prune(&RunContext::silent()).await.unwrap().objects, 0);
        if result.is_ok() {
            assert!(moved && n > 8, "the faults must have hit, and chunks must have been moved");
            return;
        }
    }
    panic!("pruning never ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_and_backups_keep_out_of_each_others_way() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let manifest = manifest("nightly", moment(1));
    let mut writer = vault.begin(&RunContext::silent(), start(&manifest)).await.unwrap();
    push(writer.as_mut(), &random_files(45, 10)).await.unwrap();
    let error = vault.prune(&RunContext::silent()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Locked, "{error:?}");
    writer.commit(manifest).await.unwrap();
    vault.prune(&RunContext::silent()).await.unwrap();
    assert_whole(&memory, 1).await;
    // Whoever removes data without minding the lock is found out before the backup counts.
    let manifest = self::manifest("nightly", moment(2));
    let mut writer = vault.begin(&RunContext::silent(), start(&manifest)).await.unwrap();
    push(writer.as_mut(), &random_files(46, 10)).await.unwrap();
    let old = keys_in(&memory, "index/").remove(0);
    memory.tamper(&old, None);
    assert_eq!(writer.commit(manifest).await.unwrap_err().class, ErrorClass::Locked);
    assert_eq!(keys_in(&memory, "snapshots/").len(), 1);
}

/// Does something when an object goes up for the second time: a prune has its lock by then, and has removed nothing.
struct Meanwhile<F>(Mutex<usize>, F);

#[async_trait]
impl<F: Fn() + Send + Sync> Traffic for Meanwhile<F> {
    async fn pass(&self, direction: Direction, _: usize) {
        let mut seen = self.0.lock().unwrap();
        *seen += usize::from(direction == Direction::Up);
        if direction == Direction::Up && *seen == 2 {
            (self.1)();
        }
    }
}

fn meanwhile(memory: &MemoryDestination, act: impl Fn() + Send + Sync + 'static) -> MemoryDestination {
    memory.with_traffic(Arc::new(Meanwhile(Mutex::new(0), act)))
}

/// A clock that goes on while nothing else does, as when a computer sleeps.
#[derive(Default)]
pub struct Sleeper(pub Mutex<TimeDelta>);

impl Clock for Sleeper {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + *self.0.lock().unwrap()
    }
}

/// A vault with a backup, and another one that was deleted; returns that one's snapshot too.
async fn with_one_deleted() -> (MemoryDestination, String, Bytes) {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let gone = backup_at(&vault, &random_files(52, 30), 1).await.unwrap().0;
    backup_at(&vault, &random_files(53, 30), 2).await.unwrap();
    let snapshot = format!("snapshots/{}", gone.id);
    let content = memory.object(&snapshot).unwrap();
    vault.delete(&RunContext::silent(), &gone.id).await.unwrap();
    (memory, snapshot, content)
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_removes_nothing_once_somebody_came_in_spite_of_its_lock() {
    // Another computer, whose clock is wrong, makes a backup of what is about to go.
    let (memory, snapshot, content) = with_one_deleted().await;
    let there = memory.clone();
    let busy = meanwhile(&memory, move || there.tamper(&snapshot, Some(content.clone())));
    let error = open(&busy).await.prune(&RunContext::silent()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Locked, "{error:?}");
    assert_whole(&memory, 2).await;

    // Ours sleeps for so long that every other takes the lock for dead.
    let (memory, ..) = with_one_deleted().await;
    let packs = keys_in(&memory, "data/");
    let clock = Arc::new(Sleeper::default());
    let asleep = clock.clone();
    let busy = meanwhile(&memory, move || *asleep.0.lock().unwrap() = TimeDelta::hours(2));
    let ctx = RunContext { clock, ..RunContext::silent() };
    let error = open(&busy).await.prune(&ctx).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline, "{error:?}");
    assert_eq!(keys_in(&memory, "data/"), packs);
    assert_whole(&memory, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_none_while_somebody_removes_data() {
    let (memory, ..) = with_one_deleted().await;
    let seen: Arc<Mutex<Option<(String, Bytes)>>> = Arc::default();
    let (there, keep) = (memory.clone(), seen.clone());
    let look = move || {
        let key = keys_in(&there, "locks/").remove(0);
        *keep.lock().unwrap() = there.object(&key).map(|content| (key, content));
    };
    open(&meanwhile(&memory, look)).await.prune(&RunContext::silent()).await.unwrap();
    let (key, lock) = seen.lock().unwrap().take().unwrap();

    let vault = open(&memory).await;
    let manifest = manifest("nightly", moment(3));
    let mut writer = vault.begin(&RunContext::silent(), start(&manifest)).await.unwrap();
    push(writer.as_mut(), &random_files(54, 10)).await.unwrap();
    memory.tamper(&key, Some(lock));
    let error = writer.commit(manifest.clone()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Locked, "{error:?}");
    assert_eq!(keys_in(&memory, "snapshots/").len(), 1);
    memory.tamper(&key, None);
    let mut writer = vault.begin(&RunContext::silent(), start(&manifest)).await.unwrap();
    push(writer.as_mut(), &random_files(54, 10)).await.unwrap();
    writer.commit(manifest).await.unwrap();
    assert_whole(&memory, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_refuses_where_something_is_lost_or_unreadable() {
    for what in ["snapshots/", "data/"] {
        let memory = new_vault().await;
        let vault = open(&memory).await;
        let gone = backup_at(&vault, &random_files(47, 20), 1).await.unwrap().0;
        backup_at(&vault, &random_files(48, 20), 2).await.unwrap();
        vault.delete(&RunContext::silent(), &gone.id).await.unwrap();
        if what == "data/" {
            keys_in(&memory, what).iter().for_each(|key| memory.tamper(key, None));
        } else {
            memory.tamper(&keys_in(&memory, what)[0], Some("damage".into()));
        }
        let before = objects(&memory);
        let error = open(&memory).await.prune(&RunContext::silent()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Corrupt, "{error:?}");
        assert_eq!(before, objects(&memory), "nothing was removed");
    }
}
