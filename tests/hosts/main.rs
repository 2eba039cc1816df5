//! Hosts against real servers on loopback: every way in, every way to be kept out, and what happens when the line breaks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

mod contract;
mod faults;
mod log_in;
mod packing;
mod root;
mod shells;

use backstay_core::config::{Connection, SshConnection};
use backstay_core::host::{Command, Host, HostKeyPins, run};
use backstay_core::{RawPath, Result};
use backstay_hosts::{ConnectOptions, HostSecrets};
use backstay_lab::ssh::LabUser;
use std::sync::Arc;
use std::time::Duration;

/// Nothing was accepted before.
struct NoPins;

impl HostKeyPins for NoPins {
    fn pinned(&self, _: &str, _: u16) -> Option<String> {
        None
    }
}

fn no_pins() -> Arc<dyn HostKeyPins> {
    Arc::new(NoPins)
}

/// Options that read nothing of the real user's.
fn options() -> ConnectOptions {
    ConnectOptions {
        connect_timeout: Duration::from_secs(10),
        keepalive: Duration::from_secs(5),
        compress: false,
        known_hosts: None,
        agent_socket: None,
    }
}

fn password(user: &LabUser) -> HostSecrets {
    HostSecrets { password: Some(user.password.clone()), ..HostSecrets::default() }
}

async fn connect_with(
    connection: SshConnection,
    secrets: HostSecrets,
    options: ConnectOptions,
) -> Result<Arc<dyn Host>> {
    backstay_hosts::connect("lab", &Connection::Ssh(connection), secrets, no_pins(), options).await
}

async fn connect(connection: SshConnection, secrets: HostSecrets) -> Result<Arc<dyn Host>> {
    connect_with(connection, secrets, options()).await
}

async fn who(host: &dyn Host) -> String {
    run(host, Command::new("id").arg("-un"), b"").await.unwrap().text().trim().to_owned()
}

fn path(text: impl AsRef<[u8]>) -> RawPath {
    RawPath::new(text).unwrap()
}
