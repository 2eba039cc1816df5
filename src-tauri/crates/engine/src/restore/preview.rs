//! Making a restore's preview.

use super::parts::Wish;
use super::{KeptPreview, RestorePart};
use crate::backstay::Inner;
use crate::backups::copies::Answer;
use crate::run::KEPT_PROBLEMS;
use crate::servers::address_of;
use crate::words::{count_text, size_text, time_text};
use backstay_contract::{ChangeSum, RestorePreview, RestoreRequest};
use backstay_core::host::Host;
use backstay_core::kind::{ChangeKind, RestoreMode};
use backstay_core::layout::BackupReader;
use backstay_core::{BackupId, RawPath, Result, RunContext, RunId, ServerId};
use futures::FutureExt;
use std::sync::Arc;

impl Inner {
    pub(super) async fn make_preview(self: &Arc<Self>, request: RestoreRequest) -> Result<KeptPreview> {
        let wish = Wish::parse(&request.paths, request.target.as_deref(), &request.mode)?;
        let wish = Wish { logins: request.logins, ..wish };
        let copies = self.copies(&BackupId::from(request.backup.as_str()))?;
        let server = self.store.server(&ServerId::from(request.server.as_str()))?;
        let ctx = RunContext { clock: self.clock.clone(), ..RunContext::silent() };
        let known = copies.first().map(|copy| copy.known.clone());
        let known = known.ok_or_else(|| crate::words::invalid("There is no such backup"))?;
        let (asking, of, wanted) = (&ctx, &known, &wish);
        let look = |reader: Arc<dyn BackupReader>| {
            async move {
                let picked = self.picked(asking, reader.as_ref(), of, wanted).await?;
                Ok((picked, reader.manifest().await?))
            }
            .boxed()
        };
        // Both wait for somebody else: the places of the copies, and the server.
        let (answer, host) = tokio::join!(self.ask_nearest(&copies, look), self.open_host(&server));
        let Answer { answer: (picked, manifest), copy, notes } = answer?;
        let host = host?;
        let own = self.own_folders(&server, Some(host.as_ref())).await?;
        let (backup, destination) = (copy.known, copy.config);
        let replaces = wish.mode == RestoreMode::Replace;
        let cut_off = replaces && manifest.as_ref().is_some_and(super::spare::is_cut_off);
        let problems = manifest.filter(|_| replaces).map(|manifest| manifest.problems).unwrap_or_default();
        let mut parts = Vec::new();
        for mut part in picked {
            let (item, listing) = (&mut part.input.item, &mut part.listing);
            let spared = crate::own_folders::spare(&own, item, &part.options, listing).await?;
            let kind = self.kind(&part.input.item.kind)?;
            let mut plan = kind.plan_restore(&ctx, host.as_ref(), &part.input, &part.listing, &part.options).await?;
            plan.warnings.extend(spared.iter().map(|left| left.reason.clone()));
            plan.not_restored.extend(spared);
            if cut_off && part.input.item.kind == "files" {
                super::spare::spare_all(&mut plan);
            }
            super::spare::spare_unread(&mut plan, &problems, &part.options);
            parts.push(RestorePart { input: part.input, plan, options: part.options, selection: part.selection });
        }
        let free_bytes = free_room(host.as_ref(), &wish, &parts).await;
        drop(host);

        let mut shown = RestorePreview {
            id: RunId::random().to_string(),
            backup_text: format!("{}, {}", backup.record.plan_name, time_text(backup.record.started)),
            server_name: server.name.clone(),
            server_address: address_of(&server.connection),
            mode: request.mode,
            sentence: String::new(),
            create: sum(&parts, ChangeKind::Create),
            overwrite: sum(&parts, ChangeKind::Overwrite),
            delete: sum(&parts, ChangeKind::Delete),
            databases: databases(&parts),
            kept: parts.iter().map(|part| part.plan.kept).sum(),
            not_restored: parts.iter().map(|part| part.plan.not_restored.len() as u64).sum(),
            transfer_bytes: 0,
            free_bytes,
            warnings: notes.into_iter().chain(parts.iter().flat_map(|part| part.plan.warnings.clone())).collect(),
            facts: parts.iter().flat_map(|part| part.plan.facts.clone()).collect(),
            blocked: None,
            needs_name: wish.mode == RestoreMode::Replace,
        };
        shown.transfer_bytes = shown.create.bytes.saturating_add(shown.overwrite.bytes);
        shown.blocked = blocked(&shown, &parts);
        // The manifest keeps only the first problems; what is not listed cannot be spared.
        if shown.delete.any() && problems.len() >= KEPT_PROBLEMS {
            shown.blocked = Some(
                "this backup has more problems than it lists, so what it could not read would be deleted; choose merge"
                    .into(),
            );
        }
        shown.sentence = sentence(&shown, &wish);
        Ok(KeptPreview { shown, made: self.clock.now(), backup, destination, server, parts })
    }
}

fn sum(parts: &[RestorePart], kind: ChangeKind) -> ChangeSum {
    let mut sum = ChangeSum::default();
    for change in parts.iter().flat_map(|part| &part.plan.changes) {
        if change.kind != kind {
            continue;
        }
        if change.is_dir {
            sum.folders += 1;
        } else {
            sum.count += 1;
            sum.bytes = sum.bytes.saturating_add(change.size_bytes);
        }
    }
    sum
}

fn databases(parts: &[RestorePart]) -> Vec<String> {
    let mut out = Vec::new();
    for part in parts.iter().filter(|part| part.input.item.kind != "files") {
        for change in &part.plan.changes {
            let what = match change.kind {
                ChangeKind::Create => "will be made",
                ChangeKind::Overwrite => overwritten(part, &change.target),
                ChangeKind::Delete => "will be deleted",
                ChangeKind::Keep => continue,
            };
            out.push(format!("{} {what}", change.target));
        }
    }
    out
}

/// Only whole databases are replaced; a merge, and roles, leave what the backup does not have.
fn overwritten(part: &RestorePart, target: &str) -> &'static str {
    let in_a_server = part.input.item.kind != "sqlite";
    if in_a_server && !target.starts_with("database ") {
        "will be set as in the backup"
    } else if in_a_server && part.options.mode != RestoreMode::Replace {
        "will get its tables anew, others stay"
    } else {
        "will be replaced"
    }
}

/// Asks for the room where the most will be written; a folder that is not there yet has that of the one above it.
async fn free_room(host: &dyn Host, wish: &Wish, parts: &[RestorePart]) -> Option<u64> {
    let files = parts.iter().filter(|part| part.input.item.kind == "files").flat_map(|part| &part.plan.changes);
    let biggest = files.filter(|change| change.kind != ChangeKind::Delete).max_by_key(|change| change.size_bytes);
    let start = wish.to.clone().or_else(|| biggest.and_then(|change| RawPath::from_text(&change.target).ok()));
    let path = start.filter(RawPath::is_absolute)?;
    host.space(&path).await.ok().map(|space| space.free_bytes)
}

fn blocked(shown: &RestorePreview, parts: &[RestorePart]) -> Option<String> {
    if parts.is_empty() {
        return Some("nothing in the backup is picked".into());
    }
    if parts.iter().all(|part| part.plan.changes.is_empty()) {
        let left = count_text(shown.not_restored, "entry cannot be restored", "entries cannot be restored");
        return Some(match shown.not_restored {
            0 => format!(
                "there is nothing to do: {}",
                count_text(shown.kept, "entry there stays as it is", "entries there stay as they are")
            ),
            _ => format!("there is nothing else to do, and {left} as things are there"),
        });
    }
    // Overwriting writes beside the old file first, but frees it after; only what is new adds up.
    let needed = shown.create.bytes;
    match shown.free_bytes {
        Some(free) if needed > free => {
            Some(format!("it needs {} and only {} are free there", size_text(needed), size_text(free)))
        }
        _ => None,
    }
}

fn sentence(shown: &RestorePreview, wish: &Wish) -> String {
    let place = match &wish.to {
        Some(to) => format!("{to} on {}", shown.server_name),
        None => format!("{} at the original places", shown.server_name),
    };
    let mut acts = Vec::new();
    if shown.create.any() {
        acts.push(format!("creates {}", sum_text(shown.create)));
    }
    if shown.overwrite.any() {
        acts.push(format!("overwrites {}", sum_text(shown.overwrite)));
    }
    if shown.delete.any() {
        acts.push(format!("deletes {}", sum_text(shown.delete)));
    }
    let acts = match acts.as_slice() {
        [] => "changes no file".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    };
    let mut text = format!("Restoring to {place} {acts}.");
    if shown.kept > 0 {
        let kept = count_text(shown.kept, "entry stays as it is", "entries stay as they are");
        text.push_str(&format!(" {kept}."));
    }
    if !shown.databases.is_empty() {
        text.push_str(&format!(
            " {}: {}.",
            count_text(shown.databases.len() as u64, "database", "databases"),
            shown.databases.join("; ")
        ));
    }
    text
}

/// Says how many: "3 files (1.2 MiB) and 2 folders".
fn sum_text(sum: ChangeSum) -> String {
    let files = format!("{} ({})", count_text(sum.count, "file", "files"), size_text(sum.bytes));
    let folders = count_text(sum.folders, "folder", "folders");
    match (sum.count, sum.folders) {
        (_, 0) => files,
        (0, _) => folders,
        _ => format!("{files} and {folders}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstay_core::kind::{Change, Item, ItemInput, RestoreOptions, RestorePlan};
    use backstay_core::layout::Selection;

    #[test]
    fn what_happens_to_databases_is_said_by_mode_and_kind() {
        let say = |item: &str, mode, kind, target: &str| {
            let change = Change {
                kind,
                item: item.into(),
                target: target.into(),
                path: None,
                is_dir: false,
                size_bytes: 1,
                target_mtime: None,
            };
            let item = Item { name: item.into(), kind: item.into(), settings: serde_json::json!({}) };
            let part = RestorePart {
                input: ItemInput { item, password: None },
                plan: RestorePlan { changes: vec![change], ..RestorePlan::default() },
                options: RestoreOptions { mode, to: None, strip: RawPath::root(), only: Vec::new() },
                selection: Selection::default(),
            };
            databases(&[part]).concat()
        };
        let (merge, replace) = (RestoreMode::Merge, RestoreMode::Replace);
        let (create, overwrite) = (ChangeKind::Create, ChangeKind::Overwrite);
        for (said, expected) in [
            (say("postgres", merge, create, "database shop"), "database shop will be made"),
            (say("postgres", merge, overwrite, "database shop"), "database shop will get its tables anew, others stay"),
            (say("mysql", replace, overwrite, "database shop"), "database shop will be replaced"),
            (say("sqlite", merge, overwrite, "/srv/app.db"), "/srv/app.db will be replaced"),
            (
                say("postgres", replace, overwrite, "roles and tablespaces"),
                "roles and tablespaces will be set as in the backup",
            ),
        ] {
            assert_eq!(said, expected);
        }
    }
}
