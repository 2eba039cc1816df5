//! A source that holds the vault it is backed up to, and Backstay's own home.

use crate::support::{World, files, text};
use backstay_contract::{DestinationDraft, RestoreRequest};

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
