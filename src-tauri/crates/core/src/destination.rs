//! A destination: put, get, head, list and delete over keys; uploads in parts for what is large or never ends.

use crate::entry::ByteStream;
use crate::error::{Error, ErrorClass, Result};
use async_trait::async_trait;
use bytes::Bytes;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The name of an object: `/`-separated, relative, without `.`, `..`, empty parts, backslashes or control characters.
/// At most 900 bytes, so that a prefix still fits S3's 1,024.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// Makes a key; checked once, here.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let bad_part = |part: &str| part.is_empty() || part == "." || part == "..";
        let bad_char = |c: char| c.is_control() || c == '\\';
        if text.len() > 900 || text.split('/').any(bad_part) || text.chars().any(bad_char) {
            return Err(Error::new(
                ErrorClass::Invalid,
                format!("\"{}\" cannot be an object's name", text.escape_debug()),
            ));
        }
        Ok(Self(text))
    }
    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a destination can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DestinationCapabilities {
    /// `WriteMode::CreateNew` is atomic: of two writers exactly one wins.
    pub atomic_create: bool,
    /// `WriteMode::Replace` is atomic. Elsewhere a reader may find nothing there for a moment, but never half of it; a kill
    /// in that moment leaves the old object aside, and the next sweep gives it its name back.
    pub atomic_replace: bool,
    /// Ranges of one object that may be read at the same time; at least 1. It is 1 where a read that stops before the
    /// object's end costs what the server sent ahead: there a download is one stream, and so is what is read of an archive
    /// in order.
    pub parallel_ranges: u8,
    /// Free room can be asked.
    pub space: bool,
    /// Parts of one upload that may be under way at the same time; at least 1.
    pub parallel_parts: u8,
    /// Whole objects that may be under way at the same time before it only gets slower; at least 1.
    pub parallel_objects: u8,
    /// The store itself refuses content whose hash is wrong, so that a size is proof enough after a write.
    pub checks_hash: bool,
    /// [`Destination::link`] works.
    pub links: bool,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the destination.
    Up,
    /// From the destination.
    Down,
}

/// Sees all bytes on their way to or from a destination, in pieces of at most [`PIECE`]: counts them, stamps the last
/// sign of life, and holds them back as a limit asks. Backends call it for every piece just before it is handed to the
/// wire (up) or right after it was taken from it (down); they pace, count and time out by nothing else. Where pieces wait
/// in line before they leave, or no bytes of ours move, each answer of the server is a sign of life too.
#[async_trait]
pub trait Traffic: Send + Sync {
    /// Waits until `bytes` may go, then counts them.
    async fn pass(&self, direction: Direction, bytes: usize);
    /// Stamps a sign of life: the server answered.
    fn alive(&self) {}
}

/// The largest piece [`Traffic::pass`] is asked for, so that a limit is kept smoothly.
pub const PIECE: usize = 64 << 10;

/// Traffic nobody limits or counts.
#[derive(Debug, Default)]
pub struct FreeTraffic;

#[async_trait]
impl Traffic for FreeTraffic {
    async fn pass(&self, _: Direction, _: usize) {}
}

/// Whether an object may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Fails with `Exists` when the key is taken.
    CreateNew,
    /// Replaces what is there: a reader sees the old or the new, never half. See
    /// [`DestinationCapabilities::atomic_replace`].
    Replace,
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: Key,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Last change, Unix seconds; `None` where the store does not tell.
    pub modified: Option<i64>,
}

/// A part of an upload that is stored.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StoredPart {
    /// Its number, counting from 1.
    pub number: u32,
    /// Where it begins in the object.
    pub offset: u64,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What the store calls it (an ETag); empty where it does not.
    pub tag: String,
}

/// An upload in parts. Nothing of it is listed or readable before `complete` returned; it survives the process that
/// began it, and goes on by its [`PartUpload::token`].
///
/// Parts are numbered from 1 without gaps; each but the last has exactly [`PartUpload::part_bytes`] bytes and follows
/// the one before. Storing a part again replaces it. Parts may be stored in any order and at the same time, as far as
/// [`DestinationCapabilities::parallel_parts`] allows; where that is 1 they are stored in order.
#[async_trait]
pub trait PartUpload: Send + Sync {
    /// What another process needs to go on with it: an upload id, a temporary name. Not secret.
    fn token(&self) -> String;
    /// Returns how many bytes this part has, so that an object of the largest size the store takes still fits.
    fn part_bytes(&self, number: u32) -> u64;
    /// Returns the parts that lie there, by number, as the store tells now. Part of a part does not count.
    async fn stored(&self) -> Result<Vec<StoredPart>>;
    /// Stores one part.
    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart>;
    /// Makes the object of all parts, durably, as the last act.
    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()>;
    /// Ends the upload and frees what it stored; again is fine.
    async fn abort(&self) -> Result<()>;
}

/// Whether an object's content can be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// At once.
    Ready,
    /// It lies in a cold class: [`Destination::thaw`] must ask for it first.
    Frozen,
    /// Asked for; hours may pass.
    Thawing,
}

/// How an object was proven to be what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The store checked the hash when it took the object, and has the right size.
    StoreChecked,
    /// The server hashed what lies there itself.
    HashedThere,
    /// All of it was read back and hashed.
    ReadBack,
}

/// What clearing away leftovers did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads or temporary files removed.
    pub removed: u64,
    /// Those left because they are too young, spared or not ours.
    pub left: u64,
    /// Objects that got their name back: their replacement was cut off half way.
    pub restored: u64,
}

/// A place where objects lie.
///
/// All calls may run at the same time. `put` is all or nothing: after an error or a kill no object of that key is
/// listed, or the old one is still whole; when it returns, the object is durable. `delete` of an absent key is `Ok`.
/// `get` and `head` of an absent key are `Missing`. Errors carry a class; [`ErrorClass::may_retry`] tells the retry
/// wrapper what is worth another try. Backends never retry, throttle or log by themselves: wrappers do.
///
/// Content that is large or of unknown length goes by [`Destination::begin_upload`]; the helpers in
/// crate `transfer` read a stream into parts and go on with an interrupted upload.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Returns how messages name it: "nas (/mnt/backup)".
    fn label(&self) -> &str;
    /// Returns what it can do.
    fn capabilities(&self) -> DestinationCapabilities;
    /// Stores an object from memory.
    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()>;
    /// Stores an object from a stream of unknown length. Returns its size. Where the store knows storage classes, this
    /// and `begin_upload` use the class chosen for archives; `put` never does.
    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64>;
    /// Begins an upload in parts. `size` where known, so that parts are no smaller than they must be.
    async fn begin_upload(&self, key: &Key, size: Option<u64>) -> Result<Arc<dyn PartUpload>>;
    /// Goes on with an upload begun by this or another process. `Missing` when it is no more.
    async fn resume_upload(&self, key: &Key, size: Option<u64>, token: &str) -> Result<Arc<dyn PartUpload>>;
    /// Reads an object or a part of it. A range that reaches beyond the end is `Corrupt`: the object is shorter than
    /// it should be.
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes>;
    /// Reads an object as a stream from an offset.
    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream>;
    /// Returns what is known of an object.
    async fn head(&self, key: &Key) -> Result<ObjectInfo>;
    /// Returns the SHA-256 of an object, 64 hex digits, as the server computes it from what lies there now, without sending
    /// it; `None` where it cannot: then whoever wants a proof reads the object back. It may take as long as reading the
    /// object from the server's disk, and no bytes move meanwhile.
    async fn sha256_there(&self, _key: &Key) -> Result<Option<String>> {
        Ok(None)
    }
    /// Lists all objects whose key starts with `prefix` (empty: all), in any order. Half-written ones are never listed.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>>;
    /// Removes an object, with all its versions where the store keeps any and lets us.
    async fn delete(&self, key: &Key) -> Result<()>;
    /// Returns free and total room; `Unsupported` where the store cannot tell.
    async fn space(&self) -> Result<crate::host::Space>;
    /// Tells whether an object's content can be read now.
    async fn availability(&self, key: &Key) -> Result<Availability> {
        self.head(key).await.map(|_| Availability::Ready)
    }
    /// Asks a cold class for an object's content, to stay readable for so many days.
    async fn thaw(&self, key: &Key, _days: u32) -> Result<Availability> {
        self.availability(key).await
    }
    /// Returns an address anybody can read the object at until `valid` has passed. It is a secret while it lasts.
    async fn link(&self, _key: &Key, _valid: Duration) -> Result<crate::secret::Secret> {
        Err(Error::new(ErrorClass::Unsupported, format!("{} cannot make links", self.label()))
            .hint("Temporary links need an S3 destination; download the backup instead"))
    }
    /// Returns until when nobody can delete an object, Unix seconds; `None` where it has no lock. A lock that is over is
    /// told all the same, where the store does.
    async fn locked_until(&self, _key: &Key) -> Result<Option<i64>> {
        Ok(None)
    }
    /// Locks an object that has a lock already, or had one, until this time, Unix seconds, unless it is locked for longer.
    /// Returns until when it is locked then; `None` where there is no lock to be extended.
    async fn extend_lock(&self, _key: &Key, _until: i64) -> Result<Option<i64>> {
        Ok(None)
    }
    /// Removes what interrupted uploads of ours left, if nobody wrote to it for `older_than` and its token is not among
    /// `spared`: those are still to be gone on with. Never touches anything else. An object whose replacement was cut off
    /// gets its name back.
    async fn sweep(&self, _older_than: Duration, _spared: &[String]) -> Result<Swept> {
        Ok(Swept::default())
    }
    /// Returns the backend itself, below its wrappers, for its own crate: a test of a bucket asks for more than this trait.
    fn backend(&self) -> Option<&(dyn std::any::Any + Send + Sync)> {
        None
    }
}
