//! A destination: put, get, head, list and delete over keys.

use crate::entry::ByteStream;
use crate::error::{Error, ErrorClass, Result};
use async_trait::async_trait;
use bytes::Bytes;
use std::fmt;
use std::ops::Range;

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
    /// Reads of a part of an object are cheap.
    pub ranges: bool,
    /// Free room can be asked.
    pub space: bool,
}

/// Whether an object may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Fails with `Exists` when the key is taken.
    CreateNew,
    /// Replaces what is there, atomically: a reader sees the old or the new, never half.
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

/// A place where objects lie.
///
/// All calls may run at the same time. `put` is all or nothing: after an error or a kill no object of that key is
/// listed, or the old one is still whole; when it returns, the object is durable. `delete` of an absent key is `Ok`.
/// `get` and `head` of an absent key are `Missing`. Errors carry a class; [`ErrorClass::may_retry`] tells the retry
/// wrapper what is worth another try. Backends never retry, throttle or log by themselves: wrappers do.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Returns how messages name it: "nas (/mnt/backup)".
    fn label(&self) -> &str;
    /// Returns what it can do.
    fn capabilities(&self) -> DestinationCapabilities;
    /// Stores an object from memory.
    async fn put(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()>;
    /// Stores an object from a stream of unknown length. Returns its size.
    async fn put_stream(&self, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64>;
    /// Reads an object or a part of it. A range that reaches beyond the end is `Corrupt`: the object is shorter than
    /// it should be.
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes>;
    /// Reads an object as a stream from an offset.
    async fn get_stream(&self, key: &Key, offset: u64) -> Result<ByteStream>;
    /// Returns what is known of an object.
    async fn head(&self, key: &Key) -> Result<ObjectInfo>;
    /// Lists all objects whose key starts with `prefix` (empty: all), in any order. Half-written ones are never listed.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>>;
    /// Removes an object.
    async fn delete(&self, key: &Key) -> Result<()>;
    /// Returns free and total room; `Unsupported` where the store cannot tell.
    async fn space(&self) -> Result<crate::host::Space>;
}
