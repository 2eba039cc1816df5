//! Deletions that end half way, or before they began.

use super::*;

impl Pair {
    /// Deletes a backup at the second place; returns what was freed, or the code of what went wrong.
    async fn delete_at_b(&self, backup: &str) -> std::result::Result<u64, String> {
        let mut report = self.world.engine.delete_backup(backup, vec![self.b.0.clone()]).await.unwrap();
        match report.failed.pop() {
            Some(failed) => Err(failed.error.code),
            None => Ok(report.freed_bytes),
        }
    }

    async fn sync_b(&self) {
        let sync = self.world.sync(&self.b.0).await;
        assert_eq!(sync.row.state, "done", "{:?} {:?}", sync.row.error, sync.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_cut_off_between_manifest_and_archive_is_finished_by_the_next() {
    let pair = pair().await;
    let backup = pair.world.backed_up(&pair.plan).await;
    let (key, whole) = archive_of(&pair.b.1);
    pair.b.1.fail_operation(Operation::Delete, 2, ErrorClass::Refused);
    assert_eq!(pair.delete_at_b(&backup).await, Err("refused".into()));
    assert_eq!(archives(&pair.b.1), std::slice::from_ref(&key), "its manifest is gone");
    pair.sync_b().await;
    assert_eq!(archives(&pair.b.1), std::slice::from_ref(&key), "sync does not bring it back");
    pair.world.engine.refresh_destination(&pair.b.0).await.unwrap();
    assert_eq!(pair.newest().await.destinations.len(), 2, "what is left of it is not out of reach");
    // What is not its archive is left alone.
    pair.b.1.tamper(&key, Some("another's".into()));
    assert_eq!(pair.delete_at_b(&backup).await, Err("corrupt".into()));
    pair.b.1.tamper(&key, Some(whole.clone()));
    assert_eq!(pair.delete_at_b(&backup).await, Ok(whole.len() as u64));
    assert!(archives(&pair.b.1).is_empty());
    pair.sync_b().await;
    assert!(archives(&pair.b.1).is_empty(), "{:?}", archives(&pair.b.1));
    assert_eq!(pair.newest().await.destinations, ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_deletion_failed_is_made_good_when_it_is_lost_later() {
    let pair = pair().await;
    let backup = pair.world.backed_up(&pair.plan).await;
    let lying = archives(&pair.b.1);
    pair.b.1.fail_operation(Operation::Delete, 1, ErrorClass::Refused);
    assert_eq!(pair.delete_at_b(&backup).await, Err("refused".into()));
    assert_eq!(archives(&pair.b.1), lying);
    for key in &lying {
        pair.b.1.tamper(key, None);
    }
    pair.sync_b().await;
    assert_eq!(archives(&pair.b.1), lying);
}
