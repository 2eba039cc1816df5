//! Reading objects, with many pieces asked for ahead.

use super::client::Folder;
use super::config::{PIECE_BYTES, PIECES};
use super::errors::{cut_short, no_object};
use crate::server_names;
use backstay_core::destination::{Direction, Key, ObjectInfo};
use backstay_core::entry::ByteStream;
use backstay_core::remote::{RemoteFile, RemoteKind, RemoteOpen, RemoteStat};
use backstay_core::{Error, ErrorClass, Result};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Room made at once for an object whose size only the server tells.
const TRUSTED_BYTES: u64 = 64 << 20;
/// Pieces that wait for a reader.
const READY_PIECES: usize = 16;

impl Folder {
    pub(super) async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        let tried = format!("Cannot read {key} on {}", self.label);
        let file = self.open_object(key, &tried).await?;
        let stat = async { file.stat().await.map_err(|error| self.error(&tried, error)) };
        let Some(range) = range else {
            let size = self.of_object(key, stat.await?)?.size_bytes;
            return self.read_range(&*file, key, 0..size, size).await;
        };
        if range.start > range.end {
            let text = format!("Cannot read bytes {} to {} of {key}", range.start, range.end);
            return Err(Error::new(ErrorClass::Invalid, text));
        }
        // Asked for at the same time as the size: one way less.
        let (stat, content) = tokio::join!(stat, self.read_range(&*file, key, range.clone(), range.end));
        let size = self.of_object(key, stat?)?.size_bytes;
        if range.end > size {
            return Err(cut_short(self, key, size, range.end));
        }
        content
    }

    async fn read_range(&self, file: &dyn RemoteFile, key: &Key, range: Range<u64>, end: u64) -> Result<Bytes> {
        let tried = format!("Cannot read {key} on {}", self.label);
        let wanted = range.end - range.start;
        let starts = (0..wanted.div_ceil(PIECE_BYTES as u64)).map(|piece| range.start + piece * PIECE_BYTES as u64);
        let mut pieces = futures::stream::iter(starts)
            .map(|start| {
                let length = piece_length(range.end - start);
                async move { (start, length, file.read_at(start, length).await) }
            })
            .buffered(PIECES);
        let room = usize::try_from(wanted.min(TRUSTED_BYTES)).unwrap_or(0);
        let mut content = BytesMut::with_capacity(room);
        while let Some((start, length, piece)) = pieces.next().await {
            let piece = piece.map_err(|error| self.error(&tried, error))?;
            self.traffic.pass(Direction::Down, piece.len()).await;
            if piece.len() < length {
                return Err(cut_short(self, key, start + piece.len() as u64, end));
            }
            if wanted == length as u64 {
                return Ok(piece);
            }
            content.extend_from_slice(&piece);
        }
        Ok(content.freeze())
    }

    pub(super) async fn read_stream(self: Arc<Self>, key: &Key, offset: u64) -> Result<ByteStream> {
        let tried = format!("Cannot read {key} on {}", self.label);
        let file = self.open_object(key, &tried).await?;
        let stat = file.stat().await.map_err(|error| self.error(&tried, error))?;
        let size = self.of_object(key, stat)?.size_bytes;
        if offset > size {
            return Err(cut_short(&self, key, size, offset));
        }
        let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(READY_PIECES);
        let key = key.clone();
        tokio::spawn(async move {
            if let Err(error) = self.read_ahead(file, &key, offset..size, &sender).await {
                let _ = sender.send(Err(error.into())).await;
            }
        });
        let stream = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx));
        Ok(Box::new(tokio_util::io::StreamReader::new(stream)))
    }

    /// Reads to the end, in order, until nobody wants it any more.
    async fn read_ahead(
        &self,
        file: Arc<dyn RemoteFile>,
        key: &Key,
        range: Range<u64>,
        to: &mpsc::Sender<io::Result<Bytes>>,
    ) -> Result<()> {
        let tried = format!("Cannot read {key} on {}", self.label);
        let mut next = range.start;
        // Grows as answers come: who wants only the beginning does not get all.
        let mut width = 4;
        let mut asked = VecDeque::new();
        loop {
            while asked.len() < width && next < range.end {
                let (file, start, length) = (file.clone(), next, piece_length(range.end - next));
                // A task of its own asks at once, not when its turn comes.
                let piece = tokio::spawn(async move { file.read_at(start, length).await });
                asked.push_back((start, length, AbortOnDrop(piece)));
                next += length as u64;
            }
            width = (width * 2).min(PIECES);
            let Some((start, length, mut piece)) = asked.pop_front() else { return Ok(()) };
            let ended = |error| Error::new(ErrorClass::Internal, "A read ended unexpectedly").source(error);
            let piece = (&mut piece.0).await.map_err(ended)?.map_err(|error| self.error(&tried, error))?;
            self.traffic.pass(Direction::Down, piece.len()).await;
            let short = (piece.len() < length).then(|| start + piece.len() as u64);
            if to.send(Ok(piece)).await.is_err() {
                return Ok(());
            }
            if let Some(has) = short {
                return Err(cut_short(self, key, has, range.end));
            }
        }
    }

    pub(super) async fn look_at(&self, key: &Key) -> Result<ObjectInfo> {
        let tried = format!("Cannot find {key} on {}", self.label);
        let path = server_names::path_of(&self.root, key)?;
        let files = self.files(&tried).await?;
        match files.stat(&path).await {
            Ok(stat) => {
                let stat = self.of_object(key, stat)?;
                Ok(ObjectInfo { key: key.clone(), size_bytes: stat.size_bytes, modified: stat.modified })
            }
            Err(error) if error.class == ErrorClass::Missing => {
                self.is_there(&*files, &tried).await?;
                Err(no_object(self, key))
            }
            Err(error) => Err(self.error(&tried, error)),
        }
    }

    async fn open_object(&self, key: &Key, tried: &str) -> Result<Arc<dyn RemoteFile>> {
        let path = server_names::path_of(&self.root, key)?;
        let files = self.files(tried).await?;
        let error = match files.open_file(&path, RemoteOpen::Read).await {
            Ok(file) => return Ok(file),
            Err(error) => error,
        };
        if error.class == ErrorClass::Missing {
            self.is_there(&*files, tried).await?;
            return Err(no_object(self, key));
        }
        // Some servers refuse to open a folder, and do not say that it is one.
        if !error.class.ends_the_run() && files.stat(&path).await.is_ok_and(|stat| stat.kind != RemoteKind::File) {
            return Err(no_object(self, key));
        }
        Err(self.error(tried, error))
    }

    /// A folder of that name is no object.
    fn of_object(&self, key: &Key, stat: RemoteStat) -> Result<RemoteStat> {
        if stat.kind == RemoteKind::File { Ok(stat) } else { Err(no_object(self, key)) }
    }
}

fn piece_length(left: u64) -> usize {
    usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES)
}

/// A task that nobody will wait for is ended.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
