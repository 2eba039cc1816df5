//! Objects copied from one destination to another, and the proof that an object is what was written.

use super::progress::read_part;
use super::{ObjectReplay, Sha256Sum, Uploaded, upload_resumable};
use backstay_core::context::RunContext;
use backstay_core::destination::{Destination, Key, Proof, WriteMode};
use backstay_core::error::{Error, ErrorClass, Result};
use backstay_core::layout::TransferJournal;
use std::sync::Arc;

/// What is copied.
#[derive(Clone, Debug)]
pub struct Copying {
    /// Its key, at both places.
    pub key: Key,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 it must have, 64 hex digits, where known.
    pub sha256: Option<String>,
    /// Whether it may be there already.
    pub mode: WriteMode,
}

/// Copies a large object, in parts; goes on where an earlier call under the same `name` was cut off. What is read is
/// checked against its hash before the copy is completed: a damaged source is `Corrupt`, and no copy of it appears.
pub async fn copy(
    from: Arc<dyn Destination>,
    to: &dyn Destination,
    what: &Copying,
    journal: &dyn TransferJournal,
    name: &str,
    ctx: &RunContext,
) -> Result<Uploaded> {
    let source =
        ObjectReplay { destination: from, key: what.key.clone(), size: what.size, sha256: what.sha256.clone() };
    upload_resumable(to, &what.key, &source, journal, name, what.mode, ctx).await
}

/// Copies a small object in one go, through memory. `sha256` is what it must have, where known: a damaged source is
/// `Corrupt`. Returns its size.
pub async fn copy_small(
    from: &dyn Destination,
    to: &dyn Destination,
    key: &Key,
    sha256: Option<&str>,
    mode: WriteMode,
    ctx: &RunContext,
) -> Result<u64> {
    let content = ctx.or_cancel(from.get(key, None)).await?;
    if let Some(expected) = sha256 {
        let found = Sha256Sum::of(&content);
        if !found.eq_ignore_ascii_case(expected) {
            return Err(damaged(from, key, &found, expected));
        }
    }
    let size = content.len() as u64;
    ctx.or_cancel(to.put(key, content, mode)).await?;
    ctx.progress.advance(0, size);
    Ok(size)
}

/// Proves that an object is what was written: its size, and its hash by reading all of it back, unless the store checked
/// the hash when it took the object. Anything else there is `Corrupt`.
pub async fn confirm(
    destination: &dyn Destination,
    key: &Key,
    size: u64,
    sha256: &str,
    ctx: &RunContext,
) -> Result<Proof> {
    let info = ctx.or_cancel(destination.head(key)).await?;
    if info.size_bytes != size {
        let text = format!("{key} on {} has {} bytes, not {size}", destination.label(), info.size_bytes);
        return Err(Error::new(ErrorClass::Corrupt, text).hint("Copy it anew from another destination"));
    }
    if destination.capabilities().checks_hash {
        return Ok(Proof::StoreChecked);
    }
    read_back(destination, key, size, sha256, ctx).await.map(|()| Proof::ReadBack)
}

/// Reads an object back and checks its size and hash.
pub async fn read_back(
    destination: &dyn Destination,
    key: &Key,
    size: u64,
    sha256: &str,
    ctx: &RunContext,
) -> Result<()> {
    let tried = format!("Cannot read {key} on {}", destination.label());
    let mut stream = ctx.or_cancel(destination.get_stream(key, 0)).await?;
    let mut sum = Sha256Sum::new();
    // Reading back is no work of its own for the progress bar.
    let quiet = RunContext { progress: Arc::new(backstay_core::context::SilentProgress), ..ctx.clone() };
    let mut read_bytes = 0;
    while read_bytes <= size {
        let part = ctx.or_cancel(read_part(&mut stream, READ_BACK_BYTES, Some(&mut sum), &tried, &quiet)).await?;
        if part.is_empty() {
            break;
        }
        read_bytes += part.len() as u64;
    }
    let found = sum.finish();
    if read_bytes == size && found.eq_ignore_ascii_case(sha256) {
        return Ok(());
    }
    Err(damaged(destination, key, &found, sha256))
}

const READ_BACK_BYTES: u64 = 1 << 20;

fn damaged(destination: &dyn Destination, key: &Key, found: &str, expected: &str) -> Error {
    Error::new(ErrorClass::Corrupt, format!("{key} on {} is not what was written", destination.label()))
        .hint("It is damaged: copy it anew from another destination, or make a new backup")
        .detail(format!("SHA-256 is {found}, not {expected}"))
}
