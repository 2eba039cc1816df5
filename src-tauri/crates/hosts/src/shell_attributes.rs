//! Links and attributes by commands: what a shell with chmod, chown, touch, ln and xargs can do, GNU's or busybox's.

use crate::error_text::from_output;
use backstay_core::entry::{Entry, EntryType, TimeNs};
use backstay_core::host::{Attribute, Command, Host, run};
use backstay_core::{Error, ErrorClass, RawPath, Result};

const LINK: &str = concat!(
    r#"if [ -d "$2" ] && [ ! -L "$2" ]; then echo "File exists" >&2; exit 1; fi; "#,
    r#"rm -f "$2" && ln -s -- "$1" "$2""#
);

/// Takes records of six fields, each ended by NUL: path, kind, mode, owner by name, owner by number, time. Prints the path
/// and a letter for what could not be set. The owner goes first, for a change of it takes setuid away; some `touch` know no
/// `-h`.
const SET: &str = concat!(
    r#"xargs -0 -n 6 sh -c 'no() { printf "%s\0%s\0" "$f" "$1"; }; f=$1; TZ=UTC0; export TZ; "#,
    r#"chown -h "$4" "$f" || chown -h "$5" "$f" || no o; [ "$2" = l ] || chmod "$3" "$f" || no m; "#,
    r#"touch -c -h -t "$6" "$f" || { [ "$2" != l ] && touch -c -t "$6" "$f"; } || no t; exit 0' sh 2>/dev/null"#
);

/// Makes a symbolic link.
pub async fn make_link(host: &dyn Host, path: &RawPath, target: &[u8]) -> Result<()> {
    let output = run(host, Command::sh(LINK, [target, path.as_bytes()]), b"").await?;
    if output.status.success() {
        return Ok(());
    }
    let tried = format!("Cannot make the link {} on {}", path.to_text(), host.label());
    if output.stderr.contains("File exists") {
        return Err(Error::new(ErrorClass::Exists, format!("{tried}: a folder is there")));
    }
    Err(from_output(tried, &output))
}

/// Sets owner, mode and time.
pub async fn set_attributes(host: &dyn Host, entries: &[Entry]) -> Result<Vec<(RawPath, Attribute)>> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let mut records = Vec::new();
    for entry in entries {
        let kind: &[u8] = if matches!(entry.kind, EntryType::Symlink(_)) { b"l" } else { b"o" };
        let owner = |user: &Option<String>, id: u32| user.clone().unwrap_or_else(|| id.to_string());
        let mode = format!("{:04o}", entry.mode & 0o7777);
        let named = format!("{}:{}", owner(&entry.user, entry.uid), owner(&entry.group, entry.gid));
        let numbered = format!("{}:{}", entry.uid, entry.gid);
        let time = stamp(entry.mtime);
        for field in
            [entry.path.as_bytes(), kind, mode.as_bytes(), named.as_bytes(), numbered.as_bytes(), time.as_bytes()]
        {
            records.extend_from_slice(field);
            records.push(0);
        }
    }
    let no_args: [&str; 0] = [];
    let output = run(host, Command::sh(SET, no_args), &records).await?;
    if !output.status.success() {
        return Err(from_output(format!("Cannot set owners, modes and times on {}", host.label()), &output));
    }
    let mut parts = output.stdout.split(|b| *b == 0);
    let mut unset = Vec::new();
    while let (Some(path), Some(what)) = (parts.next(), parts.next()) {
        let what = match what {
            b"o" => Attribute::Owner,
            b"m" => Attribute::Mode,
            _ => Attribute::Time,
        };
        unset.push((RawPath::new(path)?, what));
    }
    Ok(unset)
}

/// Writes a time as every `touch -t` takes it: CCYYMMDDhhmm.ss.
fn stamp(time: TimeNs) -> String {
    let moment = chrono::DateTime::from_timestamp(time.to_parts().0, 0).unwrap_or_default();
    moment.format("%Y%m%d%H%M.%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_touch() {
        assert_eq!(stamp(TimeNs::from_parts(1_700_000_000, 999)), "202311142213.20");
        assert_eq!(stamp(TimeNs::from_parts(-1, 0)), "196912312359.59");
    }
}
