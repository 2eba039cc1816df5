//! What the GNU tools of a server say, and which of them are there.

use backstay_core::host::{self, Command, Host};
use backstay_core::{RawPath, Result};

/// The tools of a server that files are read and written with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tools {
    /// The first line of `find --version`; empty when it is not GNU's.
    pub find: String,
    /// The first line of `tar --version`; empty when it is not GNU's.
    pub tar: String,
    tar_help: String,
    /// `zstd` is there.
    pub zstd: bool,
    /// `gzip` is there.
    pub gzip: bool,
    /// We are root there.
    pub root: bool,
    /// The number of the account we are there, where commands tell it.
    pub uid: Option<u32>,
}

const PROBE: &str = r#"find --version 2>/dev/null </dev/null | head -n 1; printf '\n\036'
tar --version 2>/dev/null </dev/null | head -n 1; printf '\n\036'
tar --help 2>/dev/null </dev/null; printf '\n\036'
command -v zstd; printf '\n\036'
command -v gzip; printf '\n\036'
id -u; printf '\n\036'
"#;

impl Tools {
    /// Looks which tools the server has, once while it is connected: what is lacking may be installed any moment. A host
    /// without commands has none.
    pub(crate) async fn probe(host: &dyn Host) -> Result<Self> {
        if let Some(known) = host.findings().get::<Self>() {
            return Ok(known);
        }
        if !host.capabilities().commands {
            return Ok(Self::default());
        }
        let no_args: [&str; 0] = [];
        let output = host::run(host, Command::sh(PROBE, no_args), b"").await?;
        let text = output.text();
        let mut parts = text.split('\u{1e}').map(str::trim);
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (find, tar, tar_help, zstd, gzip, uid) = (next(), next(), next(), next(), next(), next());
        let is_gnu = tar.contains("GNU tar");
        let tools = Self {
            find: if find.contains("GNU findutils") { find } else { String::new() },
            tar: if is_gnu { tar } else { String::new() },
            tar_help: if is_gnu { tar_help } else { String::new() },
            zstd: !zstd.is_empty(),
            gzip: !gzip.is_empty(),
            root: uid == "0",
            uid: uid.parse().ok(),
        };
        if tools.complete() {
            host.findings().keep(tools.clone());
        }
        Ok(tools)
    }

    /// Tells whether listing and reading work through GNU find and tar.
    pub(crate) fn complete(&self) -> bool {
        !self.find.is_empty() && !self.tar.is_empty()
    }

    /// Returns those of `options` that the server's tar knows.
    pub(crate) fn tar_knows<'a>(&self, options: &[&'a str]) -> Vec<&'a str> {
        let known = |option: &&&str| self.tar_help.contains(option.split('=').next().unwrap_or(option));
        options.iter().filter(known).copied().collect()
    }
}

/// Says what to do next about a tool that ended in a way its words do not explain.
pub(crate) fn ended_hint(said: &str) -> &'static str {
    if said.trim().is_empty() {
        "It said nothing: look in the server's log for what ended it, such as full memory, then try again"
    } else {
        "Mend on the server what the details tell of, then try again"
    }
}

/// Undoes the `escape` quoting of GNU tools: `\n`, `\\`, `\ `, `\ooo`.
pub(crate) fn unquote(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let octal = |b: u8| (b'0'..=b'7').contains(&b).then(|| u32::from(b - b'0'));
        if let [a, b, c, tail @ ..] = rest
            && let (Some(a), Some(b), Some(c)) = (octal(*a), octal(*b), octal(*c))
        {
            out.push((a * 64 + b * 8 + c) as u8);
            rest = tail;
            continue;
        }
        let Some((letter, tail)) = rest.split_first() else {
            out.push(b'\\');
            break;
        };
        rest = tail;
        out.push(match letter {
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'?' => 127,
            other => *other,
        });
    }
    out
}

/// One complaint of a tool: the path it is about, as an absolute path, and the reason in the tool's words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Complaint {
    pub path: Option<RawPath>,
    pub reason: String,
}

/// Reads a line of find's standard error: `find: 'NAME': REASON`.
pub(crate) fn find_complaint(line: &str) -> Complaint {
    let whole = Complaint { path: None, reason: line.to_owned() };
    let Some(rest) = line.strip_prefix("find: ") else {
        return whole;
    };
    // In another locale than C the quotes are typographic.
    for (open, close) in [("'", "': "), ("\u{2018}", "\u{2019}: "), ("`", "': ")] {
        if let Some(quoted) = rest.strip_prefix(open)
            && let Some(end) = quoted.rfind(close)
            && let Ok(path) = RawPath::new(unquote(&quoted.as_bytes()[..end]))
        {
            return Complaint { path: Some(path), reason: quoted[end + close.len()..].to_owned() };
        }
    }
    whole
}

/// Reads a line of tar's standard error: `tar: NAME: REASON`. Names may hold ": " themselves; `is_known` (asked with the
/// absolute path) tells the right cut.
pub(crate) fn tar_complaint(line: &str, is_known: impl Fn(&RawPath) -> bool) -> Complaint {
    // It calls itself by the name it was started with, which may be a path.
    let rest = line.split_once("tar: ").filter(|(before, _)| !before.contains(' ')).map_or(line, |(_, rest)| rest);
    for (cut, _) in rest.match_indices(": ").collect::<Vec<_>>().into_iter().rev() {
        let Ok(path) = RawPath::new([b"/", unquote(&rest.as_bytes()[..cut]).as_slice()].concat()) else {
            continue;
        };
        if is_known(&path) {
            return Complaint { path: Some(path), reason: rest[cut + 2..].to_owned() };
        }
    }
    Complaint { path: None, reason: rest.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use backstay_lab::fake_host::{Answer, FakeHost};

    #[tokio::test]
    async fn tools_that_are_there_are_asked_for_once_and_lacking_ones_again() {
        let host = FakeHost::default();
        let said =
            |tar: &str| Answer::ok(format!("find (GNU findutils) 4.9\u{1e}{tar}\u{1e}\u{1e}\u{1e}\u{1e}0\u{1e}"));
        host.on("find --version", said(""));
        assert!(!Tools::probe(&host).await.unwrap().complete());
        host.on("find --version", said("tar (GNU tar) 1.34"));
        for _ in 0..2 {
            assert!(Tools::probe(&host).await.unwrap().complete());
        }
        assert_eq!(host.started().len(), 2);
    }

    #[test]
    fn names_in_complaints_are_found_whatever_they_hold() {
        let complaint = find_complaint("find: '/a/it': s\\n\\377': Permission denied");
        assert_eq!(complaint.path.unwrap().as_bytes(), b"/a/it': s\n\xff");
        assert_eq!(complaint.reason, "Permission denied");
        let known = RawPath::new("/srv/a: b\\").unwrap();
        let complaint = tar_complaint("tar: srv/a: b\\\\: Cannot open: Permission denied", |path| *path == known);
        assert_eq!((complaint.path, complaint.reason.as_str()), (Some(known), "Cannot open: Permission denied"));
        let other = tar_complaint("tar: Exiting with failure status due to previous errors", |_| false);
        assert_eq!(other.path, None);
    }
}
