//! What may go wrong goes wrong here: nothing made before is lost, nothing false comes out, the next run is fine.

use crate::support::*;
use async_trait::async_trait;
use backstay_core::destination::{Direction, Traffic};
use backstay_core::entry::{AddError, Content};
use backstay_core::layout::{Layout, Selection};
use backstay_core::{ErrorClass, RunContext};
use backstay_lab::MemoryDestination;
use backstay_lab::memory_destination::Operation;
use bytes::Bytes;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};

/// Enough for several packs and index files.
fn large_files() -> Files {
    let mut files = random_files(21, 80);
    for number in 0..5 {
        let (at, file) = file(&format!("srv/large{number}"), &noise(1000 + number, 8 << 20));
        files.insert(at, file);
    }
    files
}

async fn assert_whole(memory: &MemoryDestination, backups: &[(&backstay_core::BackupId, &Files)]) {
    let vault = open(memory).await;
    assert_eq!(vault.list().await.unwrap().len(), backups.len());
    for (id, files) in backups {
        assert_same(files, &read(&vault, id).await.unwrap());
    }
    let check = vault.check(&RunContext::silent(), 100).await.unwrap();
    assert!(check.faults.is_empty(), "{check:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_write_fails_there_is_no_backup_and_the_next_one_is_fine() {
    let memory = new_vault().await;
    let (old, new) = (random_files(20, 40), large_files());
    let first = backup(&open(&memory).await, &old).await;
    let before: Vec<(String, Bytes)> =
        memory.keys().into_iter().map(|key| (key.clone(), memory.object(&key).unwrap())).collect();
    let mut nth = 1;
    let mut classes = [ErrorClass::Offline, ErrorClass::Refused, ErrorClass::TimedOut].into_iter().cycle();
    loop {
        for key in memory.keys() {
            memory.tamper(&key, None);
        }
        for (key, content) in &before {
            memory.tamper(key, Some(content.clone()));
        }
        let vault = open(&memory).await;
        let class = classes.next().unwrap();
        memory.fail_operation(Operation::Put, nth, class);
        let result = backup_at(&vault, &new, 5).await;
        memory.clear_faults();
        match result {
            Ok(_) => break,
            Err(error) => assert_eq!(error.class, class, "{error:?}"),
        }
        // The lock's own write is the first; nothing is listed, and the one before is as it was.
        let listed = vault.list().await.unwrap();
        assert!(listed.len() == 1 && listed[0].id == first.id, "{listed:?}");
        assert!(keys_in(&memory, "locks/").is_empty());
        if nth % 4 == 0 {
            let (second, _) = backup_at(&vault, &new, 6).await.unwrap();
            assert_whole(&memory, &[(&first.id, &old), (&second.id, &new)]).await;
        }
        nth += 1;
    }
    assert!(nth > 7, "only {nth} writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_destination_is_named_as_full_and_what_was_stored_serves_the_next_run() {
    let memory = new_vault().await;
    let files = large_files();
    let vault = open(&memory).await;
    memory.set_room(Some(38 << 20));
    let error = backup_at(&vault, &files, 1).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Full, "{error:?}");
    memory.set_room(None);
    assert!(vault.list().await.unwrap().is_empty());
    let (record, _) = backup_at(&vault, &files, 2).await.unwrap();
    assert!(record.counts.bytes_added < 30 << 20, "{}", record.counts.bytes_added);
    assert_whole(&memory, &[(&record.id, &files)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_the_vault_is_whole() {
    let memory = new_vault().await;
    let old = random_files(30, 40);
    let first = backup(&open(&memory).await, &old).await;
    let files = large_files();
    let total = {
        memory.forget_calls();
        let probe = new_vault().await;
        backup(&open(&probe).await, &files).await;
        probe.count(Operation::Put) as u64
    };
    // A kill is a destination that from one write on takes nothing any more, not even the removal of the lock, seen by
    // a process that is gone. What it left is what the next process finds.
    for at in 1..total {
        let world = MemoryDestination::new();
        for key in memory.keys() {
            world.tamper(&key, memory.object(&key));
        }
        let vault = open(&world).await;
        let manifest = manifest("nightly", moment(4));
        let mut writer = vault.begin(&RunContext::silent(), start(&manifest)).await.unwrap();
        world.fail_operation(Operation::Put, at, ErrorClass::Offline);
        let pushed = push(writer.as_mut(), &files).await;
        let snapshot: Vec<(String, Bytes)> = if pushed.is_err() {
            let objects = world.keys().into_iter().map(|key| (key.clone(), world.object(&key).unwrap())).collect();
            writer.abort().await;
            objects
        } else {
            let _ = writer.commit(manifest).await;
            world.keys().into_iter().map(|key| (key.clone(), world.object(&key).unwrap())).collect()
        };
        let after = MemoryDestination::new();
        for (key, content) in snapshot {
            after.tamper(&key, Some(content));
        }
        let vault = open(&after).await;
        let listed = vault.list().await.unwrap();
        assert!(listed.iter().any(|record| record.id == first.id));
        for record in &listed {
            let was = if record.id == first.id { &old } else { &files };
            assert_same(was, &read(&vault, &record.id).await.unwrap());
        }
        if at % 3 == 0 {
            let (second, _) = backup_at(&vault, &files, 7).await.unwrap();
            assert_same(&files, &read(&vault, &second.id).await.unwrap());
        }
    }
}

/// Content that ends with an error after some bytes.
struct Broken(usize);

impl AsyncRead for Broken {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.0 == 0 {
            return Poll::Ready(Err(std::io::Error::from(std::io::ErrorKind::PermissionDenied)));
        }
        let part = self.0.min(out.remaining());
        out.initialize_unfilled_to(part);
        out.advance(part);
        self.0 -= part;
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_left_out_and_told() {
    let vault = open(&new_vault().await).await;
    let manifest = manifest("nightly", moment(1));
    let mut writer = vault.begin(&RunContext::silent(), start(&manifest)).await.unwrap();
    for (number, length) in [0, 5, 3 << 20].into_iter().enumerate() {
        let entry = file(&format!("srv/bad{number}"), b"four").1.0;
        match writer.add(entry, Content::Stream(&mut Broken(length))).await {
            Err(AddError::Content(error)) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied),
            other => panic!("{other:?}"),
        }
    }
    let good = Files::from([file("srv/good", b"good")]);
    push(writer.as_mut(), &good).await.unwrap();
    let record = writer.commit(manifest).await.unwrap();
    assert_eq!(record.counts.files, 1);
    assert_same(&good, &read(&vault, &record.id).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_means_no_backup_and_no_lock() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let ctx = RunContext::silent();
    let manifest = manifest("nightly", moment(1));
    let mut writer = vault.begin(&ctx, start(&manifest)).await.unwrap();
    push(writer.as_mut(), &random_files(4, 30)).await.unwrap();
    assert_eq!(keys_in(&memory, "locks/").len(), 1);
    ctx.cancel.cancel();
    let (_, (entry, content)) = file("srv/late", b"late");
    let late = writer.add(entry, Content::Stream(&mut content.as_slice())).await;
    assert!(matches!(late, Err(AddError::Sink(error)) if error.is_cancelled()));
    assert!(writer.commit(manifest).await.unwrap_err().is_cancelled());
    assert!(vault.list().await.unwrap().is_empty() && keys_in(&memory, "locks/").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_while_it_takes_the_lock_it_leaves_none() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    memory.set_delay(Some(Duration::from_millis(200)));
    for after in [300, 500] {
        let ctx = RunContext::silent();
        let cancel = ctx.cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            cancel.cancel();
        });
        let begun = vault.begin(&ctx, start(&manifest("nightly", moment(1)))).await;
        assert!(begun.err().unwrap().is_cancelled());
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert!(keys_in(&memory, "locks/").is_empty(), "after {after} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_writer_gives_its_lock_back() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let manifest = manifest("nightly", moment(1));
    let mut writer = vault.begin(&RunContext::silent(), start(&manifest)).await.unwrap();
    push(writer.as_mut(), &random_files(4, 30)).await.unwrap();
    drop(writer);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !keys_in(&memory, "locks/").is_empty() {
        assert!(std::time::Instant::now() < deadline, "the lock stays");
        tokio::task::yield_now().await;
    }
    assert!(vault.list().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_backups_at_once_both_end_whole() {
    let memory = new_vault().await;
    let (left, right) = (large_files(), random_files(41, 120));
    let (a, b) = (open(&memory).await, open(&memory).await);
    let (first, second) = tokio::join!(backup_at(&a, &left, 1), backup_at(&b, &right, 1));
    let (first, second) = (first.unwrap().0, second.unwrap().0);
    assert_whole(&memory, &[(&first.id, &left), (&second.id, &right)]).await;
    let same = Files::from([file("srv/a", b"1")]);
    // The same vault object, twice, the same files.
    let (third, fourth) = tokio::join!(backup_at(&a, &same, 2), backup_at(&a, &same, 2));
    assert!(third.is_ok() && fourth.is_ok());
    assert_eq!(b.list().await.unwrap().len(), 4);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_exclusive_lock_stops_us_until_its_owner_is_dead() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_) = restic(dir.path(), dir.path()) else { return };
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let files = Files::from([file("srv/a", &noise(1, 100))]);
    backup(&vault, &files).await;
    let repository = dir.path().join("vault");
    to_folder(&memory, &repository);
    // restic's check holds an exclusive lock; stopped half way it still does.
    std::fs::create_dir_all(repository.join("locks")).unwrap();
    let mut check = restic(&repository, dir.path()).unwrap();
    let mut child = check.arg("check").stdout(std::process::Stdio::null()).spawn().unwrap();
    let pid = child.id().to_string();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    // Its name while it is being written is longer.
    let written = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().len() == 64;
    while !std::fs::read_dir(repository.join("locks")).unwrap().any(written) {
        assert!(std::time::Instant::now() < deadline && child.try_wait().unwrap().is_none(), "it took no lock");
        tokio::task::yield_now().await;
    }
    run(std::process::Command::new("kill").args(["-STOP", &pid]));
    let locked = from_folder(&repository);
    let refused = backup_at(&open(&locked).await, &files, 9).await.unwrap_err();
    run(std::process::Command::new("kill").args(["-KILL", &pid]));
    child.wait().unwrap();
    assert_eq!(refused.class, ErrorClass::Locked, "{refused:?}");
    assert!(refused.message.contains(&pid) && refused.hint.is_some(), "{refused}");
    // Its owner is dead now, but restic tells only a host's name: another computer of ours would renew it. Once two
    // renewals are missing the lock counts for nothing, and goes.
    let refused = backup_at(&open(&locked).await, &files, 9).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::Locked, "{refused:?}");
    let clock = Arc::new(crate::prune::Sleeper(chrono::TimeDelta::minutes(11).into()));
    let ctx = RunContext { clock, ..RunContext::silent() };
    let manifest = manifest("nightly", moment(9));
    let mut writer = open(&locked).await.begin(&ctx, start(&manifest)).await.unwrap();
    push(writer.as_mut(), &files).await.unwrap();
    writer.commit(manifest).await.unwrap();
    assert!(keys_in(&locked, "locks/").is_empty());
}

/// Panics on the way of the second object that goes up: a pack, after the lock.
struct Panics(AtomicUsize);

#[async_trait]
impl Traffic for Panics {
    async fn pass(&self, direction: Direction, _: usize) {
        if direction == Direction::Up && self.0.fetch_add(1, Ordering::Relaxed) == 1 {
            // As a panic does, but it prints nothing.
            std::panic::resume_unwind(Box::new("told to"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_lost_by_a_fault_of_ours_fails_the_backup() {
    let memory = new_vault().await;
    let files = random_files(61, 20);
    let vault = open(&memory.with_traffic(Arc::new(Panics(AtomicUsize::new(0))))).await;
    let error = backup_at(&vault, &files, 1).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Internal, "{error:?}");
    assert!(error.message.contains("upload"), "{error}");
    assert!(keys_in(&memory, "snapshots/").is_empty() && keys_in(&memory, "locks/").is_empty());
    let (record, _) = backup_at(&vault, &files, 2).await.unwrap();
    assert_whole(&memory, &[(&record.id, &files)]).await;
}

/// Damages every object of a vault in turn: nothing false may ever come out.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_and_never_passed_on() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let mut files = random_files(50, 60);
    files.insert(path("srv/large"), file("srv/large", &noise(8, 20 << 20)).1);
    let record = backup(&vault, &files).await;
    for name in memory.keys() {
        if name == "config" || name.starts_with("keys/") {
            continue;
        }
        let good = memory.object(&name).unwrap();
        let mut flipped = good.to_vec();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 4;
        let cut = good.slice(..good.len() / 2);
        for (damage, content) in [("flipped", Some(flipped.into())), ("cut", Some(cut)), ("missing", None)] {
            memory.tamper(&name, content);
            let fresh = open(&memory).await;
            let check = fresh.check(&RunContext::silent(), 100).await.unwrap();
            let gone = name.starts_with("index/") || name.starts_with("snapshots/");
            assert!(!check.faults.is_empty() || (gone && damage == "missing"), "{name} {damage}");
            match read(&fresh, &record.id).await {
                Ok(back) => {
                    assert_same(&files, &back);
                    assert!(name.starts_with("data/"), "{name} {damage}");
                }
                Err(error) => assert!(
                    matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing),
                    "{name} {damage}: {error:?}"
                ),
            }
        }
        memory.tamper(&name, Some(good));
    }
    assert_whole(&memory, &[(&record.id, &files)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_named_and_the_others_come() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let mut files = Files::from([file("srv/a", b"first"), file("srv/z", b"last")]);
    files.insert(path("srv/large"), file("srv/large", &noise(8, 40 << 20)).1);
    let record = backup(&vault, &files).await;
    let sizes = sizes(&memory).await;
    let largest = sizes.iter().max_by_key(|(_, size)| **size).unwrap().0;
    memory.tamper(largest, None);
    let reader = vault.open(&record.id).await.unwrap();
    let mut source = reader.stream(&RunContext::silent(), Selection::default()).await.unwrap();
    let mut good = Vec::new();
    let mut bad = Vec::new();
    while let Some(entry) = source.next().await.unwrap() {
        if !entry.is_file() {
            continue;
        }
        let mut content = Vec::new();
        match tokio::io::AsyncReadExt::read_to_end(&mut source.content(), &mut content).await {
            Ok(_) => good.push(entry.path.to_text()),
            Err(error) => {
                let error = backstay_core::Error::io("read", error);
                assert_eq!(error.class, ErrorClass::Corrupt);
                assert!(error.message.contains(&entry.path.to_text()) && error.message.contains("Pack"), "{error}");
                bad.push(entry.path.to_text());
            }
        }
    }
    assert!(bad.contains(&"srv/large".to_owned()), "{bad:?}");
    let check = vault.check(&RunContext::silent(), 0).await.unwrap();
    assert!(check.faults.iter().any(|(subject, _)| subject == "srv/large"), "{check:?}");

    // The next backup notices that the pack is gone, reads and writes those files again, and heals the old backup too.
    let (second, opened) = backup_at(&open(&memory).await, &files, 9).await.unwrap();
    assert_eq!(opened as usize, bad.iter().filter(|path| !path.starts_with(".backstay")).count());
    let vault = open(&memory).await;
    assert_same(&files, &read(&vault, &second.id).await.unwrap());
    assert_same(&files, &read(&vault, &record.id).await.unwrap());
}
