//! Restore: the preview that is kept, and its confirmation.

mod parts;
mod preview;
mod spare;

pub(crate) use parts::{items_of, selection_of};

use crate::backstay::{Backstay, Inner, locked};
use crate::words::invalid;
use backstay_contract::{ChangePage, ChangeRow, RestorePreview, RestoreRequest};
use backstay_core::config::{DestinationConfig, KnownBackup, Server};
use backstay_core::kind::{Change, ChangeKind, ItemInput, RestoreOptions, RestorePlan};
use backstay_core::layout::Selection;
use backstay_core::{Error, ErrorClass, Result};
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;

/// A preview is good for so long; the target may have changed after.
const PREVIEW_MINUTES: i64 = 60;
/// So many previews are kept; the oldest goes first.
const PREVIEWS_KEPT: usize = 8;

/// What was shown, and what it takes to do just that.
pub(crate) struct KeptPreview {
    pub shown: RestorePreview,
    pub made: DateTime<Utc>,
    pub backup: KnownBackup,
    pub destination: DestinationConfig,
    pub server: Server,
    pub parts: Vec<RestorePart>,
}

/// One item's part of a restore.
#[derive(Clone)]
pub(crate) struct RestorePart {
    pub input: ItemInput,
    pub plan: RestorePlan,
    pub options: RestoreOptions,
    pub selection: Selection,
}

impl Backstay {
    /// Works out what a restore would do; nothing is changed.
    pub async fn plan_restore(&self, request: RestoreRequest) -> Result<RestorePreview> {
        let kept = Arc::new(self.inner.make_preview(request).await?);
        let shown = kept.shown.clone();
        self.inner.keep_preview(kept);
        Ok(shown)
    }

    /// Returns a page of a preview's list: "create", "overwrite" or "delete".
    pub async fn restore_preview_page(
        &self,
        preview: &str,
        change: &str,
        text: &str,
        offset: u64,
        limit: u64,
    ) -> Result<ChangePage> {
        let kind = match change {
            "create" => ChangeKind::Create,
            "overwrite" => ChangeKind::Overwrite,
            "delete" => ChangeKind::Delete,
            other => return Err(invalid(format!("A preview has no list called \"{other}\""))),
        };
        let kept = self.inner.preview(preview)?;
        let text = text.to_lowercase();
        let changes = kept.parts.iter().flat_map(|part| &part.plan.changes);
        let matching = changes
            .filter(|change| change.kind == kind)
            .filter(|change| text.is_empty() || change.target.to_lowercase().contains(&text));
        let (offset, limit) = (usize::try_from(offset).unwrap_or(usize::MAX), limit.clamp(1, 1000) as usize);
        let mut total = 0;
        let mut rows = Vec::new();
        for change in matching {
            if total >= offset && rows.len() < limit {
                rows.push(change_row(change));
            }
            total += 1;
        }
        Ok(ChangePage { rows, total: total as u64 })
    }

    /// Starts the restore that was previewed and returns the run's id. "replace" needs the server's name typed.
    pub async fn start_restore(&self, preview: &str, typed_name: Option<String>) -> Result<String> {
        let kept = self.inner.preview(preview)?;
        let subject = format!("{} to {} ({})", kept.shown.backup_text, kept.server.name, kept.shown.mode);
        self.inner.audited("restore.confirm", &subject, confirmed(&kept, typed_name.as_deref()))?;
        // What is confirmed is confirmed once: a second restore needs a fresh look at the target.
        locked(&self.inner.previews).remove(preview);
        self.inner.begin_restore(kept, subject)
    }
}

fn confirmed(kept: &KeptPreview, typed_name: Option<&str>) -> Result<()> {
    if let Some(reason) = &kept.shown.blocked {
        return Err(invalid(format!("Cannot restore to {}: {reason}", kept.server.name)));
    }
    if kept.shown.needs_name && typed_name.map(str::trim) != Some(kept.server.name.as_str()) {
        return Err(invalid(format!(
            "Cannot replace what is on {}: its name was not typed as it is written",
            kept.server.name
        ))
        .hint(format!("Type {} to confirm that what is not in the backup is deleted there", kept.server.name)));
    }
    Ok(())
}

fn change_row(change: &Change) -> ChangeRow {
    ChangeRow {
        target: change.target.clone(),
        is_dir: change.is_dir,
        bytes: change.size_bytes,
        modified: change.target_mtime.map(|seconds| seconds.saturating_mul(1000)),
    }
}

impl Inner {
    fn keep_preview(&self, kept: Arc<KeptPreview>) {
        let mut previews = locked(&self.previews);
        while previews.len() >= PREVIEWS_KEPT {
            let oldest = previews.iter().min_by_key(|(_, kept)| kept.made).map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { break };
            previews.remove(&oldest);
        }
        previews.insert(kept.shown.id.clone(), kept);
    }

    fn preview(&self, id: &str) -> Result<Arc<KeptPreview>> {
        let mut previews = locked(&self.previews);
        let limit = TimeDelta::minutes(PREVIEW_MINUTES);
        let age = |kept: &KeptPreview| (self.clock.now() - kept.made).abs();
        previews.retain(|_, kept| age(kept) < limit);
        previews.get(id).cloned().ok_or_else(|| {
            Error::new(ErrorClass::Missing, "Cannot use this preview: it is more than an hour old, or was used already")
                .hint("Make a new preview: the server may have changed since")
        })
    }
}
