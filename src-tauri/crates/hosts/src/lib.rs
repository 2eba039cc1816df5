//! Hosts: where commands run and bytes stream. This computer, a server over SSH, either of them as root by sudo, and
//! an SFTP-only account where there is no shell.
//!
//! Only this crate knows russh. Everybody else sees `backstay_core::host::Host`.

mod argv;
mod error_text;
mod facts;
mod local;
mod reader;
mod sftp;
mod shell_attributes;
mod shell_files;
mod ssh;
mod sudo;

pub use facts::facts;
pub use sftp::remote_files_source;
pub use ssh::config::{SshConfigEntry, ssh_config_hosts};
pub use ssh::trust::{HostKey, HostKeyState};

use backstay_core::config::{Connection, SshConnection, Sudo};
use backstay_core::host::{Host, HostKeyPins};
pub use backstay_core::secret::{HostSecrets, JumpSecrets};
use backstay_core::{Result, Secret};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How patient a connection is, and which files of this computer it reads.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// How long reaching the server and agreeing on keys may take, each hop for itself.
    pub connect_timeout: Duration,
    /// After this silence a sign of life is asked for; after three without answer the connection is lost.
    pub keepalive: Duration,
    /// SSH's own compression; for slow links to servers without zstd or gzip.
    pub compress: bool,
    /// The user's known_hosts, where there is one.
    pub known_hosts: Option<PathBuf>,
    /// The SSH agent's socket (a named pipe on Windows), where there is one.
    pub agent_socket: Option<PathBuf>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(15),
            keepalive: Duration::from_secs(15),
            compress: false,
            known_hosts: std::env::home_dir().map(|home| home.join(".ssh").join("known_hosts")),
            agent_socket: default_agent_socket(),
        }
    }
}

fn default_agent_socket() -> Option<PathBuf> {
    let named = std::env::var_os("SSH_AUTH_SOCK").filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(windows) { named.or_else(|| Some(PathBuf::from(r"\\.\pipe\openssh-ssh-agent"))) } else { named }
}

/// Connects to a server: reaches it, checks its host key, logs in, finds out whether commands can run there, and
/// whether sudo lets us where it is asked for.
///
/// Errors: `Offline`, `TimedOut`, `HostKeyUnknown`, `HostKeyChanged`, `Refused` (log-in or sudo), `WrongKey` (the key
/// file's passphrase), `Missing` (no key file), `Unsupported` (neither shell nor SFTP).
pub async fn connect(
    server_name: &str,
    connection: &Connection,
    secrets: HostSecrets,
    pins: Arc<dyn HostKeyPins>,
    options: ConnectOptions,
) -> Result<Arc<dyn Host>> {
    let (inner, become_root): (Arc<dyn Host>, Sudo) = match connection {
        Connection::Local { sudo } => (Arc::new(local::Local::new(server_name)), *sudo),
        Connection::Ssh(ssh) => {
            let host = ssh::Ssh::connect(server_name, ssh.clone(), secrets.clone(), pins, options).await?;
            (host, ssh.sudo)
        }
    };
    let password = match become_root {
        Sudo::None => return Ok(inner),
        Sudo::WithoutPassword => None,
        Sudo::WithPassword => Some(secrets.sudo_password.or(secrets.password).unwrap_or_else(|| Secret::new(""))),
    };
    Ok(Arc::new(sudo::SudoHost::become_root(server_name, inner, password).await?))
}

/// Asks every hop for its host key, jump hosts first, without logging in to the server itself.
///
/// A jump host that is trusted is logged in to, since the next hop is only seen through it; the list ends at the first
/// hop that is not. Errors: as [`connect`], but an unknown or changed key is a result here.
pub async fn probe_host_keys(
    connection: &SshConnection,
    secrets: &HostSecrets,
    pins: Arc<dyn HostKeyPins>,
    options: &ConnectOptions,
) -> Result<Vec<HostKey>> {
    ssh::link::probe(connection, secrets, pins, options).await
}
