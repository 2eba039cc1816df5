//! Names in a folder of a server: the folder itself, the paths of keys in it, and of what is half written.

use backstay_core::destination::Key;
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::time::{Duration, SystemTime};

/// How half-written files are named until they are whole. Never listed, and no key may look like it.
pub(crate) const TEMP_PREFIX: &str = ".backstay-tmp-";
/// What the file that notes which parts of an upload lie there is called: the temporary file's name and this.
pub(crate) const MARKS: &str = "-parts";

/// How an object is named while another takes its name, where a server cannot rename over it: with the time, and its
/// own name. Not swept like what is half written: it may be the only whole one there is.
const ASIDE_PREFIX: &str = ".backstay-tmp-old-";
/// An object that stepped aside so long ago was left there: taking a name takes a moment.
const ASIDE_AGE: Duration = Duration::from_secs(60 * 60);

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

/// Tells whether a temporary file belongs to an upload one of these tokens goes on with.
pub(crate) fn is_spared(name: &str, spared: &[String]) -> bool {
    let begun = name.strip_suffix(MARKS).unwrap_or(name);
    spared.iter().any(|token| token.split_once(':').is_some_and(|(name, _)| name == begun))
}

/// Returns the name of an object that steps aside; `None` where that would be too long for a file's name.
pub(crate) fn aside_name(name: &str) -> Option<String> {
    let aside = format!("{ASIDE_PREFIX}{:010}-{name}", now());
    (aside.len() <= 255).then_some(aside)
}

/// Returns when an object stepped aside, and its own name; `None` where the name tells of no such thing.
pub(crate) fn aside_of(name: &str) -> Option<(u64, &str)> {
    let (since, own) = name.strip_prefix(ASIDE_PREFIX)?.split_once('-')?;
    let own = Some(own).filter(|own| !own.is_empty() && !own.contains('/'))?;
    Some((since.parse().ok()?, own))
}

/// Tells whether an object stepped aside so long ago that nobody is about to put another in its place.
pub(crate) fn is_left_aside(since: u64, older_than: Duration) -> bool {
    now().saturating_sub(since) >= older_than.min(ASIDE_AGE).as_secs()
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
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
        let token = format!("{}:8388608", temp_name());
        let begun = token.split(':').next().unwrap();
        assert!(is_spared(begun, std::slice::from_ref(&token)) && is_spared(&format!("{begun}{MARKS}"), &[token]));
        assert!(!is_spared(&temp_name(), &["".into(), temp_name()]));
    }

    #[test]
    fn what_stepped_aside_tells_its_name_and_is_no_temporary_file() {
        let aside = aside_name("config-1.sealed").unwrap();
        let (since, own) = aside_of(&aside).unwrap();
        assert_eq!(own, "config-1.sealed");
        assert!(!is_temp_name(&aside) && check(&Key::new(format!("a/{aside}")).unwrap()).is_err());
        assert!(is_left_aside(since, Duration::ZERO) && !is_left_aside(since, Duration::from_secs(86_400)));
        assert!(is_left_aside(since - 3601, Duration::from_secs(86_400)));
        for other in [&temp_name(), ".backstay-tmp-old-", ".backstay-tmp-old-x-a", ".backstay-tmp-old-1-", "1-a"] {
            assert_eq!(aside_of(other), None, "{other}");
        }
        assert_eq!(aside_name(&"x".repeat(250)), None);
    }
}
