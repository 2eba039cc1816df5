//! A symbolic link in a database's place: the database is where it leads.

use crate::gnu::Tools;
use backstay_core::entry::{Entry, EntryType};
use backstay_core::host::{Command, Host, run};
use backstay_core::{Error, ErrorClass, RawPath, Result};

/// Returns where a path leads, which may be a place where nothing is yet; the path itself where no link stands.
pub(super) async fn followed(host: &dyn Host, path: &RawPath) -> Result<RawPath> {
    match host.stat(path).await {
        Ok(entry) if matches!(entry.kind, EntryType::Symlink(_)) => {}
        Err(error) if error.class.ends_the_run() => return Err(error),
        // Where nothing can be seen, who goes on says why.
        _ => return Ok(path.clone()),
    }
    let output = run(host, Command::new("readlink").arg("-f").arg(path.as_bytes()), b"").await?;
    match output.stdout.strip_suffix(b"\n") {
        Some(real) if output.status.success() => Ok(RawPath::new(real)?),
        _ => {
            let why = format!("Cannot follow the link {path} on {}: it leads to no folder that is there", host.label());
            let hint = "Make the folder it leads to, or remove the link, then try again";
            Err(Error::new(ErrorClass::Missing, why).hint(hint).detail(output.stderr))
        }
    }
}

/// Returns where a database is to be written, as [`followed`] does. An account that was broken into could have root write
/// anywhere by a link, so one counts that root or we ourselves made, or the owner of the folder it leads to.
pub(super) async fn target(host: &dyn Host, path: &RawPath) -> Result<RawPath> {
    let real = followed(host, path).await?;
    if real == *path {
        return Ok(real);
    }
    let by = host.stat(path).await?.uid;
    let folder = real.parent().unwrap_or_default();
    if by == 0 || by == host.stat(&folder).await?.uid || Some(by) == Tools::probe(host).await?.uid {
        return Ok(real);
    }
    let why = format!(
        "Cannot restore {path} on {}: it is a link of another account (uid {by}) to {real}, in a folder that is not its own",
        host.label()
    );
    Err(Error::new(ErrorClass::Refused, why).hint("If that is right, give the link to root (chown -h); else remove it"))
}

/// Returns what is known of the file a path leads to.
pub(super) async fn stat(host: &dyn Host, path: &RawPath) -> Result<Entry> {
    host.stat(&followed(host, path).await?).await
}
