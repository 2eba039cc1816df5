//! Restores that meet, where a folder must be, a link or something else that is no folder.

use crate::files::{collect, item, options, raw, restore, temp};
use crate::host::TestHost;
use crate::memory::{Backup, Recorder, kind};
use backstay_core::kind::{ChangeKind, RestoreMode, RestorePlan};
use backstay_core::run::ProblemKind;
use backstay_core::{ErrorClass, RunContext};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

const MODES: [RestoreMode; 4] = [RestoreMode::Merge, RestoreMode::Newer, RestoreMode::Missing, RestoreMode::Replace];

/// A host with GNU tools, and one that only reads and writes files.
fn hosts() -> [TestHost; 2] {
    [TestHost::default(), TestHost { files_only: true, ..TestHost::default() }]
}

fn text(path: &Path) -> String {
    raw(path).to_text()
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).unwrap().is_symlink()
}

/// Files that the plan writes or deletes.
fn files(plan: &RestorePlan) -> Vec<(ChangeKind, String)> {
    plan.changes.iter().filter(|c| !c.is_dir).map(|c| (c.kind, c.target.clone())).collect()
}

/// A backup of a site, whose folder `www` then moves to `disk`, a link in its place. One of its files is lost there, and
/// one is new.
async fn moved(host: &TestHost, root: &Path, disk: &Path, link: &str) -> Backup {
    std::fs::create_dir_all(root.join("www/img")).unwrap();
    for name in ["conf", "www/index.html", "www/img/p.png"] {
        std::fs::write(root.join(name), name).unwrap();
    }
    let (report, backup, _) = collect(host, &item(root, &[]), &Backup::default()).await;
    report.unwrap();
    std::fs::rename(root.join("www"), disk).unwrap();
    symlink(link, root.join("www")).unwrap();
    std::fs::remove_file(disk.join("img/p.png")).unwrap();
    std::fs::write(disk.join("img/extra"), b"extra").unwrap();
    backup
}

#[tokio::test]
async fn a_folder_that_became_a_link_stays_one_and_is_written_through() {
    for host in hosts() {
        for mode in MODES {
            let (dir, root) = temp();
            let disk = dir.path().join("disk");
            let backup = moved(&host, &root, &disk, &text(&disk)).await;
            let (item, options) = (item(&root, &[]), options(mode, &root, None));
            let (plan, report, recorder) = restore(&host, &item, &backup, &options).await;
            let lost = text(&root.join("www/img/p.png"));
            assert_eq!(files(&plan), [(ChangeKind::Create, lost)], "{mode:?}");
            let said = format!("{} is a symbolic link to {} there", text(&root.join("www")), text(&disk));
            assert!(plan.warnings.iter().any(|warning| warning.starts_with(&said)), "{mode:?}: {:?}", plan.warnings);
            assert_eq!(report.unwrap().files, 1, "{mode:?}");
            assert_eq!(recorder.by_subject(), Default::default(), "{mode:?}");
            assert!(is_link(&root.join("www")), "{mode:?}");
            assert_eq!(std::fs::read(disk.join("img/p.png")).unwrap(), b"www/img/p.png");
            assert!(disk.join("index.html").exists() && disk.join("img/extra").exists(), "{mode:?}");
            let (plan, ..) = restore(&host, &item, &backup, &options).await;
            assert!(plan.changes.is_empty(), "{mode:?}: {:?}", plan.changes);
        }
    }
}

#[tokio::test]
async fn replace_deletes_nothing_behind_a_link() {
    for host in hosts() {
        let (_dir, root) = temp();
        // In the folder that is replaced, under a name the backup does not know.
        let disk = root.join("disk");
        let backup = moved(&host, &root, &disk, "../root/./disk").await;
        std::fs::write(root.join("gone"), b"gone").unwrap();
        let item = item(&root, &[]);
        let mut options = options(RestoreMode::Replace, &root, None);
        options.only = vec![raw(&root.join("www/img")).to_relative()];
        let ctx = RunContext::silent();
        let plan = kind("files").plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
        assert_eq!(files(&plan), [(ChangeKind::Create, text(&root.join("www/img/p.png")))]);

        options.only.clear();
        let (plan, report, recorder) = restore(&host, &item, &backup, &options).await;
        let deleted: Vec<_> = plan.changes.iter().filter(|c| c.kind == ChangeKind::Delete).map(|c| &c.target).collect();
        assert_eq!(deleted, [&text(&root.join("gone"))]);
        assert_eq!(report.unwrap().deleted, 1);
        assert_eq!(recorder.by_subject(), Default::default());
        assert!(is_link(&root.join("www")));
        for name in ["index.html", "img/p.png", "img/extra"] {
            assert!(disk.join(name).exists(), "{name}");
        }
    }
}

#[tokio::test]
async fn what_is_no_folder_gives_way_to_one_or_closes_the_way() {
    type Put = fn(&Path);
    let puts: [Put; 3] = [
        |path| std::fs::write(path, b"file").unwrap(),
        |path| symlink("/nowhere/at all", path).unwrap(),
        |path| symlink("conf", path).unwrap(),
    ];
    for host in hosts() {
        for (put, mode) in puts.into_iter().flat_map(|put| MODES.map(|mode| (put, mode))) {
            let (_dir, root) = temp();
            let www = root.join("www");
            std::fs::create_dir(&www).unwrap();
            std::fs::write(www.join("in"), b"in").unwrap();
            std::fs::write(root.join("conf"), b"conf").unwrap();
            let item = item(&root, &[]);
            let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
            std::fs::remove_dir_all(&www).unwrap();
            put(&www);
            let (plan, report, recorder) = restore(&host, &item, &backup, &options(mode, &root, None)).await;
            let below: Vec<_> = plan.changes.iter().filter(|c| c.target.starts_with(&text(&www))).collect();
            let below: Vec<_> = below.iter().map(|c| (c.kind, c.target.clone())).collect();
            let said = |words: &str| plan.warnings.iter().any(|w| w.starts_with(&text(&www)) && w.contains(words));
            assert_eq!(recorder.by_subject(), Default::default(), "{mode:?}");
            if mode == RestoreMode::Missing {
                assert!(below.is_empty(), "{below:?}");
                assert!(said("nothing is restored below it"), "{:?}", plan.warnings);
                assert!(!std::fs::symlink_metadata(&www).unwrap().is_dir());
                assert_eq!(report.unwrap().files, 0);
            } else {
                let want = [(ChangeKind::Overwrite, text(&www)), (ChangeKind::Create, text(&www.join("in")))];
                assert_eq!(below, want, "{mode:?}");
                assert!(said("the folder takes its place"), "{:?}", plan.warnings);
                assert!(std::fs::symlink_metadata(&www).unwrap().is_dir(), "{mode:?}");
                assert_eq!(std::fs::read(www.join("in")).unwrap(), b"in");
                assert_eq!(report.unwrap().files, 1, "{mode:?}");
            }
            assert_eq!(std::fs::read(root.join("conf")).unwrap(), b"conf");
        }
    }
}

#[tokio::test]
async fn a_picked_file_whose_folder_is_a_file_there_is_refused_in_the_preview() {
    let (_dir, root) = temp();
    let folder = root.join("a");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("file"), b"file").unwrap();
    let (host, item, ctx) = (TestHost::default(), item(&root, &[]), RunContext::silent());
    let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, b"in the way").unwrap();
    for mode in MODES {
        let mut options = options(mode, &root, None);
        options.only = vec![raw(&folder.join("file")).to_relative()];
        let plan = kind("files").plan_restore(&ctx, &host, &item, &backup.listing(), &options).await;
        if mode == RestoreMode::Missing {
            let plan = plan.unwrap();
            assert_eq!((plan.changes.len(), plan.kept), (0, 1));
            assert!(plan.warnings.iter().any(|w| w.contains("nothing is restored below it")), "{:?}", plan.warnings);
        } else {
            let error = plan.unwrap_err();
            assert_eq!(error.class, ErrorClass::Exists, "{error:?}");
            assert!(error.message.contains(&text(&folder)) && error.hint.is_some(), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_folder_that_becomes_a_link_after_the_preview_is_not_lost() {
    for host in hosts() {
        let (dir, root) = temp();
        let (www, disk) = (root.join("www"), dir.path().join("disk"));
        std::fs::create_dir(&www).unwrap();
        std::fs::write(www.join("in"), b"in").unwrap();
        std::fs::write(root.join("conf"), b"conf").unwrap();
        let (item, options) = (item(&root, &[]), options(RestoreMode::Merge, &root, None));
        let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
        std::fs::remove_file(root.join("conf")).unwrap();
        std::fs::set_permissions(&www, std::fs::Permissions::from_mode(0o700)).unwrap();
        let (ctx, recorder) = Recorder::context();
        let files = kind("files");
        let plan = files.plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
        std::fs::rename(&www, &disk).unwrap();
        symlink(&disk, &www).unwrap();
        let report = files.restore(&ctx, &host.shared(), &item, &mut backup.source(), &plan, &options).await;
        assert_eq!(report.unwrap().files, 1);
        assert!(is_link(&www) && disk.join("in").exists());
        assert_eq!(recorder.by_subject()[&text(&www)].0, ProblemKind::Unwritable);
    }
}
