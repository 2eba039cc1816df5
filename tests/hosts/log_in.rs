//! Ways in, and ways to be kept out.

use super::{connect, connect_with, no_pins, options, password, who};
use backstay_core::config::{Connection, SshAuth, SshConnection, SshJump};
use backstay_core::host::HostKeyPins;
use backstay_core::secret::JumpSecrets;
use backstay_core::{ErrorClass, Secret};
use backstay_hosts::{ConnectOptions, HostKeyState, HostSecrets, probe_host_keys};
use backstay_lab::ssh::{LabUser, Sshd, SshdOptions, SudoRight, fingerprint_of, keygen};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

fn by_password(server: &Sshd, user: &LabUser) -> SshConnection {
    SshConnection { auth: SshAuth::Password, ..server.connection(user) }
}

fn by_key(server: &Sshd, user: &LabUser, key: &Path) -> SshConnection {
    SshConnection { auth: SshAuth::KeyFile { path: key.to_string_lossy().into() }, ..server.connection(user) }
}

#[tokio::test]
async fn by_password_right_and_wrong() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let host = connect(by_password(&server, &user), password(&user)).await.unwrap();
    assert_eq!(who(host.as_ref()).await, user.name);
    let wrong = HostSecrets { password: Some(Secret::new("not it")), ..HostSecrets::default() };
    let error = connect(by_password(&server, &user), wrong).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Refused);
    assert_eq!(error.message, format!("Cannot log in to lab as {}: the password was refused", user.name));
    assert!(error.hint.is_some() && !format!("{error:?}").contains("not it"));
    let error = connect(by_password(&server, &user), HostSecrets::default()).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Refused);
}

#[tokio::test]
async fn by_keyboard_interactive() {
    let options = SshdOptions { keyboard_interactive: true, ..SshdOptions::default() };
    let Some(server) = Sshd::start_with(&options) else { return };
    let user = server.add_user(SudoRight::None);
    let host = connect(by_password(&server, &user), password(&user)).await.unwrap();
    assert_eq!(who(host.as_ref()).await, user.name);
    let wrong = HostSecrets { password: Some(Secret::new("not it")), ..HostSecrets::default() };
    let error = connect(by_password(&server, &user), wrong).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Refused);
}

#[tokio::test]
async fn by_key_and_password_one_after_the_other() {
    let options = SshdOptions { two_factors: true, ..SshdOptions::default() };
    let Some(server) = Sshd::start_with(&options) else { return };
    let user = server.add_user(SudoRight::None);
    let host = connect(server.connection(&user), password(&user)).await.unwrap();
    assert_eq!(who(host.as_ref()).await, user.name);
    let error = connect(server.connection(&user), HostSecrets::default()).await.err().unwrap();
    assert!(error.message.ends_with("the server wants a second proof"), "{error}");
}

#[tokio::test]
async fn by_key_of_every_sort() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let dir = tempfile::tempdir().unwrap();
    for (kind, phrase) in [("ed25519", ""), ("ed25519", "open sesame"), ("rsa", ""), ("ecdsa", "")] {
        let key = dir.path().join(format!("{kind}{}", phrase.len()));
        keygen(&key, kind, phrase).unwrap();
        server.authorize_key(&user.name, &std::fs::read(key.with_extension("pub")).unwrap());
        let secrets = HostSecrets { key_passphrase: Some(Secret::new(phrase)), ..HostSecrets::default() };
        let host = connect(by_key(&server, &user, &key), secrets).await;
        assert_eq!(who(host.unwrap_or_else(|e| panic!("{kind}: {e}")).as_ref()).await, user.name);
    }
}

#[tokio::test]
async fn keys_that_do_not_open() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let dir = tempfile::tempdir().unwrap();
    let locked = dir.path().join("locked");
    keygen(&locked, "ed25519", "right").unwrap();
    let try_with = async |key: &Path, phrase: Option<&str>| {
        let secrets = HostSecrets { key_passphrase: phrase.map(Secret::new), ..HostSecrets::default() };
        connect(by_key(&server, &user, key), secrets).await.err().unwrap()
    };
    let error = try_with(&locked, None).await;
    assert!(error.class == ErrorClass::WrongKey && error.message.contains("locked with a passphrase"), "{error}");
    let error = try_with(&locked, Some("wrong")).await;
    assert!(error.class == ErrorClass::WrongKey && error.message.contains("does not open"), "{error}");
    // Opens, but the server does not know it.
    let error = try_with(&locked, Some("right")).await;
    assert!(error.class == ErrorClass::Refused && error.message.ends_with("the key was refused"), "{error}");
    let error = try_with(&dir.path().join("absent"), None).await;
    assert_eq!(error.class, ErrorClass::Missing);
    let error = try_with(&locked.with_extension("pub"), None).await;
    assert!(error.class == ErrorClass::WrongKey && error.hint.unwrap().contains(".pub"));
    let garbage = dir.path().join("garbage");
    std::fs::write(&garbage, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n").unwrap();
    assert_eq!(try_with(&garbage, Some("x")).await.class, ErrorClass::WrongKey);
}

#[tokio::test]
async fn by_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca");
    if let Some(reason) = backstay_lab::ssh::why_not() {
        println!("skipped: {reason}");
        return;
    }
    keygen(&ca, "ed25519", "").unwrap();
    let extra = format!("TrustedUserCAKeys {}\n", ca.with_extension("pub").display());
    let Some(server) = Sshd::start_with(&SshdOptions { extra, ..SshdOptions::default() }) else { return };
    let user = server.add_user(SudoRight::None);
    let key = dir.path().join("signed");
    keygen(&key, "ed25519", "").unwrap();
    // The bare key is not authorised: only the certificate beside it opens.
    let sign = |name: &str| {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-s"]).arg(&ca).args(["-I", "lab", "-n", name]).arg(key.with_extension("pub"));
        assert!(command.status().unwrap().success());
    };
    sign("somebody-else");
    assert_eq!(
        connect(by_key(&server, &user, &key), HostSecrets::default()).await.err().unwrap().class,
        ErrorClass::Refused
    );
    sign(&user.name);
    let host = connect(by_key(&server, &user, &key), HostSecrets::default()).await.unwrap();
    assert_eq!(who(host.as_ref()).await, user.name);
}

struct Agent(Child, PathBuf, #[allow(dead_code)] tempfile::TempDir);

impl Agent {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("agent");
        let child = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !socket.exists() {
            assert!(std::time::Instant::now() < end, "ssh-agent does not start");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Self(child, socket, dir)
    }
    fn add(&self, key: &Path) {
        let added = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.1).status().unwrap();
        assert!(added.success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn by_agent() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let agent = Agent::start().await;
    let with = |socket: Option<&Path>| ConnectOptions { agent_socket: socket.map(Path::to_owned), ..options() };
    let connection = SshConnection { auth: SshAuth::Agent, ..server.connection(&user) };
    let none = HostSecrets::default;
    let error = connect_with(connection.clone(), none(), with(None)).await.err().unwrap();
    assert!(error.class == ErrorClass::Missing && error.message.ends_with("no SSH agent is running"), "{error}");
    let error = connect_with(connection.clone(), none(), with(Some(&agent.1))).await.err().unwrap();
    assert!(error.message.ends_with("the SSH agent holds no key"), "{error}");
    // A key the server does not know goes first; the right one is found after it. RSA needs the right hash.
    let dir = tempfile::tempdir().unwrap();
    for kind in ["ecdsa", "rsa"] {
        keygen(&dir.path().join(kind), kind, "").unwrap();
        agent.add(&dir.path().join(kind));
    }
    let error = connect_with(connection.clone(), none(), with(Some(&agent.1))).await.err().unwrap();
    assert!(error.message.ends_with("no key of the agent was accepted"), "{error}");
    server.authorize_key(&user.name, &std::fs::read(dir.path().join("rsa.pub")).unwrap());
    let host = connect_with(connection, none(), with(Some(&agent.1))).await.unwrap();
    assert_eq!(who(host.as_ref()).await, user.name);
}

#[tokio::test]
async fn host_keys_unknown_pinned_and_changed() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let mut connection = server.connection(&user);
    connection.fingerprint = None;
    let error = connect(connection.clone(), HostSecrets::default()).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::HostKeyUnknown);
    assert!(error.message.contains(&server.fingerprint()), "{error}");

    let keys = probe_host_keys(&connection, &HostSecrets::default(), no_pins(), &options()).await.unwrap();
    assert_eq!((keys.len(), keys[0].state), (1, HostKeyState::Unknown));
    assert_eq!((keys[0].algorithm.as_str(), keys[0].fingerprint.clone()), ("ssh-ed25519", server.fingerprint()));
    connection.fingerprint = Some(keys[0].fingerprint.clone());
    let keys = probe_host_keys(&connection, &HostSecrets::default(), no_pins(), &options()).await.unwrap();
    assert_eq!(keys[0].state, HostKeyState::Pinned);

    // Another server on the same port shows another key: a full stop, before any secret is sent.
    let port = server.port();
    let old = server.fingerprint();
    let host = connect(connection.clone(), HostSecrets::default()).await.unwrap();
    server.stop();
    let Some(other) = Sshd::start_with(&SshdOptions { port: Some(port), ..SshdOptions::default() }) else { return };
    let error = connect(connection.clone(), HostSecrets::default()).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::HostKeyChanged);
    assert!(error.message.contains(&old) && error.message.contains(&other.fingerprint()), "{error}");
    assert!(!other.log().contains(&user.name), "the user's name was sent to a stranger");
    // A host that was connected before does not take the stranger for its server when it reconnects.
    let error = host.stat(&super::path("/etc")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::HostKeyChanged);
    let keys = probe_host_keys(&connection, &HostSecrets::default(), no_pins(), &options()).await.unwrap();
    assert_eq!((keys[0].state, keys[0].expected.clone()), (HostKeyState::Changed, Some(old)));
}

struct Pinned(String, u16, String);

impl HostKeyPins for Pinned {
    fn pinned(&self, host: &str, port: u16) -> Option<String> {
        (self.0 == host && self.1 == port).then(|| self.2.clone())
    }
}

#[tokio::test]
async fn the_pin_store_and_known_hosts_are_read() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let connection = SshConnection { fingerprint: None, ..server.connection(&user) };
    let pins = Arc::new(Pinned("127.0.0.1".into(), server.port(), server.fingerprint()));
    let ssh = Connection::Ssh(connection.clone());
    let host = backstay_hosts::connect("lab", &ssh, HostSecrets::default(), pins, options()).await.unwrap();
    assert_eq!(who(host.as_ref()).await, user.name);

    let file = tempfile::NamedTempFile::new().unwrap();
    let with_file = || ConnectOptions { known_hosts: Some(file.path().to_owned()), ..options() };
    let write = |text: &str| std::fs::write(file.path(), text).unwrap();
    write(&server.known_hosts_line());
    assert!(connect_with(connection.clone(), HostSecrets::default(), with_file()).await.is_ok());
    // Hashed as `ssh-keygen -H` does it.
    assert!(Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(file.path()).output().unwrap().status.success());
    assert!(std::fs::read_to_string(file.path()).unwrap().starts_with("|1|"));
    assert!(connect_with(connection.clone(), HostSecrets::default(), with_file()).await.is_ok());
    write(&format!("@revoked {}", server.known_hosts_line()));
    let error = connect_with(connection.clone(), HostSecrets::default(), with_file()).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::HostKeyChanged);
    // Revoked goes before pinned.
    let pinned = server.connection(&user);
    let error = connect_with(pinned, HostSecrets::default(), with_file()).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::HostKeyChanged);
}

#[tokio::test]
async fn a_pin_of_any_of_the_servers_keys_will_do() {
    let options = SshdOptions { host_keys: vec!["ed25519", "rsa"], ..SshdOptions::default() };
    let Some(server) = Sshd::start_with(&options) else { return };
    let user = server.add_user(SudoRight::None);
    let rsa = fingerprint_of(&server.dir().join("host_rsa.pub"));
    let connection = SshConnection { fingerprint: Some(rsa), ..server.connection(&user) };
    let host = connect(connection, HostSecrets::default()).await.unwrap();
    assert_eq!(who(host.as_ref()).await, user.name);
}

#[tokio::test]
async fn through_jump_hosts() {
    let (Some(outer), Some(middle), Some(inner)) = (Sshd::start(), Sshd::start(), Sshd::start()) else { return };
    let (first, second) = (outer.add_user(SudoRight::None), middle.add_user(SudoRight::None));
    let user = inner.add_user(SudoRight::None);
    let mut connection = inner.connection(&user);
    connection.jumps = vec![outer.as_jump(&first), middle.as_jump(&second)];
    let host = connect(connection.clone(), HostSecrets::default()).await.unwrap();
    assert_eq!(who(host.as_ref()).await, user.name);
    assert!(host.route().contains(&format!("through {}@127.0.0.1:{}", first.name, outer.port())));
    // The inner server saw the middle one only; both jumps were really used.
    assert!(outer.log().contains(&first.name) && middle.log().contains(&second.name));

    let states = |keys: &[backstay_hosts::HostKey]| keys.iter().map(|k| k.state).collect::<Vec<_>>();
    connection.fingerprint = None;
    let keys = probe_host_keys(&connection, &HostSecrets::default(), no_pins(), &options()).await.unwrap();
    assert_eq!(states(&keys), [HostKeyState::Pinned, HostKeyState::Pinned, HostKeyState::Unknown]);
    // An unknown jump host ends the list: nothing is sent through it.
    connection.jumps[0].fingerprint = None;
    let keys = probe_host_keys(&connection, &HostSecrets::default(), no_pins(), &options()).await.unwrap();
    assert_eq!(states(&keys), [HostKeyState::Unknown]);
    let error = connect(connection.clone(), HostSecrets::default()).await.err().unwrap();
    assert!(error.class == ErrorClass::HostKeyUnknown && error.message.contains("jump host"), "{error}");
    // A jump host that cannot reach the server says so.
    let mut nowhere = inner.connection(&user);
    nowhere.jumps = vec![outer.as_jump(&first)];
    nowhere.port = backstay_lab::ssh::free_port().unwrap();
    let error = connect(nowhere, HostSecrets::default()).await.err().unwrap();
    assert!(error.class == ErrorClass::Offline && error.message.ends_with("the jump host cannot reach it"), "{error}");
}

#[tokio::test]
async fn a_jump_host_with_a_password_of_its_own_never_sees_the_servers() {
    let (Some(outer), Some(inner)) = (Sshd::start(), Sshd::start()) else { return };
    let (guard, user) = (outer.add_user(SudoRight::None), inner.add_user(SudoRight::None));
    let jump = SshJump { auth: Some(SshAuth::Password), ..outer.as_jump(&guard) };
    let connection = SshConnection { jumps: vec![jump], ..by_password(&inner, &user) };
    let with = |own: Option<&Secret>| HostSecrets {
        jumps: vec![JumpSecrets { password: own.cloned(), ..JumpSecrets::default() }],
        ..password(&user)
    };
    let host = connect(connection.clone(), with(Some(&guard.password))).await.unwrap();
    assert_eq!(who(host.as_ref()).await, user.name);
    // Without its own password it is not tried with another's.
    let error = connect(connection.clone(), with(None)).await.err().unwrap();
    assert!(error.message.contains("jump host") && error.message.ends_with("no password was given"), "{error}");
    assert!(!outer.log().contains("Failed password"), "{}", outer.log());
    let error = connect(connection, with(Some(&user.password))).await.err().unwrap();
    assert!(error.message.contains("jump host") && error.message.ends_with("the password was refused"), "{error}");
}

#[tokio::test]
async fn a_jump_host_with_a_locked_key_of_its_own() {
    let (Some(outer), Some(inner)) = (Sshd::start(), Sshd::start()) else { return };
    let (guard, user) = (outer.add_user(SudoRight::None), inner.add_user(SudoRight::None));
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("locked");
    keygen(&key, "ed25519", "the jump's").unwrap();
    outer.authorize_key(&guard.name, &std::fs::read(key.with_extension("pub")).unwrap());
    let auth = Some(SshAuth::KeyFile { path: key.to_string_lossy().into() });
    let connection =
        SshConnection { jumps: vec![SshJump { auth, ..outer.as_jump(&guard) }], ..by_password(&inner, &user) };
    let own = JumpSecrets { key_passphrase: Some(Secret::new("the jump's")), ..JumpSecrets::default() };
    let host = connect(connection.clone(), HostSecrets { jumps: vec![own], ..password(&user) }).await.unwrap();
    assert_eq!(who(host.as_ref()).await, user.name);
    let error = connect(connection, password(&user)).await.err().unwrap();
    assert!(error.class == ErrorClass::WrongKey && error.message.contains("locked with a passphrase"), "{error}");
}
