//! Servers without GNU find: what is mounted is left alone as find would, and devices stay.

use crate::files::collect;
use crate::memory::{Backup, input, kind};
use backstay_core::entry::{Entry, EntryType, TimeNs};
use backstay_core::kind::{ChangeKind, RestoreMode, RestoreOptions};
use backstay_core::{RawPath, RunContext};
use backstay_lab::fake_host::FakeHost;

const MOUNTS: &[u8] = b"/dev/vda1 / ext4 rw 0 0\nproc /proc proc rw 0 0\nsysfs /sys sysfs rw 0 0\n\
    udev /dev devtmpfs rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/vdb1 /srv/odd\\040name ext4 rw 0 0\n";

fn raw(path: &str) -> RawPath {
    RawPath::new(path).unwrap()
}

fn on(path: &str, kind: EntryType, device: u64) -> Entry {
    Entry { device, ..Entry::plain(raw(path), kind, 0o755, TimeNs(1_000)) }
}

/// A server of an SFTP-only account: folders end with a slash, each entry with the device it lies on.
fn server(entries: &[(&str, u64)]) -> FakeHost {
    let host = FakeHost::without_commands();
    for (path, device) in entries {
        let kind = if path.ends_with('/') { EntryType::Dir } else { EntryType::File };
        host.put(on(path, kind, *device), Vec::new());
    }
    host
}

fn item(path: &str, one_file_system: bool) -> backstay_core::kind::ItemInput {
    input("files", serde_json::json!({ "paths": [path], "one_file_system": one_file_system }))
}

async fn collected(host: &FakeHost, path: &str, one_file_system: bool) -> Vec<String> {
    let (report, backup, recorder) = collect(host, &item(path, one_file_system), &Backup::default()).await;
    report.unwrap();
    assert_eq!(recorder.by_subject(), Default::default());
    backup.listing().iter().map(|entry| entry.path.to_text()).filter(|path| !path.is_empty()).collect()
}

#[tokio::test]
async fn what_the_kernel_shows_in_folders_is_not_read() {
    let files = ["/", "/dev/", "/dev/x", "/etc/", "/etc/a", "/proc/", "/proc/1/", "/proc/1/mem", "/run/", "/run/pid"];
    let more = ["/srv/", "/srv/odd name/", "/srv/odd name/in", "/sys/", "/sys/kernel/", "/sys/kernel/x"];
    let host = server(&[&files[..], &more].concat().into_iter().map(|path| (path, 0)).collect::<Vec<_>>());
    host.put_file(&raw("/proc/mounts"), MOUNTS);
    let all = collected(&host, "/", false).await;
    let kept = ["dev", "etc", "etc/a", "proc", "run", "run/pid", "srv", "srv/odd name", "srv/odd name/in", "sys"];
    assert_eq!(all, kept);
    // SFTP tells no devices: the table says what else is mounted.
    let one = collected(&host, "/", true).await;
    let inside = ["run/pid", "srv/odd name/in"];
    assert_eq!(one, all.into_iter().filter(|path| !inside.contains(&path.as_str())).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_mount_point_is_kept_and_not_entered() {
    let host = server(&[("/srv/", 1), ("/srv/a", 1), ("/srv/mnt/", 2), ("/srv/mnt/in", 2)]);
    assert_eq!(collected(&host, "/srv", true).await, ["srv", "srv/a", "srv/mnt"]);
    assert_eq!(collected(&host, "/srv", false).await, ["srv", "srv/a", "srv/mnt", "srv/mnt/in"]);
}

#[tokio::test]
async fn replace_deletes_no_mounts_and_no_devices() {
    let host = server(&[
        ("/srv/", 1),
        ("/srv/a", 1),
        ("/srv/extra", 1),
        ("/srv/mnt/", 2),
        ("/srv/mnt/in", 2),
        ("/srv/old/", 1),
        ("/srv/old/file", 1),
        ("/srv/old/mnt/", 2),
        ("/srv/old/mnt/in", 2),
        ("/srv/jail/", 1),
    ]);
    host.put(on("/srv/jail/null", EntryType::CharDevice(1, 3), 1), Vec::new());
    host.put(on("/srv/disk", EntryType::BlockDevice(8, 1), 1), Vec::new());
    let folder = |path| on(path, EntryType::Dir, 1);
    let listing = [folder("srv"), on("srv/a", EntryType::File, 1), folder("srv/mnt"), folder("srv/old")];
    let whole = &["/srv/old/mnt/in", "/srv/old/mnt", "/srv/old/file", "/srv/mnt/in", "/srv/extra"][..];
    for (one_file_system, only, want) in [
        (true, None, &["/srv/old/file", "/srv/extra"][..]),
        (false, None, whole),
        // A mount point picked by itself is one all the same.
        (true, Some("srv/mnt"), &[]),
        (true, Some("srv/old"), &["/srv/old/file"]),
        (false, Some("srv/mnt"), &["/srv/mnt/in"]),
    ] {
        let item = item("/srv", one_file_system);
        let only: Vec<RawPath> = only.map(raw).into_iter().collect();
        let wanted: Vec<Entry> =
            listing.iter().filter(|e| only.first().is_none_or(|path| e.path == *path)).cloned().collect();
        let options = RestoreOptions { mode: RestoreMode::Replace, to: None, strip: RawPath::root(), only };
        let (files, ctx) = (kind("files"), RunContext::silent());
        let plan = files.plan_restore(&ctx, &host, &item, &wanted, &options).await.unwrap();
        let deleted: Vec<_> =
            plan.changes.iter().filter(|c| c.kind == ChangeKind::Delete).map(|c| c.target.as_str()).collect();
        assert_eq!(deleted, want, "one file system: {one_file_system}, only {:?}", options.only);
    }
}
