//! What was found on a server, as it is shown.

use crate::plans::draft_of_settings;
use crate::words::millis;
use backstay_contract::{FolderView, FoundView, ItemDraft, NamedText, ServerFactsView, SpaceView};
use backstay_core::Result;
use backstay_core::config::ServerFacts;

/// Returns facts for the window.
pub(super) fn view(facts: &ServerFacts) -> Result<ServerFactsView> {
    let found = facts.found.iter().map(|found| {
        Ok(FoundView {
            kind: found.kind.clone(),
            title: found.title.clone(),
            note: found.note.clone(),
            bytes: found.size_bytes,
            item: ItemDraft {
                name: String::new(),
                settings: draft_of_settings(&found.kind, &found.settings)?,
                password: None,
            },
            suggested: found.suggested,
        })
    });
    Ok(ServerFactsView {
        seen: facts.seen.map(millis),
        os: facts.os.clone(),
        kernel: facts.kernel.clone(),
        hostname: facts.hostname.clone(),
        user: facts.user.clone(),
        tools: facts.tools.iter().map(|(name, text)| NamedText { name: name.clone(), text: text.clone() }).collect(),
        space: facts
            .space
            .iter()
            .map(|(path, total, free)| SpaceView { path: path.clone(), total_bytes: *total, free_bytes: *free })
            .collect(),
        folders: facts.folders.iter().map(|(path, bytes)| FolderView { path: path.clone(), bytes: *bytes }).collect(),
        found: found.collect::<Result<_>>()?,
        commands: facts.commands,
    })
}
