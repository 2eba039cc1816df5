//! Attributes that tar could not set: it says so as `CALL: Cannot set WHAT for file 'NAME': WHY`, and ends as if all was well.

use backstay_core::RawPath;
use std::collections::BTreeSet;

/// Names told of files that lack the same for one reason.
const NAMES: usize = 3;

/// Returns the file's name and what is wrong with it. `is_known` (asked with the absolute path) tells whether it was sent.
pub(super) fn read(line: &str, is_known: impl Fn(&RawPath) -> bool) -> Option<(String, String)> {
    let (_, rest) = line.split_once(": Cannot set ")?;
    let (what, rest) = rest.split_once(" for file '")?;
    // The name is not quoted: where it holds a line's end, the reason stands on another line.
    let (name, why) = rest.rsplit_once("': ").unwrap_or((rest, "see the log"));
    let path = RawPath::new(["/", name].concat()).ok().filter(is_known);
    Some((path.map_or_else(|| name.to_owned(), |path| path.to_text()), format!("Cannot set {what}: {why}")))
}

/// Names the first of some files, and how many more there are.
pub(super) fn names(files: &BTreeSet<String>) -> String {
    let first: Vec<&str> = files.iter().take(NAMES).map(String::as_str).collect();
    match files.len().saturating_sub(NAMES) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_files_are_named_together() {
        let files: BTreeSet<String> = ["/a", "/b", "/c", "/d", "/e"].map(str::to_owned).into();
        assert_eq!(names(&files), "/a, /b, /c and 2 more");
        assert_eq!(names(&["/a".to_owned()].into()), "/a");
    }

    #[test]
    fn any_name_is_told_from_the_reason() {
        let line = "tar: setxattrat: Cannot set 'trusted.z' extended attribute for file './a/y': 'q': Not permitted";
        let why = "Cannot set 'trusted.z' extended attribute: Not permitted";
        assert_eq!(read(line, |_| true), Some(("/a/y': 'q".into(), why.into())));
        let cut = "tar: acl_set_file_at: Cannot set POSIX ACLs for file './a";
        assert_eq!(read(cut, |_| false), Some(("./a".into(), "Cannot set POSIX ACLs: see the log".into())));
        assert_eq!(read("tar: ./a: Cannot open: Permission denied", |_| true), None);
    }
}
