//! One SFTP session: requests go out as they come, replies find their asker by number.

use super::wire::{Fields, Payload, kind, status};
use crate::ssh::link::{Link, LostReason};
use backstay_core::{Error, ErrorClass, Result};
use bytes::{Buf, Bytes, BytesMut};
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A packet longer than this is a broken or hostile server.
const PACKET_LIMIT: usize = 4 << 20;
/// A session in which nothing at all comes back for so long is stuck.
const REPLY_LIMIT: Duration = Duration::from_secs(120);
const GREETING_LIMIT: Duration = Duration::from_secs(30);
/// Requests that wait for the channel to take them; more wait with their askers.
const QUEUE: usize = 32;
/// What every server must take and give at once, by the protocol's draft.
const SURE_CHUNK: u32 = 32 << 10;
/// What we ask of a server that offers more.
const WIDE_CHUNK: u64 = 255 << 10;

/// A reply: its type and payload after the number.
pub struct Reply {
    /// Packet type.
    pub kind: u8,
    /// Payload.
    pub payload: Bytes,
}

/// What a session may ask for at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one READ.
    pub read: u32,
    /// Bytes of one WRITE.
    pub write: u32,
}

/// The askers that wait, by the numbers of their requests.
type Pending = Mutex<HashMap<u32, oneshot::Sender<Reply>>>;

/// What the session and its tasks share.
struct Shared {
    pending: Pending,
    closed: CancellationToken,
    lost: LostReason,
    opened: Instant,
    /// When the last packet came, in milliseconds since `opened`.
    last_sign: AtomicU64,
}

impl Shared {
    fn lost(&self) -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionReset, self.lost.text())
    }
    /// Ends the session for all: whoever still waits learns it by its sender's end.
    fn end(&self) {
        self.closed.cancel();
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
    fn silent_for(&self) -> Duration {
        let last = Duration::from_millis(self.last_sign.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(last)
    }
}

/// An SFTP session. Calls may run at the same time.
pub struct SftpSession {
    label: String,
    /// Whole packets, so that a caller who gives up half way never leaves half a packet in the stream.
    sender: mpsc::Sender<(Bytes, Bytes)>,
    shared: Arc<Shared>,
    next: AtomicU32,
    reader: JoinHandle<()>,
    extensions: HashSet<Vec<u8>>,
    limits: Limits,
    round_trip: Duration,
}

impl Drop for SftpSession {
    fn drop(&mut self) {
        self.reader.abort();
        self.shared.end();
    }
}

impl SftpSession {
    /// Greets the server on a channel its SFTP subsystem was started on. `label` is the server's name.
    ///
    /// Errors: `Unsupported` when what answers is not SFTP 3, `Offline`, `TimedOut`.
    pub async fn open(channel: Channel<Msg>, label: String, link: Arc<Link>) -> Result<Self> {
        let tried = format!("Cannot open SFTP on {label}");
        let (reader, writer) = channel.split();
        let mut packets = Packets { reader, buffer: BytesMut::new() };
        let greeted = tokio::time::timeout(GREETING_LIMIT, greet(&mut packets, &writer)).await;
        let extensions = match greeted {
            Ok(Ok(extensions)) => extensions,
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Err(Error::new(ErrorClass::Offline, format!("{tried}: {}", link.lost.text())).source(error));
            }
            Ok(Err(error)) => {
                return Err(
                    Error::new(ErrorClass::Unsupported, format!("{tried}: what answers is not SFTP")).source(error)
                );
            }
            Err(_) => return Err(Error::new(ErrorClass::TimedOut, format!("{tried}: the server does not answer"))),
        };
        let shared = Arc::new(Shared {
            pending: Pending::default(),
            closed: CancellationToken::new(),
            lost: link.lost.clone(),
            opened: Instant::now(),
            last_sign: AtomicU64::new(0),
        });
        let (sender, queue) = mpsc::channel(QUEUE);
        tokio::spawn(send_on(writer, queue, shared.clone(), link));
        let reader = tokio::spawn(dispatch(packets, shared.clone()));
        let limits = Limits { read: SURE_CHUNK, write: SURE_CHUNK };
        let next = AtomicU32::new(0);
        let mut session = Self { label, sender, shared, next, reader, extensions, limits, round_trip: Duration::ZERO };
        session.ask_limits().await.map_err(|error| Error::io(tried, error))?;
        Ok(session)
    }

    /// Asks how much a request may carry, and sees on the way how long an answer takes.
    async fn ask_limits(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        if !self.offers("limits@openssh.com") {
            // Any question will do; a server that does not know where it is has answered as well.
            let asked = self.ask(kind::REALPATH, Payload::default().bytes(b".")).await;
            self.round_trip = begun.elapsed();
            return asked.map(drop).or_else(|error| if self.is_closed() { Err(error) } else { Ok(()) });
        }
        let reply = self.ask(kind::EXTENDED, Payload::default().bytes(b"limits@openssh.com")).await?;
        self.round_trip = begun.elapsed();
        let mut fields = Fields(&reply.payload);
        let (Some(_packet), Some(read), Some(write)) = (fields.u64(), fields.u64(), fields.u64()) else {
            return Ok(());
        };
        // 0 is "no limit told".
        let within = |told: u64| match told {
            0 => SURE_CHUNK,
            told => u32::try_from(told.min(WIDE_CHUNK)).unwrap_or(SURE_CHUNK).max(1024),
        };
        self.limits = Limits { read: within(read), write: within(write) };
        Ok(())
    }

    /// Returns the server's name.
    pub fn label(&self) -> &str {
        &self.label
    }
    /// Tells whether the session is over.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.is_cancelled()
    }
    /// Tells whether the server offers an extension.
    pub fn offers(&self, extension: &str) -> bool {
        self.extensions.contains(extension.as_bytes())
    }
    /// Returns how much a request may carry.
    pub fn limits(&self) -> Limits {
        self.limits
    }
    /// Returns how long a question took when the session began.
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// Sends a request; the reply is awaited apart, so that many may be on their way.
    pub async fn send(&self, kind: u8, payload: Payload) -> io::Result<Waiting> {
        self.send_with(kind, payload, Bytes::new()).await
    }

    /// Sends a request that ends with a long string of bytes. Given up half way, it was sent whole or not at all.
    pub async fn send_with(&self, kind: u8, payload: Payload, body: Bytes) -> io::Result<Waiting> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let length = u32::try_from(payload.0.len() + body.len() + 5).map_err(too_long)?;
        let mut head = Vec::with_capacity(payload.0.len() + 9);
        head.extend_from_slice(&length.to_be_bytes());
        head.push(kind);
        head.extend_from_slice(&id.to_be_bytes());
        head.extend_from_slice(&payload.0);
        let place = self.sender.reserve().await.map_err(|_| self.shared.lost())?;
        self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        place.send((Bytes::from(head), body));
        // The reader clears the askers after it closed: one that came too late sees that here.
        if self.is_closed() {
            return Err(self.shared.lost());
        }
        Ok(Waiting { receiver, shared: self.shared.clone() })
    }

    /// Sends a request and awaits its reply.
    pub async fn ask(&self, kind: u8, payload: Payload) -> io::Result<Reply> {
        self.send(kind, payload).await?.reply().await
    }
}

/// A reply on its way.
pub struct Waiting {
    receiver: oneshot::Receiver<Reply>,
    shared: Arc<Shared>,
}

impl Waiting {
    /// Awaits it. A status other than OK is an error of the kind it tells; end of file is `UnexpectedEof`.
    pub async fn reply(mut self) -> io::Result<Reply> {
        let reply = loop {
            match tokio::time::timeout(REPLY_LIMIT, &mut self.receiver).await {
                Ok(Ok(reply)) => break reply,
                Ok(Err(_)) => return Err(self.shared.lost()),
                // On a narrow line much may be on its way before this one: what counts is that anything comes.
                Err(_) if self.shared.silent_for() < REPLY_LIMIT => {}
                Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not answer")),
            }
        };
        if reply.kind != kind::STATUS {
            return Ok(reply);
        }
        let mut fields = Fields(&reply.payload);
        let code = fields.u32().ok_or_else(broken)?;
        if code == status::OK {
            return Ok(reply);
        }
        let text = fields.bytes().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
        Err(io::Error::new(kind_of(code, &text), text))
    }
}

/// Version 3 has few codes; where it has none, what the server says in words may tell.
fn kind_of(code: u32, text: &str) -> io::ErrorKind {
    match code {
        status::EOF => io::ErrorKind::UnexpectedEof,
        status::NO_SUCH_FILE | status::NO_SUCH_PATH => io::ErrorKind::NotFound,
        status::PERMISSION_DENIED => io::ErrorKind::PermissionDenied,
        status::CONNECTION_LOST => io::ErrorKind::ConnectionReset,
        status::UNSUPPORTED => io::ErrorKind::Unsupported,
        status::FILE_ALREADY_EXISTS => io::ErrorKind::AlreadyExists,
        status::WRITE_PROTECT => io::ErrorKind::ReadOnlyFilesystem,
        status::NO_SPACE => io::ErrorKind::StorageFull,
        status::QUOTA_EXCEEDED => io::ErrorKind::QuotaExceeded,
        _ => match crate::error_text::classify(text).map(|(class, _)| class) {
            Some(ErrorClass::Full) => io::ErrorKind::StorageFull,
            Some(ErrorClass::Refused) => io::ErrorKind::PermissionDenied,
            Some(ErrorClass::Missing) => io::ErrorKind::NotFound,
            _ => io::ErrorKind::Other,
        },
    }
}

/// The error of a packet that cannot be read.
pub fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the server sent a packet that cannot be read")
}

async fn greet(packets: &mut Packets, writer: &ChannelWriteHalf<Msg>) -> io::Result<HashSet<Vec<u8>>> {
    let hello = Bytes::from_static(&[0, 0, 0, 5, kind::INIT, 0, 0, 0, 3]);
    // What comes, or does not, tells why it could not be sent.
    let _ = writer.data_bytes(hello).await;
    let mut packet = packets.next().await?;
    if packet.is_empty() {
        return Err(broken());
    }
    let first = packet.get_u8();
    let mut fields = Fields(&packet);
    if first != kind::VERSION || fields.u32() != Some(3) {
        return Err(broken());
    }
    let mut extensions = HashSet::new();
    while let (Some(name), Some(_)) = (fields.bytes(), fields.bytes()) {
        extensions.insert(name.to_vec());
    }
    Ok(extensions)
}

/// What comes over the channel, cut into packets.
struct Packets {
    reader: ChannelReadHalf,
    buffer: BytesMut,
}

impl Packets {
    async fn next(&mut self) -> io::Result<Bytes> {
        loop {
            if let Some(head) = self.buffer.first_chunk::<4>() {
                let length = u32::from_be_bytes(*head) as usize;
                if length > PACKET_LIMIT {
                    return Err(broken());
                }
                if self.buffer.len() >= length + 4 {
                    self.buffer.advance(4);
                    return Ok(self.buffer.split_to(length).freeze());
                }
                self.buffer.reserve(length + 4 - self.buffer.len());
            }
            match self.reader.wait().await {
                Some(ChannelMsg::Data { data }) => self.buffer.extend_from_slice(&data),
                Some(ChannelMsg::Eof | ChannelMsg::Close) => return Err(io::ErrorKind::UnexpectedEof.into()),
                // A channel nobody closed ends with its connection only.
                None => return Err(io::ErrorKind::ConnectionReset.into()),
                Some(_) => {}
            }
        }
    }
}

/// Hands packets to the channel, one after the other, until nobody can ask any more.
async fn send_on(
    writer: ChannelWriteHalf<Msg>,
    mut queue: mpsc::Receiver<(Bytes, Bytes)>,
    shared: Arc<Shared>,
    link: Arc<Link>,
) {
    let hand_on = async {
        while let Some((head, body)) = queue.recv().await {
            if writer.data_bytes(head).await.is_err() || writer.data_bytes(body).await.is_err() {
                break;
            }
        }
    };
    // A channel whose connection is gone may wait for room for ever.
    tokio::select! {
        () = hand_on => {}
        () = shared.closed.cancelled() => {}
    }
    let _ = writer.close().await;
    drop(link);
}

async fn dispatch(mut packets: Packets, shared: Arc<Shared>) {
    while let Ok(mut packet) = packets.next().await {
        if packet.len() < 5 {
            break;
        }
        let passed = u64::try_from(shared.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        shared.last_sign.store(passed, Ordering::Relaxed);
        let kind = packet.get_u8();
        let id = packet.get_u32();
        let asker = shared.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(asker) = asker {
            let _ = asker.send(Reply { kind, payload: packet });
        }
    }
    shared.end();
}
