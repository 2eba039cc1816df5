//! Packing entries into one file on this computer.

use super::archive::ArchiveFormat;
use crate::context::RunContext;
use crate::entry::{Entry, EntrySource};
use crate::error::Result;
use crate::run::Problem;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a download left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportReport {
    /// Files written into it.
    pub files: u64,
    /// Content bytes before compression.
    pub bytes: u64,
    /// Size of the file.
    pub file_bytes: u64,
    /// SHA-256 of the file, 64 hex digits.
    pub sha256: String,
}

/// How far an export came: at the end of an entry, with all before it durable in the part. Another process can go on there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportMark {
    /// So many entries of the source are done.
    pub entries: u64,
    /// The last of them, in text form: a source in another order is noticed by it.
    pub last: String,
    /// Files written so far.
    pub files: u64,
    /// Content bytes so far, before compression.
    pub bytes: u64,
    /// How long the part was then.
    pub part_bytes: u64,
    /// The state of the part's SHA-256.
    pub sum: String,
    /// What was told of the entries so far: it is true of the whole file. (What was told of the copies read is not: another
    /// run may read others.)
    pub problems: Vec<Problem>,
}

/// Where an export goes on.
#[derive(Clone, Debug)]
pub struct ExportFrom {
    /// The mark that was kept.
    pub mark: ExportMark,
    /// The entries done by then, which the source does not give again: further names of hard links refer to them.
    pub before: Vec<Entry>,
}

/// Packs entries into one file on this computer.
#[async_trait]
pub trait Exporter: Send + Sync {
    /// Tells whether the part of `file` still holds what it held at a mark, as far as its length shows.
    fn can_go_on(&self, file: &Path, mark: &ExportMark) -> bool;

    /// Packs all entries of `source` into `file`: written as `file` + `.part`, synced, read back, then renamed. A file
    /// that is there already is never overwritten (`Exists`).
    ///
    /// Now and then `keep` is given a mark, to be kept where it outlives this process; formats that cannot go on (zip) give
    /// none. Failed or cancelled before the first mark, or for a reason that will not pass: the part is removed. Else it
    /// stays for whoever goes on.
    async fn export(
        &self,
        ctx: &RunContext,
        source: &mut dyn EntrySource,
        format: ArchiveFormat,
        file: &Path,
        from: Option<ExportFrom>,
        keep: &mut (dyn FnMut(ExportMark) -> Result<()> + Send),
    ) -> Result<ExportReport>;
}
