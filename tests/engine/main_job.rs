//! The main job, with this computer, a real vault and a real folder.

use crate::support::{World, files, text};
use backstay_contract::{DownloadRequest, RestoreRequest};
use backstay_core::RawPath;

fn relative(path: &std::path::Path) -> String {
    RawPath::new(text(path)).unwrap().to_relative().to_text()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_into_a_vault_is_looked_at_restored_and_compared() {
    let world = World::new().await;
    let data = world.path("data");
    world.write("data/a.txt", b"first");
    world.write("data/sub/b.bin", &vec![7; 300_000]);
    let destination = world.vault().await;
    let plan = world.plan("web nightly", &destination, vec![files(&data)]).await;

    let first = world.back_up(&plan).await;
    assert_eq!(first.row.state, "done", "{:?}", first.row.error);
    assert_eq!((first.row.files, first.row.bytes), (2, 300_005));
    assert_eq!(first.row.title, "web nightly");
    assert!(first.row.bytes_added > 0 && first.row.progress.is_none());
    assert!(!first.log.is_empty());

    world.write("data/a.txt", b"second, and longer");
    world.write("data/c.txt", b"new");
    let second = world.back_up(&plan).await;
    assert_eq!(second.row.state, "done");
    assert_eq!((second.files_new, second.files_changed), (1, 1));
    assert!(second.row.bytes_read < 1000, "only what changed is read: {}", second.row.bytes_read);
    let (older, newer) = (first.row.backup.unwrap(), second.row.backup.unwrap());

    let detail = world.engine.backup(&newer[..8]).await.unwrap();
    assert_eq!(detail.previous.as_deref(), Some(older.as_str()));
    assert_eq!(detail.run.as_deref(), Some(second.row.id.as_str()));
    assert_eq!(detail.copies[0].destination_name, "nas");
    assert_eq!(detail.items[0].kind, "files");

    let rows = world.engine.backup_list(&newer, &relative(&data)).await.unwrap();
    let seen: Vec<_> = rows.iter().map(|r| (r.name.as_str(), r.kind.as_str(), r.change.as_deref())).collect();
    assert_eq!(seen, [("sub", "dir", None), ("a.txt", "file", Some("changed")), ("c.txt", "file", Some("added"))]);
    assert_eq!(rows[0].bytes, 300_000);
    let found = world.engine.backup_search(&newer, "B.BIN").await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].path.ends_with("sub/b.bin"));
    let diff = world.engine.backup_diff(&older, &newer).await.unwrap();
    assert_eq!((diff.added, diff.removed, diff.changed), (1, 0, 1));

    restore_and_compare(&world, &newer, &data).await;
    download(&world, &newer).await;

    let verify = world.engine.start_verify(&newer).await.unwrap();
    let verify = world.end(&verify).await;
    assert_eq!(verify.row.state, "done", "{:?}", verify.row.error);
    assert_eq!(verify.row.bytes, 300_000 + 18 + 3);
    let overview = world.engine.overview().await.unwrap();
    assert_eq!(overview.servers[0].state, "protected");
    assert!(overview.servers[0].last_proof.is_some());
    assert_eq!((overview.counts.backups, overview.counts.plans), (2, 1));
    assert!(overview.first_steps.backup && !overview.first_steps.server);
    // What is stored is added up in the background, and told when it is known.
    let mut events = world.engine.subscribe();
    while world.engine.overview().await.unwrap().stored_bytes.is_none_or(|bytes| bytes == 0) {
        let told = tokio::time::timeout(std::time::Duration::from_secs(30), events.recv()).await;
        told.expect("the stored bytes were never told").unwrap();
    }
    // Reading the destination anew keeps what only this computer knows.
    assert_eq!(world.backups_in_vault(&destination).await, 2);
    assert!(world.engine.backup(&newer).await.unwrap().row.verified.is_some());
    let check = world.engine.verify_audit().await.unwrap();
    assert!(check.fault.is_none() && check.good >= 10, "{check:?}");
}

async fn restore_and_compare(world: &World, backup: &str, data: &std::path::Path) {
    let target = world.path("restored");
    let request = RestoreRequest {
        backup: backup.into(),
        paths: vec![relative(data)],
        server: "this-computer".into(),
        target: Some(text(&target)),
        mode: "merge".into(),
        ..RestoreRequest::default()
    };
    let preview = world.engine.plan_restore(request).await.unwrap();
    assert_eq!(preview.blocked, None);
    assert_eq!((preview.create.count, preview.overwrite.count, preview.delete.count), (3, 0, 0));
    assert!(preview.sentence.contains("creates 3 files"), "{}", preview.sentence);
    assert!(preview.free_bytes.is_some() && !preview.needs_name);
    let page = world.engine.restore_preview_page(&preview.id, "create", "B.bin", 0, 10).await.unwrap();
    assert_eq!(page.total, 1);
    assert!(!target.exists(), "a preview changes nothing");
    let run = world.engine.start_restore(&preview.id, None).await.unwrap();
    let run = world.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?}", run.row.error);
    // One folder picked goes right into the target.
    for name in ["a.txt", "c.txt", "sub/b.bin"] {
        assert_eq!(std::fs::read(target.join(name)).unwrap(), std::fs::read(data.join(name)).unwrap(), "{name}");
    }
    let again = world.engine.start_restore(&preview.id, None).await.unwrap_err();
    assert_eq!(again.class, backstay_core::ErrorClass::Missing, "a preview is used once");
}

async fn download(world: &World, backup: &str) {
    let folder = world.path("downloads");
    std::fs::create_dir(&folder).unwrap();
    let request = |format: &str| DownloadRequest {
        backups: vec![backup.into()],
        paths: Vec::new(),
        format: format.into(),
        destination: None,
        folder: text(&folder),
    };
    let mut names = Vec::new();
    for format in ["tar.gz", "tar.gz", "zip"] {
        let run = world.engine.start_download(request(format)).await.unwrap();
        let run = world.end(&run).await;
        assert_eq!(run.row.state, "done", "{:?}", run.row.error);
        let file = std::path::PathBuf::from(run.row.result.unwrap());
        assert!(file.metadata().unwrap().len() > 0);
        names.push(file.file_name().unwrap().to_str().unwrap().to_owned());
    }
    assert!(names[0].starts_with("web-nightly_2") && names[0].ends_with(".tar.gz"), "{names:?}");
    assert!(names[1].ends_with("-2.tar.gz") && names[2].ends_with(".zip"), "{names:?}");
    assert!(world.engine.start_download(request("rar")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_opened_on_another_computer_shows_all() {
    let world = World::new().await;
    world.write("data/a.txt", b"content");
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![files(&world.path("data"))]).await;
    assert_eq!(world.back_up(&plan).await.row.state, "done");
    let kit = world.engine.recovery_kit(&destination).await.unwrap();

    let other = World::new().await;
    let mut draft = backstay_contract::DestinationDraft {
        name: "found".into(),
        kind: "local".into(),
        path: text(&world.path("vault")),
        ..Default::default()
    };
    let without = other.engine.add_destination(draft.clone()).await.unwrap_err();
    assert_eq!(without.class, backstay_core::ErrorClass::Invalid);
    draft.vault_password = Some("not the password".into());
    let wrong = other.engine.add_destination(draft.clone()).await.unwrap_err();
    assert_eq!(wrong.class, backstay_core::ErrorClass::WrongKey);
    assert!(other.engine.destinations().await.unwrap().is_empty());
    draft.vault_password = Some(kit.password);
    let opened = other.engine.add_destination(draft.clone()).await.unwrap();
    assert!(!opened.created);
    assert_eq!(opened.backups, 1);
    draft.name = "twice".into();
    let twice = other.engine.add_destination(draft).await.unwrap_err();
    assert_eq!(twice.class, backstay_core::ErrorClass::Exists);
    let page = other.engine.backups(Default::default()).await.unwrap();
    assert_eq!(page.rows[0].plan_name, "p");
    let rows = other.engine.backup_list(&page.rows[0].id, "").await.unwrap();
    assert!(!rows.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_whose_disk_is_not_mounted_is_neither_good_nor_forgotten() {
    let world = World::new().await;
    world.write("data/a.txt", b"content");
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![files(&world.path("data"))]).await;
    world.backed_up(&plan).await;
    std::fs::rename(world.path("vault"), world.path("away")).unwrap();
    std::fs::create_dir(world.path("vault")).unwrap();
    let verify = world.engine.start_verify_destination(&destination, 0).await.unwrap();
    for run in [world.sync(&destination).await, world.end(&verify).await] {
        assert_eq!(run.row.state, "failed", "{:?}", run.log);
        let error = run.row.error.unwrap();
        assert!(error.code == "missing" && error.hint.as_ref().unwrap().contains("right disk"), "{error:?}");
    }
    let refused = world.engine.refresh_destination(&destination).await.unwrap_err();
    assert!(refused.hint.unwrap().contains("right disk"));
    assert_eq!((world.backup_count().await, std::fs::read_dir(world.path("vault")).unwrap().count()), (1, 0));
    std::fs::remove_dir(world.path("vault")).unwrap();
    std::fs::rename(world.path("away"), world.path("vault")).unwrap();
    assert_eq!(world.sync(&destination).await.row.state, "done");
}
