//! The class of an error that a tool tells only in words. All commands run with `LC_ALL=C`, so the words are known.

use backstay_core::host::{ExitStatus, Output};
use backstay_core::{Error, ErrorClass};

/// Makes the error of a file command that failed. `tried` reads like "Cannot read /x on web-1".
pub fn from_output(tried: impl Into<String>, output: &Output) -> Error {
    from_stderr(tried, output.status, &output.stderr)
}

/// Makes the error of a command that failed, from its exit status and standard error.
pub fn from_stderr(tried: impl Into<String>, status: ExitStatus, stderr: &str) -> Error {
    let tried = tried.into();
    let (class, why) = classify(stderr).unwrap_or((ErrorClass::Internal, ""));
    let message = if why.is_empty() { format!("{tried}: {status}") } else { format!("{tried}: {why}") };
    Error::new(class, message).detail(stderr)
}

/// Finds the first telling phrase in a tool's standard error.
pub fn classify(stderr: &str) -> Option<(ErrorClass, &'static str)> {
    const TABLE: &[(&str, ErrorClass, &str)] = &[
        ("ermission denied", ErrorClass::Refused, "permission denied"),
        ("peration not permitted", ErrorClass::Refused, "the server does not permit it"),
        ("ead-only file system", ErrorClass::Refused, "the file system is read-only"),
        ("o space left", ErrorClass::Full, "no space left"),
        ("uota exceeded", ErrorClass::Full, "the quota is used up"),
        ("o such file", ErrorClass::Missing, "there is no such file or folder"),
        // busybox and dash, when they cannot create a file.
        ("onexistent directory", ErrorClass::Missing, "there is no such file or folder"),
        ("irectory nonexistent", ErrorClass::Missing, "there is no such file or folder"),
        ("ot a directory", ErrorClass::Missing, "there is no such file or folder"),
        // Links in a circle lead nowhere; musl has its own words for them.
        ("oo many levels of symbolic links", ErrorClass::Missing, "there is no such file or folder"),
        ("ymbolic link loop", ErrorClass::Missing, "there is no such file or folder"),
        ("irectory not empty", ErrorClass::Exists, "the folder is not empty"),
        ("ile exists", ErrorClass::Exists, "something of that name is there already"),
        ("s a directory", ErrorClass::Invalid, "it is a folder"),
        ("ot a regular file", ErrorClass::Invalid, "it is not a regular file"),
        ("ot found", ErrorClass::Unsupported, "a tool is missing there"),
    ];
    TABLE
        .iter()
        .filter_map(|(phrase, class, why)| stderr.find(phrase).map(|at| (at, *class, *why)))
        .min_by_key(|(at, ..)| *at)
        .map(|(_, class, why)| (class, why))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_phrase_decides() {
        let class = |text| classify(text).map(|(class, _)| class);
        assert_eq!(class("find: '/root/x': Permission denied"), Some(ErrorClass::Refused));
        assert_eq!(class("cat: can't open '/x': No such file or directory"), Some(ErrorClass::Missing));
        assert_eq!(class("cat: write error: No space left on device"), Some(ErrorClass::Full));
        assert_eq!(class("stat: can't stat '/x/in': Too many levels of symbolic links"), Some(ErrorClass::Missing));
        assert_eq!(class("stat: can't stat '/x/in': Symbolic link loop"), Some(ErrorClass::Missing));
        assert_eq!(class("something else"), None);
        assert_eq!(class("a: Permission denied\nb: No such file"), Some(ErrorClass::Refused));
    }

    #[test]
    fn an_unknown_text_keeps_the_status() {
        let error = from_stderr("Cannot read /x on web", ExitStatus::Code(3), "boom");
        assert_eq!(error.message, "Cannot read /x on web: exit status 3");
        assert_eq!(error.detail.as_deref(), Some("boom"));
    }
}
