//! The copies of a backup: which there are, which is read, what each is like.

use crate::backstay::Inner;
use crate::words::millis;
use backstay_contract::CopyView;
use backstay_core::config::{DestinationConfig, KnownBackup, Place, PlanLayout, S3Place};
use backstay_core::destination::{Availability, Destination, Key};
use backstay_core::layout::{BackupReader, BackupRecord, Layout};
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, PlanId, Result};
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A store that does not say in this time whether a copy is frozen is taken for one that has it ready.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// One copy of a backup, and where it lies.
#[derive(Clone)]
pub(crate) struct Copy {
    pub known: KnownBackup,
    pub config: DestinationConfig,
}

/// What the nearest copy that could answer said.
pub(crate) struct Answer<T> {
    pub answer: T,
    pub copy: Copy,
    /// The copies that could not, and why.
    pub notes: Vec<String>,
}

impl Copy {
    pub fn id(&self) -> &BackupId {
        &self.known.record.id
    }
    /// The key of its file, for an archive.
    pub fn key(&self) -> Result<Option<Key>> {
        self.known.record.archive.as_ref().map(|file| Key::new(file.key.clone())).transpose()
    }
}

/// How near a place is: copies that come faster come first.
fn distance(place: &Place) -> u8 {
    match place {
        Place::Local { .. } => 0,
        Place::Sftp(_) => 1,
        Place::S3(place) if !is_cold(place) => 2,
        Place::Ftp(_) => 3,
        Place::S3(_) => 4,
    }
}

/// The least time billed for each class.
fn class_days(class: &str) -> u32 {
    match class {
        "STANDARD_IA" | "ONEZONE_IA" => 30,
        "GLACIER_IR" | "GLACIER" => 90,
        "DEEP_ARCHIVE" => 180,
        _ => 0,
    }
}

/// Tells whether new archives go into a class they must be brought back from.
fn is_cold(place: &S3Place) -> bool {
    matches!(place.storage_class.as_deref(), Some("GLACIER" | "DEEP_ARCHIVE"))
}

impl Inner {
    /// Returns the copies of a backup, by its id or the start of it; the nearest first.
    pub(crate) fn copies(&self, id: &BackupId) -> Result<Vec<Copy>> {
        let mut copies = Vec::new();
        for known in self.store.backup(id)? {
            let config = self.store.destination(&known.destination)?;
            copies.push(Copy { known, config });
        }
        let plan = copies.first().and_then(|copy| copy.known.record.plan.as_ref());
        let order = plan.and_then(|id| self.store.plan(id).ok()).map(|plan| plan.destinations).unwrap_or_default();
        // Of those equally near, the plan's primary comes first.
        copies.sort_by_key(|copy| {
            let place = order.iter().position(|id| *id == copy.config.id).unwrap_or(order.len());
            (distance(&copy.config.place), place)
        });
        if copies.is_empty() {
            return Err(Error::new(ErrorClass::Missing, format!("There is no backup {id}"))
                .hint("Read the destination anew if it was made on another computer"));
        }
        Ok(copies)
    }

    /// Returns the layout a copy lies in.
    pub(crate) async fn layout_of(&self, copy: &Copy) -> Result<Arc<dyn Layout>> {
        match copy.known.record.archive {
            Some(_) => self.archives(&copy.config).await,
            None => Ok(self.vault(&copy.config).await?.layout),
        }
    }

    /// Opens a backup at the nearest place and asks something of it; where that place cannot answer, the next is asked.
    ///
    /// The question is boxed: the command bridge cannot prove an `AsyncFn` with borrows to be `Send`.
    pub(crate) async fn ask_nearest<'a, T, F>(&self, copies: &[Copy], ask: F) -> Result<Answer<T>>
    where
        F: Fn(Arc<dyn BackupReader>) -> BoxFuture<'a, Result<T>> + Send,
        T: Send,
    {
        let (mut first, mut notes) = (None, Vec::new());
        let mut turns: VecDeque<(&Copy, bool)> = copies.iter().map(|copy| (copy, false)).collect();
        while let Some((copy, thaws)) = turns.pop_front() {
            let state = if thaws { Ok(Availability::Ready) } else { self.state_of(copy).await };
            let answer = match state {
                // The lists of an archive lie beside it, in no cold class: they answer if no copy at hand does.
                Ok(Availability::Thawing) => {
                    turns.push_back((copy, true));
                    continue;
                }
                Ok(Availability::Frozen) => Err(frozen(copy)),
                Ok(Availability::Ready) => match self.open_lists(copy).await {
                    Ok(reader) => ask(reader).await,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            match answer {
                Ok(answer) => {
                    notes.extend(thaws.then(|| waits_for(copy)));
                    return Ok(Answer { answer, copy: copy.clone(), notes });
                }
                Err(error) if !is_the_copys(&error) => return Err(error),
                Err(error) => {
                    notes.push(format!("The copy at {} cannot be used: {}", copy.config.name, error.message));
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| Error::new(ErrorClass::Missing, "There is no copy of this backup")))
    }

    /// Opens one copy for reading; `Locked` while it is frozen.
    pub(crate) async fn open_copy(&self, copy: &Copy) -> Result<Arc<dyn BackupReader>> {
        if self.state_of(copy).await? != Availability::Ready {
            return Err(frozen(copy));
        }
        self.open_lists(copy).await
    }

    async fn open_lists(&self, copy: &Copy) -> Result<Arc<dyn BackupReader>> {
        self.layout_of(copy).await?.open(copy.id()).await
    }

    /// Tells whether a copy can be read now. An archive in a bucket is asked itself: what the destination is set to says
    /// nothing of one written before, or moved into a cold class by a rule of the bucket.
    pub(crate) async fn state_of(&self, copy: &Copy) -> Result<Availability> {
        match (&copy.config.place, copy.key()?) {
            (Place::S3(_), Some(key)) => self.place(&copy.config).await?.availability(&key).await,
            _ => Ok(Availability::Ready),
        }
    }

    /// Returns until when nobody can delete a copy, where that is known and still to come.
    pub(crate) async fn lock_of(&self, copy: &Copy) -> Option<DateTime<Utc>> {
        let key = copy.key().ok().flatten().filter(|_| matches!(copy.config.place, Place::S3(_)))?;
        let until = self.place(&copy.config).await.ok()?.locked_until(&key).await.ok()??;
        DateTime::from_timestamp(until, 0).filter(|until| *until > self.clock.now())
    }

    /// Returns a copy as it is shown.
    pub(crate) async fn copy_view(&self, copy: &Copy) -> CopyView {
        let looks = futures::future::join(
            tokio::time::timeout(LOOK_LIMIT, self.state_of(copy)),
            tokio::time::timeout(LOOK_LIMIT, self.lock_of(copy)),
        );
        let (look, lock) = looks.await;
        let state = match look {
            Ok(Ok(Availability::Frozen)) => "frozen",
            Ok(Ok(Availability::Thawing)) => "thawing",
            Ok(Err(error)) if error.class == ErrorClass::Missing => "missing",
            _ => "there",
        };
        let file = copy.known.record.archive.as_ref();
        CopyView {
            destination: copy.config.id.to_string(),
            destination_name: copy.config.name.clone(),
            state: state.into(),
            file: file.map(|file| file_name(&file.key)),
            file_bytes: file.map(|file| file.size_bytes),
            links: file.is_some() && matches!(copy.config.place, Place::S3(_)),
            cost_note: self.cost_note(copy, self.clock.now()),
            locked_until: lock.ok().flatten().map(millis),
        }
    }

    /// Returns the copies its plan's destinations lack, as they are shown.
    pub(crate) fn missing_views(&self, record: &BackupRecord, copies: &[Copy]) -> Result<Vec<CopyView>> {
        let mut views = Vec::new();
        for config in self.lacking(record, copies.iter().map(|copy| &copy.config.id))? {
            views.push(CopyView {
                destination: config.id.to_string(),
                destination_name: config.name,
                state: "missing".into(),
                file: None,
                file_bytes: None,
                links: false,
                cost_note: None,
                locked_until: None,
            });
        }
        Ok(views)
    }

    /// Returns its plan's destinations that lack a backup, though it could lie there and nobody deleted it there.
    pub(crate) fn lacking<'a>(
        &self,
        record: &BackupRecord,
        there: impl Iterator<Item = &'a DestinationId>,
    ) -> Result<Vec<DestinationConfig>> {
        let Some(plan) = &record.plan else { return Ok(Vec::new()) };
        let Ok(plan) = self.store.plan(plan) else { return Ok(Vec::new()) };
        let there: Vec<&DestinationId> = there.collect();
        let vaults = there.iter().filter_map(|id| self.store.destination(id).ok()).map(|config| config.vault_id);
        let vaults: Vec<String> = vaults.filter(|id| !id.is_empty()).collect();
        let mut lacking = Vec::new();
        for id in plan.destinations.iter().filter(|id| !there.contains(id)) {
            let config = self.store.destination(id)?;
            let fits = record.archive.is_some() || vaults.contains(&config.vault_id);
            if fits && !self.was_deleted(&record.id, id)? {
                lacking.push(config);
            }
        }
        Ok(lacking)
    }

    /// Returns the backups of a plan that a destination lacks and should have: Sync makes them good.
    pub(crate) fn to_make_good(&self, plan: &PlanId, destination: &DestinationId) -> Result<Vec<BackupId>> {
        let mut ids = self.store.missing_backups(plan, destination)?;
        let mut gone = Vec::new();
        for id in &ids {
            if self.was_deleted(id, destination)? {
                gone.push(id.clone());
            }
        }
        ids.retain(|id| !gone.contains(id));
        Ok(ids)
    }

    /// Remembers that a copy was deleted on purpose: Sync must not bring it back.
    pub(crate) fn remember_deleted(&self, backup: &BackupId, destination: &DestinationId) -> Result<()> {
        self.store.put_transfer(&deleted_name(backup, destination), "{}")
    }

    /// Forgets so: nothing of it was deleted.
    pub(super) fn forget_deleted(&self, backup: &BackupId, destination: &DestinationId) -> Result<()> {
        self.store.delete_transfer(&deleted_name(backup, destination))
    }

    /// Tells whether what is left of a copy is an archive whose deletion was cut off before it went.
    pub(crate) async fn is_half_deleted(&self, known: &KnownBackup, place: &dyn Destination) -> Result<bool> {
        let Some(file) = &known.record.archive else { return Ok(false) };
        if !self.was_deleted(&known.record.id, &known.destination)? {
            return Ok(false);
        }
        match place.head(&Key::new(file.key.clone())?).await {
            Err(error) if error.class == ErrorClass::Missing => Ok(false),
            other => other.map(|_| true),
        }
    }

    fn was_deleted(&self, backup: &BackupId, destination: &DestinationId) -> Result<bool> {
        Ok(self.store.transfer(&deleted_name(backup, destination))?.is_some())
    }

    /// Says what the provider bills for deleting a copy now.
    pub(crate) fn cost_note(&self, copy: &Copy, now: DateTime<Utc>) -> Option<String> {
        let Place::S3(place) = &copy.config.place else { return None };
        let (name, least) = self.least_days(place);
        let archive = copy.known.record.archive.is_some();
        // The class is that of archives; a vault lies in the store's own.
        let class = place.storage_class.as_deref().filter(|_| archive).map_or(0, class_days);
        let days = least.max(class);
        let until = copy.known.record.ended + TimeDelta::days(days.into());
        if days == 0 || until <= now {
            return None;
        }
        let date = until.format("%-d %B %Y");
        Some(match archive {
            true => format!("Billed until {date}: {name} keeps charging for {days} days"),
            false => format!("What only it needs is billed until {date}: {name} keeps charging for {days} days"),
        })
    }

    /// Says what a destination's provider bills for whatever is removed there too early.
    pub(crate) fn early_note(&self, config: &DestinationConfig) -> Option<String> {
        let Place::S3(place) = &config.place else { return None };
        let (name, days) = self.least_days(place);
        (days > 0).then(|| {
            format!("{name} bills whatever is removed within {days} days of when it was written for the rest of them")
        })
    }

    /// Returns the provider's name, and the least time it bills anything for.
    fn least_days(&self, place: &S3Place) -> (String, u32) {
        let provider = self.parts.s3_providers().into_iter().find(|provider| provider.id == place.provider);
        provider.map_or(("The provider".to_owned(), 0), |provider| (provider.name, provider.minimum_days))
    }
}

fn deleted_name(backup: &BackupId, destination: &DestinationId) -> String {
    format!("deleted/{destination}/{backup}")
}

/// Tells whether an error is a copy's own, so that another may do better.
pub(super) fn is_the_copys(error: &Error) -> bool {
    use ErrorClass as C;
    !matches!(error.class, C::Cancelled | C::Invalid | C::WrongKey | C::Internal)
}

/// Returns the last part of a key.
pub(crate) fn file_name(key: &str) -> String {
    key.rsplit('/').next().unwrap_or(key).to_owned()
}

/// How a backup lies, in a word: "vault", "tar.gz", "tar.zst" or "zip".
pub(crate) fn layout_word(record: &BackupRecord) -> &'static str {
    record.archive.as_ref().map_or("vault", |file| file.format.extension())
}

/// Makes the error of a copy that must be thawed first.
pub(crate) fn frozen(copy: &Copy) -> Error {
    Error::new(
        ErrorClass::Locked,
        format!("Cannot read the copy at {}: it lies in a cold storage class", copy.config.name),
    )
    .hint("Ask for it first (Thaw); it takes minutes to two days, and then it stays readable for some days")
}

fn waits_for(copy: &Copy) -> String {
    format!(
        "The copy at {} is being brought back from cold storage: a restore waits until it is there, and then does what is shown here",
        copy.config.name
    )
}

/// Tells whether backups of a plan are archives.
pub(crate) fn makes_archives(layout: &PlanLayout) -> bool {
    matches!(layout, PlanLayout::Archive(_))
}
