//! Checking custom dumps without PostgreSQL: the table of contents is read, and each of its data blocks is looked for.
//!
//! The format is that of `pg_backup_archiver.c` and `pg_backup_custom.c`: a header, the table of contents, then blocks
//! of data, each a list of chunks that ends with an empty one. A dump cut anywhere misses a block or ends inside one.

use super::{CUSTOM, GLOBALS, PLAIN};
use crate::dump::{Edges, Whole};
use backstay_core::entry::{ByteStream, EntrySource};
use backstay_core::kind::CheckReport;
use backstay_core::run::Phase;
use backstay_core::{Error, Result, RunContext};
use std::collections::HashSet;
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// Checks all dumps of an item.
pub(super) async fn check(ctx: &RunContext, source: &mut dyn EntrySource) -> Result<CheckReport> {
    ctx.progress.phase(Phase::Checking);
    let mut report = CheckReport::default();
    while let Some(entry) = source.next().await? {
        ctx.check()?;
        if !entry.is_file() {
            continue;
        }
        report.checked += 1;
        let name = entry.path.name().unwrap_or_default();
        let fault = if name.ends_with(b".dump") {
            custom(source.content()).await.err().map(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => "the dump is cut short".to_owned(),
                io::ErrorKind::InvalidData => format!("the dump is damaged: {error}"),
                _ => Error::io("Cannot read it", error).message,
            })
        } else {
            let whole = match name {
                b"!globals.sql" => Some(GLOBALS),
                name if name.ends_with(b".sql") => Some(PLAIN),
                _ => None,
            };
            text(ctx, source.content(), whole).await?
        };
        ctx.progress.advance(1, entry.size_bytes);
        report.faults.extend(fault.map(|why| (entry.path.to_text(), why)));
    }
    Ok(report)
}

async fn text(ctx: &RunContext, mut content: ByteStream, whole: Option<Whole>) -> Result<Option<String>> {
    let mut edges = Edges::default();
    let mut piece = vec![0; 256 << 10];
    loop {
        ctx.check()?;
        match content.read(&mut piece).await {
            Ok(0) => break,
            Ok(read) => edges.push(&piece[..read]),
            Err(error) => return Ok(Some(Error::io("Cannot read it", error).message)),
        }
    }
    Ok(whole.and_then(|whole| whole.fault(edges.length, &edges.head, &edges.tail)))
}

/// Reads a custom dump to its end.
pub(super) async fn custom(content: ByteStream) -> io::Result<()> {
    let mut reader =
        Reader { inner: BufReader::with_capacity(256 << 10, content), int_bytes: 4, offset_bytes: 8, version: 0 };
    reader.header().await?;
    let expected = reader.contents().await?;
    let mut seen = HashSet::new();
    while let Some(id) = reader.data_block().await? {
        seen.insert(id);
    }
    match expected.iter().find(|id| !seen.contains(id)) {
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        None => Ok(()),
    }
}

struct Reader {
    inner: BufReader<ByteStream>,
    int_bytes: usize,
    offset_bytes: usize,
    /// major * 65536 + minor * 256 + revision.
    version: u32,
}

const fn version(major: u32, minor: u32) -> u32 {
    major << 16 | minor << 8
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

impl Reader {
    async fn header(&mut self) -> io::Result<()> {
        let mut magic = [0; 5];
        self.inner.read_exact(&mut magic).await?;
        if magic != CUSTOM.head {
            return Err(damaged("it does not begin with PGDMP"));
        }
        let (major, minor, revision) = (self.byte().await?, self.byte().await?, self.byte().await?);
        self.version = version(major.into(), minor.into()) | u32::from(revision);
        (self.int_bytes, self.offset_bytes) = (self.byte().await?.into(), self.byte().await?.into());
        let format = self.byte().await?;
        if major != 1 || minor < 12 || self.int_bytes > 8 || self.offset_bytes > 8 || format != 1 {
            return Err(damaged("its header is of no version known"));
        }
        if self.version >= version(1, 15) {
            self.byte().await?;
        } else {
            self.int().await?;
        }
        for _ in 0..7 {
            self.int().await?;
        }
        for _ in 0..3 {
            self.string().await?;
        }
        Ok(())
    }

    /// Reads the table of contents; returns the ids that must have data.
    async fn contents(&mut self) -> io::Result<Vec<i64>> {
        let count = self.int().await?;
        let mut with_data = Vec::new();
        for _ in 0..count {
            let id = self.int().await?;
            let has_data = self.int().await? != 0;
            // table oid, oid, tag, description
            for _ in 0..4 {
                self.string().await?;
            }
            self.int().await?;
            // definition, drop, copy, namespace, tablespace
            for _ in 0..5 {
                self.string().await?;
            }
            if self.version >= version(1, 14) {
                self.string().await?;
            }
            if self.version >= version(1, 16) {
                self.int().await?;
            }
            // owner, with oids
            for _ in 0..2 {
                self.string().await?;
            }
            while self.string().await?.is_some() {}
            // Where the data lies; into a pipe it is not known ("2": there is none).
            let state = self.byte().await?;
            self.skip(self.offset_bytes as u64).await?;
            if has_data && state != 3 {
                with_data.push(id);
            }
        }
        Ok(with_data)
    }

    /// Reads one block of data to its end; returns its id, or `None` at the end of the dump.
    async fn data_block(&mut self) -> io::Result<Option<i64>> {
        if self.inner.fill_buf().await?.is_empty() {
            return Ok(None);
        }
        let kind = self.byte().await?;
        let id = self.int().await?;
        match kind {
            // Plain data: chunks up to an empty one.
            1 => self.chunks().await?,
            // Large objects: each its number and chunks, up to number 0.
            3 => {
                while self.int().await? != 0 {
                    self.chunks().await?;
                }
            }
            other => return Err(damaged(&format!("a block of data is of the unknown sort {other}"))),
        }
        Ok(Some(id))
    }

    async fn chunks(&mut self) -> io::Result<()> {
        loop {
            let length = self.int().await?;
            match u64::try_from(length) {
                Ok(0) => return Ok(()),
                Ok(length) => self.skip(length).await?,
                Err(_) => return Err(damaged("a block of data has a negative length")),
            }
        }
    }

    async fn byte(&mut self) -> io::Result<u8> {
        self.inner.read_u8().await
    }

    /// Reads a number: a sign byte, then its bytes, lowest first.
    async fn int(&mut self) -> io::Result<i64> {
        let negative = self.byte().await? != 0;
        let mut value: i64 = 0;
        for at in 0..self.int_bytes {
            value |= i64::from(self.byte().await?) << (8 * at);
        }
        Ok(if negative { value.wrapping_neg() } else { value })
    }

    /// Reads a text, or `None` where there is none. Only its presence matters.
    async fn string(&mut self) -> io::Result<Option<()>> {
        let length = self.int().await?;
        let Ok(length) = u64::try_from(length) else {
            return Ok(None);
        };
        self.skip(length).await?;
        Ok(Some(()))
    }

    async fn skip(&mut self, mut bytes: u64) -> io::Result<()> {
        while bytes > 0 {
            let have = self.inner.fill_buf().await?.len();
            if have == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let used = (have as u64).min(bytes) as usize;
            self.inner.consume(used);
            bytes -= used as u64;
        }
        Ok(())
    }
}
