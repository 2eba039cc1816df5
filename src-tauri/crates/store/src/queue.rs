//! Turns between those who write. SQLite lets one write at a time but keeps no queue of the others: a process that commits
//! without pause leaves the file free for moments only, and whoever waits finds it taken again each time he looks.

use crate::errors::Query;
use rusqlite::ffi;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a call waits for others' transactions. They last milliseconds; a busy disk may make it seconds.
pub(crate) const WAIT_LIMIT: Duration = Duration::from_secs(15);
/// How long before it looks again.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

/// The one place of the next to write, over all processes: a lock on a file beside the database.
///
/// It is held only until SQLite's own lock is had. Whoever has just written finds it taken by the one who waits, and comes
/// after him.
pub(crate) struct Queue {
    file: Option<File>,
}

/// The place of the next; dropped, it is free.
pub(crate) struct Next<'a>(Option<&'a File>);

impl Queue {
    /// Opens the queue of a database file. Where no such file can be made, SQLite's lock alone has to do.
    pub fn beside(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push("-queue");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Self { file: options.open(name).ok() }
    }

    /// The queue of a database in memory, which nobody else can see.
    pub fn of_one() -> Self {
        Self { file: None }
    }

    /// Waits to be the next to write.
    pub fn next(&self) -> Query<Next<'_>> {
        let Some(file) = &self.file else { return Ok(Next(None)) };
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Next(Some(file))),
                Err(TryLockError::WouldBlock) if start.elapsed() < WAIT_LIMIT => std::thread::sleep(LOOK),
                Err(TryLockError::WouldBlock) => return Err(too_long().into()),
                // A file system without locks of this kind.
                Err(TryLockError::Error(_)) => return Ok(Next(None)),
            }
        }
    }
}

impl Drop for Next<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            let _ = file.unlock();
        }
    }
}

fn too_long() -> rusqlite::Error {
    let text = format!("No turn to write came in {} seconds", WAIT_LIMIT.as_secs());
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), Some(text))
}
