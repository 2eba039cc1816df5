//! Restores of a server that went on after the preview.

use crate::files::{collect, item, options, raw, temp};
use crate::host::hosts;
use crate::memory::{Backup, Recorder, kind};
use backstay_core::kind::RestoreMode;
use backstay_core::run::ProblemKind;
use std::os::unix::fs::symlink;

#[tokio::test]
async fn what_appeared_since_the_preview_stays_where_only_missing_or_older_is_written() {
    for host in hosts() {
        for mode in [RestoreMode::Missing, RestoreMode::Newer] {
            let (_dir, root) = temp();
            let names = ["it's a\\b", "first", "link", "lost"];
            for name in names.iter().filter(|name| **name != "link") {
                std::fs::write(root.join(name), b"of the backup").unwrap();
            }
            symlink("../elsewhere", root.join("link")).unwrap();
            std::fs::hard_link(root.join("first"), root.join("second")).unwrap();
            let (item, options) = (item(&root, &[]), options(mode, &root, None));
            let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
            for name in names.iter().chain(&["second"]) {
                std::fs::remove_file(root.join(name)).unwrap();
            }
            let ((ctx, recorder), files) = (Recorder::context(), kind("files"));
            let plan = files.plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
            for name in &names[..3] {
                std::fs::write(root.join(name), b"of today      ").unwrap();
            }
            let report = files.restore(&ctx, &host.shared(), &item, &mut backup.source(), &plan, &options).await;
            let problems = recorder.by_subject();
            for name in &names[..3] {
                assert_eq!(std::fs::read(root.join(name)).unwrap(), b"of today      ", "{mode:?} {name}");
                let (found, why) = &problems[&raw(&root.join(name)).to_text()];
                assert_eq!(*found, ProblemKind::Other, "{mode:?} {name}: {why}");
            }
            assert_eq!(std::fs::read(root.join("lost")).unwrap(), b"of the backup", "{mode:?}");
            let second = raw(&root.join("second")).to_text();
            let restored = match host.files_only {
                true => 2,
                // tar can only make it a name of what has the first name now.
                false => {
                    assert_eq!(problems[&second].0, ProblemKind::Other, "{problems:?}");
                    1
                }
            };
            assert_eq!(report.unwrap().files, restored, "{mode:?} {problems:?}");
        }
    }
}

#[tokio::test]
async fn a_restore_whose_every_file_appeared_since_the_preview_is_no_failure() {
    for host in hosts() {
        let (_dir, root) = temp();
        std::fs::write(root.join("a"), b"of the backup").unwrap();
        let (item, options) = (item(&root, &[]), options(RestoreMode::Missing, &root, None));
        let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
        std::fs::remove_file(root.join("a")).unwrap();
        let ((ctx, recorder), files) = (Recorder::context(), kind("files"));
        let plan = files.plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
        std::fs::write(root.join("a"), b"of today").unwrap();
        let report = files.restore(&ctx, &host.shared(), &item, &mut backup.source(), &plan, &options).await;
        assert_eq!(report.unwrap().files, 0);
        assert_eq!(recorder.by_subject().len(), 1);
        assert_eq!(std::fs::read(root.join("a")).unwrap(), b"of today");
    }
}
