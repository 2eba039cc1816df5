//! Reading objects, from an offset by REST. A stream that gave its session back goes on by another transfer.

use super::client::Folder;
use super::errors::{self, cut_short, replaced};
use super::pool::Lease;
use super::session::Transfer;
use backstay_core::destination::{Direction, Key, PIECE};
use backstay_core::entry::ByteStream;
use backstay_core::{Error, ErrorClass, Result};
use bytes::{Bytes, BytesMut};
use std::cmp::Ordering;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use suppaftp::FtpError;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Pieces that wait for a reader.
const READY_PIECES: usize = 16;
/// Room made at once for an object whose size only the caller tells.
const TRUSTED_BYTES: u64 = 64 << 20;

/// Where a stream's pieces go.
type Reader = mpsc::Sender<io::Result<Bytes>>;

/// Why a download stopped in good order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// All of it was handed on, or nobody wants the rest.
    Over,
    /// Its session is of more use elsewhere for now.
    Paused,
}

/// What comes next of a download.
enum Next<'a> {
    /// A piece, and the room kept for it.
    Piece(mpsc::Permit<'a, io::Result<Bytes>>, Bytes),
    End,
    Broken(io::Error),
    Stop(Stop),
}

impl Folder {
    pub(super) async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        let tried = format!("Cannot read {key} on {}", self.label);
        if let Some(range) = range.as_ref().filter(|range| range.start > range.end) {
            let text = format!("Cannot read bytes {} to {} of {key}", range.start, range.end);
            return Err(Error::new(ErrorClass::Invalid, text));
        }
        let mut lease = self.pool.take(&tried).await?;
        let result = self.read_on(&mut lease, &tried, key, range).await;
        lease.done();
        result
    }

    async fn read_on(&self, lease: &mut Lease, tried: &str, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        // Asked first: without TLS an end that comes too early looks like any other.
        let size = self.size_of(lease, tried, key).await?;
        let (start, end) = range.map_or((0, size), |range| (range.start, range.end));
        if end > size {
            return Err(cut_short(tried, size, end));
        }
        if start == end {
            return Ok(Bytes::new());
        }
        let mut transfer = self.retrieve(lease, tried, key, start).await?;
        let wanted = end - start;
        let room = usize::try_from(wanted.min(TRUSTED_BYTES)).unwrap_or(0);
        let mut content = BytesMut::with_capacity(room);
        let mut broken = None;
        while (content.len() as u64) < wanted {
            let before = content.len();
            let most = (wanted - before as u64).min(PIECE as u64);
            match (&mut transfer).take(most).read_buf(&mut content).await {
                Ok(0) => break,
                Ok(read) => self.traffic.pass(Direction::Down, read).await,
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
        if content.len() as u64 == wanted {
            if end < size {
                lease.session()?.leave(transfer);
            } else {
                self.hear_the_end(lease, tried, transfer, None).await?;
            }
            return Ok(content.freeze());
        }
        self.hear_the_end(lease, tried, transfer, broken).await?;
        Err(self.ended_early(lease, tried, key, start + content.len() as u64, end).await)
    }

    /// The error of content that ended before its end: the object is shorter now, or the connection broke off in silence.
    async fn ended_early(&self, lease: &mut Lease, tried: &str, key: &Key, at: u64, end: u64) -> Error {
        match self.size_of(lease, tried, key).await {
            Ok(size) if size >= end => {
                Error::new(ErrorClass::Offline, format!("{tried}: the data connection ended early"))
            }
            Ok(size) => cut_short(tried, size.max(at), end),
            Err(error) => error,
        }
    }

    /// Ends a download at whose end we are. The server's word counts: a connection that closed early looks like an end.
    async fn hear_the_end(
        &self,
        lease: &mut Lease,
        tried: &str,
        transfer: Transfer,
        broken: Option<io::Error>,
    ) -> Result<()> {
        let ended = lease.session()?.end_download(transfer).await;
        lease.judge(tried, ended)?;
        broken.map_or(Ok(()), |error| lease.judge(tried, Err(FtpError::ConnectionError(error))))
    }

    async fn retrieve(&self, lease: &mut Lease, tried: &str, key: &Key, offset: u64) -> Result<Transfer> {
        let path = self.path_of(key)?;
        match lease.session()?.transfer(format!("RETR {path}"), offset).await {
            Ok(transfer) => Ok(transfer),
            Err(error) if errors::may_be_absent(&error) => Err(self.why_not(lease, tried, key, error).await),
            Err(error) => lease.judge(tried, Err(error)),
        }
    }

    pub(super) async fn read_stream(self: Arc<Self>, key: &Key, offset: u64) -> Result<ByteStream> {
        let tried = format!("Cannot read {key} on {}", self.label);
        let mut lease = self.pool.take(&tried).await?;
        let begun = self.begin_stream(&mut lease, &tried, key, offset).await;
        let (transfer, size) = match begun {
            Ok(Some(begun)) => begun,
            Ok(None) => {
                lease.done();
                return Ok(Box::new(io::Cursor::new(Vec::new())));
            }
            Err(error) => {
                lease.done();
                return Err(error);
            }
        };
        let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(READY_PIECES);
        let key = key.clone();
        tokio::spawn(async move {
            if let Err(error) = self.hand_on((&tried, &key), (lease, transfer), offset..size, &sender).await {
                let _ = sender.send(Err(error.into())).await;
            }
        });
        let stream = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx));
        Ok(Box::new(tokio_util::io::StreamReader::new(stream)))
    }

    /// Opens the transfer; `None` when there is nothing after the offset.
    async fn begin_stream(
        &self,
        lease: &mut Lease,
        tried: &str,
        key: &Key,
        offset: u64,
    ) -> Result<Option<(Transfer, u64)>> {
        let size = self.size_of(lease, tried, key).await?;
        if offset > size {
            return Err(cut_short(tried, size, offset));
        }
        if offset == size {
            return Ok(None);
        }
        Ok(Some((self.retrieve(lease, tried, key, offset).await?, size)))
    }

    /// Hands content on as it is read. Where the session was given back, it goes on when somebody reads on.
    async fn hand_on(
        &self,
        (tried, key): (&str, &Key),
        (mut lease, mut transfer): (Lease, Transfer),
        mut left: Range<u64>,
        to: &Reader,
    ) -> Result<()> {
        loop {
            let stop = self.pump(&mut lease, (tried, key), transfer, &mut left, to).await?;
            lease.done();
            if stop == Stop::Over || to.reserve().await.is_err() {
                return Ok(());
            }
            lease = tokio::select! {
                biased;
                () = to.closed() => return Ok(()),
                taken = self.pool.take(tried) => taken?,
            };
            transfer = match self.go_on(&mut lease, (tried, key), &left).await {
                Ok(transfer) => transfer,
                Err(error) => {
                    lease.done();
                    return Err(error);
                }
            };
        }
    }

    /// Hands on what is left, piece by piece, until its end or until the session is better given back.
    async fn pump(
        &self,
        lease: &mut Lease,
        (tried, key): (&str, &Key),
        mut transfer: Transfer,
        left: &mut Range<u64>,
        to: &Reader,
    ) -> Result<Stop> {
        let (mut broken, since) = (None, Instant::now());
        while left.start < left.end {
            let most = (left.end - left.start).min(PIECE as u64);
            let next = tokio::select! {
                biased;
                // Not only when the next piece is here: it may never come.
                () = to.closed() => Next::Stop(Stop::Over),
                () = self.pool.turns.is_wanted(since) => Next::Stop(Stop::Paused),
                next = next_piece(&mut transfer, most, to, self.pool.waits.reader) => next,
            };
            match next {
                Next::Piece(room, piece) => {
                    left.start += piece.len() as u64;
                    self.traffic.pass(Direction::Down, piece.len()).await;
                    room.send(Ok(piece));
                }
                Next::End => break,
                Next::Broken(error) => {
                    broken = Some(error);
                    break;
                }
                Next::Stop(stop) => {
                    lease.session()?.leave(transfer);
                    return Ok(stop);
                }
            }
        }
        self.hear_the_end(lease, tried, transfer, broken).await?;
        match left.is_empty() {
            true => Ok(Stop::Over),
            false => Err(self.ended_early(lease, tried, key, left.start, left.end).await),
        }
    }

    /// Begins another transfer of what is left of an object, if it still is as long as it was.
    async fn go_on(&self, lease: &mut Lease, (tried, key): (&str, &Key), left: &Range<u64>) -> Result<Transfer> {
        let size = self.size_of(lease, tried, key).await?;
        match size.cmp(&left.end) {
            Ordering::Less => Err(cut_short(tried, size, left.end)),
            Ordering::Greater => Err(replaced(tried, left.end, size)),
            Ordering::Equal => self.retrieve(lease, tried, key, left.start).await,
        }
    }
}

/// Waits for room, then reads the next piece. A reader that makes no room for long does not need the session.
async fn next_piece<'a>(transfer: &mut Transfer, most: u64, to: &'a Reader, patience: Duration) -> Next<'a> {
    let room = match tokio::time::timeout(patience, to.reserve()).await {
        Ok(Ok(room)) => room,
        Ok(Err(_)) => return Next::Stop(Stop::Over),
        Err(_) => return Next::Stop(Stop::Paused),
    };
    let mut piece = BytesMut::with_capacity(PIECE);
    match transfer.take(most).read_buf(&mut piece).await {
        Ok(0) => Next::End,
        Ok(_) => Next::Piece(room, piece.freeze()),
        Err(error) => Next::Broken(error),
    }
}
