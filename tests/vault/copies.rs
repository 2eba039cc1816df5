//! Copies of one vault, backups removed from it, and room freed.

use crate::support::*;
use async_trait::async_trait;
use backstay_core::context::Clock;
use backstay_core::destination::{Direction, Traffic};
use backstay_core::layout::{Layout, MemoryJournal, Synced};
use backstay_core::run::Problem;
use backstay_core::{BackupId, ErrorClass, Result, RunContext};
use backstay_lab::MemoryDestination;
use backstay_lab::memory_destination::Operation;
use backstay_layouts::Vault;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

async fn sync(from: &Vault, to: &MemoryDestination, backups: &[BackupId]) -> Result<Synced> {
    sync_as(&RunContext::silent(), from, to, backups).await
}

async fn sync_as(ctx: &RunContext, from: &Vault, to: &MemoryDestination, backups: &[BackupId]) -> Result<Synced> {
    from.sync_to(ctx, Arc::new(to.clone()), backups, Arc::new(MemoryJournal::default())).await
}

/// Everything but locks.
fn objects(memory: &MemoryDestination) -> BTreeMap<String, bytes::Bytes> {
    let keys = memory.keys().into_iter().filter(|key| !key.starts_with("locks/"));
    keys.map(|key| (key.clone(), memory.object(&key).unwrap())).collect()
}

async fn assert_whole(memory: &MemoryDestination, backups: usize) {
    let vault = open(memory).await;
    assert_eq!(vault.list().await.unwrap().len(), backups);
    let check = vault.check(&RunContext::silent(), 100).await.unwrap();
    assert!(check.faults.is_empty(), "{:?}", check.faults);
}

/// Takes problems.
#[derive(Default)]
struct Problems(Mutex<Vec<Problem>>);

impl backstay_core::context::Progress for Problems {
    fn phase(&self, _: backstay_core::run::Phase) {}
    fn total(&self, _: Option<u64>, _: Option<u64>) {}
    fn advance(&self, _: u64, _: u64) {}
    fn current(&self, _: &str) {}
    fn problem(&self, problem: Problem) {
        self.0.lock().unwrap().push(problem);
    }
    fn log(&self, _: &str) {}
    fn alive(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_brought_up_from_nothing_and_is_the_same_to_the_byte() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let files = random_files(31, 60);
    let first = backup_at(&vault, &files, 1).await.unwrap().0;
    backup_at(&vault, &random_files(32, 30), 2).await.unwrap();
    let copy = MemoryDestination::new();
    let synced = sync(&vault, &copy, &[]).await.unwrap();
    assert_eq!(synced.backups, 2);
    assert!(synced.bytes > 0 && synced.objects >= 4);
    assert_eq!(objects(&memory), objects(&copy));
    assert!(keys_in(&copy, "locks/").is_empty() && keys_in(&memory, "locks/").is_empty());
    assert_same(&files, &read(&open(&copy).await, &first.id).await.unwrap());
    let again = sync(&vault, &copy, &[]).await.unwrap();
    assert_eq!(again, Synced::default(), "nothing is copied twice");

    let dir = tempfile::tempdir().unwrap();
    let Some(mut check) = restic(&dir.path().join("vault"), dir.path()) else { return };
    to_folder(&copy, &dir.path().join("vault"));
    assert!(run(check.args(["check", "--read-data"])).contains("no errors were found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_at_any_call_a_copy_shows_only_whole_backups_and_goes_on() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    backup_at(&vault, &random_files(33, 40), 1).await.unwrap();
    backup_at(&vault, &random_files(34, 40), 2).await.unwrap();
    let whole = objects(&memory);
    for n in 1..200 {
        let copy = MemoryDestination::new();
        copy.fail_call(n, ErrorClass::Offline);
        let failed = sync(&vault, &copy, &[]).await;
        copy.clear_faults();
        if keys_in(&copy, "config").len() == 1 {
            let there = keys_in(&copy, "snapshots/").len();
            assert_whole(&copy, there).await;
        }
        sync(&vault, &copy, &[]).await.unwrap();
        assert_eq!(whole, objects(&copy), "after call {n} failed");
        if failed.is_ok() {
            assert!(n > 10, "the faults must have hit");
            return;
        }
    }
    panic!("the copy never ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_gets_just_what_it_lacks_and_what_was_lost_there() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let files = random_files(35, 50);
    let first = backup_at(&vault, &files, 1).await.unwrap().0;
    let copy = MemoryDestination::new();
    sync(&vault, &copy, std::slice::from_ref(&first.id)).await.unwrap();
    let pack = keys_in(&copy, "data/").remove(0);
    copy.tamper(&pack, Some(copy.object(&pack).unwrap().slice(..100)));
    let second = backup_at(&vault, &random_files(36, 50), 2).await.unwrap().0;
    assert!(!vault.is_level_with(&RunContext::silent(), Arc::new(copy.clone())).await.unwrap());
    let synced = sync(&vault, &copy, &[]).await.unwrap();
    assert_eq!(synced.backups, 1);
    assert_eq!(objects(&memory), objects(&copy));
    assert!(vault.is_level_with(&RunContext::silent(), Arc::new(copy.clone())).await.unwrap());
    assert_same(&files, &read(&open(&copy).await, &first.id).await.unwrap());
    assert!(read(&open(&copy).await, &second.id).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_vault_is_never_written_into() {
    let (one, other) = (new_vault().await, MemoryDestination::new());
    Vault::create(Arc::new(other.clone()), &password()).await.unwrap();
    let vault = open(&one).await;
    backup_at(&vault, &random_files(37, 5), 1).await.unwrap();
    let before = objects(&other);
    let error = sync(&vault, &other, &[]).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid, "{error:?}");
    assert_eq!(before, objects(&other));
    let foreign = MemoryDestination::new();
    foreign.tamper("holiday.jpg", Some("x".into()));
    assert_eq!(sync(&vault, &foreign, &[]).await.unwrap_err().class, ErrorClass::Invalid);
    assert_eq!(foreign.keys(), ["holiday.jpg"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_named_and_not_copied_the_others_are() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let bad = backup_at(&vault, &random_files(38, 30), 1).await.unwrap().0;
    let packs = keys_in(&memory, "data/");
    let good_files = random_files(39, 30);
    let good = backup_at(&vault, &good_files, 2).await.unwrap().0;
    let biggest = packs.iter().max_by_key(|key| memory.object(key).unwrap().len()).unwrap();
    let mut content = memory.object(biggest).unwrap().to_vec();
    for at in (0..content.len()).step_by(64) {
        content[at] ^= 1;
    }
    memory.tamper(biggest, Some(content.into()));
    let problems = Arc::new(Problems::default());
    let ctx = RunContext { progress: problems.clone(), ..RunContext::silent() };
    let copy = MemoryDestination::new();
    sync_as(&ctx, &open(&memory).await, &copy, &[]).await.unwrap();
    let named = problems.0.lock().unwrap().clone();
    assert!(named.iter().any(|problem| problem.subject.contains(&bad.id.as_str()[..8])), "{named:?}");
    let there = open(&copy).await.list().await.unwrap();
    let ids: Vec<_> = there.iter().map(|record| record.id.clone()).collect();
    assert!(!ids.contains(&bad.id));
    if ids.contains(&good.id) {
        assert_same(&good_files, &read(&open(&copy).await, &good.id).await.unwrap());
    }
    assert_whole(&copy, ids.len()).await;
}

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
struct Sleeper(Mutex<TimeDelta>);

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

#[tokio::test(flavor = "multi_thread")]
async fn what_one_copy_pruned_is_not_brought_back_by_the_other() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let files = random_files(49, 30);
    let gone = backup_at(&vault, &random_files(50, 60), 1).await.unwrap().0;
    let kept = backup_at(&vault, &files, 2).await.unwrap().0;
    let copy = MemoryDestination::new();
    sync(&vault, &copy, &[]).await.unwrap();
    let copied = open(&copy).await;
    copied.delete(&RunContext::silent(), &gone.id).await.unwrap();
    copied.prune(&RunContext::silent()).await.unwrap();
    let before = copied.used_bytes().await.unwrap();
    let synced = sync(&vault, &copy, std::slice::from_ref(&kept.id)).await.unwrap();
    assert_eq!((synced.objects, synced.backups), (0, 0));
    assert_eq!(copied.used_bytes().await.unwrap(), before);
    // And the other way: what was moved there serves here as well, and both stay whole.
    sync(&copied, &memory, &[]).await.unwrap();
    assert_whole(&memory, 2).await;
    assert_whole(&copy, 1).await;
    assert_same(&files, &read(&open(&copy).await, &kept.id).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_saves_reads_and_may_be_deleted_or_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let memory = new_vault().await;
    let files = random_files(51, 80);
    let cached = || async { open(&memory).await.with_cache(dir.path()) };
    let record = backup(&cached().await, &files).await;
    let list = async |vault: &Vault| {
        memory.forget_calls();
        let reader = vault.open(&record.id).await.unwrap();
        reader.walk(&RunContext::silent(), &Default::default()).await.unwrap();
        memory.count(Operation::Get)
    };
    let without = list(&open(&memory).await).await;
    assert!(without >= 2);
    assert_eq!(list(&cached().await).await, 0, "index, snapshot and lists come from the cache");
    assert_same(&files, &read(&cached().await, &record.id).await.unwrap());

    let spoil = |how: &dyn Fn(&std::path::Path)| {
        let mut open = vec![dir.path().to_owned()];
        let mut spoiled = 0;
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    how(&path);
                    spoiled += 1;
                }
            }
        }
        spoiled
    };
    let flip = |path: &std::path::Path| {
        let content: Vec<u8> = std::fs::read(path).unwrap().iter().map(|byte| byte ^ 1).collect();
        std::fs::write(path, content).unwrap();
    };
    assert!(spoil(&flip) >= 3);
    assert_same(&files, &read(&cached().await, &record.id).await.unwrap());
    assert_eq!(list(&cached().await).await, 0, "what was damaged was read anew");
    spoil(&|path| std::fs::write(path, "").unwrap());
    assert_same(&files, &read(&cached().await, &record.id).await.unwrap());
    spoil(&|path| std::fs::remove_file(path).unwrap());
    assert_same(&files, &read(&cached().await, &record.id).await.unwrap());
    // The cache hides no damage from a check.
    let snapshot = keys_in(&memory, "snapshots/").remove(0);
    memory.tamper(&snapshot, Some("damage".into()));
    assert!(!cached().await.check(&RunContext::silent(), 0).await.unwrap().faults.is_empty());
    // Nothing in it is readable without the key.
    spoil(&|path| assert!(!std::fs::read(path).unwrap().windows(8).any(|part| part == b"\"nodes\":")));
}
