//! Locks of archives that are still kept are extended before they end, in every run that writes to their destination.

use super::Job;
use crate::backstay::Inner;
use crate::backups::copies::Copy;
use crate::words::count_text;
use backstay_core::config::{DestinationConfig, KnownBackup, Place};
use backstay_core::destination::Destination;
use backstay_core::layout::{BackupRecord, Layout};
use backstay_core::run::{Problem, ProblemKind};
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, Result};
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// So many archives in one run; the next goes on with those whose locks end next.
const MOST: usize = 200;
/// So many at the same time.
const PARALLEL: usize = 8;

/// When the lock of what has none ends.
const NEVER: i64 = i64::MAX;

/// What is known of the locks at a destination.
#[derive(Default, Serialize, Deserialize)]
struct Locks {
    /// Until when each is locked, Unix seconds; one that never was needs no other look.
    until: BTreeMap<BackupId, i64>,
    /// Somebody wanted to delete these: their locks are left to end.
    let_go: BTreeSet<BackupId>,
}

fn name_of(destination: &DestinationId) -> String {
    format!("locks/{destination}")
}

/// Returns the days archives are locked for at a destination.
fn lock_days(config: &DestinationConfig) -> Option<i64> {
    let Place::S3(place) = &config.place else { return None };
    place.lock_days.filter(|days| *days > 0).map(i64::from)
}

fn date_text(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).map_or_else(String::new, |at| at.format("%-d %B %Y").to_string())
}

impl Inner {
    /// Changes what is known of the locks at a destination: runs and the user may do so at the same time.
    fn change_locks(&self, destination: &DestinationId, mut change: impl FnMut(&mut Locks)) -> Result<()> {
        self.store.update_transfer(&name_of(destination), &mut |kept: Option<String>| {
            let mut locks = Locks::read(kept);
            change(&mut locks);
            let text = serde_json::to_string(&locks);
            text.map(Some)
                .map_err(|e| Error::new(ErrorClass::Internal, "Cannot keep how long archives are locked").source(e))
        })
    }

    /// Tells whether somebody wanted an archive to be gone by now.
    fn is_let_go(&self, destination: &DestinationId, backup: &BackupId) -> Result<bool> {
        Ok(Locks::read(self.store.transfer(&name_of(destination))?).let_go.contains(backup))
    }

    /// Lets the lock of a copy end that somebody wants to be gone.
    pub(crate) fn let_lock_end(&self, copy: &Copy) -> Result<()> {
        self.change_locks(&copy.config.id, |locks| {
            locks.let_go.insert(copy.id().clone());
        })
    }
}

impl Job {
    /// Extends the locks of a destination's archives that are past their half. Never fails a run: a lock that could not
    /// be extended is a problem with a name.
    pub(super) async fn keep_locks(&self, config: &DestinationConfig) {
        let Some(days) = lock_days(config) else { return };
        if let Err(error) = self.extend_locks(config, days).await
            && !error.is_cancelled()
        {
            self.lock_problem(config, "The locks of archives could not be extended", &error);
        }
    }

    fn lock_problem(&self, config: &DestinationConfig, text: &str, error: &Error) {
        let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!(". {hint}"));
        self.problem(Problem {
            kind: ProblemKind::Other,
            item: String::new(),
            subject: config.name.clone(),
            reason: format!("{text}: {}{hint}", error.message),
        });
    }

    async fn extend_locks(&self, config: &DestinationConfig, days: i64) -> Result<()> {
        let inner = &self.inner;
        let now = self.ctx.clock.now();
        let known = inner.all_backups(Some(&config.id))?;
        let mut due = Vec::new();
        inner.change_locks(&config.id, |locks| due = locks.due(&known, days, now))?;
        if due.is_empty() {
            return Ok(());
        }
        let until = (now + TimeDelta::days(days)).timestamp();
        let place = self.ctx.or_cancel(inner.place(config)).await?;
        let layout = inner.archives_over(place.clone());
        let asks = due.into_iter().map(|(end, record)| {
            let (place, layout) = (place.clone(), layout.clone());
            let (inner, destination) = (inner.clone(), config.id.clone());
            async move {
                let extended = match inner.is_let_go(&destination, &record.id) {
                    Ok(true) => Ok(None),
                    Ok(false) => extend(place.as_ref(), layout.as_ref(), &record, until).await.map(Some),
                    Err(error) => Err(error),
                };
                (end, record.id, extended)
            }
        });
        let mut asked = futures::stream::iter(asks).buffered(PARALLEL);
        let (mut extended, mut failed, mut first) = (0, 0, None);
        let mut held = BTreeMap::new();
        while let Some((end, id, result)) = self.ctx.or_cancel(async { Ok(asked.next().await) }).await? {
            match result {
                Ok(Some(locked)) => {
                    extended += u64::from(locked != NEVER);
                    held.insert(id, locked);
                }
                // Let go meanwhile.
                Ok(None) => {}
                // Deleted meanwhile, by another computer.
                Err(error) if error.class == ErrorClass::Missing => {}
                Err(error) => {
                    failed += 1;
                    let over = error.class.may_retry();
                    first.get_or_insert((end, error));
                    // It was tried again and again already: the others would fare no better.
                    if over {
                        break;
                    }
                }
            }
        }
        inner.change_locks(&config.id, |locks| locks.until.extend(held.clone()))?;
        if extended > 0 {
            let what = count_text(extended, "archive", "archives");
            self.log(format!("The locks of {what} at {} hold until {} now", config.name, date_text(until)));
        }
        if let Some((end, error)) = first {
            let what = count_text(failed, "archive", "archives");
            let text = format!("The locks of {what} could not be extended; the first ends on {}", date_text(end));
            self.lock_problem(config, &text, &error);
        }
        Ok(())
    }
}

impl Locks {
    fn read(kept: Option<String>) -> Self {
        kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Returns what is to be extended now, with when its lock ends: past its half, what ends first comes first. Forgets
    /// what is there no more.
    fn due(&mut self, known: &[KnownBackup], days: i64, now: DateTime<Utc>) -> Vec<(i64, BackupRecord)> {
        let archives: Vec<&BackupRecord> =
            known.iter().map(|known| &known.record).filter(|record| record.archive.is_some()).collect();
        let there: BTreeSet<&BackupId> = archives.iter().map(|record| &record.id).collect();
        self.until.retain(|id, _| there.contains(id));
        self.let_go.retain(|id| there.contains(id));
        let soon = (now + TimeDelta::days(days) / 2).timestamp();
        let mut due = Vec::new();
        for record in archives {
            let first = || (record.ended + TimeDelta::days(days)).timestamp();
            let end = self.until.get(&record.id).copied().unwrap_or_else(first);
            if end < soon && !self.let_go.contains(&record.id) {
                due.push((end, record));
            }
        }
        due.sort_by_key(|(end, _)| *end);
        due.truncate(MOST);
        due.into_iter().map(|(end, record)| (end, record.clone())).collect()
    }
}

/// Extends the locks of all an archive is made of; returns when the first of them ends.
async fn extend(place: &dyn Destination, layout: &dyn Layout, record: &BackupRecord, until: i64) -> Result<i64> {
    let mut locked = NEVER;
    for key in layout.own_objects(record)? {
        locked = locked.min(place.extend_lock(&key, until).await?.unwrap_or(NEVER));
    }
    Ok(locked)
}
