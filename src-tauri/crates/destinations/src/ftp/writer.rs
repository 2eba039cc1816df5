//! Writing and removing objects: a temporary file beside the target, its size seen, then renamed.

use super::client::Folder;
use super::errors::{self, taken, too_long};
use super::pool::Lease;
use crate::server_names;
use backstay_core::destination::{Direction, Key, PIECE, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::{Error, ErrorClass, Result};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use suppaftp::FtpError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What goes into an upload.
pub(super) enum Content {
    Bytes(Bytes),
    Stream(ByteStream),
}

impl Content {
    /// Takes the next piece; empty is the end.
    async fn next(&mut self) -> std::io::Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.split_to(bytes.len().min(PIECE))),
            Self::Stream(stream) => {
                let mut piece = BytesMut::with_capacity(PIECE);
                while piece.len() < PIECE {
                    let room = PIECE - piece.len();
                    if stream.take(room as u64).read_buf(&mut piece).await? == 0 {
                        break;
                    }
                }
                Ok(piece.freeze())
            }
        }
    }
}

/// A temporary file that removes itself when it is dropped before it got its name.
struct Temp {
    folder: Arc<Folder>,
    path: String,
    armed: bool,
}

impl Drop for Temp {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.armed {
            return;
        }
        let (folder, path) = (self.folder.clone(), self.path.clone());
        // Best effort: what stays is swept later.
        runtime.spawn(async move {
            if let Ok(mut lease) = folder.pool.take("Cannot clear up").await {
                if let Ok(session) = lease.session() {
                    let _ = session.delete(&path).await;
                }
                lease.done();
            }
        });
    }
}

impl Folder {
    pub(super) async fn write(self: Arc<Self>, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        self.write_whole(key, Content::Bytes(content), mode).await.map(drop)
    }

    pub(super) async fn write_stream(self: Arc<Self>, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        self.write_whole(key, Content::Stream(content), mode).await
    }

    async fn write_whole(self: Arc<Self>, key: &Key, content: Content, mode: WriteMode) -> Result<u64> {
        let tried = format!("Cannot write {key} on {}", self.label);
        let target = self.path_of(key)?;
        let mut lease = self.pool.take(&tried).await?;
        let parent = parent_of(&target);
        let mut temp =
            Temp { folder: self.clone(), path: format!("{parent}/{}", server_names::temp_name()), armed: false };
        let written = async {
            // Spares sending all of it in vain.
            if mode == WriteMode::CreateNew && self.is_taken(&mut lease, &tried, &target).await? {
                return Err(taken(&tried));
            }
            self.make_folders(&mut lease, &tried, parent).await?;
            temp.armed = true;
            let size = self.store(&mut lease, &tried, ("STOR", &temp.path, 0), content).await?;
            self.check_size(&mut lease, &tried, &temp.path, size).await?;
            self.place_as(&mut lease, &tried, &temp.path, &target, mode).await?;
            Ok(size)
        };
        let written = written.await;
        if written.is_ok() {
            temp.armed = false;
        } else if temp.armed
            && let Ok(session) = lease.session()
        {
            temp.armed = session.delete(&temp.path).await.is_err();
        }
        lease.done();
        written
    }

    /// Sends content by STOR or APPE. Returns how much it was.
    pub(super) async fn store(
        &self,
        lease: &mut Lease,
        tried: &str,
        (verb, path, offset): (&str, &str, u64),
        mut content: Content,
    ) -> Result<u64> {
        let line = format!("{verb} {path}");
        let opened = lease.session()?.transfer(line.clone(), offset).await;
        let mut transfer = match opened {
            Ok(transfer) => transfer,
            // A folder that was made before may be gone meanwhile.
            Err(error) if errors::may_be_absent(&error) => {
                self.forget_folders();
                self.make_folders(lease, tried, parent_of(path)).await?;
                let again = lease.session()?.transfer(line, offset).await;
                lease.judge(tried, again)?
            }
            Err(error) => return lease.judge(tried, Err(error)),
        };
        let mut size = 0;
        let mut written = Ok(());
        loop {
            let piece = match content.next().await {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => piece,
                Err(error) => {
                    // The source's error keeps its own class: it is not this folder's fault. The server must not take
                    // what came so far for the whole; it has a temporary name, and goes.
                    lease.session()?.leave(transfer);
                    return Err(Error::io(tried, error));
                }
            };
            self.traffic.pass(Direction::Up, piece.len()).await;
            size += piece.len() as u64;
            written = transfer.write_all(&piece).await;
            if written.is_err() {
                break;
            }
        }
        let ended = lease.session()?.end_upload(transfer, written).await;
        lease.judge(tried, ended).map(|()| size)
    }

    /// Sees that a file on the server has the size it should.
    pub(super) async fn check_size(&self, lease: &mut Lease, tried: &str, path: &str, size: u64) -> Result<()> {
        let has = lease.session()?.size(path).await;
        let has = lease.judge(tried, has)?;
        if has == size {
            return Ok(());
        }
        let text = format!("{tried}: {size} bytes were sent, but the server's file has {has}");
        Err(Error::new(ErrorClass::Corrupt, text).hint("See whether the server's disk is full or failing"))
    }

    /// Tells whether a path is taken, by a file or a folder.
    pub(super) async fn is_taken(&self, lease: &mut Lease, tried: &str, path: &str) -> Result<bool> {
        match lease.session()?.size(path).await {
            Ok(_) => Ok(true),
            Err(error) if errors::may_be_absent(&error) => Ok(false),
            Err(error) => lease.judge(tried, Err(error)),
        }
    }

    /// Gives a whole file its name.
    pub(super) async fn place_as(
        &self,
        lease: &mut Lease,
        tried: &str,
        from: &str,
        to: &str,
        mode: WriteMode,
    ) -> Result<()> {
        let is_taken = match mode {
            WriteMode::CreateNew if self.is_taken(lease, tried, to).await? => return Err(taken(tried)),
            WriteMode::CreateNew => false,
            WriteMode::Replace => true,
        };
        let error = match lease.session()?.rename(from, to).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // Some servers refuse to rename over what is there: the old one steps aside, and back if that fails. What cannot
        // step back now gets its name back when the folder is swept.
        let refused = errors::may_be_absent(&error);
        if !is_taken || !refused || !self.is_taken(lease, tried, to).await? {
            return lease.judge(tried, Err(error));
        }
        let name = to.rsplit('/').next().unwrap_or("");
        let aside = server_names::aside_name(name).ok_or_else(|| too_long(tried))?;
        let aside = format!("{}/{aside}", parent_of(to));
        self.tidy.forget(parent_of(to));
        let moved = lease.session()?.rename(to, &aside).await;
        lease.judge(tried, moved)?;
        let placed = lease.session()?.rename(from, to).await;
        if placed.is_err() {
            // A delete may have looked just before it stepped aside.
            self.tidy.forget(parent_of(to));
            let _ = lease.session()?.rename(&aside, to).await;
            return lease.judge(tried, placed);
        }
        if lease.session()?.delete(&aside).await.is_err() {
            self.tidy.forget(parent_of(to));
        }
        Ok(())
    }

    pub(super) async fn remove(&self, key: &Key) -> Result<()> {
        let tried = format!("Cannot delete {key} on {}", self.label);
        let path = self.path_of(key)?;
        let mut lease = self.pool.take(&tried).await?;
        self.remove_asides(&mut lease, &tried, &path).await?;
        let removed = match lease.session()?.delete(&path).await {
            Ok(()) => Ok(()),
            Err(error) if errors::may_be_absent(&error) => self.why_not_removed(&mut lease, &tried, key, error).await,
            Err(error) => lease.judge(&tried, Err(error)),
        };
        lease.done();
        removed
    }

    /// Absent is what was asked for; a folder of that name is no object; a folder of ours that is gone is an error.
    async fn why_not_removed(&self, lease: &mut Lease, tried: &str, key: &Key, error: FtpError) -> Result<()> {
        if !self.is_there(lease, tried).await? || !self.is_listed(lease, tried, key).await? {
            return Ok(());
        }
        Err(errors::classify(tried, error))
    }
}

/// Returns the folder a path lies in.
pub(super) fn parent_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}
