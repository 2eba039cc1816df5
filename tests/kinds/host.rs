//! A host for tests: this computer, with faults to order.

use async_trait::async_trait;
use backstay_core::entry::{ByteStream, Entry, EntryType, TimeNs};
use backstay_core::host::{
    Attribute, Command, ExitStatus, Findings, Host, HostCapabilities, Process, ProcessControl, SharedHost, Space,
};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// Something to do in the middle of a stream.
pub type Hook = Arc<dyn Fn() + Send + Sync>;
/// What is called with a path.
pub type PathHook = Arc<dyn Fn(&std::path::Path) + Send + Sync>;

/// This computer. Fields order faults. A clone counts together with the one it is of.
#[derive(Clone, Default)]
pub struct TestHost {
    /// No commands can run: files only.
    pub files_only: bool,
    /// The standard output of this program is cut after so many bytes, and the connection counts as lost.
    pub cut: Option<(&'static str, u64)>,
    /// The standard input of commands ends after so many bytes. The command lives on, and the connection counts as lost.
    pub cut_input: Option<u64>,
    /// Set when an input was cut: from then on no command starts any more.
    pub gone: Option<Arc<AtomicBool>>,
    /// The standard output of tar passes no faster than this many bytes a second.
    pub tar_rate: Option<u64>,
    /// Is called once, when so many bytes of tar's standard output were read.
    pub at_byte: Option<(u64, Hook)>,
    /// Is called with each file that is written, before it is there.
    pub at_write: Option<PathHook>,
    /// Put in front of PATH.
    pub path: Option<std::path::PathBuf>,
    /// Standard input is a socket, as some SSH servers make it: it cannot be opened by its name.
    pub socket_stdin: bool,
    /// Commands run as this uid and gid.
    pub user: Option<u32>,
    /// Programs started, with their arguments.
    pub started: Arc<Mutex<Vec<Vec<String>>>>,
    /// Bytes that standard output of all programs gave.
    pub received: Arc<AtomicU64>,
    /// What was found out about it.
    pub known: Known,
}

/// What was found out about a host. A clone of the host may be ordered other faults: it is found out about anew.
#[derive(Default)]
pub struct Known(Findings);

impl Clone for Known {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl TestHost {
    /// Returns the same host for what keeps it.
    pub fn shared(&self) -> SharedHost {
        Arc::new(self.clone())
    }
    /// Returns how many commands were started whose program is `name`.
    pub fn count(&self, name: &str) -> usize {
        self.started.lock().unwrap().iter().filter(|argv| argv[0] == name).count()
    }
}

/// A host with GNU tools, and one that only reads and writes files.
pub fn hosts() -> [TestHost; 2] {
    [TestHost::default(), TestHost { files_only: true, ..TestHost::default() }]
}

fn real(path: &RawPath) -> std::path::PathBuf {
    OsStr::from_bytes(path.as_bytes()).into()
}

fn entry(path: RawPath) -> Result<Entry> {
    let failed = |error| Error::io(format!("Cannot look at {path}"), error);
    let meta = std::fs::symlink_metadata(real(&path)).map_err(failed)?;
    let kind = meta.file_type();
    let kind = if kind.is_dir() {
        EntryType::Dir
    } else if kind.is_symlink() {
        EntryType::Symlink(std::fs::read_link(real(&path)).map_err(failed)?.into_os_string().into_vec())
    } else if kind.is_fifo() {
        EntryType::Fifo
    } else if kind.is_socket() {
        EntryType::Socket
    } else {
        EntryType::File
    };
    let mut entry =
        Entry::plain(path, kind, meta.mode() & 0o7777, TimeNs::from_parts(meta.mtime(), meta.mtime_nsec() as u32));
    entry.size_bytes = if entry.is_file() { meta.len() } else { 0 };
    (entry.uid, entry.gid) = (meta.uid(), meta.gid());
    entry.ctime = TimeNs::from_parts(meta.ctime(), meta.ctime_nsec() as u32);
    Ok(entry)
}

#[async_trait]
impl Host for TestHost {
    fn label(&self) -> &str {
        "test-1"
    }
    fn capabilities(&self) -> HostCapabilities {
        HostCapabilities { commands: !self.files_only, files: true }
    }
    fn route(&self) -> String {
        "in this test".into()
    }
    fn findings(&self) -> &Findings {
        &self.known.0
    }
    async fn start(&self, command: Command) -> Result<Process> {
        let argv: Vec<String> = command.argv.iter().map(|a| String::from_utf8_lossy(a).into_owned()).collect();
        let program = argv[0].clone();
        if self.gone.as_ref().is_some_and(|gone| gone.load(Ordering::Relaxed)) {
            return Err(Error::new(ErrorClass::Offline, "Cannot reach test-1: it does not answer"));
        }
        // A tool named by its whole path may be run by a shell.
        let runs = |name: &str| program == name || (name.starts_with('/') && argv.iter().any(|arg| arg == name));
        let cut = self.cut.filter(|(name, _)| runs(name)).map(|(_, after)| after);
        self.started.lock().unwrap().push(argv);
        let mut process = tokio::process::Command::new(OsStr::from_bytes(&command.argv[0]));
        process.args(command.argv[1..].iter().map(|a| OsStr::from_bytes(a))).env("LC_ALL", "C").kill_on_drop(true);
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir("/");
        process.envs(command.env.iter().map(|(k, v)| (k, v)));
        process.envs(command.secret_env.iter().map(|(k, v)| (k, v.expose())));
        if let Some(path) = &self.path {
            process.env("PATH", format!("{}:{}", path.display(), std::env::var("PATH").unwrap()));
        }
        if let Some(user) = self.user {
            process.uid(user).gid(user);
        }
        let socket = if self.socket_stdin {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            process.stdin(std::os::fd::OwnedFd::from(theirs));
            Some(tokio::net::UnixStream::from_std(ours).unwrap())
        } else {
            None
        };
        let mut child = process.spawn().map_err(|e| Error::io(format!("Cannot start {program}"), e))?;
        let stdout = child.stdout.take().unwrap();
        let rate = self.tar_rate.filter(|_| program == "tar");
        let hook = self.at_byte.clone().filter(|_| program == "tar");
        let stdout = Faulty { inner: stdout, received: self.received.clone(), rate, wait: None, hook, read: 0 };
        let stdout: ByteStream = match cut {
            Some(after) => Box::new(stdout.take(after)),
            None => Box::new(stdout),
        };
        let stdin: Box<dyn AsyncWrite + Send + Unpin> = match socket {
            Some(socket) => Box::new(socket),
            None => Box::new(child.stdin.take().unwrap()),
        };
        let input_lost = self.gone.clone().unwrap_or_default();
        Ok(Process {
            stdin: match self.cut_input {
                Some(left) => Box::new(CutInput { inner: Some(stdin), left, lost: input_lost.clone() }),
                None => stdin,
            },
            stdout,
            stderr: Box::new(child.stderr.take().unwrap()),
            control: Box::new(Control { child, lost: cut.is_some(), input_lost }),
        })
    }
    async fn list(&self, dir: &RawPath) -> Result<Vec<Entry>> {
        let failed = |error| Error::io(format!("Cannot list {dir}"), error);
        let mut out = Vec::new();
        for item in std::fs::read_dir(real(dir)).map_err(failed)? {
            out.push(entry(dir.join(item.map_err(failed)?.file_name().as_bytes())?)?);
        }
        Ok(out)
    }
    async fn stat(&self, path: &RawPath) -> Result<Entry> {
        entry(path.clone())
    }
    async fn read(&self, path: &RawPath) -> Result<ByteStream> {
        let file = tokio::fs::File::open(real(path)).await;
        Ok(Box::new(file.map_err(|e| Error::io(format!("Cannot read {path}"), e))?))
    }
    async fn write(&self, path: &RawPath, mode: u32, content: &mut (dyn AsyncRead + Send + Unpin)) -> Result<u64> {
        let failed = |error| Error::io(format!("Cannot write {path}"), error);
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).await.map_err(failed)?;
        if let Some(at_write) = &self.at_write {
            at_write(&real(path));
        }
        std::fs::write(real(path), &bytes).map_err(failed)?;
        std::fs::set_permissions(real(path), std::fs::Permissions::from_mode(mode)).map_err(failed)?;
        Ok(bytes.len() as u64)
    }
    async fn make_dir(&self, path: &RawPath) -> Result<()> {
        std::fs::create_dir_all(real(path)).map_err(|e| Error::io(format!("Cannot make {path}"), e))
    }
    async fn make_link(&self, path: &RawPath, target: &[u8]) -> Result<()> {
        let _ = std::fs::remove_file(real(path));
        std::os::unix::fs::symlink(OsStr::from_bytes(target), real(path)).map_err(|e| Error::io("Cannot link", e))
    }
    async fn set_attributes(&self, entries: &[Entry]) -> Result<Vec<(RawPath, Attribute)>> {
        for entry in entries.iter().filter(|entry| !matches!(entry.kind, EntryType::Symlink(_))) {
            let mode = std::fs::Permissions::from_mode(entry.mode);
            std::fs::set_permissions(real(&entry.path), mode).map_err(|e| Error::io("Cannot set the mode", e))?;
            let (seconds, nanos) = entry.mtime.to_parts();
            let time = std::time::UNIX_EPOCH + std::time::Duration::new(seconds as u64, nanos);
            let file = std::fs::File::open(real(&entry.path)).map_err(|e| Error::io("Cannot open", e))?;
            file.set_modified(time).map_err(|e| Error::io("Cannot set the time", e))?;
        }
        Ok(Vec::new())
    }
    async fn remove(&self, path: &RawPath) -> Result<()> {
        let is_dir = self.stat(path).await?.is_dir();
        let removed = if is_dir { std::fs::remove_dir(real(path)) } else { std::fs::remove_file(real(path)) };
        removed.map_err(|e| Error::io(format!("Cannot remove {path}"), e))
    }
    async fn space(&self, _: &RawPath) -> Result<Space> {
        Err(Error::new(ErrorClass::Unsupported, "Cannot tell the room"))
    }
    async fn close(&self) {}
}

struct Control {
    child: tokio::process::Child,
    lost: bool,
    input_lost: Arc<AtomicBool>,
}

#[async_trait]
impl ProcessControl for Control {
    async fn wait(&mut self) -> Result<ExitStatus> {
        let input_lost = self.input_lost.load(Ordering::Relaxed);
        if input_lost {
            let _ = self.child.wait().await;
        }
        if self.lost || input_lost {
            let _ = self.child.start_kill();
            return Err(Error::new(ErrorClass::Offline, "Cannot reach test-1: the connection was lost"));
        }
        let status = self.child.wait().await.map_err(|e| Error::io("Cannot wait", e))?;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => ExitStatus::Code(code as u32),
            _ => ExitStatus::Signal,
        })
    }
    async fn kill(&mut self) {
        let _ = self.child.kill().await;
    }
}

/// Counts, and keeps to a rate.
struct Faulty<R> {
    inner: R,
    received: Arc<AtomicU64>,
    rate: Option<u64>,
    wait: Option<std::pin::Pin<Box<tokio::time::Sleep>>>,
    hook: Option<(u64, Hook)>,
    read: u64,
}

impl<R: AsyncRead + Unpin> AsyncRead for Faulty<R> {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        use std::task::{Poll, ready};
        let this = self.get_mut();
        if let Some(wait) = &mut this.wait {
            ready!(wait.as_mut().poll(cx));
            this.wait = None;
        }
        let before = buffer.filled().len();
        ready!(std::pin::Pin::new(&mut this.inner).poll_read(cx, buffer))?;
        let read = (buffer.filled().len() - before) as u64;
        this.received.fetch_add(read, Ordering::Relaxed);
        this.read += read;
        if let Some((_, hook)) = this.hook.take_if(|(at, _)| this.read > *at) {
            hook();
        }
        if let Some(rate) = this.rate.filter(|_| read > 0) {
            let pause = std::time::Duration::from_secs_f64(read as f64 / rate as f64);
            this.wait = Some(Box::pin(tokio::time::sleep(pause)));
        }
        Poll::Ready(Ok(()))
    }
}

/// Ends after so many bytes, for whoever reads it and for whoever writes it.
struct CutInput {
    inner: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    left: u64,
    lost: Arc<AtomicBool>,
}

impl AsyncWrite for CutInput {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        use std::task::{Poll, ready};
        let this = self.get_mut();
        let room = this.left.min(bytes.len() as u64) as usize;
        let Some(inner) = this.inner.as_mut().filter(|_| room > 0) else {
            this.inner = None;
            this.lost.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()));
        };
        let written = ready!(std::pin::Pin::new(inner).poll_write(cx, &bytes[..room]))?;
        this.left -= written as u64;
        Poll::Ready(Ok(written))
    }
    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        match self.get_mut().inner.as_mut() {
            Some(inner) => std::pin::Pin::new(inner).poll_flush(cx),
            None => std::task::Poll::Ready(Ok(())),
        }
    }
    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        match self.get_mut().inner.as_mut() {
            Some(inner) => std::pin::Pin::new(inner).poll_shutdown(cx),
            None => std::task::Poll::Ready(Ok(())),
        }
    }
}
