//! Sources that hold the backups they go to, and Backstay's own home; restores to where backups lie.

use crate::support::{World, files, text};
use backstay_contract::{
    DestinationDraft, FilesSettings, ItemDraft, ItemSettings, LayoutDraft, PlanDraft, RestoreRequest, RunDetail,
};
use backstay_core::ErrorClass;
use std::path::Path;

impl World {
    async fn folder_destination(&self, name: &str, folder: &Path, use_for: &str) -> String {
        let draft = DestinationDraft {
            name: name.into(),
            kind: "local".into(),
            path: text(folder),
            use_for: use_for.into(),
            ..DestinationDraft::default()
        };
        self.engine.add_destination(draft).await.unwrap().destination.id
    }
    fn plan_of(&self, name: &str, destination: &str, folder: &Path) -> PlanDraft {
        PlanDraft {
            name: name.into(),
            server: "this-computer".into(),
            items: vec![files(folder)],
            destinations: vec![destination.into()],
            ..PlanDraft::default()
        }
    }
}

fn left_out(run: &RunDetail) -> Vec<&str> {
    run.log.iter().map(|line| line.text.as_str()).filter(|line| line.starts_with("Left out")).collect()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn our_own_folders_in_the_source_are_left_out_and_spared() {
    let world = World::new().await;
    let top = world.path("top");
    world.write("top/data/a.txt", b"a");
    std::fs::create_dir(top.join("backups")).unwrap();
    // The destination is known by another name than the one it is met by.
    std::os::unix::fs::symlink(&top, world.path("alias")).unwrap();
    let draft = DestinationDraft {
        name: "nas".into(),
        kind: "local".into(),
        path: text(&world.path("alias/backups/vault")),
        ..DestinationDraft::default()
    };
    let destination = world.engine.add_destination(draft).await.unwrap().destination.id;
    assert!(top.join("backups/vault/config").exists());
    let whole = world.plan("whole", &destination, vec![files(&world.path(""))]).await;
    let run = world.back_up(&whole).await;
    assert_eq!(run.row.state, "done", "{:?}", run.row.error);
    let said: Vec<&str> = run.log.iter().map(|line| line.text.as_str()).filter(|l| l.starts_with("Left out")).collect();
    assert_eq!(said.len(), 2, "{:?}", run.log);
    assert!(said.iter().any(|line| line.ends_with("home, where Backstay's own data lie")), "{said:?}");
    assert!(said.iter().any(|line| line.ends_with("top/backups/vault, where the backups of nas lie")), "{said:?}");

    let plan = world.plan("top", &destination, vec![files(&top)]).await;
    let first = world.back_up(&plan).await;
    let second = world.back_up(&plan).await;
    assert_eq!((first.row.state.as_str(), second.row.state.as_str()), ("done", "done"));
    assert_eq!(first.row.files, 1, "{first:?}");
    assert_eq!((second.row.files, second.files_new, second.files_changed), (1, 0, 0), "{second:?}");

    // Replacing the folder deletes what is not in the backup, and not the backups.
    world.write("top/data/extra.txt", b"extra");
    for target in [None, Some(text(&top))] {
        let picked = target.as_ref().map(|_| backstay_core::RawPath::new(text(&top)).unwrap().to_relative().to_text());
        let request = RestoreRequest {
            backup: second.row.backup.clone().unwrap(),
            paths: picked.into_iter().collect(),
            server: "this-computer".into(),
            target,
            mode: "replace".into(),
            ..RestoreRequest::default()
        };
        let preview = world.engine.plan_restore(request).await.unwrap();
        assert_eq!(preview.delete.count, 1, "{preview:?}");
    }
    assert!(top.join("backups/vault/config").exists());
}

// Elsewhere a name must be text.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn our_own_folders_are_known_by_names_that_are_no_text_too() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new().await;
    let top = world.path("").join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&top).unwrap();
    std::fs::write(top.join("a.txt"), b"a").unwrap();
    std::os::unix::fs::symlink(&top, world.path("alias")).unwrap();
    let destination = world.folder_destination("nas", &world.path("alias/vault"), "vault").await;
    let picked = backstay_core::RawPath::new(top.as_os_str().as_bytes()).unwrap().to_text();
    let settings = FilesSettings { paths: vec![picked], ..FilesSettings::default() };
    let item = ItemDraft { name: String::new(), settings: ItemSettings::Files(settings), password: None };
    let plan = world.plan("top", &destination, vec![item]).await;
    let run = world.back_up(&plan).await;
    assert_eq!((run.row.state.as_str(), run.row.files), ("done", 1), "{:?} {:?}", run.row.error, run.log);
    let said = left_out(&run);
    assert!(said.len() == 1 && said[0].ends_with("/vault, where the backups of nas lie"), "{said:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn backups_that_are_picked_themselves_are_left_out_or_refused() {
    let world = World::new().await;
    let destination = world.vault().await;
    world.write("data/a.txt", b"a");
    std::os::unix::fs::symlink(world.path("vault"), world.path("link")).unwrap();
    for picked in ["vault", "vault/keys", "link"] {
        let error = world.engine.save_plan(world.plan_of("all", &destination, &world.path(picked))).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid, "{picked}: {error:?}");
        assert!(error.message.contains("the backups of nas lie"), "{picked}: {error:?}");
    }
    let vault = text(&world.path("vault"));
    let settings = FilesSettings { paths: vec![text(&world.path("data")), vault.clone()], ..FilesSettings::default() };
    let both = ItemDraft { name: String::new(), settings: ItemSettings::Files(settings), password: None };
    let plan = world.plan("both", &destination, vec![both]).await;
    world.back_up(&plan).await;
    let run = world.back_up(&plan).await;
    assert_eq!(run.row.state, "done", "{:?}", run.row.error);
    assert_eq!((run.row.files, run.files_new, run.files_changed), (1, 0, 0), "{run:?}");
    let notes = world.engine.run_problems(&run.row.id, "", 0, 10).await.unwrap().rows;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!((notes[0].kind.as_str(), &notes[0].subject), ("skipped", &vault));
    // What is not in the backup only because it was left out is not deleted.
    let request = RestoreRequest {
        backup: run.row.backup.clone().unwrap(),
        server: "this-computer".into(),
        mode: "replace".into(),
        ..RestoreRequest::default()
    };
    assert_eq!(world.engine.plan_restore(request).await.unwrap().delete.count, 0);

    // A destination that was made later than the plan.
    std::fs::create_dir(world.path("later")).unwrap();
    let plan = world.plan("later", &destination, vec![files(&world.path("later"))]).await;
    world.folder_destination("second", &world.path("later"), "vault").await;
    let run = world.back_up(&plan).await;
    let error = run.row.error.unwrap();
    assert_eq!((run.row.state.as_str(), error.code.as_str()), ("failed", "invalid"), "{error:?}");
    assert!(error.message.contains("the backups of second lie"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_beside_archives_on_a_disk_is_backed_up() {
    let world = World::new().await;
    let nas = world.vault().await;
    world.write("data/a.txt", b"a");
    world.write("disk/photos/p.jpg", b"p");
    let disk = world.path("disk");
    let archives = world.folder_destination("disk", &disk, "none").await;
    let layout = LayoutDraft { kind: "archive".into(), seal: "none".into(), ..LayoutDraft::default() };
    let draft = PlanDraft { layout, ..world.plan_of("archives", &archives, &world.path("data")) };
    let plan = world.engine.save_plan(draft).await.unwrap().row.id;
    assert_eq!(world.back_up(&plan).await.row.state, "done");

    let plan = world.plan("disk", &nas, vec![files(&disk)]).await;
    let run = world.back_up(&plan).await;
    assert_eq!((run.row.state.as_str(), run.row.files), ("done", 1), "{:?} {:?}", run.row.error, run.log);
    let said = left_out(&run);
    assert!(said.len() == 1 && said[0].contains("/disk/archives"), "{said:?}");
    let plan = world.plan("photos", &nas, vec![files(&disk.join("photos"))]).await;
    let run = world.back_up(&plan).await;
    assert_eq!((run.row.state.as_str(), run.row.files), ("done", 1), "{:?} {:?}", run.row.error, run.log);
    assert!(left_out(&run).is_empty(), "{:?}", run.log);
    let draft = world.plan_of("again", &nas, &disk.join("archives"));
    assert_eq!(world.engine.save_plan(draft).await.unwrap_err().class, ErrorClass::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_does_not_write_where_backups_lie() {
    let world = World::new().await;
    let nas = world.vault().await;
    let file = world.write("top/file", b"f");
    world.write("top/vault/config", b"once there was something else here");
    let plan = world.plan("top", &nas, vec![files(&world.path("top"))]).await;
    let run = world.back_up(&plan).await;
    assert_eq!((run.row.state.as_str(), run.row.files), ("done", 2), "{:?}", run.row.error);
    std::fs::remove_dir_all(world.path("top/vault")).unwrap();
    std::fs::remove_file(&file).unwrap();
    world.folder_destination("second", &world.path("top/vault"), "vault").await;
    let config = std::fs::read(world.path("top/vault/config")).unwrap();

    let request = |target: Option<&str>| RestoreRequest {
        backup: run.row.backup.clone().unwrap(),
        server: "this-computer".into(),
        target: target.map(|name| text(&world.path(name))),
        mode: "merge".into(),
        ..RestoreRequest::default()
    };
    for target in ["vault", "top/vault", "top/vault/data", "home"] {
        let error = world.engine.plan_restore(request(Some(target))).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid, "{target}: {error:?}");
    }
    let preview = world.engine.plan_restore(request(None)).await.unwrap();
    assert!(preview.warnings.iter().any(|text| text.contains("the backups of second lie")), "{preview:?}");
    let restore = world.engine.start_restore(&preview.id, None).await.unwrap();
    let restore = world.end(&restore).await;
    assert_eq!(restore.row.state, "done_with_problems", "{:?} {:?}", restore.row.error, restore.log);
    let told = world.engine.run_problems(&restore.row.id, "", 0, 10).await.unwrap().rows;
    assert!(told.iter().any(|problem| problem.reason.contains("the backups of second lie")), "{told:?}");
    assert_eq!(std::fs::read(&file).unwrap(), b"f");
    assert_eq!(std::fs::read(world.path("top/vault/config")).unwrap(), config);
}
