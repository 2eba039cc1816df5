//! File calls over SFTP.

use super::session::{Reply, SftpSession, Waiting, broken};
use super::wire::{Attrs, Fields, Payload, kind};
use crate::shell_files::temporary_beside;
use backstay_core::entry::{ByteStream, Entry};
use backstay_core::host::Space;
use backstay_core::{Error, ErrorClass, RawPath, Result};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

/// Bytes a request asks for: what every server must grant.
const CHUNK_BYTES: u32 = 32 * 1024;
/// Requests on their way at once: 2 MiB, so that a long way does not stop the flow.
const IN_FLIGHT: usize = 64;

const OPEN_READ: u32 = 1;
const OPEN_WRITE_NEW: u32 = 0x02 | 0x08 | 0x20;

fn tried(session: &SftpSession, verb: &str, path: &RawPath) -> String {
    format!("Cannot {verb} {} on {}", path.to_text(), session.label())
}

pub(super) fn failed(tried: impl FnOnce() -> String) -> impl FnOnce(io::Error) -> Error {
    move |error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::new(ErrorClass::Missing, format!("{}: there is no such file or folder", tried())).source(error)
        }
        io::ErrorKind::PermissionDenied => {
            Error::new(ErrorClass::Refused, format!("{}: permission denied", tried())).source(error)
        }
        io::ErrorKind::Unsupported => {
            Error::new(ErrorClass::Unsupported, format!("{}: the server's SFTP cannot do this", tried())).source(error)
        }
        io::ErrorKind::Other => {
            Error::new(ErrorClass::Internal, format!("{}: the server says only \"{error}\"", tried())).source(error)
        }
        _ => Error::io(tried(), error),
    }
}

fn absolute(session: &SftpSession, path: &RawPath) -> Result<()> {
    if path.is_absolute() {
        return Ok(());
    }
    let text = format!("{}: the path is not absolute", tried(session, "use", path));
    Err(Error::new(ErrorClass::Invalid, text))
}

pub(super) async fn attrs_of(session: &SftpSession, request: u8, path: &[u8]) -> io::Result<Attrs> {
    let reply = session.ask(request, Payload::default().bytes(path)).await?;
    if reply.kind != kind::ATTRS {
        return Err(broken());
    }
    Fields(&reply.payload).attrs().ok_or_else(broken)
}

/// Takes the first name of a NAME reply.
fn first_name(reply: &Reply) -> io::Result<Vec<u8>> {
    let mut fields = Fields(&reply.payload);
    if reply.kind != kind::NAME || fields.u32() == Some(0) {
        return Err(broken());
    }
    fields.bytes().map(<[u8]>::to_vec).ok_or_else(broken)
}

pub(super) async fn open_handle(session: &SftpSession, request: u8, payload: Payload) -> io::Result<Vec<u8>> {
    let reply = session.ask(request, payload).await?;
    if reply.kind != kind::HANDLE {
        return Err(broken());
    }
    Fields(&reply.payload).bytes().map(<[u8]>::to_vec).ok_or_else(broken)
}

pub(super) async fn close_handle(session: &SftpSession, handle: &[u8]) -> io::Result<()> {
    session.ask(kind::CLOSE, Payload::default().bytes(handle)).await.map(drop)
}

/// Lists a folder.
pub async fn list(session: &SftpSession, dir: &RawPath) -> Result<Vec<Entry>> {
    absolute(session, dir)?;
    let tried = || tried(session, "list", dir);
    let attrs = attrs_of(session, kind::LSTAT, dir.as_bytes()).await.map_err(failed(tried))?;
    if !attrs.is_dir() {
        return Err(Error::new(ErrorClass::Invalid, format!("{}: it is not a folder", tried())));
    }
    let opened = open_handle(session, kind::OPENDIR, Payload::default().bytes(dir.as_bytes())).await;
    let handle = opened.map_err(failed(tried))?;
    let names = read_names(session, &handle, dir).await;
    let _ = close_handle(session, &handle).await;
    let names = names.map_err(failed(tried))?;
    // All link targets are asked for at once.
    let mut links = Vec::new();
    for (path, attrs) in &names {
        links.push(match attrs.is_symlink() {
            true => {
                let payload = Payload::default().bytes(path.as_bytes());
                Some(session.send(kind::READLINK, payload).await.map_err(failed(tried))?)
            }
            false => None,
        });
    }
    let mut entries = Vec::with_capacity(names.len());
    for ((path, attrs), link) in names.into_iter().zip(links) {
        let target = match link {
            Some(waiting) => match waiting.reply().await.and_then(|reply| first_name(&reply)) {
                Ok(target) => target,
                // Gone since the listing.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(tried)(error)),
            },
            None => Vec::new(),
        };
        entries.push(attrs.entry(path, target));
    }
    Ok(entries)
}

async fn read_names(session: &SftpSession, handle: &[u8], dir: &RawPath) -> io::Result<Vec<(RawPath, Attrs)>> {
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
            fields.bytes().ok_or_else(broken)?;
            let attrs = fields.attrs().ok_or_else(broken)?;
            // A name with a slash in it would lead out of the folder.
            if name != b"." && name != b".." && !name.contains(&b'/') {
                names.push((dir.join(name).map_err(|_| broken())?, attrs));
            }
        }
    }
}

/// Returns what is known of one path.
pub async fn stat(session: &SftpSession, path: &RawPath) -> Result<Entry> {
    absolute(session, path)?;
    let tried = || tried(session, "look at", path);
    let attrs = attrs_of(session, kind::LSTAT, path.as_bytes()).await.map_err(failed(tried))?;
    let mut target = Vec::new();
    if attrs.is_symlink() {
        let reply = session.ask(kind::READLINK, Payload::default().bytes(path.as_bytes())).await;
        target = reply.and_then(|reply| first_name(&reply)).map_err(failed(tried))?;
    }
    Ok(attrs.entry(path.clone(), target))
}

/// Opens a file; a task asks ahead for what comes next.
pub async fn read(session: Arc<SftpSession>, path: &RawPath) -> Result<ByteStream> {
    absolute(&session, path)?;
    let label = tried(&session, "read", path);
    let tried = || label.clone();
    let attrs = attrs_of(&session, kind::STAT, path.as_bytes()).await.map_err(failed(tried))?;
    if !attrs.is_file() {
        let why = if attrs.is_dir() { "it is a folder" } else { "it is not a regular file" };
        return Err(Error::new(ErrorClass::Invalid, format!("{label}: {why}")));
    }
    let payload = Payload::default().bytes(path.as_bytes()).u32(OPEN_READ).attrs(None);
    let handle = open_handle(&session, kind::OPEN, payload).await.map_err(failed(tried))?;
    let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(8);
    tokio::spawn(async move {
        if let Err(error) = read_ahead(&session, &handle, &sender).await {
            let _ = sender.send(Err(failed(|| label)(error).into())).await;
        }
        let _ = close_handle(&session, &handle).await;
    });
    let stream = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    Ok(Box::new(tokio_util::io::StreamReader::new(stream)))
}

/// Reads to the end, in order, with many requests on their way.
async fn read_ahead(session: &SftpSession, handle: &[u8], to: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let ask =
        |offset: u64, length: u32| session.send(kind::READ, Payload::default().bytes(handle).u64(offset).u32(length));
    let mut asked: VecDeque<(u64, u32, Waiting)> = VecDeque::new();
    let mut next = 0_u64;
    // Grows as answers come: a small file costs few requests.
    let mut width = 2;
    loop {
        while asked.len() < width {
            asked.push_back((next, CHUNK_BYTES, ask(next, CHUNK_BYTES).await?));
            next += u64::from(CHUNK_BYTES);
        }
        width = (width * 2).min(IN_FLIGHT);
        let Some((offset, length, waiting)) = asked.pop_front() else { return Ok(()) };
        let reply = match waiting.reply().await {
            Ok(reply) => reply,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let data = Fields(&reply.payload).bytes().filter(|_| reply.kind == kind::DATA).ok_or_else(broken)?;
        let got = u32::try_from(data.len()).ok().filter(|got| *got > 0 && *got <= length).ok_or_else(broken)?;
        if to.send(Ok(reply.payload.slice(4..4 + got as usize))).await.is_err() {
            return Ok(());
        }
        if got < length {
            // The server gave less than asked for: the rest comes before all that was asked for later.
            let offset = offset + u64::from(got);
            asked.push_front((offset, length - got, ask(offset, length - got).await?));
        }
    }
}

/// Writes a file whole: under a temporary name, synced where the server can, then renamed.
pub async fn write(
    session: &SftpSession,
    path: &RawPath,
    mode: u32,
    content: &mut (dyn AsyncRead + Send + Unpin),
) -> Result<u64> {
    absolute(session, path)?;
    let tried = || tried(session, "write", path);
    let (temporary, aside) = (temporary_beside(path)?, temporary_beside(path)?);
    let payload = Payload::default().bytes(temporary.as_bytes()).u32(OPEN_WRITE_NEW).attrs(Some(0o600));
    let handle = open_handle(session, kind::OPEN, payload).await.map_err(failed(tried))?;
    let written = upload(session, &handle, content).await;
    let synced = match &written {
        Ok(_) if session.offers("fsync@openssh.com") => {
            let payload = Payload::default().bytes(b"fsync@openssh.com").bytes(&handle);
            session.ask(kind::EXTENDED, payload).await.map(drop)
        }
        _ => Ok(()),
    };
    let closed = close_handle(session, &handle).await;
    let placed = async {
        let total = written?;
        synced?;
        closed?;
        let payload = Payload::default().bytes(temporary.as_bytes()).attrs(Some(mode & 0o7777));
        session.ask(kind::SETSTAT, payload).await?;
        rename(session, &temporary, path, &aside).await?;
        Ok(total)
    };
    let result = placed.await;
    if result.is_err() {
        let _ = session.ask(kind::REMOVE, Payload::default().bytes(temporary.as_bytes())).await;
    }
    result.map_err(failed(tried))
}

async fn upload(session: &SftpSession, handle: &[u8], content: &mut (dyn AsyncRead + Send + Unpin)) -> io::Result<u64> {
    let mut waiting: VecDeque<Waiting> = VecDeque::new();
    let mut offset = 0_u64;
    loop {
        let mut buffer = BytesMut::with_capacity(CHUNK_BYTES as usize);
        let n = content.read_buf(&mut buffer).await?;
        if n == 0 || waiting.len() >= IN_FLIGHT {
            while waiting.len() > if n == 0 { 0 } else { IN_FLIGHT / 2 } {
                if let Some(oldest) = waiting.pop_front() {
                    oldest.reply().await?;
                }
            }
        }
        if n == 0 {
            return Ok(offset);
        }
        let payload = Payload::default().bytes(handle).u64(offset).length(n);
        waiting.push_back(session.send_with(kind::WRITE, payload, buffer.freeze()).await?);
        offset += n as u64;
    }
}

/// Renames over what is there. Plain SFTP refuses that, so without OpenSSH's extension the old file steps aside (to a
/// name beside it), and back if the new one cannot take its place.
async fn rename(session: &SftpSession, from: &RawPath, to: &RawPath, aside: &RawPath) -> io::Result<()> {
    let names = |payload: Payload, from: &RawPath, to: &RawPath| payload.bytes(from.as_bytes()).bytes(to.as_bytes());
    if session.offers("posix-rename@openssh.com") {
        let payload = names(Payload::default().bytes(b"posix-rename@openssh.com"), from, to);
        return session.ask(kind::EXTENDED, payload).await.map(drop);
    }
    let plain = |from, to| session.ask(kind::RENAME, names(Payload::default(), from, to));
    match attrs_of(session, kind::LSTAT, to.as_bytes()).await {
        Ok(attrs) if attrs.is_dir() => return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return plain(from, to).await.map(drop),
        Err(error) => return Err(error),
    }
    plain(to, aside).await?;
    if let Err(error) = plain(from, to).await {
        return Err(match plain(aside, to).await {
            Ok(_) => error,
            Err(_) => io::Error::new(error.kind(), format!("{error}; the old file lies at {}", aside.to_text())),
        });
    }
    // The new file has its name: what stays aside is no failure.
    let _ = session.ask(kind::REMOVE, Payload::default().bytes(aside.as_bytes())).await;
    Ok(())
}

/// Makes a folder and those above it.
pub async fn make_dir(session: &SftpSession, path: &RawPath) -> Result<()> {
    absolute(session, path)?;
    let tried = || tried(session, "make the folder", path);
    let mut missing = Vec::new();
    let mut at = Some(path.clone());
    while let Some(folder) = at {
        match attrs_of(session, kind::STAT, folder.as_bytes()).await {
            Ok(attrs) if attrs.is_dir() => break,
            Ok(_) => {
                return Err(Error::new(ErrorClass::Exists, format!("{}: {} is no folder", tried(), folder.to_text())));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                at = folder.parent();
                missing.push(folder);
            }
            Err(error) => return Err(failed(tried)(error)),
        }
    }
    for folder in missing.iter().rev() {
        let made = session.ask(kind::MKDIR, Payload::default().bytes(folder.as_bytes()).attrs(None)).await;
        if let Err(error) = made
            // Somebody else may have made it in the meantime.
            && !attrs_of(session, kind::STAT, folder.as_bytes()).await.is_ok_and(|attrs| attrs.is_dir())
        {
            return Err(failed(tried)(error));
        }
    }
    Ok(())
}

/// Removes a file, a link or an empty folder.
pub async fn remove(session: &SftpSession, path: &RawPath) -> Result<()> {
    absolute(session, path)?;
    let tried = || tried(session, "remove", path);
    let attrs = attrs_of(session, kind::LSTAT, path.as_bytes()).await.map_err(failed(tried))?;
    let request = if attrs.is_dir() { kind::RMDIR } else { kind::REMOVE };
    let Err(error) = session.ask(request, Payload::default().bytes(path.as_bytes())).await else { return Ok(()) };
    // SFTP 3 has no word for "not empty": it says just "failure".
    if attrs.is_dir() && error.kind() == io::ErrorKind::Other && !list(session, path).await?.is_empty() {
        return Err(Error::new(ErrorClass::Exists, format!("{}: the folder is not empty", tried())));
    }
    Err(failed(tried)(error))
}

/// Returns the room of the file system a path lies on, where the server offers OpenSSH's extension.
pub async fn space(session: &SftpSession, path: &RawPath) -> Result<Space> {
    absolute(session, path)?;
    let tried = || tried(session, "measure the room at", path);
    if !session.offers("statvfs@openssh.com") {
        return Err(Error::new(ErrorClass::Unsupported, format!("{}: the server cannot tell", tried())));
    }
    let mut last = None;
    for at in path.and_above() {
        match space_of(session, at.as_bytes()).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => last = Some(error),
            answer => return answer.map_err(failed(tried)),
        }
    }
    Err(failed(tried)(last.unwrap_or_else(broken)))
}

/// Asks OpenSSH's extension for the room at a path.
pub(super) async fn space_of(session: &SftpSession, path: &[u8]) -> io::Result<Space> {
    if !session.offers("statvfs@openssh.com") {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the server does not offer statvfs"));
    }
    let payload = Payload::default().bytes(b"statvfs@openssh.com").bytes(path);
    let reply = session.ask(kind::EXTENDED, payload).await?;
    let mut fields = Fields(&reply.payload);
    let mut next = || fields.u64().filter(|_| reply.kind == kind::EXTENDED_REPLY);
    // Block size, fragment size, blocks in fragments, free, free for us.
    match (next(), next(), next(), next(), next()) {
        (Some(_), Some(fragment), Some(blocks), Some(_), Some(free)) => {
            Ok(Space { total_bytes: blocks.saturating_mul(fragment), free_bytes: free.saturating_mul(fragment) })
        }
        _ => Err(broken()),
    }
}
