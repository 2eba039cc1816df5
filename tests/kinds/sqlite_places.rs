//! SQLite: where a database goes, whose it is there, and what a link in its place means.

use crate::databases::{collect, restore};
use crate::host::TestHost;
use crate::memory::{Backup, input};
use crate::sqlite::{has_sqlite, program, sqlite_query};
use backstay_core::kind::{ItemInput, RestoreMode};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

/// No account has this number.
const OWNER: u32 = 54_321;

fn is_root() -> bool {
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        println!("skipped: only root can give files away");
    }
    is_root
}

fn set(file: &Path, mode: u32, owner: u32) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    std::os::unix::fs::chown(file, Some(owner), Some(owner)).unwrap();
}

fn is(path: &Path) -> (u32, u32, u32) {
    let meta = std::fs::symlink_metadata(path).unwrap();
    (meta.mode() & 0o7777, meta.uid(), meta.gid())
}

/// Makes a database whose owner is [`OWNER`] alone, and a backup of `path`, which leads to it.
async fn made(file: &Path, path: &Path) -> (ItemInput, Backup) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    sqlite_query(file, "create table t (a); insert into t values (1)");
    set(file, 0o640, OWNER);
    if path != file {
        symlink(file, path).unwrap();
    }
    let item = input("sqlite", serde_json::json!({ "paths": [path] }));
    let (report, backup, recorder) = collect(&TestHost::default(), &item).await;
    assert_eq!((report.unwrap().files, recorder.by_subject()), (1, Default::default()));
    (item, backup)
}

#[tokio::test]
async fn a_link_is_followed_when_it_is_backed_up_and_when_it_is_restored() {
    if !has_sqlite() || !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("data/real.db"), dir.path().join("app.db"));
    let (item, backup) = made(&file, &link).await;
    let (entry, _) = backup.entries.values().find(|(e, _)| e.path.as_bytes().ends_with(b"app.db")).unwrap();
    assert_eq!((entry.mode, entry.uid, entry.gid), (0o640, OWNER, OWNER));
    let time = std::fs::metadata(&file).unwrap().mtime();
    assert_eq!(entry.mtime.to_parts().0, time);

    // Where the link stands, the database is where it leads, with what is beside it.
    sqlite_query(&file, "insert into t values (2)");
    std::fs::write(dir.path().join("data/real.db-wal"), "stale").unwrap();
    let host = TestHost::default();
    let (plan, report, recorder) = restore(&host, &item, &backup, RestoreMode::Merge, None).await;
    assert_eq!((report.unwrap().files, recorder.by_subject()), (1, Default::default()));
    assert!(link.is_symlink() && plan.warnings.iter().any(|why| why.contains("is a link")), "{plan:?}");
    let names: Vec<_> = std::fs::read_dir(dir.path().join("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!((names, is(&file)), (vec!["real.db".into()], (0o640, OWNER, OWNER)));
    assert_eq!(sqlite_query(&file, "select count(*) from t"), "1");

    // Where it leads to what is not there yet, too.
    std::fs::remove_file(&file).unwrap();
    restore(&host, &item, &backup, RestoreMode::Merge, None).await.1.unwrap();
    assert_eq!((link.is_symlink(), is(&file)), (true, (0o640, OWNER, OWNER)));

    // Where nothing is, it is a file, and not open to all.
    std::fs::remove_file(&link).unwrap();
    restore(&host, &item, &backup, RestoreMode::Merge, None).await.1.unwrap();
    assert_eq!((link.is_symlink(), is(&link)), (false, (0o640, OWNER, OWNER)));

    // A link to nowhere is named.
    std::fs::remove_file(&link).unwrap();
    symlink(dir.path().join("gone/away/x.db"), &link).unwrap();
    let (_, report, recorder) = restore(&host, &item, &backup, RestoreMode::Merge, None).await;
    assert!(report.is_err());
    assert!(recorder.by_subject().values().all(|(_, why)| why.contains("link")), "{:?}", recorder.by_subject());
    assert!(link.is_symlink());
}

#[tokio::test]
async fn a_link_of_another_account_leads_no_database_to_what_is_not_its_own() {
    if !has_sqlite() || !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("data/real.db"), dir.path().join("app.db"));
    let (item, backup) = made(&file, &link).await;
    let precious = dir.path().join("etc/precious");
    std::fs::create_dir(precious.parent().unwrap()).unwrap();
    std::fs::write(&precious, "root's own").unwrap();
    std::fs::remove_file(&link).unwrap();
    symlink(&precious, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(OWNER), Some(OWNER)).unwrap();
    let (plan, report, recorder) = restore(&TestHost::default(), &item, &backup, RestoreMode::Merge, None).await;
    assert!(plan.warnings.iter().any(|why| why.contains("another account")), "{plan:?}");
    assert!(report.is_err() || !recorder.by_subject().is_empty());
    assert_eq!(std::fs::read(&precious).unwrap(), b"root's own");

    // What belongs to the one who made the link is where it may lead.
    std::os::unix::fs::chown(precious.parent().unwrap(), Some(OWNER), Some(OWNER)).unwrap();
    restore(&TestHost::default(), &item, &backup, RestoreMode::Merge, None).await.1.unwrap();
    assert_eq!(sqlite_query(&precious, "select count(*) from t"), "1");
}

#[tokio::test]
async fn a_database_in_folders_that_are_gone_can_be_used_by_its_owner() {
    if !has_sqlite() || !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    set(dir.path(), 0o755, 0);
    let file = dir.path().join("srv/app/live.db");
    let (item, backup) = made(&file, &file).await;
    std::fs::remove_dir_all(dir.path().join("srv")).unwrap();
    let (_, report, recorder) = restore(&TestHost::default(), &item, &backup, RestoreMode::Merge, None).await;
    assert_eq!((report.unwrap().files, recorder.by_subject()), (1, Default::default()));
    assert_eq!(is(&file), (0o640, OWNER, OWNER));
    assert_eq!(is(file.parent().unwrap()), (0o755, OWNER, OWNER));
    assert_eq!(is(&dir.path().join("srv")), (0o755, 0, 0));

    // By its name first: the same account may have another number there.
    let mut named = backup.clone();
    let (entry, _) = named.entries.values_mut().find(|(e, _)| e.path.as_bytes().ends_with(b"live.db")).unwrap();
    (entry.user, entry.group) = (Some("daemon".into()), Some("daemon".into()));
    std::fs::remove_dir_all(dir.path().join("srv")).unwrap();
    restore(&TestHost::default(), &item, &named, RestoreMode::Merge, None).await.1.unwrap();
    let (_, uid, gid) = is(&file);
    assert!(uid != OWNER && gid != OWNER && uid != 0, "{uid}:{gid}");

    // An owner that cannot be set is a problem of the run.
    let bin = tempfile::tempdir().unwrap();
    program(bin.path(), "chown", "echo 'not permitted' >&2; exit 1");
    let host = TestHost { path: Some(bin.path().into()), ..TestHost::default() };
    std::fs::remove_dir_all(dir.path().join("srv")).unwrap();
    let (_, report, recorder) = restore(&host, &item, &backup, RestoreMode::Merge, None).await;
    assert_eq!(report.unwrap().files, 1);
    let problems = recorder.by_subject();
    let (_, why) = &problems[file.to_str().unwrap()];
    assert!(why.contains("owner") && why.contains("not permitted"), "{why}");
}
