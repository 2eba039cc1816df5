//! The lines of a manifest: JSON, one thing a line, so that a million entries are written and read one by one.

use backstay_core::entry::{Entry, EntryType, TimeNs, Xattr};
use backstay_core::layout::{BackupManifest, BackupRecord};
use backstay_core::path::{RawPath, escape, unescape};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The version of the manifest written.
pub(crate) const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HeadLine {
    /// Version of the manifest.
    pub backstay_archive: u32,
    /// The backup, as lists show it. Inside an archive its size and hash are not known yet: 0 and empty.
    pub record: BackupRecord,
}

/// Where blocks lie, a few thousand a line: (bytes held, unused bytes before it, compressed bytes) for each.
#[derive(Serialize, Deserialize)]
pub(crate) struct BlocksLine {
    pub blocks: Vec<(u32, u64, u32)>,
}

/// What the backup knows of itself.
#[derive(Serialize, Deserialize)]
pub(crate) struct BackupLine {
    pub backup: BackupManifest,
}

/// The last line.
#[derive(Serialize, Deserialize)]
pub(crate) struct EndLine {
    pub end: End,
}

/// Proves that all lines are there.
#[derive(Serialize, Deserialize)]
pub(crate) struct End {
    /// How many lines of entries there are.
    pub entries: u64,
    /// SHA-256 of all lines after the first and before this one, line ends included.
    pub sha256: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One entry.
#[derive(Serialize, Deserialize)]
pub(crate) struct EntryLine<'a> {
    #[serde(borrow)]
    pub path: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub size: u64,
    pub mode: u32,
    #[serde(default)]
    pub uid: u32,
    #[serde(default)]
    pub gid: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Cow<'a, str>>,
    /// Seconds and nanoseconds.
    pub mtime: (i64, u32),
    #[serde(default, skip_serializing_if = "is_default")]
    pub ctime: (i64, u32),
    #[serde(default, skip_serializing_if = "is_default")]
    pub inode: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub device: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub links: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Cow<'a, str>>,
    /// Where its content begins in the uncompressed stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// Instead of `at` where the content lies in pieces: (where, how many bytes).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<(u64, u64)>,
    /// Runs of zeros: (offset, length).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<(u64, u64)>,
    /// A symbolic link's target.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Cow<'a, str>>,
    /// The first name of the file this is a further name of.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub same: Option<Cow<'a, str>>,
    /// A device's numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<(u32, u32)>,
    /// Names and base64 values.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub xattrs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// What a manifest says of an entry beside its metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// SHA-256 of its content; `None` where it has none or shares another's.
    pub sha256: Option<[u8; 32]>,
    /// Where its content lies in the uncompressed stream.
    pub pieces: Vec<(u64, u64)>,
    /// Runs of zeros in it.
    pub holes: Vec<(u64, u64)>,
    /// The first name of the file this is a further name of.
    pub same: Option<RawPath>,
}

/// The type of an entry that was given up half way; its bytes lie in the archive and mean nothing.
pub(crate) const VOID: &str = "void";

fn type_word(kind: &EntryType) -> &'static str {
    match kind {
        EntryType::File => "file",
        EntryType::Dir => "dir",
        EntryType::Symlink(_) => "symlink",
        EntryType::Fifo => "fifo",
        EntryType::Socket => "socket",
        EntryType::CharDevice(..) => "char",
        EntryType::BlockDevice(..) => "block",
    }
}

/// Writes an entry's line, without its end.
pub(crate) fn entry_line<'a>(entry: &'a Entry, place: &'a Place) -> EntryLine<'a> {
    let (target, numbers) = match &entry.kind {
        EntryType::Symlink(target) => (Some(escape(target).into()), None),
        EntryType::CharDevice(major, minor) | EntryType::BlockDevice(major, minor) => (None, Some((*major, *minor))),
        _ => (None, None),
    };
    let (at, pieces) = match place.pieces.as_slice() {
        [(at, length)] if *length == entry.size_bytes => (Some(*at), Vec::new()),
        pieces => (None, pieces.to_vec()),
    };
    EntryLine {
        path: entry.path.to_text().into(),
        kind: type_word(&entry.kind).into(),
        size: entry.size_bytes,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        user: entry.user.as_deref().map(Cow::from),
        group: entry.group.as_deref().map(Cow::from),
        mtime: entry.mtime.to_parts(),
        ctime: entry.ctime.to_parts(),
        inode: entry.inode,
        device: entry.device,
        links: entry.links,
        sha256: place.sha256.map(|sum| super::keys::hex(&sum).into()),
        at,
        pieces,
        holes: place.holes.clone(),
        target,
        same: place.same.as_ref().map(|path| path.to_text().into()),
        numbers,
        xattrs: entry.xattrs.iter().map(|x| (Cow::from(&*x.name), BASE64.encode(&x.value).into())).collect(),
    }
}

/// Reads an entry's line. `None` for what no entry can be. The void ones are told apart before.
pub(crate) fn read_entry(line: EntryLine<'_>) -> Option<(Entry, Place)> {
    let path = RawPath::from_text(&line.path).ok().filter(|path| !path.is_root() && !path.is_absolute())?;
    let kind = match &*line.kind {
        "file" => EntryType::File,
        "dir" => EntryType::Dir,
        "symlink" => EntryType::Symlink(unescape(line.target.as_deref()?)?),
        "fifo" => EntryType::Fifo,
        "char" => EntryType::CharDevice(line.numbers?.0, line.numbers?.1),
        "block" => EntryType::BlockDevice(line.numbers?.0, line.numbers?.1),
        _ => return None,
    };
    let sha256 = match line.sha256.as_deref() {
        Some(text) => Some(unhex(text)?),
        None => None,
    };
    let pieces = match line.at {
        Some(at) => vec![(at, line.size)],
        None => line.pieces,
    };
    let same = match line.same.as_deref() {
        Some(text) => Some(RawPath::from_text(text).ok()?),
        None => None,
    };
    let total = pieces.iter().try_fold(0_u64, |sum, (_, length)| sum.checked_add(*length))?;
    if kind == EntryType::File && same.is_none() && (total != line.size || (line.size > 0 && sha256.is_none())) {
        return None;
    }
    let mut end = 0;
    for (offset, length) in &line.holes {
        end = offset.checked_add(*length).filter(|next| *offset >= end && *next <= line.size)?;
    }
    let mut xattrs = Vec::with_capacity(line.xattrs.len());
    for (name, value) in line.xattrs {
        xattrs.push(Xattr { name: name.into_owned(), value: BASE64.decode(&*value).ok()? });
    }
    let entry = Entry {
        path,
        kind,
        size_bytes: line.size,
        mode: line.mode & 0o7777,
        uid: line.uid,
        gid: line.gid,
        user: line.user.map(Cow::into_owned),
        group: line.group.map(Cow::into_owned),
        mtime: TimeNs::from_parts(line.mtime.0, line.mtime.1),
        ctime: TimeNs::from_parts(line.ctime.0, line.ctime.1),
        inode: line.inode,
        device: line.device,
        links: line.links,
        xattrs,
    };
    Some((entry, Place { sha256, pieces, holes: line.holes, same }))
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    if text.len() != 64 {
        return None;
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(text.chunks(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_entry_survives_its_line() {
        let path = RawPath::new(b"srv/\xff \"odd\"\n\\name").unwrap();
        let mut entry = Entry::plain(path.clone(), EntryType::File, 0o6755, TimeNs(-1_500_000_001));
        (entry.size_bytes, entry.uid, entry.links, entry.inode) = (5000, 4_000_000_000, 2, u64::MAX);
        entry.user = Some("wärter".into());
        entry.xattrs = vec![Xattr { name: "user.a=b".into(), value: b"\0\xff".to_vec() }];
        let place = Place {
            sha256: Some([9; 32]),
            pieces: vec![(512, 4000), (9000, 1000)],
            holes: vec![(0, 4096)],
            same: None,
        };
        let mut link = Entry::plain(path.clone(), EntryType::Symlink(b"\xfe/t".to_vec()), 0o777, TimeNs(7));
        link.size_bytes = 0;
        let device = Entry::plain(path.clone(), EntryType::BlockDevice(8, 1 << 19), 0o600, TimeNs(0));
        let mut further = entry.clone();
        further.xattrs.clear();
        let same = Place { same: Some(path), ..Place::default() };
        for (entry, place) in [(entry, place), (link, Place::default()), (device, Place::default()), (further, same)] {
            let text = serde_json::to_string(&entry_line(&entry, &place)).unwrap();
            let back = read_entry(serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(back, (entry, place));
        }
    }

    #[test]
    fn what_contradicts_itself_is_no_entry() {
        for bad in [
            r#"{"path":"../x","type":"dir","mode":0,"mtime":[0,0]}"#,
            r#"{"path":"/etc/x","type":"dir","mode":0,"mtime":[0,0]}"#,
            r#"{"path":"","type":"dir","mode":0,"mtime":[0,0]}"#,
            r#"{"path":"x","type":"door","mode":0,"mtime":[0,0]}"#,
            r#"{"path":"x","type":"file","size":5,"mode":0,"mtime":[0,0]}"#,
            r#"{"path":"x","type":"file","size":5,"mode":0,"mtime":[0,0],"at":7}"#,
            r#"{"path":"x","type":"file","size":5,"mode":0,"mtime":[0,0],"at":7,"sha256":"00"}"#,
            r#"{"path":"x","type":"file","mode":0,"mtime":[0,0],"pieces":[[1,18446744073709551615],[1,2]]}"#,
            r#"{"path":"x","type":"symlink","mode":0,"mtime":[0,0]}"#,
        ] {
            let line: EntryLine<'_> = serde_json::from_str(bad).unwrap();
            assert!(read_entry(line).is_none(), "{bad}");
        }
    }
}
