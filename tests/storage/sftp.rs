//! SFTP destinations against real OpenSSH servers: the contract, cuts, resumed uploads, full disks, odd servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

#[path = "sftp/between.rs"]
mod between;
#[path = "sftp/plain.rs"]
mod plain;
#[path = "sftp/proof.rs"]
mod proof;
#[path = "sftp/replaced.rs"]
mod replaced;
#[path = "sftp/uploads.rs"]
mod uploads;

use backstay_core::ErrorClass;
use backstay_core::config::{SftpPlace, SftpVia, SshConnection};
use backstay_core::destination::{Destination, FreeTraffic, Key, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::host::HostKeyPins;
use backstay_core::remote::RemoteFilesSource;
use backstay_destinations::sftp::Sftp;
use backstay_hosts::{ConnectOptions, HostSecrets, remote_files_source};
use backstay_lab::destination_contract::{self, noise};
use backstay_lab::proxy::FaultProxy;
use backstay_lab::ssh::{LabUser, Sshd, SshdOptions, SudoRight};
use bytes::Bytes;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const MIB: usize = 1 << 20;

struct NoPins;

impl HostKeyPins for NoPins {
    fn pinned(&self, _: &str, _: u16) -> Option<String> {
        None
    }
}

fn source(connection: &SshConnection, channels: usize) -> Arc<dyn RemoteFilesSource> {
    let options = ConnectOptions {
        connect_timeout: Duration::from_secs(10),
        keepalive: Duration::from_secs(5),
        compress: false,
        known_hosts: None,
        agent_socket: None,
    };
    remote_files_source("lab", connection, HostSecrets::default(), Arc::new(NoPins), options, channels)
}

async fn open_at(connection: &SshConnection, path: &str) -> backstay_core::Result<Sftp> {
    let place = SftpPlace { via: SftpVia::Own(connection.clone()), path: path.into() };
    Sftp::open("nas", &place, source(connection, 6), Arc::new(FreeTraffic)).await
}

async fn open(connection: &SshConnection, path: &str) -> Arc<dyn Destination> {
    Arc::new(open_at(connection, path).await.unwrap())
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

async fn names(destination: &dyn Destination) -> Vec<String> {
    let mut names: Vec<_> =
        destination.list("").await.unwrap().into_iter().map(|info| info.key.as_str().to_owned()).collect();
    names.sort();
    names
}

/// Files below a folder of this machine, ours and all others.
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

fn temps_below(path: &Path) -> usize {
    files_below(path).iter().filter(|path| path.to_string_lossy().contains(".backstay-tmp-")).count()
}

/// Temporary files go in the background.
async fn until_no_temps_below(path: &Path) {
    until_temps_below(path, 0).await;
}

async fn until_temps_below(path: &Path, count: usize) {
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while temps_below(path) != count {
        assert!(tokio::time::Instant::now() < end, "left behind: {:?}", files_below(path));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn contents(seed: u64, bytes: usize) -> ByteStream {
    Box::new(std::io::Cursor::new(noise(seed, bytes)))
}

async fn behind_proxy(server: &Sshd, user: &LabUser) -> (FaultProxy, SshConnection) {
    let proxy = FaultProxy::start(server.port()).await.unwrap();
    let connection = SshConnection { port: proxy.port(), ..server.connection(user) };
    (proxy, connection)
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_keeps_the_contract() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let (connection, count) = (server.connection(&user), AtomicU32::new(0));
    destination_contract::run(|| {
        // Every second folder exists already; the others are made by the first put.
        let number = count.fetch_add(1, Ordering::Relaxed);
        let path = user.home.join(format!("v{number}"));
        if number.is_multiple_of(2) {
            std::fs::create_dir(&path).unwrap();
            assert!(Command::new("chown").arg(&user.name).arg(&path).status().unwrap().success());
        }
        let connection = connection.clone();
        async move { open(&connection, path.to_str().unwrap()).await }
    })
    .await;
    until_no_temps_below(&user.home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chrooted_account_without_a_shell_keeps_the_contract() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let (connection, count) = (server.connection(&user), AtomicU32::new(0));
    destination_contract::run(|| {
        // As such accounts are given: a path from the chroot, or one below the log-in folder.
        let number = count.fetch_add(1, Ordering::Relaxed);
        let path = if number.is_multiple_of(2) { format!("/files/v{number}") } else { format!("deep/er/v{number}") };
        let connection = connection.clone();
        async move { open(&connection, &path).await }
    })
    .await;
    until_no_temps_below(&user.home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_offers_shows_in_the_capabilities() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let nas = open(&server.connection(&user), "b").await;
    let can = nas.capabilities();
    assert!(can.atomic_create && can.parallel_ranges > 1 && can.space && !can.checks_hash && !can.links);
    assert!(can.parallel_parts > 1 && can.parallel_objects > 1);
    let space = nas.space().await.unwrap();
    assert!(space.total_bytes > 0 && space.free_bytes <= space.total_bytes);
    assert_eq!(nas.label(), "nas (lab:b)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_folder_is_missing_and_a_vanished_one_is_not_made_again() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let connection = server.connection(&user);
    let deep = open(&connection, user.home.join("not/there").to_str().unwrap()).await;
    assert_eq!(deep.list("").await.unwrap(), []);
    let error = deep.put(&key("k"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Missing);
    assert!(
        error.message.ends_with(&format!("the folder {} is not there", user.home.join("not").display())),
        "{error}"
    );
    assert!(!user.home.join("not").exists(), "a mistyped path must not come into being");

    let path = user.home.join("v");
    let nas = open(&connection, path.to_str().unwrap()).await;
    nas.put(&key("d/k"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("d")), mode(&path.join("d/k"))), (0o700, 0o700, 0o600));
    std::fs::rename(&path, user.home.join("away")).unwrap();
    let classes = [
        nas.put(&key("d/l"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.err().unwrap().class,
        nas.put_stream(&key("d/l"), contents(1, 9), WriteMode::Replace).await.err().unwrap().class,
        nas.begin_upload(&key("d/l"), None).await.err().unwrap().class,
        nas.get(&key("d/k"), None).await.err().unwrap().class,
        nas.get_stream(&key("d/k"), 0).await.err().unwrap().class,
        nas.head(&key("d/k")).await.err().unwrap().class,
        nas.list("").await.err().unwrap().class,
        nas.delete(&key("d/k")).await.err().unwrap().class,
        nas.space().await.err().unwrap().class,
    ];
    assert_eq!(classes, [ErrorClass::Offline; 9]);
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_right_and_no_folder_are_named() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let connection = server.connection(&user);
    let root = open(&connection, "/etc").await;
    let error = root.put(&key("k"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    assert_eq!(error.message, "Cannot write k on nas (lab:/etc): no right to do that in /etc");
    assert_eq!(root.get(&key("shadow"), None).await.unwrap_err().class, ErrorClass::Refused);
    assert_eq!(root.delete(&key("passwd")).await.unwrap_err().class, ErrorClass::Refused);
    let file = open_at(&connection, "/etc/passwd").await.err().unwrap();
    assert_eq!(file.class, ErrorClass::Invalid);
    let up = open_at(&connection, "/a/../b").await.err().unwrap();
    assert_eq!(up.class, ErrorClass::Invalid);
    let stranger = SshConnection { fingerprint: None, ..connection };
    assert_eq!(open_at(&stranger, "b").await.err().unwrap().class, ErrorClass::HostKeyUnknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_things_are_not_objects_and_awkward_names_are() {
    use std::os::unix::ffi::OsStrExt;
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let nas = open(&server.connection(&user), "/files").await;
    std::os::unix::fs::symlink("/etc/passwd", user.home.join("link")).unwrap();
    std::os::unix::fs::symlink(".", user.home.join("loop")).unwrap();
    std::fs::write(user.home.join("back\\slash"), "x").unwrap();
    std::fs::write(user.home.join("new\nline"), "x").unwrap();
    std::fs::write(user.home.join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "x").unwrap();
    assert!(Command::new("mkfifo").arg(user.home.join("pipe")).status().unwrap().success(), "a pipe is not listed");
    let awkward =
        ["-rf", "a b", "'\"$(x)`;|&", "*?[", "~", "日本/ü", "%2e%2e", "a:b", "...", "#", "con", " lead", "t "];
    for name in awkward {
        nas.put(&key(name), Bytes::copy_from_slice(name.as_bytes()), WriteMode::CreateNew).await.unwrap();
        assert_eq!(nas.get(&key(name), None).await.unwrap(), name.as_bytes());
    }
    let mut expected: Vec<_> = awkward.iter().map(|name| (*name).to_owned()).collect();
    expected.sort();
    assert_eq!(names(&*nas).await, expected);
    for name in awkward {
        nas.delete(&key(name)).await.unwrap();
    }
    assert_eq!(names(&*nas).await, [] as [&str; 0]);
}

/// A small file system of its own, below a folder of a user.
struct Mount(PathBuf);

impl Mount {
    /// Mounts it, or prints why not: root of a container may not.
    fn tmpfs(path: &Path, size: &str, owner: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let options = format!("size={size}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output().unwrap();
        if !mount.status.success() {
            println!("skipped: cannot mount a tmpfs: {}", String::from_utf8_lossy(&mount.stderr).trim());
            return None;
        }
        assert!(Command::new("chown").arg(owner).arg(path).status().unwrap().success());
        Some(Self(path.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_full_and_leaves_nothing_behind() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let Some(mount) = Mount::tmpfs(&user.home.join("small"), "8m", &user.name) else { return };
    let nas = open(&server.connection(&user), "small").await;
    nas.put(&key("first"), noise(1, 5 * MIB), WriteMode::CreateNew).await.unwrap();
    let error = nas.put(&key("second"), noise(2, 5 * MIB), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Full, "{error} {:?}", error.detail);
    assert!(error.message.ends_with("there is no room left in small"), "{error}");
    assert!(error.hint.is_some());
    assert_eq!(temps_below(&mount.0), 0, "its room is given back");
    let error = nas.put_stream(&key("second"), contents(2, 30 * MIB), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Full, "{error}");
    let upload = nas.begin_upload(&key("second"), None).await.unwrap();
    let error = upload.put_part(1, 0, noise(2, 16 * MIB)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Full, "{error}");
    upload.abort().await.unwrap();
    assert_eq!(names(&*nas).await, ["first"]);
    nas.put(&key("second"), noise(2, 2 * MIB), WriteMode::CreateNew).await.expect("there is room for less");
    assert!(nas.get(&key("first"), None).await.unwrap() == noise(1, 5 * MIB));
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_are_hidden_and_swept_when_old() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let nas = open(&server.connection(&user), "/files").await;
    nas.put(&key("data/a"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    let data = user.home.join("data");
    let id = "0".repeat(32);
    let old = [format!(".backstay-tmp-{id}"), format!(".backstay-tmp-{id}-parts")];
    for name in old.iter().chain([&format!(".backstay-tmp-{}", "1".repeat(32)), &".backstay-tmp-notes.txt".to_owned()])
    {
        std::fs::write(data.join(name), "half").unwrap();
    }
    let long_ago = filetime::FileTime::from_unix_time(1_000_000, 0);
    for name in old.iter().chain([&".backstay-tmp-notes.txt".to_owned(), &"a".to_owned()]) {
        filetime::set_file_mtime(data.join(name), long_ago).unwrap();
    }
    let kept = nas.begin_upload(&key("data/kept"), None).await.unwrap();
    for path in files_below(&data) {
        if path.to_string_lossy().contains(kept.token().split(':').next().unwrap()) {
            filetime::set_file_mtime(path, long_ago).unwrap();
        }
    }
    assert_eq!(names(&*nas).await, ["data/a"]);
    let swept = nas.sweep(Duration::from_secs(86_400), &[kept.token()]).await.unwrap();
    assert_eq!((swept.removed, swept.left), (2, 3));
    assert_eq!(kept.stored().await.unwrap(), [], "what is to be gone on with stays");
    kept.abort().await.unwrap();
    assert!(data.join(".backstay-tmp-notes.txt").exists(), "what is not ours stays");
    assert_eq!(temps_below(&user.home), 2);
    let error = nas.get(&key(&format!("data/.backstay-tmp-{}", "1".repeat(32))), None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid, "a temporary file is no object");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_cut_behind_our_back_is_corrupt() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let nas = open(&server.connection(&user), "/files").await;
    nas.put(&key("k"), noise(1, MIB), WriteMode::CreateNew).await.unwrap();
    std::fs::OpenOptions::new().write(true).open(user.home.join("k")).unwrap().set_len(1000).unwrap();
    assert_eq!(nas.get(&key("k"), Some(0..MIB as u64)).await.unwrap_err().class, ErrorClass::Corrupt);
    assert_eq!(nas.get_stream(&key("k"), 2000).await.err().unwrap().class, ErrorClass::Corrupt);
    assert_eq!(nas.head(&key("k")).await.unwrap().size_bytes, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_grants_few_channels_is_enough() {
    let options = SshdOptions { extra: "MaxSessions 1\n".into(), ..SshdOptions::default() };
    let Some(server) = Sshd::start_with(&options) else { return };
    let user = server.add_sftp_user();
    let (proxy, connection) = behind_proxy(&server, &user).await;
    // A long way makes more channels worth asking for.
    proxy.set(|f| (f.delay_to_client, f.delay_to_server) = (Duration::from_millis(25), Duration::from_millis(25)));
    let nas = open(&connection, "b").await;
    let content = noise(1, 24 * MIB);
    for round in 0..2 {
        nas.put(&key("k"), content.clone(), WriteMode::Replace).await.unwrap();
        assert!(nas.get(&key("k"), None).await.unwrap() == content, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_way_is_carried_by_several_channels_and_connections() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let (proxy, connection) = behind_proxy(&server, &user).await;
    proxy.set(|f| (f.delay_to_client, f.delay_to_server) = (Duration::from_millis(30), Duration::from_millis(30)));
    let nas = open(&connection, "b").await;
    let content = noise(1, 64 * MIB);
    nas.put(&key("k"), content.clone(), WriteMode::CreateNew).await.unwrap();
    assert!(nas.get(&key("k"), None).await.unwrap() == content);
    assert!(proxy.connections() > 1, "a second connection helps on a long way");
}
