//! Destinations: the contract suite on every backend, and the faults of a local folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "destinations/disks.rs"]
mod disks;

use backstay_core::ErrorClass;
use backstay_core::config::Place;
use backstay_core::destination::{Destination, FreeTraffic, Key, Traffic, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_destinations::{Opening, ProbeStep, open_bare, probe};
use backstay_lab::destination_contract::{self, noise};
use backstay_lab::memory_destination::{MemoryDestination, Operation};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn place(path: &Path) -> Place {
    Place::Local { path: path.to_str().unwrap().to_owned() }
}

async fn open(place: &Place, traffic: Arc<dyn Traffic>) -> backstay_core::Result<Arc<dyn Destination>> {
    open_bare("nas", place, &Opening::default(), traffic).await
}

async fn local(path: &Path) -> Arc<dyn Destination> {
    open(&place(path), Arc::new(FreeTraffic)).await.unwrap()
}

/// Runs the test the user is offered. What is told step by step is what comes back.
async fn steps_of(destination: &dyn Destination) -> Vec<ProbeStep> {
    let told = Mutex::new(Vec::new());
    let place = Place::Local { path: "/any".into() };
    let probed = probe(&place, destination, &|step| told.lock().unwrap().push(step)).await;
    assert_eq!(told.into_inner().unwrap(), probed.steps);
    probed.steps
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract() {
    destination_contract::run(|| async { Arc::new(MemoryDestination::new()) as Arc<dyn Destination> }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_keeps_the_contract() {
    let temp = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    destination_contract::run(|| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // Every second folder exists already; the others are made by the first put.
        let path = temp.path().join(format!("v{number}"));
        if number.is_multiple_of(2) {
            std::fs::create_dir(&path).unwrap();
        }
        async move { local(&path).await }
    })
    .await;
    let left: Vec<_> =
        files_below(temp.path()).into_iter().filter(|path| path.to_string_lossy().contains("part-")).collect();
    assert_eq!(left, [] as [PathBuf; 0], "no part is left behind");
}

#[tokio::test]
async fn all_bytes_pass_the_traffic() {
    destination_contract::traffic_sees_every_byte(|traffic| async {
        Arc::new(MemoryDestination::new().with_traffic(traffic)) as Arc<dyn Destination>
    })
    .await;
    let temp = tempfile::tempdir().unwrap();
    let place = place(temp.path());
    destination_contract::traffic_sees_every_byte(|traffic| {
        let place = place.clone();
        async move { open(&place, traffic).await.unwrap() }
    })
    .await;
}

#[tokio::test]
async fn an_upload_goes_on_in_another_process_and_waits_for_it() {
    let temp = tempfile::tempdir().unwrap();
    let first = local(temp.path()).await;
    let upload = first.begin_upload(&key("deep/er/k"), None).await.unwrap();
    let bytes = upload.part_bytes(1) as usize;
    let content = noise(1, bytes * 2 + 5);
    // Out of order, and part 1 is missing yet.
    upload.put_part(2, bytes as u64, content.slice(bytes..bytes * 2)).await.unwrap();
    upload.put_part(3, 2 * bytes as u64, content.slice(bytes * 2..)).await.unwrap();
    let token = upload.token();
    drop((upload, first));
    // What a kill in the middle of part 1 leaves: bytes, but no word of them.
    let file = temp.path().join("deep/er").join(&token);
    let list = file.with_file_name(format!("{token}.parts"));
    let text = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, format!("{text}\n1 {bytes}")).unwrap();
    let other = local(temp.path()).await;
    for path in [&file, &list] {
        filetime::set_file_mtime(path, filetime::FileTime::from_unix_time(1_000_000, 0)).unwrap();
    }
    assert_eq!(other.list("").await.unwrap(), [], "listing neither shows nor sweeps it");
    let upload = other.resume_upload(&key("deep/er/k"), None, &token).await.unwrap();
    let stored = upload.stored().await.unwrap();
    assert_eq!(stored.iter().map(|part| part.number).collect::<Vec<_>>(), [2, 3], "a line cut short does not count");
    let missing = upload.complete(&stored, WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(missing.class, ErrorClass::Internal, "a gap is never completed");
    let mut parts = vec![upload.put_part(1, 0, content.slice(..bytes)).await.unwrap()];
    parts.extend(stored);
    upload.complete(&parts, WriteMode::CreateNew).await.unwrap();
    assert!(other.get(&key("deep/er/k"), None).await.unwrap() == content);
    assert_eq!(files_below(temp.path()).len(), 1, "nothing is left beside it");
    for bad in ["../../etc/passwd", "", ".backstay-part-up-", ".backstay-part-up-zz/../x"] {
        let error = other.resume_upload(&key("deep/er/k"), None, bad).await.err().unwrap();
        assert_eq!(error.class, ErrorClass::Missing, "{bad}");
    }
}

#[tokio::test]
async fn sweeping_removes_old_uploads_of_ours_only() {
    let temp = tempfile::tempdir().unwrap();
    let destination = local(temp.path()).await;
    destination.put(&key("data/a"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    std::fs::write(temp.path().join("data/.hidden-of-others"), "x").unwrap();
    let old = destination.begin_upload(&key("data/old"), None).await.unwrap();
    let young = destination.begin_upload(&key("data/young"), None).await.unwrap();
    let kept = destination.begin_upload(&key("data/kept"), None).await.unwrap();
    for path in files_below(temp.path()) {
        if !path.to_string_lossy().contains(&young.token()) {
            filetime::set_file_mtime(&path, filetime::FileTime::from_unix_time(1_000_000, 0)).unwrap();
        }
    }
    let swept = destination.sweep(std::time::Duration::from_secs(7 * 86_400), &[kept.token()]).await.unwrap();
    assert_eq!((swept.removed, swept.left), (2, 4), "each upload is a file and its list");
    assert_eq!(kept.stored().await.unwrap(), [], "what is to be gone on with stays, however old it is");
    assert_eq!(old.stored().await.unwrap_err().class, ErrorClass::Missing);
    assert_eq!(young.stored().await.unwrap(), []);
    assert_eq!(destination.list("").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_relative_path_is_refused() {
    let error = open(&Place::Local { path: "backups".into() }, Arc::new(FreeTraffic)).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Invalid);
    assert_eq!(error.message, "Cannot use \"backups\" for nas: it is not absolute");
}

#[tokio::test]
async fn a_file_is_no_folder() {
    let temp = tempfile::NamedTempFile::new().unwrap();
    let error = open(&place(temp.path()), Arc::new(FreeTraffic)).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Invalid);
}

#[tokio::test]
async fn a_folder_that_was_never_there_is_missing_and_only_put_makes_it() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("new");
    let destination = local(&path).await;
    assert_eq!(destination.list("").await.unwrap(), []);
    let error = destination.get(&key("config"), None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Missing);
    assert!(error.message.contains("the folder") && error.hint.unwrap().contains("mount"), "{}", error.message);
    destination.delete(&key("config")).await.unwrap();
    destination.space().await.unwrap();
    assert!(!path.exists(), "only a put makes the folder");
    destination.put(&key("config"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    assert!(path.is_dir());

    let deep = local(&temp.path().join("not/there")).await;
    let error = deep.put(&key("config"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Missing);
    assert!(!temp.path().join("not").exists(), "a mistyped path must not come into being");
}

#[tokio::test]
async fn a_vanished_folder_is_offline_and_is_not_made_again() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("v");
    std::fs::create_dir(&path).unwrap();
    let destination = local(&path).await;
    destination.put(&key("data/a"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    std::fs::rename(&path, temp.path().join("away")).unwrap();
    let stream = || Box::new(std::io::Cursor::new(vec![1u8; 10])) as ByteStream;
    let classes = [
        destination.put(&key("data/b"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.err().unwrap().class,
        destination.put_stream(&key("data/b"), stream(), WriteMode::Replace).await.err().unwrap().class,
        destination.get(&key("data/a"), None).await.err().unwrap().class,
        destination.get_stream(&key("data/a"), 0).await.err().unwrap().class,
        destination.head(&key("data/a")).await.err().unwrap().class,
        destination.list("").await.err().unwrap().class,
        destination.delete(&key("data/a")).await.err().unwrap().class,
        destination.space().await.err().unwrap().class,
    ];
    assert_eq!(classes, [ErrorClass::Offline; 8]);
    assert!(!path.exists(), "the folder must not be made anew");

    // Another folder in its place, as a bare mount point would be, is not the one that was opened.
    std::fs::create_dir(&path).unwrap();
    let error = destination.put(&key("data/b"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline);
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);

    // The disk is back.
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(temp.path().join("away"), &path).unwrap();
    destination.put(&key("data/b"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
}

#[tokio::test]
async fn parts_are_hidden_and_swept_when_old() {
    let temp = tempfile::tempdir().unwrap();
    let destination = local(temp.path()).await;
    destination.put(&key("data/a"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    let young = temp.path().join("data/.backstay-part-young");
    let old = temp.path().join("data/.backstay-part-old");
    std::fs::write(&young, "half").unwrap();
    std::fs::write(&old, "half").unwrap();
    filetime::set_file_mtime(&old, filetime::FileTime::from_unix_time(1_000_000, 0)).unwrap();
    assert_eq!(destination.list("").await.unwrap().len(), 1);
    assert!(young.exists(), "a part of a living writer stays");
    assert!(!old.exists(), "a part of a dead one goes");
    let error = destination.get(&key("data/.backstay-part-young"), None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid, "a part is no object");
}

#[cfg(unix)]
#[tokio::test]
async fn foreign_things_in_the_folder_are_not_objects() {
    use std::os::unix::ffi::OsStrExt;
    let temp = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", temp.path().join("link")).unwrap();
    std::os::unix::fs::symlink(temp.path(), temp.path().join("loop")).unwrap();
    std::fs::write(temp.path().join("back\\slash"), "x").unwrap();
    std::fs::write(temp.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "x").unwrap();
    std::fs::write(temp.path().join("good"), "x").unwrap();
    let listed = local(temp.path()).await.list("").await.unwrap();
    assert_eq!(listed.iter().map(|info| info.key.as_str()).collect::<Vec<_>>(), ["good"]);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_look() {
    use std::os::unix::fs::PermissionsExt;
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("v");
    local(&path).await.put(&key("d/k"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("d")), mode(&path.join("d/k"))), (0o700, 0o700, 0o600));
}

#[tokio::test]
async fn a_good_destination_passes_its_test_and_is_left_clean() {
    let temp = tempfile::tempdir().unwrap();
    let steps = steps_of(&*local(temp.path()).await).await;
    let titles: Vec<_> = steps.iter().map(|step| step.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "List what is there",
            "Ask for free room",
            "Write a file",
            "Read it back",
            "Read a part of it",
            "Never overwrite by accident",
            "Replace it",
            "Go on with an upload",
            "Take any name",
            "Delete it"
        ]
    );
    assert!(steps.iter().all(|step| step.ok), "{steps:?}");
    assert_eq!(files_below(temp.path()).len(), 0);
}

#[tokio::test]
async fn each_fault_shows_in_its_own_step() {
    for (operation, nth, title) in [
        (Operation::List, 1, "List what is there"),
        (Operation::Space, 1, "Ask for free room"),
        (Operation::Put, 1, "Write a file"),
        (Operation::Get, 1, "Read it back"),
        (Operation::Get, 2, "Read a part of it"),
        (Operation::Put, 2, "Never overwrite by accident"),
        (Operation::Put, 3, "Replace it"),
        (Operation::Begin, 1, "Go on with an upload"),
        (Operation::Stored, 1, "Go on with an upload"),
        (Operation::Complete, 1, "Go on with an upload"),
        (Operation::List, 2, "Take any name"),
        (Operation::Head, 1, "Delete it"),
        (Operation::Delete, 2, "Delete it"),
    ] {
        let memory = MemoryDestination::new();
        memory.fail_operation(operation, nth, ErrorClass::Refused);
        let steps = steps_of(&memory).await;
        let failed: Vec<_> = steps.iter().filter(|step| !step.ok).map(|step| step.title.as_str()).collect();
        assert_eq!(failed, [title]);
    }
}

#[tokio::test]
async fn the_double_counts_fails_fills_and_goes_offline() {
    let memory = MemoryDestination::new();
    memory.fail_call(2, ErrorClass::Throttled);
    memory.put(&key("a"), Bytes::from_static(b"123"), WriteMode::CreateNew).await.unwrap();
    let error = memory.get(&key("a"), None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Throttled);
    memory.get(&key("a"), None).await.unwrap();
    assert_eq!((memory.count(Operation::Put), memory.count(Operation::Get)), (1, 2));
    memory.set_room(Some(5));
    let full = memory.put(&key("b"), Bytes::from_static(b"123"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(full.class, ErrorClass::Full);
    memory.set_offline(true);
    assert_eq!(memory.list("").await.unwrap_err().class, ErrorClass::Offline);
    memory.set_offline(false);
    assert_eq!(memory.keys(), ["a"]);
}
