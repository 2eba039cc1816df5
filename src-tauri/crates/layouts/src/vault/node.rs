//! Nodes: entries as restic writes them into folders' lists, and back.

use super::id::Id;
use backstay_core::entry::{Entry, EntryType, TimeNs, Xattr};
use backstay_core::path::RawPath;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

const DIR: u32 = 1 << 31;
const SYMLINK: u32 = 1 << 27;
const DEVICE: u32 = 1 << 26;
const FIFO: u32 = 1 << 25;
const SOCKET: u32 = 1 << 24;
const SETUID: u32 = 1 << 23;
const SETGID: u32 = 1 << 22;
const CHAR_DEVICE: u32 = 1 << 21;
const STICKY: u32 = 1 << 20;

/// A folder's list.
#[derive(Serialize, Deserialize)]
pub(crate) struct TreeJson<'a> {
    #[serde(borrow)]
    pub nodes: Vec<NodeJson<'a>>,
}

/// A node in JSON, fields in restic's order.
#[derive(Serialize, Deserialize)]
pub(crate) struct NodeJson<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: u32,
    #[serde(borrow, default)]
    pub mtime: Cow<'a, str>,
    #[serde(borrow, default)]
    pub atime: Cow<'a, str>,
    #[serde(borrow, default)]
    pub ctime: Cow<'a, str>,
    #[serde(default)]
    pub uid: u32,
    #[serde(default)]
    pub gid: u32,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub user: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub group: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub inode: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub device_id: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub size: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub links: u64,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub linktarget: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linktarget_raw: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_attributes: Option<Vec<XattrJson>>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub device: u64,
    pub content: Option<Vec<Id>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtree: Option<Id>,
}

/// An extended attribute in JSON.
#[derive(Serialize, Deserialize)]
pub(crate) struct XattrJson {
    name: String,
    value: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A node read back: the entry without its folder's path, and what it refers to.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The entry; its path is the bare name.
    pub entry: Entry,
    pub content: Vec<Id>,
    pub subtree: Option<Id>,
}

impl Node {
    /// Returns the name.
    pub fn name(&self) -> &[u8] {
        self.entry.path.as_bytes()
    }
}

/// Writes an entry as a node. Names and owners are borrowed.
pub(crate) fn to_json<'a>(
    entry: &'a Entry,
    name: &'a [u8],
    content: Option<Vec<Id>>,
    subtree: Option<Id>,
) -> NodeJson<'a> {
    let (kind, bits, target, device) = match &entry.kind {
        EntryType::File => ("file", 0, None, 0),
        EntryType::Dir => ("dir", DIR, None, 0),
        EntryType::Symlink(target) => ("symlink", SYMLINK, Some(target.as_slice()), 0),
        EntryType::Fifo => ("fifo", FIFO, None, 0),
        EntryType::Socket => ("socket", SOCKET, None, 0),
        EntryType::CharDevice(major, minor) => ("chardev", DEVICE | CHAR_DEVICE, None, device_number(*major, *minor)),
        EntryType::BlockDevice(major, minor) => ("dev", DEVICE, None, device_number(*major, *minor)),
    };
    let special = [(0o4000, SETUID), (0o2000, SETGID), (0o1000, STICKY)];
    let special = special.iter().filter(|(bit, _)| entry.mode & bit != 0).fold(0, |all, (_, go)| all | go);
    let target_text = target.map(String::from_utf8_lossy).unwrap_or_default();
    let raw = target.filter(|target| std::str::from_utf8(target).is_err()).map(|target| BASE64.encode(target));
    let attributes = entry.xattrs.iter();
    let attributes = attributes.map(|x| XattrJson { name: x.name.clone(), value: Some(BASE64.encode(&x.value)) });
    let mtime: Cow<'a, str> = time_text(entry.mtime).into();
    NodeJson {
        name: quote(name),
        kind: kind.into(),
        mode: entry.mode & 0o777 | special | bits,
        atime: mtime.clone(),
        mtime,
        ctime: time_text(entry.ctime).into(),
        uid: entry.uid,
        gid: entry.gid,
        user: entry.user.as_deref().unwrap_or_default().into(),
        group: entry.group.as_deref().unwrap_or_default().into(),
        inode: entry.inode,
        device_id: entry.device,
        size: entry.size_bytes,
        links: entry.links,
        linktarget: target_text,
        linktarget_raw: raw,
        extended_attributes: (!entry.xattrs.is_empty()).then(|| attributes.collect()),
        device,
        content,
        subtree,
    }
}

/// Reads a node. `None` for what no entry can be: a bad name, an unknown type.
pub(crate) fn from_json(json: NodeJson<'_>) -> Option<Node> {
    let name = unquote(&json.name)?;
    if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || name.contains(&0) {
        return None;
    }
    let kind = match &*json.kind {
        "file" => EntryType::File,
        "dir" => EntryType::Dir,
        "symlink" => EntryType::Symlink(match json.linktarget_raw {
            Some(raw) => BASE64.decode(raw).ok()?,
            None => json.linktarget.as_bytes().to_vec(),
        }),
        "fifo" => EntryType::Fifo,
        "socket" => EntryType::Socket,
        "chardev" => EntryType::CharDevice(device_parts(json.device).0, device_parts(json.device).1),
        "dev" => EntryType::BlockDevice(device_parts(json.device).0, device_parts(json.device).1),
        _ => return None,
    };
    let special = [(0o4000, SETUID), (0o2000, SETGID), (0o1000, STICKY)];
    let special = special.iter().filter(|(_, go)| json.mode & go != 0).fold(0, |all, (bit, _)| all | bit);
    let text = |text: Cow<'_, str>| (!text.is_empty()).then(|| text.into_owned());
    let xattrs = json.extended_attributes.unwrap_or_default().into_iter();
    let xattrs = xattrs.map(|x| Some(Xattr { name: x.name, value: BASE64.decode(x.value.unwrap_or_default()).ok()? }));
    let is_file = kind == EntryType::File;
    let entry = Entry {
        path: RawPath::new(name).ok()?,
        kind,
        size_bytes: if is_file { json.size } else { 0 },
        mode: json.mode & 0o777 | special,
        uid: json.uid,
        gid: json.gid,
        user: text(json.user),
        group: text(json.group),
        mtime: read_time(&json.mtime),
        ctime: read_time(&json.ctime),
        inode: json.inode,
        device: json.device_id,
        links: json.links,
        xattrs: xattrs.collect::<Option<_>>()?,
    };
    Some(Node { entry, content: json.content.unwrap_or_default(), subtree: json.subtree })
}

/// Linux's packing of a device's two numbers.
fn device_number(major: u32, minor: u32) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}

fn device_parts(device: u64) -> (u32, u32) {
    let major = (device >> 8 & 0xfff) | (device >> 32 & !0xfff);
    let minor = (device & 0xff) | (device >> 12 & 0xffff_ff00);
    (major as u32, minor as u32)
}

fn time_text(time: TimeNs) -> String {
    let (seconds, nanos) = time.to_parts();
    let moment = DateTime::<Utc>::from_timestamp(seconds, nanos);
    // restic's JSON ends at the year 9999; a time beyond it is a broken clock's.
    let moment = moment.filter(|moment| (0..=9999).contains(&moment.year())).unwrap_or_default();
    go_time(&moment)
}

/// Writes a time as Go does: RFC 3339, nanoseconds without trailing zeros.
pub(crate) fn go_time(moment: &DateTime<Utc>) -> String {
    let mut text = moment.to_rfc3339_opts(SecondsFormat::Nanos, true);
    if let Some(digits) = text.strip_suffix('Z') {
        let kept = digits.trim_end_matches('0').trim_end_matches('.').len();
        text.truncate(kept);
        text.push('Z');
    }
    text
}

fn read_time(text: &str) -> TimeNs {
    // Go's zero time stands for "not known".
    match DateTime::parse_from_rfc3339(text) {
        Ok(moment) if !text.starts_with("0001-01-01T00:00:00Z") => {
            TimeNs::from_parts(moment.timestamp(), moment.timestamp_subsec_nanos())
        }
        _ => TimeNs::default(),
    }
}

/// Writes bytes as Go's strconv.Quote does, without the quotes.
pub(crate) fn quote(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(|c| c.is_control() || c == '"' || c == '\\' || c == '\u{fffd}')
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\u{7}' => out.push_str("\\a"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{b}' => out.push_str("\\v"),
                '"' | '\\' => out.extend(['\\', c]),
                c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
                c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    Cow::Owned(out)
}

/// Reads what [`quote`] or Go wrote; `None` if it is neither.
pub(crate) fn unquote(text: &str) -> Option<Vec<u8>> {
    if !text.contains('\\') {
        return Some(text.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            push_char(&mut out, c);
            continue;
        }
        match chars.next()? {
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            c @ ('\\' | '"' | '\'') => push_char(&mut out, c),
            'x' => out.push(u8::try_from(digits(&mut chars, 0, 2, 16)?).ok()?),
            'u' => push_char(&mut out, char::from_u32(digits(&mut chars, 0, 4, 16)?)?),
            'U' => push_char(&mut out, char::from_u32(digits(&mut chars, 0, 8, 16)?)?),
            c @ '0'..='3' => out.push(u8::try_from(digits(&mut chars, c.to_digit(8)?, 2, 8)?).ok()?),
            _ => return None,
        }
    }
    Some(out)
}

fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn digits(chars: &mut std::str::Chars<'_>, first: u32, count: u32, radix: u32) -> Option<u32> {
    (0..count).try_fold(first, |value, _| value.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_written_as_go_writes_them() {
        assert_eq!(quote(b"plain \xc3\xbc"), "plain ü");
        assert_eq!(quote(b"a\"b\\c\nd\xff\x01\x7f"), "a\\\"b\\\\c\\nd\\xff\\x01\\x7f");
        assert_eq!(quote("\u{85}".as_bytes()), "\\u0085");
        for name in [&b"plain"[..], b"\xff\xfe/", b"\\x41", "日本\u{fffd}\u{85}\"".as_bytes(), b"\x00\x07\x1b"] {
            assert_eq!(unquote(&quote(name)).unwrap(), name);
        }
        assert_eq!(unquote("\\101\\u00fc\\U0001F600\\'").unwrap(), "Aü😀'".as_bytes());
        assert!(unquote("bad\\q").is_none() && unquote("cut\\x4").is_none() && unquote("end\\").is_none());
    }

    #[test]
    fn device_numbers_survive() {
        assert_eq!(device_number(8, 1), 0x801);
        for pair in [(0, 0), (1, 3), (259, 1_048_575), (4095, 255), (70_000, 300)] {
            assert_eq!(device_parts(device_number(pair.0, pair.1)), pair);
        }
    }

    #[test]
    fn times_survive_and_absurd_ones_do_no_harm() {
        for time in [TimeNs(0), TimeNs(1_700_000_000_123_456_789), TimeNs(-1), TimeNs(1_700_000_000_100_000_000)] {
            assert_eq!(read_time(&time_text(time)), time);
        }
        assert_eq!(time_text(TimeNs(1_100_000_000)), "1970-01-01T00:00:01.1Z");
        assert_eq!(time_text(TimeNs(i128::MAX)), "1970-01-01T00:00:00Z");
        assert_eq!(read_time("0001-01-01T00:00:00Z"), TimeNs(0));
    }

    #[test]
    fn hostile_names_are_refused() {
        for name in ["", ".", "..", "a/b", "a\\x00b", "a\\x2fb"] {
            let json = format!(r#"{{"name":{},"type":"file","content":null}}"#, serde_json::to_string(name).unwrap());
            assert!(from_json(serde_json::from_str(&json).unwrap()).is_none(), "{name}");
        }
    }
}
