//! Accounts whose shell is not what one expects.

use super::{connect, path};
use backstay_core::ErrorClass;
use backstay_core::config::SshConnection;
use backstay_core::host::{Command, Host, run, run_ok};
use backstay_hosts::HostSecrets;
use backstay_lab::host_contract;
use backstay_lab::proxy::FaultProxy;
use backstay_lab::ssh::{LabUser, Sshd, SshdOptions, SudoRight};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greeting_does_not_spoil_what_commands_print() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    std::fs::write(user.home.join(".bashrc"), "echo 'Welcome to the lab!'\necho 'two lines of it'\n").unwrap();
    let host = connect(server.connection(&user), HostSecrets::default()).await.unwrap();
    let output = run(host.as_ref(), Command::new("echo").arg("hello"), b"").await.unwrap();
    assert_eq!(output.text(), "hello\n");
    host_contract::all(host.as_ref(), &path(user.home.join("contract").as_os_str().as_bytes())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_command_goes_over_the_connection_of_the_log_in() {
    const ROUNDS: u64 = 40;
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let proxy = FaultProxy::start(server.port()).await.unwrap();
    let connection = SshConnection { port: proxy.port(), ..server.connection(&user) };
    for _ in 0..ROUNDS {
        let host = connect(connection.clone(), HostSecrets::default()).await.unwrap();
        assert_eq!(run(host.as_ref(), Command::new("echo").arg("hello"), b"").await.unwrap().text(), "hello\n");
        host.close().await;
    }
    assert_eq!(proxy.connections(), ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_posix_shell_will_do() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user_with_shell("/bin/sh");
    let host = connect(server.connection(&user), HostSecrets::default()).await.unwrap();
    host_contract::arguments(host.as_ref()).await;
    host_contract::environment(host.as_ref()).await;
}

/// A folder with a log-in shell, `login`, that sees nothing but busybox; `stat` is another program, if told.
fn busybox(stat: Option<&str>) -> Option<tempfile::TempDir> {
    if !Path::new("/bin/busybox").exists() {
        println!("skipped: busybox is missing");
        return None;
    }
    let dir = tempfile::Builder::new().prefix("backstay-busybox-").tempdir().unwrap();
    let program = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), format!("#!/bin/busybox sh\n{text}\n")).unwrap();
        std::fs::set_permissions(dir.path().join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for tool in "sh cat chmod chown cut date df du echo env false find grep head id ln ls mkdir mv printf readlink rm rmdir sed sleep sort \
                 stat sync tail tar test timeout touch tr true uname wc xargs"
        .split_whitespace()
    {
        match stat.filter(|_| tool == "stat") {
            Some(text) => program(tool, text),
            None => std::os::unix::fs::symlink("/bin/busybox", dir.path().join(tool)).unwrap(),
        }
    }
    program("login", &format!("PATH={p}\nexport PATH\nexec {p}/sh \"$@\"", p = dir.path().display()));
    Some(dir)
}

async fn with_shell(server: &Sshd, dir: &Path) -> (LabUser, Arc<dyn Host>) {
    let user = server.add_user_with_shell(&dir.join("login").to_string_lossy());
    let host = connect(server.connection(&user), HostSecrets::default()).await.unwrap();
    (user, host)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busybox_alone_will_do() {
    let Some(dir) = busybox(None) else { return };
    let Some(server) = Sshd::start() else { return };
    let (user, host) = with_shell(&server, dir.path()).await;
    let output = run(host.as_ref(), Command::new("find").arg("--help"), b"").await.unwrap();
    assert!(output.stderr.contains("BusyBox") || output.text().contains("BusyBox"), "{}", output.stderr);
    host_contract::all(host.as_ref(), &path(user.home.join("contract").as_os_str().as_bytes())).await;
    let link = path(user.home.join("link").as_os_str().as_bytes());
    let args: [&[u8]; 2] = [b"a b\n", link.as_bytes()];
    run(
        host.as_ref(),
        Command::sh("cat /dev/null; ln -s \"$1\" \"$2\" 2>/dev/null || /bin/ln -s \"$1\" \"$2\"", args),
        b"",
    )
    .await
    .unwrap();
    assert_eq!(host.stat(&link).await.unwrap().kind, backstay_core::entry::EntryType::Symlink(b"a b\n".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_cannot_be_seen_whole_is_never_taken_for_an_empty_one() {
    let Some(dir) = busybox(None) else { return };
    let Some(server) = Sshd::start() else { return };
    let (user, host) = with_shell(&server, dir.path()).await;
    let make = "mkdir \"$1\" && touch \"$1/a\" && chmod 444 \"$1\"";
    let folder = path(user.home.join("no way in").as_os_str().as_bytes());
    run_ok(host.as_ref(), Command::sh(make, [folder.as_bytes()]), b"").await.unwrap();
    let error = host.list(&folder).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_stat_tells_nothing_has_no_empty_folders() {
    let Some(dir) = busybox(Some("echo 'stat: illegal option -- c' >&2; exit 1")) else { return };
    let Some(server) = Sshd::start() else { return };
    let (user, host) = with_shell(&server, dir.path()).await;
    let folder = path(user.home.join("folder").as_os_str().as_bytes());
    let make = "mkdir \"$1\" && touch \"$1/a\"";
    run_ok(host.as_ref(), Command::sh(make, [folder.as_bytes()]), b"").await.unwrap();
    let error = host.list(&folder).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Internal, "{error}");
    assert!(error.detail.unwrap().contains("illegal option"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_whose_shell_is_the_sftp_server_is_used_over_sftp() {
    let sftp_server = "/usr/lib/openssh/sftp-server";
    if !Path::new(sftp_server).exists() {
        println!("skipped: {sftp_server} is missing");
        return;
    }
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user_with_shell(sftp_server);
    let connected = connect(server.connection(&user), HostSecrets::default());
    let host = tokio::time::timeout(Duration::from_secs(5), connected).await.expect("waits").unwrap();
    assert!(!host.capabilities().commands);
    host.list(&path(user.home.as_os_str().as_bytes())).await.unwrap();
}

#[tokio::test]
async fn neither_shell_nor_sftp_is_told() {
    let extra = "Match User bs*\n  ForceCommand echo This account is closed; exit 1\n".to_owned();
    let Some(server) = Sshd::start_with(&SshdOptions { extra, ..SshdOptions::default() }) else { return };
    let user = server.add_user(SudoRight::None);
    let error = connect(server.connection(&user), HostSecrets::default()).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Unsupported, "{error} {:?}", error.detail);
    assert!(error.message.contains("neither a shell nor SFTP"), "{error}");
    assert!(error.detail.unwrap().contains("This account is closed"));
}
