//! Archives and places that are not there, damage found while other damage is mended, and downloads asked for twice.

use super::*;
use backstay_contract::{DestinationDraft, PlanDraft};
use std::fs::OpenOptions;

/// Plain archives in folders of these names, and nothing else.
struct Folders {
    world: World,
    ids: Vec<String>,
    plan: String,
}

fn folder(world: &World, name: &str) -> DestinationDraft {
    DestinationDraft {
        name: name.into(),
        kind: "local".into(),
        path: text(&world.path(name)),
        use_for: "none".into(),
        ..DestinationDraft::default()
    }
}

impl Folders {
    async fn new(names: &[&str]) -> Self {
        let world = World::new().await;
        world.patient().await;
        world.write("data/file", &noise(1, 50_000));
        let mut ids = Vec::new();
        for name in names {
            ids.push(world.add(folder(&world, name)).await);
        }
        let plan = world.plan_of_data(&ids, archives_sealed_by("none")).await;
        Self { world, ids, plan }
    }

    async fn back_up(&self) -> String {
        self.world.backed_up(&self.plan).await
    }

    /// The file of a backup in a folder.
    async fn file(&self, folder: &str, backup: &str) -> PathBuf {
        let name = self.world.engine.backup(backup).await.unwrap().copies.remove(0).file.unwrap();
        let top = self.world.path(folder);
        let key = tree(&top).into_keys().find(|key| key.ends_with(&name)).unwrap();
        top.join(key)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_archive_lost_at_the_source_keeps_no_other_from_being_synced() {
    let folders = Folders::new(&["a", "b"]).await;
    let (lost, whole) = (folders.back_up().await, folders.back_up().await);
    let there = folders.file("b", &whole).await;
    let content = std::fs::read(&there).unwrap();
    std::fs::remove_file(folders.file("a", &lost).await).unwrap();
    std::fs::remove_dir_all(folders.world.path("b/archives")).unwrap();
    let world = &folders.world;
    let run = world.sync(&folders.ids[1]).await;
    assert_eq!(run.row.state, "done_with_problems", "{:?} {:?}", run.row.error, run.log);
    assert!(run.row.result.unwrap().starts_with("1 backup copied to b"));
    assert_eq!(std::fs::read(&there).unwrap(), content);
    let problems = world.engine.run_problems(&run.row.id, "", 0, 10).await.unwrap().rows;
    assert!(problems.len() == 1 && problems[0].reason.contains(&lost), "{problems:?}");
    // The list tells of no copy that did not come.
    let rows = world.engine.backups(Default::default()).await.unwrap().rows;
    let places = |id: &str| rows.iter().find(|row| row.id == id).unwrap().destinations.clone();
    assert_eq!((places(&lost), places(&whole).len()), (vec!["a".to_owned()], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_back_whole_is_damaged_no_more() {
    let folders = Folders::new(&["a"]).await;
    let backup = folders.back_up().await;
    let (world, file) = (&folders.world, folders.file("a", &backup).await);
    let whole = std::fs::read(&file).unwrap();
    let mut rotten = whole.clone();
    rotten[whole.len() / 2] ^= 1;
    let damaged = async || world.engine.destinations().await.unwrap()[0].damaged;
    for (content, expected) in [(rotten, 1), (whole, 0)] {
        std::fs::write(&file, content).unwrap();
        let run = world.engine.start_verify(&backup).await.unwrap();
        world.end(&run).await;
        assert_eq!(damaged().await, expected);
        let row = &world.engine.backups(Default::default()).await.unwrap().rows[0];
        assert_eq!(row.verified.is_some(), expected == 0, "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_not_mounted_is_not_remembered_as_damaged() {
    let folders = Folders::new(&["a"]).await;
    let backup = folders.back_up().await;
    let world = &folders.world;
    let verify = async || {
        let run = world.engine.start_verify(&backup).await.unwrap();
        let run = world.end(&run).await;
        assert_ne!(run.row.state, "done", "{:?}", run.log);
        world.parts.store.transfer(&format!("damaged/{}", folders.ids[0])).unwrap()
    };
    let (folder, away) = (world.path("a"), world.path("away"));
    std::fs::rename(&folder, &away).unwrap();
    assert_eq!(verify().await, None);
    std::fs::rename(&away, &folder).unwrap();
    std::fs::remove_file(folders.file("a", &backup).await).unwrap();
    assert!(verify().await.is_some(), "the place is there, and the archive is not");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_a_disk_that_is_not_mounted_and_nothing_there_counts_as_deleted() {
    let folders = Folders::new(&["a"]).await;
    let backup = folders.back_up().await;
    let (world, engine) = (&folders.world, &folders.world.engine);
    let (disk, away) = (world.path("a"), world.path("away"));
    // The bare mount point shows.
    std::fs::rename(&disk, &away).unwrap();
    std::fs::create_dir(&disk).unwrap();
    let run = world.back_up(&folders.plan).await;
    assert_eq!(run.row.state, "failed", "{:?}", run.log);
    assert_eq!(run.row.error.unwrap().code, "missing");
    let report = engine.delete_backup(&backup, Vec::new()).await.unwrap();
    assert!(report.removed.is_empty() && report.failed[0].error.code == "missing", "{report:?}");
    assert_eq!(tree(&disk).len(), 0);
    std::fs::remove_dir_all(&disk).unwrap();
    std::fs::rename(&away, &disk).unwrap();
    folders.back_up().await;
    assert_eq!(world.backup_count().await, 2);
    // Gone for good: to remove the destination is how to say so.
    std::fs::remove_dir_all(world.path("a/archives")).unwrap();
    let kept = engine.refresh_destination(&folders.ids[0]).await.unwrap_err();
    assert!(kept.class == ErrorClass::Missing && kept.hint.unwrap().contains("remove this destination"));
    assert_eq!(world.backup_count().await, 2);
    let anew = world.add(folder(world, "anew")).await;
    let view = engine.plan(&folders.plan).await.unwrap();
    engine.save_plan(PlanDraft { destinations: vec![anew], ..view.draft }).await.unwrap();
    engine.remove_destination(&folders.ids[0]).await.unwrap();
    folders.back_up().await;
    assert_eq!(world.backup_count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_of_an_emptied_folder_forgets_nothing_that_is_nowhere_else() {
    let folders = Folders::new(&["a", "b"]).await;
    folders.back_up().await;
    let (world, engine) = (&folders.world, &folders.world.engine);
    let (disk, away) = (world.path("a"), world.path("away"));
    std::fs::rename(&disk, &away).unwrap();
    std::fs::create_dir(&disk).unwrap();
    // What the other has fills a new disk.
    let sync = world.sync(&folders.ids[0]).await;
    assert_eq!(sync.row.state, "done", "{:?} {:?}", sync.row.error, sync.log);
    assert_eq!(tree(&disk), tree(&away));
    // With nothing to fill it with, the list is all there is.
    let newest = folders.back_up().await;
    engine.delete_backup(&newest, vec![folders.ids[1].clone()]).await.unwrap();
    std::fs::remove_dir_all(&away).unwrap();
    std::fs::rename(&disk, &away).unwrap();
    std::fs::create_dir(&disk).unwrap();
    let sync = world.sync(&folders.ids[0]).await;
    assert_eq!(sync.row.state, "failed", "{:?}", sync.log);
    let error = sync.row.error.unwrap();
    assert!(error.code == "missing" && error.hint.as_ref().unwrap().contains("right disk"), "{error:?}");
    assert_eq!((world.backup_count().await, tree(&disk).len()), (2, 0));
    let run = world.back_up(&folders.plan).await;
    assert_eq!(tree(&disk).len(), 0, "it is still guarded: {:?}", run.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_away_too_leaves_the_list_of_an_emptied_folder_as_it_is() {
    let folders = Folders::new(&["a", "b"]).await;
    folders.back_up().await;
    let world = &folders.world;
    for name in ["a", "b"] {
        std::fs::remove_dir_all(world.path(name)).unwrap();
        std::fs::create_dir(world.path(name)).unwrap();
    }
    let sync = world.sync(&folders.ids[0]).await;
    assert_eq!(sync.row.state, "failed", "{:?}", sync.log);
    let row = &world.engine.backups(Default::default()).await.unwrap().rows[0];
    assert_eq!(row.destinations.len(), 2, "{row:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_a_place_names_the_backups_that_are_not_there() {
    let folders = Folders::new(&["a"]).await;
    let (first, second) = (folders.back_up().await, folders.back_up().await);
    let (world, engine) = (&folders.world, &folders.world.engine);
    let check = async || {
        let run = engine.start_verify_destination(&folders.ids[0], 0).await.unwrap();
        let run = world.end(&run).await;
        let problems = engine.run_problems(&run.row.id, "", 0, 10).await.unwrap().rows;
        (run.row, problems, world.parts.store.transfer(&format!("damaged/{}", folders.ids[0])).unwrap())
    };
    let (row, problems, _) = check().await;
    assert_eq!((row.state.as_str(), problems.len()), ("done", 0), "{problems:?}");
    let text = row.result.unwrap();
    assert!(text.ends_with("objects: all there; no data was read back"), "{text}");
    let file = folders.file("a", &first).await;
    std::fs::remove_file(PathBuf::from(format!("{}.manifest", file.display()))).unwrap();
    std::fs::remove_file(&file).unwrap();
    let (row, problems, damaged) = check().await;
    assert_eq!((row.state.as_str(), problems.len()), ("done_with_problems", 1), "{problems:?}");
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(problems[0].kind == "damaged" && problems[0].subject.ends_with(name), "{problems:?}");
    assert!(damaged.unwrap().contains(name));
    let need = engine.overview().await.unwrap().needs.into_iter().find(|need| need.kind == "damaged").unwrap();
    assert!(!need.text.contains("Sync"), "there is nothing to take it from: {}", need.text);
    // A bare mount point tells nothing of damage.
    let other = folders.file("a", &second).await;
    std::fs::remove_dir_all(world.path("a/archives")).unwrap();
    let (row, problems, damaged) = check().await;
    assert_eq!((row.state.as_str(), problems.len()), ("done_with_problems", 2), "{problems:?}");
    assert!(!damaged.unwrap().contains(other.file_name().unwrap().to_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_whose_manifest_is_damaged_is_not_called_deleted() {
    let folders = Folders::new(&["a"]).await;
    let backup = folders.back_up().await;
    folders.back_up().await;
    let file = folders.file("a", &backup).await;
    let manifest = PathBuf::from(format!("{}.manifest", file.display()));
    std::fs::write(&manifest, "damage").unwrap();
    let report = folders.world.engine.delete_backup(&backup, Vec::new()).await.unwrap();
    assert!(report.removed.is_empty() && report.failed[0].error.code == "corrupt", "{report:?}");
    assert!(file.exists());
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(&manifest).unwrap();
    let report = folders.world.engine.delete_backup(&backup, Vec::new()).await.unwrap();
    assert_eq!(report.removed, ["a"], "somebody else was faster: {report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_found_while_other_damage_is_mended_is_remembered() {
    let pair = pair().await;
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    let (key, whole) = archive_of(&pair.b.1);
    pair.b.1.tamper(&key, Some(flipped(&whole)));
    let verify = pair.world.engine.start_verify_destination(&pair.b.0, 100).await.unwrap();
    assert_eq!(pair.world.end(&verify).await.row.state, "done_with_problems");
    pair.b.1.forget_calls();
    // So slow that a check has the time to find something else.
    pair.b.1.set_rate(Some(500_000));
    let run = pair.world.engine.start_sync(&pair.b.0).await.unwrap();
    pair.world.until("it is written anew", || pair.b.1.count(Operation::Part) > 0).await;
    let (store, name) = (&pair.world.parts.store, format!("damaged/{}", pair.b.0));
    let found = serde_json::json!({ "objects": [key, "archives/other"], "backups": [] });
    store.put_transfer(&name, &found.to_string()).unwrap();
    let run = pair.world.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
    assert_eq!(pair.b.1.object(&key), Some(whole));
    let left = store.transfer(&name).unwrap().unwrap();
    assert!(left.contains("archives/other") && !left.contains(&key), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_goes_on_once_and_leaves_the_part_of_another_alone() {
    let pair = pair().await;
    // Far more than is read ahead.
    for n in 0..12_u8 {
        pair.world.write(&format!("data/more/file-{n}"), &noise(n.into(), 2_500_000));
    }
    assert_eq!(pair.world.back_up(&pair.plan).await.row.state, "done");
    let row = pair.newest().await;
    let mut request = pair.world.download_request(vec![row.id], "tar.gz");
    request.destination = Some(pair.a.0.clone());
    pair.a.1.set_rate(Some(8_000_000));
    let (engine, store) = (&pair.world.engine, &pair.world.parts.store);
    let run = engine.start_download(request).await.unwrap();
    let name = format!("download/{run}");
    let kept = || serde_json::from_str::<serde_json::Value>(&store.transfer(&name).unwrap().unwrap()).unwrap();
    pair.world.until("a mark is kept", || !kept()["files"][0]["packed"].is_null()).await;
    engine.cancel_run(&run).await.unwrap();
    assert_eq!(pair.world.end(&run).await.row.state, "cancelled");
    pair.a.1.set_rate(None);

    // Another process is about to go on with it.
    let lock = std::fs::File::create(pair.world.path(&format!("home/runs/resume-{run}.lock"))).unwrap();
    lock.try_lock().unwrap();
    assert_eq!(engine.resume_download(&run).await.unwrap_err().class, ErrorClass::Locked);
    // Not left to the closing: a program another test is just starting has the file open too.
    lock.unlock().unwrap();

    // Another process writes its part, and nothing tells where to go on.
    let mut unmarked = kept();
    unmarked["files"][0]["packed"] = serde_json::Value::Null;
    store.put_transfer(&name, &unmarked.to_string()).unwrap();
    let folder = pair.world.path("downloads");
    let part = tree(&folder).into_keys().find(|file| file.ends_with(".part")).unwrap();
    let writer = OpenOptions::new().read(true).write(true).open(folder.join(&part)).unwrap();
    writer.try_lock().unwrap();
    let run = engine.resume_download(&run).await.unwrap();
    let stopped = pair.world.end(&run).await;
    assert_eq!(stopped.row.state, "failed", "{:?}", stopped.log);
    assert_eq!(stopped.row.error.unwrap().code, "locked");
    assert!(folder.join(&part).exists(), "it is the other's");
    writer.unlock().unwrap();
    let run = engine.resume_download(&run).await.unwrap();
    let run = pair.world.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?} {:?}", run.row.error, run.log);
}
