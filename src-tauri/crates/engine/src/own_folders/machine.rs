//! The machine whose folders are looked at: this computer, or a server a connection to is open.

use backstay_core::RawPath;
use backstay_core::host::{Command, Host, run};
use std::path::{Path, PathBuf};

/// Prints the real path of each argument but the first, NUL after each. What is not there stays as it is below the folder
/// that is. A path that does not begin with a slash lies in the log-in folder of the user `$1`.
const REAL: &str = r#"home=$(getent passwd "$1" 2>/dev/null | cut -d: -f6)
shift
for p; do
  case $p in /*) ;; *) p=${home:-$HOME}/$p ;; esac
  rest=
  while [ -n "$p" ] && ! r=$(cd -- "$p" 2>/dev/null && pwd -P && printf .); do rest=/${p##*/}$rest; p=${p%/*}; done
  if [ -n "$p" ]; then r=${r%??}; else r=; fi
  if [ "$r" = / ]; then r=; fi
  r=$r$rest
  printf '%s\0' "${r:-/}"
done"#;

/// Where folders lie and paths are looked at.
#[derive(Clone, Copy)]
pub(super) enum Machine<'a> {
    Here,
    Server(&'a dyn Host),
}

impl Machine<'_> {
    /// Resolves links, as far as a path is there. One that cannot be resolved stays as it is.
    pub async fn real(self, paths: &[RawPath]) -> Vec<RawPath> {
        let mut real = Vec::with_capacity(paths.len());
        match self {
            Self::Here => {
                for path in paths {
                    real.push(resolved(&local(path)).await.unwrap_or_else(|| path.clone()));
                }
            }
            Self::Server(host) => {
                let found = real_there(host, "", paths).await;
                real.extend(found.unwrap_or_else(|| paths.to_vec()));
            }
        }
        real
    }
}

/// Asks a server for the real paths of some: `user` is whose log-in folder a path without a slash begins in. `None` where
/// it does not tell.
pub(super) async fn real_there(host: &dyn Host, user: &str, paths: &[RawPath]) -> Option<Vec<RawPath>> {
    if !host.capabilities().commands {
        return None;
    }
    let args = std::iter::once(user.as_bytes()).chain(paths.iter().map(RawPath::as_bytes));
    let output = run(host, Command::sh(REAL, args), b"").await.ok().filter(|output| output.status.success())?;
    let real = output.stdout.split(|byte| *byte == 0).take(paths.len());
    let real: Option<Vec<RawPath>> = real.map(|path| RawPath::new(path).ok().filter(RawPath::is_absolute)).collect();
    real.filter(|real| real.len() == paths.len())
}

/// Resolves links on this computer, as far as the path is there. `None` where paths do not begin with a slash.
pub(super) async fn resolved(path: &Path) -> Option<RawPath> {
    let mut real = path.to_owned();
    for above in path.ancestors() {
        if let Ok(found) = tokio::fs::canonicalize(above).await {
            real = path.strip_prefix(above).map_or_else(|_| found.clone(), |rest| found.join(rest));
            break;
        }
    }
    RawPath::new(real.as_os_str().as_encoded_bytes()).ok().filter(RawPath::is_absolute)
}

/// Returns a path as this computer takes it, with whatever bytes are in its names.
#[cfg(unix)]
fn local(path: &RawPath) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(path.as_bytes()).into()
}

#[cfg(not(unix))]
fn local(path: &RawPath) -> PathBuf {
    String::from_utf8_lossy(path.as_bytes()).into_owned().into()
}
