//! Accounts whose shell is not what one expects.

use super::{connect, path};
use backstay_core::ErrorClass;
use backstay_core::config::SshConnection;
use backstay_core::host::{Command, run};
use backstay_hosts::HostSecrets;
use backstay_lab::host_contract;
use backstay_lab::proxy::FaultProxy;
use backstay_lab::ssh::{Sshd, SshdOptions, SudoRight};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busybox_alone_will_do() {
    if !Path::new("/bin/busybox").exists() {
        println!("skipped: busybox is missing");
        return;
    }
    let dir = tempfile::Builder::new().prefix("backstay-busybox-").tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for tool in "sh cat chmod chown cut date df du echo env false find grep head id ln ls mkdir mv printf readlink rm rmdir sed sleep sort \
                 stat sync tail tar test timeout touch tr true uname wc xargs"
        .split_whitespace()
    {
        std::os::unix::fs::symlink("/bin/busybox", dir.path().join(tool)).unwrap();
    }
    // A log-in shell that sees nothing but busybox.
    let shell = dir.path().join("login");
    let text = format!("#!/bin/busybox sh\nPATH={p}\nexport PATH\nexec {p}/sh \"$@\"\n", p = dir.path().display());
    std::fs::write(&shell, text).unwrap();
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755)).unwrap();
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user_with_shell(&shell.to_string_lossy());
    let host = connect(server.connection(&user), HostSecrets::default()).await.unwrap();
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
