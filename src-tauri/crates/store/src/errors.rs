//! What SQLite says, in our classes.

use backstay_core::{Error, ErrorClass};
use rusqlite::ErrorCode;

/// Why a query failed: SQLite's error, not yet classified, or one of ours.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(rusqlite::Error),
    Ours(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// Result of a query.
pub(crate) type Query<T> = Result<T, Fault>;

impl Fault {
    /// Makes the error the caller sees. `tried` reads like "Cannot save server web-1".
    pub(crate) fn into_error(self, tried: &str) -> Error {
        let error = match self {
            Self::Ours(error) => return error,
            Self::Sql(error) => error,
        };
        let (class, why, hint) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                ErrorClass::Locked,
                "another program holds the local database",
                "End other copies of Backstay, then try again",
            ),
            Some(ErrorCode::DiskFull) => (
                ErrorClass::Full,
                "there is no room left for the local database",
                "Make room on the disk that holds Backstay's own folder",
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
                ErrorClass::Refused,
                "the local database cannot be written",
                "Give your user the right to write in Backstay's own folder",
            ),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
                ErrorClass::Corrupt,
                "the local database is damaged",
                "Your backups are safe: they lie at their destinations. Move the database file away, start again and open \
                 your destinations",
            ),
            Some(ErrorCode::SystemIoFailure) => (
                ErrorClass::Offline,
                "the disk that holds the local database reports an error",
                "Check the disk that holds Backstay's own folder",
            ),
            _ => (ErrorClass::Internal, "the local database refused it", "Report this fault with the technical detail"),
        };
        Error::new(class, format!("{tried}: {why}")).hint(hint).source(error)
    }
}

/// Tells whether an error says that the file itself is no good, rather than that it cannot be got at now.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Tells whether waiting a little may help.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
