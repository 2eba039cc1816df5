//! ProFTPD.

use super::{Certificate, FtpOptions, LabFtp, OWNER, SERVER, Server, TlsMode, USER, hashed_password, text, unpacked};
use std::io;
use std::path::PathBuf;

/// A running ProFTPD. Dropping it ends it.
pub struct Proftpd {
    server: Server,
    certificate: Certificate,
}

impl Proftpd {
    /// Starts a server. Where that cannot be, prints why and returns `None`.
    #[allow(clippy::panic)]
    pub fn start(options: &FtpOptions) -> Option<Self> {
        if let Some(reason) = super::why_not() {
            println!("skipped: {reason}");
            return None;
        }
        // Another process may take a free port between looking and binding: look again.
        let mut last = String::new();
        for _ in 0..3 {
            match Self::try_start(options) {
                Ok(server) => return Some(server),
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    println!("skipped: {error}");
                    return None;
                }
                Err(error) => last = error.to_string(),
            }
        }
        panic!("cannot start proftpd: {last}");
    }

    fn try_start(options: &FtpOptions) -> io::Result<Self> {
        let mut server = Server::prepare(options)?;
        let certificate = Certificate::make(server.dir.path(), options.certificate)?;
        let root = text(&server.path("root"));
        let line = format!("{USER}:{}:{OWNER}:{OWNER}::{root}:/bin/false\n", hashed_password()?);
        let users = text(&server.write("users", &line, 0o600)?);
        let tls = match options.tls {
            TlsMode::None => String::new(),
            mode => format!(
                "LoadModule mod_tls.c\nTLSEngine on\nTLSRequired on\nTLSLog {log}\nTLSECCertificateFile {both}\n\
                 TLSECCertificateKeyFile {both}\n{implicit}",
                log = text(&server.path("tls.log")),
                both = text(&certificate.both),
                implicit = if mode == TlsMode::Implicit { "TLSOptions UseImplicitSSL\n" } else { "" },
            ),
        };
        let most = options.most_connections.map(|most| format!("MaxClientsPerHost {most}\n")).unwrap_or_default();
        let row = server.passive.as_ref();
        let passive = row.map(|ports| format!("PassivePorts {} {}\n", ports.start, ports.end - 1));
        let config = format!(
            "ServerName lab\nServerType standalone\nDefaultServer on\nDefaultAddress {SERVER}\nPort {port}\n\
             {passive}UseIPv6 off\nUseReverseDNS off\nSocketBindTight on\n\
             ModulePath {modules}\nUser nobody\nGroup nogroup\nPidFile {dir}/pid\nScoreboardFile {dir}/scoreboard\n\
             SystemLog {dir}/log\nTransferLog none\nWtmpLog off\nDelayEngine off\nAuthOrder mod_auth_file.c\n\
             AuthUserFile {users}\nRequireValidShell off\n{overwrite}AllowStoreRestart on\nAllowRetrieveRestart on\n\
             DefaultRoot ~\nUmask 077\nTimesGMT on\nMaxInstances 100\n{most}{extra}\n{tls}",
            port = server.port,
            passive = passive.unwrap_or_default(),
            // The first of two would hold.
            overwrite = if options.extra.contains("AllowOverwrite") { "" } else { "AllowOverwrite on\n" },
            modules = text(&unpacked().join("usr/lib/proftpd")),
            dir = text(server.dir.path()),
            extra = options.extra,
        );
        let config = text(&server.write("config", &config, 0o600)?);
        server.run("proftpd", &["-n", "-q", "-c", &config])?;
        Ok(Self { server, certificate })
    }
}

impl LabFtp for Proftpd {
    fn address(&self) -> (String, u16) {
        (SERVER.to_string(), self.server.port)
    }
    fn root(&self) -> PathBuf {
        self.server.path("root")
    }
    fn passive_ports(&self) -> std::ops::Range<u16> {
        self.server.passive.clone().unwrap_or_default()
    }
    fn log(&self) -> String {
        let tls = std::fs::read_to_string(self.server.path("tls.log")).unwrap_or_default();
        format!("{}{tls}", self.server.logged())
    }
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
    fn drop_sessions(&self) {
        for pid in self.server.child.iter().flat_map(|child| crate::ssh::descendants(child.id())) {
            crate::ssh::kill(pid);
        }
    }
}
