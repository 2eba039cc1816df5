//! A server's files over several channels, for a destination.

use super::remote_file::OpenFile;
use super::session::{SftpSession, broken};
use super::session_files::{attrs_of, close_handle, failed, open_handle};
use super::source::Opener;
use super::wire::{Attrs, Fields, Payload, kind};
use async_trait::async_trait;
use backstay_core::host::Space;
use backstay_core::remote::{
    GrowingHash, RemoteFeatures, RemoteFile, RemoteFiles, RemoteKind, RemoteOpen, RemoteRename, RemoteStat,
};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const OPEN_READ: u32 = 0x01;
/// The flag that opens a file for writing.
pub const OPEN_WRITE: u32 = 0x02;
const OPEN_CREATE: u32 = 0x08;
const OPEN_EXCLUSIVE: u32 = 0x20;
/// Bytes on their way over one channel from which on another one helps: what OpenSSH's window lets through, less a bit.
const LANE_BYTES: usize = 3 << 19;
/// A channel more for each of these on the way there and back, since a channel's window is what limits a long way.
const WAY_OF_A_LANE: Duration = Duration::from_millis(10);

/// One channel.
pub struct Lane {
    pub session: SftpSession,
    /// Bytes that were asked for or sent, and not answered yet.
    in_flight: AtomicUsize,
}

impl Lane {
    /// Notes bytes on their way until the guard is dropped.
    pub fn carry(self: &Arc<Self>, bytes: usize) -> Carried {
        self.in_flight.fetch_add(bytes, Ordering::Relaxed);
        Carried { lane: self.clone(), bytes }
    }
    /// Returns how many bytes are on their way.
    pub fn load(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
    /// Tells whether a further channel would carry more.
    pub fn is_full(&self) -> bool {
        self.load() >= LANE_BYTES
    }
}

/// Bytes on their way over a channel.
pub struct Carried {
    lane: Arc<Lane>,
    bytes: usize,
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.lane.in_flight.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Files of a server, over one channel at first and over more while they have much to carry.
pub struct Lanes {
    lanes: Vec<OnceLock<Arc<Lane>>>,
    opener: Arc<Opener>,
    /// How many are worth having, as far as the server grants them.
    wanted: AtomicUsize,
    opening: AtomicBool,
}

impl Lanes {
    /// Opens the first channel.
    pub async fn open(opener: Arc<Opener>, most: usize) -> Result<Arc<Self>> {
        let first = opener.session().await?;
        let way = first.round_trip().as_millis() / WAY_OF_A_LANE.as_millis();
        let wanted = usize::try_from(way).unwrap_or(usize::MAX).saturating_add(2).min(most.max(1));
        let lanes: Vec<OnceLock<Arc<Lane>>> = (0..most.max(1)).map(|_| OnceLock::new()).collect();
        let lane = Arc::new(Lane { session: first, in_flight: AtomicUsize::new(0) });
        let _ = lanes[0].set(lane);
        Ok(Arc::new(Self { lanes, opener, wanted: AtomicUsize::new(wanted), opening: AtomicBool::new(false) }))
    }

    /// Returns the channels there are, in the order of their numbers.
    pub fn all(&self) -> impl Iterator<Item = (usize, &Arc<Lane>)> {
        self.lanes.iter().map_while(OnceLock::get).enumerate()
    }
    /// Returns the channel with the least on its way.
    fn least(&self) -> io::Result<&Arc<Lane>> {
        self.all().map(|(_, lane)| lane).min_by_key(|lane| lane.load()).ok_or_else(broken)
    }
    /// Returns how many channels there can ever be.
    pub fn most(&self) -> usize {
        self.lanes.len()
    }
    /// Tells whether one of them is gone; then none is to be used any more.
    pub fn is_closed(&self) -> bool {
        self.all().any(|(_, lane)| lane.session.is_closed())
    }
    /// Returns how messages name the server.
    pub fn label(&self) -> &str {
        self.opener.label()
    }

    /// Opens one more channel in the background, if more are worth having.
    pub fn widen(self: &Arc<Self>) {
        let there = self.all().count();
        if there >= self.wanted.load(Ordering::Relaxed) || self.opening.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            match this.opener.session().await {
                Ok(session) => {
                    let lane = Arc::new(Lane { session, in_flight: AtomicUsize::new(0) });
                    let _ = this.lanes[there].set(lane);
                }
                // What the server does not grant is done without.
                Err(error) => {
                    tracing::debug!(%error, "no further SFTP channel; going on with {there}");
                    this.wanted.store(there, Ordering::Relaxed);
                }
            }
            this.opening.store(false, Ordering::Release);
        });
    }

    fn tried<'a>(&'a self, verb: &'a str, path: &'a RawPath) -> impl Fn() -> String + 'a {
        move || format!("Cannot {verb} {} on {}", path.to_text(), self.label())
    }

    async fn ask_ok(&self, request: u8, payload: Payload) -> io::Result<()> {
        self.least()?.session.ask(request, payload).await.map(drop)
    }
}

/// A path as it goes over the wire: the log-in folder itself is a dot.
pub fn wire_path(path: &RawPath) -> &[u8] {
    if path.as_bytes().is_empty() { b"." } else { path.as_bytes() }
}

/// What a server told of a path.
pub fn stat_of(attrs: &Attrs) -> RemoteStat {
    let kind = match () {
        () if attrs.is_dir() => RemoteKind::Dir,
        () if attrs.is_file() => RemoteKind::File,
        () => RemoteKind::Other,
    };
    let size_bytes = if kind == RemoteKind::File { attrs.size } else { 0 };
    RemoteStat { kind, size_bytes, modified: attrs.modified() }
}

#[async_trait]
impl RemoteFiles for ArcLanes {
    fn features(&self) -> RemoteFeatures {
        let offers = |extension| self.0.all().next().is_some_and(|(_, lane)| lane.session.offers(extension));
        RemoteFeatures {
            posix_rename: offers("posix-rename@openssh.com"),
            hard_link: offers("hardlink@openssh.com"),
            fsync: offers("fsync@openssh.com"),
            space: offers("statvfs@openssh.com"),
        }
    }
    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
    async fn stat(&self, path: &RawPath) -> Result<RemoteStat> {
        let tried = self.0.tried("look at", path);
        let asked = async { attrs_of(&self.0.least()?.session, kind::STAT, wire_path(path)).await };
        asked.await.map(|attrs| stat_of(&attrs)).map_err(failed(tried))
    }
    async fn list(&self, dir: &RawPath) -> Result<Vec<(Vec<u8>, RemoteStat)>> {
        let tried = self.0.tried("list", dir);
        let listed = async {
            let lane = self.0.least()?.clone();
            let handle = open_handle(&lane.session, kind::OPENDIR, Payload::default().bytes(wire_path(dir))).await?;
            let names = read_names(&lane.session, &handle).await;
            let _ = close_handle(&lane.session, &handle).await;
            names
        };
        listed.await.map_err(failed(tried))
    }
    async fn make_dir(&self, path: &RawPath) -> Result<()> {
        let tried = self.0.tried("make the folder", path);
        let payload = Payload::default().bytes(wire_path(path)).attrs(Some(0o700));
        let Err(error) = self.0.ask_ok(kind::MKDIR, payload).await else { return Ok(()) };
        // Version 3 has no word for "it is there already"; some servers say "permission denied" above a chroot.
        let lost = error.kind() == io::ErrorKind::ConnectionReset || error.kind() == io::ErrorKind::TimedOut;
        if !lost && error.kind() != io::ErrorKind::NotFound && self.stat(path).await.is_ok() {
            return Err(Error::new(ErrorClass::Exists, format!("{}: it is there already", tried())));
        }
        Err(failed(tried)(error))
    }
    async fn open_file(&self, path: &RawPath, how: RemoteOpen) -> Result<Arc<dyn RemoteFile>> {
        let tried = self.0.tried(if how == RemoteOpen::Read { "read" } else { "write" }, path);
        let (flags, mode) = match how {
            RemoteOpen::Read => (OPEN_READ, None),
            RemoteOpen::Write => (OPEN_READ | OPEN_WRITE, None),
            RemoteOpen::CreateNew => (OPEN_READ | OPEN_WRITE | OPEN_CREATE | OPEN_EXCLUSIVE, Some(0o600)),
        };
        let payload = Payload::default().bytes(wire_path(path)).u32(flags).attrs(mode);
        let opened = async {
            let lane = self.0.least()?.clone();
            let handle = open_handle(&lane.session, kind::OPEN, payload).await?;
            Ok((lane, handle))
        };
        let (lane, handle) = opened.await.map_err(failed(tried))?;
        // Another channel must neither make the file nor find it made.
        let again = flags & (OPEN_READ | OPEN_WRITE);
        Ok(Arc::new(OpenFile::new(self.0.clone(), path.clone(), again, &lane, handle)))
    }
    async fn rename(&self, from: &RawPath, to: &RawPath, how: RemoteRename) -> Result<()> {
        let names = |payload: Payload| payload.bytes(wire_path(from)).bytes(wire_path(to));
        let asked = match how {
            RemoteRename::Plain => self.0.ask_ok(kind::RENAME, names(Payload::default())).await,
            RemoteRename::Over => {
                let payload = names(Payload::default().bytes(b"posix-rename@openssh.com"));
                self.0.ask_ok(kind::EXTENDED, payload).await
            }
        };
        asked.map_err(failed(self.0.tried("rename to", to)))
    }
    async fn hard_link(&self, from: &RawPath, to: &RawPath) -> Result<()> {
        let payload = Payload::default().bytes(b"hardlink@openssh.com").bytes(wire_path(from)).bytes(wire_path(to));
        self.0.ask_ok(kind::EXTENDED, payload).await.map_err(failed(self.0.tried("link", to)))
    }
    async fn remove(&self, path: &RawPath) -> Result<()> {
        let payload = Payload::default().bytes(wire_path(path));
        self.0.ask_ok(kind::REMOVE, payload).await.map_err(failed(self.0.tried("remove", path)))
    }
    async fn sha256(&self, path: &RawPath) -> Result<Option<String>> {
        self.0.opener.sha256(path).await
    }
    async fn follow_sha256(&self, path: &RawPath) -> Result<Option<Box<dyn GrowingHash>>> {
        self.0.opener.follow_sha256(path).await
    }
    async fn space(&self, path: &RawPath) -> Result<Space> {
        let tried = self.0.tried("measure the room at", path);
        let asked = async {
            let session = &self.0.least()?.session;
            super::session_files::space_of(session, wire_path(path)).await
        };
        asked.await.map_err(failed(tried))
    }
}

/// [`Lanes`] that can hand themselves on to what they open.
pub struct ArcLanes(pub Arc<Lanes>);

async fn read_names(session: &SftpSession, handle: &[u8]) -> io::Result<Vec<(Vec<u8>, RemoteStat)>> {
    let mut names = Vec::new();
    loop {
        let reply = match session.ask(kind::READDIR, Payload::default().bytes(handle)).await {
            Ok(reply) => reply,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(names),
            Err(error) => return Err(error),
        };
        let mut fields = Fields(&reply.payload);
        let count = fields.u32().filter(|_| reply.kind == kind::NAME).ok_or_else(broken)?;
        for _ in 0..count {
            let name = fields.bytes().ok_or_else(broken)?;
            let long_name = fields.bytes().ok_or_else(broken)?;
            let attrs = fields.attrs().ok_or_else(broken)?;
            // A name with a slash in it would lead out of the folder.
            if name == b"." || name == b".." || name.contains(&b'/') {
                continue;
            }
            let mut stat = stat_of(&attrs);
            if !attrs.tells_type() && long_name.first() == Some(&b'd') {
                stat = RemoteStat { kind: RemoteKind::Dir, size_bytes: 0, ..stat };
            }
            names.push((name.to_vec(), stat));
        }
    }
}
