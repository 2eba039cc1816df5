//! Real FTP servers on loopback: ProFTPD (MLSD, strict about TLS sessions), and vsftpd (LIST alone, hides what begins with
//! a dot, says little). They listen on an address of their own, so that a proxy can stand before every port of theirs.
//!
//! Their packages exclude one another; `scripts/lib/ftp-servers.mjs` unpacks them into the cache.

mod certificate;
mod proftpd;
mod vsftpd;

pub use certificate::{Certificate, CertificateKind};
pub use proftpd::Proftpd;
pub use vsftpd::Vsftpd;

use crate::proxy::FaultProxy;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where the servers listen.
const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Where proxies before them listen.
const PROXY: Ipv4Addr = Ipv4Addr::LOCALHOST;
const DEADLINE: Duration = Duration::from_secs(20);
/// Whom files belong to: daemon. vsftpd wants a user whose home folder is there, which nobody's is not.
const OWNER: u32 = 1;
/// Its name.
const OWNER_NAME: &str = "daemon";
/// The only user.
pub const USER: &str = "bsftp";
/// Their password.
pub const PASSWORD: &str = "pw #'\"1 ü";

/// How a lab server is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// Not at all.
    #[default]
    None,
    /// AUTH TLS, and nothing without.
    Explicit,
    /// From the first byte.
    Implicit,
}

/// What a lab server is like.
#[derive(Clone, Debug, Default)]
pub struct FtpOptions {
    /// How it is secured. Data connections must take up the control connection's session.
    pub tls: TlsMode,
    /// Which certificate it shows.
    pub certificate: CertificateKind,
    /// Data connections are made to a known row of ports, so that [`Proxies`] can stand before them.
    pub known_ports: bool,
    /// Connections of one user at most.
    pub most_connections: Option<u32>,
    /// More lines for its configuration.
    pub extra: String,
    /// The folder it serves is a file system of its own, of this size ("8m"). Needs root.
    pub tmpfs: Option<&'static str>,
}

/// What all servers have: a folder, ports, a process.
struct Server {
    dir: TempDir,
    port: u16,
    /// Ports of data connections.
    passive: Option<std::ops::Range<u16>>,
    child: Option<Child>,
    mounted: bool,
    log: PathBuf,
}

/// Returns the folder the servers were unpacked into.
fn unpacked() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::home_dir().unwrap_or_default().join(".cache");
    cache.unwrap_or_else(home).join("backstay/tools/ftp")
}

/// Tells why lab servers cannot run here, if so.
pub fn why_not() -> Option<String> {
    if !fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        return Some("needs root".into());
    }
    let missing = ["usr/sbin/proftpd", "usr/sbin/vsftpd"].into_iter().find(|name| !unpacked().join(name).exists());
    missing.map(|name| format!("{name} is not unpacked (node scripts/lib/ftp-servers.mjs)"))
}

fn failed(text: impl Into<String>) -> io::Error {
    io::Error::other(text.into())
}

impl Server {
    fn prepare(options: &FtpOptions) -> io::Result<Self> {
        let dir = TempDir::with_prefix("backstay-ftp-")?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let root = dir.path().join("root");
        fs::create_dir(&root)?;
        let mut mounted = false;
        if let Some(size) = options.tmpfs {
            let options = format!("size={size}");
            let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&root).output()?;
            mounted = mount.status.success();
            if !mounted {
                // Root of a container may not.
                let why = format!("cannot mount a tmpfs: {}", String::from_utf8_lossy(&mount.stderr).trim());
                return Err(io::Error::new(io::ErrorKind::Unsupported, why));
            }
        }
        chown(&root, Some(OWNER), Some(OWNER))?;
        let (port, passive) = if options.known_ports { free_ports()? } else { (free_port()?, None) };
        let log = dir.path().join("log");
        Ok(Self { dir, port, passive, child: None, mounted, log })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> io::Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(path)
    }

    /// Starts a program of the unpacked packages and waits until it listens.
    fn run(&mut self, program: &str, args: &[&str]) -> io::Result<()> {
        let folder = unpacked();
        let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
        let libraries = [folder.join("usr/lib").join(&triple), folder.join("lib").join(&triple)];
        let libraries: Vec<String> = libraries.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let log = fs::File::options().create(true).append(true).open(&self.log)?;
        let child = Command::new(folder.join("usr/sbin").join(program))
            .args(args)
            .env("LD_LIBRARY_PATH", libraries.join(":"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            if let Some(status) = self.child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                return Err(failed(format!("{program} ended with {status}: {}", self.logged())));
            }
            if TcpStream::connect((SERVER, self.port)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(failed(format!("{program} does not listen: {}", self.logged())))
    }

    fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        for pid in crate::ssh::descendants(child.id()) {
            crate::ssh::kill(pid);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        if self.mounted {
            let _ = Command::new("umount").arg("-l").arg(self.path("root")).status();
        }
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((SERVER, 0))?.local_addr()?.port())
}

/// Finds a port to listen on and a row of ports for data connections, free at both addresses.
fn free_ports() -> io::Result<(u16, Option<std::ops::Range<u16>>)> {
    const ROW: u16 = 60;
    for _ in 0..200 {
        let first = 10_000 + rand::random::<u16>() % 20_000;
        let free = |port| TcpListener::bind((SERVER, port)).is_ok() && TcpListener::bind((PROXY, port)).is_ok();
        if (first..=first + ROW).all(free) {
            return Ok((first, Some(first + 1..first + 1 + ROW)));
        }
    }
    Err(failed("no row of ports is free"))
}

/// What tests use of a running server.
pub trait LabFtp {
    /// Returns the address and port to connect to.
    fn address(&self) -> (String, u16);
    /// Returns the folder that is the user's log-in folder.
    fn root(&self) -> PathBuf;
    /// Returns the ports data connections are made to.
    fn passive_ports(&self) -> std::ops::Range<u16>;
    /// Returns what it logged.
    fn log(&self) -> String;
    /// Returns its certificate.
    fn certificate(&self) -> &Certificate;
    /// Ends all sessions, but not the server.
    fn drop_sessions(&self);
}

/// Proxies before all ports of a server, control and data.
pub struct Proxies {
    /// Before the control connection's port.
    pub control: FaultProxy,
    /// Before the data connections' ports.
    pub data: Vec<FaultProxy>,
}

impl Proxies {
    /// Stands before a server.
    pub async fn before(server: &impl LabFtp) -> io::Result<Self> {
        let (_, port) = server.address();
        let control = FaultProxy::start_at(SocketAddr::from((PROXY, 0)), SocketAddr::from((SERVER, port))).await?;
        let mut data = Vec::new();
        for port in server.passive_ports() {
            data.push(FaultProxy::start_at(SocketAddr::from((PROXY, port)), SocketAddr::from((SERVER, port))).await?);
        }
        Ok(Self { control, data })
    }
    /// Changes the behaviour of data connections.
    pub fn set_data(&self, change: impl Fn(&mut crate::proxy::Faults)) {
        for proxy in &self.data {
            proxy.set(&change);
        }
    }
    /// Ends all data connections there are now.
    pub fn cut_data(&self) {
        for proxy in &self.data {
            proxy.cut_now();
        }
    }
}

fn hashed_password() -> io::Result<String> {
    let output = Command::new("openssl").args(["passwd", "-6", PASSWORD]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
