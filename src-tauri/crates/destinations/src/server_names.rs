//! Names in a folder of a server: the folder itself, the paths of keys in it, and of what is half written.

use backstay_core::destination::Key;
use backstay_core::{Error, ErrorClass, RawPath, Result};

/// How half-written files are named until they are whole. Never listed, and no key may look like it.
pub(crate) const TEMP_PREFIX: &str = ".backstay-tmp-";
/// What the file that notes which parts of an upload lie there is called: the temporary file's name and this.
pub(crate) const MARKS: &str = "-parts";

/// Reads the folder a user gave. Empty is the log-in folder itself.
pub(crate) fn folder(label: &str, path: &str) -> Result<RawPath> {
    let path = path.strip_prefix("~/").unwrap_or(path);
    RawPath::new(if path == "~" { "" } else { path }).map_err(|error| {
        Error::new(ErrorClass::Invalid, format!("Cannot use \"{}\" for {label}: {error}", path.escape_debug()))
            .hint("Give the folder's path, from the root or from the log-in folder, without \"..\"")
    })
}

/// Refuses keys that cannot be names of files there.
pub(crate) fn check(key: &Key) -> Result<()> {
    if key.as_str().split('/').any(|part| part.starts_with(TEMP_PREFIX) || part.len() > 255) {
        return Err(Error::new(ErrorClass::Invalid, format!("\"{key}\" cannot be a file's name in a folder")));
    }
    Ok(())
}

/// Returns the path of a key below the folder.
pub(crate) fn path_of(root: &RawPath, key: &Key) -> Result<RawPath> {
    check(key)?;
    Ok(root.join(key.as_str())?)
}

/// Returns a new temporary name.
pub(crate) fn temp_name() -> String {
    format!("{TEMP_PREFIX}{:032x}", rand::random::<u128>())
}

/// Tells whether a name is one [`temp_name`] made, or what goes with one.
pub(crate) fn is_temp_name(name: &str) -> bool {
    let rest = name.strip_prefix(TEMP_PREFIX).unwrap_or("");
    let id = rest.strip_suffix(MARKS).unwrap_or(rest);
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn folders_are_bytes_from_the_root_or_the_log_in_folder() {
        assert_eq!(folder("nas", "/srv//b/").unwrap().as_bytes(), b"/srv/b");
        assert_eq!(folder("nas", "~/b").unwrap().as_bytes(), b"b");
        for log_in_folder in ["", ".", "~", "~/"] {
            assert_eq!(folder("nas", log_in_folder).unwrap().as_bytes(), b"", "{log_in_folder}");
        }
        assert_eq!(folder("nas", "../b").unwrap_err().class, ErrorClass::Invalid);
        assert_eq!(folder("nas", "a\0b").unwrap_err().class, ErrorClass::Invalid);
    }

    #[test]
    fn no_key_is_taken_for_a_temporary_file() {
        let root = RawPath::new("/b").unwrap();
        let path = |text: &str| path_of(&root, &Key::new(text).unwrap());
        assert_eq!(path("data/a b").unwrap().as_bytes(), b"/b/data/a b");
        assert!(path(&format!("data/{}", temp_name())).is_err());
        assert!(path(&"x".repeat(256)).is_err());
        assert!(is_temp_name(&temp_name()) && is_temp_name(&format!("{}{MARKS}", temp_name())));
        assert!(!is_temp_name(".backstay-tmp-of-somebody-else"));
    }
}
