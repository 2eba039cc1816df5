//! An object read in one stream, for places where each read that stops before the object's end costs a download of its
//! own: what is asked for in order comes out of one.

use backstay_core::destination::{Destination, Key};
use backstay_core::entry::ByteStream;
use backstay_core::{Error, ErrorClass, Result};
use bytes::{Bytes, BytesMut};
use std::ops::Range;
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::sync::{mpsc, oneshot};

/// So many bytes are read over rather than opening another stream.
const READ_OVER: u64 = 4 << 20;

/// Answers reads of one object, one after another. Its stream ends with it.
pub(super) struct Line {
    wanted: mpsc::UnboundedSender<Wanted>,
}

struct Wanted {
    range: Range<u64>,
    answer: oneshot::Sender<Result<Bytes>>,
}

/// A stream, and where it stands in the object.
struct Open {
    at: u64,
    stream: ByteStream,
}

impl Line {
    /// Starts it. Nothing is read before it is asked for.
    pub fn start(destination: Arc<dyn Destination>, key: Key) -> Self {
        let (wanted, queue) = mpsc::unbounded_channel();
        tokio::spawn(serve(destination, key, queue));
        Self { wanted }
    }

    /// Asks for a range. What is asked for first is read first; what nobody waits for any more is not read.
    pub fn ask(&self, range: Range<u64>) -> oneshot::Receiver<Result<Bytes>> {
        let (answer, asked) = oneshot::channel();
        // Where nobody serves any more the answer is dropped, and whoever waits for it hears that.
        let _ = self.wanted.send(Wanted { range, answer });
        asked
    }
}

async fn serve(destination: Arc<dyn Destination>, key: Key, mut queue: mpsc::UnboundedReceiver<Wanted>) {
    let mut open = None;
    while let Some(Wanted { range, mut answer }) = queue.recv().await {
        if answer.is_closed() {
            continue;
        }
        let read = tokio::select! {
            biased;
            // In the middle of a read nobody knows where its stream stands: it is dropped with the read.
            () = answer.closed() => continue,
            read = read_range(destination.as_ref(), &key, open.take(), range) => read,
        };
        // Whoever asked may be gone by now.
        let _ = match read {
            Ok((content, stream)) => {
                open = Some(stream);
                answer.send(Ok(content))
            }
            Err(error) => answer.send(Err(error)),
        };
    }
}

/// Reads a range: from the open stream if it comes there soon, else from a new one.
async fn read_range(
    destination: &dyn Destination,
    key: &Key,
    open: Option<Open>,
    range: Range<u64>,
) -> Result<(Bytes, Open)> {
    let comes_there = |open: &Open| open.at <= range.start && range.start - open.at <= READ_OVER;
    let mut open = match open.filter(comes_there) {
        Some(open) => open,
        // The one before is closed by now: a place may have no connection for a second one.
        None => Open { at: range.start, stream: destination.get_stream(key, range.start).await? },
    };
    let failed = |error| Error::io(format!("Cannot read {key} at {}", destination.label()), error);
    let mut over = (&mut open.stream).take(range.start - open.at);
    tokio::io::copy(&mut over, &mut tokio::io::sink()).await.map_err(failed)?;
    let wanted = range.end - range.start;
    // A few segments at most, which have a largest size.
    let mut content = BytesMut::with_capacity(usize::try_from(wanted).unwrap_or(0));
    let mut limited = (&mut open.stream).take(wanted);
    while (content.len() as u64) < wanted {
        if limited.read_buf(&mut content).await.map_err(failed)? == 0 {
            let text = format!(
                "Cannot read {key} at {}: it ends before byte {}, where it should not",
                destination.label(),
                range.end
            );
            return Err(Error::new(ErrorClass::Corrupt, text));
        }
    }
    open.at = range.end;
    Ok((content.freeze(), open))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use backstay_lab::MemoryDestination;
    use backstay_lab::destination_contract::noise;
    use backstay_lab::memory_destination::Operation;

    const MIB: u64 = 1 << 20;

    /// An object of 16 MiB, a line to it, and its content.
    fn place() -> (MemoryDestination, Line, Bytes) {
        let (memory, content) = (MemoryDestination::new(), noise(1, 16 << 20));
        memory.tamper("a", Some(content.clone()));
        let line = Line::start(Arc::new(memory.clone()), Key::new("a").unwrap());
        (memory, line, content)
    }

    #[tokio::test]
    async fn what_is_asked_for_in_order_comes_out_of_one_stream() {
        let (memory, line, content) = place();
        // Asked for ahead, with a gap, and up to the end.
        let ranges = [0..MIB, MIB..3 * MIB, 6 * MIB..7 * MIB + 1, 7 * MIB + 1..16 * MIB];
        let asked: Vec<_> = ranges.iter().map(|range| line.ask(range.clone())).collect();
        for (range, asked) in ranges.iter().zip(asked) {
            let read = asked.await.unwrap().unwrap();
            assert!(read == content.slice(range.start as usize..range.end as usize), "{range:?}");
        }
        assert_eq!(memory.count(Operation::Get), 1);
    }

    #[tokio::test]
    async fn what_lies_back_or_far_ahead_comes_out_of_another() {
        let (memory, line, content) = place();
        for (range, streams) in [(5 * MIB..6 * MIB, 1), (0..MIB, 2), (MIB..2 * MIB, 2), (7 * MIB..8 * MIB, 3)] {
            let read = line.ask(range.clone()).await.unwrap().unwrap();
            assert!(read == content.slice(range.start as usize..range.end as usize), "{range:?}");
            assert_eq!(memory.count(Operation::Get), streams, "{range:?}");
        }
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_read() {
        let (memory, line, _) = place();
        let first = line.ask(0..10);
        drop(line.ask(12 * MIB..13 * MIB));
        let second = line.ask(10..20);
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
        assert_eq!(memory.count(Operation::Get), 1);
    }

    #[tokio::test]
    async fn an_object_that_is_too_short_or_gone_is_told_and_another_read_goes_on() {
        let (memory, line, content) = place();
        let end = 16 * MIB;
        for range in [end - 10..end + 1, end + 5..end + 6] {
            let error = line.ask(range).await.unwrap().unwrap_err();
            assert_eq!(error.class, ErrorClass::Corrupt, "{error}");
        }
        assert!(line.ask(1..5).await.unwrap().unwrap() == content.slice(1..5));
        memory.tamper("a", None);
        assert_eq!(line.ask(0..1).await.unwrap().unwrap_err().class, ErrorClass::Missing);
    }
}
