//! Copies archives to another destination: the file, then the proof, then the manifest that makes it a backup there.

use super::Shared;
use super::places::Opened;
use super::writer::manifest_key;
use backstay_core::destination::{Destination, Key, WriteMode};
use backstay_core::layout::{Synced, TransferJournal};
use backstay_core::run::Phase;
use backstay_core::{BackupId, Error, ErrorClass, Result, RunContext};
use backstay_transfer::{Copying, Uploaded, confirm, copy};
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
        let Some(file) = &record.archive else { continue };
        let key = Key::new(&file.key)?;
        ctx.progress.current(key.as_str());
        let what = Copying { key, size: file.size_bytes, sha256: Some(file.sha256.clone()), mode: WriteMode::Replace };
        one(shared, ctx, &other, &what, journal.as_ref(), &mut synced).await?;
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
    what: &Copying,
    journal: &dyn TransferJournal,
    synced: &mut Synced,
) -> Result<()> {
    let beside = manifest_key(&what.key)?;
    let manifest = ctx.or_cancel(shared.destination.get(&beside, None)).await?;
    let size_there = size_of(ctx, other.as_ref(), &what.key).await?;
    if size_there == Some(what.size) {
        match ctx.or_cancel(other.get(&beside, None)).await {
            Ok(there) if there == manifest => {
                ctx.progress.advance(1, what.size);
                return Ok(());
            }
            Ok(_) => {}
            Err(error) if error.class == ErrorClass::Missing => {}
            Err(error) => return Err(error),
        }
    }
    let whole = match size_there == Some(what.size) {
        // A copy that was cut off between its file and its manifest.
        true => is_whole(ctx, other.as_ref(), what).await?,
        false => false,
    };
    if whole {
        ctx.progress.advance(0, what.size);
    } else {
        let name = format!("archive-sync/{}/{}", other.label(), what.key);
        copy(shared.destination.clone(), other.as_ref(), what, journal, &name, ctx).await?;
        let recorded = Uploaded::recorded(what.size, what.sha256.as_deref().unwrap_or_default());
        confirm(other.as_ref(), &what.key, &recorded, ctx).await?;
        (synced.objects, synced.bytes) = (synced.objects + 1, synced.bytes + what.size);
    }
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

async fn size_of(ctx: &RunContext, destination: &dyn Destination, key: &Key) -> Result<Option<u64>> {
    match ctx.or_cancel(destination.head(key)).await {
        Ok(info) => Ok(Some(info.size_bytes)),
        Err(error) if error.class == ErrorClass::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

async fn is_whole(ctx: &RunContext, destination: &dyn Destination, what: &Copying) -> Result<bool> {
    let sha256 = what.sha256.as_deref().unwrap_or_default();
    match super::check::hash_of(ctx, destination, &what.key, what.size).await {
        Ok(found) => Ok(found == sha256),
        Err(error) if matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing) => Ok(false),
        Err(error) => Err(error),
    }
}
