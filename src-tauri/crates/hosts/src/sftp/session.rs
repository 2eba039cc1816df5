//! One SFTP session: requests go out as they come, replies find their asker by number.

use super::wire::{Fields, Payload, kind, status};
use crate::ssh::link::Link;
use backstay_core::{Error, ErrorClass, Result};
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A packet longer than this is a broken or hostile server.
const PACKET_LIMIT: usize = 4 << 20;
const REPLY_LIMIT: Duration = Duration::from_secs(120);

/// A reply: its type and payload after the number.
pub struct Reply {
    /// Packet type.
    pub kind: u8,
    /// Payload.
    pub payload: Vec<u8>,
}

type Pending = Arc<Mutex<HashMap<u32, oneshot::Sender<Reply>>>>;

/// An SFTP session. Calls may run at the same time.
pub struct SftpSession {
    label: String,
    writer: tokio::sync::Mutex<Box<dyn AsyncWrite + Send + Unpin>>,
    pending: Pending,
    next: AtomicU32,
    closed: CancellationToken,
    reader: JoinHandle<()>,
    extensions: HashSet<Vec<u8>>,
    link: Arc<Link>,
}

impl Drop for SftpSession {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl SftpSession {
    /// Greets the server. `label` is the server's name.
    ///
    /// Errors: `Unsupported` when what answers is not SFTP 3, `Offline`, `TimedOut`.
    pub async fn open<S>(stream: S, label: String, link: Arc<Link>) -> Result<Self>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let greeted = tokio::time::timeout(Duration::from_secs(30), greet(&mut reader, &mut writer)).await;
        let tried = format!("Cannot open SFTP on {label}");
        let extensions = match greeted {
            Ok(Ok(extensions)) => extensions,
            Ok(Err(error)) => {
                return Err(
                    Error::new(ErrorClass::Unsupported, format!("{tried}: what answers is not SFTP")).source(error)
                );
            }
            Err(_) => return Err(Error::new(ErrorClass::TimedOut, format!("{tried}: the server does not answer"))),
        };
        let pending = Pending::default();
        let closed = CancellationToken::new();
        let reader = tokio::spawn(dispatch(reader, pending.clone(), closed.clone()));
        Ok(Self {
            label,
            writer: tokio::sync::Mutex::new(Box::new(writer)),
            pending,
            next: AtomicU32::new(0),
            closed,
            reader,
            extensions,
            link,
        })
    }

    /// Returns the server's name.
    pub fn label(&self) -> &str {
        &self.label
    }
    /// Tells whether the session is over.
    pub fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }
    /// Tells whether the server offers an extension.
    pub fn offers(&self, extension: &str) -> bool {
        self.extensions.contains(extension.as_bytes())
    }

    /// Sends a request; the reply is awaited apart, so that many may be on their way.
    pub async fn send(&self, kind: u8, payload: Payload) -> io::Result<Waiting> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        let length = u32::try_from(payload.0.len() + 5).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut packet = Vec::with_capacity(payload.0.len() + 9);
        packet.extend_from_slice(&length.to_be_bytes());
        packet.push(kind);
        packet.extend_from_slice(&id.to_be_bytes());
        packet.extend_from_slice(&payload.0);
        let write = async {
            let mut writer = self.writer.lock().await;
            writer.write_all(&packet).await?;
            writer.flush().await
        };
        tokio::select! {
            biased;
            () = self.closed.cancelled() => return Err(self.lost()),
            sent = write => sent.map_err(|_| self.lost())?,
        }
        if self.closed.is_cancelled() {
            return Err(self.lost());
        }
        Ok(Waiting { receiver, lost: self.link.lost.clone() })
    }

    /// Sends a request and awaits its reply.
    pub async fn ask(&self, kind: u8, payload: Payload) -> io::Result<Reply> {
        self.send(kind, payload).await?.reply().await
    }

    fn lost(&self) -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionReset, self.link.lost.text())
    }
}

/// A reply on its way.
pub struct Waiting {
    receiver: oneshot::Receiver<Reply>,
    lost: crate::ssh::link::LostReason,
}

impl Waiting {
    /// Awaits it. A status other than OK is an error of the kind it tells; end of file is `UnexpectedEof`.
    pub async fn reply(self) -> io::Result<Reply> {
        let reply = match tokio::time::timeout(REPLY_LIMIT, self.receiver).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => return Err(io::Error::new(io::ErrorKind::ConnectionReset, self.lost.text())),
            Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "the server does not answer")),
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
        let error_kind = match code {
            status::EOF => io::ErrorKind::UnexpectedEof,
            status::NO_SUCH_FILE => io::ErrorKind::NotFound,
            status::PERMISSION_DENIED => io::ErrorKind::PermissionDenied,
            status::CONNECTION_LOST => io::ErrorKind::ConnectionReset,
            status::UNSUPPORTED => io::ErrorKind::Unsupported,
            _ => io::ErrorKind::Other,
        };
        Err(io::Error::new(error_kind, text))
    }
}

/// The error of a packet that cannot be read.
pub fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "the server sent a packet that cannot be read")
}

async fn greet<S>(reader: &mut ReadHalf<S>, writer: &mut WriteHalf<S>) -> io::Result<HashSet<Vec<u8>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    writer.write_all(&[0, 0, 0, 5, kind::INIT, 0, 0, 0, 3]).await?;
    writer.flush().await?;
    let packet = read_packet(reader).await?;
    let (first, rest) = packet.split_first().ok_or_else(broken)?;
    let mut fields = Fields(rest);
    if *first != kind::VERSION || fields.u32() != Some(3) {
        return Err(broken());
    }
    let mut extensions = HashSet::new();
    while let (Some(name), Some(_)) = (fields.bytes(), fields.bytes()) {
        extensions.insert(name.to_vec());
    }
    Ok(extensions)
}

async fn read_packet<R: AsyncRead + Unpin>(reader: &mut R) -> io::Result<Vec<u8>> {
    let length = reader.read_u32().await? as usize;
    if length > PACKET_LIMIT {
        return Err(broken());
    }
    let mut packet = vec![0; length];
    reader.read_exact(&mut packet).await?;
    Ok(packet)
}

async fn dispatch<R: AsyncRead + Unpin>(mut reader: R, pending: Pending, closed: CancellationToken) {
    while let Ok(mut packet) = read_packet(&mut reader).await {
        let Some(id) = packet.get(1..5).and_then(|id| Fields(id).u32()) else { break };
        let asker = pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(asker) = asker {
            let kind = packet[0];
            packet.drain(..5);
            let _ = asker.send(Reply { kind, payload: packet });
        }
    }
    closed.cancel();
    // Whoever still waits learns it by its sender's end.
    pending.lock().unwrap_or_else(PoisonError::into_inner).clear();
}
