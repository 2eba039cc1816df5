//! A backup in memory: a sink that keeps what it gets, and a source that gives it back.

use async_trait::async_trait;
use backstay_core::entry::{AddError, ByteStream, Content, Entry, EntrySink, EntrySource, Xattr};
use backstay_core::kind::{Item, ItemInput};
use backstay_core::run::{Phase, Problem, ProblemKind};
use backstay_core::{RawPath, Result, RunContext};
use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// A path by its parts: sorts a folder right before what is in it.
type Key = Vec<Vec<u8>>;

/// What a backup holds.
#[derive(Clone, Default)]
pub struct Backup {
    pub entries: BTreeMap<Key, (Entry, Arc<Vec<u8>>)>,
}

fn key(path: &RawPath) -> Key {
    path.parts().map(<[u8]>::to_vec).collect()
}

impl Backup {
    pub fn listing(&self) -> Vec<Entry> {
        self.entries.values().map(|(entry, _)| entry.clone()).collect()
    }
    pub fn get(&self, path: &str) -> Option<&(Entry, Arc<Vec<u8>>)> {
        self.entries.get(&key(&RawPath::from_text(path).unwrap().to_relative()))
    }
    pub fn source(&self) -> MemorySource {
        let rest: Vec<_> = self.entries.values().cloned().collect();
        MemorySource { rest: rest.into_iter(), now: None }
    }
}

#[derive(Default)]
pub struct MemorySink {
    pub backup: Backup,
    pub previous: Backup,
}

impl MemorySink {
    pub fn after(previous: &Backup) -> Self {
        Self { backup: Backup::default(), previous: previous.clone() }
    }
}

#[async_trait]
impl EntrySink for MemorySink {
    fn is_unchanged(&self, entry: &Entry) -> Option<Vec<Xattr>> {
        let (old, _) = self.previous.entries.get(&key(&entry.path)).filter(|_| entry.is_file())?;
        let print = |e: &Entry| (e.size_bytes, e.mtime, e.ctime, e.inode);
        (print(old) == print(entry)).then(|| old.xattrs.clone())
    }
    async fn add(&mut self, mut entry: Entry, content: Content<'_>) -> std::result::Result<u64, AddError> {
        assert!(!entry.path.is_absolute(), "{:?} must be relative", entry.path);
        let mut read = 0;
        let bytes = match content {
            Content::None => Arc::default(),
            Content::Previous => self.previous.entries[&key(&entry.path)].1.clone(),
            Content::SameAs(path) => self.backup.entries.get(&key(path)).expect("the first name comes first").1.clone(),
            Content::Stream(stream) => {
                let mut bytes = Vec::new();
                stream.read_to_end(&mut bytes).await.map_err(AddError::Content)?;
                read = bytes.len() as u64;
                Arc::new(bytes)
            }
        };
        entry.size_bytes = bytes.len() as u64;
        self.backup.entries.insert(key(&entry.path), (entry, bytes));
        Ok(read)
    }
}

pub struct MemorySource {
    rest: std::vec::IntoIter<(Entry, Arc<Vec<u8>>)>,
    now: Option<Arc<Vec<u8>>>,
}

#[async_trait]
impl EntrySource for MemorySource {
    async fn next(&mut self) -> Result<Option<Entry>> {
        let next = self.rest.next();
        self.now = next.as_ref().map(|(_, bytes)| bytes.clone());
        Ok(next.map(|(entry, _)| entry))
    }
    fn content(&mut self) -> ByteStream {
        Box::new(std::io::Cursor::new(self.now.clone().unwrap_or_default().to_vec()))
    }
    /// Runs of zeros of at least 4 KiB, as a vault tells them.
    fn holes(&self) -> Vec<(u64, u64)> {
        let mut holes: Vec<(u64, u64)> = Vec::new();
        let bytes = self.now.clone().unwrap_or_default();
        for (at, chunk) in bytes.chunks(4096).enumerate().filter(|(_, c)| c.len() == 4096 && c.iter().all(|b| *b == 0))
        {
            let offset = at as u64 * 4096;
            match holes.last_mut() {
                Some((start, length)) if *start + *length == offset => *length += chunk.len() as u64,
                _ => holes.push((offset, 4096)),
            }
        }
        holes
    }
}

impl MemorySource {
    /// Hands out other content: `alter` makes it of each entry and its own.
    pub fn altered<F>(self, alter: F) -> Altered<F>
    where
        F: FnMut(&Entry, ByteStream) -> ByteStream + Send,
    {
        Altered { inner: self, now: None, alter }
    }
}

/// A backup whose contents are not what was kept.
pub struct Altered<F> {
    inner: MemorySource,
    now: Option<Entry>,
    alter: F,
}

#[async_trait]
impl<F: FnMut(&Entry, ByteStream) -> ByteStream + Send> EntrySource for Altered<F> {
    async fn next(&mut self) -> Result<Option<Entry>> {
        self.now = self.inner.next().await?;
        Ok(self.now.clone())
    }
    fn content(&mut self) -> ByteStream {
        let content = self.inner.content();
        match &self.now {
            Some(now) => (self.alter)(now, content),
            None => content,
        }
    }
}

/// Content that turns out to be damaged.
pub struct WrongHash;

impl AsyncRead for WrongHash {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "its hash is another")))
    }
}

/// Keeps what a run tells.
#[derive(Default)]
pub struct Recorder {
    pub problems: Mutex<Vec<Problem>>,
    pub log: Mutex<Vec<String>>,
    /// When there were signs of life, of any sort.
    pub signs: Mutex<Vec<tokio::time::Instant>>,
}

impl backstay_core::context::Progress for Recorder {
    fn phase(&self, _: Phase) {
        self.alive();
    }
    fn total(&self, _: Option<u64>, _: Option<u64>) {}
    fn advance(&self, _: u64, _: u64) {
        self.alive();
    }
    fn current(&self, _: &str) {
        self.alive();
    }
    fn problem(&self, problem: Problem) {
        self.problems.lock().unwrap().push(problem);
    }
    fn log(&self, line: &str) {
        self.log.lock().unwrap().push(line.into());
    }
    fn alive(&self) {
        self.signs.lock().unwrap().push(tokio::time::Instant::now());
    }
}

impl Recorder {
    pub fn context() -> (RunContext, Arc<Self>) {
        let recorder = Arc::new(Self::default());
        (RunContext { progress: recorder.clone(), ..RunContext::silent() }, recorder)
    }
    /// Returns the longest time without a sign of life up to now.
    pub fn longest_silence(&self) -> std::time::Duration {
        let mut signs = self.signs.lock().unwrap().clone();
        signs.push(tokio::time::Instant::now());
        signs.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }
    /// Returns problems by subject.
    pub fn by_subject(&self) -> HashMap<String, (ProblemKind, String)> {
        let problems = self.problems.lock().unwrap();
        problems.iter().map(|p| (p.subject.clone(), (p.kind, p.reason.clone()))).collect()
    }
}

pub fn input(kind: &str, settings: serde_json::Value) -> ItemInput {
    ItemInput { item: Item { name: kind.into(), kind: kind.into(), settings }, password: None }
}

pub fn kind(id: &str) -> Arc<dyn backstay_core::kind::Kind> {
    backstay_kinds::all().into_iter().find(|kind| kind.id() == id).expect("the kind is there")
}
