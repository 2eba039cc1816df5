//! What a local destination is given: an absolute folder; and how keys become paths in it.

use backstay_core::destination::Key;
use backstay_core::{Error, ErrorClass, Result};
use std::path::{Path, PathBuf};

/// How half-written files are named until they are whole. Never listed, and no key may look like it.
pub(super) const PART_PREFIX: &str = ".backstay-part-";
/// How the file of an upload in parts is named: it outlives the process, so that the upload can go on.
pub(super) const UPLOAD_PREFIX: &str = ".backstay-part-up-";

/// Reads the folder a user gave.
pub(super) fn folder(label: &str, path: &str) -> Result<PathBuf> {
    let folder = PathBuf::from(path);
    if path.contains('\0') || !folder.is_absolute() {
        return Err(Error::new(ErrorClass::Invalid, format!("Cannot use \"{path}\" for {label}: it is not absolute"))
            .hint("Give the whole path, from the root of the disk on"));
    }
    Ok(folder)
}

/// Returns the path of a key below the folder.
pub(super) fn path_of(root: &Path, key: &Key) -> Result<PathBuf> {
    let mut path = root.to_path_buf();
    for part in key.as_str().split('/') {
        if part.starts_with(PART_PREFIX) || !is_portable(part) {
            return Err(Error::new(ErrorClass::Invalid, format!("\"{key}\" cannot be a file's name in a folder")));
        }
        path.push(part);
    }
    Ok(path)
}

/// Tells whether this operating system takes the name as it is. A colon on Windows would name a stream of another file.
fn is_portable(part: &str) -> bool {
    if part.len() > 255 {
        return false;
    }
    if !cfg!(windows) {
        return true;
    }
    let stem = part.split('.').next().unwrap_or(part).to_ascii_uppercase();
    let device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || (stem.len() == 4
            && (stem.starts_with("COM") || stem.starts_with("LPT"))
            && stem.ends_with(|c: char| c.is_ascii_digit()));
    !device && !part.ends_with(['.', ' ']) && !part.contains(['<', '>', ':', '"', '|', '?', '*'])
}
