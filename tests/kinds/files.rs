//! Files: collected, restored elsewhere, compared.

use crate::host::TestHost;
use crate::memory::{Backup, MemorySink, Recorder, input, kind};
use crate::tree;
use backstay_core::host::Host;
use backstay_core::kind::{
    ChangeKind, CollectReport, ItemInput, RestoreMode, RestoreOptions, RestorePlan, RestoreReport,
};
use backstay_core::run::ProblemKind;
use backstay_core::{ErrorClass, RawPath, Result};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub fn raw(path: &Path) -> RawPath {
    RawPath::new(path.as_os_str().as_bytes()).unwrap()
}

pub fn item(root: &Path, excludes: &[&str]) -> ItemInput {
    input("files", serde_json::json!({ "paths": [raw(root).to_text()], "excludes": excludes }))
}

pub async fn collect(
    host: &dyn Host,
    item: &ItemInput,
    previous: &Backup,
) -> (Result<CollectReport>, Backup, Arc<Recorder>) {
    let (ctx, recorder) = Recorder::context();
    let mut sink = MemorySink::after(previous);
    let report = kind("files").collect(&ctx, host, item, &mut sink).await;
    (report, sink.backup, recorder)
}

pub fn options(mode: RestoreMode, from: &Path, to: Option<&Path>) -> RestoreOptions {
    RestoreOptions {
        mode,
        to: to.map(raw),
        strip: if to.is_some() { raw(from).to_relative() } else { RawPath::root() },
        only: Vec::new(),
    }
}

pub async fn restore(
    host: &TestHost,
    item: &ItemInput,
    backup: &Backup,
    options: &RestoreOptions,
) -> (RestorePlan, Result<RestoreReport>, Arc<Recorder>) {
    let (ctx, recorder) = Recorder::context();
    let kind = kind("files");
    let plan = kind.plan_restore(&ctx, host, item, &backup.listing(), options).await.unwrap();
    let report = kind.restore(&ctx, &host.shared(), item, &mut backup.source(), &plan, options).await;
    (plan, report, recorder)
}

pub fn temp() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    (dir, root)
}

#[tokio::test]
async fn a_tree_of_everything_comes_back_the_same() {
    let (dir, root) = temp();
    tree::make(&root);
    let host = TestHost::default();
    let item = item(&root, &[]);
    let (report, backup, recorder) = collect(&host, &item, &Backup::default()).await;
    let report = report.unwrap();
    let problems = recorder.by_subject();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[&raw(&root.join("socket")).to_text()].0, ProblemKind::Skipped);
    assert_eq!(report.files, report.files_read + 2, "hard links are read once");
    assert!(host.count("tar") <= 2 && host.count("find") == 1, "one listing, one stream");

    let to = dir.path().join("back");
    let (plan, report, recorder) = restore(&host, &item, &backup, &options(RestoreMode::Merge, &root, Some(&to))).await;
    assert!(plan.changes.iter().all(|c| c.kind == ChangeKind::Create), "{:?}", plan.changes);
    let report = report.unwrap();
    assert_eq!(recorder.by_subject(), Default::default());
    let differences = tree::differences(&tree::look(&root), &tree::look(&to));
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(report.files >= 19);

    // A second restore finds nothing to do.
    let (plan, _, _) = restore(&host, &item, &backup, &options(RestoreMode::Replace, &root, Some(&to))).await;
    assert!(plan.changes.is_empty(), "{:?}", plan.changes);
}

#[tokio::test]
async fn owners_are_known_by_name_and_number() {
    if !tree::is_root() {
        println!("skipped: only root gives files away");
        return;
    }
    let (_dir, root) = temp();
    tree::make(&root);
    let (report, backup, _) = collect(&TestHost::default(), &item(&root, &[]), &Backup::default()).await;
    report.unwrap();
    let listing = backup.listing();
    let owner = |name: &[u8]| {
        let path = raw(&root).to_relative().join(name).unwrap();
        let entry = listing.iter().find(|entry| entry.path == path).unwrap();
        (entry.uid, entry.user.clone(), entry.gid, entry.group.clone())
    };
    assert_eq!(owner(b"plain.txt"), (1, Some("daemon".into()), 2, Some("bin".into())));
    // A number nobody bears has no name.
    assert_eq!(owner(b"d"), (4242, None, 4343, None));
    assert_eq!(owner(b"empty"), (0, Some("root".into()), 0, Some("root".into())));
}

#[tokio::test]
async fn what_did_not_change_is_not_read_again() {
    let (_dir, root) = temp();
    tree::make(&root);
    let host = TestHost::default();
    let item = item(&root, &[]);
    let (_, first, _) = collect(&host, &item, &Backup::default()).await;
    let (report, second, recorder) = collect(&host, &item, &first).await;
    let report = report.unwrap();
    assert_eq!((report.files_read, report.bytes_read), (0, 0));
    assert!(report.files >= 19 && recorder.by_subject().len() == 1);
    // The folders above are shared with other tests.
    let below = |backup: &Backup| {
        backup.listing().into_iter().filter(|e| e.path.starts_with(&raw(&root).to_relative())).collect::<Vec<_>>()
    };
    assert_eq!(below(&first), below(&second));
    std::fs::write(root.join("plain.txt"), b"new").unwrap();
    let (report, third, _) = collect(&host, &item, &second).await;
    let report = report.unwrap();
    assert_eq!((report.files_read, report.bytes_read), (1, 3));
    assert_eq!(third.get(&raw(&root.join("plain.txt")).to_text()).unwrap().1.as_slice(), b"new");
}

#[tokio::test]
async fn excluded_things_are_left_out_and_survive_a_replace() {
    let (_dir, root) = temp();
    for dir in ["keep", "cache/x", "logs", "we*ird"] {
        std::fs::create_dir_all(root.join(dir)).unwrap();
    }
    for file in ["keep/a.log", "keep/b.txt", "cache/x/c", "logs/d", "we*ird/e", "weXird"] {
        std::fs::write(root.join(file), b"1").unwrap();
    }
    let excludes = ["*.log", "cache", &raw(&root.join("logs")).to_text(), &raw(&root.join("we*ird")).to_text()];
    let item = item(&root, &excludes);
    let host = TestHost::default();
    let (report, backup, _) = collect(&host, &item, &Backup::default()).await;
    assert_eq!(report.unwrap().files, 2 - 1, "only b.txt: a pattern with a star takes weXird too");
    assert!(backup.get(&raw(&root.join("keep/b.txt")).to_text()).is_some());
    std::fs::write(root.join("keep/later"), b"1").unwrap();
    let (plan, report, recorder) = restore(&host, &item, &backup, &options(RestoreMode::Replace, &root, None)).await;
    let deleted: Vec<_> =
        plan.changes.iter().filter(|c| c.kind == ChangeKind::Delete).map(|c| c.target.clone()).collect();
    assert_eq!(deleted, [raw(&root.join("keep/later")).to_text()]);
    assert_eq!(report.unwrap().deleted, 1);
    assert_eq!(recorder.by_subject(), Default::default());
    for file in ["keep/a.log", "cache/x/c", "logs/d", "we*ird/e"] {
        assert!(root.join(file).exists(), "{file} was excluded and must not be deleted");
    }
}

#[tokio::test]
async fn each_mode_does_what_it_says() {
    let (dir, root) = temp();
    for name in ["same", "older", "newer", "missing"] {
        std::fs::write(root.join(name), b"backup").unwrap();
        tree::set_mtime(&root.join(name), "2020-01-01 UTC");
    }
    let host = TestHost::default();
    let item = item(&root, &[]);
    let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
    for (mode, older, newer, missing, extra) in [
        (RestoreMode::Merge, "backup", "backup", true, true),
        (RestoreMode::Newer, "backup", "server", true, true),
        (RestoreMode::Missing, "server", "server", true, true),
        (RestoreMode::Replace, "backup", "backup", true, false),
    ] {
        let to = dir.path().join(format!("{mode:?}"));
        std::fs::create_dir_all(to.join("extra/deep")).unwrap();
        std::fs::write(to.join("extra/deep/file"), b"x").unwrap();
        std::fs::write(to.join("same"), b"backup").unwrap();
        std::fs::write(to.join("older"), b"server").unwrap();
        std::fs::write(to.join("newer"), b"server").unwrap();
        for (name, time) in [("same", "2020-01-01 UTC"), ("older", "2019-01-01 UTC"), ("newer", "2021-01-01 UTC")] {
            tree::set_mtime(&to.join(name), time);
        }
        let (plan, report, recorder) = restore(&host, &item, &backup, &options(mode, &root, Some(&to))).await;
        report.unwrap();
        assert_eq!(recorder.by_subject(), Default::default());
        let read = |name: &str| std::fs::read_to_string(to.join(name)).unwrap_or_default();
        assert_eq!((read("older").as_str(), read("newer").as_str()), (older, newer), "{mode:?}");
        assert_eq!(to.join("missing").exists(), missing);
        assert_eq!(to.join("extra").exists(), extra, "{mode:?}");
        assert!(plan.changes.iter().all(|c| !c.target.ends_with("/same")));
        if mode == RestoreMode::Replace {
            let differences = tree::differences(&tree::look(&root), &tree::look(&to));
            assert!(differences.is_empty(), "{differences:#?}");
        }
    }
}

#[tokio::test]
async fn folders_and_files_trade_places_under_replace() {
    let (dir, root) = temp();
    std::fs::write(root.join("was-folder"), b"now a file").unwrap();
    std::fs::create_dir(root.join("was-file")).unwrap();
    std::fs::write(root.join("was-file/in"), b"x").unwrap();
    let host = TestHost::default();
    let item = item(&root, &[]);
    let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
    let to = dir.path().join("to");
    std::fs::create_dir_all(to.join("was-folder/deep")).unwrap();
    std::fs::write(to.join("was-folder/deep/x"), b"x").unwrap();
    std::fs::write(to.join("was-file"), b"x").unwrap();
    let (plan, _, _) = restore(&host, &item, &backup, &options(RestoreMode::Newer, &root, Some(&to))).await;
    assert!(plan.warnings.iter().any(|w| w.contains("was-folder is a folder there")), "{:?}", plan.warnings);
    let (_, report, recorder) = restore(&host, &item, &backup, &options(RestoreMode::Replace, &root, Some(&to))).await;
    report.unwrap();
    assert_eq!(recorder.by_subject(), Default::default());
    let differences = tree::differences(&tree::look(&root), &tree::look(&to));
    assert!(differences.is_empty(), "{differences:#?}");
}

#[tokio::test]
async fn one_picked_file_goes_back_alone() {
    let (dir, root) = temp();
    tree::make(&root);
    let host = TestHost::default();
    let item = item(&root, &[]);
    let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
    let to = dir.path().join("to");
    let mut options = options(RestoreMode::Merge, &root, Some(&to));
    options.only = vec![raw(&root.join("d/hard-3")).to_relative()];
    let (plan, report, _) = restore(&host, &item, &backup, &options).await;
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(report.unwrap().files, 1);
    assert_eq!(std::fs::read(to.join("d/hard-3")).unwrap(), b"one file, three names");
    assert_eq!(tree::look(&to).len(), 3, "the folder, d, and the file");
}

#[tokio::test]
async fn without_gnu_tools_the_host_itself_reads_and_writes() {
    let (dir, root) = temp();
    std::fs::create_dir_all(root.join("a/b")).unwrap();
    std::fs::write(root.join("a/b/file"), b"content").unwrap();
    std::fs::write(root.join(OsStr::from_bytes(b"\xff\n")), b"odd").unwrap();
    std::os::unix::fs::symlink("b/file", root.join("a/link")).unwrap();
    let made_of = |path: &Path| {
        let meta = std::fs::symlink_metadata(path).unwrap();
        (meta.permissions().mode(), meta.mtime())
    };
    for (name, mode) in [("a/b/file", 0o4755), ("a/b", 0o2550), ("a", 0o1777)] {
        std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        let file = std::fs::File::open(root.join(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_000)).unwrap();
    }
    let host = TestHost { files_only: true, ..TestHost::default() };
    let item = item(&root, &["*.skip"]);
    let (report, backup, recorder) = collect(&host, &item, &Backup::default()).await;
    assert_eq!(report.unwrap().files, 2);
    assert_eq!(recorder.by_subject(), Default::default());
    let to = dir.path().join("to");
    let (plan, report, recorder) = restore(&host, &item, &backup, &options(RestoreMode::Merge, &root, Some(&to))).await;
    assert!(plan.warnings.iter().any(|w| w.contains("GNU tar is not there")));
    assert_eq!(report.unwrap().files, 3);
    assert_eq!(recorder.by_subject(), Default::default());
    assert_eq!(std::fs::read_link(to.join("a/link")).unwrap(), Path::new("b/file"));
    for name in ["a/b/file", "a/b", "a"] {
        assert_eq!(made_of(&to.join(name)), made_of(&root.join(name)), "{name}");
    }
    assert_eq!(std::fs::read(to.join("a/b/file")).unwrap(), b"content");
    assert_eq!(std::fs::read(to.join(OsStr::from_bytes(b"\xff\n"))).unwrap(), b"odd");
}

#[tokio::test]
async fn a_new_folder_is_nobody_elses_while_files_are_written_into_it() {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (dir, root) = temp();
    std::fs::create_dir_all(root.join("new")).unwrap();
    std::fs::create_dir_all(root.join("there")).unwrap();
    for name in ["new", "there"] {
        std::fs::write(root.join(name).join("file"), b"content").unwrap();
        std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(0o555)).unwrap();
    }
    let (_, backup, _) = collect(&TestHost::default(), &item(&root, &[]), &Backup::default()).await;
    let to = dir.path().join("to");
    std::fs::create_dir_all(to.join("there")).unwrap();
    std::fs::set_permissions(to.join("there"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let at_write: Arc<dyn Fn(&Path) + Send + Sync> = Arc::new({
        let seen = seen.clone();
        move |path: &Path| {
            let folder = path.parent().unwrap();
            seen.lock().unwrap().push((folder.file_name().unwrap().to_owned(), mode(folder)));
        }
    });
    let host = TestHost { files_only: true, at_write: Some(at_write), ..TestHost::default() };
    restore(&host, &item(&root, &[]), &backup, &options(RestoreMode::Merge, &root, Some(&to))).await.1.unwrap();
    let want = vec![(std::ffi::OsString::from("new"), 0o700), (std::ffi::OsString::from("there"), 0o755)];
    assert_eq!(*seen.lock().unwrap(), want);
    assert_eq!(mode(&to.join("new")), 0o555);
}

#[tokio::test]
async fn nothing_there_is_an_error_not_an_empty_backup() {
    let host = TestHost::default();
    let item = item(Path::new("/does/not/exist"), &[]);
    let (report, _, _) = collect(&host, &item, &Backup::default()).await;
    let error = report.unwrap_err();
    assert_eq!(error.class, ErrorClass::Missing);
    assert!(error.message.contains("/does/not/exist on test-1"), "{}", error.message);
    let preflight = kind("files").preflight(&backstay_core::RunContext::silent(), &host, &item).await;
    assert_eq!(preflight.unwrap_err().class, ErrorClass::Missing);
}

#[tokio::test]
async fn a_damaged_entry_is_found_by_check() {
    let (_dir, root) = temp();
    std::fs::write(root.join("whole"), b"whole").unwrap();
    std::fs::write(root.join("short"), b"short").unwrap();
    let item = item(&root, &[]);
    let (_, mut backup, _) = collect(&TestHost::default(), &item, &Backup::default()).await;
    let (entry, _) = backup.entries.values_mut().find(|(e, _)| e.path.as_bytes().ends_with(b"short")).unwrap();
    entry.size_bytes = 9;
    let ctx = backstay_core::RunContext::silent();
    let report = kind("files").check(&ctx, &item, &mut backup.source()).await.unwrap();
    assert_eq!(report.faults.len(), 1);
    assert!(report.faults[0].1.contains("5 bytes where 9"), "{:?}", report.faults);
    // Restoring names it too, and leaves no half file that looks good.
    let to = root.join("to");
    let (_, result, recorder) =
        restore(&TestHost::default(), &item, &backup, &options(RestoreMode::Merge, &root, Some(&to))).await;
    assert_eq!((result.unwrap().files, to.join("short").exists()), (1, false));
    assert_eq!(recorder.by_subject()[to.join("short").to_str().unwrap()].0, ProblemKind::Damaged);
    // Where it is all there is, nothing was restored.
    backup.entries.retain(|_, (entry, _)| !entry.path.as_bytes().ends_with(b"whole"));
    let (_, result, _) =
        restore(&TestHost::default(), &item, &backup, &options(RestoreMode::Merge, &root, Some(&root.join("other"))))
            .await;
    assert_eq!(result.unwrap_err().class, ErrorClass::Corrupt);
}
