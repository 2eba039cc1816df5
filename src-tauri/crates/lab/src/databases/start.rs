//! How a server comes up and ends: what it begins with, its port, waiting for it.

use super::{failed, run};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(60);
/// Part of the templates' names: raise it when what is in them changes.
const TEMPLATE: &str = "backstay-lab-1";

/// Starts a server. Another process may take the free port between looking and binding: it then looks again.
pub(super) fn on_free_port<T>(start: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..5 {
        match start() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            started => return started,
        }
    }
    start()
}

/// Returns what a server says of its version, as a part of a file's name.
fn version_of(program: &Path) -> io::Result<String> {
    let output = Command::new(program).arg("--version").current_dir("/").stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let words = said.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    Ok(words.collect::<Vec<_>>().join("-"))
}

/// Copies the template `name` to `to`, making it first where it is not there yet. Each version of the server has its own:
/// an older one may not start with what a newer one made.
pub(super) fn from_template(
    name: &str,
    server: &Path,
    to: &Path,
    make: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let uid = fs::metadata("/proc/self")?.uid();
    let base = std::env::temp_dir().join(format!("{TEMPLATE}-{name}-{}-{uid}", version_of(server)?));
    let lock = fs::File::create(base.with_extension("lock"))?;
    lock.lock()?;
    let ready = base.join("ready");
    if !ready.exists() {
        if base.exists() {
            fs::remove_dir_all(&base)?;
        }
        fs::create_dir(&base)?;
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755))?;
        make(&base.join("data"))?;
        fs::File::create(ready)?;
    }
    run(Command::new("cp").arg("-a").arg(base.join("data")).arg(to))
}

/// Waits until `is_up`, or until the server ended.
pub(super) fn wait_for(server: &mut Child, log: &Path, is_up: impl Fn() -> bool) -> io::Result<()> {
    let began = Instant::now();
    while !is_up() {
        if let Some(status) = server.try_wait()? {
            let said = fs::read_to_string(log).unwrap_or_default();
            let taken = said.to_lowercase().contains("address already in use");
            let kind = if taken { io::ErrorKind::AddrInUse } else { io::ErrorKind::Other };
            return Err(io::Error::new(kind, format!("the server ended with {status}: {said}")));
        }
        if began.elapsed() > DEADLINE {
            return Err(failed("the server did not answer in time"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Ends a server by its own signal and waits for it.
pub(super) fn end(server: &mut Child, signal: &str) {
    let _ = Command::new("kill").args([signal, &server.id().to_string()]).status();
    let began = Instant::now();
    while matches!(server.try_wait(), Ok(None)) {
        if began.elapsed() > Duration::from_secs(10) {
            let _ = server.kill();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
