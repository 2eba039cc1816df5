//! Every host keeps the same contract.

use super::{connect, no_pins, options, password, path};
use backstay_core::config::{Connection, SshAuth, SshConnection, Sudo};
use backstay_core::host::{Command, run, run_ok};
use backstay_core::{ErrorClass, Secret};
use backstay_hosts::HostSecrets;
use backstay_lab::host_contract;
use backstay_lab::ssh::{Sshd, SshdOptions, SudoRight};
use std::os::unix::ffi::OsStrExt;

#[tokio::test]
async fn this_computer() {
    let dir = tempfile::tempdir().unwrap();
    let connection = Connection::Local { sudo: Sudo::None };
    let host =
        backstay_hosts::connect("here", &connection, HostSecrets::default(), no_pins(), options()).await.unwrap();
    host_contract::all(host.as_ref(), &path(dir.path().as_os_str().as_bytes())).await;
}

/// Tells why the user of these tests cannot become root without being asked, if so.
fn why_no_sudo() -> Option<String> {
    match std::process::Command::new("sudo").args(["-n", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("sudo refuses: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(_) => Some("sudo is not installed".into()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_root_by_sudo_on_this_computer() {
    if let Some(reason) = why_no_sudo() {
        println!("skipped: {reason}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = path(dir.path().as_os_str().as_bytes());
    let become_root = async |sudo, password: Option<&str>| {
        let secrets = HostSecrets { sudo_password: password.map(Secret::new), ..HostSecrets::default() };
        backstay_hosts::connect("here", &Connection::Local { sudo }, secrets, no_pins(), options()).await.unwrap()
    };
    let host = become_root(Sudo::WithoutPassword, None).await;
    assert_eq!((host.label(), host.route().as_str()), ("here as root", "on this computer, as root by sudo"));
    assert_eq!(super::who(host.as_ref()).await, "root");
    host_contract::all(host.as_ref(), &dir.join("contract").unwrap()).await;
    // A password is given, and sudo asks for none: it is not what the command reads.
    let host = become_root(Sudo::WithPassword, Some("not asked for")).await;
    assert_eq!(run(host.as_ref(), Command::new("cat"), b"payload").await.unwrap().text(), "payload");
    // What root made may not be ours to remove.
    run_ok(host.as_ref(), Command::new("rm").args(["-rf", "--"]).arg(dir.as_bytes()), b"").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_ssh() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let host = connect(server.connection(&user), HostSecrets::default()).await.unwrap();
    host_contract::all(host.as_ref(), &path(user.home.join("contract").as_os_str().as_bytes())).await;
    assert_eq!(host.route(), format!("over SSH to {}@127.0.0.1:{}", user.name, server.port()));
    host.close().await;
    assert_eq!(super::who(host.as_ref()).await, user.name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_root_by_sudo_over_ssh() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::WithPassword);
    let mut connection = server.connection(&user);
    connection.auth = SshAuth::Password;
    connection.sudo = Sudo::WithPassword;
    let host = connect(connection, password(&user)).await.unwrap();
    assert_eq!(host.label(), "lab as root");
    host_contract::all(host.as_ref(), &path(user.home.join("contract").as_os_str().as_bytes())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_jump_host() {
    let (Some(outer), Some(inner)) = (Sshd::start(), Sshd::start()) else { return };
    let (guard, user) = (outer.add_user(SudoRight::None), inner.add_user(SudoRight::None));
    let connection = SshConnection { jumps: vec![outer.as_jump(&guard)], ..inner.connection(&user) };
    let host = connect(connection, HostSecrets::default()).await.unwrap();
    host_contract::all(host.as_ref(), &path(user.home.join("contract").as_os_str().as_bytes())).await;
    assert_eq!(
        host.route(),
        format!(
            "over SSH to {}@127.0.0.1:{} through {}@127.0.0.1:{}",
            user.name,
            inner.port(),
            guard.name,
            outer.port()
        )
    );
    // All of it went through the jump host: without it there is no way.
    outer.stop();
    let error = host.stat(&path("/etc")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sftp_only() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let host = connect(server.connection(&user), HostSecrets::default()).await.unwrap();
    assert!(!host.capabilities().commands && host.capabilities().files);
    assert!(host.route().ends_with("SFTP only"));
    host_contract::all(host.as_ref(), &path("/files")).await;
    // Link targets are told, and links are not followed.
    std::os::unix::fs::symlink("nowhere/at all", user.home.join("link")).unwrap();
    let entry = host.stat(&path("/files/link")).await.unwrap();
    assert_eq!(entry.kind, backstay_core::entry::EntryType::Symlink(b"nowhere/at all".to_vec()));
    assert!(host.list(&path("/files")).await.unwrap().iter().any(|e| e.kind == entry.kind));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sftp_that_cannot_rename_over_a_file_never_loses_it() {
    for (refused, writes) in [("posix-rename", true), ("posix-rename,rename", false)] {
        let extra = format!("Match User bsf*\n  ForceCommand internal-sftp -P {refused}\n");
        let Some(server) = Sshd::start_with(&SshdOptions { extra, ..SshdOptions::default() }) else { return };
        let user = server.add_sftp_user();
        std::fs::write(user.home.join("kept"), "old").unwrap();
        let host = connect(server.connection(&user), HostSecrets::default()).await.unwrap();
        let written = host.write(&path("/files/kept"), 0o600, &mut &b"newer"[..]).await;
        assert_eq!(written.is_ok(), writes, "{refused}: {written:?}");
        let now = std::fs::read_to_string(user.home.join("kept")).unwrap();
        assert_eq!(now, if writes { "newer" } else { "old" });
        let names: Vec<_> = std::fs::read_dir(&user.home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["kept"], "{refused}: nothing stays beside it");
        let written = host.write(&path("/files/new"), 0o600, &mut &b"new"[..]).await;
        assert_eq!(written.is_ok(), writes, "{refused}: {written:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_in_no_process_list() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::WithPassword);
    let mut connection = server.connection(&user);
    connection.sudo = Sudo::WithPassword;
    let secrets = HostSecrets { sudo_password: Some(user.password.clone()), ..HostSecrets::default() };
    let host = connect(connection, secrets).await.unwrap();
    let word = format!("secret-{:016x}", rand_word());
    let command =
        Command::sh("printf '%s' \"$HIDDEN\"; read -r wait", [""; 0]).secret_env("HIDDEN", Secret::new(word.clone()));
    let mut process = host.start(command).await.unwrap();
    // The command runs, and has the secret: now look at every command line there is.
    let mut came = vec![0; word.len()];
    tokio::io::AsyncReadExt::read_exact(&mut process.stdout, &mut came).await.unwrap();
    assert_eq!(came, word.as_bytes());
    let list = backstay_lab::ssh::process_list();
    assert!(list.iter().any(|line| line.contains("HIDDEN")), "the command itself must be seen");
    for line in &list {
        assert!(!line.contains(&word) && !line.contains(user.password.expose()), "{line}");
    }
    assert!(!format!("{:?}", password(&user)).contains(user.password.expose()));
}

fn rand_word() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos()
}

#[tokio::test]
async fn links_fifos_and_owners_are_told() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let host = connect(server.connection(&user), HostSecrets::default()).await.unwrap();
    let dir = path(user.home.as_os_str().as_bytes());
    let script = "cd \"$1\" && mkdir d && ln -s 'a b\n' d/link && mkfifo d/pipe && : >d/one && ln d/one d/two";
    run_ok(host.as_ref(), Command::sh(script, [dir.as_bytes()]), b"").await.unwrap();
    let entries = host.list(&dir.join("d").unwrap()).await.unwrap();
    let find = |name: &str| entries.iter().find(|e| e.path.name() == Some(name.as_bytes())).unwrap();
    assert_eq!(find("link").kind, backstay_core::entry::EntryType::Symlink(b"a b\n".to_vec()));
    assert_eq!(find("pipe").kind, backstay_core::entry::EntryType::Fifo);
    assert!(find("one").is_hard_linked() && find("one").inode == find("two").inode);
    assert_eq!(find("one").user.as_deref(), Some(user.name.as_str()));
    // A pipe is refused, not waited for.
    let pipe = host.read(&dir.join("d/pipe").unwrap()).await.err().unwrap();
    assert_eq!(pipe.class, ErrorClass::Invalid);
    let output = run(host.as_ref(), Command::new("true"), b"").await.unwrap();
    assert!(output.status.success());
}
