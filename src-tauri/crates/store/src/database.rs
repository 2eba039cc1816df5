//! Opening the database file: settings of the connection, and what happens to a file that is no good.

use crate::errors::{Fault, Query, is_busy, is_damage};
use crate::migrations::{self, APPLICATION_ID, NEWEST};
use crate::queue::{LOOK, Queue, WAIT_LIMIT};
use backstay_core::{Error, ErrorClass, Result};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Instant;

const TRIED: &str = "Cannot open the local database";

/// Opens a database file and the queue of those who write to it, making it and its folder when they are not there.
///
/// A file that is damaged or not ours is moved aside, never deleted, and the error says where to.
pub(crate) fn open(file: &Path) -> Result<(Connection, Queue)> {
    let tried = format!("{TRIED} {}", file.display());
    make_private(file).map_err(|error| Error::io(&tried, error))?;
    match connect(file) {
        Ok(opened) => Ok(opened),
        Err(Fault::Sql(error)) if is_damage(&error) => Err(move_aside(file, "it is damaged or no database", &error)),
        Err(Fault::Ours(error)) if error.class == ErrorClass::Corrupt => {
            Err(move_aside(file, "it belongs to another program", &error))
        }
        Err(fault) => Err(fault.into_error(&tried)),
    }
}

/// Opens a database that lives in memory only.
pub(crate) fn open_in_memory() -> Result<(Connection, Queue)> {
    let open = || -> Query<(Connection, Queue)> {
        let mut connection = Connection::open_in_memory()?;
        let queue = Queue::of_one();
        settle(&mut connection)?;
        migrations::migrate(&mut connection, &queue)?;
        Ok((connection, queue))
    };
    open().map_err(|fault| fault.into_error(TRIED))
}

fn connect(file: &Path) -> Query<(Connection, Queue)> {
    // No URI: a `?` or `%` in a folder's name means itself.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags)?;
    let queue = Queue::beside(file);
    settle(&mut connection)?;
    check_ours(&connection)?;
    // Turning WAL on needs the file alone for a moment, and does not wait by itself.
    retry_while_busy(|| connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())))?;
    migrations::migrate(&mut connection, &queue)?;
    Ok((connection, queue))
}

fn settle(connection: &mut Connection) -> Query<()> {
    let mut start = Instant::now();
    // SQLite's own way of waiting looks every tenth of a second only.
    connection.busy_handler(Some(move |looks| {
        if looks == 0 {
            start = Instant::now();
        }
        std::thread::sleep(LOOK);
        start.elapsed() < WAIT_LIMIT
    }))?;
    // FULL: an entry of the audit log or a run's end is on the disk when the call returns.
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Refuses another program's database. A new, empty file is ours to fill.
fn check_ours(connection: &Connection) -> Query<()> {
    let check = || -> rusqlite::Result<(i32, i64)> {
        let id = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((id, tables))
    };
    let (id, tables) = retry_while_busy(check)?;
    let version = migrations::version(connection)?;
    if (id == APPLICATION_ID && version > 0) || tables == 0 {
        return Ok(());
    }
    let message =
        format!("Its mark is {id:#x} and its schema {version}; ours are {APPLICATION_ID:#x} and up to {NEWEST}");
    Err(Fault::Ours(Error::new(ErrorClass::Corrupt, message)))
}

fn retry_while_busy<T>(mut step: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let start = Instant::now();
    loop {
        match step() {
            Err(error) if is_busy(&error) && start.elapsed() < WAIT_LIMIT => {
                std::thread::sleep(LOOK);
            }
            result => return result,
        }
    }
}

/// Makes the folder and an empty file only the user may read; SQLite's side files take over the file's rights.
fn make_private(file: &Path) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Moves a bad file and its side files out of the way, and says so.
fn move_aside(file: &Path, why: &str, cause: &(dyn std::error::Error + 'static)) -> Error {
    let aside = free_name(file);
    let message = format!("{TRIED} {}: {why}", file.display());
    if let Err(error) = std::fs::rename(file, &aside) {
        return Error::new(ErrorClass::Corrupt, message)
            .hint("Move that file away, then start Backstay again")
            .detail(format!("{cause}; it could not be moved: {error}"));
    }
    for side in ["-wal", "-shm"] {
        let _ = std::fs::rename(with_suffix(file, side), with_suffix(&aside, side));
    }
    Error::new(ErrorClass::Corrupt, format!("{message}. It was moved to {}", aside.display()))
        .hint(
            "Start Backstay again: it begins with an empty database. Your backups are safe at their destinations; open these \
             again to see them",
        )
        .detail(cause.to_string())
}

fn free_name(file: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let candidate = with_suffix(file, &format!(".bad-{number}"));
        if !candidate.exists() {
            return candidate;
        }
        number += 1;
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
