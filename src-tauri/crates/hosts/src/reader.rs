//! A command's output as a stream that fails when the command failed.

use backstay_core::entry::ByteStream;
use backstay_core::host::{Process, read_tail};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

type End = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// Reads a command's standard output; at its end the command must have ended well, or the read fails. So a file that
/// breaks off half way is never taken for a short file.
pub struct CommandReader {
    stdout: ByteStream,
    // The mutex only makes the reader Sync; nobody ever waits for it.
    end: Mutex<Option<End>>,
}

impl CommandReader {
    /// Takes over a process. `tried` reads like "Cannot read /x on web-1".
    pub fn new(process: Process, tried: String) -> Self {
        let Process { stdin, stdout, mut stderr, mut control } = process;
        let end = async move {
            let said = read_tail(&mut stderr, 4096).await;
            let status = control.wait().await?;
            drop(stdin);
            if status.success() { Ok(()) } else { Err(crate::error_text::from_stderr(tried, status, &said).into()) }
        };
        Self { stdout, end: Mutex::new(Some(Box::pin(end))) }
    }
}

impl AsyncRead for CommandReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stdout).poll_read(cx, buf))?;
        if buf.filled().len() > before || buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(future) = end {
            let result = ready!(future.as_mut().poll(cx));
            *end = None;
            result?;
        }
        Poll::Ready(Ok(()))
    }
}
