//! Links and attributes on this computer.

use super::files::local;
use backstay_core::entry::Entry;
use backstay_core::host::Attribute;
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::path::Path;

/// Makes a symbolic link, in the place of what is there unless that is a folder.
pub fn make_link(path: &RawPath, target: &[u8]) -> Result<()> {
    let place = local(path)?;
    let tried = || format!("Cannot make the link {} on this computer", path.to_text());
    if let Ok(there) = std::fs::symlink_metadata(&place) {
        if there.is_dir() {
            return Err(Error::new(ErrorClass::Exists, format!("{}: a folder is there", tried())));
        }
        std::fs::remove_file(&place).map_err(|e| Error::io(tried(), e))?;
    }
    link(target, &place).map_err(|e| Error::io(tried(), e))
}

/// Sets owner, mode and time, in this order: a change of the owner takes setuid away.
pub fn set_attributes(entries: &[Entry]) -> Result<Vec<(RawPath, Attribute)>> {
    let mut unset = Vec::new();
    for entry in entries {
        let place = local(&entry.path)?;
        for what in [Attribute::Owner, Attribute::Mode, Attribute::Time] {
            if set(entry, &place, what).is_err() {
                unset.push((entry.path.clone(), what));
            }
        }
    }
    Ok(unset)
}

#[cfg(unix)]
fn link(target: &[u8], place: &Path) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), place)
}

#[cfg(unix)]
fn set(entry: &Entry, place: &Path, what: Attribute) -> std::io::Result<()> {
    use backstay_core::entry::EntryType;
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
    use std::os::unix::fs::PermissionsExt;
    match what {
        Attribute::Owner => std::os::unix::fs::lchown(place, Some(entry.uid), Some(entry.gid)),
        Attribute::Mode if matches!(entry.kind, EntryType::Symlink(_)) => Ok(()),
        Attribute::Mode => std::fs::set_permissions(place, std::fs::Permissions::from_mode(entry.mode & 0o7777)),
        Attribute::Time => {
            let (seconds, nanos) = entry.mtime.to_parts();
            let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
            let times = Timestamps { last_access: time, last_modification: time };
            Ok(rustix::fs::utimensat(CWD, place, &times, AtFlags::SYMLINK_NOFOLLOW)?)
        }
    }
}

/// Making links needs a right of its own there.
#[cfg(not(unix))]
fn link(_: &[u8], _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// There are neither owners in numbers nor modes.
#[cfg(not(unix))]
fn set(entry: &Entry, place: &Path, what: Attribute) -> std::io::Result<()> {
    let Some(since) = u64::try_from(entry.mtime.0).ok().filter(|_| what == Attribute::Time) else { return Ok(()) };
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(since);
    std::fs::File::options().write(true).open(place)?.set_modified(time)
}
