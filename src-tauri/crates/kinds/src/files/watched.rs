//! Content on its way: counts for progress, and stops when the run is cancelled.

use backstay_core::{Error, RunContext};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// Wraps any reader so that its bytes count as progress and a cancelled run ends it.
pub(super) fn watched<'a, R>(inner: &'a mut R, ctx: &'a RunContext) -> impl AsyncRead + Unpin + Send + 'a
where
    R: AsyncRead + Unpin + Send,
{
    Watched { inner, ctx }
}

struct Watched<'a, R> {
    inner: &'a mut R,
    ctx: &'a RunContext,
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<'_, R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ctx.cancel.is_cancelled() {
            return Poll::Ready(Err(io::Error::other(Error::cancelled())));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *this.inner).poll_read(cx, buffer))?;
        this.ctx.progress.advance(0, (buffer.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}
