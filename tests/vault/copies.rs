//! Copies of one vault: made, brought up to date, and whole wherever they were cut off.

use crate::support::*;
use async_trait::async_trait;
use backstay_core::destination::{Destination, DestinationCapabilities, Direction, Traffic};
use backstay_core::layout::{Layout, MemoryJournal, Synced};
use backstay_core::run::Problem;
use backstay_core::{BackupId, ErrorClass, Result, RunContext};
use backstay_lab::MemoryDestination;
use backstay_layouts::Vault;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub async fn sync(from: &Vault, to: &MemoryDestination, backups: &[BackupId]) -> Result<Synced> {
    sync_as(&RunContext::silent(), from, to, backups).await
}

async fn sync_as(ctx: &RunContext, from: &Vault, to: &MemoryDestination, backups: &[BackupId]) -> Result<Synced> {
    from.sync_to(ctx, Arc::new(to.clone()), backups, Arc::new(MemoryJournal::default())).await
}

/// Everything but locks.
pub fn objects(memory: &MemoryDestination) -> BTreeMap<String, bytes::Bytes> {
    let keys = memory.keys().into_iter().filter(|key| !key.starts_with("locks/"));
    keys.map(|key| (key.clone(), memory.object(&key).unwrap())).collect()
}

pub async fn assert_whole(memory: &MemoryDestination, backups: usize) {
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
        // What is small is asked for once more.
        (n..n + 2).for_each(|call| copy.fail_call(call, ErrorClass::Offline));
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

/// A prune that took the copy's lock for dead: it removes the first object of a folder while that is read back.
struct Pruner(MemoryDestination, &'static str, AtomicBool);

#[async_trait]
impl Traffic for Pruner {
    async fn pass(&self, direction: Direction, _: usize) {
        let Some(first) = keys_in(&self.0, self.1).into_iter().next() else { return };
        if direction == Direction::Down && !self.2.swap(true, Ordering::Relaxed) {
            self.0.tamper(&first, None);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_tells_of_nothing_that_was_removed_meanwhile() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    backup_at(&vault, &random_files(51, 40), 1).await.unwrap();
    for folder in ["data/", "index/"] {
        let copy = MemoryDestination::new();
        // One pack after another: the first is gone before the second comes.
        copy.set_capabilities(DestinationCapabilities { parallel_objects: 1, ..copy.capabilities() });
        let busy = copy.with_traffic(Arc::new(Pruner(copy.clone(), folder, AtomicBool::new(false))));
        let error = sync(&vault, &busy, &[]).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Locked, "{folder}: {error:?}");
        assert!(error.message.contains("copy") && error.hint.is_some(), "{error:?}");
        assert!(keys_in(&copy, "index/").is_empty() && keys_in(&copy, "snapshots/").is_empty(), "{folder}");
        sync(&vault, &copy, &[]).await.unwrap();
        assert_whole(&copy, 1).await;
    }
}
