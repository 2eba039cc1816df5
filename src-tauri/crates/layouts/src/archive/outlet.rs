//! The way from the writing thread to the destination: seals on the way, and never looks finished unless it is.

use super::seal::Sealer;
use backstay_core::entry::ByteStream;
use backstay_core::{Error, Result};
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

/// Pieces that may wait for the destination.
const QUEUE: usize = 4;

/// The writing end. Blocks.
pub(crate) struct Outlet {
    sealer: Option<Sealer>,
    sender: mpsc::Sender<Option<Bytes>>,
    sent: Arc<AtomicU64>,
}

/// Makes both ends. The reading end is an error, not an end, where the writing end is dropped without
/// [`Outlet::finish`]. `sent` counts what went through.
pub(crate) fn outlet(sealer: Option<Sealer>, header: &[u8], sent: Arc<AtomicU64>) -> (Outlet, ByteStream) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let header = Bytes::copy_from_slice(header);
    sent.fetch_add(header.len() as u64, Ordering::Relaxed);
    let first = futures::stream::iter((!header.is_empty()).then_some(Ok::<_, io::Error>(header)));
    let rest = futures::stream::unfold(Some(receiver), |receiver| async {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(None) => None,
            None => Some((Err(Error::cancelled().into()), None)),
        }
    });
    let stream = futures::StreamExt::chain(first, rest);
    (Outlet { sealer, sender, sent }, Box::new(StreamReader::new(Box::pin(stream))))
}

impl Outlet {
    fn send(sender: &mpsc::Sender<Option<Bytes>>, sent: &AtomicU64, bytes: Vec<u8>) -> io::Result<()> {
        sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        sender.blocking_send(Some(bytes.into())).map_err(|_| io::Error::other("the destination takes no more"))
    }

    /// Sends the last segment, and that it was the last.
    pub async fn finish(self) -> Result<()> {
        let lost = |_| Error::new(backstay_core::ErrorClass::Internal, "The destination takes no more");
        if let Some(sealer) = self.sealer {
            let last = sealer.finish()?;
            self.sent.fetch_add(last.len() as u64, Ordering::Relaxed);
            self.sender.send(Some(last.into())).await.map_err(lost)?;
        }
        self.sender.send(None).await.map_err(lost)
    }
}

impl io::Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (sender, sent) = (&self.sender, &self.sent);
        match &mut self.sealer {
            Some(sealer) => sealer.push(bytes, |segment| Self::send(sender, sent, segment))?,
            None => Self::send(sender, sent, bytes.to_vec())?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
