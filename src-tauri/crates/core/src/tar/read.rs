//! A stream of blocks back to entries.

use super::decode::{is_old_dir, make_entry, number, until_nul};
use super::extra::Extra;
use super::sparse::{self, damaged};
use super::{BLOCK, padding};
use crate::entry::Entry;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, BufReader, ReadBuf};

/// Large enough that a fast link is read in few pieces.
const READ_BUFFER: usize = 256 << 10;
/// Pax records or a long name larger than this are taken for damage.
const EXTENSION_LIMIT: u64 = 16 << 20;

/// One entry of a tar stream.
#[derive(Clone, Debug)]
pub struct TarEntry {
    /// Its metadata. The path is relative and normalised; its size is that of the file with its holes.
    pub entry: Entry,
    /// Its name exactly as it stands in the archive.
    pub name: Vec<u8>,
    /// The name it is a further hard link of, as it stands in the archive; such an entry has no content of its own.
    pub hard_link_to: Option<Vec<u8>>,
    /// Its holes, as sorted, non-overlapping (offset, length) pairs. The content yields zeros there.
    pub holes: Vec<(u64, u64)>,
    /// The names of its extended attributes that were left out, because they are not UTF-8.
    pub odd_xattrs: Vec<Vec<u8>>,
}

/// Reads a tar stream entry by entry. After [`TarReader::next`], reading the reader itself yields that entry's content.
///
/// A stream that ends before the two blocks of zeros is an `UnexpectedEof`, so that a cut stream never looks whole.
/// What contradicts itself, and names with `..`, are `InvalidData`.
pub struct TarReader<R> {
    inner: BufReader<R>,
    /// Bytes of the current entry still in the stream, then its padding.
    left: u64,
    padding: u64,
    /// Where its data lies in the file, which of these comes next, and where in the file we are.
    segments: Vec<(u64, u64)>,
    segment: usize,
    at: u64,
    size: u64,
    ended: bool,
}

impl<R: AsyncRead + Unpin> TarReader<R> {
    /// Makes a reader over a stream of blocks.
    pub fn new(inner: R) -> Self {
        Self {
            inner: BufReader::with_capacity(READ_BUFFER, inner),
            left: 0,
            padding: 0,
            segments: Vec::new(),
            segment: 0,
            at: 0,
            size: 0,
            ended: false,
        }
    }

    /// Returns the next entry, or `None` after the end blocks. Content that was not read is skipped.
    pub async fn next(&mut self) -> io::Result<Option<TarEntry>> {
        if self.ended {
            return Ok(None);
        }
        let rest = self.left + self.padding;
        self.skip(rest).await?;
        (self.left, self.padding, self.size, self.at) = (0, 0, 0, 0);
        self.segments.clear();
        let mut extra = Extra::default();
        loop {
            let Some(block) = self.block().await? else {
                return Ok(None);
            };
            let size = extra.size.map_or_else(|| number(&block[124..136]), Ok)?;
            match block[156] {
                b'x' => extra.read_pax(&self.extension(number(&block[124..136])?).await?)?,
                b'g' => drop(self.extension(number(&block[124..136])?).await?),
                b'L' => extra.name = Some(until_nul(&self.extension(number(&block[124..136])?).await?).to_vec()),
                b'K' => extra.link = Some(until_nul(&self.extension(number(&block[124..136])?).await?).to_vec()),
                // A volume label, or a part of a multi-volume archive: nothing of ours.
                b'V' | b'M' | b'N' => self.skip(size + padding(size) as u64).await?,
                _ => return self.entry(&block, size, extra).await.map(Some),
            }
        }
    }

    /// Reads what follows the end blocks, so that the program that writes the stream can end. Returns how much it was.
    pub async fn drain(&mut self) -> io::Result<u64> {
        tokio::io::copy_buf(&mut self.inner, &mut tokio::io::sink()).await
    }

    /// Tells whether the end blocks were seen.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Reads one header block; `None` at the end of the archive.
    async fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        self.inner.read_exact(&mut block).await.map_err(cut)?;
        if block.iter().all(|byte| *byte == 0) {
            self.inner.read_exact(&mut block).await.map_err(cut)?;
            if block.iter().any(|byte| *byte != 0) {
                return Err(damaged("a lone block of zeros stands in its middle"));
            }
            self.ended = true;
            return Ok(None);
        }
        let sum: u64 =
            block.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u64::from(*b) }).sum();
        if number(&block[148..156])? != sum {
            return Err(damaged("a header's checksum is wrong"));
        }
        Ok(Some(block))
    }

    async fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > EXTENSION_LIMIT {
            return Err(damaged("an extended header is larger than 16 MiB"));
        }
        let mut bytes = vec![0; size as usize + padding(size)];
        self.inner.read_exact(&mut bytes).await.map_err(cut)?;
        bytes.truncate(size as usize);
        Ok(bytes)
    }

    async fn skip(&mut self, mut bytes: u64) -> io::Result<()> {
        use tokio::io::AsyncBufReadExt;
        while bytes > 0 {
            let have = self.inner.fill_buf().await?.len();
            if have == 0 {
                return Err(cut_here());
            }
            let used = (have as u64).min(bytes) as usize;
            self.inner.consume(used);
            bytes -= used as u64;
        }
        Ok(())
    }

    /// Makes the entry of a header and sets up its content.
    async fn entry(&mut self, block: &[u8; BLOCK], stored: u64, mut extra: Extra) -> io::Result<TarEntry> {
        let old_sparse = block[156] == b'S';
        let has_content = matches!(block[156], b'0' | 0 | b'7' | b'S') && !is_old_dir(block, &extra);
        self.left = if has_content { stored } else { 0 };
        self.padding = padding(self.left) as u64;
        self.size = self.left;
        if old_sparse {
            self.size = number(&block[483..495])?;
            self.segments = self.old_map(block).await?;
        } else if extra.sparse_major == Some(1) && has_content {
            self.size = extra.real_size.ok_or_else(|| damaged("a sparse file does not state its size"))?;
            self.segments = self.map_in_content().await?;
        } else if !extra.map.is_empty() && has_content {
            self.size = extra.real_size.unwrap_or(self.size);
            self.segments = std::mem::take(&mut extra.map);
        } else if self.left > 0 {
            self.segments = vec![(0, self.left)];
        }
        self.segments = sparse::checked(std::mem::take(&mut self.segments), self.size)?;
        let data: u64 = self.segments.iter().map(|(_, length)| length).sum();
        if data != self.left {
            return Err(damaged("a file's map of holes does not fit its content"));
        }
        (self.segment, self.at) = (0, 0);
        let holes = sparse::holes_between(self.size, &self.segments);
        make_entry(block, extra, self.size, holes)
    }

    /// Reads the map of the old GNU form: four segments in the header, more in blocks that follow it.
    async fn old_map(&mut self, block: &[u8; BLOCK]) -> io::Result<Vec<(u64, u64)>> {
        let mut segments = Vec::new();
        let mut more = block[482] != 0;
        old_segments(&block[386..386 + 4 * 24], &mut segments)?;
        while more {
            let mut next = [0; BLOCK];
            self.inner.read_exact(&mut next).await.map_err(cut)?;
            old_segments(&next[..21 * 24], &mut segments)?;
            more = next[504] != 0;
            if segments.len() as u64 > sparse::MOST_SEGMENTS {
                return Err(damaged("a file has too many holes"));
            }
        }
        Ok(segments)
    }

    /// Reads the map of GNU sparse 1.0, which stands in the first blocks of the content.
    async fn map_in_content(&mut self) -> io::Result<Vec<(u64, u64)>> {
        let mut read = 0;
        let count = self.map_number(&mut read).await?;
        if count > sparse::MOST_SEGMENTS {
            return Err(damaged("a file has too many holes"));
        }
        let mut segments = Vec::new();
        for _ in 0..count {
            segments.push((self.map_number(&mut read).await?, self.map_number(&mut read).await?));
        }
        let fill = padding(read) as u64;
        self.left =
            self.left.checked_sub(read + fill).ok_or_else(|| damaged("a map of holes is longer than its file"))?;
        self.skip(fill).await?;
        Ok(segments)
    }

    async fn map_number(&mut self, read: &mut u64) -> io::Result<u64> {
        let mut value: u64 = 0;
        for _ in 0..21 {
            let byte = self.inner.read_u8().await.map_err(cut)?;
            *read += 1;
            match byte {
                b'\n' => return Ok(value),
                b'0'..=b'9' => {
                    let grown = value.checked_mul(10).and_then(|v| v.checked_add(u64::from(byte - b'0')));
                    value = grown.ok_or_else(|| damaged("a number in a map of holes is too big"))?;
                }
                _ => break,
            }
        }
        Err(damaged("a map of holes is not made of numbers"))
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for TarReader<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.segments.get(this.segment).is_some_and(|(offset, length)| this.at >= offset + length) {
            this.segment += 1;
        }
        let next = this.segments.get(this.segment).copied();
        let hole_end = next.map_or(this.size, |(offset, _)| offset);
        if this.at < hole_end {
            let zeros = (hole_end - this.at).min(buffer.remaining() as u64) as usize;
            buffer.initialize_unfilled_to(zeros).fill(0);
            buffer.advance(zeros);
            this.at += zeros as u64;
            return Poll::Ready(Ok(()));
        }
        let Some((offset, length)) = next else {
            return Poll::Ready(Ok(()));
        };
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let have = ready!(Pin::new(&mut this.inner).poll_fill_buf(cx))?;
        if have.is_empty() {
            return Poll::Ready(Err(cut_here()));
        }
        let used = ((offset + length - this.at).min(have.len() as u64) as usize).min(buffer.remaining());
        buffer.put_slice(&have[..used]);
        Pin::new(&mut this.inner).consume(used);
        this.at += used as u64;
        this.left -= used as u64;
        Poll::Ready(Ok(()))
    }
}

fn old_segments(bytes: &[u8], segments: &mut Vec<(u64, u64)>) -> io::Result<()> {
    for pair in bytes.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        segments.push((number(&pair[..12])?, number(&pair[12..])?));
    }
    Ok(())
}

fn cut(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { cut_here() } else { error }
}

fn cut_here() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "The tar stream ended before its end")
}
