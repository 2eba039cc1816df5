//! Hard-linked files, one of whose names leads elsewhere between the listing and the reading.

use crate::files::{collect, item, options, raw, restore, temp};
use crate::files_faults::wrap_tar;
use crate::host::TestHost;
use crate::memory::{Backup, Recorder};
use crate::tree::set_mtime;
use backstay_core::entry::TimeNs;
use backstay_core::kind::RestoreMode;
use backstay_core::run::ProblemKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `daily.1/k`, `daily.2/k` and `daily.3/k` are one file, and `daily.0/k` is a newer one.
fn snapshots(root: &Path) {
    for day in 0..4 {
        std::fs::create_dir(root.join(format!("daily.{day}"))).unwrap();
    }
    std::fs::write(root.join("daily.0/k"), b"new").unwrap();
    std::fs::write(root.join("daily.1/k"), b"old").unwrap();
    set_mtime(&root.join("daily.1/k"), "2001-02-03 04:05:06");
    for day in [2, 3] {
        std::fs::hard_link(root.join("daily.1/k"), root.join(format!("daily.{day}/k"))).unwrap();
    }
}

/// A host on which this happens in `root` right before tar reads for the first time.
fn meanwhile(dir: &Path, root: &Path, change: &str) -> TestHost {
    let before = format!("cd '{}' && [ ! -e ../once ] && touch ../once && {change};;", root.display());
    TestHost { path: Some(wrap_tar(dir, &before, "")), ..TestHost::default() }
}

/// What each day's file holds in a backup, and once the backup is restored.
async fn contents(backup: &Backup, root: &Path, to: PathBuf) -> Vec<Option<[String; 2]>> {
    let host = TestHost::default();
    let (_, report, _) = restore(&host, &item(root, &[]), backup, &options(RestoreMode::Merge, root, Some(&to))).await;
    report.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let day = |day| {
        let name = format!("daily.{day}/k");
        let (_, kept) = backup.get(&raw(&root.join(&name)).to_text())?;
        Some([text(kept), text(&std::fs::read(to.join(&name)).unwrap())])
    };
    (0..4).map(day).collect()
}

fn both(text: &str) -> Option<[String; 2]> {
    Some([text.to_owned(), text.to_owned()])
}

async fn collected(host: &TestHost, root: &Path) -> (Backup, Arc<Recorder>) {
    let (report, backup, recorder) = collect(host, &item(root, &[]), &Backup::default()).await;
    report.unwrap();
    (backup, recorder)
}

#[tokio::test]
async fn a_first_name_that_is_replaced_lends_its_content_to_no_other() {
    let changes = [
        // Another file, of the same size, is moved over it.
        "printf xyz > new && mv new daily.1/k",
        // The newer one takes its place too, as where snapshots are rotated.
        "ln -f daily.0/k daily.1/k",
    ];
    for (change, content) in changes.into_iter().zip(["xyz", "new"]) {
        let (dir, root) = temp();
        snapshots(&root);
        let host = meanwhile(dir.path(), &root, change);
        let (backup, recorder) = collected(&host, &root).await;
        assert!(recorder.by_subject().is_empty(), "{change}: {:?}", recorder.by_subject());
        let days = contents(&backup, &root, dir.path().join("to")).await;
        assert_eq!(days, [both("new"), both(content), both("old"), both("old")], "{change}");
        // The two that are one file still are.
        let inode = |day: u8| std::fs::metadata(dir.path().join(format!("to/daily.{day}/k"))).unwrap().ino();
        assert!(inode(2) == inode(3) && inode(1) != inode(2), "{change}");
        // It is not taken for unchanged next time. (A ctime of 0 would not count.)
        let (entry, _) = backup.get(&raw(&root.join("daily.1/k")).to_text()).unwrap();
        assert_eq!((entry.ctime, entry.inode, entry.links), (TimeNs(1), 0, 1), "{change}");
        let (report, again, _) = collect(&TestHost::default(), &item(&root, &[]), &backup).await;
        report.unwrap();
        let days = contents(&again, &root, dir.path().join("again")).await;
        assert_eq!(days, [both("new"), both(content), both("old"), both("old")], "{change}");
    }
}

#[tokio::test]
async fn a_first_name_that_is_gone_takes_no_other_along() {
    let (dir, root) = temp();
    snapshots(&root);
    let host = meanwhile(dir.path(), &root, "rm daily.1/k");
    let (backup, recorder) = collected(&host, &root).await;
    let problems = recorder.by_subject();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[&raw(&root.join("daily.1/k")).to_text()].0, ProblemKind::Vanished);
    let days = contents(&backup, &root, dir.path().join("to")).await;
    assert_eq!(days, [both("new"), None, both("old"), both("old")]);
}

#[tokio::test]
async fn names_that_nothing_happened_to_are_read_once() {
    let (dir, root) = temp();
    snapshots(&root);
    let host = meanwhile(dir.path(), &root, ":");
    let (backup, _) = collected(&host, &root).await;
    assert_eq!(host.count("tar"), 1);
    let days = contents(&backup, &root, dir.path().join("to")).await;
    assert_eq!(days, [both("new"), both("old"), both("old"), both("old")]);
}
