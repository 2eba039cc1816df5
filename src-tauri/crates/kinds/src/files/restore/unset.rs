//! Attributes that tar could not set: it says so as `CALL: Cannot set WHAT for file 'NAME': WHY`, and ends as if all was well.

use backstay_core::RawPath;

/// Returns the file's name and what is wrong with it. `is_known` (asked with the absolute path) tells whether it was sent.
pub(super) fn read(line: &str, is_known: impl Fn(&RawPath) -> bool) -> Option<(String, String)> {
    let (_, rest) = line.split_once(": Cannot set ")?;
    let (what, rest) = rest.split_once(" for file '")?;
    // The name is not quoted: where it holds a line's end, the reason stands on another line.
    let (name, why) = rest.rsplit_once("': ").unwrap_or((rest, "see the log"));
    let path = RawPath::new(["/", name].concat()).ok().filter(is_known);
    Some((path.map_or_else(|| name.to_owned(), |path| path.to_text()), format!("Cannot set {what}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

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
