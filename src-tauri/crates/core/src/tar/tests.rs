#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::entry::{Entry, EntryType, TimeNs, Xattr};
use crate::path::RawPath;
use tokio::io::AsyncReadExt;

mod acl_tests;

fn file(name: &[u8], size: u64) -> Entry {
    let mut entry =
        Entry::plain(RawPath::new(name).unwrap(), EntryType::File, 0o640, TimeNs(1_700_000_000_123_456_789));
    entry.size_bytes = size;
    entry
}

/// An entry, its stored content, its holes.
type Part<'a> = (&'a Entry, &'a [u8], &'a [(u64, u64)]);

fn archive(parts: &[Part<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (entry, content, holes) in parts {
        out.extend(header(entry, entry.path.as_bytes(), entry.size_bytes, None, holes));
        assert_eq!(out.len() % BLOCK, 0);
        out.extend_from_slice(content);
        out.resize(out.len() + padding(content.len() as u64), 0);
    }
    out.extend(END);
    out
}

async fn read_all(bytes: &[u8]) -> std::io::Result<Vec<(TarEntry, Vec<u8>)>> {
    let mut reader = TarReader::new(bytes);
    let mut out = Vec::new();
    while let Some(entry) = reader.next().await? {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).await?;
        out.push((entry, content));
    }
    assert!(reader.ended());
    Ok(out)
}

fn samples() -> Vec<Entry> {
    let mut odd = file(b"dir/\xff\n-name \\ with \"all\"", 5);
    odd.mtime = TimeNs(-1_500_000_000);
    let mut long = file(&[b"l/".repeat(60), b"n".repeat(250)].concat(), 0);
    (long.uid, long.gid) = (4_000_000_000, 3_000_000);
    long.user = Some("a-user-whose-name-is-far-too-long-for-ustar".into());
    long.xattrs = vec![
        Xattr { name: "user.a=b".into(), value: b"1\n2\0\xff".to_vec() },
        Xattr { name: "SCHILY.acl.access".into(), value: b"user::rw-\n".to_vec() },
    ];
    let mut link = file(b"link", 0);
    link.kind = EntryType::Symlink(b"t".repeat(180));
    let mut dir = file(b"dir", 0);
    (dir.kind, dir.mode) = (EntryType::Dir, 0o1755);
    let mut fifo = file(b"fifo", 0);
    fifo.kind = EntryType::Fifo;
    let mut device = file(b"null", 0);
    device.kind = EntryType::CharDevice(1, 3);
    vec![dir, odd, long, link, fifo, device]
}

#[tokio::test]
async fn what_is_written_is_read_back() {
    let samples = samples();
    let parts: Vec<_> = samples.iter().map(|e| (e, &b"hello"[..e.size_bytes as usize], &[][..])).collect();
    let read = read_all(&archive(&parts)).await.unwrap();
    assert_eq!(read.len(), samples.len());
    for (entry, (got, content)) in samples.iter().zip(read) {
        let mut got = got.entry;
        got.ctime = entry.ctime;
        assert_eq!(&got, entry);
        assert_eq!(content.len() as u64, entry.size_bytes);
    }
}

#[tokio::test]
async fn holes_travel_without_their_zeros() {
    for (size, holes, data) in [
        (1_000_000, vec![(0, 999_936)], 64),
        (1_000_000, vec![(512, 999_488)], 512),
        (1_000_000, vec![(0, 1_000_000)], 0),
        (700, vec![(100, 50), (200, 400)], 700),
        (1_000_000, vec![(100, 500), (700, 800), (2000, 998_000)], 2048),
        (2 << 40, vec![(512, (2 << 40) - 1024)], 1024),
    ] {
        let entry = file(b"holes", size);
        assert_eq!(stored_size(size, &holes), data);
        let content = vec![7; data as usize];
        let bytes = archive(&[(&entry, &content, &holes), (&file(b"after", 1), b"x", &[])]);
        let mut reader = TarReader::new(&bytes[..]);
        let got = reader.next().await.unwrap().unwrap();
        assert_eq!(got.entry.size_bytes, size);
        let holes = got.holes;
        if size < 2_000_000 {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).await.unwrap();
            assert_eq!(all.len() as u64, size);
            assert_eq!(all.iter().filter(|b| **b == 7).count() as u64, data);
            assert!(holes.iter().all(|(at, n)| all[*at as usize..(at + n) as usize].iter().all(|b| *b == 0)));
        }
        assert_eq!(reader.next().await.unwrap().unwrap().name, b"after");
    }
}

#[tokio::test]
async fn a_cut_stream_never_looks_whole() {
    let samples = samples();
    let parts: Vec<_> = samples.iter().map(|e| (e, &b"hello"[..e.size_bytes as usize], &[][..])).collect();
    let whole = archive(&parts);
    for length in 0..whole.len() {
        let error = read_all(&whole[..length]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "cut at {length}");
    }
}

#[tokio::test]
async fn flipped_bytes_are_an_error_or_harmless_but_never_a_panic() {
    let bytes = archive(&[(&samples()[2], b"", &[]), (&file(b"holes", 700), &[1; 700], &[(100, 50), (200, 400)])]);
    for at in 0..bytes.len() {
        for flip in [0xff, 0x01, 0x80] {
            let mut bad = bytes.clone();
            bad[at] ^= flip;
            let _ = read_all(&bad).await;
        }
    }
}

#[tokio::test]
async fn names_that_climb_are_refused() {
    let mut entry = file(b"aa/aa", 0);
    entry.mtime = TimeNs(0);
    let mut bytes = archive(&[(&entry, b"", &[])]);
    bytes[0..5].copy_from_slice(b"../aa");
    let sum: u64 =
        bytes[..512].iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u64::from(*b) }).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(read_all(&bytes).await.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn an_attribute_whose_name_is_not_utf8_comes_under_no_other_name() {
    let mut entry = file(b"file", 5);
    let attribute = |name: &str| Xattr { name: name.into(), value: b"value".to_vec() };
    entry.xattrs = vec![attribute("user.Z"), attribute("user.b")];
    let mut bytes = archive(&[(&entry, b"hello", &[])]);
    let at = bytes.windows(7).position(|window| window == b"user.Z=").unwrap();
    bytes[at + 5] = 0xff;
    let read = read_all(&bytes).await.unwrap();
    assert_eq!((&read[0].0.entry.xattrs, &read[0].1[..]), (&vec![attribute("user.b")], &b"hello"[..]));
    assert_eq!(read[0].0.odd_xattrs, [b"user.\xff"]);
}

#[cfg(unix)]
mod gnu {
    //! GNU tar is the judge of both directions.
    use super::*;
    use std::ffi::OsStr;
    use std::io::Write;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{FileExt, MetadataExt};
    use std::path::Path;
    use std::process::{Command, Stdio};

    pub(super) fn has_gnu_tar() -> bool {
        let out = Command::new("tar").arg("--version").output();
        let found = out.is_ok_and(|out| out.stdout.starts_with(b"tar (GNU tar)"));
        if !found {
            println!("skipped: GNU tar is not here");
        }
        found
    }

    pub(super) fn tar(dir: &Path, args: &[&str], stdin: &[u8]) -> Vec<u8> {
        let mut command = Command::new("tar");
        command.current_dir(dir).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let stdin = stdin.to_vec();
        let feed = std::thread::spawn(move || pipe.write_all(&stdin));
        let out = child.wait_with_output().unwrap();
        let _ = feed.join().unwrap();
        assert!(out.status.success(), "tar {args:?}");
        out.stdout
    }

    #[test]
    fn gnu_tar_extracts_what_we_write() {
        if !has_gnu_tar() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut odd = file(b"d/\xfe\n\\x41 -name", 5);
        odd.mtime = TimeNs(-1_500_000_000);
        let long = file(&[b"p/".repeat(70), b"n".repeat(250)].concat(), 3);
        let holes = file(b"holes", 5_000_000);
        let tail = file(b"tail", 3_000_000);
        let bytes = archive(&[
            (&odd, b"hello", &[]),
            (&long, b"abc", &[]),
            (&holes, &[b'x'; 1856], &[(512, 2_999_808), (3_000_832, 1_998_672)]),
            (&tail, &[b'q'; 512], &[(1, 2_999_999)]),
        ]);
        tar(dir.path(), &["-xf", "-"], &bytes);
        let at = |entry: &Entry| dir.path().join(OsStr::from_bytes(entry.path.as_bytes()));
        assert_eq!(std::fs::read(at(&odd)).unwrap(), b"hello");
        let meta = std::fs::metadata(at(&odd)).unwrap();
        assert_eq!((meta.mtime(), meta.mtime_nsec()), (-2, 500_000_000));
        let meta = std::fs::metadata(at(&long)).unwrap();
        assert_eq!((meta.mtime_nsec(), meta.mode() & 0o7777), (123_456_789, 0o640));
        let mut want = vec![0; 5_000_000];
        for range in [0..512, 3_000_320..3_000_832, 4_999_168..5_000_000] {
            want[range].fill(b'x');
        }
        assert!(std::fs::read(at(&holes)).unwrap() == want);
        assert!(std::fs::metadata(at(&holes)).unwrap().blocks() * 512 < 100_000);
        let meta = std::fs::metadata(at(&tail)).unwrap();
        assert!(meta.len() == 3_000_000 && meta.blocks() * 512 < 100_000);
    }

    #[tokio::test]
    async fn we_read_what_gnu_tar_writes_in_every_format() {
        if !has_gnu_tar() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("t");
        let deep = root.join("d".repeat(120)).join("e".repeat(130));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join(OsStr::from_bytes(b"\xff name\n")), b"content").unwrap();
        std::fs::write(root.join("empty"), b"").unwrap();
        let sparse = std::fs::File::create(root.join("sparse")).unwrap();
        // Enough pieces that the old form needs blocks after its header.
        for piece in 0..40 {
            sparse.write_all_at(b"data", piece * 200_000).unwrap();
        }
        sparse.set_len(9_000_000).unwrap();
        std::os::unix::fs::symlink("s".repeat(150), root.join("link")).unwrap();
        std::fs::hard_link(root.join("sparse"), root.join("zz-hard")).unwrap();
        let want = std::fs::read(root.join("sparse")).unwrap();
        for args in [
            &["--format=posix", "-S"][..],
            &["--format=posix", "-S", "--sparse-version=0.1"],
            &["--format=posix", "-S", "--sparse-version=0.0"],
            &["--format=gnu", "-S"],
            &["--format=posix"],
            &["--format=gnu"],
        ] {
            let bytes = tar(dir.path(), &[args, &["--sort=name", "-cf", "-", "t"]].concat(), b"");
            let read = read_all(&bytes).await.unwrap();
            let find = |name: &[u8]| read.iter().find(|(e, _)| e.entry.path.as_bytes().ends_with(name)).unwrap();
            assert_eq!(find(b"\xff name\n").1, b"content", "{args:?}");
            assert_eq!(find(b"/link").0.entry.kind, EntryType::Symlink(b"s".repeat(150)));
            let (entry, content) = find(b"/sparse");
            assert!(content == &want, "{args:?}");
            assert_eq!(entry.entry.size_bytes, 9_000_000);
            assert_eq!(entry.holes.len() > 30, args.contains(&"-S"), "{args:?}");
            assert_eq!(find(b"zz-hard").0.hard_link_to.as_deref(), Some(&b"t/sparse"[..]));
        }
    }
}
