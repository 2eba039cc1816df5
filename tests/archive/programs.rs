//! tar, gzip, zstd, unzip and 7z open plain archives; what they unpack is what was backed up.

use crate::support::*;
use async_trait::async_trait;
use backstay_core::entry::{ByteStream, Entry, EntrySource, EntryType, TimeNs, Xattr};
use backstay_core::layout::{ArchiveFormat, Exporter, Layout};
use backstay_core::{RawPath, Result, RunContext};
use backstay_lab::MemoryDestination;
use backstay_layouts::ArchiveExporter;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let found = found.is_ok_and(|out| out.status.success());
    if !found {
        println!("skipped: {program} is not here");
    }
    found
}

fn run(dir: &Path, program: &str, args: &[&str]) -> String {
    let out = Command::new(program).current_dir(dir).args(args).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{program} {args:?}: {text}");
    text
}

fn files() -> Files {
    let mut files: Files = (0..200).map(|n| file(&format!("srv/dir{}/file{n}", n % 7), &words(n, 5_000))).collect();
    files.extend([
        file("srv/empty", b""),
        file("srv/noise", &noise(1, 2_500_000)),
        file("srv/ünïcode 日本", &words(2, 3_000_000)),
        file("srv/exactly one block", &words(3, 1 << 20)),
    ]);
    files
}

/// Makes an archive of files, and of a dump of unknown length, below `dir`; returns its path.
async fn archive(dir: &Path, format: ArchiveFormat) -> String {
    let memory = MemoryDestination::new().with_part_bytes(8 << 20);
    let archives = open(&memory);
    let backup = manifest("nightly", 3);
    let mut writer = archives.begin(&RunContext::silent(), start(&backup, format, None)).await.unwrap();
    for (entry, content) in files().values() {
        add(writer.as_mut(), entry, content).await.unwrap();
    }
    let (_, (mut entry, content)) = file(".backstay/mysql/shop.sql", &words(5, 33 << 20));
    entry.size_bytes = 0;
    add(writer.as_mut(), &entry, &content).await.unwrap();
    let record = writer.commit(backup).await.unwrap();
    let name = format!("backup.{}", format.extension());
    let key = record.archive.unwrap().key;
    std::fs::write(dir.join(&name), memory.object(&key).unwrap()).unwrap();
    std::fs::write(dir.join("manifest"), memory.object(&format!("{key}.manifest")).unwrap()).unwrap();
    name
}

fn assert_unpacked(dir: &Path) {
    for (path, (_, content)) in files() {
        let found = std::fs::read(dir.join(String::from_utf8_lossy(path.as_bytes()).as_ref())).unwrap();
        assert!(found == content, "{path}");
    }
    let lines = std::fs::read_to_string(dir.join(".backstay/manifest.json")).unwrap();
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert!(lines.lines().last().unwrap().starts_with("{\"end\":"));
    let backup = std::fs::read_to_string(dir.join(".backstay/backup.json")).unwrap();
    assert!(backup.contains("\"plan_name\": \"nightly\""));
}

#[tokio::test]
async fn tar_opens_what_tar_should_open() {
    if !has("tar") || !has("zstd") || !has("gzip") {
        return;
    }
    for (format, test) in [(ArchiveFormat::TarGz, "gzip"), (ArchiveFormat::TarZst, "zstd")] {
        let dir = tempfile::tempdir().unwrap();
        let name = archive(dir.path(), format).await;
        run(dir.path(), test, &["-t", &name]);
        let out = dir.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let said = run(dir.path(), "tar", &["-C", "out", "-xf", &name]);
        assert_eq!(said, "", "tar complains");
        assert_unpacked(&out);
        run(dir.path(), "sh", &["-c", "cat out/.backstay/mysql/shop.sql.part-* > shop.sql"]);
        assert!(std::fs::read(dir.path().join("shop.sql")).unwrap() == words(5, 33 << 20));
        // The manifest beside it is JSON lines in zstd.
        let lines = run(dir.path(), "zstd", &["-dcq", "manifest"]);
        assert!(lines.starts_with("{\"backstay_archive\":1,"));
        if format == ArchiveFormat::TarGz && has("7z") {
            run(dir.path(), "7z", &["t", &name]);
            run(dir.path(), "7z", &["x", "-oseven", &name]);
            run(dir.path(), "7z", &["x", "-oseven/out", "seven/backup.tar"]);
            assert_unpacked(&dir.path().join("seven/out"));
        }
        if format == ArchiveFormat::TarGz && has("pigz") {
            run(dir.path(), "pigz", &["-t", &name]);
        }
    }
}

#[tokio::test]
async fn unzip_and_7z_open_a_zip() {
    let dir = tempfile::tempdir().unwrap();
    let name = archive(dir.path(), ArchiveFormat::Zip).await;
    if has("unzip") {
        assert!(run(dir.path(), "unzip", &["-tq", &name]).contains("No errors"));
        run(dir.path(), "unzip", &["-q", "-d", "unzip", &name]);
        assert_unpacked(&dir.path().join("unzip"));
        assert!(std::fs::read(dir.path().join("unzip/.backstay/mysql/shop.sql")).unwrap() == words(5, 33 << 20));
    }
    if has("7z") {
        let said = run(dir.path(), "7z", &["t", &name]);
        assert!(said.contains("Everything is Ok") && !said.contains("Warning"), "{said}");
        run(dir.path(), "7z", &["x", "-oseven", &name]);
        assert_unpacked(&dir.path().join("seven"));
    }
    if has("python3") {
        run(
            dir.path(),
            "python3",
            &["-c", "import zipfile,sys; assert zipfile.ZipFile(sys.argv[1]).testzip() is None", &name],
        );
    }
}

/// Tag, rights and id of each entry, as the kernel packs them.
fn acl(name: &str, entries: &[(u16, u16, u32)]) -> Xattr {
    let bytes = |(tag, rights, id): &(u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let value = [vec![2, 0, 0, 0], entries.iter().flat_map(bytes).collect()].concat();
    Xattr { name: name.into(), value }
}

#[tokio::test]
async fn tar_gives_acls_back() {
    if !has("tar") || !has("zstd") || !has("setfacl") || !has("getfacl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let set = "umask 022; mkdir -p want/srv/d && cd want/srv && echo > d/f && setfacl -m u:1000:r,m::r d/f \
        && setfacl -m u:1000:rwx,d:u:1001:rx d && echo > plain && chmod 674 plain && tar --acls -cf /dev/null d 2>&1";
    let said = Command::new("sh").current_dir(dir.path()).args(["-c", set]).output().unwrap();
    if !said.status.success() || !said.stdout.is_empty() {
        println!("skipped: the file system has no ACLs or tar knows none: {}", String::from_utf8_lossy(&said.stderr));
        return;
    }
    let no_id = u32::MAX;
    let mut folder = Entry::plain(path("srv/d"), EntryType::Dir, 0o775, TimeNs(1_700_000_000_000_000_000));
    folder.xattrs = vec![
        acl("system.posix_acl_access", &[(1, 7, no_id), (2, 7, 1000), (4, 5, no_id), (16, 7, no_id), (32, 5, no_id)]),
        acl("system.posix_acl_default", &[(1, 7, no_id), (2, 5, 1001), (4, 5, no_id), (16, 5, no_id), (32, 5, no_id)]),
    ];
    let mut files = Files::from([(folder.path.clone(), (folder, Vec::new())), file("srv/d/f", b"text")]);
    let (entry, _) = files.get_mut(&path("srv/d/f")).unwrap();
    entry.mode = 0o644;
    let entries = [(1, 6, no_id), (2, 4, 1000), (4, 4, no_id), (16, 4, no_id), (32, 4, no_id)];
    entry.xattrs = vec![acl("system.posix_acl_access", &entries)];
    // What has no ACL here gets its rights from its mode alone.
    let (at, (mut plain, content)) = file("srv/plain", b"text");
    plain.mode = 0o674;
    files.insert(at, (plain, content));
    let acls = |root: &str| run(&dir.path().join(root), "getfacl", &["-cn", "srv/d", "srv/d/f", "srv/plain"]);
    for format in [ArchiveFormat::TarGz, ArchiveFormat::TarZst] {
        let memory = MemoryDestination::new();
        let record = backup(&memory, &files, format, None).await;
        assert_same(&files, &read(&open(&memory), &record.id).await.unwrap());
        let name = format!("backup.{}", format.extension());
        std::fs::write(dir.path().join(&name), memory.object(&record.archive.unwrap().key).unwrap()).unwrap();
        for (number, flags) in [&["--acls", "--xattrs", "--xattrs-include=*"][..], &["--acls"]].iter().enumerate() {
            let out = format!("{}-{number}", format.extension());
            std::fs::create_dir(dir.path().join(&out)).unwrap();
            run(dir.path(), "tar", &[*flags, &["-C", &out, "-xpf", &name]].concat());
            assert_eq!(acls(&out), acls("want"), "{format:?} {flags:?}");
        }
    }
}

#[tokio::test]
async fn no_two_files_of_a_zip_have_one_name() {
    let names: [(&[u8], &str); 7] = [
        (b"a\xff", r"a\xff"),
        (br"a\xff", r"a\\xff"),
        (br"a\\xff", r"a\\\\xff"),
        (br"a\xFF", r"a\xFF"),
        // As systemd names its units.
        (br"dev-by\x2duuid", r"dev-by\x2duuid"),
        (b"b\\c/\xff", r"b\c/\xff"),
        (br"b\c/name", r"b\c/name"),
    ];
    let mut files = Files::new();
    for (name, written) in names {
        let (_, (mut entry, content)) = file("name", written.as_bytes());
        entry.path = RawPath::new(name).unwrap();
        files.insert(entry.path.clone(), (entry, content));
    }
    let memory = MemoryDestination::new();
    let record = backup(&memory, &files, ArchiveFormat::Zip, None).await;
    assert_same(&files, &read(&open(&memory), &record.id).await.unwrap());
    let bytes = memory.object(&record.archive.unwrap().key).unwrap();
    let mut zip = zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap();
    for (_, written) in names {
        assert_eq!(io::read_to_string(zip.by_name(written).unwrap()).unwrap(), written);
    }
}

/// The readers most Rust programs use: what they cannot open, many cannot.
#[tokio::test]
async fn the_crates_tar_and_zip_open_them() {
    let dir = tempfile::tempdir().unwrap();
    let name = archive(dir.path(), ArchiveFormat::TarGz).await;
    let file = std::fs::File::open(dir.path().join(&name)).unwrap();
    let out = dir.path().join("tar");
    tar::Archive::new(flate2::read::MultiGzDecoder::new(file)).unpack(&out).unwrap();
    assert_unpacked(&out);

    let dir = tempfile::tempdir().unwrap();
    let name = archive(dir.path(), ArchiveFormat::Zip).await;
    let file = std::fs::File::open(dir.path().join(&name)).unwrap();
    let out = dir.path().join("zip");
    zip::ZipArchive::new(file).unwrap().extract(&out).unwrap();
    assert_unpacked(&out);
    assert!(std::fs::read(out.join(".backstay/mysql/shop.sql")).unwrap() == words(5, 33 << 20));
}

/// A block again and again.
struct Again {
    block: Vec<u8>,
    at: usize,
}

impl AsyncRead for Again {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        let take = buf.remaining().min(me.block.len() - me.at);
        buf.put_slice(&me.block[me.at..me.at + take]);
        me.at = (me.at + take) % me.block.len();
        Poll::Ready(Ok(()))
    }
}

/// A very large file made of one block, and a small one behind it.
struct Large {
    block: Vec<u8>,
    entries: VecDeque<Entry>,
    size: u64,
}

impl Large {
    fn new(block: Vec<u8>, size: u64) -> Self {
        let entries = [("srv/large", size), ("srv/after", 9)].map(|(at, size)| {
            let mut entry = Entry::plain(path(at), EntryType::File, 0o644, TimeNs(1_700_000_000_000_000_000));
            entry.size_bytes = size;
            entry
        });
        Self { block, entries: entries.into(), size: 0 }
    }
}

#[async_trait]
impl EntrySource for Large {
    async fn next(&mut self) -> Result<Option<Entry>> {
        let next = self.entries.pop_front();
        self.size = next.as_ref().map_or(0, |entry| entry.size_bytes);
        Ok(next)
    }

    fn content(&mut self) -> ByteStream {
        let block = if self.size == 9 { b"behind it".to_vec() } else { self.block.clone() };
        Box::new(Again { block, at: 0 }.take(self.size))
    }
}

async fn export(mut source: Large, format: ArchiveFormat, file: &Path) {
    let ctx = RunContext::silent();
    let exporter = ArchiveExporter::default();
    let report = exporter.export(&ctx, &mut source, format, file, None, &mut |_| Ok(())).await.unwrap();
    assert_eq!(report.files, 2);
}

/// More than 32 bits count, in one file and before the next, and more than a tar's field for a size holds.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: npm run test:extended"]
async fn very_large_files_fit_into_a_zip_and_a_tar() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // What does not get smaller, so that what is behind it lies beyond 4 GiB too.
    let size: u64 = (4 << 30) + 5_000_000;
    let zip = dir.path().join("large.zip");
    export(Large::new(noise(1, 8 << 20), size), ArchiveFormat::Zip, &zip).await;
    if has("unzip") {
        assert!(run(dir.path(), "unzip", &["-tq", "large.zip"]).contains("No errors"));
        assert_eq!(run(dir.path(), "unzip", &["-p", "large.zip", "srv/after"]), "behind it");
    }
    if has("7z") {
        let said = run(dir.path(), "7z", &["t", "large.zip"]);
        assert!(said.contains("Everything is Ok") && !said.contains("Warning"), "{said}");
    }
    if has("python3") {
        let script = "import zipfile; print([one.file_size for one in zipfile.ZipFile('large.zip').infolist()])";
        assert_eq!(run(dir.path(), "python3", &["-c", script]).trim(), format!("[{size}, 9]"));
    }
    std::fs::remove_file(zip).unwrap();

    // What gets very small, since only its length counts here.
    let size: u64 = (8 << 30) + 5_000_000;
    export(Large::new(vec![0; 8 << 20], size), ArchiveFormat::TarZst, &dir.path().join("large.tar.zst")).await;
    if has("tar") && has("zstd") {
        let listed = run(dir.path(), "tar", &["--zstd", "-tvf", "large.tar.zst"]);
        assert!(listed.contains(&format!(" {size} ")), "{listed}");
        assert_eq!(run(dir.path(), "tar", &["--zstd", "-xOf", "large.tar.zst", "srv/after"]), "behind it");
    }
}
