//! Trees of every sort of file, and what can be seen of them from outside.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Runs a program to its end; false when it is not there or failed.
pub fn ran(program: &str, args: &[&OsStr]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|out| out.status.success())
}

/// Sets an exact time without following links.
pub fn set_mtime(path: &Path, time: &str) {
    assert!(ran("touch", &["-h".as_ref(), "-d".as_ref(), time.as_ref(), path.as_os_str()]), "touch {time} {path:?}");
}

/// Makes a tree with every sort of entry a server can have.
pub fn make(root: &Path) {
    let at = |name: &[u8]| root.join(OsStr::from_bytes(name));
    for dir in [&b"d"[..], b"d/deep", b"-dash", b"empty dir", b"not utf8 \xff\xfe"] {
        std::fs::create_dir_all(at(dir)).unwrap();
    }
    let long = "n".repeat(255);
    let names: [&[u8]; 12] = [
        b"plain.txt",
        b"-rf",
        b"d/new\nline",
        b"d/back\\slash \\n \\101",
        b"d/quo'te\"s",
        b"not utf8 \xff\xfe/\x80\x01",
        b"-dash/--help",
        "d/ünï 日本 🌊".as_bytes(),
        b"d/star*[a]?",
        b"d/ lead and trail ",
        b"d/colon: Cannot open: x",
        long.as_bytes(),
    ];
    for (number, name) in names.iter().enumerate() {
        std::fs::write(at(name), format!("content {number}").repeat(number * 300)).unwrap();
    }
    std::fs::write(at(b"empty"), b"").unwrap();
    let long_path = at(b"d/deep").join("p".repeat(120)).join("q".repeat(120)).join("r".repeat(120));
    std::fs::create_dir_all(&long_path).unwrap();
    std::fs::write(long_path.join("leaf"), b"far down").unwrap();
    let sparse = std::fs::File::create(at(b"sparse")).unwrap();
    sparse.write_all_at(b"start", 0).unwrap();
    sparse.write_all_at(b"middle", 7_000_000).unwrap();
    sparse.set_len(20_000_000).unwrap();
    std::fs::write(
        at(b"big"),
        (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>(),
    )
    .unwrap();
    std::fs::write(at(b"hard-1"), b"one file, three names").unwrap();
    std::fs::hard_link(at(b"hard-1"), at(b"hard-2")).unwrap();
    std::fs::hard_link(at(b"hard-1"), at(b"d/hard-3")).unwrap();
    std::os::unix::fs::symlink("plain.txt", at(b"link")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at all", at(b"dangling")).unwrap();
    std::os::unix::fs::symlink(OsStr::from_bytes(b"\xff\n"), at(b"odd link")).unwrap();
    assert!(ran("mkfifo", &[at(b"pipe").as_os_str()]));
    drop(std::os::unix::net::UnixListener::bind(at(b"socket")).unwrap());
    for (name, mode) in [(&b"plain.txt"[..], "0604"), (b"empty", "4755"), (b"d/deep", "1777"), (b"empty dir", "0500")] {
        assert!(ran("chmod", &[mode.as_ref(), at(name).as_os_str()]));
    }
    if is_root() {
        for (name, owner) in [(&b"plain.txt"[..], "daemon:bin"), (b"d", "4242:4343"), (b"link", "daemon:daemon")] {
            assert!(ran("chown", &["-h".as_ref(), owner.as_ref(), at(name).as_os_str()]));
        }
        ran("mknod", &[at(b"null").as_os_str(), "c".as_ref(), "1".as_ref(), "3".as_ref()]);
    }
    let set = |args: &[&str], path: &[u8]| {
        let path = at(path);
        let all: Vec<&OsStr> = args.iter().map(OsStr::new).chain([path.as_os_str()]).collect();
        ran(args[0], &all[1..])
    };
    set(&["setfattr", "-n", "user.note", "-v", "0s/wAKPQ=="], b"plain.txt");
    set(&["setfattr", "-n", "user.of dir", "-v", "x"], b"d");
    set(&["setfacl", "-m", "u:daemon:r--"], b"hard-1");
    set(&["setfacl", "-d", "-m", "u:daemon:r-x"], b"d/deep");
    set_mtime(&at(b"plain.txt"), "2001-02-03 04:05:06.123456789 UTC");
    set_mtime(&at(b"empty"), "1969-12-31 23:59:58.5 UTC");
    set_mtime(&at(b"big"), "2099-01-01 00:00:00.000000001 UTC");
    set_mtime(&at(b"d/deep"), "2010-01-01 00:00:00.25 UTC");
    set_mtime(&at(b"d"), "2011-01-01 00:00:00.75 UTC");
    set_mtime(&at(b"empty dir"), "2012-01-01 UTC");
}

/// What can be seen of one entry.
#[derive(Debug, PartialEq, Clone)]
pub struct Seen {
    pub what: String,
    pub mode: u32,
    pub owner: (u32, u32),
    pub mtime: Option<(i64, i64)>,
    pub content: Option<Vec<u8>>,
    pub attributes: String,
    /// The first name of the same file, in name order.
    pub same_as: Option<Vec<u8>>,
    pub is_sparse: bool,
}

/// Looks at a whole tree, sockets left out.
pub fn look(root: &Path) -> BTreeMap<Vec<u8>, Seen> {
    let mut paths = vec![root.to_path_buf()];
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for item in std::fs::read_dir(&dir).unwrap() {
            let path = item.unwrap().path();
            if std::fs::symlink_metadata(&path).unwrap().is_dir() {
                open.push(path.clone());
            }
            paths.push(path);
        }
    }
    paths.sort();
    let mut by_inode: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut out = BTreeMap::new();
    for path in paths {
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
        if let Some(seen) = look_at(&path, &name, &mut by_inode) {
            out.insert(name, seen);
        }
    }
    out
}

fn look_at(path: &PathBuf, name: &[u8], by_inode: &mut BTreeMap<u64, Vec<u8>>) -> Option<Seen> {
    use std::os::unix::fs::FileTypeExt;
    let meta = std::fs::symlink_metadata(path).unwrap();
    let kind = meta.file_type();
    let what = if kind.is_dir() {
        "folder".into()
    } else if kind.is_symlink() {
        format!("link to {:?}", std::fs::read_link(path).unwrap())
    } else if kind.is_fifo() {
        "pipe".into()
    } else if kind.is_char_device() {
        format!("device {:x}", meta.rdev())
    } else if kind.is_socket() {
        return None;
    } else {
        "file".into()
    };
    let same_as = if kind.is_file() && meta.nlink() > 1 {
        Some(by_inode.entry(meta.ino()).or_insert_with(|| name.to_vec()).clone())
    } else {
        None
    };
    Some(Seen {
        what,
        mode: meta.mode() & 0o7777,
        owner: (meta.uid(), meta.gid()),
        mtime: (!kind.is_symlink()).then(|| (meta.mtime(), meta.mtime_nsec())),
        content: kind.is_file().then(|| std::fs::read(path).unwrap()),
        attributes: attributes(path),
        same_as,
        is_sparse: kind.is_file() && meta.blocks() * 512 + 65_536 < meta.len(),
    })
}

fn attributes(path: &Path) -> String {
    let dump = |program: &str, args: &[&str]| {
        let out = Command::new(program).args(args).arg("--").arg(path).output();
        out.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default()
    };
    if std::fs::symlink_metadata(path).unwrap().is_symlink() {
        return String::new();
    }
    let attributes = dump("getfattr", &["-d", "-m", "-", "-e", "hex", "--absolute-names"]);
    attributes.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// Says in few words how two trees differ; empty when they are equal.
pub fn differences(a: &BTreeMap<Vec<u8>, Seen>, b: &BTreeMap<Vec<u8>, Seen>) -> Vec<String> {
    let mut out = Vec::new();
    let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    for name in names {
        let text = String::from_utf8_lossy(name).into_owned();
        match (a.get(name), b.get(name)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => {
                let strip = |seen: &Seen| Seen { content: None, ..seen.clone() };
                out.push(format!("{text}: content equal: {}; {:?} / {:?}", a.content == b.content, strip(a), strip(b)));
            }
            (a, _) => out.push(format!("{text}: only in {}", if a.is_some() { "the first" } else { "the second" })),
        }
    }
    out
}
