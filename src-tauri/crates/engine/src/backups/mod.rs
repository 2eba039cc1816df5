//! Backups: the list and one of them whole.

mod compare;
pub(crate) mod copies;
mod delete;
pub(crate) mod spare;
mod tree;

use crate::backstay::{Backstay, Inner};
use crate::words::{invalid, millis, problem_row};
use backstay_contract::{BackupDetail, BackupFilter, BackupItem, BackupPage, BackupRow};
use backstay_core::config::{BackupCopies, BackupQuery, BackupSort, DestinationConfig, KnownBackup};
use backstay_core::kind::item_root;
use backstay_core::layout::BackupManifest;
use backstay_core::run::RunKind;
use backstay_core::store::RunQuery;
use backstay_core::{BackupId, DestinationId, Error, ErrorClass, Result};
use futures::FutureExt;

/// Problems shown with a backup; the run has all of them.
const PROBLEMS_SHOWN: usize = 100;

impl Backstay {
    /// Returns a page of backups.
    pub async fn backups(&self, filter: BackupFilter) -> Result<BackupPage> {
        let page = self.inner.store.backup_rows(&query_of(filter)?)?;
        let rows = page.rows.iter().map(|copies| self.inner.backup_row(copies));
        Ok(BackupPage { rows: rows.collect::<Result<_>>()?, total: page.total })
    }

    /// Returns one backup whole.
    pub async fn backup(&self, id: &str) -> Result<BackupDetail> {
        let copies = self.inner.copies(&BackupId::from(id))?;
        let known = copies.first().map(|copy| copy.known.clone()).ok_or_else(|| invalid("There is no such backup"))?;
        let manifest = self.inner.manifest_of(&copies).await?;
        let counts = known.record.counts;
        let mut record = known.record.clone();
        record.verified = copies.iter().filter_map(|copy| copy.known.record.verified).max();
        let all = BackupCopies { record, destinations: copies.iter().map(|copy| copy.config.id.clone()).collect() };
        let views = copies.iter().map(|copy| self.inner.copy_view(copy));
        let mut views = futures::future::join_all(views).await;
        views.extend(self.inner.missing_views(&known.record, &copies)?);
        Ok(BackupDetail {
            row: self.inner.backup_row(&all)?,
            previous: self.inner.previous(&known)?.map(|id| id.to_string()),
            items: manifest.as_ref().map(|manifest| self.inner.items_of(manifest)).unwrap_or_default(),
            files_read: counts.files_read,
            bytes_read: counts.bytes_read,
            files_new: counts.files_new,
            files_changed: counts.files_changed,
            facts: manifest.as_ref().map(|manifest| manifest.facts.clone()).unwrap_or_default(),
            problem_list: manifest
                .map(|manifest| manifest.problems.iter().take(PROBLEMS_SHOWN).map(problem_row).collect())
                .unwrap_or_default(),
            copies: views,
            run: self.inner.run_of(&known)?,
        })
    }
}

impl Inner {
    /// Returns a backup by its id or the start of it, with the destination it lies at.
    pub(crate) fn known_backup(&self, id: &BackupId) -> Result<(KnownBackup, DestinationConfig)> {
        let nearest = self.copies(id)?.into_iter().next();
        let copy = nearest.ok_or_else(|| Error::new(ErrorClass::Missing, format!("There is no backup {id}")))?;
        Ok((copy.known, copy.config))
    }

    /// Reads a backup's manifest; one that lies frozen, or was lost, is shown without.
    async fn manifest_of(&self, copies: &[copies::Copy]) -> Result<Option<BackupManifest>> {
        match self.ask_nearest(copies, |reader| async move { reader.manifest().await }.boxed()).await {
            Ok(found) => Ok(found.answer),
            Err(error)
                if matches!(error.class, ErrorClass::Locked | ErrorClass::Missing)
                    && copies.iter().all(|copy| copy.known.record.archive.is_some()) =>
            {
                tracing::info!(%error, "shown without its manifest");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn backup_row(&self, copies: &BackupCopies) -> Result<BackupRow> {
        let record = &copies.record;
        let names = copies.destinations.iter().map(|id| self.destination_name(id)).collect();
        let lacking = self.lacking(record, copies.destinations.iter())?;
        // A proof of one copy must not hide that another was found damaged.
        let mut verified = record.verified;
        for id in copies.destinations.iter().filter(|_| record.verified.is_some()) {
            if self.is_damaged(&record.id, id)? {
                verified = None;
            }
        }
        Ok(BackupRow {
            id: record.id.to_string(),
            started: millis(record.started),
            ended: millis(record.ended),
            plan: record.plan.as_ref().map(ToString::to_string),
            plan_name: record.plan_name.clone(),
            server: record.server.as_ref().map(ToString::to_string),
            server_name: record.server_name.clone(),
            kinds: record.kinds.clone(),
            state: if record.problems > 0 { "problems" } else { "good" }.into(),
            problems: record.problems,
            files: record.counts.files,
            bytes: record.counts.bytes,
            added_bytes: record.counts.bytes_added,
            destinations: names,
            missing_at: lacking.into_iter().map(|config| config.name).collect(),
            layout: copies::layout_word(record).into(),
            sealed: record.archive.as_ref().is_some_and(|file| file.sealed),
            verified: verified.map(millis),
        })
    }

    fn destination_name(&self, id: &DestinationId) -> String {
        self.store.destination(id).map_or_else(|_| id.to_string(), |config| config.name)
    }

    fn items_of(&self, manifest: &BackupManifest) -> Vec<BackupItem> {
        let item = |item: &backstay_core::kind::Item| BackupItem {
            name: item.name.clone(),
            kind: item.kind.clone(),
            text: self.kind(&item.kind).map_or_else(|_| item.kind.clone(), |kind| kind.describe(item)),
            path: item_root(item).to_text(),
        };
        manifest.items.iter().map(item).collect()
    }

    /// Returns the backup before this one of the same plan, if it is still there.
    pub(crate) fn previous(&self, known: &KnownBackup) -> Result<Option<BackupId>> {
        let record = &known.record;
        let there = |id: &BackupId| self.store.backup(id).is_ok_and(|copies| !copies.is_empty());
        if let Some(parent) = record.parent.as_ref().filter(|id| there(id)) {
            return Ok(Some(parent.clone()));
        }
        let Some(plan) = &record.plan else { return Ok(None) };
        let all = self.store.backups(&BackupQuery {
            plan: Some(plan.clone()),
            destination: Some(known.destination.clone()),
            limit: 1000,
            ..BackupQuery::default()
        })?;
        let older = all.rows.into_iter().map(|other| other.record).filter(|other| other.started < record.started);
        Ok(older.max_by_key(|other| other.started).map(|other| other.id))
    }

    /// Returns the run that made a backup, if this computer knows it.
    fn run_of(&self, known: &KnownBackup) -> Result<Option<String>> {
        let Some(plan) = &known.record.plan else { return Ok(None) };
        let query =
            RunQuery { plan: Some(plan.clone()), kind: Some(RunKind::Backup), limit: 1000, ..RunQuery::default() };
        let runs = self.store.runs(&query)?.rows;
        Ok(runs.into_iter().find(|run| run.backup.as_ref() == Some(&known.record.id)).map(|run| run.id.to_string()))
    }
}

fn query_of(filter: BackupFilter) -> Result<BackupQuery> {
    let problems = match filter.state.as_deref() {
        None | Some("") => None,
        Some("good") => Some(false),
        Some("problems") => Some(true),
        Some(other) => return Err(invalid(format!("There are no backups of state \"{other}\""))),
    };
    let sort = match filter.sort.as_str() {
        "" | "started" => BackupSort::Started,
        "plan" => BackupSort::Plan,
        "server" => BackupSort::Server,
        "size" => BackupSort::Size,
        "added" => BackupSort::Added,
        other => return Err(invalid(format!("Backups cannot be sorted by \"{other}\""))),
    };
    Ok(BackupQuery {
        text: filter.text,
        server: filter.server.map(Into::into),
        plan: filter.plan.map(Into::into),
        destination: filter.destination.map(Into::into),
        kind: filter.kind,
        problems,
        until: None,
        sort,
        ascending: filter.ascending,
        offset: filter.offset,
        limit: filter.limit.clamp(1, 1000),
    })
}
