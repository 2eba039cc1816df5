//! The cache of a vault on this computer: it saves reads, hides no damage, and tells nothing.

use crate::support::*;
use backstay_core::RunContext;
use backstay_core::layout::Layout;
use backstay_lab::memory_destination::Operation;
use backstay_layouts::Vault;

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
