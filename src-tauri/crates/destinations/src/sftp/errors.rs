//! What an SFTP server says, in our classes. The protocol has words for "not there" and "not allowed", and nothing else.

use super::client::Folder;
use backstay_core::destination::Key;
use backstay_core::remote::RemoteFiles;
use backstay_core::{Error, ErrorClass};

/// Room below which a refused write is taken for a full disk: file systems keep some back.
const HARDLY_ANY: u64 = 64 << 10;

impl Folder {
    /// Says what was tried on this destination, in place of what was tried on the server.
    pub(super) fn error(&self, tried: &str, error: Error) -> Error {
        let root = self.place();
        let (why, hint) = match error.class {
            ErrorClass::Refused => {
                (format!("no right to do that in {root}"), "Give the account the right to read and write that folder")
            }
            ErrorClass::Full => {
                (format!("there is no room left in {root}"), "Make room there, or use another destination")
            }
            ErrorClass::Internal => (
                "the server refuses it without saying why".to_owned(),
                "See the server's log; often the disk or a quota is full, or the name is not allowed there",
            ),
            _ => {
                let said = error.message.split_once(": ").map_or(error.message.as_str(), |(_, why)| why).to_owned();
                let hint = error.hint.clone();
                let same = Error::new(error.class, format!("{tried}: {said}")).source(error);
                return match hint {
                    Some(hint) => same.hint(hint),
                    None => same,
                };
            }
        };
        Error::new(error.class, format!("{tried}: {why}")).hint(hint).source(error)
    }

    /// The error of a write. A server that says only "failure" has no room when it has no room.
    pub(super) async fn write_error(&self, files: &dyn RemoteFiles, tried: &str, bytes: u64, error: Error) -> Error {
        if error.class == ErrorClass::Internal
            && let Ok(space) = files.space(&self.root).await
            && space.free_bytes < bytes.max(HARDLY_ANY)
        {
            let full = Error::new(ErrorClass::Full, error.message.clone()).source(error);
            return self.error(tried, full);
        }
        self.error(tried, error)
    }
}

/// The error of a folder that was there and is not any more.
pub(super) fn vanished(tried: &str, root: &str) -> Error {
    Error::new(ErrorClass::Offline, format!("{tried}: the folder {root} is gone"))
        .hint("See whether its disk is mounted on the server; nothing is written until the folder is back")
}

/// The error of a folder that cannot be made because the one above it is not there.
pub(super) fn no_parent(tried: &str, parent: &str) -> Error {
    Error::new(ErrorClass::Missing, format!("{tried}: the folder {parent} is not there"))
        .hint(format!("Mount its disk or make {parent} on the server first"))
}

/// The error of a file where a folder is needed.
pub(super) fn not_a_folder(tried: &str, path: &str) -> Error {
    Error::new(ErrorClass::Invalid, format!("{tried}: {path} is not a folder")).hint("Pick a folder")
}

/// The error of an absent object.
pub(super) fn no_object(folder: &Folder, key: &Key) -> Error {
    Error::new(ErrorClass::Missing, format!("Cannot read {key} on {}: it is not there", folder.label))
}

/// The error of an object that is shorter than it should be.
pub(super) fn cut_short(folder: &Folder, key: &Key, has: u64, wanted: u64) -> Error {
    Error::new(
        ErrorClass::Corrupt,
        format!("Cannot read {key} on {}: it ends at byte {has}, but {wanted} are needed", folder.label),
    )
    .hint("The file was cut short; verify this destination")
}

/// The error of a name that leaves no room for the one its object has while another takes its place.
pub(super) fn too_long(tried: &str) -> Error {
    let text = format!("{tried}: the server cannot replace a file in one step, and its name is too long for two");
    Error::new(ErrorClass::Unsupported, text).hint("Use a shorter file name template for archives")
}

/// The error of a name that is taken.
pub(super) fn taken(tried: &str) -> Error {
    Error::new(ErrorClass::Exists, format!("{tried}: it is there already"))
}
