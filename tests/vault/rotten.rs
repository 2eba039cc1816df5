//! Disks that rot and stores that garble: what is damaged is never built on, and a backup makes it good from the server.

use crate::copies::{assert_whole, objects, sync};
use crate::support::*;
use backstay_core::layout::Layout;
use backstay_core::{ErrorClass, RunContext};
use backstay_lab::MemoryDestination;
use backstay_lab::memory_destination::Operation;

/// A large file beside small ones, so that the larger pack is of content and the smaller one of lists.
fn files(seed: u64) -> Files {
    let mut files = random_files(seed, 40);
    let (at, large) = file("srv/large", &noise(seed, 6 << 20));
    files.insert(at, large);
    files
}

fn flip(memory: &MemoryDestination, key: &str) {
    let mut content = memory.object(key).unwrap().to_vec();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    memory.tamper(key, Some(content.into()));
}

/// Returns the packs, the smallest first.
fn packs(memory: &MemoryDestination) -> Vec<String> {
    let mut packs = keys_in(memory, "data/");
    packs.sort_by_key(|key| memory.object(key).unwrap().len());
    packs
}

#[tokio::test(flavor = "multi_thread")]
async fn rotten_lists_are_written_anew_and_no_backup_is_built_on_them() {
    let memory = new_vault().await;
    let files = files(71);
    let first = backup(&open(&memory).await, &files).await;
    flip(&memory, &packs(&memory)[0]);
    assert_eq!(read(&open(&memory).await, &first.id).await.unwrap_err().class, ErrorClass::Corrupt);
    let (second, _) = backup_at(&open(&memory).await, &files, 5).await.unwrap();
    let vault = open(&memory).await;
    assert_same(&files, &read(&vault, &second.id).await.unwrap());
    assert_same(&files, &read(&vault, &first.id).await.unwrap());

    // The damaged pack goes when room is freed, and all is whole.
    vault.prune(&RunContext::silent()).await.unwrap();
    assert_whole(&memory, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_known_to_be_damaged_is_read_from_the_server_again() {
    let memory = new_vault().await;
    let files = files(72);
    let first = backup(&open(&memory).await, &files).await;
    let rotten = packs(&memory).pop().unwrap();
    flip(&memory, &rotten);
    let vault = open(&memory).await;
    assert_eq!(read(&vault, &first.id).await.unwrap_err().class, ErrorClass::Corrupt);
    assert_eq!(vault.damage_met(), [rotten], "what was met is named");

    let manifest = manifest("nightly", moment(6));
    let mut start = start(&manifest);
    start.damaged = vault.damage_met();
    let mut writer = open(&memory).await.begin(&RunContext::silent(), start).await.unwrap();
    assert!(push(writer.as_mut(), &files).await.unwrap() > 0, "what is damaged is read again");
    let second = writer.commit(manifest).await.unwrap();
    let vault = open(&memory).await;
    assert_same(&files, &read(&vault, &second.id).await.unwrap());
    assert_same(&files, &read(&vault, &first.id).await.unwrap());
    vault.prune(&RunContext::silent()).await.unwrap();
    assert_whole(&memory, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_failed_its_proof_serves_no_later_backup() {
    let memory = new_vault().await;
    let files = files(73);
    memory.damage_put("data/");
    let error = backup_at(&open(&memory).await, &files, 1).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Corrupt, "{error:?}");
    let (record, _) = backup_at(&open(&memory).await, &files, 2).await.unwrap();
    assert_same(&files, &read(&open(&memory).await, &record.id).await.unwrap());
    assert_whole(&memory, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_never_built_on_packs_that_failed_their_proof() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let files = files(74);
    let record = backup(&vault, &files).await;
    let copy = MemoryDestination::new();
    copy.damage_put("data/");
    assert_eq!(sync(&vault, &copy, &[]).await.unwrap_err().class, ErrorClass::Corrupt);
    // As a copying leaves it that was cut off before its proof.
    let left = packs(&memory).pop().unwrap();
    copy.tamper(&left, memory.object(&left));
    flip(&copy, &left);
    sync(&vault, &copy, &[]).await.unwrap();
    assert_same(&files, &read(&open(&copy).await, &record.id).await.unwrap());
    assert_eq!(objects(&memory), objects(&copy));
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_left_by_a_copying_that_was_cut_off_are_proved_and_not_sent_again() {
    let memory = new_vault().await;
    let vault = open(&memory).await;
    backup(&vault, &files(75)).await;
    let copy = MemoryDestination::new();
    sync(&vault, &copy, &[]).await.unwrap();
    for key in keys_in(&copy, "index/").into_iter().chain(keys_in(&copy, "snapshots/")) {
        copy.tamper(&key, None);
    }
    copy.forget_calls();
    sync(&vault, &copy, &[]).await.unwrap();
    let calls = copy.calls().into_iter().filter(|call| call.key.starts_with("data/"));
    let calls: Vec<Operation> = calls.map(|call| call.operation).collect();
    assert!(calls.contains(&Operation::Get) && !calls.contains(&Operation::Put), "{calls:?}");
    assert_whole(&copy, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_chunk_that_lies_twice_the_whole_copy_stays() {
    let (memory, files) = (new_vault().await, files(76));
    let (a, b) = (open(&memory).await, open(&memory).await);
    let (first, second) = tokio::join!(backup_at(&a, &files, 1), backup_at(&b, &files, 2));
    let (gone, kept) = (first.unwrap().0, second.unwrap().0);
    let before = objects(&memory);
    let large: Vec<String> = packs(&memory).into_iter().rev().take(2).collect();
    for rotten in large {
        let world = MemoryDestination::new();
        before.iter().for_each(|(key, content)| world.tamper(key, Some(content.clone())));
        flip(&world, &rotten);
        let vault = open(&world).await;
        vault.delete(&RunContext::silent(), &gone.id).await.unwrap();
        vault.prune(&RunContext::silent()).await.unwrap();
        assert_same(&files, &read(&open(&world).await, &kept.id).await.unwrap());
        assert!(!world.keys().contains(&rotten), "the damaged copy goes");
        assert_whole(&world, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_read_while_room_is_freed_is_read_to_its_end() {
    let (memory, files) = (new_vault().await, files(77));
    let vault = open(&memory).await;
    let mut mixed = random_files(78, 40);
    let (at, more) = file("srv/more", &noise(78, 6 << 20));
    mixed.insert(at, more);
    mixed.extend(files.clone());
    let gone = backup_at(&vault, &mixed, 1).await.unwrap().0;
    let kept = backup_at(&vault, &files, 2).await.unwrap().0;
    let reading = open(&memory).await;
    let reader = reading.open(&kept.id).await.unwrap();
    vault.delete(&RunContext::silent(), &gone.id).await.unwrap();
    let pruned = vault.prune(&RunContext::silent()).await.unwrap();
    assert!(pruned.moved_bytes > 0, "{pruned:?}");
    let selection = backstay_core::layout::Selection { exclude: vec![path(".backstay")], ..Default::default() };
    let mut stream = reader.stream(&RunContext::silent(), selection).await.unwrap();
    assert_same(&files, &drain(stream.as_mut()).await.unwrap());
}
