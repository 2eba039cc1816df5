//! Downloads: every format is opened by other programs, and every fault leaves nothing half.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use async_trait::async_trait;
use backstay_core::context::Progress;
use backstay_core::entry::{ByteStream, Entry, EntrySource, EntryType, TimeNs, Xattr};
use backstay_core::layout::{ArchiveFormat, ExportMark, ExportReport, Exporter};
use backstay_core::run::{Phase, Problem, ProblemKind};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};
use backstay_lab::destination_contract::noise;
use backstay_layouts::ArchiveExporter;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

#[path = "downloads/acls.rs"]
mod acls;
#[path = "downloads/faults.rs"]
mod faults;
#[path = "downloads/going_on.rs"]
mod going_on;

const FORMATS: [ArchiveFormat; 3] = [ArchiveFormat::TarGz, ArchiveFormat::TarZst, ArchiveFormat::Zip];
const TIME: i64 = 1_700_000_001;

/// Entries in memory.
struct Source {
    entries: VecDeque<Item>,
    now: Option<Item>,
}

struct Item {
    entry: Entry,
    content: Bytes,
    holes: Vec<(u64, u64)>,
    /// After the content comes this error instead of the end.
    fault: Option<ErrorClass>,
    /// After the content comes nothing for ever.
    hangs: bool,
}

impl Source {
    fn new(items: impl IntoIterator<Item = Item>) -> Self {
        Self { entries: items.into_iter().collect(), now: None }
    }
}

#[async_trait]
impl EntrySource for Source {
    async fn next(&mut self) -> Result<Option<Entry>> {
        self.now = self.entries.pop_front();
        Ok(self.now.as_ref().map(|item| item.entry.clone()))
    }
    fn content(&mut self) -> ByteStream {
        let item = self.now.as_ref().unwrap();
        let head = io::Cursor::new(item.content.clone());
        Box::new(head.chain(Tail { fault: item.fault, hangs: item.hangs }))
    }
    fn holes(&self) -> Vec<(u64, u64)> {
        self.now.as_ref().unwrap().holes.clone()
    }
}

struct Tail {
    fault: Option<ErrorClass>,
    hangs: bool,
}

impl AsyncRead for Tail {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.hangs {
            return Poll::Pending;
        }
        match self.fault {
            Some(class) => Poll::Ready(Err(Error::new(class, "Cannot read a pack: told to fail").into())),
            None => Poll::Ready(Ok(())),
        }
    }
}

fn item(path: impl AsRef<[u8]>, kind: EntryType, content: impl Into<Bytes>) -> Item {
    let content = content.into();
    let mut entry = Entry::plain(RawPath::new(path).unwrap(), kind, 0o644, TimeNs::from_parts(TIME, 250_000_000));
    entry.size_bytes = content.len() as u64;
    entry.inode = 1;
    if entry.is_dir() {
        entry.mode = 0o755;
    }
    Item { entry, content, holes: Vec::new(), fault: None, hangs: false }
}

fn file(path: &str, content: impl Into<Bytes>) -> Item {
    item(path, EntryType::File, content)
}

#[derive(Default)]
struct Recorder {
    problems: Mutex<Vec<Problem>>,
    phases: Mutex<Vec<Phase>>,
}

impl Recorder {
    fn told(&self) -> Vec<(ProblemKind, String)> {
        let problems = self.problems.lock().unwrap();
        problems.iter().map(|problem| (problem.kind, problem.subject.clone())).collect()
    }
}

impl Progress for Recorder {
    fn phase(&self, phase: Phase) {
        self.phases.lock().unwrap().push(phase);
    }
    fn total(&self, _: Option<u64>, _: Option<u64>) {}
    fn advance(&self, _: u64, _: u64) {}
    fn current(&self, _: &str) {}
    fn problem(&self, problem: Problem) {
        self.problems.lock().unwrap().push(problem);
    }
    fn log(&self, _: &str) {}
    fn alive(&self) {}
}

fn context() -> (RunContext, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    (RunContext { progress: Arc::clone(&recorder) as _, ..RunContext::silent() }, recorder)
}

fn no_marks(_: ExportMark) -> Result<()> {
    Ok(())
}

async fn export(items: Vec<Item>, format: ArchiveFormat, file: &Path) -> (Result<ExportReport>, Arc<Recorder>) {
    let (ctx, recorder) = context();
    let mut source = Source::new(items);
    let report = ArchiveExporter::default().export(&ctx, &mut source, format, file, None, &mut no_marks).await;
    (report, recorder)
}

/// Runs another program; `None`, saying so, where it is not installed.
fn program(name: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(name).args(arguments).env("LC_ALL", "C.UTF-8").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: {name} is not installed");
            None
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

fn works(output: &Output) {
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Unpacks with tar or unzip; `None` where that is not installed.
fn unpack(archive: &Path, format: ArchiveFormat) -> Option<tempfile::TempDir> {
    let temp = tempfile::tempdir().unwrap();
    let (archive, folder) = (archive.to_str().unwrap(), temp.path().to_str().unwrap());
    let output = match format {
        ArchiveFormat::TarGz => program("tar", &["-xpzf", archive, "-C", folder, "--xattrs", "--xattrs-include=*"])?,
        ArchiveFormat::TarZst => {
            program("zstd", &["--version"])?;
            program("tar", &["--zstd", "-xpf", archive, "-C", folder, "--xattrs", "--xattrs-include=*"])?
        }
        ArchiveFormat::Zip => program("unzip", &["-q", archive, "-d", folder])?,
    };
    works(&output);
    Some(temp)
}

fn left_in(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn tree() -> Vec<Item> {
    let long = format!("srv/{}/{}", "d".repeat(150), "f".repeat(150));
    let mut first = file("srv/hard-1", "linked content");
    (first.entry.links, first.entry.inode, first.entry.device) = (2, 77, 5);
    let mut second = file("srv/hard-2", "linked content");
    (second.entry.links, second.entry.inode, second.entry.device) = (2, 77, 5);
    let mut script = file("srv/run.sh", "#!/bin/sh\n");
    script.entry.mode = 0o4755;
    script.entry.xattrs = vec![Xattr { name: "user.note".into(), value: b"hello".to_vec() }];
    let mut sparse_content = vec![0; 3 * 1024 * 1024];
    sparse_content[..5].copy_from_slice(b"start");
    sparse_content[2_000_000..2_000_003].copy_from_slice(b"mid");
    let mut sparse = file("srv/sparse", sparse_content);
    sparse.holes = vec![(4096, 1_900_000), (2_100_000, 3 * 1024 * 1024 - 2_100_000)];
    vec![
        item("", EntryType::Dir, ""),
        item("srv", EntryType::Dir, ""),
        file("srv/empty", ""),
        file("srv/one", "x"),
        file("srv/name with \"quotes\" and 日本語 ü", "unicode"),
        file(&long, "long"),
        file("srv/-dash", "dash"),
        file("srv/big", noise(1, 3_000_001)),
        script,
        first,
        second,
        sparse,
        item("srv/link", EntryType::Symlink(b"../etc/passwd".to_vec()), ""),
        item("srv/sub/deep", EntryType::Dir, ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_is_opened_by_other_programs() {
    for format in FORMATS {
        let temp = tempfile::tempdir().unwrap();
        let archive = temp.path().join(format!("web nightly.{}", format.extension()));
        let (report, recorder) = export(tree(), format, &archive).await;
        let report = report.unwrap();
        assert_eq!(recorder.told(), [], "nothing is lost in {format:?}");
        assert_eq!((report.files, report.file_bytes), (10, archive.metadata().unwrap().len()));
        if let Some(output) = program("sha256sum", &[archive.to_str().unwrap()]) {
            assert!(output.stdout.starts_with(report.sha256.as_bytes()));
        }
        assert_eq!(left_in(temp.path()), [archive.as_path()], "no part is left");
        let Some(unpacked) = unpack(&archive, format) else { continue };
        check_tree(unpacked.path(), format);
    }
}

fn check_tree(root: &Path, format: ArchiveFormat) {
    for item in tree() {
        if item.entry.path.is_root() {
            continue;
        }
        let path = root.join(std::str::from_utf8(item.entry.path.as_bytes()).unwrap());
        let metadata = path.symlink_metadata().unwrap_or_else(|error| panic!("{format:?} {}: {error}", path.display()));
        match &item.entry.kind {
            EntryType::File => assert!(std::fs::read(&path).unwrap() == item.content, "{format:?} {}", path.display()),
            EntryType::Dir => assert!(metadata.is_dir()),
            EntryType::Symlink(target) => {
                assert_eq!(std::fs::read_link(&path).unwrap().to_str().unwrap().as_bytes(), target);
            }
            other => panic!("{other:?}"),
        }
        check_metadata(&path, &item.entry, &metadata, format);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let inode = |name: &str| root.join("srv").join(name).metadata().unwrap().ino();
        assert_eq!(inode("hard-1") == inode("hard-2"), format != ArchiveFormat::Zip);
        if format != ArchiveFormat::Zip {
            let sparse = root.join("srv/sparse").metadata().unwrap();
            assert!(sparse.blocks() * 512 < sparse.len(), "holes stay holes");
        }
    }
}

#[cfg(unix)]
fn check_metadata(path: &Path, entry: &Entry, metadata: &std::fs::Metadata, format: ArchiveFormat) {
    use std::os::unix::fs::MetadataExt;
    if entry.is_file() {
        let nanos = if format == ArchiveFormat::Zip { 0 } else { 250_000_000 };
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (TIME, nanos), "{format:?} {}", path.display());
        let mode = if format == ArchiveFormat::Zip { entry.mode & 0o777 } else { entry.mode };
        let found = if format == ArchiveFormat::Zip { metadata.mode() & 0o777 } else { metadata.mode() & 0o7777 };
        assert_eq!(found, mode, "{format:?} {}", path.display());
    }
}

#[cfg(not(unix))]
fn check_metadata(_: &Path, _: &Entry, _: &std::fs::Metadata, _: ArchiveFormat) {}

#[tokio::test(flavor = "multi_thread")]
async fn python_reads_them_too_and_names_are_flagged_as_utf8() {
    let script = "
import sys, tarfile, zipfile
path = sys.argv[1]
if path.endswith('.zip'):
    z = zipfile.ZipFile(path)
    assert z.testzip() is None
    for i in z.infolist():
        print(i.filename, i.file_size, oct(i.external_attr >> 16))
        assert i.filename.isascii() or i.flag_bits & 0x800, i.filename
else:
    for m in tarfile.open(path):
        print(m.name, m.size)
";
    for format in [ArchiveFormat::TarGz, ArchiveFormat::Zip] {
        let temp = tempfile::tempdir().unwrap();
        let archive = temp.path().join(format!("a.{}", format.extension()));
        export(tree(), format, &archive).await.0.unwrap();
        let Some(output) = program("python3", &["-c", script, archive.to_str().unwrap()]) else { return };
        works(&output);
        let listed = String::from_utf8(output.stdout).unwrap();
        for wanted in ["srv/name with \"quotes\" and 日本語 ü 7", "srv/sparse 3145728", "srv/big 3000001"] {
            assert!(listed.contains(wanted), "{listed}");
        }
        if format == ArchiveFormat::Zip {
            assert!(listed.contains("srv/link 13 0o120644") && listed.contains("srv/run.sh 10 0o104755"), "{listed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn special_things_are_kept_by_tar_and_told_by_zip() {
    let things = || {
        let mut device = item("dev/null", EntryType::CharDevice(1, 3), "");
        device.entry.mode = 0o666;
        vec![
            item(b"srv/bytes-\xff\xfe", EntryType::File, "raw"),
            // What the first is called in a zip.
            file("srv/bytes-\\xff\\xfe", "text"),
            item("srv/fifo", EntryType::Fifo, ""),
            device,
            item("srv/socket", EntryType::Socket, ""),
            item("srv/odd", EntryType::Symlink(b"\xff".to_vec()), ""),
            file(".backstay/mysql/dump.sql", "-- dump"),
        ]
    };
    let temp = tempfile::tempdir().unwrap();
    let archive = temp.path().join("a.tar.gz");
    let (report, recorder) = export(things(), ArchiveFormat::TarGz, &archive).await;
    assert_eq!(report.unwrap().files, 3);
    assert_eq!(recorder.told(), [(ProblemKind::Skipped, "srv/socket".to_owned())]);
    let listed = program("tar", &["-tvzf", archive.to_str().unwrap()]).unwrap();
    works(&listed);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for wanted in ["prw-r--r--", "crw-rw-rw- 0/0             1,3", "srv/bytes-\\377\\376", "srv/odd -> \\377"] {
        assert!(listed.contains(wanted), "{wanted} in {listed}");
    }

    let archive = temp.path().join("a.zip");
    let (report, recorder) = export(things(), ArchiveFormat::Zip, &archive).await;
    assert_eq!(report.unwrap().files, 3);
    assert_eq!(
        recorder.told(),
        [
            (ProblemKind::Other, "srv/bytes-\\xff\\xfe".to_owned()),
            (ProblemKind::Other, "srv/bytes-\\\\xff\\\\xfe".to_owned()),
            (ProblemKind::Skipped, "srv/fifo".to_owned()),
            (ProblemKind::Skipped, "dev/null".to_owned()),
            (ProblemKind::Skipped, "srv/socket".to_owned()),
            (ProblemKind::Skipped, "srv/odd".to_owned()),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_blocks_of_gzip_are_one_member() {
    let temp = tempfile::tempdir().unwrap();
    let archive = temp.path().join("a.tar.gz");
    let text = Bytes::from("All work and no play. ".repeat(600_000));
    let random = noise(9, 9_000_000);
    export(vec![file("text", text.clone()), file("random", random.clone())], ArchiveFormat::TarGz, &archive)
        .await
        .0
        .unwrap();
    let compressed = std::fs::read(&archive).unwrap();
    assert!(compressed.len() < random.len() + text.len() / 20, "it is compressed: {}", compressed.len());
    let mut decoder = flate2::bufread::GzDecoder::new(compressed.as_slice());
    let mut tar = Vec::new();
    io::Read::read_to_end(&mut decoder, &mut tar).unwrap();
    assert!(decoder.into_inner().is_empty(), "nothing follows the one member");
    assert!(tar.len() > random.len() + text.len());
    if let Some(output) = program("gzip", &["-t", archive.to_str().unwrap()]) {
        works(&output);
    }
    let unpacked = unpack(&archive, ArchiveFormat::TarGz).unwrap();
    assert!(std::fs::read(unpacked.path().join("text")).unwrap() == text);
    assert!(std::fs::read(unpacked.path().join("random")).unwrap() == random);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_and_very_much() {
    for format in FORMATS {
        let temp = tempfile::tempdir().unwrap();
        let archive = temp.path().join(format!("empty.{}", format.extension()));
        let report = export(Vec::new(), format, &archive).await.0.unwrap();
        assert_eq!((report.files, report.bytes), (0, 0));
        if format == ArchiveFormat::TarGz {
            works(&program("tar", &["-tzf", archive.to_str().unwrap()]).unwrap());
        }
    }
    // More entries than a zip could count before zip64.
    let temp = tempfile::tempdir().unwrap();
    let archive = temp.path().join("many.zip");
    let items: Vec<_> = (0..66_000).map(|number| file(&format!("d/{number}"), "")).collect();
    assert_eq!(export(items, ArchiveFormat::Zip, &archive).await.0.unwrap().files, 66_000);
    let script = "import sys, zipfile; print(len(zipfile.ZipFile(sys.argv[1]).namelist()))";
    if let Some(output) = program("python3", &["-c", script, archive.to_str().unwrap()]) {
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "66000");
    }
}
