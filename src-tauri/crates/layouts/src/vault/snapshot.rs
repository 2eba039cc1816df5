//! Snapshot files: one a backup, written last. Everything a list of backups shows is in them.

use super::id::Id;
use super::node::go_time;
use super::repo::Repo;
use backstay_core::layout::{BackupManifest, BackupRecord};
use backstay_core::run::RunCounts;
use backstay_core::{BackupId, Error, ErrorClass, PlanId, Result, ServerId};
use chrono::{DateTime, Utc};
use futures::stream::StreamExt;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// Snapshots read at the same time.
const READS: usize = 8;
/// The tag all our snapshots carry.
const TAG: &str = "backstay";

/// A snapshot as restic writes it. What Backstay knows more is in the tags, which survive restic's own rewriting, and
/// counts that may be lost in `backstay`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    #[serde(serialize_with = "write_time")]
    pub time: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Id>,
    pub tree: Id,
    #[serde(default)]
    pub paths: Vec<String>,
    #[serde(default)]
    pub hostname: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub username: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Id>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub summary: Option<Summary>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub backstay: Option<Extra>,
}

/// What restic 0.17 and later keep of a backup's counts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Summary {
    #[serde(serialize_with = "write_time")]
    pub backup_start: DateTime<Utc>,
    #[serde(serialize_with = "write_time")]
    pub backup_end: DateTime<Utc>,
    pub files_new: u64,
    pub files_changed: u64,
    pub files_unmodified: u64,
    pub dirs_new: u64,
    pub dirs_changed: u64,
    pub dirs_unmodified: u64,
    pub data_blobs: u64,
    pub tree_blobs: u64,
    pub data_added: u64,
    pub data_added_packed: u64,
    pub total_files_processed: u64,
    pub total_bytes_processed: u64,
}

/// Counts restic has no place for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Extra {
    pub files_read: u64,
    pub bytes_read: u64,
}

fn write_time<S: serde::Serializer>(time: &DateTime<Utc>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&go_time(time))
}

/// Reads what may be left out; what another program wrote in its own way is as good as absent.
fn lenient<'de, D, T>(deserializer: D) -> std::result::Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// Returns the tags of a backup. restic's command line separates tags by commas, so none holds one.
pub(crate) fn tags(manifest: &BackupManifest) -> Vec<String> {
    let problems = manifest.problems.iter().filter(|problem| problem.kind.spoils_outcome()).count();
    let mut tags = vec![
        TAG.to_owned(),
        format!("plan:{}", escape(&manifest.plan_name)),
        format!("plan-id:{}", escape(manifest.plan.as_str())),
        format!("server-id:{}", escape(manifest.server.as_str())),
        format!("problems:{problems}"),
    ];
    let mut kinds = HashSet::new();
    let kinds = manifest.items.iter().map(|item| &item.kind).filter(|kind| kinds.insert(*kind));
    tags.extend(kinds.map(|kind| format!("kind:{}", escape(kind))));
    tags
}

fn escape(text: &str) -> String {
    text.replace('%', "%25").replace(',', "%2C")
}

fn unescape(text: &str) -> String {
    text.replace("%2C", ",").replace("%25", "%")
}

impl Snapshot {
    fn tag(&self, name: &str) -> Option<String> {
        let mut tags = self.tags.iter().flatten();
        tags.find_map(|tag| Some(unescape(tag.strip_prefix(name)?.strip_prefix(':')?)))
    }

    /// Returns the server's and the plan's id, where Backstay made it.
    pub fn made_for(&self) -> Option<(ServerId, PlanId)> {
        Some((ServerId(self.tag("server-id")?), PlanId(self.tag("plan-id")?)))
    }

    /// Tells it as a backup.
    pub fn record(&self, id: &Id) -> BackupRecord {
        let ours = self.tags.iter().flatten().any(|tag| tag == TAG);
        let tagged = |name: &str| if ours { self.tag(name) } else { None };
        let summary = self.summary.clone().unwrap_or_default();
        let extra = self.backstay.clone().unwrap_or_default();
        let kinds = self.tags.iter().flatten().filter_map(|tag| tag.strip_prefix("kind:")).map(unescape);
        let started = if self.summary.is_some() && ours { summary.backup_start } else { self.time };
        BackupRecord {
            id: BackupId(id.hex()),
            started,
            ended: summary.backup_end.max(self.time),
            server: tagged("server-id").map(ServerId),
            server_name: self.hostname.clone(),
            plan: tagged("plan-id").map(PlanId),
            plan_name: tagged("plan").unwrap_or_default(),
            kinds: if ours { kinds.collect() } else { vec!["files".to_owned()] },
            problems: tagged("problems").and_then(|count| count.parse().ok()).unwrap_or(0),
            counts: RunCounts {
                files: summary.total_files_processed,
                bytes: summary.total_bytes_processed,
                files_read: extra.files_read,
                bytes_read: extra.bytes_read,
                bytes_added: summary.data_added_packed,
                files_new: summary.files_new,
                files_changed: summary.files_changed,
                files_deleted: 0,
            },
            parent: self.parent.map(|parent| BackupId(parent.hex())),
            verified: None,
            archive: None,
        }
    }
}

impl Repo {
    /// Reads all snapshots. One that is damaged or vanished meanwhile is left out; `check` names it.
    pub async fn snapshots(self: &Arc<Self>) -> Result<Vec<(Id, Arc<Snapshot>)>> {
        let ids = self.ids("snapshots").await?;
        if let Ok(mut cached) = self.snapshots.lock() {
            let there: HashSet<&Id> = ids.iter().collect();
            cached.retain(|id, _| there.contains(id));
        }
        let read = futures::stream::iter(ids).map(|id| async move { (id, self.snapshot(&id).await) });
        let read: Vec<(Id, Result<Arc<Snapshot>>)> = read.buffer_unordered(READS).collect().await;
        let mut snapshots = Vec::with_capacity(read.len());
        for (id, result) in read {
            match result {
                Ok(snapshot) => snapshots.push((id, snapshot)),
                Err(error) if matches!(error.class, ErrorClass::Corrupt | ErrorClass::Missing) => {
                    tracing::warn!(snapshot = id.short(), %error, "left out of the list");
                }
                Err(error) => return Err(error),
            }
        }
        snapshots.sort_by_key(|(id, snapshot)| std::cmp::Reverse((snapshot.time, *id)));
        Ok(snapshots)
    }

    /// Reads one snapshot.
    pub async fn snapshot(&self, id: &Id) -> Result<Arc<Snapshot>> {
        if let Some(snapshot) = self.snapshots.lock().ok().and_then(|cached| cached.get(id).cloned()) {
            return Ok(snapshot);
        }
        let snapshot = Arc::new(self.load::<Snapshot>("snapshots", id).await?);
        if let Ok(mut cached) = self.snapshots.lock() {
            cached.insert(*id, snapshot.clone());
        }
        Ok(snapshot)
    }

    /// Forgets a snapshot that was removed.
    pub async fn forget_snapshot(&self, id: &Id) {
        if let Ok(mut known) = self.snapshots.lock() {
            known.remove(id);
        }
        if let Some(cache) = &self.cache {
            cache.remove("snapshots", id).await;
        }
    }

    /// Finds the backup the next one is compared with: the newest of this server and plan that none was compared with
    /// yet. So a clock that jumps back does not tie every later backup to the same old one.
    pub async fn newest(self: &Arc<Self>, manifest: &BackupManifest) -> Result<Option<(Id, Arc<Snapshot>)>> {
        let wanted = (manifest.server.clone(), manifest.plan.clone());
        let mut snapshots = self.snapshots().await?;
        snapshots.retain(|(_, snapshot)| snapshot.made_for().as_ref() == Some(&wanted));
        let parents: HashSet<Id> = snapshots.iter().filter_map(|(_, snapshot)| snapshot.parent).collect();
        let tip = snapshots.iter().position(|(id, _)| !parents.contains(id)).unwrap_or(0);
        Ok((!snapshots.is_empty()).then(|| snapshots.swap_remove(tip)))
    }

    /// Finds a backup by its id.
    pub async fn find_snapshot(self: &Arc<Self>, id: &BackupId) -> Result<(Id, Arc<Snapshot>)> {
        let missing = || {
            let text = format!("Cannot open the backup {id} at {}: it is not there", self.label());
            Error::new(ErrorClass::Missing, text).hint("Refresh the list of backups")
        };
        let id = Id::parse(id.as_str()).ok_or_else(missing)?;
        // Not from the cache alone: the destination is the truth.
        match self.destination.head(&super::repo::object_key("snapshots", &id)?).await {
            Ok(_) => Ok((id, self.snapshot(&id).await?)),
            Err(error) if error.class == ErrorClass::Missing => Err(missing()),
            Err(error) => Err(error),
        }
    }
}
