//! Objects copied from one destination to another, and the proof that an object is what was written.

use super::progress::read_part;
use super::{Crc64Sum, ObjectReplay, Sha256Sum, Uploaded, upload_resumable};
use backstay_core::context::RunContext;
use backstay_core::destination::{Destination, Key, Proof, WriteMode};
use backstay_core::error::{Error, ErrorClass, Result};
use backstay_core::layout::TransferJournal;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

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

/// Proves that an object is what was written: its size, and its hash, which the store checked when it took the object or
/// tells by reading what lies there itself; else its hash or checksum by reading all of it back. Anything else there is
/// `Corrupt`.
pub async fn confirm(destination: &dyn Destination, key: &Key, written: &Uploaded, ctx: &RunContext) -> Result<Proof> {
    let info = ctx.or_cancel(destination.head(key)).await?;
    if info.size_bytes != written.size {
        let text = format!("{key} on {} has {} bytes, not {}", destination.label(), info.size_bytes, written.size);
        return Err(Error::new(ErrorClass::Corrupt, text).hint("Copy it anew from another destination"));
    }
    if destination.capabilities().checks_hash {
        return Ok(Proof::StoreChecked);
    }
    let asked = ctx.while_it_runs(sha256_there(destination, key, written.size));
    // Another hash proves nothing against it: the command may see another file there than we do.
    if ctx.or_cancel(asked).await?.is_some_and(|found| found.eq_ignore_ascii_case(&written.sha256)) {
        return Ok(Proof::HashedThere);
    }
    read_back(destination, key, written, ctx).await.map(|()| Proof::ReadBack)
}

/// An object of so many bytes or more is worth asking the server for its hash; a smaller one is read back sooner.
const WORTH_ASKING: u64 = 4 << 20;

/// Asks the server for the hash of an object of so many bytes, where that is worth it; see [`Destination::sha256_there`].
pub async fn sha256_there(destination: &dyn Destination, key: &Key, size: u64) -> Result<Option<String>> {
    if size < WORTH_ASKING { Ok(None) } else { destination.sha256_there(key).await }
}

/// Reads an object back and checks its size, and its checksum where that is known, else its hash.
pub async fn read_back(destination: &dyn Destination, key: &Key, written: &Uploaded, ctx: &RunContext) -> Result<()> {
    let tried = format!("Cannot read {key} on {}", destination.label());
    let mut stream = ctx.or_cancel(destination.get_stream(key, 0)).await?;
    let (sum, summing) = sum_aside(written.crc64.is_some());
    // Reading back is no work of its own for the progress bar.
    let quiet = RunContext { progress: Arc::new(backstay_core::context::SilentProgress), ..ctx.clone() };
    let mut read_bytes = 0;
    while read_bytes <= written.size {
        let part =
            ctx.or_cancel(read_part(&mut stream, BytesMut::new(), READ_BACK_BYTES, None, &tried, &quiet)).await?;
        if part.is_empty() {
            break;
        }
        read_bytes += part.len() as u64;
        // It ends before its sender does only by a fault, which is told below.
        let _ = sum.send(part).await;
    }
    drop(sum);
    let found = summing.await.map_err(|error| Error::new(ErrorClass::Internal, tried).source(error))?;
    let same = match &found {
        Found::Crc64(found) => Some(*found) == written.crc64,
        Found::Sha256(found) => found.eq_ignore_ascii_case(&written.sha256),
    };
    if read_bytes == written.size && same {
        return Ok(());
    }
    Err(match found {
        Found::Sha256(found) => damaged(destination, key, &found, &written.sha256),
        Found::Crc64(_) => not_as_written(destination, key),
    })
}

const READ_BACK_BYTES: u64 = 1 << 20;
/// Parts read that may wait to be summed.
const READ_AHEAD: usize = 4;

/// What an object read back comes to.
enum Found {
    Crc64(u64),
    Sha256(String),
}

/// Starts a thread that sums up what it is sent: nothing else is left to do while an object is read back, and reading is
/// about as much work as hashing.
fn sum_aside(by_crc64: bool) -> (mpsc::Sender<Bytes>, JoinHandle<Found>) {
    let (sender, mut parts) = mpsc::channel::<Bytes>(READ_AHEAD);
    let summing = tokio::task::spawn_blocking(move || {
        let (mut crc64, mut sha256) = (Crc64Sum::default(), Sha256Sum::new());
        while let Some(part) = parts.blocking_recv() {
            if by_crc64 { crc64.update(&part) } else { sha256.update(&part) }
        }
        if by_crc64 { Found::Crc64(crc64.finish()) } else { Found::Sha256(sha256.finish()) }
    });
    (sender, summing)
}

fn not_as_written(destination: &dyn Destination, key: &Key) -> Error {
    Error::new(ErrorClass::Corrupt, format!("{key} on {} is not what was written", destination.label()))
        .hint("It is damaged: copy it anew from another destination, or make a new backup")
}

fn damaged(destination: &dyn Destination, key: &Key, found: &str, expected: &str) -> Error {
    not_as_written(destination, key).detail(format!("SHA-256 is {found}, not {expected}"))
}
