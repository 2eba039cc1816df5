//! What a test found, in words: what the store can do, and what it costs to know.

use super::probe::Found;
use super::providers;
use super::steps::ability;
use crate::probe::{Ability, ProbeStep, Probed};
use backstay_core::config::S3Place;

/// Puts the outcome of a test together.
pub(super) fn report(place: S3Place, steps: Vec<ProbeStep>, found: &Found) -> Probed {
    let reached = steps.len() > 1;
    Probed {
        abilities: if reached { abilities(found) } else { Vec::new() },
        cost_notes: cost_notes(&place, found),
        settled: reached.then_some(place),
        steps,
    }
}

fn abilities(found: &Found) -> Vec<Ability> {
    let settings = &found.settings;
    vec![
        ability(
            "conditional_writes",
            "Safe for two computers at once",
            found.conditional,
            "Two computers cannot overwrite each other's files",
            "Backstay looks before it writes; let only one computer write to this folder at a time",
        ),
        ability(
            "ranges",
            "Reads parts of files",
            found.ranges,
            "Single files come back without reading a whole backup",
            "Restoring single files reads more than it should",
        ),
        ability(
            "resume",
            "Goes on with uploads",
            found.resume,
            "A large upload that broke off goes on where it was",
            "A large upload that broke off begins anew",
        ),
        ability(
            "versioning",
            "Keeps old versions",
            settings.versioning,
            "What is deleted by mistake can be brought back by your provider's console for a while",
            "What is deleted is gone",
        ),
        ability(
            "object_lock",
            "Locks files against deletion",
            settings.lock,
            "Archives can be locked for a time in which nobody, not even you, can delete them",
            "Whoever has the key can delete backups",
        ),
        ability(
            "lifecycle",
            "Clears away leftovers by itself",
            settings.lifecycle,
            match settings.upload_days {
                Some(_) => "Unfinished uploads go away by a rule of the bucket",
                None => "No rule clears unfinished uploads away yet; Backstay clears its own",
            },
            "Backstay clears its own leftovers away",
        ),
        ability(
            "links",
            "Makes temporary links",
            found.links,
            "An archive can be shared for 10 minutes to 7 days",
            "A link made here does not open: download archives to share them",
        ),
        ability("space", "Tells its free room", Some(false), "", "What is used is counted; what is free is not known"),
    ]
}

fn cost_notes(place: &S3Place, found: &Found) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(provider) = providers::provider(&place.provider) {
        let about_money =
            |note: &&&str| note.contains("bill") || note.contains("back costs") || note.contains("read back");
        notes.extend(provider.notes.iter().filter(about_money).map(|note| (*note).to_owned()));
    }
    let class_days = match place.storage_class.as_deref() {
        Some("STANDARD_IA" | "ONEZONE_IA") => Some(30),
        Some("GLACIER_IR" | "GLACIER") => Some(90),
        Some("DEEP_ARCHIVE") => Some(180),
        _ => None,
    };
    if let (Some(days), Some(class)) = (class_days, &place.storage_class) {
        notes.push(format!("Archives in {class} are billed for {days} days, even when they are deleted earlier."));
    }
    if found.old_versions == Some(true) {
        notes.push(
            "Deleted and replaced files stay as old versions and are billed: this key may not remove them.".into(),
        );
    } else if found.settings.versioning == Some(true) && found.old_versions == Some(false) {
        notes.push("The bucket keeps old versions; Backstay removes them with each file it deletes.".into());
    } else if found.settings.versioning == Some(true) {
        notes.push(
            "The bucket keeps old versions, which are billed, and this key cannot see them: Backstay only hides what it deletes."
                .into(),
        );
    }
    if let Some(days) = found.settings.default_lock_days {
        notes.push(format!("Every file is locked, and billed, for {days} days."));
    }
    notes
}
