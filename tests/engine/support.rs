//! The engine over real parts where they are quick (this computer, a vault in a folder, SQLite in memory) and over
//! doubles where a fault must come to order.

mod content;
mod cut_files;
mod kind;
mod pair;
mod parts;
mod secrets;
mod world;

pub use content::{noise, tree};
pub use kind::Act;
pub use pair::Pair;
pub use world::World;

use backstay_contract::{Event, FilesSettings, ItemDraft, ItemSettings, LayoutDraft, SqliteSettings};
use std::path::Path;
use tokio::sync::broadcast::Receiver;

pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

pub fn files(path: &Path) -> ItemDraft {
    let settings = FilesSettings { paths: vec![text(path)], ..FilesSettings::default() };
    ItemDraft { name: String::new(), settings: ItemSettings::Files(settings), password: None }
}

pub fn scripted(name: &str) -> ItemDraft {
    let settings = SqliteSettings { paths: vec!["/x.db".into()] };
    ItemDraft { name: name.into(), settings: ItemSettings::Sqlite(settings), password: None }
}

/// Archives, sealed by this.
pub fn archives_sealed_by(seal: &str) -> LayoutDraft {
    LayoutDraft { kind: "archive".into(), seal: seal.into(), ..LayoutDraft::default() }
}

/// Takes all events that are there.
pub fn drain(events: &mut Receiver<Event>) -> Vec<Event> {
    let mut out = Vec::new();
    while let Ok(event) = events.try_recv() {
        out.push(event);
    }
    out
}
