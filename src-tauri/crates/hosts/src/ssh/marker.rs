//! Shells that talk before the command does: a `.bashrc` that greets, an `echo` in a profile.
//!
//! A line with a random word is printed by the login shell itself right before the command; what comes before it is
//! noise and thrown away. Only accounts found noisy pay for this.

use backstay_core::host::Process;
use backstay_core::{Error, ErrorClass};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

/// More noise than this is no greeting any more.
const NOISE_LIMIT: usize = 1 << 20;

/// A random word.
#[derive(Clone)]
pub struct Marker(String);

/// What came of looking for the marker.
pub enum Found {
    /// It was the first thing printed.
    First,
    /// Something was printed before it.
    AfterNoise,
    /// It was not printed; this was.
    Not(String),
}

impl Marker {
    /// Makes a fresh one.
    pub fn new() -> Self {
        Self(format!("backstay-{:016x}", rand::random::<u64>()))
    }

    /// Returns the command line that prints the marker, then runs `line`.
    pub fn command(&self, line: &[u8]) -> Vec<u8> {
        // `echo` and `;` mean the same in every shell.
        let mut command = format!("echo {};", self.0).into_bytes();
        command.extend_from_slice(line);
        command
    }

    fn end_in(&self, bytes: &[u8]) -> Option<usize> {
        let word = self.0.as_bytes();
        let at = bytes.windows(word.len()).position(|window| window == word)?;
        // fish and odd terminals may end lines with CR LF.
        let line_end = bytes[at + word.len()..].iter().position(|b| *b == b'\n')?;
        Some(at + word.len() + line_end + 1)
    }

    /// Looks for the marker in all that a command prints. What breaks off is an error: nothing is known of such an account.
    pub async fn find_in(&self, mut process: Process) -> io::Result<Found> {
        // An SFTP server in the place of a shell waits for requests, whatever it is asked to run.
        let _ = process.stdin.shutdown().await;
        let mut said = Vec::new();
        (&mut process.stdout).take(NOISE_LIMIT as u64).read_to_end(&mut said).await?;
        process.end().await;
        Ok(match self.end_in(&said) {
            Some(end) if end == self.0.len() + 1 => Found::First,
            Some(_) => Found::AfterNoise,
            None => Found::Not(String::from_utf8_lossy(&said).trim().to_owned()),
        })
    }

    /// Returns the process with everything up to the marker taken from its output.
    pub fn strip(&self, process: Process, label: &str) -> Process {
        let stdout =
            Stripped { inner: process.stdout, marker: Some(self.clone()), held: Vec::new(), label: label.into() };
        Process { stdout: Box::new(stdout), ..process }
    }
}

struct Stripped {
    inner: backstay_core::entry::ByteStream,
    /// `None` once it went by.
    marker: Option<Marker>,
    held: Vec<u8>,
    label: String,
}

impl AsyncRead for Stripped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while let Some(marker) = &this.marker {
            let mut piece = [0; 4096];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut piece))?;
            if piece.filled().is_empty() || this.held.len() > NOISE_LIMIT {
                let error = Error::new(
                    ErrorClass::Unsupported,
                    format!("The shell on {} printed text of its own and never ran the command", this.label),
                )
                .hint("In the account's .bashrc or .profile, print only when the shell is interactive")
                .detail(String::from_utf8_lossy(&this.held[..this.held.len().min(2000)]));
                return Poll::Ready(Err(error.into()));
            }
            this.held.extend_from_slice(piece.filled());
            if let Some(end) = marker.end_in(&this.held) {
                this.held.drain(..end);
                this.marker = None;
            }
        }
        if this.held.is_empty() {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        let n = buf.remaining().min(this.held.len());
        buf.put_slice(&this.held[..n]);
        this.held.drain(..n);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    async fn strip(noise: &str, payload: &str) -> io::Result<String> {
        let marker = Marker("backstay-test".into());
        let bytes = format!("{noise}{payload}").into_bytes();
        let mut stream = Stripped {
            inner: Box::new(tokio_util::io::StreamReader::new(futures::stream::iter(
                // Byte by byte: the marker must be found across packets.
                bytes.into_iter().map(|b| io::Result::Ok(bytes::Bytes::from(vec![b]))).collect::<Vec<_>>(),
            ))),
            marker: Some(marker),
            held: Vec::new(),
            label: "web".into(),
        };
        let mut text = String::new();
        stream.read_to_string(&mut text).await.map(|_| text)
    }

    #[tokio::test]
    async fn noise_goes_and_payload_stays() {
        assert_eq!(strip("Welcome!\nbackstay-test\n", "a\nbackstay-test\nb").await.unwrap(), "a\nbackstay-test\nb");
        assert_eq!(strip("backstay-test\r\n", "").await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_shell_that_never_runs_the_command_is_an_error() {
        let error = Error::io("", strip("This account is closed\n", "").await.unwrap_err());
        assert_eq!(error.class, ErrorClass::Unsupported);
        assert!(error.detail.unwrap().contains("closed"));
    }
}
