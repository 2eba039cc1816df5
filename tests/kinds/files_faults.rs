//! Files that cannot be read, vanish or change; streams that are cut; links that are slow.

use crate::files::{collect, item, options, raw, restore, temp};
use crate::host::TestHost;
use crate::memory::Backup;
use crate::tree;
use backstay_core::ErrorClass;
use backstay_core::kind::RestoreMode;
use backstay_core::run::ProblemKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Puts a script in front of the real tar that does something first.
pub fn wrap_tar(dir: &Path, before: &str, after: &str) -> std::path::PathBuf {
    let bin = dir.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let script =
        format!("#!/bin/sh\ncase \"$*\" in *--create*) {before}\nesac\n/bin/tar \"$@\"\nrc=$?\n{after}\nexit $rc\n");
    std::fs::write(bin.join("tar"), script).unwrap();
    std::fs::set_permissions(bin.join("tar"), std::fs::Permissions::from_mode(0o755)).unwrap();
    bin
}

#[tokio::test]
async fn what_vanishes_after_the_listing_is_named() {
    let (dir, root) = temp();
    std::fs::write(root.join("stays"), b"stays").unwrap();
    std::fs::write(root.join("goes: away"), b"goes").unwrap();
    let path = wrap_tar(dir.path(), &format!("rm '{}/goes: away';;", root.display()), "");
    let host = TestHost { path: Some(path), ..TestHost::default() };
    let (report, backup, recorder) = collect(&host, &item(&root, &[]), &Backup::default()).await;
    assert_eq!(report.unwrap().files, 1);
    let problems = recorder.by_subject();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[&raw(&root.join("goes: away")).to_text()].0, ProblemKind::Vanished);
    assert!(backup.get(&raw(&root.join("stays")).to_text()).is_some());
}

#[tokio::test]
async fn what_changes_or_shrinks_while_it_is_read_is_named() {
    type Change = fn(&std::fs::File);
    let grow: Change = |file| std::os::unix::fs::FileExt::write_all_at(file, b"x", 30_000_000).unwrap();
    let shrink: Change = |file| file.set_len(0).unwrap();
    for (change, words) in [(grow, "changed while it was read"), (shrink, "shorter while it was read")] {
        let (_dir, root) = temp();
        let path = root.join("file");
        std::fs::write(&path, vec![1; 30_000_000]).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        // tar waits for its reader once the pipe is full, so this happens while it is in the middle of the file.
        let at_byte: (u64, crate::host::Hook) = (3_000_000, Arc::new(move || change(&file)));
        let host = TestHost { at_byte: Some(at_byte), ..TestHost::default() };
        let (report, backup, recorder) = collect(&host, &item(&root, &[]), &Backup::default()).await;
        report.unwrap();
        let problems = recorder.by_subject();
        let (kind, reason) = problems.get(&raw(&path).to_text()).expect("it is named");
        assert_eq!(*kind, ProblemKind::Changed);
        assert!(reason.contains(words), "{reason}");
        // It is not taken for unchanged next time.
        let (report, _, _) = collect(&TestHost::default(), &item(&root, &[]), &backup).await;
        assert_eq!(report.unwrap().files_read, 1);
    }
}

#[tokio::test]
async fn a_folder_that_gets_a_new_neighbour_while_it_is_read_is_no_problem() {
    // tar tells of folders whose time moves while it looks at them, /tmp for one. What is in them comes from the
    // listing: nothing of them can be torn.
    let (dir, root) = temp();
    std::fs::create_dir(root.join("folder")).unwrap();
    std::fs::write(root.join("folder/file"), b"file").unwrap();
    let says = |path: &Path| format!("echo \"tar: .{}: file changed as we read it\" >&2; rc=1", path.display());
    let after = [says(dir.path()), says(&root.join("folder")), says(&root.join("folder/file"))].join("\n");
    let host = TestHost { path: Some(wrap_tar(dir.path(), ":;;", &after)), ..TestHost::default() };
    let (report, _, recorder) = collect(&host, &item(&root, &[]), &Backup::default()).await;
    report.unwrap();
    let problems = recorder.by_subject();
    assert_eq!(problems.keys().collect::<Vec<_>>(), [&raw(&root.join("folder/file")).to_text()]);
}

#[tokio::test]
async fn what_may_not_be_read_is_named_and_the_rest_is_kept() {
    if !tree::is_root() {
        println!("skipped: needs root to become another user");
        return;
    }
    let (dir, root) = temp();
    std::fs::create_dir(root.join("closed")).unwrap();
    std::fs::write(root.join("closed/in"), b"x").unwrap();
    std::fs::write(root.join("secret\n"), b"x").unwrap();
    std::fs::write(root.join("open"), b"open").unwrap();
    for (name, mode) in [("closed", 0o700), ("secret\n", 0o600)] {
        std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let host = TestHost { user: Some(65534), ..TestHost::default() };
    let (report, backup, recorder) = collect(&host, &item(&root, &[]), &Backup::default()).await;
    assert_eq!(report.unwrap().files, 1);
    let problems = recorder.by_subject();
    for name in ["closed", "secret\n"] {
        let (kind, reason) = &problems[&raw(&root.join(name)).to_text()];
        assert_eq!(*kind, ProblemKind::Unreadable);
        assert!(reason.contains("Permission denied"), "{reason}");
    }
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(backup.get(&raw(&root.join("closed")).to_text()).is_some(), "the folder itself is known");
}

#[tokio::test]
async fn a_stream_cut_anywhere_is_offline_never_a_thin_backup() {
    let (_dir, root) = temp();
    for number in 0..40 {
        std::fs::write(root.join(format!("f{number}")), vec![number; 3_000]).unwrap();
    }
    let item = item(&root, &[]);
    for after in [0, 1, 511, 512, 5_000, 60_000, 140_000, 163_000] {
        for program in ["find", "tar"] {
            let host = TestHost { cut: Some((program, after)), ..TestHost::default() };
            let (report, _, _) = collect(&host, &item, &Backup::default()).await;
            let error = report.expect_err("a cut stream must not pass");
            assert_eq!(error.class, ErrorClass::Offline, "{program} cut after {after}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_slow_link_is_packed_and_a_fast_one_is_not() {
    let (dir, root) = temp();
    for number in 0..60 {
        std::fs::write(root.join(format!("f{number:03}")), format!("line {number}\n").repeat(100_000)).unwrap();
    }
    let item = item(&root, &[]);
    let fast = TestHost::default();
    let (report, backup, fast_log) = collect(&fast, &item, &Backup::default()).await;
    let bytes = report.unwrap().bytes_read;
    let packs = |host: &TestHost| {
        host.started.lock().unwrap().iter().filter(|argv| argv.iter().any(|a| a.contains("--use-compress"))).count()
    };
    // A computer that is busy may itself be no faster than a slow link: it then says so.
    let told = fast_log
        .log
        .lock()
        .unwrap()
        .iter()
        .find_map(|line| line.strip_prefix("The link brings ")?.split_once(" MB/s")?.0.parse::<f64>().ok());
    assert!(packs(&fast) == 0 || told.is_some_and(|rate| rate <= 40.0), "{:?}", fast_log.log.lock().unwrap());
    let slow = TestHost { tar_rate: Some(20_000_000), ..TestHost::default() };
    let (report, again, recorder) = collect(&slow, &item, &Backup::default()).await;
    report.unwrap();
    assert_eq!(packs(&slow), 1, "{:?}", recorder.log.lock().unwrap());
    assert!(slow.received.load(Ordering::Relaxed) < bytes / 2);
    for (key, (_, content)) in &backup.entries {
        assert!(again.entries[key].1 == *content);
    }
    // A packed stream that is cut is offline as well.
    let bin = wrap_tar(dir.path(), "", "");
    let cut =
        TestHost { cut: Some(("tar", 17_000_000)), tar_rate: Some(20_000_000), path: Some(bin), ..TestHost::default() };
    let (report, _, _) = collect(&cut, &item, &Backup::default()).await;
    assert_eq!(report.unwrap_err().class, ErrorClass::Offline);
}

#[tokio::test]
async fn a_full_disk_at_the_target_is_said_in_words() {
    if !tree::is_root() {
        println!("skipped: needs root to mount a small file system");
        return;
    }
    let (dir, root) = temp();
    std::fs::write(root.join("big"), vec![7; 4_000_000]).unwrap();
    let item = item(&root, &[]);
    let host = TestHost::default();
    let (_, backup, _) = collect(&host, &item, &Backup::default()).await;
    let small = dir.path().join("small");
    std::fs::create_dir(&small).unwrap();
    if !tree::ran(
        "mount",
        &["-t".as_ref(), "tmpfs".as_ref(), "-o".as_ref(), "size=1m".as_ref(), "tmpfs".as_ref(), small.as_os_str()],
    ) {
        println!("skipped: cannot mount here");
        return;
    }
    let (_, report, _) = restore(&host, &item, &backup, &options(RestoreMode::Merge, &root, Some(&small))).await;
    let is_there = small.join("big").exists();
    tree::ran("umount", &[small.as_os_str()]);
    let error = report.unwrap_err();
    assert_eq!(error.class, ErrorClass::Full, "{error:?}");
    assert!(!is_there, "the part that had room would look like a file to a restore of what is missing");
}

#[tokio::test]
async fn a_target_that_may_not_be_written_is_named_and_nothing_is_deleted() {
    if !tree::is_root() {
        println!("skipped: needs root to become another user");
        return;
    }
    let (dir, root) = temp();
    std::fs::write(root.join("a"), b"a").unwrap();
    let item = item(&root, &[]);
    let (_, backup, _) = collect(&TestHost::default(), &item, &Backup::default()).await;
    let to = dir.path().join("to");
    std::fs::create_dir(&to).unwrap();
    std::fs::write(to.join("extra"), b"x").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let host = TestHost { user: Some(65534), ..TestHost::default() };
    let (_, report, recorder) = restore(&host, &item, &backup, &options(RestoreMode::Replace, &root, Some(&to))).await;
    let problems = recorder.by_subject();
    assert!(
        problems.values().any(|(kind, why)| *kind == ProblemKind::Unwritable && why.contains("Permission denied")),
        "{problems:?} {report:?}"
    );
    assert!(to.join("extra").exists());
}

#[tokio::test]
async fn a_tool_that_ends_in_an_odd_way_comes_with_what_to_do_next() {
    let (dir, root) = temp();
    std::fs::write(root.join("file"), b"file").unwrap();
    let item = item(&root, &[]);
    let (_, backup, _) = collect(&TestHost::default(), &item, &Backup::default()).await;
    let host = |path| TestHost { path: Some(path), ..TestHost::default() };

    let find = dir.path().join("find");
    std::fs::create_dir(&find).unwrap();
    let script = "#!/bin/sh\ncase \"$*\" in *-mindepth*) kill -9 $$;; esac\nexec /usr/bin/find \"$@\"\n";
    std::fs::write(find.join("find"), script).unwrap();
    std::fs::set_permissions(find.join("find"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let killed = collect(&host(find), &item, &Backup::default()).await.0.unwrap_err();
    assert!(killed.message.contains("find ended"), "{killed:?}");
    assert!(killed.hint.unwrap().contains("server's log"));

    let mid_stream = wrap_tar(dir.path(), "echo 'tar: no more' >&2; exit 9;;", "");
    let cut = collect(&host(mid_stream), &item, &Backup::default()).await.0.unwrap_err();
    assert!(cut.message.contains("tar ended") && cut.message.contains("in mid-stream"), "{cut:?}");
    assert!(cut.hint.unwrap().contains("the details"));

    let at_end = host(wrap_tar(dir.path(), ":;;", "rc=9"));
    let odd = collect(&at_end, &item, &Backup::default()).await.0.unwrap_err();
    let to = dir.path().join("to");
    let (_, report, _) = restore(&at_end, &item, &backup, &options(RestoreMode::Merge, &root, Some(&to))).await;
    for error in [odd, report.unwrap_err()] {
        assert!(error.message.contains("tar ended with exit status 9"), "{error:?}");
        assert!(error.hint.is_some(), "{error:?}");
    }
}

#[tokio::test]
async fn an_attribute_whose_name_is_not_utf8_is_named_and_its_file_is_kept() {
    use std::os::unix::ffi::OsStrExt;
    let (_dir, root) = temp();
    let file = root.join("file");
    std::fs::write(&file, b"file").unwrap();
    let name = std::ffi::OsStr::from_bytes(b"user.\xff");
    if !tree::ran("setfattr", &["-n".as_ref(), name, "-v".as_ref(), "x".as_ref(), file.as_os_str()]) {
        println!("skipped: no attributes can be set here");
        return;
    }
    let item = item(&root, &[]);
    let (_, first, _) = collect(&TestHost::default(), &item, &Backup::default()).await;
    // Not a backup that looks whole the second time.
    let (report, backup, recorder) = collect(&TestHost::default(), &item, &first).await;
    assert_eq!(report.unwrap().files, 1);
    let (entry, content) = backup.get(&raw(&file).to_text()).unwrap();
    assert!(entry.xattrs.is_empty() && content.as_slice() == b"file", "{entry:?}");
    let problems = recorder.by_subject();
    let (kind, reason) = &problems[&raw(&file).to_text()];
    assert_eq!(*kind, ProblemKind::Unreadable);
    assert!(reason.contains("user.\\xff"), "{reason}");
}

#[tokio::test]
async fn an_attribute_that_may_not_be_set_is_named_and_its_file_counts() {
    if !tree::is_root() {
        println!("skipped: needs root to become another user");
        return;
    }
    let (dir, root) = temp();
    let file = root.join("file");
    std::fs::write(&file, b"file").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    // What only root may set, as a capability is.
    let set = ["-n", "trusted.note", "-v", "x"].map(std::ffi::OsStr::new);
    if !tree::ran("setfattr", &[&set[..], &[file.as_os_str()]].concat()) {
        println!("skipped: no attributes can be set here");
        return;
    }
    let item = item(&root, &[]);
    let (_, backup, _) = collect(&TestHost::default(), &item, &Backup::default()).await;
    let host = TestHost { user: Some(65534), ..TestHost::default() };
    let to = dir.path().join("to");
    let (_, report, recorder) = restore(&host, &item, &backup, &options(RestoreMode::Merge, &root, Some(&to))).await;
    assert_eq!(report.unwrap().files, 1);
    assert_eq!(std::fs::read(to.join("file")).unwrap(), b"file");
    let problems = recorder.by_subject();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let (kind, reason) = &problems[&raw(&to.join("file")).to_text()];
    assert_eq!(*kind, ProblemKind::Unwritable);
    assert!(reason.contains("trusted.note") && reason.contains("not permitted"), "{reason}");
}
