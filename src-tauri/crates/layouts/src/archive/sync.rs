//! Copies archives to another destination: the file, then the proof, then the manifest that makes it a backup there.

use super::places::{MOST_NAMES, Opened};
use super::writer::manifest_key;
use super::{SEALED_ENDING, Shared};
use backstay_core::destination::{Availability, Destination, Key, WriteMode};
use backstay_core::layout::{ArchiveFile, BackupRecord, Synced, TransferJournal};
use backstay_core::run::Phase;
use backstay_core::{BackupId, Error, ErrorClass, Result, RunContext};
use backstay_transfer::{ObjectReplay, Uploaded, confirm, upload_resumable};
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;

pub(crate) async fn sync(
    shared: &Shared,
    ctx: &RunContext,
    other: Arc<dyn Destination>,
    backups: &[BackupId],
    journal: Arc<dyn TransferJournal>,
) -> Result<Synced> {
    ctx.progress.phase(Phase::Copying);
    let wanted: HashSet<&BackupId> = backups.iter().collect();
    let mut records = Vec::new();
    for (_, opened) in ctx.or_cancel(shared.heads()).await? {
        if let Opened::Record(record) = opened
            && (wanted.is_empty() || wanted.contains(&record.id))
        {
            records.push(*record);
        }
    }
    let missing: Vec<&str> = {
        let there: HashSet<&BackupId> = records.iter().map(|record| &record.id).collect();
        backups.iter().filter(|id| !there.contains(id)).map(|id| id.as_str()).collect()
    };
    records.sort_by_key(|record| record.started);
    let bytes = records.iter().filter_map(|record| record.archive.as_ref()).map(|file| file.size_bytes).sum();
    ctx.progress.total(Some(records.len() as u64), Some(bytes));
    let mut synced = Synced::default();
    for record in &records {
        ctx.check()?;
        one(shared, ctx, &other, record, journal.as_ref(), &mut synced).await?;
    }
    // Only now: one that is lost here says nothing of the others.
    if !missing.is_empty() {
        let (label, missing) = (shared.destination.label(), missing.join(", "));
        let text = format!("Cannot copy from {label} what is not there: backup {missing}");
        return Err(Error::new(ErrorClass::Missing, text).hint("Verify that destination, or make a new backup"));
    }
    Ok(synced)
}

async fn one(
    shared: &Shared,
    ctx: &RunContext,
    other: &Arc<dyn Destination>,
    record: &BackupRecord,
    journal: &dyn TransferJournal,
    synced: &mut Synced,
) -> Result<()> {
    let Some(file) = &record.archive else { return Ok(()) };
    let from = Key::new(&file.key)?;
    ctx.progress.current(from.as_str());
    let manifest = ctx.or_cancel(shared.destination.get(&manifest_key(&from)?, None)).await?;
    let there = ctx.or_cancel(place_at(&shared.at(other.clone()), record, file, &manifest)).await?;
    // A copy whose proof was cut off, or one that was cut off between its file and its manifest.
    let lies_whole = there.size == Some(file.size_bytes) && is_whole(ctx, other.as_ref(), &there, file).await?;
    if lies_whole && there.is_listed {
        ctx.progress.advance(1, file.size_bytes);
        return Ok(());
    }
    if lies_whole {
        ctx.progress.advance(0, file.size_bytes);
    } else {
        if there.is_listed {
            // Cut off from here on, what is damaged must not pass for a copy.
            ctx.or_cancel(other.delete(&manifest_key(&there.key)?)).await?;
        }
        let source = ObjectReplay {
            destination: shared.destination.clone(),
            key: from.clone(),
            size: file.size_bytes,
            sha256: Some(file.sha256.clone()),
        };
        let name = format!("archive-sync/{}/{from}", other.label());
        // What came there since must not be replaced.
        let mode = if there.size.is_some() { WriteMode::Replace } else { WriteMode::CreateNew };
        upload_resumable(other.as_ref(), &there.key, &source, journal, &name, mode, ctx).await?;
        let recorded = Uploaded::recorded(file.size_bytes, file.sha256.as_str());
        confirm(other.as_ref(), &there.key, &recorded, ctx).await?;
        (synced.objects, synced.bytes) = (synced.objects + 1, synced.bytes + file.size_bytes);
    }
    let beside = manifest_key(&there.key)?;
    let bytes = manifest.len() as u64;
    ctx.or_cancel(other.put(&beside, manifest.clone(), WriteMode::Replace)).await?;
    if ctx.or_cancel(other.get(&beside, None)).await? != manifest {
        let _ = other.delete(&beside).await;
        let text = format!("What was written to {} is not what lies there", other.label());
        return Err(Error::new(ErrorClass::Corrupt, text));
    }
    ctx.progress.advance(1, 0);
    (synced.objects, synced.bytes, synced.backups) = (synced.objects + 1, synced.bytes + bytes, synced.backups + 1);
    Ok(())
}

/// Where an archive goes at another destination.
struct There {
    key: Key,
    /// The size of what lies there under its name.
    size: Option<u64>,
    /// Its very manifest lies beside.
    is_listed: bool,
}

/// Finds the name an archive has at another destination, or is to have: its own, unless another backup has that there.
/// Two plans may make the same name on the same day; neither must take the other's place.
async fn place_at(there: &Shared, record: &BackupRecord, file: &ArchiveFile, manifest: &Bytes) -> Result<There> {
    for number in 1..MOST_NAMES {
        let key = numbered(file, number)?;
        let size = size_of(there.destination.as_ref(), &key).await?;
        match beside(there, &key, manifest).await? {
            Beside::Nothing if size.is_some_and(|size| size != file.size_bytes) => {}
            Beside::Damaged if size.is_some_and(|size| size != file.size_bytes) => {}
            Beside::Backup(id) if id != record.id => {}
            Beside::Unknown => {}
            lies => return Ok(There { key, size, is_listed: lies == Beside::Same }),
        }
    }
    let text = format!("Cannot name a copy of {} at {}", file.key, there.destination.label());
    Err(Error::new(ErrorClass::Exists, text).hint("Put the time into the plan's template for file names"))
}

/// What lies where an archive's manifest would.
#[derive(PartialEq, Eq)]
enum Beside {
    Nothing,
    /// The very same.
    Same,
    /// That of this backup.
    Backup(BackupId),
    /// One that cannot be read, whosever it was.
    Damaged,
    /// One that no key at hand opens, or of a newer version.
    Unknown,
}

async fn beside(there: &Shared, archive: &Key, manifest: &Bytes) -> Result<Beside> {
    let key = manifest_key(archive)?;
    let info = match there.destination.head(&key).await {
        Err(error) if error.class == ErrorClass::Missing => return Ok(Beside::Nothing),
        other => other?,
    };
    if info.size_bytes == manifest.len() as u64 && there.destination.get(&key, None).await? == *manifest {
        return Ok(Beside::Same);
    }
    match there.head(&info).await {
        Ok(record) => Ok(Beside::Backup(record.id)),
        Err(error) => match error.class {
            ErrorClass::Missing => Ok(Beside::Nothing),
            ErrorClass::Corrupt => Ok(Beside::Damaged),
            ErrorClass::WrongKey | ErrorClass::Unsupported => Ok(Beside::Unknown),
            _ => Err(error),
        },
    }
}

/// Returns an archive's key, with a number before its ending from the second on.
fn numbered(file: &ArchiveFile, number: u32) -> Result<Key> {
    if number == 1 {
        return Key::new(&file.key);
    }
    let ending = format!(".{}{}", file.format.extension(), if file.sealed { SEALED_ENDING } else { "" });
    let stem = file.key.strip_suffix(&ending);
    Key::new(stem.map_or_else(|| format!("{}-{number}", file.key), |stem| format!("{stem}-{number}{ending}")))
}

async fn size_of(destination: &dyn Destination, key: &Key) -> Result<Option<u64>> {
    match destination.head(key).await {
        Ok(info) => Ok(Some(info.size_bytes)),
        Err(error) if error.class == ErrorClass::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells whether an object of an archive's size is that archive. With its very manifest beside, it is proven as a new
/// backup is: it may be one whose proof was cut off. One in a cold class cannot be read: there the size is proof enough
/// if the store checked what it took.
async fn is_whole(ctx: &RunContext, destination: &dyn Destination, there: &There, file: &ArchiveFile) -> Result<bool> {
    let key = &there.key;
    let look = async {
        match ctx.or_cancel(destination.availability(key)).await? {
            Availability::Ready if there.is_listed => {
                let recorded = Uploaded::recorded(file.size_bytes, file.sha256.as_str());
                confirm(destination, key, &recorded, ctx).await.map(|_| true)
            }
            Availability::Ready => {
                super::check::hash_of(ctx, destination, key, file.size_bytes).await.map(|found| found == file.sha256)
            }
            Availability::Frozen | Availability::Thawing => {
                Ok(there.is_listed || destination.capabilities().checks_hash)
            }
        }
    };
    match look.await {
        Err(error) if matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing) => Ok(false),
        other => other,
    }
}
