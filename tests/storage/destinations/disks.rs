//! Disks of this computer that are full, read-only or not mounted.

use super::*;
use std::process::Command;

/// A small file system of its own, unmounted at the end.
struct Mount(tempfile::TempDir);

impl Mount {
    fn tmpfs(options: &str) -> Option<Self> {
        let temp = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(temp.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(temp)),
            Ok(output) => {
                eprintln!("skipped: cannot mount a tmpfs: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                eprintln!("skipped: cannot run mount: {error}");
                None
            }
        }
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn unmount(&self) {
        assert!(Command::new("umount").arg("-l").arg(self.path()).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

#[tokio::test]
async fn a_full_disk_is_full_and_keeps_what_was_there() {
    let Some(mount) = Mount::tmpfs("size=2m") else { return };
    let destination = local(mount.path()).await;
    let first = noise(1, 600_000);
    destination.put(&key("data/1"), first.clone(), WriteMode::CreateNew).await.unwrap();
    let error = destination.put(&key("data/2"), noise(2, 3_000_000), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Full);
    assert!(error.message.contains("no room left") && error.hint.is_some(), "{}", error.message);
    let stream: ByteStream = Box::new(std::io::Cursor::new(noise(3, 3_000_000)));
    let error = destination.put_stream(&key("data/1"), stream, WriteMode::Replace).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Full);
    assert!(destination.get(&key("data/1"), None).await.unwrap() == first, "the old object is whole");
    assert_eq!(destination.list("").await.unwrap().len(), 1);
    assert_eq!(files_below(mount.path()).len(), 1, "no part takes room");
    assert!(destination.space().await.unwrap().total_bytes <= 2 * 1024 * 1024);
    let steps = steps_of(&*destination).await;
    assert!(steps.iter().all(|step| step.ok) && steps[1].note, "little room is a note: {steps:?}");
}

#[tokio::test]
async fn a_disk_without_inodes_is_full() {
    let Some(mount) = Mount::tmpfs("size=2m,nr_inodes=6") else { return };
    let destination = local(mount.path()).await;
    let mut full = None;
    for number in 0..10 {
        let put = destination.put(&key(&format!("k{number}")), Bytes::from_static(b"x"), WriteMode::CreateNew).await;
        if let Err(error) = put {
            full = Some(error.class);
            break;
        }
    }
    assert_eq!(full, Some(ErrorClass::Full));
}

#[tokio::test]
async fn a_read_only_disk_is_refused() {
    let Some(mount) = Mount::tmpfs("size=2m") else { return };
    let destination = local(mount.path()).await;
    destination.put(&key("k"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(mount.path()).status().unwrap();
    assert!(remounted.success());
    let error = destination.put(&key("l"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    assert!(error.message.contains("read-only"), "{}", error.message);
    assert_eq!(destination.delete(&key("k")).await.unwrap_err().class, ErrorClass::Refused);
    assert_eq!(destination.get(&key("k"), None).await.unwrap(), "x", "reading goes on");
    let steps = steps_of(&*destination).await;
    let failed = steps.iter().find(|step| !step.ok).unwrap();
    assert_eq!(failed.title, "Write a file");
    assert!(failed.hint.is_some());
}

#[tokio::test]
async fn nothing_is_written_on_a_bare_mount_point() {
    let Some(mount) = Mount::tmpfs("size=2m") else { return };
    let destination = local(mount.path()).await;
    destination.put(&key("k"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    mount.unmount();
    let error = destination.put(&key("l"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline);
    assert!(error.hint.unwrap().contains("mounted"));
    assert_eq!(destination.get(&key("k"), None).await.unwrap_err().class, ErrorClass::Offline);
    assert_eq!(
        destination.list("").await.unwrap_err().class,
        ErrorClass::Offline,
        "unmounted must not look like empty"
    );
    assert_eq!(std::fs::read_dir(mount.path()).unwrap().count(), 0);
}
