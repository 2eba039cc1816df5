//! A command on an SSH channel.
//!
//! One task a command takes what comes over the channel and sorts it into standard output, standard error and the
//! exit status. When a reader is slow the task waits, then the channel's queue fills, then the connection itself: so
//! memory stays bounded.

use super::link::Link;
use async_trait::async_trait;
use backstay_core::host::{ExitStatus, Process, ProcessControl};
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Packets of standard output that wait between the channel and its reader.
const STDOUT_PACKETS: usize = 16;
/// Pieces of standard error that wait. Wide, so that a command that complains a lot does not stop while its output is
/// being read first.
const STDERR_PACKETS: usize = 16_384;

/// How a command ended, once it did.
type End = Option<std::result::Result<ExitStatus, String>>;

/// Makes a process of a channel on which a command was started. The link lives as long as the process.
pub fn process(channel: Channel<Msg>, link: Arc<Link>, tried: String) -> Process {
    let (read_half, write_half) = channel.split();
    let (stdout_sender, stdout) = mpsc::channel(STDOUT_PACKETS);
    let (stderr_sender, stderr) = mpsc::channel(STDERR_PACKETS);
    let (end_sender, end) = watch::channel(None);
    let closed = CancellationToken::new();
    let kill = CancellationToken::new();
    let stdin =
        StdinWriter { inner: Box::pin(write_half.make_writer()), closed: Box::pin(closed.clone().cancelled_owned()) };
    let pump = Pump {
        read_half,
        write_half,
        stdout: Some(stdout_sender),
        stderr: Some(stderr_sender),
        status: None,
        complete: false,
        link,
    };
    tokio::spawn(pump.run(end_sender, kill.clone(), closed));
    Process {
        stdin: Box::new(stdin),
        stdout: Box::new(PacketReader { packets: stdout, rest: Bytes::new(), done: false }),
        stderr: Box::new(PacketReader { packets: stderr, rest: Bytes::new(), done: false }),
        control: Box::new(Control { end, kill, tried }),
    }
}

type Packets = mpsc::Sender<io::Result<Bytes>>;

struct Pump {
    read_half: ChannelReadHalf,
    write_half: ChannelWriteHalf<Msg>,
    stdout: Option<Packets>,
    stderr: Option<Packets>,
    status: Option<ExitStatus>,
    /// The server said that no more output follows. sshd tells the exit status as soon as the command is gone, while
    /// output may still be on its way: the status alone does not mean that all of it came.
    complete: bool,
    link: Arc<Link>,
}

impl Pump {
    async fn run(mut self, end: watch::Sender<End>, kill: CancellationToken, closed: CancellationToken) {
        let killed = tokio::select! {
            biased;
            () = kill.cancelled() => true,
            () = self.sort() => false,
        };
        closed.cancel();
        let Self { read_half, write_half, stdout, stderr, status, complete, link } = self;
        // From here on russh throws away what still comes, so that nobody waits for us.
        drop(read_half);
        if killed && status.is_none() {
            let _ = write_half.signal(Sig::TERM).await;
        }
        let _ = write_half.close().await;
        let result = match status {
            Some(status) if complete || killed => Ok(status),
            None if killed => Ok(ExitStatus::Signal),
            None if complete => Err("the command ended without an exit status".to_owned()),
            _ => Err(link.lost.text()),
        };
        let broken = match &result {
            Err(why) => Some(why.clone()),
            Ok(_) if killed => Some("the command was ended".to_owned()),
            Ok(_) => None,
        };
        // Given back before the end is told: whoever waits for it may want this connection for the next command.
        drop(link);
        end.send_replace(Some(result));
        // A stream still open here was never said to be complete: its reader must not take this for its end.
        if let Some(why) = broken {
            tokio::join!(break_off(stdout, &why), break_off(stderr, &why));
        }
    }

    /// Sorts messages until the channel ends.
    async fn sort(&mut self) {
        while let Some(message) = self.read_half.wait().await {
            match message {
                ChannelMsg::Data { data } => Self::hand_on(&mut self.stdout, data).await,
                ChannelMsg::ExtendedData { data, .. } => Self::hand_on(&mut self.stderr, data).await,
                ChannelMsg::Eof => {
                    self.complete = true;
                    self.stdout = None;
                    self.stderr = None;
                }
                ChannelMsg::ExitStatus { exit_status } => self.status = Some(ExitStatus::Code(exit_status)),
                ChannelMsg::ExitSignal { .. } => self.status = Some(ExitStatus::Signal),
                ChannelMsg::Close => {
                    self.complete = true;
                    break;
                }
                _ => {}
            }
        }
    }

    /// A reader that was dropped does not want the rest; the command goes on.
    async fn hand_on(to: &mut Option<Packets>, data: Bytes) {
        if let Some(sender) = to
            && sender.send(Ok(data)).await.is_err()
        {
            *to = None;
        }
    }
}

async fn break_off(stream: Option<Packets>, why: &str) {
    if let Some(stream) = stream {
        let _ = stream.send(Err(io::Error::new(io::ErrorKind::ConnectionReset, why))).await;
    }
}

struct PacketReader {
    packets: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
    done: bool,
}

impl AsyncRead for PacketReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            if self.done {
                return Poll::Ready(Ok(()));
            }
            match ready!(self.packets.poll_recv(cx)) {
                Some(Ok(packet)) => self.rest = packet,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => self.done = true,
            }
        }
        let n = buf.remaining().min(self.rest.len());
        buf.put_slice(&self.rest.split_to(n));
        Poll::Ready(Ok(()))
    }
}

/// Writes into the channel, and stops when the command is gone: russh itself would wait for ever for a window that
/// nobody opens any more.
struct StdinWriter<W> {
    inner: Pin<Box<W>>,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<W> StdinWriter<W> {
    fn is_closed(&mut self, cx: &mut Context<'_>) -> bool {
        self.closed.as_mut().poll(cx).is_ready()
    }
}

impl<W: AsyncWrite> AsyncWrite for StdinWriter<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.is_closed(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.inner.as_mut().poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_closed(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.inner.as_mut().poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_closed(cx) {
            return Poll::Ready(Ok(()));
        }
        self.inner.as_mut().poll_shutdown(cx)
    }
}

struct Control {
    end: watch::Receiver<End>,
    kill: CancellationToken,
    tried: String,
}

#[async_trait]
impl ProcessControl for Control {
    async fn wait(&mut self) -> Result<ExitStatus> {
        let lost = |tried: &str, why: &str| Error::new(ErrorClass::Offline, format!("{tried}: {why}"));
        match self.end.wait_for(Option::is_some).await {
            Ok(end) => match end.as_ref() {
                Some(Ok(status)) => Ok(*status),
                Some(Err(why)) => Err(lost(&self.tried, why)),
                None => Err(lost(&self.tried, "the connection was lost")),
            },
            Err(_) => Err(lost(&self.tried, "the connection was lost")),
        }
    }
    async fn kill(&mut self) {
        self.kill.cancel();
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.kill.cancel();
    }
}
