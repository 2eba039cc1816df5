//! Entries to header blocks.

use super::{ACL_PREFIX, BLOCK, XATTR_PREFIX, acl, sparse};
use crate::entry::{Entry, EntryType, Xattr};

const NAME_FIELD: usize = 100;
/// The largest number 11 octal digits hold.
const OCTAL_11: u64 = 0o77_777_777_777;
/// The largest number 7 octal digits hold.
const OCTAL_7: u64 = 0o7_777_777;

/// Returns the complete header blocks of an entry: pax records where needed, the header itself, and, for a file with
/// holes, the map of its data that stands before the content.
///
/// `name` is the name in the archive, `size` the file's length with its holes. A folder's name gets its trailing slash
/// here. With `hard_link_to` the entry is a further name of that earlier one and no content follows. Otherwise exactly
/// the ranges of [`super::data_segments`] must follow, [`stored_size`] bytes in all, then [`padding`] of that many zeros.
/// `holes` are sorted, non-overlapping (offset, length) pairs within `size`.
pub fn header(entry: &Entry, name: &[u8], size: u64, hard_link_to: Option<&[u8]>, holes: &[(u64, u64)]) -> Vec<u8> {
    let is_file = entry.is_file() && hard_link_to.is_none();
    let size = if is_file { size } else { 0 };
    let map = if is_file && !holes.is_empty() { Some(sparse::map_block(size, holes)) } else { None };
    let stored = map.as_ref().map_or(0, |map| map.len() as u64) + stored_size(size, holes);

    let mut name = name.to_vec();
    if entry.is_dir() && name.last() != Some(&b'/') {
        name.push(b'/');
    }
    let mut pax = Pax::default();
    add_xattrs(&mut pax, entry, hard_link_to.is_some());
    let field_name = if map.is_some() {
        pax.add("GNU.sparse.major", b"1");
        pax.add("GNU.sparse.minor", b"0");
        pax.add("GNU.sparse.name", &name);
        pax.add("GNU.sparse.realsize", size.to_string().as_bytes());
        [b"GNUSparseFile.0/", &name[name.len().saturating_sub(80)..]].concat()
    } else {
        if name.len() > NAME_FIELD {
            pax.add("path", &name);
        }
        name
    };
    let (kind, link, device) = type_fields(entry, hard_link_to);
    if link.len() > NAME_FIELD {
        pax.add("linkpath", link);
    }
    let mut block = Block::new(&field_name, kind);
    block.text(157, NAME_FIELD, link);
    block.octal(100, 7, u64::from(entry.mode & 0o7777));
    owner_fields(&mut block, &mut pax, entry);
    if stored > OCTAL_11 {
        pax.add("size", stored.to_string().as_bytes());
    }
    block.octal(124, 11, stored.min(OCTAL_11));
    time_field(&mut block, &mut pax, entry);
    if let Some((major, minor)) = device {
        block.octal(329, 7, u64::from(major).min(OCTAL_7));
        block.octal(337, 7, u64::from(minor).min(OCTAL_7));
    }

    let mut out = pax.into_blocks();
    out.extend_from_slice(&block.finish());
    out.extend(map.unwrap_or_default());
    out
}

/// Returns how many zeros follow `size` bytes of content, to fill the last block.
pub fn padding(size: u64) -> usize {
    let over = (size % BLOCK as u64) as usize;
    if over == 0 { 0 } else { BLOCK - over }
}

/// Returns how many content bytes of a file of `size` are stored, given its holes.
pub fn stored_size(size: u64, holes: &[(u64, u64)]) -> u64 {
    sparse::data_segments(size, holes).iter().map(|(_, length)| length).sum()
}

fn type_fields<'a>(entry: &'a Entry, hard_link_to: Option<&'a [u8]>) -> (u8, &'a [u8], Option<(u32, u32)>) {
    if let Some(target) = hard_link_to {
        return (b'1', target, None);
    }
    match &entry.kind {
        // A socket has no place in tar; it is never stored, and would come out as an empty file.
        EntryType::File | EntryType::Socket => (b'0', b"", None),
        EntryType::Dir => (b'5', b"", None),
        EntryType::Symlink(target) => (b'2', target, None),
        EntryType::Fifo => (b'6', b"", None),
        EntryType::CharDevice(major, minor) => (b'3', b"", Some((*major, *minor))),
        EntryType::BlockDevice(major, minor) => (b'4', b"", Some((*major, *minor))),
    }
}

fn owner_fields(block: &mut Block, pax: &mut Pax, entry: &Entry) {
    for (key, at, id) in [("uid", 108, entry.uid), ("gid", 116, entry.gid)] {
        if u64::from(id) > OCTAL_7 {
            pax.add(key, id.to_string().as_bytes());
        }
        block.octal(at, 7, u64::from(id).min(OCTAL_7));
    }
    for (key, at, name) in [("uname", 265, &entry.user), ("gname", 297, &entry.group)] {
        let name = name.as_deref().unwrap_or_default();
        if name.len() > 31 {
            pax.add(key, name.as_bytes());
        } else {
            block.text(at, 32, name.as_bytes());
        }
    }
}

fn time_field(block: &mut Block, pax: &mut Pax, entry: &Entry) {
    let (seconds, nanos) = entry.mtime.to_parts();
    if nanos != 0 || seconds < 0 || seconds as u64 > OCTAL_11 {
        pax.add("mtime", decimal_time(entry.mtime.0).as_bytes());
    }
    block.octal(136, 11, (seconds.max(0) as u64).min(OCTAL_11));
}

/// Writes nanoseconds as decimal seconds: `-1` ns is `-0.000000001`.
fn decimal_time(ns: i128) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    let text = format!("{sign}{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn add_xattrs(pax: &mut Pax, entry: &Entry, is_hard_link: bool) {
    // The first name of a hard-linked file carried them already.
    if is_hard_link {
        return;
    }
    for xattr in &entry.xattrs {
        if xattr.name.starts_with(ACL_PREFIX) {
            pax.add(&xattr.name, &xattr.value);
        } else {
            // A keyword ends at "=", so GNU tar writes that sign in a name as %3D.
            let name = xattr.name.replace('%', "%25").replace('=', "%3D");
            pax.add(&format!("{XATTR_PREFIX}{name}"), &xattr.value);
        }
        // A text that the server's tar gave stays as it is.
        let is_new = |text: &Xattr| entry.xattrs.iter().all(|other| other.name != text.name);
        if let Some(text) = acl::in_text(xattr, entry.is_dir()).filter(is_new) {
            pax.add(&text.name, &text.value);
        }
    }
}

/// Pax records being gathered.
#[derive(Default)]
struct Pax(Vec<u8>);

impl Pax {
    fn add(&mut self, key: &str, value: &[u8]) {
        // "LENGTH KEY=VALUE\n", where LENGTH counts its own digits too.
        let rest = key.len() + value.len() + 3;
        let mut length = rest + rest.to_string().len();
        if length.to_string().len() > rest.to_string().len() {
            length += 1;
        }
        self.0.extend_from_slice(format!("{length} {key}=").as_bytes());
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }

    fn into_blocks(self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::with_capacity(BLOCK);
        }
        let mut block = Block::new(b"././@PaxHeader", b'x');
        block.octal(100, 7, 0o644);
        block.octal(108, 7, 0);
        block.octal(116, 7, 0);
        block.octal(124, 11, self.0.len() as u64);
        block.octal(136, 11, 0);
        let mut out = block.finish().to_vec();
        out.extend_from_slice(&self.0);
        out.resize(out.len() + padding(self.0.len() as u64), 0);
        out
    }
}

/// One header block being filled.
struct Block([u8; BLOCK]);

impl Block {
    fn new(name: &[u8], kind: u8) -> Self {
        let mut block = Self([0; BLOCK]);
        block.text(0, NAME_FIELD, name);
        block.0[156] = kind;
        block.text(257, 8, b"ustar\x0000");
        block
    }

    fn text(&mut self, at: usize, room: usize, text: &[u8]) {
        let length = text.len().min(room);
        self.0[at..at + length].copy_from_slice(&text[..length]);
    }

    fn octal(&mut self, at: usize, digits: usize, value: u64) {
        let text = format!("{value:0digits$o}");
        self.text(at, digits, text.as_bytes());
    }

    fn finish(mut self) -> [u8; BLOCK] {
        self.text(148, 8, b"        ");
        let sum: u64 = self.0.iter().map(|byte| u64::from(*byte)).sum();
        let text = format!("{sum:06o}\0 ");
        self.text(148, 8, text.as_bytes());
        self.0
    }
}
