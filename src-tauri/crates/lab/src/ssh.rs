//! Real OpenSSH servers on loopback, with users of their own. They need root.

use backstay_core::config::{SshAuth, SshConnection, SshJump, Sudo};
use backstay_core::secret::Secret;
use std::fs;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The start of every name of a user that may only use SFTP, below a chroot.
const SFTP_PREFIX: &str = "bsf";
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

/// What a lab user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SudoRight {
    /// No sudo.
    None,
    /// Everything, without a password.
    WithoutPassword,
    /// Everything, with the password.
    WithPassword,
}

/// A user of this machine, made for one test.
#[derive(Clone, Debug)]
pub struct LabUser {
    /// Name.
    pub name: String,
    /// Password.
    pub password: Secret,
    /// Home folder.
    pub home: PathBuf,
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

    /// Makes a user with a home folder, a password and the server's key authorised.
    pub fn add_user(&self, sudo: SudoRight) -> LabUser {
        self.new_user("bsu", "/bin/bash", sudo)
    }
    /// Makes a user whose log-in shell is this program.
    pub fn add_user_with_shell(&self, shell: &str) -> LabUser {
        self.new_user("bsu", shell, SudoRight::None)
    }
    /// Makes a user who may only use SFTP, shut into a chroot; its files lie in `home`, which it sees as `/files`.
    #[allow(clippy::expect_used)]
    pub fn add_sftp_user(&self) -> LabUser {
        let mut user = self.new_user(SFTP_PREFIX, "/usr/sbin/nologin", SudoRight::None);
        let files = self.chroot.join("files");
        fs::create_dir_all(&files).expect("the chroot's folder");
        succeed(Command::new("chown").arg(&user.name).arg(&files));
        user.home = files;
        user
    }
    /// Returns root, with the server's key authorised and no password.
    pub fn root(&self) -> LabUser {
        self.authorize("root");
        LabUser { name: "root".into(), password: Secret::new(""), home: "/root".into() }
    }

    #[allow(clippy::expect_used)]
    fn new_user(&self, prefix: &str, shell: &str, sudo: SudoRight) -> LabUser {
        let name = format!("{prefix}{:010x}", rand::random::<u64>() & 0xff_ffff_ffff);
        let password = format!("pw {:08x}'\"\\", rand::random::<u32>());
        // Both tools give up at once while another process holds /etc/passwd.
        retry(|| run(Command::new("/usr/sbin/useradd").args(["-m", "-s", shell, &name]), b""));
        retry(|| run(&mut Command::new("/usr/sbin/chpasswd"), format!("{name}:{password}\n").as_bytes()));
        let user =
            LabUser { home: PathBuf::from("/home").join(&name), password: Secret::new(password), name: name.clone() };
        lock(&self.users).push(user.clone());
        self.authorize(&name);
        let right = match sudo {
            SudoRight::None => return user,
            SudoRight::WithoutPassword => "NOPASSWD: ALL",
            SudoRight::WithPassword => "ALL",
        };
        let file = PathBuf::from("/etc/sudoers.d").join(&name);
        fs::write(&file, format!("{name} ALL=(ALL) {right}\n")).expect("a sudoers file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).expect("its mode");
        user
    }

    #[allow(clippy::expect_used)]
    fn authorize(&self, name: &str) {
        let key = fs::read(self.dir.path().join("user_key.pub")).expect("the user key");
        self.authorize_key(name, &key);
    }

    /// Authorises one more public key (the content of a `.pub` file) for a user.
    #[allow(clippy::expect_used)]
    pub fn authorize_key(&self, name: &str, public_key: &[u8]) {
        let file = self.dir.path().join("auth").join(name);
        let mut lines = fs::read(&file).unwrap_or_default();
        lines.extend_from_slice(public_key);
        fs::write(&file, lines).expect("the authorised keys");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("their mode");
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
        for user in lock(&self.users).iter() {
            let _ = fs::remove_file(PathBuf::from("/etc/sudoers.d").join(&user.name));
            retry(|| run(Command::new("/usr/sbin/userdel").args(["-f", "-r", &user.name]), b""));
        }
        let _ = fs::remove_dir_all(&self.chroot);
    }
}

/// Returns the command lines of all processes of this machine, arguments separated by blanks: what any user of a server
/// could see.
pub fn process_list() -> Vec<String> {
    let mut lines = Vec::new();
    for item in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if item.file_name().to_string_lossy().parse::<u32>().is_ok()
            && let Ok(line) = fs::read(item.path().join("cmdline"))
        {
            lines.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    lines
}

/// Makes a key pair. `kind` as for `ssh-keygen -t`.
pub fn keygen(file: &Path, kind: &str, passphrase: &str) -> io::Result<()> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(file);
    if kind == "rsa" {
        command.args(["-b", "2048"]);
    }
    let output = run(&mut command, b"")?;
    if output.status.success() { Ok(()) } else { Err(io::Error::other(String::from_utf8_lossy(&output.stderr))) }
}

/// Returns the fingerprint of a public key file.
#[allow(clippy::expect_used)]
pub fn fingerprint_of(public_key: &Path) -> String {
    let output = run(Command::new("ssh-keygen").arg("-lf").arg(public_key), b"").expect("ssh-keygen");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().nth(1).expect("a fingerprint").to_owned()
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

fn run(command: &mut Command, stdin: &[u8]) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        let _ = pipe.write_all(stdin);
    }
    child.wait_with_output()
}

#[allow(clippy::panic)]
fn retry(mut work: impl FnMut() -> io::Result<Output>) {
    let end = Instant::now() + DEADLINE;
    loop {
        let said = match work() {
            // 12: userdel could not remove a mail spool that never was.
            Ok(output) if output.status.success() || output.status.code() == Some(12) => return,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        if Instant::now() > end {
            // Clean-up runs while a failed test unwinds: a second panic would hide the first.
            if std::thread::panicking() {
                return;
            }
            panic!("gave up: {said}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[allow(clippy::panic)]
fn succeed(command: &mut Command) {
    match run(command, b"") {
        Ok(output) if output.status.success() => {}
        other => panic!("{command:?}: {other:?}"),
    }
}

pub(crate) fn kill(pid: u32) {
    let _ = run(Command::new("kill").arg("-KILL").arg(pid.to_string()), b"");
}

/// All processes below one, by their parents in /proc.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for item in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = item.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = fs::read_to_string(item.path().join("stat")) else { continue };
        // The name stands in brackets and may hold anything; the parent is the second field after it.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (pid, parent)));
    }
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.remove(0);
    found
}
