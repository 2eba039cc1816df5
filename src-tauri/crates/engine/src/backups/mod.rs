//! Backups: the list and one of them whole.

mod compare;
mod tree;

use crate::backstay::{Backstay, Inner};
use crate::words::{invalid, millis, problem_row};
use backstay_contract::{BackupDetail, BackupFilter, BackupItem, BackupPage, BackupRow, CopyView};
use backstay_core::config::{BackupQuery, BackupSort, DestinationConfig, KnownBackup};
use backstay_core::kind::item_root;
use backstay_core::layout::{BackupManifest, BackupReader};
use backstay_core::run::RunKind;
use backstay_core::store::RunQuery;
use backstay_core::{BackupId, Error, ErrorClass, Result};
use std::sync::Arc;

/// Problems shown with a backup; the run has all of them.
const PROBLEMS_SHOWN: usize = 100;

impl Backstay {
    /// Returns a page of backups.
    pub async fn backups(&self, filter: BackupFilter) -> Result<BackupPage> {
        let page = self.inner.store.backups(&query_of(filter)?)?;
        let rows = page.rows.iter().map(|known| self.inner.backup_row(known));
        Ok(BackupPage { rows: rows.collect::<Result<_>>()?, total: page.total })
    }

    /// Returns one backup whole.
    pub async fn backup(&self, id: &str) -> Result<BackupDetail> {
        let (known, destination) = self.inner.known_backup(&BackupId::from(id))?;
        let copies = self.inner.store.backup(&known.record.id)?;
        let reader = self.inner.reader(&known, &destination).await?;
        let manifest = reader.manifest().await?;
        let counts = known.record.counts;
        let copies = copies.iter().map(|copy| CopyView {
            destination: copy.destination.to_string(),
            destination_name: self.inner.destination_name(copy),
            state: "there".into(),
        });
        Ok(BackupDetail {
            row: self.inner.backup_row(&known)?,
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
            copies: copies.collect(),
            run: self.inner.run_of(&known)?,
        })
    }
}

impl Inner {
    /// Returns a backup by its id or the start of it, with the destination it lies at.
    pub(crate) fn known_backup(&self, id: &BackupId) -> Result<(KnownBackup, DestinationConfig)> {
        let copies = self.store.backup(id)?;
        let known = copies.into_iter().next().ok_or_else(|| {
            Error::new(ErrorClass::Missing, format!("There is no backup {id}"))
                .hint("Read the destination anew if it was made on another computer")
        })?;
        let destination = self.store.destination(&known.destination)?;
        Ok((known, destination))
    }

    /// Opens a backup for reading.
    pub(crate) async fn reader(
        &self,
        known: &KnownBackup,
        destination: &DestinationConfig,
    ) -> Result<Arc<dyn BackupReader>> {
        self.vault(destination).await?.layout.open(&known.record.id).await
    }

    pub(crate) fn backup_row(&self, known: &KnownBackup) -> Result<BackupRow> {
        let record = &known.record;
        // Several copies come as several rows of one id only once plans write to several places.
        let names = vec![self.destination_name(known)];
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
            verified: record.verified.map(millis),
        })
    }

    fn destination_name(&self, known: &KnownBackup) -> String {
        self.store.destination(&known.destination).map_or_else(|_| known.destination.to_string(), |config| config.name)
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
        sort,
        ascending: filter.ascending,
        offset: filter.offset,
        limit: filter.limit.clamp(1, 1000),
    })
}
