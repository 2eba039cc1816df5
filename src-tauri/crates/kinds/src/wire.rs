//! Compression on the wire: the server's zstd or gzip packs, this computer unpacks; else the connection itself does.

use backstay_core::entry::ByteStream;
use bytes::Bytes;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};

/// How a stream is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not at all.
    None,
    /// By gzip.
    Gzip,
    /// By zstd.
    Zstd,
    /// By the connection, where it can: the stream itself is as it is.
    Line,
}

impl Packing {
    /// Says what packs.
    pub(crate) fn by(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Gzip => "the server's gzip",
            Self::Zstd => "the server's zstd",
            Self::Line => "SSH",
        }
    }
}

const PIECE: usize = 256 << 10;
/// Unpacked pieces that may wait: bounds memory to a few MiB.
const AHEAD: usize = 16;

/// Unpacks a stream on a thread of its own, a few MiB ahead of its reader. A stream cut short is `UnexpectedEof`.
pub(crate) fn unpack(packed: impl AsyncRead + Send + Unpin + 'static, packing: Packing) -> ByteStream {
    if matches!(packing, Packing::None | Packing::Line) {
        return Box::new(packed);
    }
    let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(AHEAD);
    let packed = io::BufReader::with_capacity(PIECE, SyncIoBridge::new(packed));
    tokio::task::spawn_blocking(move || {
        if let Err(error) = pump(packed, packing, &sender) {
            let _ = sender.blocking_send(Err(error));
        }
    });
    Box::new(StreamReader::new(futures::stream::poll_fn(move |cx| receiver.poll_recv(cx))))
}

fn pump(packed: impl io::BufRead, packing: Packing, sender: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    // Reading in pieces of fixed size bounds memory however well the data was packed.
    let mut unpacker: Box<dyn Read> = match packing {
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        _ => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
    };
    loop {
        let mut piece = vec![0; PIECE];
        let read = unpacker.read(&mut piece)?;
        piece.truncate(read);
        if read == 0 || sender.blocking_send(Ok(piece.into())).is_err() {
            return Ok(());
        }
    }
}

/// Counts the bytes that pass.
pub(crate) struct Meter<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R> Meter<R> {
    /// Wraps a reader; the counter can be read at any time.
    pub(crate) fn new(inner: R) -> (Self, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        (Self { inner, count: count.clone() }, count)
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Meter<R> {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = std::pin::Pin::new(&mut this.inner).poll_read(cx, buffer);
        this.count.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        polled
    }
}
