//! What every host must do, whatever it is made of. Each host's tests run this suite.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use backstay_core::entry::{Entry, EntryType, TimeNs};
use backstay_core::host::{Attribute, Command, ExitStatus, Host, run};
use backstay_core::{ErrorClass, RawPath, Secret};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// How long one step may take before it counts as hung: two connections, one in the other, on a busy machine take their time.
const STEP: Duration = Duration::from_secs(180);
/// What goes both ways in the large test.
const BIG: usize = 64 << 20;

async fn step<T>(name: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(STEP, work).await.unwrap_or_else(|_| panic!("{name} hangs"))
}

/// Runs the whole suite. `dir` is an absolute folder on the host that may be filled; the caller removes it. Commands
/// are tried where the host offers them.
pub async fn all(host: &dyn Host, dir: &RawPath) {
    step("files", files(host, dir)).await;
    step("hostile names", hostile_names(host, dir)).await;
    step("links and attributes", links_and_attributes(host, dir)).await;
    step("missing", missing(host, dir)).await;
    step("large files", large_file(host, dir)).await;
    if !host.capabilities().commands {
        let error = host.start(Command::new("true")).await.err().expect("no commands here");
        assert_eq!(error.class, ErrorClass::Unsupported);
        return;
    }
    step("arguments", arguments(host)).await;
    step("exit status", exit_status(host)).await;
    step("environment", environment(host)).await;
    step("end of input", end_of_input(host)).await;
    step("both ways", both_ways(host)).await;
    step("much stderr", much_stderr(host)).await;
    step("kill", kill(host)).await;
    step("many at once", many_at_once(host)).await;
    step("early end", early_end(host)).await;
}

/// Links are made, never followed; owner, mode and time are set, and what cannot be set is told.
pub async fn links_and_attributes(host: &dyn Host, dir: &RawPath) {
    let at = |name: &[u8]| dir.join(name).unwrap();
    let (file, folder, link) = (at(b"a file's\n"), at(b"a folder"), at(b"a link"));
    host.make_dir(&folder).await.unwrap();
    host.write(&file, 0o600, &mut &b"x"[..]).await.unwrap();
    for target in [&b"a folder"[..], b"a file's\n", b"../ \xff$x"] {
        host.make_link(&link, target).await.unwrap();
        assert_eq!(host.stat(&link).await.unwrap().kind, EntryType::Symlink(target.to_vec()));
    }
    assert_eq!(host.make_link(&folder, b"x").await.unwrap_err().class, ErrorClass::Exists);
    host.make_link(&link, b"a file's\n").await.unwrap();
    let mut want = Vec::new();
    for (path, mode, seconds) in [(&file, 0o4750, 1_500_000_000), (&folder, 0o1755, 1_500_000_001), (&link, 0, 9)] {
        let mut entry = host.stat(path).await.unwrap();
        (entry.mode, entry.mtime) = (mode, TimeNs::from_parts(seconds, 0));
        want.push(entry);
    }
    assert_eq!(host.set_attributes(&want).await.unwrap(), []);
    for entry in &want[..2] {
        let there = host.stat(&entry.path).await.unwrap();
        assert_eq!((there.mode, there.mtime), (entry.mode, entry.mtime), "{}", entry.path);
    }
    assert_eq!(host.stat(&link).await.unwrap().mtime, want[2].mtime);
    // Another's it can be made by root only; the rest is set all the same.
    let foreign = Entry { uid: want[0].uid + 1, user: None, mode: 0o640, ..want[0].clone() };
    let unset = host.set_attributes(std::slice::from_ref(&foreign)).await.unwrap();
    let there = host.stat(&file).await.unwrap();
    assert_eq!((there.mode, there.mtime), (0o640, foreign.mtime));
    match unset.as_slice() {
        [] => assert_eq!(there.uid, foreign.uid),
        unset => assert_eq!(unset, [(file.clone(), Attribute::Owner)]),
    }
    for path in [&file, &folder, &link] {
        host.remove(path).await.unwrap();
    }
}

/// An input that is shut down has ended, though whoever wrote it still holds it.
pub async fn end_of_input(host: &dyn Host) {
    let mut process = host.start(Command::new("cat")).await.unwrap();
    process.stdin.write_all(b"all there is").await.unwrap();
    process.stdin.shutdown().await.unwrap();
    let mut came = Vec::new();
    process.stdout.read_to_end(&mut came).await.unwrap();
    assert_eq!(came, b"all there is");
    assert_eq!(process.control.wait().await.unwrap(), ExitStatus::Code(0));
}

/// Arguments arrive byte for byte, whatever a shell would make of them.
pub async fn arguments(host: &dyn Host) {
    let hostile: Vec<&[u8]> = vec![
        b"",
        b" ",
        b"-n",
        b"--",
        b"it's",
        b"\"",
        b"\\",
        b"\\\\",
        b"a\\'b",
        b"$HOME $(id) `id` ${X}",
        b"*",
        b"?[a]{b,c}",
        b"~",
        b"!!",
        b"a\nb\n",
        b"\t\r",
        b"#x",
        b";id&|<>()",
        b"%s%n",
        b"\xff\xfe\x80",
        "日本 ü".as_bytes(),
        b"\x01\x1b[31m",
    ];
    let output = run(host, Command::new("printf").arg("%s\\0").args(&hostile), b"").await.unwrap();
    assert!(output.status.success(), "{}", output.stderr);
    let came: Vec<&[u8]> = output.stdout.split(|b| *b == 0).collect();
    assert_eq!(came[..came.len() - 1], hostile[..]);
}

/// Exit status and standard error come through; a missing program is told.
pub async fn exit_status(host: &dyn Host) {
    let output = run(host, Command::sh("echo out; echo err >&2; exit 7", [""; 0]), b"").await.unwrap();
    assert_eq!(output.status, ExitStatus::Code(7));
    assert_eq!((output.text().as_str(), output.stderr.as_str()), ("out\n", "err\n"));
    match run(host, Command::new("backstay-no-such-program"), b"").await {
        Ok(output) => assert!(!output.status.success(), "a missing program cannot succeed"),
        Err(error) => assert_eq!(error.class, ErrorClass::Unsupported),
    }
}

/// Environment arrives; `LC_ALL=C` is there; secrets arrive without touching the payload.
pub async fn environment(host: &dyn Host) {
    let secret = "p'w \"$x\\ ü";
    let command = Command::sh("printf '%s|%s|%s|' \"$LC_ALL\" \"$PLAIN\" \"$HIDDEN\"; cat", [""; 0])
        .env("PLAIN", "a b'c")
        .secret_env("HIDDEN", Secret::new(secret));
    let output = run(host, command, b"payload\nmore").await.unwrap();
    assert_eq!(output.text(), format!("C|a b'c|{secret}|payload\nmore"));
    let error = run(host, Command::new("true").secret_env("X", Secret::new("a\nb")), b"").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid);
}

/// 64 MiB go in and come out at the same time, unchanged.
pub async fn both_ways(host: &dyn Host) {
    let mut process = host.start(Command::new("cat")).await.unwrap();
    let mut stdin = process.stdin;
    let feed = tokio::spawn(async move {
        let mut pattern = Pattern::new(BIG);
        tokio::io::copy(&mut pattern, &mut stdin).await.unwrap();
        stdin.shutdown().await.unwrap();
    });
    expect_pattern(&mut process.stdout, BIG).await;
    assert!(process.control.wait().await.unwrap().success());
    feed.await.unwrap();
}

/// A command may complain a lot while its output is being read first.
pub async fn much_stderr(host: &dyn Host) {
    const SCRIPT: &str =
        "i=0; while [ $i -lt 2000 ]; do echo 'a complaint that is fairly long' >&2; i=$((i+1)); done; echo done";
    let output = run(host, Command::sh(SCRIPT, [""; 0]), b"").await.unwrap();
    assert_eq!(output.text(), "done\n");
    assert!(output.stderr.len() >= 60_000);
}

/// A killed command ends, its output ends, and waiting for it does too.
pub async fn kill(host: &dyn Host) {
    let mut process = host.start(Command::sh("while :; do echo running; done", [""; 0])).await.unwrap();
    let mut piece = [0; 7];
    process.stdout.read_exact(&mut piece).await.unwrap();
    process.control.kill().await;
    process.control.kill().await;
    assert!(!process.control.wait().await.unwrap().success());
    drop(process);
    // The host goes on, and what the dropped command had still to say is in nobody's way.
    let output = run(host, Command::new("echo").arg("next"), b"").await.unwrap();
    assert_eq!(output.text(), "next\n");
}

/// Ten commands at once, each with its own streams.
pub async fn many_at_once(host: &dyn Host) {
    let work = (0..10).map(|n: u32| async move {
        let text = format!("number {n}").repeat(1000);
        let output = run(host, Command::new("cat"), text.as_bytes()).await.unwrap();
        assert_eq!(output.text(), text);
    });
    futures::future::join_all(work).await;
}

/// A command that does not read its input does not hang us.
pub async fn early_end(host: &dyn Host) {
    let output = run(host, Command::sh("exit 3", [""; 0]), &vec![0; 20 << 20]).await.unwrap();
    assert_eq!(output.status, ExitStatus::Code(3));
}

/// Files: write, read, look, replace, remove; folders likewise.
pub async fn files(host: &dyn Host, dir: &RawPath) {
    let sub = dir.join("a/b c").unwrap();
    host.make_dir(&sub).await.unwrap();
    host.make_dir(&sub).await.unwrap();
    assert!(host.stat(&sub).await.unwrap().is_dir());
    let file = sub.join("file").unwrap();
    assert_eq!(host.write(&file, 0o640, &mut &b"first"[..]).await.unwrap(), 5);
    assert_eq!(host.write(&file, 0o600, &mut &b"second!"[..]).await.unwrap(), 7);
    let entry = host.stat(&file).await.unwrap();
    assert_eq!((entry.kind.clone(), entry.size_bytes, entry.mode), (EntryType::File, 7, 0o600));
    assert_eq!(entry.path, file);
    assert!(entry.mtime.0 > 0);
    assert_eq!(read(host, &file).await, b"second!");
    let empty = sub.join("empty").unwrap();
    assert_eq!(host.write(&empty, 0o644, &mut &b""[..]).await.unwrap(), 0);
    assert_eq!(read(host, &empty).await, b"");
    let mut listed: Vec<_> = host.list(&sub).await.unwrap().into_iter().map(|e| e.path).collect();
    listed.sort();
    // Nothing else: no temporary file stays behind.
    assert_eq!(listed, [empty.clone(), file.clone()]);
    assert_eq!(host.remove(&sub).await.unwrap_err().class, ErrorClass::Exists);
    // A link makes room for a file, and nothing goes where it leads.
    let link = dir.join("a/link").unwrap();
    host.make_link(&link, b"b c").await.unwrap();
    host.write(&link, 0o644, &mut &b"file"[..]).await.unwrap();
    assert_eq!(host.stat(&link).await.unwrap().kind, EntryType::File);
    assert_eq!(host.list(&sub).await.unwrap().len(), 2);
    for path in [&link, &file, &empty, &sub] {
        host.remove(path).await.unwrap();
    }
    assert!(host.list(&dir.join("a").unwrap()).await.unwrap().is_empty());
    let space = host.space(dir).await.unwrap();
    assert!(space.total_bytes >= space.free_bytes && space.total_bytes > 0);
    let not_there = dir.join("not/there/yet").unwrap();
    assert_eq!(
        host.space(&not_there).await.unwrap().total_bytes,
        space.total_bytes,
        "that of the nearest folder above"
    );
}

/// Names are bytes: not UTF-8, line breaks, leading dashes, quotes.
pub async fn hostile_names(host: &dyn Host, dir: &RawPath) {
    let names: [&[u8]; 9] = [
        b"\xff\xfe not utf-8",
        b"line\nbreak",
        b"-rf",
        b" blank ",
        b"it's \"quoted\" \\ $HOME *",
        b"tab\tcr\r",
        b".hidden",
        b"...",
        "ünïcode 日本".as_bytes(),
    ];
    let folder = dir.join("names").unwrap();
    host.make_dir(&folder).await.unwrap();
    for name in names {
        let path = folder.join(name).unwrap();
        host.write(&path, 0o644, &mut &name[..]).await.unwrap();
        assert_eq!(read(host, &path).await, name);
        assert_eq!(host.stat(&path).await.unwrap().path, path);
    }
    let mut listed: Vec<Vec<u8>> =
        host.list(&folder).await.unwrap().iter().map(|e| e.path.name().unwrap().to_vec()).collect();
    listed.sort();
    let mut wanted: Vec<Vec<u8>> = names.iter().map(|n| n.to_vec()).collect();
    wanted.sort();
    assert_eq!(listed, wanted);
    for name in names {
        host.remove(&folder.join(name).unwrap()).await.unwrap();
    }
    assert!(host.list(&folder).await.unwrap().is_empty());
}

/// What is not there is `Missing`, on every call; what is of the wrong sort is told apart.
pub async fn missing(host: &dyn Host, dir: &RawPath) {
    let nothing = dir.join("nothing/here").unwrap();
    let class = |error: backstay_core::Error| {
        assert!(error.message.contains("nothing/here"), "{}", error.message);
        error.class
    };
    assert_eq!(class(host.stat(&nothing).await.unwrap_err()), ErrorClass::Missing);
    assert_eq!(class(host.list(&nothing).await.unwrap_err()), ErrorClass::Missing);
    assert_eq!(class(host.read(&nothing).await.err().expect("nothing to read")), ErrorClass::Missing);
    assert_eq!(class(host.remove(&nothing).await.unwrap_err()), ErrorClass::Missing);
    assert_eq!(class(host.write(&nothing, 0o644, &mut &b"x"[..]).await.unwrap_err()), ErrorClass::Missing);
    assert_eq!(host.read(dir).await.err().expect("a folder is not read").class, ErrorClass::Invalid);
    let file = dir.join("plain").unwrap();
    host.write(&file, 0o644, &mut &b"x"[..]).await.unwrap();
    assert_eq!(host.list(&file).await.unwrap_err().class, ErrorClass::Invalid);
    assert_eq!(host.stat(&file.join("below").unwrap()).await.unwrap_err().class, ErrorClass::Missing);
    host.remove(&file).await.unwrap();
    assert_eq!(host.stat(&RawPath::new("relative").unwrap()).await.unwrap_err().class, ErrorClass::Invalid);
}

/// A file of many packets, with a length that fills none of them.
pub async fn large_file(host: &dyn Host, dir: &RawPath) {
    let size = (9 << 20) + 12_345;
    let file = dir.join("large").unwrap();
    assert_eq!(host.write(&file, 0o600, &mut Pattern::new(size)).await.unwrap(), size as u64);
    let mut stream = host.read(&file).await.unwrap();
    expect_pattern(&mut stream, size).await;
    // A reader that goes away in the midst leaves the host usable.
    let mut stream = host.read(&file).await.unwrap();
    let mut start = vec![0; 1000];
    stream.read_exact(&mut start).await.unwrap();
    drop(stream);
    // Content that breaks off must not become a file.
    let mut broken = Pattern::new(100_000).chain(Breaks);
    assert!(host.write(&file, 0o600, &mut broken).await.is_err());
    assert_eq!(host.stat(&file).await.unwrap().size_bytes, size as u64);
    host.remove(&file).await.unwrap();
    let temporary = |e: &backstay_core::entry::Entry| e.path.name().is_some_and(|name| name.ends_with(b".tmp"));
    let left: Vec<_> = host.list(dir).await.unwrap().into_iter().filter(temporary).collect();
    assert!(left.is_empty(), "{left:?}");
}

async fn read(host: &dyn Host, path: &RawPath) -> Vec<u8> {
    let mut bytes = Vec::new();
    host.read(path).await.unwrap().read_to_end(&mut bytes).await.unwrap();
    bytes
}

fn pattern_byte(at: usize) -> u8 {
    (at.wrapping_mul(31) ^ (at >> 8).wrapping_mul(17) ^ (at >> 16)) as u8
}

async fn expect_pattern(stream: &mut (dyn AsyncRead + Send + Unpin), size: usize) {
    let mut buffer = vec![0; 256 * 1024];
    let mut at = 0;
    loop {
        let n = stream.read(&mut buffer).await.unwrap();
        if n == 0 {
            break;
        }
        let good = buffer[..n].iter().enumerate().all(|(i, b)| *b == pattern_byte(at + i));
        assert!(good, "wrong bytes after {at}");
        at += n;
    }
    assert_eq!(at, size);
}

struct Pattern {
    at: usize,
    size: usize,
}

impl Pattern {
    fn new(size: usize) -> Self {
        Self { at: 0, size }
    }
}

impl AsyncRead for Pattern {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let n = buf.remaining().min(self.size - self.at).min(70_001);
        let at = self.at;
        buf.put_slice(&(at..at + n).map(pattern_byte).collect::<Vec<_>>());
        self.at += n;
        std::task::Poll::Ready(Ok(()))
    }
}

struct Breaks;

impl AsyncRead for Breaks {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()))
    }
}
