//! Restores that meet, where a folder must be, a link or something else that is no folder.

use crate::files::{collect, item, options, raw, restore, temp};
use crate::host::{TestHost, hosts};
use crate::memory::{Backup, Recorder, input, kind};
use crate::tree::set_mtime;
use backstay_core::kind::{ChangeKind, RestoreMode, RestorePlan};
use backstay_core::run::ProblemKind;
use backstay_core::{ErrorClass, RunContext};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

const MODES: [RestoreMode; 4] = [RestoreMode::Merge, RestoreMode::Newer, RestoreMode::Missing, RestoreMode::Replace];

type Put = fn(&Path);

fn text(path: &Path) -> String {
    raw(path).to_text()
}

/// What the plan deletes, sorted.
fn deleted(plan: &RestorePlan) -> Vec<String> {
    let deletions = plan.changes.iter().filter(|c| c.kind == ChangeKind::Delete);
    let mut targets: Vec<String> = deletions.map(|c| c.target.clone()).collect();
    targets.sort();
    targets
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
    std::fs::create_dir_all(disk.parent().unwrap()).unwrap();
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
        assert_eq!(deleted(&plan), [text(&root.join("gone"))]);
        assert_eq!(report.unwrap().deleted, 1);
        assert_eq!(recorder.by_subject(), Default::default());
        assert!(is_link(&root.join("www")));
        for name in ["index.html", "img/p.png", "img/extra"] {
            assert!(disk.join(name).exists(), "{name}");
        }
    }
}

#[tokio::test]
async fn replace_keeps_what_a_link_leads_over() {
    let ways: [(&str, &str, Put); 2] = [
        ("current", "releases/5", |root| symlink("releases/5", root.join("current")).unwrap()),
        ("gate/../disk", "disk", |root| std::fs::create_dir(root.join("gate")).unwrap()),
    ];
    for (host, (link, disk, put)) in hosts().iter().flat_map(|host| ways.map(|way| (host, way))) {
        let (_dir, root) = temp();
        let backup = moved(host, &root, &root.join(disk), link).await;
        put(&root);
        std::fs::write(root.join("gone"), b"gone").unwrap();
        let options = options(RestoreMode::Replace, &root, None);
        let (plan, report, recorder) = restore(host, &item(&root, &[]), &backup, &options).await;
        assert_eq!(deleted(&plan), [text(&root.join("gone"))], "{link}");
        assert_eq!(report.unwrap().deleted, 1, "{link}");
        assert_eq!(recorder.by_subject(), Default::default(), "{link}");
        for name in ["index.html", "img/p.png", "img/extra"] {
            assert!(root.join("www").join(name).exists() && root.join(disk).join(name).exists(), "{link}: {name}");
        }
    }
}

#[tokio::test]
async fn replace_deletes_nothing_that_another_picked_folder_leads_to() {
    for host in hosts() {
        let (dir, _) = temp();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("home/alice")).unwrap();
        std::fs::create_dir(at("data")).unwrap();
        for name in ["home/alice/a", "home/alice/lost", "data/d"] {
            std::fs::write(at(name), name).unwrap();
        }
        let item = input("files", serde_json::json!({ "paths": [text(&at("home/alice")), text(&at("data"))] }));
        let (report, backup, _) = collect(&host, &item, &Backup::default()).await;
        report.unwrap();
        std::fs::rename(at("home"), at("data/home")).unwrap();
        symlink("data/home", at("home")).unwrap();
        std::fs::remove_file(at("home/alice/lost")).unwrap();
        std::fs::create_dir(at("data/home/carol")).unwrap();
        for name in ["home/alice/gone", "data/home/carol/c", "data/gone"] {
            std::fs::write(at(name), name).unwrap();
        }
        let options = options(RestoreMode::Replace, dir.path(), None);
        let (plan, report, recorder) = restore(&host, &item, &backup, &options).await;
        // A link above what was picked was chosen with it.
        assert_eq!(deleted(&plan), [text(&at("data/gone")), text(&at("home/alice/gone"))]);
        assert!(plan.warnings.iter().any(|w| w.contains("by this name only")), "{:?}", plan.warnings);
        assert_eq!(report.unwrap().deleted, 2);
        assert_eq!(recorder.by_subject(), Default::default());
        assert!(is_link(&at("home")));
        for name in ["alice/a", "alice/lost", "carol/c"] {
            assert!(at("data/home").join(name).exists(), "{name}");
        }
    }
}

#[tokio::test]
async fn one_place_under_two_names_keeps_what_either_of_them_restores() {
    for host in hosts() {
        let (dir, _) = temp();
        let at = |name: &str| dir.path().join(name);
        for folder in ["home/alice", "data/home/alice/deep"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("data/home/alice/deep/file"), b"deep").unwrap();
        let deep = text(&at("data/home/alice/deep"));
        let item = input("files", serde_json::json!({ "paths": [text(&at("home/alice")), deep] }));
        let (report, backup, _) = collect(&host, &item, &Backup::default()).await;
        report.unwrap();
        std::fs::remove_dir_all(at("home")).unwrap();
        symlink("data/home", at("home")).unwrap();
        let (plan, ..) = restore(&host, &item, &backup, &options(RestoreMode::Replace, dir.path(), None)).await;
        assert_eq!(deleted(&plan), [""; 0]);
        assert!(at("home/alice/deep/file").exists());
    }
}

#[tokio::test]
async fn what_is_no_folder_gives_way_to_one_or_closes_the_way() {
    let puts: [Put; 4] = [
        |path| std::fs::write(path, b"file").unwrap(),
        |path| symlink("/nowhere/at all", path).unwrap(),
        |path| symlink("conf", path).unwrap(),
        |path| symlink("www", path).unwrap(),
    ];
    let modes = MODES.map(|mode| (mode, false)).into_iter().chain([(RestoreMode::Newer, true)]).collect::<Vec<_>>();
    for host in hosts() {
        for (put, (mode, is_newer)) in puts.into_iter().flat_map(|put| modes.iter().map(move |mode| (put, *mode))) {
            let (_dir, root) = temp();
            let www = root.join("www");
            std::fs::create_dir(&www).unwrap();
            std::fs::write(www.join("in"), b"in").unwrap();
            std::fs::write(root.join("conf"), b"conf").unwrap();
            let item = item(&root, &[]);
            let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
            std::fs::remove_dir_all(&www).unwrap();
            put(&www);
            if !is_newer {
                set_mtime(&www, "2001-02-03 04:05:06");
            }
            let (plan, report, recorder) = restore(&host, &item, &backup, &options(mode, &root, None)).await;
            let below: Vec<_> = plan.changes.iter().filter(|c| c.target.starts_with(&text(&www))).collect();
            let below: Vec<_> = below.iter().map(|c| (c.kind, c.target.clone())).collect();
            let said = |words: &str| plan.warnings.iter().any(|w| w.starts_with(&text(&www)) && w.contains(words));
            assert_eq!(recorder.by_subject(), Default::default(), "{mode:?}");
            if mode == RestoreMode::Missing || is_newer {
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
        // What the backup's folder has is not for the folder that the link leads to.
        assert_eq!(std::fs::metadata(&disk).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(recorder.by_subject()[&text(&www)].0, ProblemKind::Unwritable);
    }
}

#[tokio::test]
async fn nothing_is_deleted_through_a_link_made_after_the_preview() {
    for host in hosts() {
        let (dir, root) = temp();
        let (www, disk) = (root.join("www"), dir.path().join("disk"));
        std::fs::create_dir_all(www.join("img")).unwrap();
        std::fs::write(www.join("img/p.png"), b"p").unwrap();
        let (item, options) = (item(&root, &[]), options(RestoreMode::Replace, &root, None));
        let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
        for name in ["www/img/extra", "gone"] {
            std::fs::write(root.join(name), name).unwrap();
        }
        let (ctx, recorder) = Recorder::context();
        let files = kind("files");
        let plan = files.plan_restore(&ctx, &host, &item, &backup.listing(), &options).await.unwrap();
        let extra = text(&www.join("img/extra"));
        assert_eq!(deleted(&plan), [text(&root.join("gone")), extra.clone()]);
        std::fs::rename(&www, &disk).unwrap();
        symlink(&disk, &www).unwrap();
        let report = files.restore(&ctx, &host.shared(), &item, &mut backup.source(), &plan, &options).await;
        assert_eq!(report.unwrap().deleted, 1);
        assert!(disk.join("img/extra").exists() && !root.join("gone").exists());
        let problems = recorder.by_subject();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[&extra].0, ProblemKind::Other);
    }
}

#[tokio::test]
async fn links_in_a_circle_are_said_once() {
    let (dir, root) = temp();
    std::fs::create_dir_all(root.join("www/img")).unwrap();
    std::fs::write(root.join("www/img/p.png"), b"p").unwrap();
    let (item, options) = (item(&root, &[]), options(RestoreMode::Replace, &root, None));
    // With the words of musl, too.
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let words = "s|^/usr/bin/||; s/Too many levels of symbolic links/Symbolic link loop/";
    let script = format!("#!/bin/sh\n{{ /usr/bin/find \"$@\" 2>&1 >&3 | sed '{words}' >&2; }} 3>&1\n");
    std::fs::write(bin.join("find"), script).unwrap();
    std::fs::set_permissions(bin.join("find"), std::fs::Permissions::from_mode(0o755)).unwrap();
    for path in [None, Some(bin)] {
        let host = TestHost { path, ..TestHost::default() };
        let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
        std::fs::remove_dir_all(root.join("www")).unwrap();
        symlink("www", root.join("www")).unwrap();
        let (plan, report, recorder) = restore(&host, &item, &backup, &options).await;
        let about: Vec<_> = plan.warnings.iter().filter(|w| w.contains(&text(&root.join("www")))).collect();
        assert!(about.len() == 1 && about[0].contains("the folder takes its place"), "{about:?}");
        assert_eq!(recorder.by_subject(), Default::default());
        assert_eq!(report.unwrap().files, 1);
        assert_eq!(std::fs::read(root.join("www/img/p.png")).unwrap(), b"p");
    }
}
