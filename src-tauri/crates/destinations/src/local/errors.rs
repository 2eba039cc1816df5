//! What the file system says, in our classes.

use backstay_core::{Error, ErrorClass};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Makes the error of something tried on the folder. `tried` reads like "Cannot write data/ab on nas".
pub(super) fn classify(tried: &str, root: &Path, error: io::Error) -> Error {
    let root = root.display();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Error::new(ErrorClass::Full, format!("{tried}: there is no room left in {root}"))
                .hint("Make room on that disk, or use another destination")
                .source(error)
        }
        ErrorKind::FileTooLarge => {
            Error::new(ErrorClass::Full, format!("{tried}: the file would be larger than {root} allows"))
                .hint("Use a file system without that limit, such as ext4, NTFS or exFAT")
                .source(error)
        }
        ErrorKind::ReadOnlyFilesystem => Error::new(ErrorClass::Refused, format!("{tried}: {root} is read-only"))
            .hint("Mount it for writing; a disk with errors is often made read-only by the system, so check it")
            .source(error),
        ErrorKind::PermissionDenied => {
            Error::new(ErrorClass::Refused, format!("{tried}: no right to do that in {root}"))
                .hint("Give your user the right to read and write that folder")
                .source(error)
        }
        ErrorKind::InvalidFilename => Error::new(ErrorClass::Invalid, format!("{tried}: {error}")).source(error),
        ErrorKind::NotADirectory => {
            Error::new(ErrorClass::Invalid, format!("{tried}: a file is where {root} needs a folder")).source(error)
        }
        _ if has_left(&error) => {
            Error::new(ErrorClass::Offline, format!("{tried}: the disk under {root} does not answer"))
                .hint("See whether the disk is plugged in and the network share reachable")
                .source(error)
        }
        _ => Error::io(tried, error),
    }
}

/// The error of a folder that was there and is not any more.
pub(super) fn vanished(tried: &str, root: &Path) -> Error {
    Error::new(ErrorClass::Offline, format!("{tried}: the folder {} is gone", root.display()))
        .hint("See whether its disk is plugged in and mounted; nothing is written until the folder is back")
}

/// The error of a folder that was not there from the start.
pub(super) fn absent(tried: &str, root: &Path) -> Error {
    Error::new(ErrorClass::Missing, format!("{tried}: the folder {} is not there", root.display()))
        .hint("If it lies on a removable disk or a network share, plug it in or mount it")
}

/// Tells whether the device or the network file system below went away: EIO, ENXIO, ENODEV, ENOTCONN, ESTALE.
fn has_left(error: &io::Error) -> bool {
    error.kind() == ErrorKind::StaleNetworkFileHandle
        || (cfg!(unix) && matches!(error.raw_os_error(), Some(5 | 6 | 19 | 107 | 116)))
}
