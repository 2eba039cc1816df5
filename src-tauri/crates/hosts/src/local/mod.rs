//! This computer as a host.

mod attributes;
mod files;
mod input;

use async_trait::async_trait;
use backstay_core::entry::{ByteStream, Entry};
use backstay_core::host::{
    Attribute, Command, ExitStatus, Findings, Host, HostCapabilities, Process, ProcessControl, Space,
};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::process::Stdio;
use tokio::io::AsyncRead;

/// This computer. Commands are its processes, file calls go to its file system.
pub struct Local {
    label: String,
    findings: Findings,
}

impl Local {
    /// Makes the host; `label` is the server's name.
    pub fn new(label: &str) -> Self {
        Self { label: label.to_owned(), findings: Findings::default() }
    }

    /// Runs a blocking file call away from the async workers.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        tokio::task::spawn_blocking(work).await.map_err(|e| {
            Error::new(ErrorClass::Internal, format!("A file call on {} broke off", self.label)).source(e)
        })?
    }
}

#[async_trait]
impl Host for Local {
    fn label(&self) -> &str {
        &self.label
    }
    fn capabilities(&self) -> HostCapabilities {
        HostCapabilities { commands: true, files: true }
    }
    fn route(&self) -> String {
        "on this computer".to_owned()
    }
    fn findings(&self) -> &Findings {
        &self.findings
    }
    async fn start(&self, command: Command) -> Result<Process> {
        start(&self.label, &command)
    }
    async fn list(&self, dir: &RawPath) -> Result<Vec<Entry>> {
        let dir = dir.clone();
        self.blocking(move || files::list(&dir)).await
    }
    async fn stat(&self, path: &RawPath) -> Result<Entry> {
        let path = path.clone();
        self.blocking(move || files::stat(&path)).await
    }
    async fn read(&self, path: &RawPath) -> Result<ByteStream> {
        let path = path.clone();
        let file = self.blocking(move || files::open(&path)).await?;
        Ok(Box::new(tokio::io::BufReader::with_capacity(256 * 1024, tokio::fs::File::from_std(file))))
    }
    async fn write(&self, path: &RawPath, mode: u32, content: &mut (dyn AsyncRead + Send + Unpin)) -> Result<u64> {
        files::write(path, mode, content).await
    }
    async fn make_dir(&self, path: &RawPath) -> Result<()> {
        let path = path.clone();
        self.blocking(move || files::make_dir(&path)).await
    }
    async fn make_link(&self, path: &RawPath, target: &[u8]) -> Result<()> {
        let (path, target) = (path.clone(), target.to_vec());
        self.blocking(move || attributes::make_link(&path, &target)).await
    }
    async fn set_attributes(&self, entries: &[Entry]) -> Result<Vec<(RawPath, Attribute)>> {
        let entries = entries.to_vec();
        self.blocking(move || attributes::set_attributes(&entries)).await
    }
    async fn remove(&self, path: &RawPath) -> Result<()> {
        let path = path.clone();
        self.blocking(move || files::remove(&path)).await
    }
    async fn space(&self, path: &RawPath) -> Result<Space> {
        let path = path.clone();
        self.blocking(move || files::space(&path)).await
    }
    async fn close(&self) {}
}

fn start(label: &str, command: &Command) -> Result<Process> {
    // Checks names and values as for every other host, so that a command that runs here runs anywhere.
    crate::argv::lower(command)?;
    let program = command.program();
    let tried = || format!("Cannot start {program} on {label}");
    let mut args = command.argv.iter();
    let mut child = tokio::process::Command::new(os_string(args.next().map_or(&[][..], Vec::as_slice))?);
    for arg in args {
        child.arg(os_string(arg)?);
    }
    // Ours alone: it opens the sealed file.
    child.env_remove("BACKSTAY_PASSPHRASE");
    child.env("LC_ALL", "C").envs(command.env.iter().map(|(name, value)| (name, value)));
    child.envs(command.secret_env.iter().map(|(name, value)| (name, value.expose())));
    child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    child.process_group(0);
    let mut child = child.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(ErrorClass::Unsupported, format!("{}: there is no program {program} there", tried()))
        }
        _ => Error::io(tried(), e),
    })?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Error::new(ErrorClass::Internal, format!("{}: it has no pipes", tried())));
    };
    widen(&stdin);
    widen(&stdout);
    Ok(Process {
        stdin: Box::new(input::Input::new(stdin)),
        stdout: Box::new(stdout),
        stderr: Box::new(stderr),
        control: Box::new(Child { child, tried: tried() }),
    })
}

/// Makes a pipe as wide as Linux lets anybody: at the usual 64 KiB both ends wake one another thousands of times for a
/// gigabyte. A refusal changes nothing but the speed.
#[cfg(target_os = "linux")]
fn widen(pipe: impl std::os::fd::AsFd) {
    const PIPE_BYTES: usize = 1 << 20;
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
}

#[cfg(not(target_os = "linux"))]
fn widen<T>(_: &T) {}

#[cfg(unix)]
fn os_string(bytes: &[u8]) -> Result<std::ffi::OsString> {
    use std::os::unix::ffi::OsStringExt;
    Ok(std::ffi::OsString::from_vec(bytes.to_vec()))
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> Result<std::ffi::OsString> {
    String::from_utf8(bytes.to_vec()).map(Into::into).map_err(|_| {
        Error::new(
            ErrorClass::Invalid,
            format!("Cannot use {} on this computer: it is not UTF-8", backstay_core::path::escape(bytes)),
        )
    })
}

struct Child {
    child: tokio::process::Child,
    tried: String,
}

impl Child {
    /// Ends the whole group: a shell's children hold its pipes open otherwise.
    fn end_group(&mut self) {
        #[cfg(unix)]
        if let Some(pid) =
            self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            // TERM first: sudo hands it on to what it runs; KILL for whoever ignores it.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::TERM);
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
        let _ = self.child.start_kill();
    }
}

#[async_trait]
impl ProcessControl for Child {
    async fn wait(&mut self) -> Result<ExitStatus> {
        let status = self.child.wait().await.map_err(|e| Error::io(&self.tried, e))?;
        Ok(match status.code().and_then(|code| u32::try_from(code).ok()) {
            Some(code) => ExitStatus::Code(code),
            None => ExitStatus::Signal,
        })
    }
    async fn kill(&mut self) {
        self.end_group();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // `id` is gone once the child was waited for, so no other process can be hit.
        if self.child.id().is_some() {
            self.end_group();
        }
    }
}
