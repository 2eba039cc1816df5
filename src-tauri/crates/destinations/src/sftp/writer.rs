//! Writing and removing objects: a temporary file beside the target, synced, its size seen, then renamed.

use super::client::Folder;
use super::config::{PIECE_BYTES, PIECES};
use super::errors::{taken, too_long};
use crate::server_names;
use backstay_core::destination::{Direction, Key, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::remote::{RemoteFile, RemoteFiles, RemoteKind, RemoteOpen, RemoteRename};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt};
use std::sync::Arc;
use tokio::io::AsyncReadExt;

/// A temporary file. It removes itself when it is dropped before it got its name.
pub(super) struct Temp {
    folder: Arc<Folder>,
    pub(super) files: Arc<dyn RemoteFiles>,
    pub(super) file: Arc<dyn RemoteFile>,
    pub(super) path: RawPath,
    armed: bool,
}

impl Temp {
    /// Lets the file be, whatever comes.
    pub(super) fn keep(mut self) -> (Arc<dyn RemoteFiles>, Arc<dyn RemoteFile>) {
        self.armed = false;
        (self.files.clone(), self.file.clone())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.armed {
            return;
        }
        let (folder, path, file) = (self.folder.clone(), self.path.clone(), self.file.clone());
        // Best effort: what stays is swept later.
        runtime.spawn(async move {
            let _ = file.close().await;
            if let Ok(files) = folder.files("Cannot clear up").await {
                let _ = files.remove(&path).await;
            }
        });
    }
}

/// Whose fault it is.
enum Failed {
    Source(Error),
    Store(Error),
}

impl Folder {
    pub(super) async fn write(self: Arc<Self>, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        let tried = format!("Cannot write {key} on {}", self.label);
        let (temp, target) = self.begin(&tried, key, mode).await?;
        let size = content.len() as u64;
        let written = match self.write_pieces(&*temp.file, 0, content).await {
            Ok(()) => self.finish(&tried, &temp, &target, size, mode).await,
            Err(error) => Err(self.write_error(&*temp.files, &tried, size, error).await),
        };
        self.ended(temp, written).await
    }

    pub(super) async fn write_stream(self: Arc<Self>, key: &Key, content: ByteStream, mode: WriteMode) -> Result<u64> {
        let tried = format!("Cannot write {key} on {}", self.label);
        let (temp, target) = self.begin(&tried, key, mode).await?;
        let mut size = 0_u64;
        let written = {
            let (file, this) = (&*temp.file, &self);
            let pieces = cut(content).map(|piece| {
                let offset = size;
                size += piece.as_ref().map_or(0, Bytes::len) as u64;
                let tried = &tried;
                async move {
                    // The source's error keeps its own class: it is not this folder's fault.
                    let piece = piece.map_err(|error| Failed::Source(Error::io(tried, error)))?;
                    this.send(file, offset, piece).await.map_err(Failed::Store)
                }
            });
            pieces.buffer_unordered(PIECES).try_for_each(|()| std::future::ready(Ok(()))).await
        };
        let written = match written {
            Ok(()) => self.finish(&tried, &temp, &target, size, mode).await,
            Err(Failed::Source(error)) => Err(error),
            Err(Failed::Store(error)) => Err(self.write_error(&*temp.files, &tried, 0, error).await),
        };
        self.ended(temp, written).await.map(|()| size)
    }

    /// Writes what is in memory at an offset, piece by piece, many on their way.
    pub(super) async fn write_pieces(&self, file: &dyn RemoteFile, offset: u64, content: Bytes) -> Result<()> {
        let starts = (0..content.len()).step_by(PIECE_BYTES);
        let pieces = futures::stream::iter(starts).map(|start| {
            let piece = content.slice(start..content.len().min(start + PIECE_BYTES));
            self.send(file, offset + start as u64, piece)
        });
        pieces.buffer_unordered(PIECES).try_for_each(|()| std::future::ready(Ok(()))).await
    }

    async fn send(&self, file: &dyn RemoteFile, offset: u64, piece: Bytes) -> Result<()> {
        self.traffic.pass(Direction::Up, piece.len()).await;
        file.write_at(offset, piece).await?;
        // Many pieces stand in line: on a narrow line the last of them passed long before it left.
        self.traffic.alive();
        Ok(())
    }

    /// Makes a temporary file beside the target, and the folders on the way where they are missing.
    pub(super) async fn begin(self: &Arc<Self>, tried: &str, key: &Key, mode: WriteMode) -> Result<(Temp, RawPath)> {
        let target = server_names::path_of(&self.root, key)?;
        let files = self.files(tried).await?;
        let parent = target.parent().unwrap_or_default();
        let path = parent.join(server_names::temp_name())?;
        // A look at the target spares writing all of it in vain, and costs no time beside the other question. The rename
        // decides.
        let look = async { mode == WriteMode::CreateNew && files.stat(&target).await.is_ok() };
        let (opened, is_taken) = tokio::join!(files.open_file(&path, RemoteOpen::CreateNew), look);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.class == ErrorClass::Missing => {
                self.make_folders(&*files, tried, &parent).await?;
                let again = files.open_file(&path, RemoteOpen::CreateNew).await;
                again.map_err(|error| self.error(tried, error))?
            }
            Err(error) => return Err(self.write_error(&*files, tried, 0, error).await),
        };
        let temp = Temp { folder: self.clone(), files, file, path, armed: true };
        if is_taken {
            return self.ended(temp, Err(taken(tried))).await;
        }
        Ok((temp, target))
    }

    /// Syncs the temporary file, sees that all of it is there, and gives it its name.
    async fn finish(&self, tried: &str, temp: &Temp, target: &RawPath, size: u64, mode: WriteMode) -> Result<()> {
        let files = &*temp.files;
        self.seal(files, &*temp.file, tried, size).await?;
        self.place_as(files, tried, &temp.path, target, mode).await
    }

    /// Syncs a file, sees that it has its size, and closes it.
    pub(super) async fn seal(
        &self,
        files: &dyn RemoteFiles,
        file: &dyn RemoteFile,
        tried: &str,
        size: u64,
    ) -> Result<()> {
        let (synced, stat) = tokio::join!(file.sync(), file.stat());
        if let Err(error) = synced {
            return Err(self.write_error(files, tried, 0, error).await);
        }
        let has = stat.map_err(|error| self.error(tried, error))?.size_bytes;
        if has != size {
            let text = format!("{tried}: {size} bytes were sent, but the server's file has {has}");
            return Err(Error::new(ErrorClass::Corrupt, text).hint("See whether the server's disk is full or failing"));
        }
        match file.close().await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.write_error(files, tried, 0, error).await),
        }
    }

    /// Gives a whole file its name.
    pub(super) async fn place_as(
        &self,
        files: &dyn RemoteFiles,
        tried: &str,
        from: &RawPath,
        to: &RawPath,
        mode: WriteMode,
    ) -> Result<()> {
        self.hashes.take(to);
        let how = match mode {
            WriteMode::Replace if self.features.posix_rename => RemoteRename::Over,
            _ => RemoteRename::Plain,
        };
        // Not every server refuses a plain rename over what is there: look, where nothing tells that it does.
        if mode == WriteMode::CreateNew && !self.features.hard_link && files.stat(to).await.is_ok() {
            return Err(taken(tried));
        }
        let Err(error) = files.rename(from, to, how).await else { return Ok(()) };
        if error.class.ends_the_run() || error.class == ErrorClass::Missing {
            return Err(self.error(tried, error));
        }
        match (mode, files.stat(to).await) {
            (WriteMode::CreateNew, Ok(_)) => Err(taken(tried)),
            (WriteMode::Replace, Ok(stat)) if stat.kind == RemoteKind::File => self.swap(files, tried, from, to).await,
            _ => Err(self.write_error(files, tried, 0, error).await),
        }
    }

    /// Replaces where the server cannot rename over what is there: the old one steps aside, and back if that fails. What
    /// cannot step back now gets its name back when the folder is swept.
    async fn swap(&self, files: &dyn RemoteFiles, tried: &str, from: &RawPath, to: &RawPath) -> Result<()> {
        let name = to.name().map(String::from_utf8_lossy).unwrap_or_default();
        let aside = server_names::aside_name(&name).ok_or_else(|| too_long(tried))?;
        let folder = to.parent().unwrap_or_default();
        let aside = folder.join(aside)?;
        let failed = |error| self.error(tried, error);
        self.tidy.forget(folder.as_bytes());
        files.rename(to, &aside, RemoteRename::Plain).await.map_err(failed)?;
        if let Err(error) = files.rename(from, to, RemoteRename::Plain).await {
            // A delete may have looked just before it stepped aside.
            self.tidy.forget(folder.as_bytes());
            // The connection may be what failed.
            if let Ok(files) = self.files(tried).await {
                let _ = files.rename(&aside, to, RemoteRename::Plain).await;
            }
            return Err(self.error(tried, error));
        }
        if files.remove(&aside).await.is_err() {
            self.tidy.forget(folder.as_bytes());
        }
        Ok(())
    }

    /// Ends with a temporary file: it has its name now, or it goes.
    async fn ended<T>(&self, mut temp: Temp, result: Result<T>) -> Result<T> {
        let lost = result.as_ref().is_err_and(|error| error.class.may_retry());
        if result.is_err() && !lost {
            let _ = temp.file.close().await;
            let _ = temp.files.remove(&temp.path).await;
        }
        // Over a lost connection nothing can be cleared up here; its drop tries over a new one.
        temp.armed = lost;
        result
    }

    pub(super) async fn remove(&self, key: &Key) -> Result<()> {
        let tried = format!("Cannot delete {key} on {}", self.label);
        let path = server_names::path_of(&self.root, key)?;
        self.hashes.take(&path);
        let files = self.files(&tried).await?;
        if !self.features.posix_rename {
            self.remove_asides(&*files, &tried, &path).await?;
        }
        let Err(error) = files.remove(&path).await else { return Ok(()) };
        match error.class {
            // Absent is what was asked for; a folder that is gone is not.
            ErrorClass::Missing => self.is_there(&*files, &tried).await.map(drop),
            class if class.ends_the_run() => Err(self.error(&tried, error)),
            _ => match files.stat(&path).await {
                // A folder of that name is no object.
                Ok(stat) if stat.kind == RemoteKind::Dir => Ok(()),
                Err(gone) if gone.class == ErrorClass::Missing => Ok(()),
                _ => Err(self.error(&tried, error)),
            },
        }
    }
}

/// Cuts a stream into pieces, each full but the last.
fn cut(content: ByteStream) -> impl Stream<Item = std::io::Result<Bytes>> {
    futures::stream::unfold(Some(content), |content| async move {
        let mut content = content?;
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        while piece.len() < PIECE_BYTES {
            let room = PIECE_BYTES - piece.len();
            match (&mut content).take(room as u64).read_buf(&mut piece).await {
                Ok(0) if piece.is_empty() => return None,
                Ok(0) => return Some((Ok(piece.freeze()), None)),
                Ok(_) => {}
                Err(error) => return Some((Err(error), None)),
            }
        }
        Some((Ok(piece.freeze()), Some(content)))
    })
}
