//! Restores: what is confirmed is what was seen.

use crate::support::{Act, World, files, scripted, text};
use backstay_contract::RestoreRequest;
use backstay_core::{ErrorClass, RawPath};
use chrono::TimeDelta;
use std::path::Path;

fn request(backup: &str, picked: Option<&Path>, target: Option<&Path>, mode: &str) -> RestoreRequest {
    RestoreRequest {
        backup: backup.into(),
        paths: picked.iter().map(|path| RawPath::new(text(path)).unwrap().to_relative().to_text()).collect(),
        server: "this-computer".into(),
        target: target.map(text),
        mode: mode.into(),
        ..RestoreRequest::default()
    }
}

async fn backed_up() -> (World, String) {
    let world = World::new().await;
    world.write("data/keep.txt", b"as it was");
    world.write("data/sub/other.txt", b"other");
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![files(&world.path("data"))]).await;
    let run = world.back_up(&plan).await;
    assert_eq!(run.row.state, "done", "{:?}", run.row.error);
    (world, run.row.backup.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn replace_needs_the_name_and_then_leaves_just_the_backup() {
    let (world, backup) = backed_up().await;
    let data = world.path("data");
    world.write("data/keep.txt", b"changed since");
    world.write("data/extra.txt", b"not in the backup");
    let preview = world.engine.plan_restore(request(&backup, None, None, "replace")).await.unwrap();
    assert!(preview.needs_name);
    assert_eq!((preview.overwrite.count, preview.delete.count), (1, 1), "{preview:?}");
    for typed in [None, Some("this computer".to_owned()), Some(String::new())] {
        let error = world.engine.start_restore(&preview.id, typed).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid);
    }
    assert!(data.join("extra.txt").exists());
    let run = world.engine.start_restore(&preview.id, Some("This computer".into())).await.unwrap();
    let run = world.end(&run).await;
    assert_eq!(run.row.state, "done", "{:?}", run.row.error);
    assert!(!data.join("extra.txt").exists());
    assert_eq!(std::fs::read(data.join("keep.txt")).unwrap(), b"as it was");
    assert_eq!(run.files_deleted, 1);
    let audit = world.engine.audit(0, 100).await.unwrap().rows;
    let confirms: Vec<_> =
        audit.iter().filter(|row| row.action == "restore.confirm").map(|row| row.outcome.as_str()).collect();
    assert_eq!(confirms, ["ok", "invalid", "invalid", "invalid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_writes_only_what_is_missing_and_then_there_is_nothing_to_do() {
    let (world, backup) = backed_up().await;
    world.write("data/keep.txt", b"changed since");
    std::fs::remove_file(world.path("data/sub/other.txt")).unwrap();
    let preview = world.engine.plan_restore(request(&backup, None, None, "missing")).await.unwrap();
    assert_eq!((preview.create.count, preview.overwrite.count), (1, 0));
    let run = world.engine.start_restore(&preview.id, None).await.unwrap();
    assert_eq!(world.end(&run).await.row.state, "done");
    assert_eq!(std::fs::read(world.path("data/keep.txt")).unwrap(), b"changed since");
    assert_eq!(std::fs::read(world.path("data/sub/other.txt")).unwrap(), b"other");
    let preview = world.engine.plan_restore(request(&backup, None, None, "missing")).await.unwrap();
    assert!(preview.blocked.unwrap().contains("nothing to do"));
    assert_eq!(world.engine.start_restore(&preview.id, None).await.unwrap_err().class, ErrorClass::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_alone_are_counted_named_and_restored() {
    let (world, backup) = backed_up().await;
    let emptied = world.path("data/made-since/within");
    std::fs::create_dir_all(&emptied).unwrap();
    let preview = world.engine.plan_restore(request(&backup, None, None, "replace")).await.unwrap();
    assert_eq!((preview.delete.count, preview.delete.folders), (0, 2), "{preview:?}");
    assert!(preview.sentence.contains("deletes 2 folders"), "{}", preview.sentence);
    let page = world.engine.restore_preview_page(&preview.id, "delete", "", 0, 10).await.unwrap();
    assert_eq!(page.total, preview.delete.count + preview.delete.folders, "the number above the list is the list's");
    std::fs::write(emptied.join("a.txt"), b"one").unwrap();
    let preview = world.engine.plan_restore(request(&backup, None, None, "replace")).await.unwrap();
    assert!(preview.sentence.contains("deletes 1 file (3 B) and 2 folders"), "{}", preview.sentence);
    let run = world.engine.start_restore(&preview.id, Some("This computer".into())).await.unwrap();
    assert_eq!(world.end(&run).await.row.state, "done");
    assert!(!world.path("data/made-since").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_preview_is_refused() {
    let (world, backup) = backed_up().await;
    let target = world.path("to");
    let preview = world.engine.plan_restore(request(&backup, None, Some(&target), "merge")).await.unwrap();
    world.parts.clock.jump(TimeDelta::minutes(59));
    assert!(world.engine.restore_preview_page(&preview.id, "create", "", 0, 10).await.is_ok());
    world.parts.clock.jump(TimeDelta::minutes(2));
    let error = world.engine.start_restore(&preview.id, None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Missing);
    assert!(error.message.contains("more than an hour old"));
    assert!(!target.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_wishes_are_refused_before_anything_is_touched() {
    let (world, backup) = backed_up().await;
    let nowhere = world.path("never-backed-up");
    let missing = world.engine.plan_restore(request(&backup, Some(&nowhere), None, "merge")).await.unwrap_err();
    assert_eq!(missing.class, ErrorClass::Missing);
    let mode = world.engine.plan_restore(request(&backup, None, None, "mirror")).await.unwrap_err();
    assert_eq!(mode.class, ErrorClass::Invalid);
    let relative = world.engine.plan_restore(request(&backup, None, Some(Path::new("to")), "merge")).await.unwrap_err();
    assert_eq!(relative.class, ErrorClass::Invalid);
    let mut elsewhere = request(&backup, None, None, "merge");
    elsewhere.server = "nobody".into();
    assert_eq!(world.engine.plan_restore(elsewhere).await.unwrap_err().class, ErrorClass::Missing);
    let unknown = world.engine.plan_restore(request("ffffffffff", None, None, "merge")).await.unwrap_err();
    assert_eq!(unknown.class, ErrorClass::Missing);
    assert_eq!(world.engine.start_restore("no-such-preview", None).await.unwrap_err().class, ErrorClass::Missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_written_though_planned_is_a_failure() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one")]).await;
    let backup = world.back_up(&plan).await.row.backup.unwrap();
    let preview = world.engine.plan_restore(request(&backup, None, None, "merge")).await.unwrap();
    assert_eq!(preview.databases.len(), 1);
    let run = world.engine.start_restore(&preview.id, None).await.unwrap();
    let run = world.end(&run).await;
    assert_eq!(run.row.state, "failed");
    assert!(run.row.error.unwrap().message.contains("Nothing was written"));
}

#[tokio::test(flavor = "multi_thread")]
async fn replace_deletes_nothing_where_the_reading_of_files_broke_off() {
    let world = World::new().await;
    for name in ["data/a.txt", "data/b.txt", "data/c.txt"] {
        world.write(name, b"there all the time");
    }
    let destination = world.vault().await;
    let data = world.path("data");
    let plan = world.plan("p", &destination, vec![files(&data), scripted("one")]).await;
    // The folder itself and what is above it, and one file.
    *world.parts.files.after.lock().unwrap() = Some(data.components().count() + 1);
    let run = world.back_up(&plan).await;
    assert_eq!(run.row.state, "done_with_problems", "{:?} {:?}", run.row.error, run.log);
    let backup = run.row.backup.unwrap();
    let preview = world.engine.plan_restore(request(&backup, Some(&data), None, "replace")).await.unwrap();
    assert_eq!(preview.delete.count, 0, "{preview:?}");
    assert!(preview.warnings.iter().any(|text| text.contains("broke off")), "{preview:?}");
    let page = world.engine.restore_preview_page(&preview.id, "delete", "", 0, 10).await.unwrap();
    assert_eq!(page.total, 0, "{page:?}");

    // Read to the end, what came since is deleted again.
    *world.parts.files.after.lock().unwrap() = None;
    let backup = world.backed_up(&plan).await;
    world.write("data/d.txt", b"since");
    let preview = world.engine.plan_restore(request(&backup, Some(&data), None, "replace")).await.unwrap();
    assert_eq!(preview.delete.count, 1, "{preview:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_as_things_are_there_is_a_problem() {
    let (world, backup) = backed_up().await;
    let (keep, sub) = (world.path("data/keep.txt"), world.path("data/sub"));
    std::fs::remove_file(&keep).unwrap();
    world.write("data/keep.txt/inside", b"a folder now");
    // Nothing else is to be done: that is no success either.
    let preview = world.engine.plan_restore(request(&backup, None, None, "merge")).await.unwrap();
    assert_eq!(preview.not_restored, 1, "{preview:?}");
    assert!(preview.blocked.unwrap().contains("1 entry cannot be restored"));
    std::fs::remove_dir_all(&sub).unwrap();
    let preview = world.engine.plan_restore(request(&backup, None, None, "merge")).await.unwrap();
    let warning = preview.warnings.iter().find(|text| text.contains("is a folder there")).unwrap();
    let run = world.engine.start_restore(&preview.id, None).await.unwrap();
    let run = world.end(&run).await;
    assert_eq!(run.row.state, "done_with_problems", "{:?}", run.row.error);
    assert!(run.log.iter().any(|line| line.text == *warning), "{:?}", run.log);
    let problems = world.engine.run_problems(&run.row.id, "", 0, 10).await.unwrap().rows;
    assert!(problems.len() == 1 && problems[0].subject == text(&keep), "{problems:?}");
    assert!(sub.join("other.txt").exists() && keep.join("inside").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn replace_is_refused_where_not_all_that_could_not_be_read_is_listed() {
    let world = World::new().await;
    let data = world.path("data");
    world.write("data/a.txt", b"a");
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![files(&data), scripted("one")]).await;
    world.parts.scripted.will("one", Act::Problems(10_001));
    let run = world.back_up(&plan).await;
    assert_eq!((run.row.state.as_str(), run.row.problems), ("done_with_problems", 10_001));
    world.write("data/b.txt", b"it may be one of those that are not listed");
    let request = request(&run.row.backup.unwrap(), Some(&data), None, "replace");
    let preview = world.engine.plan_restore(request).await.unwrap();
    assert!(preview.blocked.is_some_and(|why| why.contains("more problems than it lists")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_quits_is_told_of_a_restore_that_goes_on() {
    let world = World::new().await;
    let destination = world.vault().await;
    let plan = world.plan("p", &destination, vec![scripted("one")]).await;
    let backup = world.back_up(&plan).await.row.backup.unwrap();
    world.parts.scripted.will("one", Act::Hang);
    let preview = world.engine.plan_restore(request(&backup, None, None, "merge")).await.unwrap();
    assert!(!world.engine.own_restore());
    let run = world.engine.start_restore(&preview.id, None).await.unwrap();
    assert!(world.engine.own_restore());
    world.engine.cancel_run(&run).await.unwrap();
    let run = world.end(&run).await;
    assert_eq!(run.row.state, "cancelled");
    assert!(run.next.unwrap().contains("The target is partly restored"));
}
