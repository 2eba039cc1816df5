//! Archives are copied to another destination, and deleted: whole or not at all, and none in the place of another.

use crate::support::*;
use backstay_core::destination::{Availability, Destination, DestinationCapabilities};
use backstay_core::layout::{ArchiveFormat, BackupRecord, Layout, MemoryJournal};
use backstay_core::{ErrorClass, RunContext};
use backstay_lab::MemoryDestination;
use backstay_lab::memory_destination::Operation;
use backstay_layouts::Archives;
use std::sync::Arc;

#[tokio::test]
async fn copies_are_made_at_another_destination_and_only_what_lacks() {
    let (memory, other) = (MemoryDestination::new(), MemoryDestination::new());
    let (archives, ctx) = (open(&memory), RunContext::silent());
    let files = random_files(5, 40);
    let mut records = Vec::new();
    for (hour, key) in (1..).zip(seals()) {
        records.push(backup_with(&archives, &ctx, &files, ArchiveFormat::TarZst, key, hour).await.unwrap());
    }
    let journal = Arc::new(MemoryJournal::default());
    let there: Arc<dyn Destination> = Arc::new(other.clone());
    let one = [records[1].id.clone()];
    let synced = archives.sync_to(&ctx, there.clone(), &one, journal.clone()).await.unwrap();
    assert_eq!((synced.objects, synced.backups, synced.bytes), (2, 1, used(&other)));
    let synced = archives.sync_to(&ctx, there.clone(), &[], journal.clone()).await.unwrap();
    assert_eq!(synced.backups, 2);
    assert_eq!(archives.sync_to(&ctx, there.clone(), &[], journal.clone()).await.unwrap().objects, 0);
    // A copy cut off before its manifest is made good without sending the file again.
    let key = records[0].archive.clone().unwrap().key;
    other.tamper(&format!("{key}.manifest"), None);
    let synced = archives.sync_to(&ctx, there.clone(), &[], journal.clone()).await.unwrap();
    assert_eq!((synced.objects, synced.backups), (1, 1));
    // One that was damaged there is sent again.
    let mut bytes = other.object(&key).unwrap().to_vec();
    bytes[100] ^= 1;
    for manifest_lies_there in [false, true] {
        other.tamper(&key, Some(bytes.clone().into()));
        if !manifest_lies_there {
            other.tamper(&format!("{key}.manifest"), None);
        }
        assert_eq!(archives.sync_to(&ctx, there.clone(), &[], journal.clone()).await.unwrap().objects, 2);
    }
    let copies = open(&other);
    assert_eq!(copies.list().await.unwrap(), archives.list().await.unwrap());
    for record in &records {
        assert_same(&files, &read(&copies, &record.id).await.unwrap());
    }
}

#[tokio::test]
async fn one_that_lies_frozen_without_its_manifest_is_believed_where_the_store_checks_what_it_takes() {
    for checks_hash in [true, false] {
        let (memory, other) = (MemoryDestination::new(), MemoryDestination::new());
        other.set_capabilities(DestinationCapabilities { checks_hash, ..other.capabilities() });
        let (archives, ctx) = (open(&memory), RunContext::silent());
        let record = backup(&memory, &random_files(5, 40), ArchiveFormat::TarGz, None).await;
        let there: Arc<dyn Destination> = Arc::new(other.clone());
        let sync = || archives.sync_to(&ctx, there.clone(), &[], Arc::new(MemoryJournal::default()));
        sync().await.unwrap();
        let key = record.archive.unwrap().key;
        other.tamper(&format!("{key}.manifest"), None);
        other.set_cold(&key, Availability::Frozen);
        other.forget_calls();
        let synced = sync().await;
        match checks_hash {
            true => assert_eq!(synced.unwrap().objects, 1, "its manifest alone"),
            // It is sent anew. Here that one is frozen too, and cannot be read back.
            false => assert_eq!(synced.unwrap_err().class, ErrorClass::Refused),
        }
        assert_eq!(other.count(Operation::Complete), usize::from(!checks_hash));
    }
}

#[tokio::test]
async fn a_copy_takes_no_other_backups_name() {
    let (ctx, journal) = (RunContext::silent(), Arc::new(MemoryJournal::default()));
    let (mine, others) = (random_files(1, 20), random_files(2, 20));
    for sealed in [false, true] {
        let (memory, other) = (MemoryDestination::new(), MemoryDestination::new());
        // Made by another plan, whose key is not at hand, at the same hour.
        let theirs = backup(&other, &others, ArchiveFormat::TarZst, sealed.then(raw_key)).await;
        let ours = backup(&memory, &mine, ArchiveFormat::TarZst, sealed.then(passphrase)).await;
        let name = |record: &BackupRecord| record.archive.clone().unwrap().key;
        assert_eq!(name(&theirs), name(&ours));
        let archives = Archives::open(Arc::new(memory.clone()), Arc::new(Keys(vec![passphrase()])));
        let there: Arc<dyn Destination> = Arc::new(other.clone());
        let ids = [ours.id.clone()];
        assert_eq!(archives.sync_to(&ctx, there.clone(), &ids, journal.clone()).await.unwrap().backups, 1);
        let copies = open(&other);
        assert_eq!(copies.list().await.unwrap().len(), 2);
        assert_same(&others, &read(&copies, &theirs.id).await.unwrap());
        assert_same(&mine, &read(&copies, &ours.id).await.unwrap());
        let synced = archives.sync_to(&ctx, there.clone(), &ids, journal.clone()).await.unwrap();
        assert_eq!((synced.objects, synced.backups), (0, 0), "it is there, under another name");
        // One whose manifest is still to come is in nobody's way either.
        other.tamper(&format!("{}.manifest", name(&theirs)), None);
        let file = other.object(&name(&theirs)).unwrap();
        archives.sync_to(&ctx, there, &ids, journal.clone()).await.unwrap();
        assert_eq!(other.object(&name(&theirs)), Some(file));
    }
}

#[tokio::test]
async fn deleting_takes_the_manifest_first() {
    let memory = MemoryDestination::new();
    let archives = open(&memory);
    let ctx = RunContext::silent();
    let record = backup(&memory, &random_files(1, 20), ArchiveFormat::TarGz, None).await;
    let keep = backup(&memory, &random_files(2, 20), ArchiveFormat::TarGz, None).await;
    // Killed in between: what is left is no backup, and a check names it.
    memory.fail_operation(Operation::Delete, 2, ErrorClass::Offline);
    assert_eq!(archives.delete(&ctx, &record.id).await.unwrap_err().class, ErrorClass::Offline);
    assert_eq!(archives.list().await.unwrap(), std::slice::from_ref(&keep));
    assert_eq!(archives.orphans().await.unwrap().len(), 1);
    let before = used(&memory);
    let deleted = archives.delete(&ctx, &keep.id).await.unwrap();
    assert_eq!(deleted.freed_bytes, before - used(&memory));
    assert!(deleted.freed_bytes > keep.counts.bytes_added);
    assert_eq!(archives.list().await.unwrap(), []);
    assert_eq!(archives.delete(&ctx, &keep.id).await.unwrap_err().class, ErrorClass::Missing);
}
