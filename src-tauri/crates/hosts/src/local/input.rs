//! The input of a process of this computer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::process::ChildStdin;

/// A process's input. Shut down, it is closed: that of tokio stays open until it is dropped, and the process waits for more.
pub struct Input(Option<ChildStdin>);

impl Input {
    /// Wraps the input of a process.
    pub fn new(stdin: ChildStdin) -> Self {
        Self(Some(stdin))
    }

    fn open(&mut self) -> io::Result<Pin<&mut ChildStdin>> {
        self.0.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl AsyncWrite for Input {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.open()?.poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.as_mut() {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = ready!(self.as_mut().poll_flush(cx));
        self.0 = None;
        Poll::Ready(written)
    }
}
