//! A host: a place where a command can run and bytes can stream. Local, SSH, sudo, later a container or a pod.

use crate::entry::{ByteStream, Entry};
use crate::error::{Error, ErrorClass, Result};
use crate::path::RawPath;
use crate::secret::Secret;
use async_trait::async_trait;
use std::any::{Any, TypeId};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A command: an argument vector, never a string glued together.
///
/// Secrets travel in `secret_env` (the environment of the remote process, fed over stdin by the host) or in
/// `secret_stdin` (written to stdin before the payload), never in `argv`.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// Program and arguments, raw bytes.
    pub argv: Vec<Vec<u8>>,
    /// Environment that is not secret. `LC_ALL=C` is set by every host unless given here.
    pub env: Vec<(String, String)>,
    /// Environment that is secret. Values must not hold a newline or NUL.
    pub secret_env: Vec<(String, Secret)>,
    /// Much passes that packs well: the host may pack it on its way, where its line is slower than packing.
    pub packable: bool,
}

impl Command {
    /// Makes a command from its program.
    pub fn new(program: impl AsRef<[u8]>) -> Self {
        Self { argv: vec![program.as_ref().to_vec()], ..Self::default() }
    }
    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<[u8]>) -> Self {
        self.argv.push(arg.as_ref().to_vec());
        self
    }
    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<[u8]>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.argv.extend(args.into_iter().map(|arg| arg.as_ref().to_vec()));
        self
    }
    /// Adds a variable that is not secret.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
    /// Adds a secret variable.
    #[must_use]
    pub fn secret_env(mut self, name: &str, value: Secret) -> Self {
        self.secret_env.push((name.into(), value));
        self
    }
    /// Says that much passes that packs well; see [`Command::packable`].
    #[must_use]
    pub fn packable(mut self) -> Self {
        self.packable = true;
        self
    }
    /// Makes a command that runs a POSIX `sh` script; `$1`, `$2`, … are `args`. The script text must be constant: data
    /// goes into `args`.
    pub fn sh<A: AsRef<[u8]>>(script: &'static str, args: impl IntoIterator<Item = A>) -> Self {
        Self::new("sh").arg("-c").arg(script).arg("sh").args(args)
    }
    /// Returns the program's name for messages.
    pub fn program(&self) -> String {
        self.argv.first().map(|p| crate::path::escape(p)).unwrap_or_default()
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It returned this code.
    Code(u32),
    /// A signal ended it.
    Signal,
}

impl ExitStatus {
    /// Tells whether it returned 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl std::fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal => f.write_str("ended by a signal"),
        }
    }
}

/// Ends and awaits a running command.
#[async_trait]
pub trait ProcessControl: Send {
    /// Waits for the end. A lost connection is an `Offline` error, never a made-up status.
    async fn wait(&mut self) -> Result<ExitStatus>;
    /// Ends the command, or at least the channel it talks over. May be called twice.
    async fn kill(&mut self);
}

/// A running command. Dropping it kills the command.
pub struct Process {
    /// Its standard input; shut it down (`AsyncWriteExt::shutdown`) to signal the end.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard output.
    pub stdout: ByteStream,
    /// Its standard error.
    pub stderr: ByteStream,
    /// Its end.
    pub control: Box<dyn ProcessControl>,
}

impl Process {
    /// Ends a command nobody wants more of, and waits until it is gone: what it ran over is free for the next one then.
    pub async fn end(mut self) {
        self.control.kill().await;
        // How it ended does not matter.
        let _ = self.control.wait().await;
    }
}

/// What a short command said.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error, of more than 64 KiB its begin and its end.
    pub stderr: String,
}

impl Output {
    /// Returns standard output as text, invalid UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// What a host offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostCapabilities {
    /// Commands can run.
    pub commands: bool,
    /// Files can be listed, read and written by the host itself (SFTP or the local file system).
    pub files: bool,
}

/// Free and total room of the file system a path lies on, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Total.
    pub total_bytes: u64,
    /// Free for the user we are.
    pub free_bytes: u64,
}

/// What was found out about a host, so that it is asked for once while it is connected. One value of each type.
#[derive(Default)]
pub struct Findings(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Findings {
    /// Returns what is known.
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&TypeId::of::<T>()).cloned();
        found?.downcast_ref::<T>().cloned()
    }
    /// Keeps what was found.
    pub fn keep<T: Clone + Send + Sync + 'static>(&self, found: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(TypeId::of::<T>(), Arc::new(found));
    }
}

/// What a file has beside its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribute {
    /// User and group.
    Owner,
    /// Permission bits.
    Mode,
    /// When it was changed last.
    Time,
}

impl std::fmt::Display for Attribute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Owner => "owner",
            Self::Mode => "mode",
            Self::Time => "time",
        })
    }
}

/// A place where commands run and bytes stream.
///
/// All calls may run at the same time. A lost connection is `Offline`; the next call may reconnect by itself, a running
/// process never resumes. File calls work on absolute paths and do not follow the last symlink (`read` does, so that
/// `/etc/os-release` can be read), and report an absent path as `Missing`.
#[async_trait]
pub trait Host: Send + Sync {
    /// Returns how messages name it: the server's name, with "as root" where sudo is used.
    fn label(&self) -> &str;
    /// Returns what it offers.
    fn capabilities(&self) -> HostCapabilities;
    /// Returns the route in words, for the test result: "over SSH to root@10.0.0.5:22 through bastion".
    fn route(&self) -> String;
    /// Returns what was found out about it so far.
    fn findings(&self) -> &Findings;
    /// Starts a command. `Unsupported` where `capabilities().commands` is false.
    async fn start(&self, command: Command) -> Result<Process>;
    /// Lists a folder, without `.` and `..`; entries' paths are absolute, unsorted.
    async fn list(&self, dir: &RawPath) -> Result<Vec<Entry>>;
    /// Returns what is known of one path.
    async fn stat(&self, path: &RawPath) -> Result<Entry>;
    /// Opens a regular file for reading from its start. A pipe, device or folder is `Invalid`. A stream whose source breaks
    /// off ends with an error, never as if the file were short.
    async fn read(&self, path: &RawPath) -> Result<ByteStream>;
    /// Writes a file whole: into a temporary name beside it, mode set, synced where the host can, then renamed over it.
    async fn write(&self, path: &RawPath, mode: u32, content: &mut (dyn AsyncRead + Send + Unpin)) -> Result<u64>;
    /// Makes a folder and those above it; one that is there already is fine.
    async fn make_dir(&self, path: &RawPath) -> Result<()>;
    /// Makes a symbolic link, in the place of a file or link of that name. A folder of that name is `Exists`.
    async fn make_link(&self, path: &RawPath, target: &[u8]) -> Result<()>;
    /// Gives each path the owner, mode and time of its entry, links not followed and their mode left alone. Where the host
    /// is a shell, an owner's name counts before its number. Times may be set to whole seconds. Returns what could not be set.
    async fn set_attributes(&self, entries: &[Entry]) -> Result<Vec<(RawPath, Attribute)>>;
    /// Removes a file, a link or an empty folder.
    async fn remove(&self, path: &RawPath) -> Result<()>;
    /// Returns the room of the file system `path` lies on, or would lie on: of one that is not there, that of the nearest
    /// folder above it. `Unsupported` where the host cannot tell.
    async fn space(&self, path: &RawPath) -> Result<Space>;
    /// Ends the connection. Later calls may open a new one.
    async fn close(&self);
}

/// The most bytes of standard output [`run`] keeps before it refuses.
pub const OUTPUT_LIMIT: usize = 64 << 20;
const STDERR_LIMIT: usize = 64 << 10;

/// Runs a short command to its end with `stdin` as its input, and returns what it said whatever its exit status.
///
/// Errors: those of [`Host::start`], a lost connection, or more than [`OUTPUT_LIMIT`] bytes of output (`Unsupported`).
pub async fn run(host: &dyn Host, command: Command, stdin: &[u8]) -> Result<Output> {
    let program = command.program();
    let mut process = host.start(command).await?;
    let mut input = process.stdin;
    let feed = async {
        // A command that ends without reading its input is not our failure: its exit status tells.
        let _ = input.write_all(stdin).await;
        let _ = input.shutdown().await;
        drop(input);
        Ok(())
    };
    let tried = || format!("Cannot run {program} on {}", host.label());
    let read = async {
        let mut stdout = Vec::new();
        let mut limited = (&mut process.stdout).take(OUTPUT_LIMIT as u64 + 1);
        limited.read_to_end(&mut stdout).await.map_err(|e| Error::io(tried(), e))?;
        if stdout.len() > OUTPUT_LIMIT {
            return Err(Error::new(ErrorClass::Unsupported, format!("{}: it printed more than 64 MiB", tried())));
        }
        Ok(stdout)
    };
    let errors = async { Ok(read_tail(&mut process.stderr, STDERR_LIMIT).await) };
    // A command whose output nobody takes any more ends neither its errors nor itself.
    match tokio::try_join!(feed, read, errors) {
        Ok(((), stdout, stderr)) => Ok(Output { status: process.control.wait().await?, stdout, stderr }),
        Err(error) => {
            process.control.kill().await;
            Err(error)
        }
    }
}

/// Like [`run`], but any exit status other than 0 is an error that carries the command's standard error as detail.
pub async fn run_ok(host: &dyn Host, command: Command, stdin: &[u8]) -> Result<Output> {
    let program = command.program();
    let output = run(host, command, stdin).await?;
    if output.status.success() {
        return Ok(output);
    }
    let refused = output.stderr.contains("ermission denied") || output.stderr.contains("not permitted");
    let missing = output.stderr.contains("No such file");
    let class = match (output.status, refused, missing) {
        (ExitStatus::Code(127), ..) => ErrorClass::Unsupported,
        (_, true, _) => ErrorClass::Refused,
        (_, _, true) => ErrorClass::Missing,
        _ => ErrorClass::Internal,
    };
    Err(Error::new(class, format!("{program} on {} failed: {}", host.label(), output.status)).detail(output.stderr))
}

/// Reads a stream to its end and keeps its begin and its end as text, about `limit` bytes in all; a line between them says
/// that something is left out. What a tool says last is often why it failed. Read errors end it quietly.
pub async fn read_tail(stream: &mut (dyn AsyncRead + Send + Unpin), limit: usize) -> String {
    let (mut head, mut tail) = (Vec::new(), VecDeque::<u8>::new());
    let mut left_out = false;
    let mut buffer = vec![0; 8192];
    while let Ok(n) = stream.read(&mut buffer).await {
        if n == 0 {
            break;
        }
        let (first, rest) = buffer[..n].split_at((limit / 2).saturating_sub(head.len()).min(n));
        head.extend_from_slice(first);
        tail.extend(rest);
        let over = tail.len().saturating_sub(limit - limit / 2);
        left_out |= over > 0;
        tail.drain(..over);
    }
    if left_out {
        head.extend_from_slice(b"\n[... left out ...]\n");
    }
    head.extend(tail);
    String::from_utf8_lossy(&head).into_owned()
}

/// Knows which host keys were accepted before.
pub trait HostKeyPins: Send + Sync {
    /// Returns the accepted fingerprint (`SHA256:…`) of a host, if any.
    fn pinned(&self, host: &str, port: u16) -> Option<String>;
}

/// A shared host.
pub type SharedHost = Arc<dyn Host>;

#[cfg(test)]
mod read_tail_tests;
