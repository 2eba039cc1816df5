//! Dumps: the standard output of a server's own tool, believed only when the tool itself says it is whole.

use crate::problems::Problems;
use backstay_core::entry::{AddError, Content, Entry, EntrySink, EntryType, TimeNs};
use backstay_core::host::{Host, Process, read_tail};
use backstay_core::run::ProblemKind;
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

const PIECE: usize = 256 << 10;
/// How much of a stream's head and tail is kept to be looked at.
const EDGE: usize = 512;

/// What a whole dump looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole {
    /// What it begins with.
    pub head: &'static [u8],
    /// What stands in its last lines.
    pub tail: &'static [u8],
    /// How many bytes it has at least.
    pub at_least: u64,
}

impl Whole {
    /// Returns what is wrong with a stream of `length` bytes that begins and ends so.
    pub(crate) fn fault(&self, length: u64, head: &[u8], tail: &[u8]) -> Option<String> {
        if length == 0 {
            return Some("the dump is empty".into());
        }
        if !head.starts_with(self.head) || length < self.at_least {
            return Some("the dump does not begin like one".into());
        }
        let found = self.tail.is_empty() || tail.windows(self.tail.len()).any(|window| window == self.tail);
        (!found).then(|| "the dump is cut short: its end mark is missing".into())
    }
}

/// The first and last bytes of what passes, and how many they were.
#[derive(Default)]
pub(crate) struct Edges {
    pub length: u64,
    pub head: Vec<u8>,
    pub tail: Vec<u8>,
}

impl Edges {
    /// Takes note of the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        let room = EDGE.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(&piece[..room]);
        self.tail.extend_from_slice(&piece[piece.len().saturating_sub(EDGE)..]);
        let over = self.tail.len().saturating_sub(EDGE);
        self.tail.drain(..over);
    }
}

/// A tool that is dumping.
pub(crate) struct Dump {
    /// What is dumped, for messages: "database shop".
    pub subject: String,
    /// The tool, for messages.
    pub tool: String,
    /// Where its standard input goes; secrets that it reads there.
    pub stdin: Vec<u8>,
    /// What a whole one looks like.
    pub whole: Whole,
    /// A file whose owner, mode and time the entry gets; without one it is root's own, of now.
    pub like: Option<Entry>,
}

impl Dump {
    /// Pushes the tool's output into the sink as `path`. Returns its length, or `None` when the dump failed: then the
    /// entry is left out and the problem is named. A lost connection is an error.
    pub(crate) async fn collect(
        self,
        ctx: &RunContext,
        host: &dyn Host,
        process: Process,
        path: RawPath,
        problems: &mut Problems<'_>,
        sink: &mut dyn EntrySink,
    ) -> Result<Option<u64>> {
        let mut entry = Entry::plain(path, EntryType::File, 0o600, now(ctx));
        entry.ctime = TimeNs::default();
        if let Some(like) = &self.like {
            (entry.mode, entry.uid, entry.gid, entry.mtime) = (like.mode, like.uid, like.gid, like.mtime);
            (entry.user, entry.group) = (like.user.clone(), like.group.clone());
        }
        let subject = self.subject.clone();
        let length = Arc::new(AtomicU64::new(0));
        let mut stream = self.stream(ctx.clone(), host.label().to_owned(), process, length.clone());
        match sink.add(entry, Content::Stream(&mut stream)).await {
            Ok(_) => Ok(Some(length.load(Ordering::Relaxed))),
            Err(AddError::Sink(error)) => Err(error),
            Err(AddError::Content(error)) => {
                let error = Error::io(format!("Cannot dump {subject}"), error);
                if matches!(error.class, ErrorClass::Offline | ErrorClass::Cancelled | ErrorClass::TimedOut) {
                    return Err(error);
                }
                problems.report(ProblemKind::Database, subject, crate::databases::reason(&error));
                Ok(None)
            }
        }
    }

    /// Makes a stream that only ends well when the tool did.
    fn stream(
        self,
        ctx: RunContext,
        place: String,
        process: Process,
        length: Arc<AtomicU64>,
    ) -> impl AsyncRead + Send + Unpin {
        let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(4);
        tokio::spawn(async move {
            if let Err(error) = self.pump(ctx, place, process, &sender, &length).await {
                let _ = sender.send(Err(io::Error::other(error))).await;
            }
        });
        StreamReader::new(futures::stream::poll_fn(move |cx| receiver.poll_recv(cx)))
    }

    async fn pump(
        self,
        ctx: RunContext,
        place: String,
        process: Process,
        sender: &mpsc::Sender<io::Result<Bytes>>,
        length: &AtomicU64,
    ) -> Result<()> {
        let Process { mut stdin, mut stdout, mut stderr, mut control } = process;
        let tried = format!("Cannot dump {} on {place}", self.subject);
        let secrets = self.stdin;
        let feed = tokio::spawn(async move {
            let _ = stdin.write_all(&secrets).await;
            let _ = stdin.shutdown().await;
        });
        let errors = tokio::spawn(async move { read_tail(&mut stderr, 256 << 10).await });
        let mut edges = Edges::default();
        loop {
            ctx.check()?;
            let mut piece = vec![0; PIECE];
            let read = ctx.while_it_runs(stdout.read(&mut piece)).await.map_err(|e| Error::io(&tried, e))?;
            if read == 0 {
                break;
            }
            piece.truncate(read);
            edges.push(&piece);
            ctx.progress.advance(0, read as u64);
            if sender.send(Ok(piece.into())).await.is_err() {
                // Nobody wants it any more; dropping the process ends the tool.
                return Ok(());
            }
        }
        let status = ctx.while_it_runs(control.wait()).await?;
        let _ = feed.await;
        let said = errors.await.unwrap_or_default();
        length.store(edges.length, Ordering::Relaxed);
        if !status.success() {
            return Err(tool_error(&tried, &self.tool, &status.to_string(), &said));
        }
        if let Some(fault) = self.whole.fault(edges.length, &edges.head, &edges.tail) {
            return Err(Error::new(ErrorClass::Corrupt, format!("{tried}: {fault}")).detail(said));
        }
        said.lines().filter(|line| !line.trim().is_empty()).for_each(|line| ctx.progress.log(line));
        Ok(())
    }
}

/// The hint where a tool's words are all there is.
pub(crate) const DETAILS: &str = "The details show what the tool said";

/// Tells whether the way to the database server was lost, so that nobody knows what it did of its last command.
pub(crate) fn is_lost(error: &Error) -> bool {
    let words = [
        "Lost connection",
        "server has gone away",
        "Server has gone away",
        "Can't connect",
        "could not connect",
        "connection to server",
        "closed the connection",
        "terminating connection",
        "could not receive data from server",
        "connection has been closed",
        "no connection to the server",
    ];
    let said = error.detail.as_deref().unwrap_or_default();
    matches!(error.class, ErrorClass::Offline | ErrorClass::TimedOut) || words.iter().any(|word| said.contains(word))
}

/// Returns what a tool says itself. Before that, MariaDB's client shows the whole command that failed, between two lines:
/// what stands in somebody's rows must not be taken for its reason, and does not belong into a log.
fn own_words(said: &str) -> &str {
    said.rsplit_once("\n--------------\n").map_or(said, |(_, own)| own.trim_start())
}

/// Makes the error of a database tool that failed, in the class its words tell, with the first of them.
pub(crate) fn tool_error(tried: &str, tool: &str, status: &str, said: &str) -> Error {
    let said = own_words(said);
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let (class, hint) = if has(&[
        "Access denied",
        "authentication failed",
        "no password supplied",
        "permission denied",
        "Permission denied",
        "must be owner",
        "command denied",
    ]) {
        (ErrorClass::Refused, "Check the user and password in the plan, and what that user may read")
    } else if has(&["Unknown database", "does not exist", "unable to open database file"]) {
        (ErrorClass::Missing, "Check whether the database is still there, or take it out of the plan")
    } else if has(&["server version mismatch"]) {
        (ErrorClass::Unsupported, "Install the dump tool of the server's own version there")
    } else if has(&[
        "Can't connect",
        "could not connect",
        "connection to server",
        "Lost connection",
        "server has gone away",
        "Server has gone away",
    ]) {
        (ErrorClass::Missing, "Check whether the database server is running, and its socket or port in the plan")
    } else if has(&["No space left", "disk is full", "Disk full (", "' is full"]) {
        (ErrorClass::Full, "Make room there, then try again")
    } else {
        (ErrorClass::Internal, DETAILS)
    };
    let words = first_line(said).map(|line| format!(": {line}")).unwrap_or_default();
    Error::new(class, format!("{tried}: {tool} ended with {status}{words}")).hint(hint).detail(said)
}

/// Returns the first line of a tool's words that says something, or names the error.
pub(crate) fn first_line(text: &str) -> Option<&str> {
    let noise = |line: &&str| !line.trim().is_empty() && !line.contains("could not change directory");
    text.lines().find(|line| line.starts_with("ERROR")).or_else(|| text.lines().find(noise)).map(str::trim)
}

/// Returns now by the run's clock.
pub(crate) fn now(ctx: &RunContext) -> TimeNs {
    let now = ctx.clock.now();
    TimeNs::from_parts(now.timestamp(), now.timestamp_subsec_nanos())
}

/// Adds a small file made here.
pub(crate) async fn add_text(ctx: &RunContext, sink: &mut dyn EntrySink, path: RawPath, text: &str) -> Result<()> {
    let mut entry = Entry::plain(path, EntryType::File, 0o600, now(ctx));
    entry.ctime = TimeNs::default();
    entry.size_bytes = text.len() as u64;
    sink.add(entry, Content::Stream(&mut text.as_bytes())).await?;
    Ok(())
}

/// Writes a database's name as one part of a path, reversibly: what could mean something else becomes `%HH`.
pub(crate) fn file_name(name: &str) -> String {
    let mut out = String::new();
    for (at, c) in name.char_indices() {
        let leading = at == 0 && matches!(c, '.' | ' ' | '!' | '-');
        if leading || c == '/' || c == '%' || c == '!' || c.is_control() {
            let mut buffer = [0; 4];
            c.encode_utf8(&mut buffer).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Reads what [`file_name`] wrote.
pub(crate) fn database_name(file: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut rest = file.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            out.push(*first);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests;
