//! Deleting copies of a backup, links to an archive, and bringing one back from a cold class.

use super::copies::{Copy, file_name};
use crate::backstay::{Backstay, Inner, locked};
use crate::words::{invalid, ipc_error, millis, size_text, time_text};
use backstay_contract::{CopyView, DeleteFailure, DeletePreview, DeleteReport, LinkView};
use backstay_core::config::{BackupQuery, Place};
use backstay_core::destination::{Availability, Destination, Key};
use backstay_core::layout::{Deleted, Layout};
use backstay_core::{BackupId, Error, ErrorClass, Result, RunContext};
use chrono::{DateTime, TimeDelta};
use std::time::Duration;

/// How long a link may hold, in minutes: what S3 signs for at most, and not so short that nobody can use it.
const LINK_MINUTES: std::ops::RangeInclusive<u32> = 10..=7 * 24 * 60;
/// How long a thawed archive may stay readable, in days.
const THAW_DAYS: std::ops::RangeInclusive<u32> = 1..=30;

impl Backstay {
    /// Says what deleting a backup at these destinations (none: at all) would do. Nothing is changed.
    pub async fn delete_preview(&self, backup: &str, destinations: Vec<String>) -> Result<DeletePreview> {
        let copies = self.inner.chosen(&BackupId::from(backup), &destinations)?;
        let Some(first) = copies.first() else { return Err(invalid("There is no such copy")) };
        let record = &first.known.record;
        let views = futures::future::join_all(copies.iter().map(|copy| self.inner.copy_view(copy))).await;
        let (newest, only) = self.inner.standing(first)?;
        let left = self.inner.copies(&record.id)?.len() - copies.len();
        Ok(DeletePreview {
            backup: record.id.to_string(),
            title: format!("{}, {}", record.plan_name, time_text(record.started)),
            notes: notes(&copies, &views, left, newest, only),
            copies: views,
            newest: newest && left == 0,
            only: only && left == 0,
        })
    }

    /// Deletes a backup at these destinations (none: at all). Each copy stands or falls on its own.
    pub async fn delete_backup(&self, backup: &str, destinations: Vec<String>) -> Result<DeleteReport> {
        let copies = self.inner.chosen(&BackupId::from(backup), &destinations)?;
        let mut report =
            DeleteReport { freed_bytes: 0, removed: Vec::new(), failed: Vec::new(), prune_hint: String::new() };
        let mut unused = Vec::new();
        for copy in &copies {
            let record = &copy.known.record;
            let subject = format!("{}, {} at {}", record.plan_name, time_text(record.started), copy.config.name);
            let result = self.inner.delete_copy(copy).await;
            match self.inner.audited("backup.delete", &subject, result) {
                Ok(deleted) => {
                    report.freed_bytes += deleted.freed_bytes;
                    report.removed.push(copy.config.name.clone());
                    if let Some(bytes) = deleted.unused_bytes.filter(|bytes| *bytes > 0) {
                        unused.push(format!("{} at {}", size_text(bytes), copy.config.name));
                    }
                }
                Err(error) => report
                    .failed
                    .push(DeleteFailure { destination: copy.config.name.clone(), error: ipc_error(&error) }),
            }
        }
        if !unused.is_empty() {
            report.prune_hint = format!("Freeing up space gives back {}", unused.join(", "));
        }
        for what in ["backups", "plans", "servers", "destinations"] {
            self.inner.changed(what);
        }
        Ok(report)
    }

    /// Makes an address anybody can read an archive at for so many minutes.
    pub async fn make_link(&self, backup: &str, destination: &str, minutes: u32) -> Result<LinkView> {
        if !LINK_MINUTES.contains(&minutes) {
            return Err(invalid("A link must hold for 10 minutes at least and 7 days at most"));
        }
        let copy = self.inner.chosen_one(&BackupId::from(backup), destination)?;
        let record = &copy.known.record;
        let Some((file, key)) = record.archive.as_ref().zip(copy.key()?) else {
            return Err(invalid("Links can be made to archives only; this backup lies in a vault")
                .hint("Download it instead, or let the plan make archives"));
        };
        let name = file_name(&file.key);
        let subject = format!("{name} at {} for {minutes} minutes", copy.config.name);
        let linked = async {
            let place = self.inner.place(&copy.config).await?;
            // An address of nothing would only be found out by whoever gets it.
            place.head(&key).await?;
            if place.availability(&key).await? != Availability::Ready {
                return Err(super::copies::frozen(&copy));
            }
            place.link(&key, Duration::from_secs(u64::from(minutes) * 60)).await
        };
        let url = self.inner.audited("backup.link", &subject, linked.await)?;
        let expires = self.inner.clock.now() + TimeDelta::minutes(minutes.into());
        Ok(LinkView { url: url.expose().to_owned(), expires: millis(expires), file: name, sealed: file.sealed })
    }

    /// Asks a cold class for an archive, to stay readable for so many days.
    pub async fn thaw_backup(&self, backup: &str, destination: &str, days: u32) -> Result<CopyView> {
        if !THAW_DAYS.contains(&days) {
            return Err(invalid("A thawed archive can stay readable for 1 to 30 days"));
        }
        let copy = self.inner.chosen_one(&BackupId::from(backup), destination)?;
        let Some(key) = copy.key()? else { return Err(invalid("Only archives lie in cold storage classes")) };
        let subject = format!("{key} at {} for {days} days", copy.config.name);
        let asked = async { self.inner.place(&copy.config).await?.thaw(&key, days).await };
        self.inner.audited("backup.thaw", &subject, asked.await)?;
        Ok(self.inner.copy_view(&copy).await)
    }
}

impl Inner {
    /// Returns the copies at these destinations (none: all).
    fn chosen(&self, backup: &BackupId, destinations: &[String]) -> Result<Vec<Copy>> {
        let mut copies = self.copies(backup)?;
        for id in destinations {
            if !copies.iter().any(|copy| copy.config.id.as_str() == id) {
                return Err(Error::new(ErrorClass::Missing, "This backup does not lie at that destination"));
            }
        }
        copies.retain(|copy| destinations.is_empty() || destinations.iter().any(|id| copy.config.id.as_str() == id));
        Ok(copies)
    }

    fn chosen_one(&self, backup: &BackupId, destination: &str) -> Result<Copy> {
        let mut copies = self.chosen(backup, &[destination.to_owned()])?;
        copies.pop().ok_or_else(|| invalid("This backup does not lie at that destination"))
    }

    async fn delete_copy(&self, copy: &Copy) -> Result<Deleted> {
        let layout = self.layout_of(copy).await?;
        // Before anything goes: cut off half way, it must not be brought back by Sync.
        self.remember_deleted(copy.id(), &copy.config.id)?;
        let deleted = match self.delete_there(layout.as_ref(), copy).await {
            Ok(deleted) => deleted,
            Err(error) => {
                if layout.open(copy.id()).await.is_ok() {
                    // Nothing of it went: where it is lost later, it is missing.
                    self.forget_deleted(copy.id(), &copy.config.id)?;
                }
                if error.class == ErrorClass::Refused && self.lock_of(copy).await.is_some() {
                    // Who wants it gone does not want it locked for ever.
                    self.let_lock_end(copy)?;
                    return Err(error.hint(
                        "A lock cannot be lifted before its time. It is not extended any more: delete it once it is over",
                    ));
                }
                return Err(error);
            }
        };
        self.store.delete_backup(copy.id(), &copy.config.id)?;
        locked(&self.used).remove(&copy.config.id);
        Ok(deleted)
    }

    async fn delete_there(&self, layout: &dyn Layout, copy: &Copy) -> Result<Deleted> {
        let ctx = RunContext { clock: self.clock.clone(), ..RunContext::silent() };
        match layout.delete(&ctx, copy.id()).await {
            Err(error) if error.class == ErrorClass::Missing => self.delete_rest(layout, copy).await,
            other => other,
        }
    }

    /// Deletes what is left of a copy that was not found: nothing where somebody else was faster, or an archive whose
    /// manifest went before. Fails where the copy may be there all the same.
    async fn delete_rest(&self, layout: &dyn Layout, copy: &Copy) -> Result<Deleted> {
        let place = self.place(&copy.config).await?;
        let record = &copy.known.record;
        let Some((file, key)) = record.archive.as_ref().zip(copy.key()?) else {
            // Every vault has it.
            return place.head(&Key::new("config")?).await.map(|_| Deleted::default()).map_err(|error| {
                match error.class {
                    ErrorClass::Missing => Error::new(
                        ErrorClass::Missing,
                        format!("Cannot delete the copy at {}: the vault is not there", copy.config.name),
                    )
                    .hint("Is the right disk mounted?"),
                    _ => error,
                }
            });
        };
        self.refuse_emptied(&copy.config, place.as_ref()).await?;
        let Some(size_bytes) = size_of(place.as_ref(), &key).await? else { return Ok(Deleted::default()) };
        let mut is_alone = true;
        for beside in layout.own_objects(record)?.iter().filter(|beside| **beside != key) {
            is_alone &= size_of(place.as_ref(), beside).await?.is_none();
        }
        if !is_alone || size_bytes != file.size_bytes {
            let name = &copy.config.name;
            let text = format!("Cannot delete the copy at {name}: {key} is there, but not as this backup's archive");
            let error = Error::new(ErrorClass::Corrupt, text);
            return Err(error.hint("Its manifest is damaged, or it is another backup's now: verify that destination"));
        }
        place.delete(&key).await?;
        Ok(Deleted { freed_bytes: size_bytes, unused_bytes: Some(0) })
    }

    /// Tells whether a backup is its plan's newest good one, and whether it is its only one.
    fn standing(&self, copy: &Copy) -> Result<(bool, bool)> {
        let record = &copy.known.record;
        let Some(plan) = &record.plan else { return Ok((false, false)) };
        let query = BackupQuery { plan: Some(plan.clone()), limit: 1000, ..BackupQuery::default() };
        let all = self.store.backup_rows(&query)?.rows;
        let others: Vec<_> = all.iter().map(|row| &row.record).filter(|other| other.id != record.id).collect();
        let later_good = others.iter().any(|other| other.problems == 0 && other.started > record.started);
        Ok((record.problems == 0 && !later_good, others.is_empty()))
    }
}

/// Returns the size of an object; `None` where it is not there.
async fn size_of(place: &dyn Destination, key: &Key) -> Result<Option<u64>> {
    match place.head(key).await {
        Ok(info) => Ok(Some(info.size_bytes)),
        Err(error) if error.class == ErrorClass::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

fn notes(copies: &[Copy], views: &[CopyView], left: usize, newest: bool, only: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if left > 0 {
        notes.push(match left {
            1 => "One other copy stays.".into(),
            n => format!("{n} other copies stay."),
        });
    } else if only {
        notes.push("It is the plan's only backup: nothing is left to restore from.".into());
    } else if newest {
        notes.push("It is the plan's newest good backup.".into());
    }
    for (copy, view) in copies.iter().zip(views) {
        let name = &copy.config.name;
        notes.push(match view.file_bytes {
            Some(bytes) => format!("Frees {} at {name} at once.", size_text(bytes)),
            None => format!("{name} keeps what other backups share; the rest is freed by Free up space."),
        });
        if let Some(note) = &view.cost_note {
            notes.push(format!("{name}: {note}."));
        }
        if let Some(until) = view.locked_until.and_then(DateTime::from_timestamp_millis) {
            let until = until.format("%-d %B %Y");
            notes.push(format!(
                "{name} has it locked until {until} and refuses to delete it before. Asked to, Backstay lets the lock end then."
            ));
        } else if let Place::S3(place) = &copy.config.place
            && let Some(days) = place.lock_days.filter(|_| copy.known.record.archive.is_some())
        {
            notes.push(format!("{name} locks archives for {days} days: it may refuse until they are over."));
        }
    }
    notes
}
