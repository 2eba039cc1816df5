//! A host in memory: commands answer from a script, files lie in a map, every call is recorded.

use async_trait::async_trait;
use backstay_core::entry::{ByteStream, Entry, EntryType, TimeNs};
use backstay_core::host::{
    Attribute, Command, ExitStatus, Findings, Host, HostCapabilities, Process, ProcessControl, Space,
};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep};

/// What a scripted command does.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit status; `None` is a connection lost after the output.
    pub status: Option<ExitStatus>,
    /// How long it says nothing at first.
    pub silence: Duration,
}

impl Answer {
    /// A command that prints this and ends well.
    pub fn ok(stdout: impl Into<Vec<u8>>) -> Self {
        Self { stdout: stdout.into(), stderr: Vec::new(), status: Some(ExitStatus::Code(0)), silence: Duration::ZERO }
    }
    /// A command that complains and fails.
    pub fn fail(code: u32, stderr: impl Into<Vec<u8>>) -> Self {
        Self { stderr: stderr.into(), status: Some(ExitStatus::Code(code)), ..Self::ok("") }
    }
    /// A command whose connection is lost after this output.
    pub fn lost(stdout: impl Into<Vec<u8>>) -> Self {
        Self { status: None, ..Self::ok(stdout) }
    }
    /// The same after a silence, by tokio's clock.
    #[must_use]
    pub fn after(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }
}

/// A command that was started, and what was written to its stdin so far.
#[derive(Clone, Debug)]
pub struct Started {
    /// The command as it came.
    pub command: Command,
    /// Its input.
    pub stdin: Vec<u8>,
    /// Whether its input was shut down.
    pub stdin_ended: bool,
}

impl Started {
    /// Returns the arguments as text, separated by blanks.
    pub fn line(&self) -> String {
        let words: Vec<_> = self.command.argv.iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
        words.join(" ")
    }
}

type Rule = Box<dyn Fn(&str) -> Option<Answer> + Send + Sync>;

/// A host in memory.
pub struct FakeHost {
    rules: Mutex<Vec<Rule>>,
    started: Arc<Mutex<Vec<Started>>>,
    files: Mutex<BTreeMap<RawPath, (Entry, Vec<u8>)>>,
    capabilities: HostCapabilities,
    findings: Findings,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self {
            rules: Mutex::default(),
            started: Arc::default(),
            files: Mutex::default(),
            capabilities: HostCapabilities { commands: true, files: true },
            findings: Findings::default(),
        }
    }
}

impl FakeHost {
    /// A host that runs no commands, as an SFTP-only account.
    pub fn without_commands() -> Self {
        Self { capabilities: HostCapabilities { commands: false, files: true }, ..Self::default() }
    }
    /// Answers every command whose line (arguments separated by blanks) holds `part`. The rule added last goes first; a
    /// command no rule knows ends with 127, as in a shell.
    pub fn on(&self, part: &str, answer: Answer) -> &Self {
        let part = part.to_owned();
        self.on_line(move |line| line.contains(&part).then(|| answer.clone()))
    }
    /// Answers by a function of the command's line.
    pub fn on_line(&self, rule: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> &Self {
        lock(&self.rules).push(Box::new(rule));
        self
    }
    /// Puts a file there, with plain metadata.
    pub fn put_file(&self, path: &RawPath, content: impl Into<Vec<u8>>) -> &Self {
        let content = content.into();
        let mut entry = Entry::plain(path.clone(), EntryType::File, 0o644, TimeNs::default());
        entry.size_bytes = content.len() as u64;
        self.put(entry, content)
    }
    /// Puts any entry there.
    pub fn put(&self, entry: Entry, content: Vec<u8>) -> &Self {
        lock(&self.files).insert(entry.path.clone(), (entry, content));
        self
    }
    /// Returns a file's content.
    pub fn file(&self, path: &RawPath) -> Option<Vec<u8>> {
        lock(&self.files).get(path).map(|(_, content)| content.clone())
    }
    /// Returns every command started so far.
    pub fn started(&self) -> Vec<Started> {
        lock(&self.started).clone()
    }

    fn find(&self, path: &RawPath) -> Result<(Entry, Vec<u8>)> {
        lock(&self.files).get(path).cloned().ok_or_else(|| {
            Error::new(ErrorClass::Missing, format!("Cannot find {} on fake: there is no such file", path.to_text()))
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Host for FakeHost {
    fn label(&self) -> &str {
        "fake"
    }
    fn capabilities(&self) -> HostCapabilities {
        self.capabilities
    }
    fn route(&self) -> String {
        "in memory".to_owned()
    }
    fn findings(&self) -> &Findings {
        &self.findings
    }
    async fn start(&self, command: Command) -> Result<Process> {
        if !self.capabilities.commands {
            return Err(Error::new(ErrorClass::Unsupported, "Cannot run a command on fake: there is no shell"));
        }
        let started = Started { command, stdin: Vec::new(), stdin_ended: false };
        let line = started.line();
        let answer = lock(&self.rules)
            .iter()
            .rev()
            .find_map(|rule| rule(&line))
            .unwrap_or_else(|| Answer::fail(127, format!("sh: {line}: not found")));
        let mut all = lock(&self.started);
        all.push(started);
        let stdin = Recorder { all: self.started.clone(), at: all.len() - 1 };
        drop(all);
        let speaks = Instant::now() + answer.silence;
        let silence = Silence(Box::pin(tokio::time::sleep_until(speaks)));
        let stdout: ByteStream = if answer.status.is_none() {
            Box::new(silence.chain(Cursor::new(answer.stdout)).chain(Broken))
        } else {
            Box::new(silence.chain(Cursor::new(answer.stdout)))
        };
        Ok(Process {
            stdin: Box::new(stdin),
            stdout,
            stderr: Box::new(Cursor::new(answer.stderr)),
            control: Box::new(Scripted { status: answer.status, speaks }),
        })
    }
    async fn list(&self, dir: &RawPath) -> Result<Vec<Entry>> {
        let files = lock(&self.files);
        Ok(files.values().filter(|(e, _)| e.path.parent().as_ref() == Some(dir)).map(|(e, _)| e.clone()).collect())
    }
    async fn stat(&self, path: &RawPath) -> Result<Entry> {
        self.find(path).map(|(entry, _)| entry)
    }
    async fn read(&self, path: &RawPath) -> Result<ByteStream> {
        self.find(path).map(|(_, content)| Box::new(Cursor::new(content)) as ByteStream)
    }
    async fn write(&self, path: &RawPath, mode: u32, content: &mut (dyn AsyncRead + Send + Unpin)) -> Result<u64> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).await.map_err(|e| Error::io("Cannot read what to write on fake", e))?;
        let mut entry = Entry::plain(path.clone(), EntryType::File, mode, TimeNs::default());
        entry.size_bytes = bytes.len() as u64;
        let size = entry.size_bytes;
        self.put(entry, bytes);
        Ok(size)
    }
    async fn make_dir(&self, path: &RawPath) -> Result<()> {
        self.put(Entry::plain(path.clone(), EntryType::Dir, 0o755, TimeNs::default()), Vec::new());
        Ok(())
    }
    async fn make_link(&self, path: &RawPath, target: &[u8]) -> Result<()> {
        if self.find(path).is_ok_and(|(there, _)| there.is_dir()) {
            return Err(Error::new(ErrorClass::Exists, "Cannot make a link on fake: a folder is there"));
        }
        let kind = EntryType::Symlink(target.to_vec());
        self.put(Entry::plain(path.clone(), kind, 0o777, TimeNs::default()), Vec::new());
        Ok(())
    }
    async fn set_attributes(&self, entries: &[Entry]) -> Result<Vec<(RawPath, Attribute)>> {
        let mut files = lock(&self.files);
        for entry in entries {
            if let Some((there, _)) = files.get_mut(&entry.path) {
                (there.mode, there.mtime, there.uid, there.gid) = (entry.mode, entry.mtime, entry.uid, entry.gid);
            }
        }
        Ok(Vec::new())
    }
    async fn remove(&self, path: &RawPath) -> Result<()> {
        self.find(path)?;
        lock(&self.files).remove(path);
        Ok(())
    }
    async fn space(&self, _: &RawPath) -> Result<Space> {
        Ok(Space { total_bytes: 1 << 40, free_bytes: 1 << 39 })
    }
    async fn close(&self) {}
}

struct Scripted {
    status: Option<ExitStatus>,
    speaks: Instant,
}

#[async_trait]
impl ProcessControl for Scripted {
    async fn wait(&mut self) -> Result<ExitStatus> {
        tokio::time::sleep_until(self.speaks).await;
        self.status
            .ok_or_else(|| Error::new(ErrorClass::Offline, "Cannot run a command on fake: the connection was lost"))
    }
    async fn kill(&mut self) {
        self.status = Some(ExitStatus::Signal);
        self.speaks = Instant::now();
    }
}

/// A stream that ends when its time has come.
struct Silence(Pin<Box<Sleep>>);

impl AsyncRead for Silence {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

struct Broken;

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()))
    }
}

struct Recorder {
    all: Arc<Mutex<Vec<Started>>>,
    at: usize,
}

impl AsyncWrite for Recorder {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        lock(&self.all)[self.at].stdin.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        lock(&self.all)[self.at].stdin_ended = true;
        Poll::Ready(Ok(()))
    }
}
