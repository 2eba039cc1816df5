//! vsftpd.

use super::{
    Certificate, FtpOptions, LabFtp, OWNER_NAME, SERVER, Server, TlsMode, USER, hashed_password, text, unpacked,
};
use std::fs;
use std::io;
use std::path::PathBuf;

/// A running vsftpd. Dropping it ends it.
pub struct Vsftpd {
    server: Server,
    certificate: Certificate,
    pam: PathBuf,
}

impl Vsftpd {
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
        panic!("cannot start vsftpd: {last}");
    }

    fn try_start(options: &FtpOptions) -> io::Result<Self> {
        let mut server = Server::prepare(options)?;
        let certificate = Certificate::make(server.dir.path(), options.certificate)?;
        fs::create_dir(server.path("empty"))?;
        let users = text(&server.write("users", &format!("{USER}:{}\n", hashed_password()?), 0o600)?);
        let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
        let module = text(&unpacked().join("lib").join(triple).join("security/pam_pwdfile.so"));
        // PAM reads its services from one place only.
        let service = format!("backstay-lab-{:08x}", rand::random::<u32>());
        let pam = PathBuf::from("/etc/pam.d").join(&service);
        fs::write(&pam, format!("auth required {module} pwdfile={users}\naccount required pam_permit.so\n"))?;
        let tls = match options.tls {
            TlsMode::None => String::new(),
            mode => format!(
                "ssl_enable=YES\nrsa_cert_file={both}\nforce_local_data_ssl=YES\nforce_local_logins_ssl=YES\n\
                 require_ssl_reuse=YES\nssl_ciphers=HIGH\n{implicit}",
                both = text(&certificate.both),
                implicit = if mode == TlsMode::Implicit { "implicit_ssl=YES\n" } else { "" },
            ),
        };
        let most = options.most_connections.map(|most| format!("max_per_ip={most}\n")).unwrap_or_default();
        let row = server.passive.as_ref();
        let passive = row.map(|ports| format!("pasv_min_port={}\npasv_max_port={}\n", ports.start, ports.end - 1));
        let config = format!(
            "listen=YES\nbackground=NO\nlisten_address={SERVER}\nlisten_port={port}\nanonymous_enable=NO\nlocal_enable=YES\n\
             write_enable=YES\nchroot_local_user=YES\nallow_writeable_chroot=YES\npam_service_name={service}\n\
             seccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\nsecure_chroot_dir={dir}/empty\n{passive}\
             pasv_address={SERVER}\nguest_enable=YES\nguest_username={OWNER_NAME}\n\
             virtual_use_local_privs=YES\nlocal_root={dir}/root\nmdtm_write=NO\nlocal_umask=077\nftpd_banner=lab\n\
             vsftpd_log_file={dir}/log\nxferlog_enable=YES\nxferlog_std_format=NO\n{most}{extra}{tls}",
            port = server.port,
            dir = text(server.dir.path()),
            passive = passive.unwrap_or_default(),
            extra = options.extra,
        );
        let config = text(&server.write("config", &config, 0o600)?);
        let started = server.run("vsftpd", &[&config]);
        let running = Self { server, certificate, pam };
        started.map(|()| running)
    }
}

impl Drop for Vsftpd {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.pam);
    }
}

impl LabFtp for Vsftpd {
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
        self.server.logged()
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
