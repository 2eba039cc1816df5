//! Restores of backups that turn out to be damaged, or are lost half way.

use crate::files::{collect, item, options, temp};
use crate::host::TestHost;
use crate::memory::{Backup, Recorder, WrongHash, kind};
use backstay_core::entry::EntrySource;
use backstay_core::kind::RestoreMode;
use backstay_core::run::ProblemKind;
use backstay_core::{ErrorClass, RunContext};
use std::os::unix::fs::MetadataExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// A backup of which one file turns out to be damaged after some of it was read, and whose place is lost in another.
fn rotten(backup: &Backup, name: &'static str, lost_at: &'static str) -> impl EntrySource {
    backup.source().altered(move |now, content| {
        let is = |name: &str| now.path.name() == Some(name.as_bytes());
        match (is(name), is(lost_at)) {
            (true, _) => Box::new(content.take(now.size_bytes - 1).chain(WrongHash)),
            (_, true) => Box::new(content.take(now.size_bytes - 1).chain(Lost)),
            _ => content,
        }
    })
}

struct Lost;

impl AsyncRead for Lost {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()))
    }
}

#[tokio::test]
async fn a_backup_that_is_lost_half_way_is_no_success_whatever_was_named_before() {
    let (_dir, root) = temp();
    for (name, size) in [("a", 10), ("b", 10), ("large", 3 << 20), ("never", 10)] {
        std::fs::write(root.join(name), vec![1; size]).unwrap();
    }
    let (item, host) = (item(&root, &[]), TestHost::default());
    let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
    for name in ["a", "b", "large", "never"] {
        std::fs::remove_file(root.join(name)).unwrap();
    }
    let (ctx, options) = (RunContext::silent(), options(RestoreMode::Merge, &root, None));
    let plan = kind("files").plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
    let mut source = rotten(&backup, "b", "large");
    let result = kind("files").restore(&ctx, &host.shared(), &item, &mut source, &plan, &options).await;
    assert_eq!(result.unwrap_err().class, ErrorClass::Offline);
}

#[tokio::test]
async fn what_is_damaged_in_a_backup_is_named_and_keeps_no_other_file_back() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    for name in ["a", "b", "c"] {
        std::fs::write(root.join(name), vec![name.as_bytes()[0]; 200_000]).unwrap();
    }
    std::fs::write(root.join("large"), vec![7; 3 << 20]).unwrap();
    // Its second name must not lead to what was never sent.
    std::fs::hard_link(root.join("b"), root.join("b2")).unwrap();
    let item = item(&root, &[]);
    let (_, backup, _) = collect(&TestHost::default(), &item, &Backup::default()).await;
    let files_only = TestHost { files_only: true, ..TestHost::default() };
    for (host, name) in [(TestHost::default(), "b"), (files_only, "b"), (TestHost::default(), "large")] {
        std::fs::remove_file(root.join("a")).unwrap();
        for changed in ["b", "large"] {
            std::fs::write(root.join(changed), b"there before").unwrap();
        }
        let options = options(RestoreMode::Merge, &root, None);
        let ctx = RunContext::silent();
        let plan = kind("files").plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
        let recorder = Arc::new(Recorder::default());
        let ctx = RunContext { progress: recorder.clone(), ..RunContext::silent() };
        let mut source = rotten(&backup, name, "");
        let result = kind("files").restore(&ctx, &host.shared(), &item, &mut source, &plan, &options).await;
        result.unwrap();
        assert_eq!(std::fs::read(root.join("a")).unwrap(), vec![b'a'; 200_000]);
        let problems = recorder.by_subject();
        let (found, why) = &problems[root.join(name).to_str().unwrap()];
        assert_eq!((*found, problems.len()), (ProblemKind::Damaged, 1), "{problems:?}");
        if name == "large" {
            // The server's tar had some of it already: as long as it is in the backup, it would look whole.
            assert_eq!(std::fs::read(root.join("b")).unwrap(), vec![b'b'; 200_000]);
            let left = std::fs::read(root.join("large")).unwrap();
            assert!(
                left.len() > 1 << 20 && left.len() < 3 << 20 && left.iter().all(|byte| *byte == 7),
                "{}",
                left.len()
            );
            assert!(why.ends_with("Only what comes before the damage is there"), "{why}");
            let again = kind("files").plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
            let target = root.join("large").to_str().unwrap().to_owned();
            assert!(again.changes.iter().any(|change| change.target == target), "{:?}", again.changes);
            continue;
        }
        assert_eq!(std::fs::read(root.join("large")).unwrap(), vec![7; 3 << 20]);
        assert_eq!(std::fs::read(root.join("b")).unwrap(), b"there before");
    }
    // What tar sets last is so though the stream ended early: a folder's time, a link that leads out of it.
    std::os::unix::fs::symlink("/etc/hostname", root.join("link")).unwrap();
    let (_, backup, _) = collect(&TestHost::default(), &item, &Backup::default()).await;
    let to = dir.path().join("to");
    let (host, options) = (TestHost::default(), options(RestoreMode::Merge, &root, Some(&to)));
    let ctx = RunContext::silent();
    let plan = kind("files").plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
    let mut source = rotten(&backup, "large", "");
    kind("files").restore(&ctx, &host.shared(), &item, &mut source, &plan, &options).await.unwrap();
    let listing = backup.listing();
    let folder = listing.iter().find(|entry| entry.path.as_bytes().ends_with(b"root")).unwrap();
    let there = std::fs::metadata(&to).unwrap();
    assert_eq!((there.mtime(), there.mtime_nsec() as u32), folder.mtime.to_parts());
    assert_eq!(std::fs::read_link(to.join("link")).unwrap().to_str(), Some("/etc/hostname"));
}
