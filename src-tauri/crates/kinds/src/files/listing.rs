//! Listing a server's files: one `find` that prints raw fields, each ended by NUL.

use crate::gnu::{self, Complaint};
use backstay_core::entry::{Entry, EntryType, TimeNs};
use backstay_core::host::{Command, ExitStatus, Host, Process};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};
use std::collections::HashSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Every field of one entry. NUL cannot be part of any of them, so no name can break the listing.
const FORMAT: &str = r"%y\0%m\0%U\0%G\0%s\0%T@\0%C@\0%D\0%i\0%n\0%p\0%l\0";
const FIELDS: usize = 12;

/// File systems that show the kernel's inner state; their mount points are kept, what is in them is not data.
pub(super) const PSEUDO: [&str; 20] = [
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "tracefs",
    "debugfs",
    "securityfs",
    "bpf",
    "pstore",
    "mqueue",
    "hugetlbfs",
    "configfs",
    "fusectl",
    "binfmt_misc",
    "autofs",
    "rpc_pipefs",
    "nsfs",
    "efivarfs",
];

/// What a listing found. Paths are absolute, owners have no names yet: see [`super::owners::name`].
#[derive(Default)]
pub(super) struct Found {
    /// The entries, in the order find met them.
    pub entries: Vec<Entry>,
    /// What find could not look at.
    pub complaints: Vec<Complaint>,
}

/// How folders are walked.
#[derive(Clone, Default)]
pub(super) struct Walk {
    /// Do not cross into other file systems.
    pub one_file_system: bool,
    /// Arguments of find that say what not to enter; see `Excludes::find_tests`.
    pub prune: Vec<Vec<u8>>,
}

/// Lists everything below `roots`, the roots themselves left out.
pub(super) async fn below(ctx: &RunContext, host: &dyn Host, roots: &[RawPath], walk: &Walk) -> Result<Found> {
    let mut command = Command::new("find").args(roots.iter().map(RawPath::as_bytes)).args(["-mindepth", "1"]);
    if walk.one_file_system {
        command = command.arg("-xdev");
    }
    if !walk.prune.is_empty() {
        command = command.arg("(").args(&walk.prune).args([")", "-prune", "-o"]);
    }
    command = command.arg("(");
    for (at, name) in PSEUDO.iter().enumerate() {
        let or: &[&str] = if at > 0 { &["-o"] } else { &[] };
        command = command.args(or).args(["-fstype", name]);
    }
    command = command.args([")", "-prune", "-printf", FORMAT, "-o", "-printf", FORMAT]);
    list(ctx, host, command.packable(), Vec::new()).await
}

/// Lists just these absolute paths, whatever their number. Those that are not there are among the complaints.
pub(super) async fn exactly(ctx: &RunContext, host: &dyn Host, paths: &[RawPath]) -> Result<Found> {
    if paths.is_empty() {
        return Ok(Found::default());
    }
    let mut names = Vec::new();
    for path in paths {
        names.extend_from_slice(path.as_bytes());
        names.push(0);
    }
    let script = r#"xargs -0 sh -c 'f=$1; shift; exec find "$@" -maxdepth 0 -printf "$f"' sh "$1""#;
    list(ctx, host, Command::sh(script, [FORMAT]), names).await
}

async fn list(ctx: &RunContext, host: &dyn Host, command: Command, names: Vec<u8>) -> Result<Found> {
    let Process { mut stdin, mut stdout, mut stderr, mut control } = host.start(command).await?;
    let feed = tokio::spawn(async move {
        // A find that ends early says why on its own.
        let _ = stdin.write_all(&names).await;
        let _ = stdin.shutdown().await;
    });
    let errors = tokio::spawn(async move { backstay_core::host::read_tail(&mut stderr, 8 << 20).await });
    let tried = || format!("Cannot list files on {}", host.label());
    let mut found = Found::default();
    let mut parser = Parser::default();
    let mut buffer = vec![0; 256 << 10];
    loop {
        ctx.check()?;
        let read = ctx.while_it_runs(stdout.read(&mut buffer)).await.map_err(|e| Error::io(tried(), e))?;
        if read == 0 {
            break;
        }
        ctx.progress.alive();
        parser.push(&buffer[..read], &mut found.entries);
    }
    let status = ctx.while_it_runs(control.wait()).await?;
    let _ = feed.await;
    let text = errors.await.unwrap_or_default();
    found.complaints = text.lines().filter(|l| !l.is_empty()).map(gnu::find_complaint).collect();
    let explained = found.complaints.iter().any(|c| c.path.is_some());
    // xargs says 123 when a find it ran had something to complain about.
    let usual = matches!(status, ExitStatus::Code(0 | 1 | 123)) && (status.success() || explained);
    if !usual || !parser.rest.is_empty() {
        let why = format!("{}: find ended with {status}", tried());
        return Err(Error::new(ErrorClass::Internal, why).hint(gnu::ended_hint(&text)).detail(text));
    }
    Ok(found)
}

/// Cuts the stream into entries.
#[derive(Default)]
struct Parser {
    rest: Vec<u8>,
    /// How far `rest` was searched, and where its fields so far end.
    seen: usize,
    ends: Vec<usize>,
}

impl Parser {
    fn push(&mut self, bytes: &[u8], entries: &mut Vec<Entry>) {
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(at) = self.rest[self.seen..].iter().position(|b| *b == 0) {
            self.ends.push(self.seen + at);
            self.seen += at + 1;
            if self.ends.len() == FIELDS {
                let mut fields = [&[][..]; FIELDS];
                let mut from = start;
                for (field, end) in fields.iter_mut().zip(&self.ends) {
                    *field = &self.rest[from..*end];
                    from = end + 1;
                }
                entries.extend(entry(&fields));
                start = self.seen;
                self.ends.clear();
            }
        }
        self.rest.drain(..start);
        self.seen = self.rest.len();
        self.ends.iter_mut().for_each(|end| *end -= start);
    }
}

/// Makes an entry of find's fields, its owners as numbers; `None` for what is neither file, folder, link nor special file.
fn entry(fields: &[&[u8]; FIELDS]) -> Option<Entry> {
    let text = |at: usize| std::str::from_utf8(fields[at]).unwrap_or_default();
    let number = |at: usize| text(at).parse::<u64>().unwrap_or_default();
    let kind = match fields[0] {
        b"f" => EntryType::File,
        b"d" => EntryType::Dir,
        b"l" => EntryType::Symlink(fields[11].to_vec()),
        b"p" => EntryType::Fifo,
        b"s" => EntryType::Socket,
        // find does not tell the device's numbers; tar does.
        b"c" => EntryType::CharDevice(0, 0),
        b"b" => EntryType::BlockDevice(0, 0),
        _ => return None,
    };
    Some(Entry {
        path: RawPath::new(fields[10]).ok()?,
        size_bytes: if kind == EntryType::File { number(4) } else { 0 },
        kind,
        mode: u32::from_str_radix(text(1), 8).unwrap_or_default() & 0o7777,
        uid: number(2) as u32,
        gid: number(3) as u32,
        user: None,
        group: None,
        mtime: time(text(5)),
        ctime: time(text(6)),
        inode: number(8),
        device: number(7),
        links: number(9),
        xattrs: Vec::new(),
    })
}

/// Reads find's `SECONDS.FRACTION`; find writes times before 1970 as a negative count with a positive fraction.
fn time(text: &str) -> TimeNs {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut digits: String = fraction.chars().take(9).collect();
    while digits.len() < 9 {
        digits.push('0');
    }
    TimeNs::from_parts(seconds.parse().unwrap_or_default(), digits.parse().unwrap_or_default())
}

/// Returns the folders above `paths`, shallowest first, without "/" and without the paths themselves.
pub(super) fn folders_above(paths: &[RawPath]) -> Vec<RawPath> {
    let own: HashSet<&RawPath> = paths.iter().collect();
    let mut out = std::collections::BTreeSet::new();
    for path in paths {
        let mut at = path.parent();
        while let Some(folder) = at.filter(|folder| !folder.is_root()) {
            at = folder.parent();
            if !own.contains(&folder) {
                out.insert(folder);
            }
        }
    }
    out.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_cut_anywhere_are_put_together() {
        let mut bytes = Vec::new();
        for name in ["/a", "/b\nc", "/d"] {
            let record = ["f", "644", "0", "7", "12", "-2.5000000000", "1.25", "9", "8", "1", name, ""];
            record.iter().for_each(|f| bytes.extend([f.as_bytes(), b"\0"].concat()));
        }
        for step in 1..bytes.len() {
            let mut parser = Parser::default();
            let mut entries = Vec::new();
            bytes.chunks(step).for_each(|chunk| parser.push(chunk, &mut entries));
            assert!(parser.rest.is_empty());
            assert_eq!(entries.len(), 3);
            assert_eq!(entries[1].path.as_bytes(), b"/b\nc");
            assert_eq!((entries[0].uid, entries[0].gid, entries[0].size_bytes), (0, 7, 12));
            assert_eq!((entries[0].mtime, entries[0].ctime), (TimeNs(-1_500_000_000), TimeNs(1_250_000_000)));
        }
    }
}
