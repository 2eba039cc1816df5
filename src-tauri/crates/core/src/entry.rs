//! What a backup is made of: entries, their metadata and their content.

use crate::error::Result;
use crate::path::RawPath;
use async_trait::async_trait;
use tokio::io::AsyncRead;

/// A stream of bytes.
pub type ByteStream = Box<dyn AsyncRead + Send + Unpin>;

/// A moment in nanoseconds since the Unix epoch; may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct TimeNs(pub i128);

impl TimeNs {
    /// Makes a moment from whole seconds and the nanoseconds after them.
    pub fn from_parts(seconds: i64, nanos: u32) -> Self {
        Self(i128::from(seconds) * 1_000_000_000 + i128::from(nanos))
    }
    /// Returns whole seconds (rounded down) and the nanoseconds after them.
    pub fn to_parts(self) -> (i64, u32) {
        let seconds = self.0.div_euclid(1_000_000_000);
        (seconds.clamp(i64::MIN.into(), i64::MAX.into()) as i64, self.0.rem_euclid(1_000_000_000) as u32)
    }
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryType {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link and its target, raw bytes.
    Symlink(Vec<u8>),
    /// A named pipe.
    Fifo,
    /// A socket. Listed, never stored: it only exists while its program runs.
    Socket,
    /// A character device, with its major and minor number.
    CharDevice(u32, u32),
    /// A block device, with its major and minor number.
    BlockDevice(u32, u32),
}

/// An extended attribute; ACLs travel as `system.posix_acl_access` / `_default` or as tar's text form
/// (`SCHILY.acl.access`, `SCHILY.acl.default`), under exactly the name tar gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xattr {
    /// Its name, e.g. `user.comment`.
    pub name: String,
    /// Its value.
    pub value: Vec<u8>,
}

/// Everything known of an entry but its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path in the backup: relative to its root.
    pub path: RawPath,
    /// What it is.
    pub kind: EntryType,
    /// Content length in bytes; 0 for all but regular files.
    pub size_bytes: u64,
    /// Permission bits with setuid, setgid and sticky: `0o7777` at most.
    pub mode: u32,
    /// Owner by number.
    pub uid: u32,
    /// Group by number.
    pub gid: u32,
    /// Owner by name, where the server knows one.
    pub user: Option<String>,
    /// Group by name, where the server knows one.
    pub group: Option<String>,
    /// Last change of the content.
    pub mtime: TimeNs,
    /// Last change of the inode; 0 where unknown.
    pub ctime: TimeNs,
    /// Inode number; 0 where unknown.
    pub inode: u64,
    /// Device number; 0 where unknown. With `inode` it tells hard links apart.
    pub device: u64,
    /// Number of hard links; files with more than one and the same (device, inode) are one file.
    pub links: u64,
    /// Extended attributes and ACLs.
    pub xattrs: Vec<Xattr>,
}

impl Entry {
    /// Makes an entry with plain metadata: owned by root, made now by the caller's clock.
    pub fn plain(path: RawPath, kind: EntryType, mode: u32, mtime: TimeNs) -> Self {
        Self {
            path,
            kind,
            size_bytes: 0,
            mode,
            uid: 0,
            gid: 0,
            user: None,
            group: None,
            mtime,
            ctime: mtime,
            inode: 0,
            device: 0,
            links: 1,
            xattrs: Vec::new(),
        }
    }
    /// Tells whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == EntryType::File
    }
    /// Tells whether it is a folder.
    pub fn is_dir(&self) -> bool {
        self.kind == EntryType::Dir
    }
    /// Tells whether it shares its content with other names by hard links.
    pub fn is_hard_linked(&self) -> bool {
        self.is_file() && self.links > 1 && self.inode != 0
    }
}

/// The content handed in with an entry.
pub enum Content<'a> {
    /// The entry has none (not a regular file, or empty).
    None,
    /// The content is that of the same path in the previous backup. Only after [`EntrySink::is_unchanged`] said so.
    Previous,
    /// The content is that of another path already added in this backup: a further name of a hard-linked file.
    SameAs(&'a RawPath),
    /// The content, read to its end by the sink. It may turn out longer or shorter than `size_bytes`; what was read counts.
    Stream(&'a mut (dyn AsyncRead + Send + Unpin)),
}

/// Where a kind pushes what it collects.
///
/// Entries may come in any order; a folder that was never added but has children gets plain metadata. An entry added
/// twice replaces the first one. Nothing is visible to anyone before the layout's writer is committed.
#[async_trait]
pub trait EntrySink: Send {
    /// Tells whether the previous backup holds this file with equal size, mtime, ctime and inode, so that its content
    /// need not be read. False for anything but regular files, and for anything unknown.
    ///
    /// Returns the extended attributes kept then, since a listing does not carry them.
    fn is_unchanged(&self, entry: &Entry) -> Option<Vec<Xattr>>;

    /// Adds an entry. Returns the content bytes read (0 for `None` and `Previous`).
    ///
    /// An error of `content` itself comes back as it is and leaves the entry out; the sink stays usable. Any other error
    /// is the end of the backup.
    async fn add(&mut self, entry: Entry, content: Content<'_>) -> Result<u64, AddError>;
}

/// Why [`EntrySink::add`] did not add an entry.
#[derive(Debug)]
pub enum AddError {
    /// The content could not be read; the entry was left out, others may follow.
    Content(std::io::Error),
    /// The sink itself failed; the backup is over.
    Sink(crate::Error),
}

impl From<AddError> for crate::Error {
    fn from(error: AddError) -> Self {
        match error {
            AddError::Content(error) => crate::Error::io("Cannot read", error),
            AddError::Sink(error) => error,
        }
    }
}

/// Entries coming out of a backup, folders before what is in them, in path order.
#[async_trait]
pub trait EntrySource: Send {
    /// Returns the next entry, or `None` at the end. Content of the entry before that was not read is skipped.
    async fn next(&mut self) -> Result<Option<Entry>>;
    /// Returns the content of the regular file `next` returned last; may be called once for each entry. Holes of a
    /// sparse file come as zeros.
    fn content(&mut self) -> ByteStream;
    /// Returns the holes of that file as sorted, non-overlapping (offset, length) pairs; empty when it has none or they
    /// are not known. `content` yields zeros there.
    fn holes(&self) -> Vec<(u64, u64)> {
        Vec::new()
    }
}
