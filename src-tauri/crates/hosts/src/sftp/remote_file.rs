//! One open file, with a handle on each channel that helps to carry it.

use super::remote::{Lane, Lanes, OPEN_WRITE, stat_of, wire_path};
use super::session::broken;
use super::session_files::{close_handle, failed, open_handle};
use super::wire::{Attrs, Fields, Payload, kind};
use async_trait::async_trait;
use backstay_core::remote::{RemoteFile, RemoteStat};
use backstay_core::{RawPath, Result};
use bytes::{Bytes, BytesMut};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What a channel that syncs counts as carrying: more than any that does not.
const SYNC_LOAD: usize = 1 << 30;
/// A smaller file is read over one channel: all of it is asked for before another channel could help.
const WIDE_READ: u64 = 8 << 20;

/// A handle of one channel.
struct Handle {
    lane: Arc<Lane>,
    handle: Vec<u8>,
}

/// An open file.
///
/// A further channel opens it once more by its path, where another file may lie by then. What is written has a name nobody
/// else uses. What is read is taken for the same file if it has the same size and time; SFTP 3 tells no more, and the time
/// in seconds only. So small files, which are the ones that are replaced in place, are read over one channel alone.
pub struct OpenFile {
    lanes: Arc<Lanes>,
    path: RawPath,
    /// How further channels open it.
    flags: u32,
    /// What was told of it first; nothing is read over further channels before.
    seen: OnceLock<Attrs>,
    handles: Arc<Handles>,
}

/// The handles of a file.
struct Handles {
    /// By the channels' numbers.
    places: Vec<Place>,
    /// Nothing is opened for it any more. Each handle is closed once: a server gives its number to the next file.
    closed: Mutex<bool>,
}

#[derive(Default)]
struct Place {
    /// Somebody opens it, or it could not be opened.
    taken: AtomicBool,
    handle: OnceLock<Handle>,
}

impl Handles {
    fn closed(&self) -> MutexGuard<'_, bool> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn open(&self) -> impl Iterator<Item = &Handle> {
        self.places.iter().filter_map(|place| place.handle.get())
    }
    /// Takes one more handle, or gives it back where the file was closed meanwhile.
    fn add(&self, at: usize, handle: Handle) -> Option<Handle> {
        let closed = self.closed();
        if *closed { Some(handle) } else { self.places[at].handle.set(handle).err() }
    }
    /// Closes all of them, if that was not done before.
    async fn close(&self) -> io::Result<()> {
        if std::mem::replace(&mut *self.closed(), true) {
            return Ok(());
        }
        let mut waiting = Vec::new();
        for handle in self.open() {
            waiting.push(handle.lane.session.send(kind::CLOSE, Payload::default().bytes(&handle.handle)).await?);
        }
        for reply in waiting {
            reply.reply().await?;
        }
        Ok(())
    }
}

impl OpenFile {
    /// Takes over a file that one channel opened.
    pub fn new(lanes: Arc<Lanes>, path: RawPath, flags: u32, lane: &Arc<Lane>, handle: Vec<u8>) -> Self {
        let places: Vec<Place> = (0..lanes.most()).map(|_| Place::default()).collect();
        let at = lanes.all().find(|(_, one)| Arc::ptr_eq(one, lane)).map_or(0, |(at, _)| at);
        places[at].taken.store(true, Ordering::Relaxed);
        let _ = places[at].handle.set(Handle { lane: lane.clone(), handle });
        let handles = Arc::new(Handles { places, closed: Mutex::default() });
        Self { lanes, path, flags, seen: OnceLock::new(), handles }
    }

    fn tried<'a>(&'a self, verb: &'a str) -> impl Fn() -> String + 'a {
        move || format!("Cannot {verb} {} on {}", self.path.to_text(), self.lanes.label())
    }

    /// Returns the handle whose channel has the least on its way. When all are full, more are made ready meanwhile.
    fn least(&self) -> io::Result<&Handle> {
        let least = self.handles.open().min_by_key(|handle| handle.lane.load()).ok_or_else(broken)?;
        if least.lane.is_full() {
            self.widen();
        }
        Ok(least)
    }

    fn widen(&self) {
        let reads = self.flags & OPEN_WRITE == 0;
        let seen = self.seen.get().copied();
        if reads && seen.is_none_or(|seen| seen.size < WIDE_READ || seen.modified().is_none()) {
            return;
        }
        let ready = self.lanes.all().find(|(at, _)| !self.handles.places[*at].taken.load(Ordering::Relaxed));
        let Some((at, lane)) = ready else { return self.lanes.widen() };
        if self.handles.places[at].taken.swap(true, Ordering::AcqRel) {
            return;
        }
        let (lane, handles) = (lane.clone(), self.handles.clone());
        let payload = Payload::default().bytes(wire_path(&self.path)).u32(self.flags).attrs(None);
        tokio::spawn(async move {
            // Where it cannot be opened once more, the other channels carry it.
            let Ok(handle) = open_handle(&lane.session, kind::OPEN, payload).await else { return };
            let is_it = !reads || stat_handle(&lane, &handle).await.ok() == seen;
            let handle = Handle { lane, handle };
            let of_no_use = if is_it { handles.add(at, handle) } else { Some(handle) };
            if let Some(Handle { lane, handle }) = of_no_use {
                let _ = close_handle(&lane.session, &handle).await;
            }
        });
    }

    async fn write_chunk(&self, offset: u64, content: Bytes) -> io::Result<()> {
        let handle = self.least()?;
        let _carried = handle.lane.carry(content.len());
        let payload = Payload::default().bytes(&handle.handle).u64(offset).length(content.len());
        handle.lane.session.send_with(kind::WRITE, payload, content).await?.reply().await.map(drop)
    }

    /// Reads one chunk; a server that gives less is asked again for the rest.
    async fn read_chunk(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let first = self.read_some(offset, length).await?;
        if first.len() == length || first.is_empty() {
            return Ok(first);
        }
        let mut whole = BytesMut::from(&first[..]);
        while whole.len() < length {
            let more = self.read_some(offset + whole.len() as u64, length - whole.len()).await?;
            if more.is_empty() {
                break;
            }
            whole.extend_from_slice(&more);
        }
        Ok(whole.freeze())
    }

    /// Reads at least one byte, or none at the end.
    async fn read_some(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let handle = self.least()?;
        let _carried = handle.lane.carry(length);
        let wanted = u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let payload = Payload::default().bytes(&handle.handle).u64(offset).u32(wanted);
        let reply = match handle.lane.session.ask(kind::READ, payload).await {
            Ok(reply) => reply,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Bytes::new()),
            Err(error) => return Err(error),
        };
        let data = Fields(&reply.payload).bytes().filter(|_| reply.kind == kind::DATA).ok_or_else(broken)?;
        if data.is_empty() || data.len() > length {
            return Err(broken());
        }
        Ok(reply.payload.slice(4..4 + data.len()))
    }

    fn chunk(&self, of: impl Fn(super::session::Limits) -> u32) -> usize {
        self.handles.open().next().map_or(32 << 10, |handle| of(handle.lane.session.limits()) as usize)
    }
}

async fn stat_handle(lane: &Lane, handle: &[u8]) -> io::Result<Attrs> {
    let reply = lane.session.ask(kind::FSTAT, Payload::default().bytes(handle)).await?;
    Fields(&reply.payload).attrs().filter(|_| reply.kind == kind::ATTRS).ok_or_else(broken)
}

#[async_trait]
impl RemoteFile for OpenFile {
    async fn write_at(&self, offset: u64, content: Bytes) -> Result<()> {
        let most = self.chunk(|limits| limits.write);
        let written = async {
            if content.len() <= most {
                return self.write_chunk(offset, content).await;
            }
            let starts = (0..content.len()).step_by(most);
            let chunks = starts.map(|start| {
                let chunk = content.slice(start..content.len().min(start + most));
                self.write_chunk(offset + start as u64, chunk)
            });
            futures::future::try_join_all(chunks).await.map(drop)
        };
        written.await.map_err(failed(self.tried("write")))
    }

    async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes> {
        let most = self.chunk(|limits| limits.read);
        let read = async {
            // Asked for nothing, servers answer in their own ways.
            if length == 0 {
                return Ok(Bytes::new());
            }
            if length <= most {
                return self.read_chunk(offset, length).await;
            }
            let starts = (0..length).step_by(most);
            let chunks = starts.map(|start| self.read_chunk(offset + start as u64, most.min(length - start)));
            let mut whole = BytesMut::with_capacity(length);
            for chunk in futures::future::try_join_all(chunks).await? {
                whole.extend_from_slice(&chunk);
                if chunk.len() < most {
                    break;
                }
            }
            Ok(whole.freeze())
        };
        read.await.map_err(failed(self.tried("read")))
    }

    async fn stat(&self) -> Result<RemoteStat> {
        let asked = async {
            let handle = self.least()?;
            stat_handle(&handle.lane, &handle.handle).await
        };
        let attrs = asked.await.map_err(failed(self.tried("look at")))?;
        let stat = stat_of(&attrs);
        let _ = self.seen.set(attrs);
        Ok(stat)
    }

    async fn sync(&self) -> Result<()> {
        let asked = async {
            let handle = self.least()?;
            if !handle.lane.session.offers("fsync@openssh.com") {
                return Ok(());
            }
            // The server answers nothing else on this channel meanwhile: what is to be written goes over the others.
            let _busy = handle.lane.carry(SYNC_LOAD);
            // Of the file, not of the handle: what other channels wrote is synced too.
            let payload = Payload::default().bytes(b"fsync@openssh.com").bytes(&handle.handle);
            handle.lane.session.ask(kind::EXTENDED, payload).await.map(drop)
        };
        asked.await.map_err(failed(self.tried("sync")))
    }

    async fn close(&self) -> Result<()> {
        self.handles.close().await.map_err(failed(self.tried("close")))
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        if *self.handles.closed() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let handles = self.handles.clone();
        runtime.spawn(async move { handles.close().await });
    }
}
