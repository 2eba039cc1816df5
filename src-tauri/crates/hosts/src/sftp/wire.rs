//! The packets of SFTP version 3: lengths, numbers, strings of bytes, attributes.

use backstay_core::RawPath;
use backstay_core::entry::{Entry, EntryType, TimeNs};

/// Packet types, as the protocol numbers them.
pub mod kind {
    pub const INIT: u8 = 1;
    pub const VERSION: u8 = 2;
    pub const OPEN: u8 = 3;
    pub const CLOSE: u8 = 4;
    pub const READ: u8 = 5;
    pub const WRITE: u8 = 6;
    pub const LSTAT: u8 = 7;
    pub const FSTAT: u8 = 8;
    pub const SETSTAT: u8 = 9;
    pub const OPENDIR: u8 = 11;
    pub const READDIR: u8 = 12;
    pub const REMOVE: u8 = 13;
    pub const MKDIR: u8 = 14;
    pub const RMDIR: u8 = 15;
    pub const REALPATH: u8 = 16;
    pub const STAT: u8 = 17;
    pub const RENAME: u8 = 18;
    pub const READLINK: u8 = 19;
    pub const SYMLINK: u8 = 20;
    pub const STATUS: u8 = 101;
    pub const HANDLE: u8 = 102;
    pub const DATA: u8 = 103;
    pub const NAME: u8 = 104;
    pub const ATTRS: u8 = 105;
    pub const EXTENDED: u8 = 200;
    pub const EXTENDED_REPLY: u8 = 201;
}

/// Status codes. Those above 8 belong to later versions, but some servers say them in version 3 too.
pub mod status {
    pub const OK: u32 = 0;
    pub const EOF: u32 = 1;
    pub const NO_SUCH_FILE: u32 = 2;
    pub const PERMISSION_DENIED: u32 = 3;
    pub const CONNECTION_LOST: u32 = 7;
    pub const UNSUPPORTED: u32 = 8;
    pub const NO_SUCH_PATH: u32 = 10;
    pub const FILE_ALREADY_EXISTS: u32 = 11;
    pub const WRITE_PROTECT: u32 = 12;
    pub const NO_SPACE: u32 = 14;
    pub const QUOTA_EXCEEDED: u32 = 15;
}

const ATTR_SIZE: u32 = 1;
const ATTR_UIDGID: u32 = 2;
const ATTR_PERMISSIONS: u32 = 4;
const ATTR_ACMODTIME: u32 = 8;
const ATTR_EXTENDED: u32 = 0x8000_0000;

/// Writes a packet's payload.
#[derive(Default)]
pub struct Payload(pub Vec<u8>);

impl Payload {
    /// Appends a number.
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// Appends a large number.
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    /// Appends a string of bytes with its length.
    pub fn bytes(self, value: &[u8]) -> Self {
        let mut this = self.length(value.len());
        this.0.extend_from_slice(value);
        this
    }
    /// Appends the length of a string of bytes that is sent after this payload.
    pub fn length(self, length: usize) -> Self {
        // Longer than 4 GiB is refused by the packet limit long before.
        self.u32(u32::try_from(length).unwrap_or(u32::MAX))
    }
    /// Appends attributes that set the permission bits, or none.
    pub fn attrs(self, mode: Option<u32>) -> Self {
        match mode {
            Some(mode) => self.u32(ATTR_PERMISSIONS).u32(mode),
            None => self.u32(0),
        }
    }
    /// Appends attributes that set the owner.
    pub fn owner(self, uid: u32, gid: u32) -> Self {
        self.u32(ATTR_UIDGID).u32(uid).u32(gid)
    }
    /// Appends attributes that set the times of the last read and the last change, in seconds.
    pub fn times(self, seconds: u32) -> Self {
        self.u32(ATTR_ACMODTIME).u32(seconds).u32(seconds)
    }
    /// Appends another payload.
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend_from_slice(&more.0);
        self
    }
}

/// Reads a packet's payload; every getter is `None` past its end.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// Takes a number.
    pub fn u32(&mut self) -> Option<u32> {
        let (head, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*head))
    }
    /// Takes a large number.
    pub fn u64(&mut self) -> Option<u64> {
        let (head, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*head))
    }
    /// Takes a string of bytes.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }
    /// Takes attributes.
    pub fn attrs(&mut self) -> Option<Attrs> {
        let flags = self.u32()?;
        let mut attrs = Attrs { told: flags, ..Attrs::default() };
        if flags & ATTR_SIZE != 0 {
            attrs.size = self.u64()?;
        }
        if flags & ATTR_UIDGID != 0 {
            attrs.uid = self.u32()?;
            attrs.gid = self.u32()?;
        }
        if flags & ATTR_PERMISSIONS != 0 {
            attrs.mode = self.u32()?;
        }
        if flags & ATTR_ACMODTIME != 0 {
            self.u32()?;
            attrs.mtime = self.u32()?;
        }
        if flags & ATTR_EXTENDED != 0 {
            for _ in 0..self.u32()? {
                self.bytes()?;
                self.bytes()?;
            }
        }
        Some(attrs)
    }
}

/// What SFTP tells of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attrs {
    /// Length.
    pub size: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Type and permission bits.
    pub mode: u32,
    /// Last change, in seconds.
    pub mtime: u32,
    /// Which of these the server told.
    told: u32,
}

impl Attrs {
    /// Tells whether the server told its type.
    pub fn tells_type(&self) -> bool {
        self.told & ATTR_PERMISSIONS != 0 && self.mode & 0o170_000 != 0
    }
    /// Returns when it was changed last, where the server told.
    pub fn modified(&self) -> Option<i64> {
        (self.told & ATTR_ACMODTIME != 0).then_some(i64::from(self.mtime))
    }
    /// Tells whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }
    /// Tells whether it is a folder.
    pub fn is_dir(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }
    /// Tells whether it is a regular file; a server that tells no type means that.
    pub fn is_file(&self) -> bool {
        matches!(self.mode & 0o170_000, 0o100_000 | 0)
    }
    /// Makes an entry. SFTP knows no inode, no ctime and no names of owners.
    pub fn entry(&self, path: RawPath, link_target: Vec<u8>) -> Entry {
        let kind = match self.mode & 0o170_000 {
            0o040_000 => EntryType::Dir,
            0o120_000 => EntryType::Symlink(link_target),
            0o010_000 => EntryType::Fifo,
            0o140_000 => EntryType::Socket,
            0o020_000 => EntryType::CharDevice(0, 0),
            0o060_000 => EntryType::BlockDevice(0, 0),
            _ => EntryType::File,
        };
        let mtime = TimeNs::from_parts(i64::from(self.mtime), 0);
        let mut entry = Entry::plain(path, kind, self.mode & 0o7777, mtime);
        entry.ctime = TimeNs::default();
        entry.uid = self.uid;
        entry.gid = self.gid;
        entry.size_bytes = if entry.is_file() { self.size } else { 0 };
        entry
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let payload = Payload::default().u32(7).u64(1 << 40).bytes(b"a\xff\n").attrs(Some(0o100_644)).attrs(None).0;
        let mut fields = Fields(&payload);
        assert_eq!(fields.u32(), Some(7));
        assert_eq!(fields.u64(), Some(1 << 40));
        assert_eq!(fields.bytes(), Some(&b"a\xff\n"[..]));
        assert_eq!(fields.attrs().unwrap().mode, 0o100_644);
        let untold = fields.attrs().unwrap();
        assert_eq!(untold, Attrs::default());
        assert!(!untold.tells_type() && untold.modified().is_none());
        assert_eq!(fields.u32(), None);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        assert_eq!(Fields(&[0, 0, 0, 9, b'x']).bytes(), None);
        assert_eq!(Fields(&[0xff; 4]).bytes(), None);
        assert!(Fields(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).attrs().is_none());
    }
}
