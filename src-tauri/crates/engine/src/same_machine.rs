//! Which destinations lie on a server itself. Such a backup is gone with the server, and who breaks in there can delete it.

use crate::backstay::Inner;
use backstay_core::Result;
use backstay_core::config::{Connection, DestinationConfig, Place, Server, SftpPlace, SftpVia, SshConnection};

impl Inner {
    /// Returns the servers a destination lies on, as far as addresses and host keys tell; none for a folder of this
    /// computer, which may be a disk of its own.
    pub(crate) fn servers_under(&self, config: &DestinationConfig) -> Result<Vec<Server>> {
        let way = self.reached_over_ssh(&config.place);
        let is_under = |server: &Server| match (&server.connection, &config.place, &way) {
            (Connection::Ssh(ssh), _, Some(way)) => is_same_machine(way, ssh),
            (Connection::Ssh(ssh), Place::Ftp(ftp), None) => {
                ssh.jumps.is_empty() && ssh.host.eq_ignore_ascii_case(&ftp.host)
            }
            _ => false,
        };
        Ok(self.store.servers()?.into_iter().filter(is_under).collect())
    }

    /// Returns how a destination over SFTP is reached; `None` for another kind, and for one by a server that is not known.
    pub(crate) fn reached_over_ssh(&self, place: &Place) -> Option<SshConnection> {
        let Place::Sftp(SftpPlace { via, .. }) = place else { return None };
        match via {
            SftpVia::Own(own) => Some(own.clone()),
            SftpVia::Server { server } => match self.store.server(server).ok()?.connection {
                Connection::Ssh(way) => Some(way),
                Connection::Local { .. } => None,
            },
        }
    }
}

/// Tells whether two connections lead to one machine: by its key, or by the same way to the same address.
pub(crate) fn is_same_machine(one: &SshConnection, other: &SshConnection) -> bool {
    let way = |ssh: &SshConnection| {
        let jumps: Vec<_> = ssh.jumps.iter().map(|jump| (jump.host.to_lowercase(), jump.port)).collect();
        (ssh.host.to_lowercase(), ssh.port, jumps)
    };
    (one.fingerprint.is_some() && one.fingerprint == other.fingerprint) || way(one) == way(other)
}
