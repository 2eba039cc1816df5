//! Becoming root, and being told why not.

use super::{connect, no_pins, options, password, path, who};
use backstay_core::config::{Connection, SshAuth, Sudo};
use backstay_core::host::{Command, run};
use backstay_core::{ErrorClass, RunContext, Secret};
use backstay_hosts::{HostSecrets, facts};
use backstay_lab::ssh::{Sshd, SudoRight};

#[tokio::test]
async fn without_a_password() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::WithoutPassword);
    let mut connection = server.connection(&user);
    connection.sudo = Sudo::WithoutPassword;
    let host = connect(connection, HostSecrets::default()).await.unwrap();
    assert_eq!(who(host.as_ref()).await, "root");
    assert!(host.route().ends_with("as root by sudo"));
    // Root reads what the user may not.
    assert!(host.stat(&path("/etc/shadow")).await.unwrap().size_bytes > 0);
    assert!(host.read(&path("/etc/shadow")).await.is_ok());
}

#[tokio::test]
async fn the_password_never_reaches_the_command() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::WithPassword);
    let mut connection = server.connection(&user);
    connection.sudo = Sudo::WithPassword;
    connection.auth = SshAuth::Password;
    // No sudo password of its own: the log-in password serves.
    let host = connect(connection, password(&user)).await.unwrap();
    for _ in 0..3 {
        // A remembered log-in would make sudo leave the password in the stream.
        let output = run(host.as_ref(), Command::new("cat"), b"payload").await.unwrap();
        assert_eq!(output.text(), "payload");
    }
}

#[tokio::test]
async fn a_password_that_sudo_does_not_ask_for_never_reaches_the_command() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::WithoutPassword);
    let mut connection = server.connection(&user);
    connection.sudo = Sudo::WithPassword;
    connection.auth = SshAuth::Password;
    let host = connect(connection, password(&user)).await.unwrap();
    assert_eq!(who(host.as_ref()).await, "root");
    assert_eq!(run(host.as_ref(), Command::new("cat"), b"payload").await.unwrap().text(), "payload");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let Some(server) = Sshd::start() else { return };
    let none = server.add_user(SudoRight::None);
    let with = server.add_user(SudoRight::WithPassword);
    let try_as = async |user: &backstay_lab::ssh::LabUser, sudo, secret: &str| {
        let mut connection = server.connection(user);
        connection.sudo = sudo;
        let secrets = HostSecrets { sudo_password: Some(Secret::new(secret)), ..HostSecrets::default() };
        connect(connection, secrets).await.err().unwrap()
    };
    let error = try_as(&with, Sudo::WithPassword, "wrong").await;
    assert_eq!(
        (error.class, error.message.as_str()),
        (ErrorClass::Refused, "Cannot become root on lab: sudo refused the password")
    );
    let error = try_as(&with, Sudo::WithoutPassword, "").await;
    assert_eq!(error.message, "Cannot become root on lab: sudo asks for a password");
    assert!(error.hint.unwrap().contains(&format!("{} ALL=(root) NOPASSWD: ALL", with.name)));
    let error = try_as(&none, Sudo::WithPassword, none.password.expose()).await;
    assert_eq!(error.message, format!("Cannot become root on lab: {} may not use sudo", none.name));
}

#[tokio::test]
async fn facts_of_a_server() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::WithoutPassword);
    let mut connection = server.connection(&user);
    let host = connect(connection.clone(), HostSecrets::default()).await.unwrap();
    let told = facts(&RunContext::silent(), host.as_ref()).await.unwrap();
    assert!(told.commands && told.kernel.starts_with("Linux ") && !told.os.is_empty() && !told.hostname.is_empty());
    assert_eq!(told.user, user.name);
    let tar = told.tools.iter().find(|(name, _)| name == "tar").expect("tar is there");
    assert!(tar.1.contains("tar"), "{tar:?}");
    assert!(told.space.iter().any(|(mount, total, free)| mount == "/" && total >= free && *total > 0));
    assert!(told.folders.iter().any(|(folder, _)| folder == "/etc"));
    connection.sudo = Sudo::WithoutPassword;
    let host = connect(connection, HostSecrets::default()).await.unwrap();
    assert_eq!(facts(&RunContext::silent(), host.as_ref()).await.unwrap().user, "root");

    let sftp = server.add_sftp_user();
    let host = connect(server.connection(&sftp), HostSecrets::default()).await.unwrap();
    let told = facts(&RunContext::silent(), host.as_ref()).await.unwrap();
    assert!(!told.commands && told.space.len() == 1);
}

#[tokio::test]
async fn facts_of_this_computer_and_cancel() {
    let connection = Connection::Local { sudo: Sudo::None };
    let host =
        backstay_hosts::connect("here", &connection, HostSecrets::default(), no_pins(), options()).await.unwrap();
    assert!(facts(&RunContext::silent(), host.as_ref()).await.unwrap().kernel.contains(' '));
    let ctx = RunContext::silent();
    ctx.cancel.cancel();
    assert!(facts(&ctx, host.as_ref()).await.unwrap_err().is_cancelled());
}
