//! A stream that goes on where it broke off.

use super::Trier;
use backstay_core::destination::{Destination, Key};
use backstay_core::entry::ByteStream;
use backstay_core::{Error, Result};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

pub(super) struct RetryStream {
    inner: Arc<dyn Destination>,
    key: Key,
    /// Where the next byte lies in the object.
    offset: u64,
    state: State,
    tries: Arc<Trier>,
}

enum State {
    Reading(ByteStream),
    Reopening(Pin<Box<dyn Future<Output = Result<ByteStream>> + Send>>),
}

impl RetryStream {
    pub(super) fn new(
        inner: Arc<dyn Destination>,
        key: &Key,
        offset: u64,
        stream: ByteStream,
        tries: Arc<Trier>,
    ) -> Self {
        Self { inner, key: key.clone(), offset, state: State::Reading(stream), tries }
    }

    /// Waits, opens the object at the offset, and reads from it: a stream that breaks off again without a byte counts as
    /// another failure of the same try, so that the waits grow.
    fn reopen(&self, error: Error) -> Pin<Box<dyn Future<Output = Result<ByteStream>> + Send>> {
        let (inner, key, offset, tries) = (Arc::clone(&self.inner), self.key.clone(), self.offset, self.tries.clone());
        Box::pin(async move {
            let mut round = tries.begin();
            let mut failed = error;
            loop {
                round.wait(failed).await?;
                let opened = tries.once(async { open_with_a_byte(&*inner, &key, offset).await }).await;
                match opened {
                    Ok(stream) => return Ok(stream),
                    Err(error) => failed = error,
                }
            }
        })
    }
}

async fn open_with_a_byte(inner: &dyn Destination, key: &Key, offset: u64) -> Result<ByteStream> {
    use tokio::io::AsyncReadExt;
    let mut stream = inner.get_stream(key, offset).await?;
    let mut first = vec![0; 1];
    let tried = || format!("Cannot read {key} on {}", inner.label());
    let read = stream.read(&mut first).await.map_err(|error| Error::io(tried(), error))?;
    first.truncate(read);
    Ok(Box::new(io::Cursor::new(first).chain(stream)))
}

impl AsyncRead for RetryStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.state {
                State::Reading(stream) => {
                    let before = out.filled().len();
                    match ready!(Pin::new(stream).poll_read(cx, out)) {
                        Ok(()) => {
                            self.offset += (out.filled().len() - before) as u64;
                            return Poll::Ready(Ok(()));
                        }
                        Err(error) => {
                            let tried = format!("Cannot read {} on {}", self.key, self.inner.label());
                            let error = Error::io(tried, error);
                            if !error.class.may_retry() {
                                return Poll::Ready(Err(error.into()));
                            }
                            self.state = State::Reopening(self.reopen(error));
                        }
                    }
                }
                State::Reopening(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Ok(stream) => self.state = State::Reading(stream),
                    Err(error) => {
                        self.state = State::Reading(Box::new(tokio::io::empty()));
                        return Poll::Ready(Err(error.into()));
                    }
                },
            }
        }
    }
}
