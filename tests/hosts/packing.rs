//! What packs well is packed by the connection where the line is slower than packing.

use super::{connect, password, run, who};
use backstay_core::config::{SshConnection, Sudo};
use backstay_core::host::{Command, Host};
use backstay_hosts::HostSecrets;
use backstay_lab::proxy::FaultProxy;
use backstay_lab::ssh::{Sshd, SudoRight};

const LENGTH: usize = 12_000_000;

fn print() -> Command {
    Command::sh("yes 'a line that is like the others' | head -c 12000000", [] as [&[u8]; 0])
}

async fn length_of(host: &dyn Host, command: Command) -> usize {
    run(host, command, b"").await.unwrap().stdout.len()
}

/// A server behind a proxy that lets so many bytes a second pass.
async fn behind(server: &Sshd, rate: Option<u64>, sudo: SudoRight) -> (FaultProxy, SshConnection, HostSecrets) {
    let user = server.add_user(sudo);
    let proxy = FaultProxy::start(server.port()).await.unwrap();
    proxy.set(|faults| faults.rate = rate);
    let connection = SshConnection { port: proxy.port(), ..server.connection(&user) };
    (proxy, connection, password(&user))
}

#[tokio::test]
async fn a_slow_line_packs_both_ways() {
    let Some(server) = Sshd::start() else { return };
    let (proxy, connection, secrets) = behind(&server, Some(4_000_000), SudoRight::None).await;
    let host = connect(connection, secrets).await.unwrap();
    assert_eq!(length_of(host.as_ref(), print().packable()).await, LENGTH);
    // Some noise to measure the line, and little more.
    assert!(proxy.passed_bytes() < 2_000_000, "{}", proxy.passed_bytes());
    let sent = vec![b'x'; 6_000_000];
    let counted = run(host.as_ref(), Command::new("wc").arg("-c").packable(), &sent).await.unwrap();
    assert_eq!(counted.text().trim(), "6000000");
    assert!(proxy.sent_bytes() < 2_000_000, "{}", proxy.sent_bytes());
    // Commands that were not said to pack well go as they are, over the connection that was there first.
    let before = proxy.passed_bytes();
    assert_eq!(length_of(host.as_ref(), print()).await, LENGTH);
    assert!(proxy.passed_bytes() - before > LENGTH as u64);
    // A lost connection is opened anew; the plain one once it is needed again.
    proxy.cut_now();
    assert_eq!(length_of(host.as_ref(), print().packable()).await, LENGTH);
    assert!(proxy.connections() >= 3, "{}", proxy.connections());
}

#[tokio::test]
async fn root_by_sudo_packs_as_well() {
    let Some(server) = Sshd::start() else { return };
    let (proxy, mut connection, secrets) = behind(&server, Some(4_000_000), SudoRight::WithPassword).await;
    connection.sudo = Sudo::WithPassword;
    let host = connect(connection, secrets).await.unwrap();
    assert_eq!(who(host.as_ref()).await, "root");
    assert_eq!(length_of(host.as_ref(), print().packable()).await, LENGTH);
    assert!(proxy.passed_bytes() < 3_000_000, "{}", proxy.passed_bytes());
}

#[tokio::test]
async fn two_at_once_each_come_whole() {
    let Some(server) = Sshd::start() else { return };
    let (_proxy, connection, secrets) = behind(&server, Some(4_000_000), SudoRight::None).await;
    let host = connect(connection, secrets).await.unwrap();
    let small = || Command::sh("head -c 2000000 /dev/zero", [] as [&[u8]; 0]).packable();
    let both = tokio::join!(length_of(host.as_ref(), small()), length_of(host.as_ref(), small()));
    assert_eq!(both, (2_000_000, 2_000_000));
}
