//! The file while it is being written: `NAME.part`, removed unless everything went well or it was kept for going on.

use backstay_core::layout::ExportMark;
use backstay_core::{Error, ErrorClass, Result, RunContext};
use backstay_transfer::Sha256Sum;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

const READ_BYTES: usize = 1024 * 1024;

/// A file being written. Hashes what goes through it, to be compared with what is read back.
pub(super) struct Part {
    /// Removes the part when dropped, unless it is kept; before `file` is, which holds the lock.
    path: TempPath,
    file: File,
    target: PathBuf,
    sum: Sha256Sum,
    size_bytes: u64,
}

/// The name of a file's part.
pub(super) fn part_of(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

impl Part {
    /// Makes the part beside `target`. A part that a killed process left is taken over, and cut to where `from` says it
    /// goes on; a living one's is `Locked`.
    pub(super) fn create(target: &Path, from: Option<&ExportMark>) -> Result<Self> {
        let tried = format!("Cannot write {}", target.display());
        if target.symlink_metadata().is_ok() {
            return Err(taken(&tried));
        }
        let path = part_of(target);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // A download may hold what only root could read on the server.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(|error| explain(&tried, error))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(Error::new(ErrorClass::Locked, format!("{tried}: another download is writing it"))
                .hint("Wait for it, or pick another name"));
        }
        if target.symlink_metadata().is_ok() {
            // Who had the lock has just given this very file its name.
            return Err(taken(&tried));
        }
        let mut path = TempPath::try_from_path(path).map_err(|error| explain(&tried, error))?;
        let (size_bytes, sum) = match from {
            None => (0, Sha256Sum::new()),
            Some(mark) => {
                path.disable_cleanup(true);
                let long_enough = file.metadata().is_ok_and(|meta| meta.len() >= mark.part_bytes);
                let sum = Sha256Sum::restore(&mark.sum).filter(|_| long_enough).ok_or_else(|| {
                    Error::new(
                        ErrorClass::Corrupt,
                        format!("{tried}: what was written of it before is not there any more"),
                    )
                    .hint("Start the download anew")
                })?;
                (mark.part_bytes, sum)
            }
        };
        file.set_len(size_bytes)
            .and_then(|()| file.seek(SeekFrom::Start(size_bytes)))
            .map_err(|error| explain(&tried, error))?;
        Ok(Self { file, path, target: target.to_owned(), sum, size_bytes })
    }

    /// Makes what was written so far durable, and keeps the part from here on, whatever happens. Returns its size and the
    /// state of its hash.
    pub(super) fn keep(&mut self) -> io::Result<(u64, String)> {
        self.file.sync_data()?;
        self.path.disable_cleanup(true);
        Ok((self.size_bytes, self.sum.save()))
    }

    /// Returns a second handle on the file, to read it.
    fn reader(&self) -> io::Result<File> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// Makes the error of writing this file.
    fn error(&self, error: io::Error) -> Error {
        explain(&format!("Cannot write {}", self.target.display()), error)
    }

    /// Syncs, reads everything back, compares it with what was written, and gives the file its name, never overwriting.
    /// Returns its size and SHA-256.
    pub(super) fn check_and_name(self, ctx: &RunContext) -> Result<(u64, String)> {
        self.file.sync_all().map_err(|error| self.error(error))?;
        let (size_bytes, sha256) = self.hash(ctx)?;
        if size_bytes != self.size_bytes || self.sum.clone().finish() != sha256 {
            let message = format!("Cannot write {}: what was read back is not what was written", self.target.display());
            return Err(Error::new(ErrorClass::Corrupt, message).hint("Check that disk, and use another one"));
        }
        ctx.check()?;
        let tried = format!("Cannot write {}", self.target.display());
        // The lock is held until it has its name: nobody takes it over in between.
        name(&tried, self.path, &self.target)?;
        Ok((size_bytes, sha256))
    }

    fn hash(&self, ctx: &RunContext) -> Result<(u64, String)> {
        let mut file = self.reader().map_err(|error| self.error(error))?;
        let total = file.metadata().map_err(|error| self.error(error))?.len();
        ctx.progress.total(None, Some(total));
        let mut sum = Sha256Sum::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut size_bytes = 0;
        loop {
            ctx.check()?;
            let read = file.read(&mut buffer).map_err(|error| self.error(error))?;
            if read == 0 {
                return Ok((size_bytes, sum.finish()));
            }
            sum.update(&buffer[..read]);
            size_bytes += read as u64;
            ctx.progress.advance(0, read as u64);
        }
    }
}

fn name(tried: &str, part: TempPath, target: &Path) -> Result<()> {
    if let Err(failed) = part.persist_noclobber(target) {
        if failed.error.kind() == ErrorKind::AlreadyExists || target.symlink_metadata().is_ok() {
            return Err(taken(tried));
        }
        // A file system without links and without a rename that refuses: look, then rename.
        failed.path.persist(target).map_err(|failed| explain(tried, failed.error))?;
    }
    #[cfg(unix)]
    if let Some(folder) = target.parent()
        && let Ok(folder) = File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
    {
        // Some file systems refuse; the file itself is synced.
        let _ = folder.sync_all();
    }
    Ok(())
}

fn taken(tried: &str) -> Error {
    Error::new(ErrorClass::Exists, format!("{tried}: there is a file of that name already"))
        .hint("Pick another name or folder; Backstay never overwrites a file")
}

fn explain(tried: &str, error: io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "Make room on that disk, or pick another folder",
        ErrorKind::FileTooLarge => "That disk holds no files so large; pick another one",
        ErrorKind::NotFound => "Make the folder first, or pick another one",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "Pick a folder that you may write to",
        _ => "Pick another folder",
    };
    Error::io(tried, error).hint(hint)
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
