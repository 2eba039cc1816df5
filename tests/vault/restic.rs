//! restic itself is the judge: it checks, restores and adds to our vaults, and we read what it wrote.

use crate::support::*;
use backstay_core::RunContext;
use backstay_core::layout::Layout;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn write_sources(folder: &Path) {
    std::fs::create_dir_all(folder.join("www/img")).unwrap();
    std::fs::write(folder.join("www/index.html"), b"hello").unwrap();
    std::fs::write(folder.join("www/empty"), b"").unwrap();
    std::fs::write(folder.join("www/img/big"), noise(9, 9 << 20)).unwrap();
    std::fs::write(folder.join("www/img/zeros"), vec![0; 3 << 20]).unwrap();
    std::fs::write(folder.join("www/odd \"name\"\n\\x41 ü"), b"odd").unwrap();
    std::os::unix::fs::symlink("../nowhere", folder.join("www/link")).unwrap();
    std::fs::set_permissions(folder.join("www/index.html"), std::fs::Permissions::from_mode(0o604)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn restic_checks_and_restores_our_vault() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut check) = restic(&dir.path().join("vault"), dir.path()) else { return };
    let memory = new_vault().await;
    let vault = open(&memory).await;
    let mut files = random_files(11, 120);
    files.retain(|_, (entry, _)| entry.is_file() || entry.is_dir());
    // The names of lists are limited by the file system they are restored to, and owners by who we are.
    for (entry, _) in files.values_mut() {
        (entry.uid, entry.gid) = (0, 0);
        entry.xattrs.clear();
        entry.mode |= 0o700;
    }
    backup_at(&vault, &random_files(12, 50), 1).await.unwrap();
    let (record, _) = backup_at(&vault, &files, 2).await.unwrap();
    to_folder(&memory, &dir.path().join("vault"));

    let said = run(check.args(["check", "--read-data"]));
    assert!(said.contains("no errors were found"), "{said}");
    let mut list = restic(&dir.path().join("vault"), dir.path()).unwrap();
    let list: serde_json::Value = serde_json::from_str(&run(list.args(["snapshots", "--json"]))).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[1]["hostname"], "web-1");
    assert_eq!(list[1]["paths"], serde_json::json!(["/.backstay", "/srv"]));
    let target = dir.path().join("restored");
    let mut restore = restic(&dir.path().join("vault"), dir.path()).unwrap();
    run(restore.args(["restore", record.id.as_str(), "--target"]).arg(&target));
    for (path, (entry, content)) in &files {
        let file = target.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path.as_bytes()));
        let meta = std::fs::symlink_metadata(&file).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, entry.mode, "{path}");
        if entry.is_file() {
            assert!(std::fs::read(&file).unwrap() == *content, "{path}");
            let mtime = std::os::unix::fs::MetadataExt::mtime(&meta);
            assert_eq!(mtime, entry.mtime.to_parts().0, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn we_read_what_restic_wrote_and_both_share_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let (repository, source) = (dir.path().join("vault"), dir.path().join("srv"));
    let Some(mut init) = restic(&repository, dir.path()) else { return };
    write_sources(&source);
    run(init.arg("init"));
    let mut backup_command = restic(&repository, dir.path()).unwrap();
    run(backup_command.arg("backup").args(["--host", "db-9"]).arg(&source));

    let memory = from_folder(&repository);
    let vault = open(&memory).await;
    let list = vault.list().await.unwrap();
    assert_eq!((list.len(), list[0].server_name.as_str(), list[0].plan.clone()), (1, "db-9", None));
    assert_eq!(vault.open(&list[0].id).await.unwrap().manifest().await.unwrap(), None);
    let files = read(&vault, &list[0].id).await.unwrap();
    let below = |name: &str| path(&format!("{}/{name}", source.to_str().unwrap())).to_relative();
    for name in ["www/index.html", "www/empty", "www/img/big", "www/img/zeros", "www/odd \"name\"\n\\x41 ü"] {
        assert!(files[&below(name)].1 == std::fs::read(source.join(name)).unwrap(), "{name}");
    }
    assert_eq!(files[&below("www/index.html")].0.mode, 0o604);
    assert_eq!(files[&below("www/link")].0.kind, backstay_core::entry::EntryType::Symlink(b"../nowhere".to_vec()));
    assert!(vault.check(&RunContext::silent(), 100).await.unwrap().faults.is_empty());

    // Our backup of the same content adds next to nothing: we cut where restic cuts.
    let before = vault.used_bytes().await.unwrap();
    let record = backup(&vault, &files).await;
    assert!(vault.used_bytes().await.unwrap() - before < 20_000);
    assert_same(&files, &read(&vault, &record.id).await.unwrap());
    let merged = dir.path().join("merged");
    to_folder(&memory, &merged);
    let mut check = restic(&merged, dir.path()).unwrap();
    assert!(run(check.args(["check", "--read-data"])).contains("no errors were found"));

    // restic adds to what we wrote, takes our backup for its parent's equal, removes and prunes; we go on.
    let mut more = restic(&merged, dir.path()).unwrap();
    run(more.arg("backup").args(["--host", "db-9"]).arg(&source));
    let mut forget = restic(&merged, dir.path()).unwrap();
    run(forget.args(["forget", "--prune", list[0].id.as_str()]));
    let memory = from_folder(&merged);
    let vault = open(&memory).await;
    assert_eq!(vault.list().await.unwrap().len(), 2);
    assert_same(&files, &read(&vault, &record.id).await.unwrap());
    backup_at(&vault, &files, 4).await.unwrap();
    assert!(vault.check(&RunContext::silent(), 100).await.unwrap().faults.is_empty());
}
