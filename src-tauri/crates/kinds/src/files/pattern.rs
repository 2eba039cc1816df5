//! What a plan leaves out: absolute paths, name patterns, path patterns.

use backstay_core::path::unescape;
use backstay_core::{Error, ErrorClass, RawPath, Result};

/// The patterns of a plan, ready to be matched.
#[derive(Clone, Debug, Default)]
pub(super) struct Excludes(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq)]
enum Pattern {
    /// An absolute path, taken literally or as a pattern with `*`, `?`, `[…]`.
    Absolute(Vec<u8>),
    /// A pattern for one part of a path.
    Name(Vec<u8>),
    /// A pattern with a slash inside: for any run of parts.
    Parts(Vec<u8>),
}

impl Excludes {
    /// Reads patterns in text form.
    pub(super) fn new(texts: &[String]) -> Result<Self> {
        let mut patterns = Vec::new();
        for text in texts {
            let text = text.trim_end_matches('/');
            let bytes = unescape(text).unwrap_or_else(|| text.as_bytes().to_vec());
            if bytes.is_empty() {
                let why = "Cannot leave out an empty pattern: it would match everything";
                return Err(Error::new(ErrorClass::Invalid, why).hint("Remove the empty line from the exclusions"));
            }
            patterns.push(match bytes.first() {
                Some(b'/') => Pattern::Absolute(bytes),
                _ if bytes.contains(&b'/') => Pattern::Parts(bytes),
                _ => Pattern::Name(bytes),
            });
        }
        Ok(Self(patterns))
    }

    /// Tells whether an absolute path at or below `root` is left out, itself or by a folder above it. The root's own
    /// parts are not looked at by name patterns: who picks `/srv/cache` wants it, whatever "cache" says.
    pub(super) fn matches(&self, root: &RawPath, path: &RawPath) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let below = path.below(root).unwrap_or_default();
        self.0.iter().any(|pattern| match pattern {
            Pattern::Name(name) => below.parts().any(|part| glob(name, part)),
            Pattern::Absolute(literal) => prefixes(path.as_bytes()).any(|p| p == literal || glob(literal, p)),
            Pattern::Parts(parts) => prefixes(path.as_bytes()).any(|prefix| {
                let starts = prefix.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at + 1);
                starts.into_iter().any(|at| glob(parts, &prefix[at..]))
            }),
        })
    }

    /// Returns the arguments that keep `find` from walking into what is left out. Only such patterns are handed over
    /// that `find` reads exactly as we do; the listing is matched here anyhow.
    pub(super) fn find_tests(&self) -> Vec<Vec<u8>> {
        let mut tests: Vec<Vec<u8>> = Vec::new();
        for pattern in &self.0 {
            let (option, value) = match pattern {
                Pattern::Absolute(path) if !has_wildcard(path) => ("-path", path.clone()),
                Pattern::Name(name) if !name.iter().any(|b| b"?[\\".contains(b)) => ("-name", name.clone()),
                _ => continue,
            };
            if !tests.is_empty() {
                tests.push(b"-o".to_vec());
            }
            tests.push(option.into());
            tests.push(if option == "-path" { escape_for_find(&value) } else { value });
        }
        tests
    }
}

fn has_wildcard(bytes: &[u8]) -> bool {
    bytes.iter().any(|b| b"*?[".contains(b))
}

fn escape_for_find(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if b"*?[\\".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

/// Yields the path and every folder above it.
fn prefixes(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(at, b)| **b == b'/' && *at > 0).map(|(at, _)| at);
    ends.chain([path.len()]).map(|end| &path[..end])
}

/// Matches `*` (any run without a slash), `**` (any run), `?` (one character), `[…]` (one of these bytes, `!` or `^`
/// for none of these). Everything else, a backslash too, stands for itself.
pub(super) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // The classic two-pointer form: linear but for the last star.
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize, bool)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                let deep = pattern.get(p + 1) == Some(&b'*');
                p += if deep { 2 } else { 1 };
                retry = Some((p, t, deep));
                continue;
            }
            Some(b'?') if text[t] != b'/' => Some((1, character(&text[t..]))),
            Some(b'[') => class(&pattern[p..], text[t]).map(|used| (used, 1)),
            Some(byte) if *byte == text[t] => Some((1, 1)),
            _ => None,
        };
        if let Some((pattern_used, text_used)) = step {
            p += pattern_used;
            t += text_used;
            continue;
        }
        let Some((after, from, deep)) = retry else {
            return false;
        };
        if text[from] == b'/' && !deep {
            return false;
        }
        retry = Some((after, from + 1, deep));
        (p, t) = (after, from + 1);
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

/// Returns how many bytes the first character has: those of a UTF-8 sequence, or one.
fn character(text: &[u8]) -> usize {
    let length = match text[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if text.len() >= length && std::str::from_utf8(&text[..length]).is_ok() { length } else { 1 }
}

/// Matches a byte against `[…]`; returns how long the class is when it matches. An unclosed one is a plain `[`.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = if negated { 2 } else { 1 };
    // A "]" that stands first is one of the set.
    let Some(end) = pattern.iter().skip(start + 1).position(|b| *b == b']').map(|at| at + start + 1) else {
        return (byte == b'[').then_some(1);
    };
    let set = &pattern[start..end];
    let mut found = false;
    let mut at = 0;
    while at < set.len() {
        if at + 2 < set.len() && set[at + 1] == b'-' {
            found |= (set[at]..=set[at + 2]).contains(&byte);
            at += 3;
        } else {
            found |= set[at] == byte;
            at += 1;
        }
    }
    (found != negated && byte != b'/').then_some(end + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn excluded(patterns: &[&str], path: &str) -> bool {
        let excludes = Excludes::new(&patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>()).unwrap();
        excludes.matches(&RawPath::new("/srv").unwrap(), &RawPath::new(path).unwrap())
    }

    #[test]
    fn globs() {
        for (pattern, text, want) in [
            ("*.log", "a.log", true),
            ("*.log", "a.logs", false),
            ("a*b*c", "aXXbYbZc", true),
            ("a*", "a/b", false),
            ("a**", "a/b", true),
            ("?", "é", true),
            ("?", "/", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[", "[", true),
            ("a\\b", "a\\b", true),
            ("", "", true),
            ("**/x", "a/b/x", true),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), want, "{pattern} on {text}");
        }
    }

    #[test]
    fn patterns_match_as_the_settings_say() {
        assert!(excluded(&["*.log"], "/srv/a/x.log"));
        assert!(excluded(&["node_modules"], "/srv/a/node_modules/b/c"));
        assert!(!excluded(&["srv"], "/srv/a"), "the picked folder's own name is not looked at");
        assert!(excluded(&["/srv/a"], "/srv/a/b") && !excluded(&["/srv/a"], "/srv/ab"));
        assert!(excluded(&["/srv/*.log"], "/srv/x.log") && excluded(&["/srv/we[ird"], "/srv/we[ird"));
        assert!(excluded(&["cache/*.tmp"], "/srv/a/cache/x.tmp") && !excluded(&["cache/*.tmp"], "/srv/cache/d/x.tmp"));
        let raw = Excludes::new(&["/srv/\\xff".into()]).unwrap();
        assert!(raw.matches(&RawPath::new("/srv").unwrap(), &RawPath::new(b"/srv/\xff/a").unwrap()));
        assert!(Excludes::new(&["/".into()]).is_err());
    }
}
