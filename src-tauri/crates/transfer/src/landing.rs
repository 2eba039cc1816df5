//! The file a download lands in: written at offsets, locked against a second download, named when it is whole.

use super::Sha256Sum;
use super::positioned::{read_at, write_all_at};
use backstay_core::error::{Error, ErrorClass, Result};
use bytes::Bytes;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A download's file while it is not whole.
pub(super) struct Landing {
    target: PathBuf,
    part: PathBuf,
    map: PathBuf,
    file: Arc<File>,
}

impl Landing {
    /// Opens or makes the part beside `target`. `Exists` if the target is there, `Locked` while another download writes.
    pub(super) fn open(target: &Path) -> Result<Self> {
        let tried = format!("Cannot write {}", target.display());
        if target.symlink_metadata().is_ok() {
            return Err(taken(target));
        }
        let part = beside(target, ".part");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(&part).map_err(|error| Error::io(&tried, error))?;
        match file.try_lock() {
            // Some file systems know no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(ErrorClass::Locked, format!("{tried}: another download writes it now"))
                    .hint("Wait until that one is done"));
            }
        }
        Ok(Self { target: target.to_owned(), map: beside(target, ".part-map"), part, file: Arc::new(file) })
    }

    pub(super) fn map(&self) -> &Path {
        &self.map
    }

    pub(super) fn length(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Forgets what is there.
    pub(super) async fn clear(&self) -> Result<()> {
        let map = self.map.clone();
        self.work(move |file| {
            file.set_len(0)?;
            remove_if_there(&map)
        })
        .await
    }

    pub(super) async fn write_at(&self, content: Bytes, offset: u64) -> Result<()> {
        self.work(move |file| write_all_at(file, &content, offset)).await
    }

    /// Takes a range of what was written into a hash, from the disk.
    pub(super) async fn hash(&self, mut sum: Sha256Sum, range: Range<u64>) -> Result<Sha256Sum> {
        self.work(move |file| {
            let mut buffer = vec![0; 1 << 20];
            let mut at = range.start;
            while at < range.end {
                let want = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(buffer.len());
                let read = read_at(file, &mut buffer[..want], at)?;
                if read == 0 {
                    break;
                }
                sum.update(&buffer[..read]);
                at += read as u64;
            }
            Ok(sum)
        })
        .await
    }

    /// Lets another download have the file as soon as this is dropped, though a write may still be under way.
    pub(super) fn lock(&self) -> Lock {
        Lock(Arc::clone(&self.file))
    }

    /// Makes it durable and gives it its name, never over another file.
    pub(super) async fn finish(&self) -> Result<()> {
        let (part, target, map) = (self.part.clone(), self.target.clone(), self.map.clone());
        let done = self.work(move |file| {
            file.sync_all()?;
            rename_new(&part, &target)?;
            remove_if_there(&map)?;
            sync_folder(&target);
            Ok(())
        });
        done.await.map_err(|error| if error.class == ErrorClass::Exists { taken(&self.target) } else { error })
    }

    /// Removes the part: what is in it is worth nothing.
    pub(super) async fn discard(&self) {
        let (part, map) = (self.part.clone(), self.map.clone());
        // What cannot be removed is cleared by the next download to the same name.
        let _ = self.work(move |_| remove_if_there(&part).and_then(|()| remove_if_there(&map))).await;
    }

    /// Runs `work` where it may block.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&File) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let file = Arc::clone(&self.file);
        let done = tokio::task::spawn_blocking(move || work(&file)).await;
        let tried = || format!("Cannot write {}", self.target.display());
        done.map_err(|error| Error::new(ErrorClass::Internal, tried()).source(error))?.map_err(|error| {
            let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            let error = Error::io(tried(), error);
            if full { error.hint("Make room on that disk; the download then goes on where it was") } else { error }
        })
    }
}

/// The lock on a download's file.
pub(super) struct Lock(Arc<File>);

impl Drop for Lock {
    fn drop(&mut self) {
        // Where that fails, closing the file does it.
        let _ = self.0.unlock();
    }
}

fn taken(target: &Path) -> Error {
    Error::new(ErrorClass::Exists, format!("Cannot write {}: it is there already", target.display()))
        .hint("Pick another name or folder")
}

fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.file_name().map_or_else(OsString::new, ToOwned::to_owned);
    name.push(ending);
    target.with_file_name(name)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn rename_new(part: &Path, target: &Path) -> io::Result<()> {
    match std::fs::hard_link(part, target) {
        Ok(()) => std::fs::remove_file(part),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // Without links, looking first is the best there is.
        Err(_) if target.symlink_metadata().is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => std::fs::rename(part, target),
    }
}

/// Makes the new name durable, as far as the file system lets us.
fn sync_folder(target: &Path) {
    #[cfg(unix)]
    if let Some(folder) = target.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = target;
}
