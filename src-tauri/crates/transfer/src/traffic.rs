//! Bytes seen by a [`Traffic`], piece by piece.

use backstay_core::destination::{Direction, PIECE, Traffic};
use backstay_core::entry::ByteStream;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// Lets so many bytes pass, in pieces of at most [`PIECE`].
pub async fn pass(traffic: &dyn Traffic, direction: Direction, bytes: usize) {
    let mut left = bytes;
    while left > 0 {
        let piece = left.min(PIECE);
        traffic.pass(direction, piece).await;
        left -= piece;
    }
}

/// Wraps a stream so that each piece read from it passes `traffic` before the reader gets it.
pub fn paced(stream: ByteStream, traffic: Arc<dyn Traffic>, direction: Direction) -> ByteStream {
    Box::new(Paced { stream, traffic, direction, buffer: vec![0; PIECE].into(), filled: 0, given: 0, passing: None })
}

struct Paced {
    stream: ByteStream,
    traffic: Arc<dyn Traffic>,
    direction: Direction,
    buffer: Box<[u8]>,
    filled: usize,
    given: usize,
    passing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if let Some(passing) = &mut this.passing {
                ready!(passing.as_mut().poll(cx));
                this.passing = None;
            }
            if this.given < this.filled {
                let count = out.remaining().min(this.filled - this.given);
                out.put_slice(&this.buffer[this.given..this.given + count]);
                this.given += count;
                return Poll::Ready(Ok(()));
            }
            if out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut read = ReadBuf::new(&mut this.buffer);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            let count = read.filled().len();
            if count == 0 {
                return Poll::Ready(Ok(()));
            }
            (this.filled, this.given) = (count, 0);
            let (traffic, direction) = (Arc::clone(&this.traffic), this.direction);
            this.passing = Some(Box::pin(async move { traffic.pass(direction, count).await }));
        }
    }
}
