//! Backstay's own folders on this computer. A backup that held the vault it is written to would grow with every run, and a
//! restore that replaces a folder must not delete a vault that lies in it: they are left out of both.

use crate::backstay::Inner;
use backstay_contract::FilesSettings;
use backstay_core::config::{Connection, Place, Server};
use backstay_core::kind::{Item, RestoreOptions};
use backstay_core::{RawPath, Result};
use std::path::{Path, PathBuf};

/// A folder of ours, links resolved.
pub(crate) struct OwnFolder {
    path: RawPath,
    /// For the run's log: "the backups of nas".
    what: String,
}

impl Inner {
    /// Returns Backstay's home and the folders of all destinations on this computer; none for another server.
    pub(crate) async fn own_folders(&self, server: &Server) -> Result<Vec<OwnFolder>> {
        if !matches!(server.connection, Connection::Local { .. }) {
            return Ok(Vec::new());
        }
        let mut folders = vec![(self.home.clone(), "Backstay's own data".to_owned())];
        for config in self.store.destinations()? {
            if let Place::Local { path } = &config.place {
                folders.push((PathBuf::from(path), format!("the backups of {}", config.name)));
            }
        }
        let mut own = Vec::new();
        for (path, what) in folders {
            own.extend(resolved(&path).await.map(|path| OwnFolder { path, what }));
        }
        Ok(own)
    }
}

/// Leaves them out of an item of kind "files". Returns what is to be said of it.
pub(crate) async fn leave_out(own: &[OwnFolder], item: &mut Item) -> Vec<String> {
    let Some(mut settings) = settings_of(own, item) else { return Vec::new() };
    let roots: Vec<RawPath> = settings.paths.iter().filter_map(|text| RawPath::from_text(text).ok()).collect();
    let mut said = Vec::new();
    for (path, what) in met_below(own, &roots).await {
        said.push(format!("Left out: {path}, where {what} lie"));
        settings.excludes.push(path.to_text());
    }
    set(item, &settings);
    said
}

/// Leaves them out of what a restore may delete. Exclusions are looked at as places of the backup.
pub(crate) async fn spare(own: &[OwnFolder], item: &mut Item, options: &RestoreOptions) {
    let Some(to) = &options.to else {
        leave_out(own, item).await;
        return;
    };
    let Some(mut settings) = settings_of(own, item) else { return };
    for (path, _) in met_below(own, std::slice::from_ref(to)).await {
        let source = path.below(to).and_then(|below| options.strip.join(below.as_bytes()).ok());
        settings.excludes.extend(source.map(|source| source.to_absolute().to_text()));
    }
    set(item, &settings);
}

fn settings_of(own: &[OwnFolder], item: &Item) -> Option<FilesSettings> {
    if own.is_empty() || item.kind != "files" {
        return None;
    }
    // What cannot be read is the kind's to refuse.
    serde_json::from_value(item.settings.clone()).ok()
}

fn set(item: &mut Item, settings: &FilesSettings) {
    if let Ok(settings) = serde_json::to_value(settings) {
        item.settings = settings;
    }
}

/// Finds those of our folders that lie below a root, by the path they are met at there. Who picks such a folder itself, or
/// one in it, wants it.
async fn met_below<'a>(own: &'a [OwnFolder], roots: &[RawPath]) -> Vec<(RawPath, &'a str)> {
    let mut real = Vec::new();
    for root in roots {
        let path = resolved(Path::new(&String::from_utf8_lossy(root.as_bytes()).into_owned())).await;
        real.push((root, path.unwrap_or_else(|| root.clone())));
    }
    let mut met = Vec::new();
    for folder in own {
        if real.iter().any(|(_, root)| root.starts_with(&folder.path)) {
            continue;
        }
        for (root, real) in &real {
            let below = folder.path.below(real).filter(|below| !below.is_root());
            if let Some(path) = below.and_then(|below| root.join(below.as_bytes()).ok())
                && !met.iter().any(|(known, _)| *known == path)
            {
                met.push((path, folder.what.as_str()));
            }
        }
    }
    met
}

/// Resolves links; of a folder that is not there yet, the path as it is. `None` where paths do not begin with a slash.
async fn resolved(path: &Path) -> Option<RawPath> {
    let path = tokio::fs::canonicalize(path).await.unwrap_or_else(|_| path.to_owned());
    RawPath::new(path.to_str()?).ok().filter(RawPath::is_absolute)
}
