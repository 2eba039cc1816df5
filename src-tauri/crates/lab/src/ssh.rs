//! Real OpenSSH servers on loopback, with users of their own. They need root.

mod keys;
mod processes;
mod users;

pub use keys::{fingerprint_of, keygen};
pub use processes::process_list;
pub(crate) use processes::{descendants, kill};
pub use users::{LabUser, SudoRight};

use backstay_core::config::{SshAuth, SshConnection, SshJump, Sudo};
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use users::SFTP_PREFIX;

const DEADLINE: Duration = Duration::from_secs(20);

/// What a lab server is like.
#[derive(Clone, Debug, Default)]
pub struct SshdOptions {
    /// Ask for passwords by keyboard-interactive (PAM) instead of the password method.
    pub keyboard_interactive: bool,
    /// Want key and password, both.
    pub two_factors: bool,
    /// Listen on this port instead of a free one.
    pub port: Option<u16>,
    /// Host key types to make; empty means ed25519 alone.
    pub host_keys: Vec<&'static str>,
    /// More lines for sshd_config.
    pub extra: String,
}

/// A running sshd. Dropping it ends it with all its sessions and removes its users.
pub struct Sshd {
    dir: TempDir,
    chroot: PathBuf,
    port: u16,
    child: Mutex<Child>,
    users: Mutex<Vec<LabUser>>,
}

/// Tells why lab servers cannot run here, if so.
pub fn why_not() -> Option<String> {
    let root = fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    if !root {
        return Some("needs root".into());
    }
    ["/usr/sbin/sshd", "/usr/bin/ssh-keygen", "/usr/sbin/useradd"]
        .into_iter()
        .find(|program| !Path::new(program).exists())
        .map(|program| format!("{program} is missing (apt install openssh-server)"))
}

impl Sshd {
    /// Starts a server with default options. Where that cannot be, prints why and returns `None`.
    pub fn start() -> Option<Self> {
        Self::start_with(&SshdOptions::default())
    }

    /// Starts a server. Where that cannot be, prints why and returns `None`; a start that should work and does not is a
    /// panic.
    #[allow(clippy::panic)]
    pub fn start_with(options: &SshdOptions) -> Option<Self> {
        if let Some(reason) = why_not() {
            println!("skipped: {reason}");
            return None;
        }
        // Another process may take the free port between looking and binding: look again.
        for _ in 0..5 {
            match Self::try_start(options) {
                Ok(server) => return Some(server),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && options.port.is_none() => continue,
                Err(error) => panic!("cannot start sshd: {error}"),
            }
        }
        panic!("cannot start sshd: no port stays free");
    }

    fn try_start(options: &SshdOptions) -> io::Result<Self> {
        let dir = TempDir::with_prefix("backstay-sshd-")?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        fs::create_dir_all("/run/sshd")?;
        fs::create_dir(dir.path().join("auth"))?;
        fs::set_permissions(dir.path().join("auth"), fs::Permissions::from_mode(0o755))?;
        let chroot = PathBuf::from(format!("/srv/test-{:08x}", rand::random::<u32>()));
        fs::create_dir_all(&chroot)?;
        fs::set_permissions(&chroot, fs::Permissions::from_mode(0o755))?;
        let types = if options.host_keys.is_empty() { &["ed25519"][..] } else { &options.host_keys };
        for kind in types {
            keygen(&dir.path().join(format!("host_{kind}")), kind, "")?;
        }
        keygen(&dir.path().join("user_key"), "ed25519", "")?;
        let port = match options.port {
            Some(port) => port,
            None => free_port()?,
        };
        let config = dir.path().join("config");
        fs::write(&config, config_text(options, types, dir.path(), &chroot, port))?;
        let child = spawn(dir.path())?;
        let server = Self { dir, chroot, port, child: Mutex::new(child), users: Mutex::default() };
        server.wait_until_up()?;
        Ok(server)
    }

    fn wait_until_up(&self) -> io::Result<()> {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            if let Some(status) = lock(&self.child).try_wait()? {
                let kind =
                    if self.log().contains("already in use") { io::ErrorKind::AddrInUse } else { io::ErrorKind::Other };
                return Err(io::Error::new(kind, format!("sshd ended with {status}: {}", self.log())));
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, self.log()))
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }
    /// Returns the server's folder of settings and keys; readable by everybody.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
    /// Returns the private key every user of this server may log in with.
    pub fn key_file(&self) -> PathBuf {
        self.dir.path().join("user_key")
    }
    /// Returns what sshd logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
    /// Returns the fingerprint of the first host key.
    #[allow(clippy::expect_used)]
    pub fn fingerprint(&self) -> String {
        let ed25519 = self.dir.path().join("host_ed25519.pub");
        let file = if ed25519.exists() {
            ed25519
        } else {
            let found = fs::read_dir(self.dir.path()).expect("the server's folder").flatten();
            let mut keys: Vec<_> = found.map(|item| item.path()).collect();
            keys.retain(|path| {
                path.to_string_lossy().contains("/host_") && path.extension().is_some_and(|e| e == "pub")
            });
            keys.pop().expect("a host key")
        };
        fingerprint_of(&file)
    }
    /// Returns the line known_hosts would hold for this server.
    #[allow(clippy::expect_used)]
    pub fn known_hosts_line(&self) -> String {
        let key = fs::read_to_string(self.dir.path().join("host_ed25519.pub")).expect("a host key");
        format!("[127.0.0.1]:{} {key}", self.port)
    }

    /// Returns how to reach this server as a user, by the server's key file, with its fingerprint pinned.
    pub fn connection(&self, user: &LabUser) -> SshConnection {
        SshConnection {
            host: "127.0.0.1".into(),
            port: self.port,
            user: user.name.clone(),
            auth: SshAuth::KeyFile { path: self.key_file().to_string_lossy().into_owned() },
            password_too: false,
            jumps: Vec::new(),
            sudo: Sudo::None,
            fingerprint: Some(self.fingerprint()),
        }
    }
    /// Returns this server as a jump host.
    pub fn as_jump(&self, user: &LabUser) -> SshJump {
        let connection = self.connection(user);
        SshJump {
            host: connection.host,
            port: connection.port,
            user: connection.user,
            auth: Some(connection.auth),
            fingerprint: connection.fingerprint,
        }
    }

    /// Sets the server up anew: the same address and users, another host key.
    #[allow(clippy::expect_used)]
    pub fn change_host_key(&self) {
        self.stop();
        let file = self.dir.path().join("host_ed25519");
        for old in [file.clone(), file.with_extension("pub")] {
            fs::remove_file(old).expect("the old host key");
        }
        keygen(&file, "ed25519", "").expect("a host key");
        *lock(&self.child) = spawn(self.dir.path()).expect("sshd again");
        self.wait_until_up().expect("the port again");
    }

    /// Ends all sessions but keeps the server: a connection lost in the midst.
    pub fn drop_sessions(&self) {
        for pid in descendants(lock(&self.child).id()) {
            kill(pid);
        }
    }
    /// Ends the server with all its sessions; the port is closed afterwards.
    pub fn stop(&self) {
        let mut child = lock(&self.child);
        for pid in descendants(child.id()) {
            kill(pid);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
        self.remove_users();
        let _ = fs::remove_dir_all(&self.chroot);
    }
}

fn config_text(options: &SshdOptions, types: &[&str], dir: &Path, chroot: &Path, port: u16) -> String {
    let d = dir.display();
    let yes = |on: bool| if on { "yes" } else { "no" };
    let mut text = format!("Port {port}\nListenAddress 127.0.0.1\nPidFile {d}/pid\nAuthorizedKeysFile {d}/auth/%u\n");
    for kind in types {
        text.push_str(&format!("HostKey {d}/host_{kind}\n"));
    }
    text.push_str(&format!(
        "StrictModes no\nUsePAM {pam}\nPasswordAuthentication {password}\nKbdInteractiveAuthentication {pam}\n\
         PermitRootLogin yes\nSubsystem sftp internal-sftp\nMaxStartups 100:30:200\nMaxSessions 100\nUseDNS no\n",
        pam = yes(options.keyboard_interactive),
        password = yes(!options.keyboard_interactive),
    ));
    if options.two_factors {
        text.push_str("AuthenticationMethods publickey,password\n");
    }
    text.push_str(&options.extra);
    text.push_str(&format!(
        "\nMatch User {SFTP_PREFIX}*\n  ChrootDirectory {}\n  ForceCommand internal-sftp -d /files\n  \
         AllowTcpForwarding no\n",
        chroot.display()
    ));
    text
}

fn spawn(dir: &Path) -> io::Result<Child> {
    let log = fs::File::create(dir.join("log"))?;
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(dir.join("config"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()
}

/// Returns a port that was free a moment ago.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
