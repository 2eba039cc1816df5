//! What a check found damaged at a destination is remembered, and the next sync writes it anew from another copy.

use super::Job;
use super::journal::StoreJournal;
use super::thaw::Turns;
use crate::backstay::Inner;
use crate::backups::copies::{Copy, frozen};
use crate::words::count_text;
use backstay_core::config::{DestinationConfig, KnownBackup, Place};
use backstay_core::destination::{Availability, Destination, Key, ObjectInfo, WriteMode};
use backstay_core::layout::{ArchiveFile, BackupRecord, Suspects};
use backstay_core::run::{Phase, Problem, ProblemKind};
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, Result};
use backstay_transfer::{ObjectReplay, Uploaded, read_back, upload_resumable};
use std::collections::HashSet;
use std::sync::Arc;

/// All archives lie below this.
pub(super) const ARCHIVES: &str = "archives/";
/// All packs of a vault lie below this.
pub(super) const PACKS: &str = "data/";

fn name_of(destination: &DestinationId) -> String {
    format!("damaged/{destination}")
}

impl Inner {
    /// Counts what was found damaged at a destination and is not mended yet.
    pub(crate) fn damaged_at(&self, destination: &DestinationId) -> Result<u64> {
        let suspects = self.suspects(destination)?;
        if suspects.is_empty() {
            return Ok(0);
        }
        // What is in the list no more needs no mending.
        let own = self.all_backups(Some(destination))?;
        let backups = own.iter().filter(|known| names(&suspects, &known.record)).count();
        let objects = suspects.objects.iter().filter(|key| !key.starts_with(ARCHIVES)).count();
        Ok((backups + objects) as u64)
    }

    /// Returns what is to be looked at again at a destination.
    fn suspects(&self, destination: &DestinationId) -> Result<Suspects> {
        Ok(read(self.store.transfer(&name_of(destination))?))
    }

    /// Returns the keys of the objects of a vault that are damaged at a destination.
    pub(super) fn damaged_objects(&self, destination: &DestinationId) -> Result<Vec<String>> {
        let objects = self.suspects(destination)?.objects;
        Ok(objects.into_iter().filter(|key| !key.starts_with(ARCHIVES)).collect())
    }

    /// Forgets what is suspected of a destination beyond `still`: all that lies there was read.
    pub(super) fn only_suspects(&self, destination: &DestinationId, still: &Suspects) -> Result<()> {
        self.change_suspects(destination, |all| {
            all.objects.retain(|key| still.objects.contains(key));
            all.backups.retain(|id| still.backups.contains(id));
        })
    }

    /// Forgets suspected packs of a vault that are gone: what is still needed of them lies elsewhere.
    pub(super) fn forget_gone_packs(&self, destination: &DestinationId, there: &[ObjectInfo]) -> Result<()> {
        let there: HashSet<&str> = there.iter().map(|object| object.key.as_str()).collect();
        self.change_suspects(destination, |all| {
            all.objects.retain(|key| !key.starts_with(PACKS) || there.contains(key.as_str()));
        })
    }

    /// Remembers what is damaged at a destination until it is mended.
    pub(super) fn add_suspects(&self, destination: &DestinationId, more: Suspects) -> Result<()> {
        if more.is_empty() {
            return Ok(());
        }
        self.change_suspects(destination, |all| all.extend(more.clone()))?;
        // An earlier proof of them holds no longer.
        let proven = self.all_backups(Some(destination))?.into_iter().filter(|known| known.record.verified.is_some());
        for mut known in proven.filter(|known| names(&more, &known.record)) {
            known.record.verified = None;
            self.store.put_backup(&known)?;
        }
        Ok(())
    }

    /// Forgets what was suspected of a copy that was read back whole.
    pub(super) fn forget_suspect(&self, destination: &DestinationId, known: &KnownBackup) -> Result<()> {
        if !names(&self.suspects(destination)?, &known.record) {
            return Ok(());
        }
        let whole = suspects_of(known);
        self.change_suspects(destination, |all| {
            all.objects.retain(|key| !whole.objects.contains(key));
            all.backups.retain(|id| !whole.backups.contains(id));
        })
    }

    /// Tells whether the copy of a backup at a destination was found damaged and is not mended yet.
    pub(crate) fn is_damaged(&self, id: &BackupId, destination: &DestinationId) -> Result<bool> {
        let suspects = self.suspects(destination)?;
        if suspects.is_empty() {
            return Ok(false);
        }
        // An archive may have another name at each place.
        let copies = self.store.backup(id)?;
        Ok(copies.iter().any(|copy| copy.destination == *destination && names(&suspects, &copy.record)))
    }

    /// Tells whether anything that is damaged at a destination lies at another one too.
    pub(crate) fn may_be_mended(&self, config: &DestinationConfig) -> Result<bool> {
        let suspects = self.suspects(&config.id)?;
        let in_vault = !suspects.backups.is_empty() || suspects.objects.iter().any(|key| !key.starts_with(ARCHIVES));
        if in_vault && !self.twins_of(config)?.is_empty() {
            return Ok(true);
        }
        let own = self.all_backups(Some(&config.id))?;
        for known in own.iter().filter(|known| known.record.archive.is_some() && names(&suspects, &known.record)) {
            if self.store.backup(&known.record.id)?.iter().any(|copy| copy.destination != config.id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Changes what is remembered: a check and a sync may do so at the same time.
    fn change_suspects(&self, destination: &DestinationId, change: impl Fn(&mut Suspects)) -> Result<()> {
        self.store.update_transfer(&name_of(destination), &mut |kept: Option<String>| {
            let mut all = read(kept);
            change(&mut all);
            if all.is_empty() {
                return Ok(None);
            }
            let text = serde_json::to_string(&all);
            text.map(Some).map_err(|e| Error::new(ErrorClass::Internal, "Cannot keep what is damaged").source(e))
        })
    }

    /// Returns the other destinations that hold the same vault, the nearest first.
    pub(super) fn twins_of(&self, config: &DestinationConfig) -> Result<Vec<DestinationConfig>> {
        if config.vault_id.is_empty() {
            return Ok(Vec::new());
        }
        let mut others = self.store.destinations()?;
        others.retain(|other| other.id != config.id && other.vault_id == config.vault_id);
        others.sort_by_key(|other| !matches!(other.place, Place::Local { .. }));
        Ok(others)
    }
}

fn read(kept: Option<String>) -> Suspects {
    kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Tells whether a backup itself is among what is suspected; objects of a vault may belong to any.
fn names(suspects: &Suspects, record: &BackupRecord) -> bool {
    match &record.archive {
        Some(file) => suspects.objects.contains(&file.key),
        None => suspects.backups.contains(&record.id),
    }
}

/// What a copy that was read back and found damaged is made of.
pub(super) fn suspects_of(known: &KnownBackup) -> Suspects {
    let mut suspects = Suspects::default();
    match &known.record.archive {
        Some(file) => _ = suspects.objects.insert(file.key.clone()),
        None => _ = suspects.backups.insert(known.record.id.clone()),
    }
    suspects
}

/// Writes anew what is known to be damaged at a destination. Returns how many objects it was; what no other copy could
/// give is named as a problem, and remembered on.
pub(super) async fn mend(job: &Job, to: &DestinationConfig, place: &Arc<dyn Destination>) -> Result<u64> {
    let found = job.inner.suspects(&to.id)?;
    if found.is_empty() {
        return Ok(0);
    }
    job.phase(Phase::Comparing);
    job.log(format!("Looking at what a check found damaged at {}", to.name));
    let own = job.inner.all_backups(Some(&to.id))?;
    let archive = |key: &str| own.iter().find(|known| file_at(known, key).is_some());
    // What was deleted meanwhile needs no mending.
    let is_archive = |key: &String| key.starts_with(ARCHIVES);
    let archives: Vec<&KnownBackup> =
        found.objects.iter().filter(|key| is_archive(key)).filter_map(|key| archive(key)).collect();
    let mut vault = Suspects {
        objects: found.objects.iter().filter(|key| !is_archive(key)).cloned().collect(),
        backups: found.backups.iter().filter(|id| own.iter().any(|known| known.record.id == **id)).cloned().collect(),
    };
    let mut mended = 0;
    let mut reasons = Vec::new();
    mended += mend_vault(job, to, place, &mut vault, &mut reasons).await?;
    for known in archives {
        match mend_archive(job, to, place, known).await {
            Ok(written) => mended += written,
            Err(error) if error.is_cancelled() || error.class == ErrorClass::Full => return Err(error),
            Err(error) => {
                reasons.push(error.message);
                vault.objects.extend(known.record.archive.as_ref().map(|file| file.key.clone()));
            }
        }
    }
    // What a check found meanwhile stays.
    job.inner.change_suspects(&to.id, |now| {
        now.objects.retain(|key| !found.objects.contains(key));
        now.backups.retain(|id| !found.backups.contains(id));
        now.extend(vault.clone());
    })?;
    let why = reasons.first().cloned().unwrap_or_else(|| "no other destination has it whole".into());
    let backups = vault.backups.iter().map(|id| format!("backup {}", super::backup::short(id.as_str())));
    for subject in vault.objects.iter().cloned().chain(backups) {
        job.problem(Problem {
            kind: ProblemKind::Damaged,
            item: String::new(),
            subject,
            reason: format!("It is damaged at {} and could not be written anew: {why}", to.name),
        });
    }
    Ok(mended)
}

/// Takes what is damaged from one vault after the other; what is left over stays in `open`.
async fn mend_vault(
    job: &Job,
    to: &DestinationConfig,
    place: &Arc<dyn Destination>,
    open: &mut Suspects,
    reasons: &mut Vec<String>,
) -> Result<u64> {
    let mut mended = 0;
    for other in job.inner.twins_of(to)? {
        if open.is_empty() {
            break;
        }
        let work = async {
            let _lock = job.inner.locks.use_destination(&other.id)?.ok_or_else(|| super::legs::being_freed(&other))?;
            let layout = job.ctx.or_cancel(job.inner.vault(&other)).await?.layout;
            layout.mend(&job.ctx, place.clone(), open).await
        };
        match work.await {
            Ok(done) => {
                if done.objects > 0 {
                    let what = count_text(done.objects, "damaged object", "damaged objects");
                    job.log(format!("{what} at {} written anew from {}", to.name, other.name));
                }
                mended += done.objects;
                *open = done.left;
            }
            Err(error) if error.is_cancelled() || super::sync::is_own(&error, place.as_ref()) => return Err(error),
            Err(error) => {
                job.log(format!("{} was not used: {}", other.name, error.message));
                reasons.push(error.message);
            }
        }
    }
    Ok(mended)
}

/// Reads an archive back and copies it anew from another destination if it is damaged. Returns the files written.
async fn mend_archive(
    job: &Job,
    to: &DestinationConfig,
    place: &Arc<dyn Destination>,
    known: &KnownBackup,
) -> Result<u64> {
    let Some(file) = &known.record.archive else { return Ok(0) };
    let key = Key::new(&file.key)?;
    match read_back(place.as_ref(), &key, &recorded(file), &job.ctx).await {
        Err(error) if matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing) => {}
        other => return other.map(|()| 0),
    }
    let mut last = None;
    let others = job.inner.copies(&known.record.id)?.into_iter().filter(|copy| copy.config.id != to.id);
    let mut turns = Turns::of(others);
    while let Some((other, told)) = turns.next(job).await {
        let replaced = match told {
            Ok(Availability::Frozen) => Err(frozen(&other)),
            Ok(_) => replace_archive(job, place, &other, file).await,
            Err(error) => Err(error),
        };
        match replaced {
            Ok(()) => {
                job.log(format!("{key} at {} was damaged and is written anew from {}", to.name, other.config.name));
                return Ok(1);
            }
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::new(ErrorClass::Missing, "no other destination has it")))
}

/// Copies an archive over a damaged one; its content is proven before it takes that one's place.
async fn replace_archive(job: &Job, place: &Arc<dyn Destination>, from: &Copy, file: &ArchiveFile) -> Result<()> {
    let key = Key::new(file.key.clone())?;
    let source = job.ctx.or_cancel(job.inner.place(&from.config)).await?;
    // It may be called otherwise there, where another backup had its name.
    let other = from.known.record.archive.as_ref().filter(|other| other.sha256 == file.sha256);
    let Some(other) = other else {
        let text = format!("The copy at {} is another file", from.config.name);
        return Err(Error::new(ErrorClass::Missing, text));
    };
    job.phase(Phase::Copying);
    job.progress_current(&file.key);
    job.ctx.progress.total(None, Some(file.size_bytes));
    let (size, sha256) = (file.size_bytes, Some(file.sha256.clone()));
    let source = ObjectReplay { destination: source, key: Key::new(other.key.clone())?, size, sha256 };
    let name = format!("mend/{}/{}", place.label(), file.key);
    let journal = StoreJournal(job.inner.store.clone());
    upload_resumable(place.as_ref(), &key, &source, &journal, &name, WriteMode::Replace, &job.ctx).await?;
    read_back(place.as_ref(), &key, &recorded(file), &job.ctx).await
}

fn recorded(file: &ArchiveFile) -> Uploaded {
    Uploaded::recorded(file.size_bytes, file.sha256.as_str())
}

fn file_at<'a>(known: &'a KnownBackup, key: &str) -> Option<&'a ArchiveFile> {
    known.record.archive.as_ref().filter(|file| file.key == key)
}
