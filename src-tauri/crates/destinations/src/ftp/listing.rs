//! Listings as servers print them: MLSD, and LIST as Unix and as DOS write it. Dates of LIST are never trusted: they name
//! no time zone, and often no year.

use backstay_core::{Error, ErrorClass, Result};
use chrono::NaiveDateTime;

/// What a name in a listing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListedKind {
    /// A regular file of this size.
    File(u64),
    /// A folder.
    Dir,
    /// The folder itself or the one above it.
    Dots,
    /// A link, a pipe, a device.
    Other,
}

/// A name in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) kind: ListedKind,
    pub(super) modified: Option<i64>,
}

/// Reads the lines of a listing. Lines that are no entries (totals, the rest of a name with a line break in it) and names
/// that are not UTF-8 are left out; what looks like an entry and cannot be read is an error: an object must not be missing
/// from a list in silence.
pub(super) fn read(tried: &str, text: &[u8], line_of: fn(&str) -> Line) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = std::str::from_utf8(line) else { continue };
        match line_of(line) {
            Line::Entry(entry) => listed.push(entry),
            Line::NoEntry => {}
            Line::Unreadable => {
                return Err(Error::new(
                    ErrorClass::Unsupported,
                    format!("{tried}: the server's listing cannot be read"),
                )
                .detail(line.chars().take(200).collect::<String>()));
            }
        }
    }
    Ok(listed)
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Entry(Listed),
    NoEntry,
    Unreadable,
}

/// Reads a line of MLSD: `type=file;size=12;modify=20240102030405; name`.
pub(super) fn mlsd_line(line: &str) -> Line {
    let Some((facts, name)) = line.split_once(' ') else { return Line::NoEntry };
    if !facts.contains('=') || name.is_empty() {
        return Line::NoEntry;
    }
    let (mut kind, mut size, mut modified) = (None, None, None);
    for fact in facts.split(';') {
        let Some((key, value)) = fact.split_once('=') else { continue };
        match key.to_ascii_lowercase().as_str() {
            "type" => {
                kind = Some(match value.to_ascii_lowercase().as_str() {
                    "file" => ListedKind::File(0),
                    "dir" => ListedKind::Dir,
                    "cdir" | "pdir" => ListedKind::Dots,
                    _ => ListedKind::Other,
                });
            }
            "size" => size = value.parse::<u64>().ok(),
            "modify" => modified = utc(value),
            _ => {}
        }
    }
    let kind = match (kind, size) {
        (Some(ListedKind::File(_)), Some(size)) => ListedKind::File(size),
        (Some(ListedKind::File(_)) | None, _) => return Line::Unreadable,
        (Some(kind), _) => kind,
    };
    Line::Entry(Listed { name: name.to_owned(), kind, modified })
}

/// Reads a time as MLSD and MDTM tell it: UTC, `YYYYMMDDHHMMSS`, with or without a fraction.
pub(super) fn utc(text: &str) -> Option<i64> {
    let whole = text.trim().get(..14)?;
    Some(NaiveDateTime::parse_from_str(whole, "%Y%m%d%H%M%S").ok()?.and_utc().timestamp())
}

/// Reads a line of LIST, as Unix or as DOS writes it.
pub(super) fn list_line(line: &str) -> Line {
    match line.as_bytes().first() {
        Some(b'0'..=b'9') => dos_line(line),
        Some(b'-' | b'd' | b'l' | b'b' | b'c' | b'p' | b's') => unix_line(line),
        _ => Line::NoEntry,
    }
}

/// Words with where they end in the line.
fn words(line: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    for word in line.split(' ') {
        if !word.is_empty() {
            found.push((word, at + word.len()));
        }
        at += word.len() + 1;
    }
    found
}

/// `-rw-r--r--   1 user group   1234 Jan 02 03:04 name`, with or without group; the date may be `2024-01-02 03:04`.
fn unix_line(line: &str) -> Line {
    let is_mode = line.get(1..10).is_some_and(|mode| mode.bytes().all(|byte| b"rwxsStTlL-".contains(&byte)));
    if !is_mode {
        return Line::NoEntry;
    }
    let words = words(line);
    // The size is the number right before the date; names of owners may hold anything, blanks too.
    let found = (2..words.len()).find_map(|at| {
        let size = words[at].0.parse::<u64>().ok();
        let word = |more: usize| words.get(at + more).map_or("", |(word, _)| *word);
        let long = is_month(word(1)) && is_day(word(2)) && (is_time(word(3)) || is_year(word(3)));
        let iso = is_date(word(1)) && is_time(word(2));
        let last = if long { 3 } else { 2 };
        (long || iso).then(|| (size, words[at + last].1))
    });
    let Some((size, end)) = found else { return Line::Unreadable };
    let Some(name) = line.get(end + 1..).filter(|name| !name.is_empty()) else { return Line::Unreadable };
    let kind = match (line.as_bytes()[0], size) {
        _ if name == "." || name == ".." => ListedKind::Dots,
        (b'd', _) => ListedKind::Dir,
        (b'-', Some(size)) => ListedKind::File(size),
        (b'-', None) => return Line::Unreadable,
        _ => ListedKind::Other,
    };
    Line::Entry(Listed { name: name.to_owned(), kind, modified: None })
}

/// `01-02-24  03:04PM       <DIR>          name` or `01-02-2024  03:04AM             1234 name`.
fn dos_line(line: &str) -> Line {
    let words = words(line);
    let is_entry = words.len() >= 4
        && words[0].0.len() >= 8
        && words[0].0.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b'/')
        && words[1].0.contains(':');
    if !is_entry {
        return Line::NoEntry;
    }
    // The time's half of the day may stand apart.
    let at = if matches!(words[2].0.to_ascii_uppercase().as_str(), "AM" | "PM") { 3 } else { 2 };
    let Some((what, end)) = words.get(at) else { return Line::Unreadable };
    let rest = line.get(*end..).unwrap_or("");
    let (kind, name) = match what.to_ascii_uppercase().as_str() {
        "<DIR>" => (ListedKind::Dir, rest.trim_start_matches(' ')),
        "<JUNCTION>" | "<SYMLINK>" | "<SYMLINKD>" => (ListedKind::Other, rest.trim_start_matches(' ')),
        size => match size.replace([',', '.'], "").parse() {
            Ok(size) => (ListedKind::File(size), rest.strip_prefix(' ').unwrap_or(rest)),
            Err(_) => return Line::Unreadable,
        },
    };
    if name.is_empty() {
        return Line::Unreadable;
    }
    let kind = if name == "." || name == ".." { ListedKind::Dots } else { kind };
    Line::Entry(Listed { name: name.to_owned(), kind, modified: None })
}

fn is_month(word: &str) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    MONTHS.contains(&word.to_ascii_lowercase().as_str())
}

fn is_day(word: &str) -> bool {
    word.parse::<u8>().is_ok_and(|day| (1..=31).contains(&day))
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_time(word: &str) -> bool {
    word.split_once(':').is_some_and(|(hour, rest)| {
        hour.parse::<u8>().is_ok_and(|hour| hour < 24) && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
    })
}

fn is_date(word: &str) -> bool {
    word.len() == 10
        && word.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use ListedKind::{Dir, Dots, File, Other};

    fn entry(line: Line) -> (String, ListedKind) {
        match line {
            Line::Entry(listed) => (listed.name, listed.kind),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn unix_listings() {
        for (line, name, kind) in [
            (
                "-rw-------    1 1000     1000        12345 Nov 20 16:15 name with  blanks",
                "name with  blanks",
                File(12345),
            ),
            ("-rw-r--r--   1 ftp ftp 5368709120 Jan  2  2024 .hidden", ".hidden", File(5_368_709_120)),
            ("drwxr-xr-x   2 user     Domain Users     4096 Feb 29 01:02 data", "data", Dir),
            ("-rw-r--r--+  1 owner  77 Mar 10 00:00 no group", "no group", File(77)),
            ("-rw-r--r-- 1 u g 5 2024-01-02 03:04 iso", "iso", File(5)),
            ("drwx------ 2 u g 4096 Jan 01 00:00 .", ".", Dots),
            ("drwx------ 2 u g 4096 Jan 01 00:00 ..", "..", Dots),
            ("lrwxrwxrwx 1 u g 11 Jan 01 00:00 l -> /etc/passwd", "l -> /etc/passwd", Other),
            ("-rw------- 1 u g 3 Jan 01 00:00  lead", " lead", File(3)),
            ("-rw------- 1 u g 3 Jan 01 00:00 5 Jan 02 00:00 x", "5 Jan 02 00:00 x", File(3)),
            ("-rw------- 1 u g 0 Jan 01 00:00 日本", "日本", File(0)),
            ("crw-rw-rw- 1 root root 1, 3 Jan 01 00:00 null", "null", Other),
        ] {
            assert_eq!(entry(list_line(line)), (name.to_owned(), kind), "{line}");
        }
        for line in ["total 12", "", "rest of a name", "d", "-"] {
            assert_eq!(list_line(line), Line::NoEntry, "{line}");
        }
        assert_eq!(list_line("-rw------- 1 u g 3 Jänner 01 00:00 x"), Line::Unreadable);
        assert_eq!(list_line("-rw------- 1 u g three Jan 01 00:00 x"), Line::Unreadable);
    }

    #[test]
    fn dos_listings() {
        for (line, name, kind) in [
            ("01-31-24  03:15PM       <DIR>          some folder", "some folder", Dir),
            ("01-31-2024  03:15AM              1,234 a file.txt", "a file.txt", File(1234)),
            ("2024-01-31  03:15              1234 x", "x", File(1234)),
            ("01-31-24  03:15PM       <SYMLINK>      l", "l", Other),
        ] {
            assert_eq!(entry(list_line(line)), (name.to_owned(), kind), "{line}");
        }
        assert_eq!(list_line("12 files, 4096 bytes"), Line::NoEntry);
    }

    #[test]
    fn machine_listings() {
        let line = "modify=20240102030405.123;perm=adfrw;size=42;type=file;UNIX.mode=0600; a b;c=d";
        let Line::Entry(listed) = mlsd_line(line) else { panic!() };
        assert_eq!((listed.name.as_str(), listed.kind), ("a b;c=d", File(42)));
        assert_eq!(listed.modified, Some(1_704_164_645));
        assert_eq!(entry(mlsd_line("Type=DIR;Modify=1; d")), ("d".into(), Dir));
        assert_eq!(entry(mlsd_line("type=cdir; /home/u")), ("/home/u".into(), Dots));
        assert_eq!(entry(mlsd_line("type=OS.unix=symlink; l")), ("l".into(), Other));
        assert_eq!(mlsd_line("type=file; no size"), Line::Unreadable);
        assert_eq!(mlsd_line("no facts"), Line::NoEntry);
    }

    #[test]
    fn a_listing_is_read_whole_or_not_at_all() {
        let text = b"total 2\r\n-rw------- 1 u g 3 Jan 01 00:00 a\r\n-rw------- 1 u g 3 Jan 01 00:00 \xff\r\n";
        assert_eq!(read("Cannot list nas", text, list_line).unwrap().len(), 1);
        let text = b"-rw------- 1 u g 3 Jan 01 00:00 a\n-rw------- what is this\n";
        assert_eq!(read("Cannot list nas", text, list_line).unwrap_err().class, ErrorClass::Unsupported);
    }
}
