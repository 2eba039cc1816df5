//! File calls by commands: for root by sudo, and for every SSH server with a shell. Works with GNU tools and busybox.

use crate::error_text::from_output;
use crate::reader::CommandReader;
use backstay_core::entry::{ByteStream, Entry, EntryType, TimeNs};
use backstay_core::host::{Command, ExitStatus, Host, Output, Process, Space, read_tail, run};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// Prints what is known of `$2` (`one`) or of all that lies in it (`all`). With GNU find one line does it; elsewhere
/// each path goes through stat. Every record is `fields NUL path NUL link target NUL`.
const LIST: &str = concat!(
    r#"p=$2; if [ "$1" = all ]; then if [ -L "$p" ] || [ ! -d "$p" ]; then "#,
    r#"if [ -e "$p" ] || [ -L "$p" ]; then echo "Not a folder" >&2; else ls -d "$p" >/dev/null; fi; exit 20; fi; "#,
    r#"set -- -mindepth 1 -maxdepth 1; else set -- -maxdepth 0; fi; "#,
    r#"if find / -maxdepth 0 -printf '' 2>/dev/null; then "#,
    r#"exec find "$p" "$@" -printf '%y %m %U %G %s %T@ %C@ %i %D %n %u %g\0%p\0%l\0'; fi; "#,
    r#"one() { s=$(stat -c '%f %a %u %g %s %Y %Z %i %d %h %t %T %U %G' "$1") || return 1; l=; "#,
    r#"if [ -L "$1" ]; then l=$(readlink "$1"; echo x); l=${l%x}; l=${l%?}; fi; "#,
    r#"printf 's%s\0%s\0%s\0' "$s" "$1" "$l"; }; "#,
    r#"if [ "$1" = -maxdepth ]; then one "$p"; exit; fi; p=${p%/}; "#,
    r#"[ -r "$p/" ] && [ -x "$p/" ] || { echo "Permission denied" >&2; exit 1; }; "#,
    r#"there() { [ -e "$1" ] || [ -L "$1" ]; }; for f in "$p"/* "$p"/.[!.]* "$p"/..?*; do "#,
    r#"if there "$f"; then one "$f" || ! there "$f" || exit 1; fi; done"#,
);

/// Prints `+` once the file is open, then its content: so an absent file is an error at once.
const READ: &str = concat!(
    r#"if [ -d "$1" ]; then echo "Is a directory" >&2; exit 1; fi; "#,
    r#"if [ -e "$1" ] && [ ! -f "$1" ]; then echo "not a regular file" >&2; exit 1; fi; "#,
    r#"{ printf +; exec cat; } <"$1""#,
);

/// Writes stdin into the temporary file `$1`, sets mode `$2`, syncs, prints how many bytes lie there.
const WRITE: &str = concat!(
    r#"umask 077; set -C; cat >"$1" || exit 1; chmod "$2" "$1" || exit 1; "#,
    r#"sync "$1" 2>/dev/null || :; wc -c <"$1""#
);

/// Puts `$1` in the place of `$2`. Into a folder that a link `$2` leads to, mv would move it.
const RENAME: &str = concat!(
    r#"if [ -d "$2" ] && [ ! -L "$2" ]; then echo "Is a directory" >&2; exit 1; fi; "#,
    r#"if [ -L "$2" ] && [ -d "$2" ]; then rm -f "$2" || exit 1; fi; mv -f "$1" "$2""#
);

const REMOVE: &str = concat!(
    r#"if [ -d "$1" ] && [ ! -L "$1" ]; then exec rmdir "$1"; fi; "#,
    r#"if [ -e "$1" ] || [ -L "$1" ]; then exec rm -f "$1"; fi; ls -d "$1""#
);

fn tried(host: &dyn Host, verb: &str, path: &RawPath) -> String {
    format!("Cannot {verb} {} on {}", path.to_text(), host.label())
}

fn absolute(host: &dyn Host, verb: &str, path: &RawPath) -> Result<()> {
    if path.is_absolute() {
        return Ok(());
    }
    Err(Error::new(ErrorClass::Invalid, format!("{}: the path is not absolute", tried(host, verb, path))))
}

/// Returns a fresh hidden name in the folder of `path`.
pub fn temporary_beside(path: &RawPath) -> Result<RawPath> {
    let invalid = |text: &str| Error::new(ErrorClass::Invalid, format!("Cannot write {}: {text}", path.to_text()));
    let folder = path.parent().ok_or_else(|| invalid("it is a folder"))?;
    folder.join(format!(".backstay-{:016x}.tmp", rand::random::<u64>())).map_err(|_| invalid("the path cannot be used"))
}

async fn script(host: &dyn Host, text: &'static str, args: &[&[u8]], tried: String) -> Result<Output> {
    let output = run(host, Command::sh(text, args), b"").await?;
    if output.status.success() { Ok(output) } else { Err(from_output(tried, &output)) }
}

/// Lists a folder.
pub async fn list(host: &dyn Host, dir: &RawPath) -> Result<Vec<Entry>> {
    absolute(host, "list", dir)?;
    let output = run(host, Command::sh(LIST, [b"all", dir.as_bytes()]), b"").await?;
    let tried = tried(host, "list", dir);
    if output.stderr.starts_with("Not a folder") {
        return Err(Error::new(ErrorClass::Invalid, format!("{tried}: it is not a folder")));
    }
    // find ends with 1 when one entry vanished while it looked, and says so; what it printed is still the folder. One
    // that was ended half way says nothing.
    let vanished = output.status == ExitStatus::Code(1)
        && !(output.stderr.is_empty() || output.stdout.is_empty())
        && output.stderr.lines().all(|line| line.contains("No such file"));
    if !output.status.success() && !vanished {
        return Err(from_output(tried, &output));
    }
    parse(&output.stdout, &tried)
}

/// Returns what is known of one path.
pub async fn stat(host: &dyn Host, path: &RawPath) -> Result<Entry> {
    absolute(host, "look at", path)?;
    let tried = tried(host, "look at", path);
    let output = script(host, LIST, &[b"one", path.as_bytes()], tried.clone()).await?;
    parse(&output.stdout, &tried)?
        .pop()
        .ok_or_else(|| Error::new(ErrorClass::Missing, format!("{tried}: there is no such file or folder")))
}

/// Opens a file.
pub async fn read(host: &dyn Host, path: &RawPath) -> Result<ByteStream> {
    absolute(host, "read", path)?;
    let tried = tried(host, "read", path);
    let mut process = host.start(Command::sh(READ, [path.as_bytes()])).await?;
    let _ = process.stdin.shutdown().await;
    let mut sign = [0];
    match process.stdout.read(&mut sign).await {
        Ok(1) if sign == *b"+" => Ok(Box::new(CommandReader::new(process, tried))),
        Ok(_) => {
            let stderr = read_tail(&mut process.stderr, 4096).await;
            let status = process.control.wait().await?;
            Err(from_output(tried, &Output { status, stdout: Vec::new(), stderr }))
        }
        Err(error) => Err(Error::io(tried, error)),
    }
}

/// Writes a file whole. A connection lost on the way leaves at most the temporary file: it takes a second command, sent
/// only after the server counted the bytes, to put it in place.
pub async fn write(
    host: &dyn Host,
    path: &RawPath,
    mode: u32,
    content: &mut (dyn AsyncRead + Send + Unpin),
) -> Result<u64> {
    absolute(host, "write", path)?;
    let tried = tried(host, "write", path);
    let temporary = temporary_beside(path)?;
    let done = async {
        let total = upload(host, &temporary, mode, content, &tried).await?;
        script(host, RENAME, &[temporary.as_bytes(), path.as_bytes()], tried.clone()).await?;
        Ok(total)
    };
    let result = done.await;
    if result.is_err() {
        let _ = run(host, Command::new("rm").arg("-f").arg(temporary.as_bytes()), b"").await;
    }
    result
}

async fn upload(
    host: &dyn Host,
    temporary: &RawPath,
    mode: u32,
    content: &mut (dyn AsyncRead + Send + Unpin),
    tried: &str,
) -> Result<u64> {
    let mode = format!("{:o}", mode & 0o7777);
    let process = host.start(Command::sh(WRITE, [temporary.as_bytes(), mode.as_bytes()])).await?;
    let Process { mut stdin, mut stdout, mut stderr, mut control } = process;
    let feed = async {
        let mut buffer = vec![0; 256 * 1024];
        let mut total = 0_u64;
        loop {
            let n = match content.read(&mut buffer).await {
                Ok(n) => n,
                Err(error) => {
                    // Let the command end: it fills only the temporary file, and that can be removed for good only
                    // once nobody writes it any more.
                    let _ = stdin.shutdown().await;
                    return Err(Error::io(tried, error));
                }
            };
            // A write that fails means the command is gone: its own words tell why, below.
            if n == 0 || stdin.write_all(&buffer[..n]).await.is_err() {
                break;
            }
            total += n as u64;
        }
        let _ = stdin.shutdown().await;
        Ok(total)
    };
    let mut said = Vec::new();
    let (total, read, stderr) = tokio::join!(feed, stdout.read_to_end(&mut said), read_tail(&mut stderr, 4096));
    let total = total?;
    read.map_err(|e| Error::io(tried, e))?;
    let status = control.wait().await?;
    let output = Output { status, stdout: said, stderr };
    if !status.success() {
        return Err(from_output(tried, &output));
    }
    if output.text().trim().parse() != Ok(total) {
        return Err(Error::new(ErrorClass::Internal, format!("{tried}: not all bytes arrived")).detail(output.text()));
    }
    Ok(total)
}

/// Makes a folder and those above it.
pub async fn make_dir(host: &dyn Host, path: &RawPath) -> Result<()> {
    absolute(host, "make the folder", path)?;
    let output = run(host, Command::new("mkdir").arg("-p").arg(path.as_bytes()), b"").await?;
    if output.status.success() {
        return Ok(());
    }
    Err(from_output(tried(host, "make the folder", path), &output))
}

/// Removes a file, a link or an empty folder.
pub async fn remove(host: &dyn Host, path: &RawPath) -> Result<()> {
    absolute(host, "remove", path)?;
    script(host, REMOVE, &[path.as_bytes()], tried(host, "remove", path)).await.map(drop)
}

/// Returns the room of the file system a path lies on, or would lie on. `df` is asked for the folders above in the same
/// breath, passes over what is not there, and answers in the order it was asked.
pub async fn space(host: &dyn Host, path: &RawPath) -> Result<Space> {
    absolute(host, "measure the room at", path)?;
    let tried = tried(host, "measure the room at", path);
    let asked: Vec<RawPath> = path.and_above().collect();
    let command = Command::new("df").arg("-Pk").args(asked.iter().map(RawPath::as_bytes));
    let output = run(host, command, b"").await?;
    let text = output.text();
    match text.lines().skip(1).find_map(df_line) {
        Some((_, _, space)) => Ok(space),
        None if !output.status.success() => Err(from_output(tried, &output)),
        None => Err(Error::new(ErrorClass::Unsupported, format!("{tried}: df said nothing usable")).detail(text)),
    }
}

/// Reads a line of `df -Pk`: device, mount point, room. Device and mount point may hold blanks; the capacity in per
/// cent tells where the numbers are.
pub fn df_line(line: &str) -> Option<(String, String, Space)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let percent = words.iter().rposition(|w| w.strip_suffix('%').is_some_and(|n| n.parse::<u32>().is_ok()))?;
    if percent < 4 {
        return None;
    }
    let kib = |at: usize| words[at].parse::<u64>().ok().map(|n| n.saturating_mul(1024));
    let space = Space { total_bytes: kib(percent - 3)?, free_bytes: kib(percent - 1)? };
    Some((words[..percent - 3].join(" "), words[percent + 1..].join(" "), space))
}

fn parse(stdout: &[u8], tried: &str) -> Result<Vec<Entry>> {
    let bad = || Error::new(ErrorClass::Unsupported, format!("{tried}: the listing cannot be read"));
    let parts: Vec<&[u8]> = match stdout {
        [] => Vec::new(),
        [whole @ .., 0] => whole.split(|b| *b == 0).collect(),
        _ => return Err(bad()),
    };
    let (records, []) = parts.as_chunks() else { return Err(bad()) };
    let mut entries = Vec::new();
    for [fields, path, target] in records {
        let path = RawPath::new(path).map_err(|_| bad())?;
        let text = String::from_utf8_lossy(fields);
        let detail = || bad().detail(text.to_string());
        let entry = match text.strip_prefix('s') {
            Some(stat) if stat.starts_with(|c: char| c.is_ascii_hexdigit()) => from_stat(stat, path, target),
            _ => from_find(&text, path, target),
        };
        entries.push(entry.ok_or_else(detail)?);
    }
    Ok(entries)
}

/// One record of GNU find.
fn from_find(text: &str, path: RawPath, target: &[u8]) -> Option<Entry> {
    let mut words = text.split(' ');
    let kind = match words.next()? {
        "f" => EntryType::File,
        "d" => EntryType::Dir,
        "l" => EntryType::Symlink(target.to_vec()),
        "p" => EntryType::Fifo,
        "s" => EntryType::Socket,
        "c" => EntryType::CharDevice(0, 0),
        "b" => EntryType::BlockDevice(0, 0),
        _ => return None,
    };
    let mut entry = Entry::plain(path, kind, 0, TimeNs::default());
    entry.mode = u32::from_str_radix(words.next()?, 8).ok()?;
    entry.uid = words.next()?.parse().ok()?;
    entry.gid = words.next()?.parse().ok()?;
    let size = words.next()?.parse().ok()?;
    entry.size_bytes = if entry.is_file() { size } else { 0 };
    entry.mtime = seconds(words.next()?)?;
    entry.ctime = seconds(words.next()?)?;
    entry.inode = words.next()?.parse().ok()?;
    entry.device = words.next()?.parse().ok()?;
    entry.links = words.next()?.parse().ok()?;
    entry.user = name(words.next(), entry.uid);
    entry.group = name(words.next(), entry.gid);
    Some(entry)
}

/// One record of `stat -c` (busybox): the type is in the raw mode, times are whole seconds.
fn from_stat(text: &str, path: RawPath, target: &[u8]) -> Option<Entry> {
    let words: Vec<&str> = text.split(' ').collect();
    let word = |at: usize| words.get(at).copied();
    let number = |at: usize| word(at)?.parse::<u64>().ok();
    let hex = |at: usize| u32::from_str_radix(word(at)?, 16).ok();
    let raw = hex(0)?;
    let kind = match raw & 0o170_000 {
        0o100_000 => EntryType::File,
        0o040_000 => EntryType::Dir,
        0o120_000 => EntryType::Symlink(target.to_vec()),
        0o010_000 => EntryType::Fifo,
        0o140_000 => EntryType::Socket,
        0o020_000 => EntryType::CharDevice(hex(10)?, hex(11)?),
        0o060_000 => EntryType::BlockDevice(hex(10)?, hex(11)?),
        _ => return None,
    };
    let mut entry = Entry::plain(path, kind, raw & 0o7777, seconds(word(5)?)?);
    entry.uid = u32::try_from(number(2)?).ok()?;
    entry.gid = u32::try_from(number(3)?).ok()?;
    entry.size_bytes = if entry.is_file() { number(4)? } else { 0 };
    entry.ctime = seconds(word(6)?)?;
    entry.inode = number(7)?;
    entry.device = number(8)?;
    entry.links = number(9)?;
    entry.user = name(word(12), entry.uid);
    entry.group = name(word(13), entry.gid);
    Some(entry)
}

/// An owner's name; where there is none, the tools print the number or UNKNOWN.
fn name(word: Option<&str>, id: u32) -> Option<String> {
    word.filter(|name| !name.is_empty() && *name != "UNKNOWN" && **name != id.to_string()).map(str::to_owned)
}

/// Reads `1700000000.1234567890` (find prints ten digits) or whole seconds; before 1970 both parts count down.
fn seconds(text: &str) -> Option<TimeNs> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut digits: String = fraction.chars().take(9).collect();
    while digits.len() < 9 {
        digits.push('0');
    }
    let nanos: i128 = digits.parse().ok()?;
    let whole_ns = i128::from(whole.parse::<i64>().ok()?) * 1_000_000_000;
    Some(TimeNs(if whole.starts_with('-') { whole_ns - nanos } else { whole_ns + nanos }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use backstay_lab::fake_host::{Answer, FakeHost};

    #[test]
    fn df_lines_with_blanks() {
        let (device, mount, space) = df_line("//nas/my share  1000 400 600  40% /mnt/my share").unwrap();
        assert_eq!((device.as_str(), mount.as_str()), ("//nas/my share", "/mnt/my share"));
        assert_eq!(space, Space { total_bytes: 1_024_000, free_bytes: 614_400 });
        assert!(df_line("Filesystem 1024-blocks Used Available Capacity Mounted on").is_none());
        assert!(df_line("").is_none() && df_line("40% /x").is_none());
    }

    #[test]
    fn find_records_keep_nanoseconds_and_odd_names() {
        let mut record = b"f 640 33 33 12 1700000000.1234567890 1700000001.0000000000 7 2049 2 www-data 33\0".to_vec();
        record.extend_from_slice(b"/srv/a\nb\xff\0\0l 777 0 0 3 1.5 2.5 8 2049 1 root root\0/srv/l\0../x\0");
        let entries = parse(&record, "Cannot list /srv on web").unwrap();
        assert_eq!(entries[0].path.as_bytes(), b"/srv/a\nb\xff");
        assert_eq!(entries[0].mtime, TimeNs(1_700_000_000_123_456_789));
        assert_eq!((entries[0].user.as_deref(), entries[0].group.as_deref()), (Some("www-data"), None));
        assert_eq!(entries[1].kind, EntryType::Symlink(b"../x".to_vec()));
        assert_eq!(entries[1].size_bytes, 0);
    }

    #[test]
    fn stat_records_of_busybox() {
        let record = b"s81a4 644 0 0 5 1700000000 1700000000 9 fe00 1 0 0 root root\0/etc/x\0\0";
        // busybox prints the device in decimal; a hexadecimal one must not be taken for a number.
        assert!(parse(record, "Cannot").is_err());
        let record = b"s81a4 644 0 0 5 1700000000 1700000000 9 65024 1 0 0 root root\0/etc/x\0\0";
        let entry = parse(record, "Cannot").unwrap().pop().unwrap();
        assert!(entry.is_file() && entry.mode == 0o644 && entry.size_bytes == 5);
    }

    #[tokio::test]
    async fn a_part_of_a_folder_is_never_taken_for_all_of_it() {
        let record = b"f 640 33 33 12 1700000000.0 1700000001.0 7 2049 2 www-data 33\0/srv/a\0\0";
        let two = [&record[..], &record[..]].concat();
        let gone = b"find: '/srv/b': No such file or directory\n";
        let listed = async |answer: Answer| {
            let host = FakeHost::default();
            host.on("-printf", answer);
            list(&host, &RawPath::new("/srv").unwrap()).await.map(|entries| entries.len())
        };
        let said = |stderr: &[u8], status| Answer { stderr: stderr.to_vec(), status, ..Answer::ok(record) };
        assert_eq!(listed(said(gone, Some(ExitStatus::Code(1)))).await.unwrap(), 1, "one vanished meanwhile");
        for status in [ExitStatus::Signal, ExitStatus::Code(1), ExitStatus::Code(137)] {
            assert!(listed(said(b"", Some(status))).await.is_err(), "{status}");
        }
        assert!(listed(said(gone, Some(ExitStatus::Signal))).await.is_err());
        for cut in 1..two.len() {
            let whole = [0, record.len()].contains(&cut);
            let got = listed(Answer::ok(&two[..cut])).await;
            assert_eq!(got.is_ok(), whole, "cut after {cut} of {}: {got:?}", two.len());
        }
    }

    #[test]
    fn times_before_1970() {
        assert_eq!(seconds("-1.5000000000"), Some(TimeNs(-1_500_000_000)));
        assert_eq!(seconds("garbage"), None);
    }
}
