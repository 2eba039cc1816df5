//! Files of another machine at random offsets: what an SFTP destination needs, and what the hosts' SSH gives.
//!
//! `Host` reads and writes files whole and runs commands; a destination needs neither, but offsets, exclusive creation,
//! several kinds of rename, and many requests on their way at the same time.

use crate::error::Result;
use crate::host::Space;
use crate::path::RawPath;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A link, a pipe, a device: nothing we would read or write.
    Other,
}

/// What is known of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteStat {
    /// What it is.
    pub kind: RemoteKind,
    /// Its size in bytes; 0 for anything but a regular file.
    pub size_bytes: u64,
    /// Last change, Unix seconds; `None` where the server does not tell.
    pub modified: Option<i64>,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteOpen {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing; nothing of it is cut off.
    Write,
    /// A new file, for reading and writing, only its owner may look into; `Exists` when the name is taken.
    CreateNew,
}

/// How a file gets another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteRename {
    /// As SFTP has it by itself: a server should refuse when the new name is taken, but not every one does.
    Plain,
    /// Atomically over what is there. Only where [`RemoteFeatures::posix_rename`] is offered.
    Over,
}

/// What a server offers beyond plain SFTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoteFeatures {
    /// [`RemoteRename::Over`] works (`posix-rename@openssh.com`).
    pub posix_rename: bool,
    /// [`RemoteFiles::hard_link`] works (`hardlink@openssh.com`).
    pub hard_link: bool,
    /// [`RemoteFile::sync`] really syncs (`fsync@openssh.com`).
    pub fsync: bool,
    /// [`RemoteFiles::space`] works (`statvfs@openssh.com`).
    pub space: bool,
}

/// An open file. Any number of reads and writes may be under way at the same time, in any order; they share the
/// connections of the [`RemoteFiles`] it came from.
///
/// Dropping it closes it, without telling whether that went well.
#[async_trait]
pub trait RemoteFile: Send + Sync {
    /// Writes all of `content` at an offset. A file written to beyond its end has zeros between.
    ///
    /// A server without room is `Full` where it says so; SFTP has no word for it, so that it may be `Internal`.
    async fn write_at(&self, offset: u64, content: Bytes) -> Result<()>;
    /// Reads so many bytes at an offset; fewer only where the file ends.
    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes>;
    /// Returns what is known of it now.
    async fn stat(&self) -> Result<RemoteStat>;
    /// Makes durable what was written, where the server can; `Ok` where it cannot.
    async fn sync(&self) -> Result<()>;
    /// Closes it. Reads and writes under way are ended first by whoever began them.
    async fn close(&self) -> Result<()>;
}

/// The files of a server over one or more connections.
///
/// Paths are bytes; a relative one counts from the log-in folder. Nothing follows by itself: no call retries or
/// reconnects. An absent path is `Missing`, a lost connection `Offline`; after one, [`RemoteFiles::is_closed`] is true and
/// [`RemoteFilesSource::open`] gives new ones.
#[async_trait]
pub trait RemoteFiles: Send + Sync {
    /// Returns what the server offers.
    fn features(&self) -> RemoteFeatures;
    /// Tells whether the connection is gone.
    fn is_closed(&self) -> bool;
    /// Returns what is known of a path, links followed.
    async fn stat(&self, path: &RawPath) -> Result<RemoteStat>;
    /// Lists a folder, without `.` and `..`, unsorted, links not followed. Names hold no slash.
    async fn list(&self, dir: &RawPath) -> Result<Vec<(Vec<u8>, RemoteStat)>>;
    /// Makes one folder only its owner can look into. `Exists` when something is there already, `Missing` when the one
    /// above is not there.
    async fn make_dir(&self, path: &RawPath) -> Result<()>;
    /// Opens a file.
    async fn open_file(&self, path: &RawPath, how: RemoteOpen) -> Result<Arc<dyn RemoteFile>>;
    /// Gives a file another name. SFTP has no word for a taken name: the error is then `Internal`, look yourself.
    async fn rename(&self, from: &RawPath, to: &RawPath, how: RemoteRename) -> Result<()>;
    /// Gives a file a second name; fails, as [`RemoteFiles::rename`] does, when it is taken.
    async fn hard_link(&self, from: &RawPath, to: &RawPath) -> Result<()>;
    /// Removes a file.
    async fn remove(&self, path: &RawPath) -> Result<()>;
    /// Returns the SHA-256 of a file, 64 hex digits, computed by a command of the server; `None` where the account runs no
    /// commands, or has none that hashes, or the file cannot be read by one. It takes as long as reading it there.
    async fn sha256(&self, path: &RawPath) -> Result<Option<String>>;
    /// Starts hashing a file on the server while it is still being written; `None` where [`RemoteFiles::sha256`] is.
    async fn follow_sha256(&self, _path: &RawPath) -> Result<Option<Box<dyn GrowingHash>>> {
        Ok(None)
    }
    /// Returns the room of the file system a path lies on; `Unsupported` where the server cannot tell.
    async fn space(&self, path: &RawPath) -> Result<Space>;
}

/// A hash of a file that a command of the server computes while the file grows, so that it is done soon after the last
/// byte. The file may be renamed meanwhile. Dropping it ends the command.
#[async_trait]
pub trait GrowingHash: Send {
    /// Says that this many bytes from the file's start lie there and are not written again; never less than before.
    async fn grown_to(&mut self, bytes: u64) -> Result<()>;
    /// Returns the SHA-256 of a file that has this many bytes and is whole, 64 hex digits; `None` where the command failed.
    async fn finish(self: Box<Self>, bytes: u64) -> Result<Option<String>>;
}

/// Opens [`RemoteFiles`], and opens them anew after a connection was lost.
#[async_trait]
pub trait RemoteFilesSource: Send + Sync {
    /// Returns how messages name the server.
    fn label(&self) -> &str;
    /// Returns files over a living connection: the one there is, or a new one. Errors as of connecting.
    async fn open(&self) -> Result<Arc<dyn RemoteFiles>>;
}
