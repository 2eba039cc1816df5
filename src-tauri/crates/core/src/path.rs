//! Paths as a server sees them: raw bytes, `/` between parts, any encoding.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A path on a server or in a backup. Raw bytes: not UTF-8, newlines and leading dashes are all legal.
///
/// Normalised when made: no empty part, no `.`, no trailing slash. `..` and NUL are refused. Either absolute (on a
/// server) or relative (in a backup, relative to its root); the empty relative path is the backup's root.
///
/// As text (JSON, command line, window) it is written reversibly: valid UTF-8 as it is, except that a backslash becomes
/// `\\`, control characters become `\xHH`, and bytes that are not UTF-8 become `\xHH`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RawPath(Vec<u8>);

/// Why a text or byte string cannot be a [`RawPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It holds `..`.
    #[error("The path {0} holds \"..\"")]
    Parent(String),
    /// It holds a NUL byte.
    #[error("The path {0} holds a NUL byte")]
    Nul(String),
    /// A backslash escape is not `\\` or `\xHH`.
    #[error("The path {0} holds a backslash that is not \\\\ or \\xHH")]
    Escape(String),
}

impl RawPath {
    /// Makes a path from bytes, normalising it.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let bytes = bytes.as_ref();
        if bytes.contains(&0) {
            return Err(PathError::Nul(escape(bytes)));
        }
        let mut out = Vec::with_capacity(bytes.len());
        let absolute = bytes.first() == Some(&b'/');
        for part in bytes.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => return Err(PathError::Parent(escape(bytes))),
                part => {
                    if absolute || !out.is_empty() {
                        out.push(b'/');
                    }
                    out.extend_from_slice(part);
                }
            }
        }
        if absolute && out.is_empty() {
            out.push(b'/');
        }
        Ok(Self(out))
    }
    /// Reads a path from its escaped text form.
    pub fn from_text(text: &str) -> Result<Self, PathError> {
        Self::new(unescape(text).ok_or_else(|| PathError::Escape(text.to_owned()))?)
    }
    /// The root of a backup: the empty relative path.
    pub fn root() -> Self {
        Self(Vec::new())
    }
    /// Returns the escaped text form.
    pub fn to_text(&self) -> String {
        escape(&self.0)
    }
    /// Returns the raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
    /// Tells whether it starts with `/`.
    pub fn is_absolute(&self) -> bool {
        self.0.first() == Some(&b'/')
    }
    /// Tells whether it is the root: `/`, or the empty relative path.
    pub fn is_root(&self) -> bool {
        self.0.is_empty() || self.0 == b"/"
    }
    /// Returns the last part, or `None` for the root.
    pub fn name(&self) -> Option<&[u8]> {
        if self.is_root() {
            return None;
        }
        self.0.rsplit(|b| *b == b'/').next()
    }
    /// Returns the path itself and the folders above it, the nearest first.
    pub fn and_above(&self) -> impl Iterator<Item = Self> + use<> {
        std::iter::successors(Some(self.clone()), Self::parent)
    }
    /// Returns the path without its last part, or `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.iter().rposition(|b| *b == b'/') {
            Some(0) => Self(b"/".to_vec()),
            Some(at) => Self(self.0[..at].to_vec()),
            None => Self(Vec::new()),
        })
    }
    /// Appends one or more parts. A leading slash of `more` is ignored.
    pub fn join(&self, more: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let mut bytes = self.0.clone();
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        let more = more.as_ref();
        let more = &more[more.iter().take_while(|b| **b == b'/').count()..];
        bytes.extend_from_slice(more);
        Self::new(bytes)
    }
    /// Returns the parts between the slashes.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|b| *b == b'/').filter(|part| !part.is_empty())
    }
    /// Tells whether this path is `base` or lies below it.
    pub fn starts_with(&self, base: &Self) -> bool {
        if base.0.is_empty() {
            return !self.is_absolute();
        }
        if base.is_root() {
            return self.is_absolute();
        }
        self.0.strip_prefix(base.0.as_slice()).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
    /// Returns the part of this path below `base`, as a relative path.
    pub fn below(&self, base: &Self) -> Option<Self> {
        if !self.starts_with(base) {
            return None;
        }
        let rest = &self.0[base.0.len()..];
        Some(Self(rest.strip_prefix(b"/").unwrap_or(rest).to_vec()))
    }
    /// Turns a server's absolute path into the path it has in a backup: `/srv/www` becomes `srv/www`.
    pub fn to_relative(&self) -> Self {
        Self(self.0.strip_prefix(b"/").unwrap_or(&self.0).to_vec())
    }
    /// Turns a backup's relative path into a server's absolute one.
    pub fn to_absolute(&self) -> Self {
        if self.is_absolute() {
            return self.clone();
        }
        let mut bytes = vec![b'/'];
        bytes.extend_from_slice(&self.0);
        Self(bytes)
    }
}

/// Writes bytes as reversible text; see [`RawPath`].
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => {
                    let mut buffer = [0; 4];
                    for b in c.encode_utf8(&mut buffer).bytes() {
                        out.push_str(&format!("\\x{b:02x}"));
                    }
                }
                c => out.push(c),
            }
        }
        for b in chunk.invalid() {
            out.push_str(&format!("\\x{b:02x}"));
        }
    }
    out
}

/// Reads what [`escape`] wrote; `None` when a backslash is followed by anything but `\` or `xHH`.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        match rest {
            [b'\\', tail @ ..] => {
                out.push(b'\\');
                rest = tail;
            }
            [b'x', high, low, tail @ ..] => {
                let hex = |b: u8| (b as char).to_digit(16);
                out.push((hex(*high)? * 16 + hex(*low)?) as u8);
                rest = tail;
            }
            _ => return None,
        }
    }
    Some(out)
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl fmt::Debug for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.to_text())
    }
}

impl Serialize for RawPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for RawPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(&text).map_err(serde::de::Error::custom)
    }
}

impl From<PathError> for crate::Error {
    fn from(error: PathError) -> Self {
        crate::Error::new(crate::ErrorClass::Invalid, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn normalises() {
        assert_eq!(RawPath::new("//srv/./www/").unwrap().as_bytes(), b"/srv/www");
        assert_eq!(RawPath::new("/").unwrap().as_bytes(), b"/");
        assert_eq!(RawPath::new("").unwrap(), RawPath::root());
        assert!(RawPath::new("/a/../b").is_err());
        assert!(RawPath::new(b"/a\0b").is_err());
    }

    #[test]
    fn text_form_is_reversible_for_any_bytes() {
        for bytes in
            [&b"/a b"[..], b"/\xff\xfe", b"/new\nline", b"/back\\slash\\x41", "/ünïcode/日本".as_bytes(), b"/-dash"]
        {
            let path = RawPath::new(bytes).unwrap();
            assert_eq!(RawPath::from_text(&path.to_text()).unwrap(), path);
        }
        assert!(RawPath::from_text("/bad\\q").is_err());
    }

    #[test]
    fn relations() {
        let base = RawPath::new("/srv").unwrap();
        let path = RawPath::new("/srv/www/x").unwrap();
        assert!(path.starts_with(&base) && !RawPath::new("/srvx").unwrap().starts_with(&base));
        assert_eq!(path.below(&base).unwrap().as_bytes(), b"www/x");
        assert_eq!(path.parent().unwrap().as_bytes(), b"/srv/www");
        assert_eq!(RawPath::new("/a").unwrap().parent().unwrap().as_bytes(), b"/");
        assert_eq!(path.to_relative().to_absolute(), path);
        assert_eq!(path.name().unwrap(), b"x");
        assert!(path.starts_with(&RawPath::new("/").unwrap()));
        assert_eq!(path.below(&RawPath::new("/").unwrap()).unwrap().as_bytes(), b"srv/www/x");
    }
}
