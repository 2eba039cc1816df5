//! File calls on this computer.

use backstay_core::entry::{Entry, EntryType, TimeNs};
use backstay_core::host::Space;
use backstay_core::{Error, ErrorClass, RawPath, Result};
#[cfg(unix)]
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::path::PathBuf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// User and group names by number, as `/etc/passwd` and `/etc/group` tell them.
#[cfg(unix)]
struct Names {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

/// Where owners are no numbers there is nothing to name.
#[cfg(not(unix))]
struct Names;

#[cfg(not(unix))]
impl Names {
    fn read() -> Self {
        Self
    }
}

#[cfg(unix)]
impl Names {
    fn read() -> Self {
        Self { users: Self::table("/etc/passwd"), groups: Self::table("/etc/group") }
    }
    fn table(file: &str) -> HashMap<u32, String> {
        let text = std::fs::read(file).unwrap_or_default();
        let mut names = HashMap::new();
        for line in String::from_utf8_lossy(&text).lines() {
            let mut fields = line.split(':');
            if let (Some(name), Some(_), Some(Ok(id))) = (fields.next(), fields.next(), fields.next().map(str::parse)) {
                names.entry(id).or_insert_with(|| name.to_owned());
            }
        }
        names
    }
}

fn tried(verb: &str, path: &RawPath) -> String {
    format!("Cannot {verb} {} on this computer", path.to_text())
}

#[cfg(unix)]
pub(super) fn local(path: &RawPath) -> Result<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    absolute(path)?;
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(path.as_bytes())))
}

/// On Windows `/C:/Users` means `C:\Users`.
#[cfg(not(unix))]
pub(super) fn local(path: &RawPath) -> Result<PathBuf> {
    absolute(path)?;
    let text = std::str::from_utf8(path.as_bytes())
        .map_err(|_| Error::new(ErrorClass::Invalid, format!("{}: the name is not UTF-8", tried("use", path))))?;
    let text = text.trim_start_matches('/');
    Ok(PathBuf::from(if text.ends_with(':') { format!("{text}/") } else { text.to_owned() }))
}

fn absolute(path: &RawPath) -> Result<()> {
    if path.is_absolute() {
        return Ok(());
    }
    Err(Error::new(ErrorClass::Invalid, format!("{}: the path is not absolute", tried("use", path))))
}

#[cfg(unix)]
fn bytes_of(name: &std::ffi::OsStr) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    name.as_bytes().to_vec()
}

#[cfg(not(unix))]
fn bytes_of(name: &std::ffi::OsStr) -> Vec<u8> {
    name.to_string_lossy().into_owned().into_bytes()
}

/// Lists a folder.
pub fn list(dir: &RawPath) -> Result<Vec<Entry>> {
    let tried = || tried("list", dir);
    let place = local(dir)?;
    let kind = std::fs::symlink_metadata(&place).map_err(|e| Error::io(tried(), e))?;
    if !kind.is_dir() {
        return Err(Error::new(ErrorClass::Invalid, format!("{}: it is not a folder", tried())));
    }
    let names = Names::read();
    let mut entries = Vec::new();
    for item in std::fs::read_dir(&place).map_err(|e| Error::io(tried(), e))? {
        let item = item.map_err(|e| Error::io(tried(), e))?;
        let Ok(path) = dir.join(bytes_of(&item.file_name())) else { continue };
        match item.metadata() {
            Ok(metadata) => entries.push(entry(path, &item.path(), &metadata, &names)?),
            // Gone between the listing and the look at it: as if it had gone before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(tried(), error)),
        }
    }
    Ok(entries)
}

/// Returns what is known of one path.
pub fn stat(path: &RawPath) -> Result<Entry> {
    let place = local(path)?;
    let metadata = std::fs::symlink_metadata(&place).map_err(|e| not_there(tried("look at", path), e))?;
    entry(path.clone(), &place, &metadata, &Names::read())
}

/// A file where a folder should be, or links in a circle, mean that the path is not there.
fn not_there(tried: String, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotADirectory || is_link_loop(&error) {
        return Error::new(ErrorClass::Missing, format!("{tried}: there is no such file or folder")).source(error);
    }
    Error::io(tried, error)
}

#[cfg(unix)]
fn is_link_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
fn is_link_loop(_: &io::Error) -> bool {
    false
}

#[cfg(unix)]
fn entry(path: RawPath, place: &std::path::Path, metadata: &Metadata, names: &Names) -> Result<Entry> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let kind = metadata.file_type();
    let device = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    let kind = if kind.is_dir() {
        EntryType::Dir
    } else if kind.is_symlink() {
        let target = std::fs::read_link(place).map_err(|e| Error::io(tried("read the link", &path), e))?;
        EntryType::Symlink(bytes_of(target.as_os_str()))
    } else if kind.is_fifo() {
        EntryType::Fifo
    } else if kind.is_socket() {
        EntryType::Socket
    } else if kind.is_char_device() {
        EntryType::CharDevice(device.0, device.1)
    } else if kind.is_block_device() {
        EntryType::BlockDevice(device.0, device.1)
    } else {
        EntryType::File
    };
    let nanos = |nsec: i64| u32::try_from(nsec).unwrap_or(0);
    Ok(Entry {
        path,
        size_bytes: if kind == EntryType::File { metadata.len() } else { 0 },
        kind,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        user: names.users.get(&metadata.uid()).cloned(),
        group: names.groups.get(&metadata.gid()).cloned(),
        mtime: TimeNs::from_parts(metadata.mtime(), nanos(metadata.mtime_nsec())),
        ctime: TimeNs::from_parts(metadata.ctime(), nanos(metadata.ctime_nsec())),
        inode: metadata.ino(),
        device: metadata.dev(),
        links: metadata.nlink(),
        xattrs: Vec::new(),
    })
}

#[cfg(not(unix))]
fn entry(path: RawPath, place: &std::path::Path, metadata: &Metadata, _: &Names) -> Result<Entry> {
    let kind = if metadata.is_dir() {
        EntryType::Dir
    } else if metadata.is_symlink() {
        let target = std::fs::read_link(place).map_err(|e| Error::io(tried("read the link", &path), e))?;
        EntryType::Symlink(bytes_of(target.as_os_str()))
    } else {
        EntryType::File
    };
    let since_epoch = metadata.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    let mtime = TimeNs(since_epoch.map_or(0, |d| i128::try_from(d.as_nanos()).unwrap_or(0)));
    let mode = if kind == EntryType::Dir { 0o755 } else { 0o644 };
    let mut entry = Entry::plain(path, kind, mode, mtime);
    if entry.is_file() {
        entry.size_bytes = metadata.len();
    }
    Ok(entry)
}

/// Opens a regular file. A pipe or device is refused before it is opened: opening a pipe would wait for a writer.
pub fn open(path: &RawPath) -> Result<File> {
    let place = local(path)?;
    let tried = || tried("read", path);
    let metadata = std::fs::metadata(&place).map_err(|e| not_there(tried(), e))?;
    if !metadata.is_file() {
        return Err(Error::new(ErrorClass::Invalid, format!("{}: it is not a regular file", tried())));
    }
    File::open(&place).map_err(|e| Error::io(tried(), e))
}

/// Writes a file whole, under a temporary name first.
pub async fn write(path: &RawPath, mode: u32, content: &mut (dyn AsyncRead + Send + Unpin)) -> Result<u64> {
    let tried = || tried("write", path);
    let place = local(path)?;
    let temporary = local(&crate::shell_files::temporary_beside(path)?)?;
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(&temporary).await.map_err(|e| Error::io(tried(), e))?;
    let written = async {
        let mut buffer = vec![0; 256 * 1024];
        let mut total = 0_u64;
        loop {
            let n = content.read(&mut buffer).await?;
            if n == 0 {
                break;
            }
            file.write_all(&buffer[..n]).await?;
            total += n as u64;
        }
        file.flush().await?;
        set_mode(&file, mode).await?;
        file.sync_all().await?;
        drop(file);
        tokio::fs::rename(&temporary, &place).await?;
        Ok(total)
    };
    match written.await {
        Ok(total) => Ok(total),
        Err(error) => {
            let _ = tokio::fs::remove_file(&temporary).await;
            Err(Error::io(tried(), error))
        }
    }
}

#[cfg(unix)]
async fn set_mode(file: &tokio::fs::File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(mode & 0o7777)).await
}

#[cfg(not(unix))]
async fn set_mode(_: &tokio::fs::File, _: u32) -> io::Result<()> {
    Ok(())
}

/// Makes a folder and those above it.
pub fn make_dir(path: &RawPath) -> Result<()> {
    std::fs::create_dir_all(local(path)?).map_err(|e| Error::io(tried("make the folder", path), e))
}

/// Removes a file, a link or an empty folder.
pub fn remove(path: &RawPath) -> Result<()> {
    let place = local(path)?;
    let tried = || tried("remove", path);
    let metadata = std::fs::symlink_metadata(&place).map_err(|e| not_there(tried(), e))?;
    let removed = if metadata.is_dir() { std::fs::remove_dir(&place) } else { std::fs::remove_file(&place) };
    removed.map_err(|e| match e.kind() {
        io::ErrorKind::DirectoryNotEmpty => {
            Error::new(ErrorClass::Exists, format!("{}: the folder is not empty", tried()))
        }
        _ => Error::io(tried(), e),
    })
}

/// Returns the room of the file system a path lies on, or would lie on.
#[cfg(unix)]
pub fn space(path: &RawPath) -> Result<Space> {
    let place = local(path)?;
    let mut found = Err(rustix::io::Errno::NOENT);
    for at in place.ancestors().take_while(|at| !at.as_os_str().is_empty()) {
        found = rustix::fs::statvfs(at);
        if !matches!(found, Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR)) {
            break;
        }
    }
    let found = found.map_err(|e| Error::io(tried("measure the room at", path), io::Error::from(e)))?;
    let block = found.f_frsize.max(1);
    Ok(Space { total_bytes: found.f_blocks.saturating_mul(block), free_bytes: found.f_bavail.saturating_mul(block) })
}

/// The standard library cannot tell the room on this system.
#[cfg(not(unix))]
pub fn space(path: &RawPath) -> Result<Space> {
    Err(Error::new(ErrorClass::Unsupported, tried("measure the room at", path)))
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn links_in_a_circle_and_files_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("circle", dir.path().join("circle")).unwrap();
        std::fs::write(dir.path().join("file"), b"file").unwrap();
        let at = |name: &str| RawPath::new(dir.path().join(name).as_os_str().as_bytes()).unwrap();
        assert_eq!(stat(&at("circle")).unwrap().kind, EntryType::Symlink(b"circle".to_vec()));
        for name in ["circle/in", "file/in"] {
            assert_eq!(stat(&at(name)).unwrap_err().class, ErrorClass::Missing, "{name}");
        }
        assert_eq!(open(&at("circle")).unwrap_err().class, ErrorClass::Missing);
    }
}
