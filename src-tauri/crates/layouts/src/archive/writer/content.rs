//! The content of regular files: how each format takes it, whatever its length.

use super::super::holes::HoleFinder;
use super::super::lines::Place;
use super::{READ, Writer};
use backstay_core::entry::{AddError, Entry};
use backstay_core::{Error, tar};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Files announced larger than this are written as they come; others are read first, so that their size is known.
const SMALL: u64 = 1 << 20;
/// Content of unknown length is cut into parts of this size: a tar tells the length before the content.
const PART: usize = 32 << 20;

/// A file's content as far as it was written.
struct Took {
    pieces: Vec<(u64, u64)>,
    bytes: u64,
    sum: Sha256,
    holes: HoleFinder,
}

impl Took {
    fn new() -> Self {
        Self { pieces: Vec::new(), bytes: 0, sum: Sha256::new(), holes: HoleFinder::default() }
    }

    fn note(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sum.update(bytes);
        self.holes.push(bytes);
    }
}

impl Writer {
    /// Reads the next piece of content into the scratch buffer; false at its end.
    async fn read_more(&mut self, content: &mut (dyn AsyncRead + Send + Unpin), most: usize) -> Result<bool, AddError> {
        let mut limited = content.take(READ.min(most) as u64);
        let read = limited.read_buf(&mut self.scratch);
        tokio::select! {
            biased;
            () = self.ctx.cancel.cancelled() => Err(AddError::Sink(Error::cancelled())),
            read = read => read.map(|read| read > 0).map_err(AddError::Content),
        }
    }

    /// Reads until the scratch buffer holds `most`; true where the content ended before.
    async fn fill(&mut self, content: &mut (dyn AsyncRead + Send + Unpin), most: usize) -> Result<bool, AddError> {
        while self.scratch.len() < most {
            self.scratch.reserve(READ.min(most - self.scratch.len()));
            if !self.read_more(content, most - self.scratch.len()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes what the scratch buffer holds.
    async fn push_scratch(&mut self, took: &mut Took) -> Result<(), AddError> {
        let scratch = std::mem::take(&mut self.scratch);
        took.note(&scratch);
        let pushed = self.push(&scratch).await;
        self.scratch = scratch;
        self.scratch.clear();
        pushed
    }

    /// Writes a regular file with its content.
    pub(super) async fn add_file(
        &mut self,
        entry: &mut Entry,
        content: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<Place, AddError> {
        let mut took = Took::new();
        self.scratch.clear();
        let wrote = match self.is_zip() {
            true => self.zip_file(entry, content, &mut took).await,
            false if entry.size_bytes > SMALL => self.large_file(entry, content, &mut took).await,
            false => self.small_file(entry, content, &mut took).await,
        };
        if let Err(error) = wrote {
            // What is written already cannot be taken back; the manifest says that it means nothing.
            if let (AddError::Content(_), false, Some(manifest)) = (&error, took.pieces.is_empty(), &mut self.manifest)
            {
                manifest.void(entry).map_err(AddError::Sink)?;
            }
            return Err(error);
        }
        entry.size_bytes = took.bytes;
        self.counts.files_read += 1;
        self.counts.bytes_read += took.bytes;
        let sha256 = (took.bytes > 0).then(|| took.sum.finalize().into());
        Ok(Place { sha256, pieces: took.pieces, holes: took.holes.finish(), same: None })
    }

    /// A file whose content fits the memory: its size is known before it is written. A longer one goes in parts.
    async fn small_file(
        &mut self,
        entry: &Entry,
        content: &mut (dyn AsyncRead + Send + Unpin),
        took: &mut Took,
    ) -> Result<(), AddError> {
        let mut ended = self.fill(content, PART).await?;
        if ended {
            let name = entry.path.as_bytes().to_vec();
            return self.piece(entry, &name, took).await;
        }
        let mut number = 1;
        loop {
            self.piece(entry, &part_name(entry, number), took).await?;
            if ended {
                return Ok(());
            }
            ended = self.fill(content, PART).await?;
            number += 1;
            if self.scratch.is_empty() {
                return Ok(());
            }
        }
    }

    /// A file written as it comes, with the size its listing told. What is missing of it is filled up with zeros that
    /// the manifest does not count; what is more goes into further parts.
    async fn large_file(
        &mut self,
        entry: &Entry,
        content: &mut (dyn AsyncRead + Send + Unpin),
        took: &mut Took,
    ) -> Result<(), AddError> {
        let announced = entry.size_bytes;
        let header = tar::header(entry, entry.path.as_bytes(), announced, None, &[]);
        self.push(&header).await?;
        let at = self.position();
        took.pieces.push((at, 0));
        let mut fault = None;
        while took.bytes < announced {
            self.scratch.reserve(READ);
            let left = usize::try_from(announced - took.bytes).unwrap_or(usize::MAX);
            match self.read_more(content, left).await {
                Ok(true) => self.push_scratch(took).await?,
                Ok(false) => break,
                Err(AddError::Content(error)) => {
                    fault = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        took.pieces[0].1 = took.bytes;
        self.push_zeros(announced - took.bytes + tar::padding(announced) as u64).await?;
        if let Some(error) = fault {
            return Err(AddError::Content(error));
        }
        let mut number = 2;
        while took.bytes >= announced {
            let ended = self.fill(content, PART).await?;
            if !self.scratch.is_empty() {
                self.piece(entry, &part_name(entry, number), took).await?;
            }
            number += 1;
            if ended {
                break;
            }
        }
        Ok(())
    }

    /// Writes the scratch buffer as a file of the tar.
    async fn piece(&mut self, entry: &Entry, name: &[u8], took: &mut Took) -> Result<(), AddError> {
        let size = self.scratch.len() as u64;
        let header = tar::header(entry, name, size, None, &[]);
        self.push(&header).await?;
        if size > 0 {
            took.pieces.push((self.position(), size));
            self.push_scratch(took).await?;
            self.push_zeros(tar::padding(size) as u64).await?;
        }
        Ok(())
    }

    pub(super) async fn push_zeros(&mut self, mut zeros: u64) -> Result<(), AddError> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        while zeros > 0 {
            let some = zeros.min(ZEROS.len() as u64);
            self.push(&ZEROS[..some as usize]).await?;
            zeros -= some;
        }
        Ok(())
    }

    /// A file of a zip, of any length.
    async fn zip_file(
        &mut self,
        entry: &Entry,
        content: &mut (dyn AsyncRead + Send + Unpin),
        took: &mut Took,
    ) -> Result<(), AddError> {
        // A small file that cannot be read leaves nothing behind.
        let mut ended = self.fill(content, SMALL as usize).await?;
        self.zip_begin(entry).await?;
        took.pieces.push((self.position(), 0));
        let mut fault = None;
        loop {
            self.push_scratch(took).await?;
            if ended {
                break;
            }
            match self.fill(content, READ).await {
                Ok(end) => ended = end,
                Err(AddError::Content(error)) => {
                    fault = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        took.pieces[0].1 = took.bytes;
        self.zip_end().await?;
        if took.bytes == 0 {
            took.pieces.clear();
        }
        fault.map_or(Ok(()), |error| Err(AddError::Content(error)))
    }
}

/// Parts stand beside one another and sort by their number: `cat NAME.part-*` makes the file.
fn part_name(entry: &Entry, number: u32) -> Vec<u8> {
    [entry.path.as_bytes(), format!(".part-{number:05}").as_bytes()].concat()
}
