//! Backstay's own folders on the machine that is backed up or restored to: its home on this computer, and destinations that
//! lie there, on this computer or over SFTP on that very server. A backup that held the backups it is written to would grow
//! with every run, and a restore must neither delete nor overwrite a vault that lies where it writes: they are left out of
//! both.

mod machine;

use crate::backstay::Inner;
use crate::same_machine::is_same_machine;
use crate::words::{count_text, invalid};
use backstay_contract::FilesSettings;
use backstay_core::config::{BackupQuery, Connection, DestinationConfig, Place, Server, SshConnection};
use backstay_core::entry::Entry;
use backstay_core::host::Host;
use backstay_core::kind::{Item, NotRestored, RestoreOptions};
use backstay_core::{Error, RawPath, Result};
use machine::{Machine, real_there, resolved};
use std::path::{Path, PathBuf};

/// What archives and copies of the configuration lie in at a destination.
const ARCHIVES: [&str; 2] = ["archives", "backstay"];
/// What a vault is made of besides.
const VAULT: [&str; 6] = ["config", "data", "index", "keys", "locks", "snapshots"];
/// So many of the newest archives are looked for at a server.
const LOOKED_FOR: u64 = 20;
/// Names at a destination that are nobody's data: parts of ours, and what a file system keeps for itself.
const NOBODYS: [&str; 2] = [".backstay-", "lost+found"];

/// A folder of ours, links resolved.
pub(crate) struct OwnFolder {
    path: RawPath,
    /// For the run's log: "the backups of nas".
    what: String,
    kind: Own,
}

/// What of a folder is ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    /// Backstay's own data. Who picks the folder itself, or one in it, wants it.
    Home,
    /// A destination with nothing else in it.
    Backups,
    /// A destination on a disk with other things beside the backups; whether there is a vault among them.
    Shared { vault: bool },
}

impl OwnFolder {
    /// Returns what must be left alone of it, by its path below the folder.
    fn areas(&self) -> Vec<&'static str> {
        match self.kind {
            Own::Home | Own::Backups => vec![""],
            Own::Shared { vault } => ARCHIVES.into_iter().chain(VAULT.into_iter().filter(|_| vault)).collect(),
        }
    }
    /// Tells whether a path, links resolved, is such a thing or lies in one.
    fn holds(&self, path: &RawPath) -> bool {
        let Some(below) = path.below(&self.path) else { return false };
        let first = below.parts().next();
        self.areas().iter().any(|area| area.is_empty() || first == Some(area.as_bytes()))
    }
}

/// All folders of ours on one machine.
pub(crate) struct OwnFolders<'a> {
    machine: Machine<'a>,
    folders: Vec<OwnFolder>,
}

impl Inner {
    /// Returns Backstay's home and the folders of all destinations on this computer, or the folders of the destinations
    /// that are reached over SFTP on a server. The server is asked where they are: none without a connection to it.
    pub(crate) async fn own_folders<'a>(&self, server: &Server, host: Option<&'a dyn Host>) -> Result<OwnFolders<'a>> {
        match (&server.connection, host) {
            (Connection::Local { .. }, _) => {
                Ok(OwnFolders { machine: Machine::Here, folders: self.own_folders_here().await? })
            }
            (Connection::Ssh(ssh), Some(host)) => {
                Ok(OwnFolders { machine: Machine::Server(host), folders: self.own_folders_on(ssh, host).await? })
            }
            (Connection::Ssh(_), None) => Ok(OwnFolders { machine: Machine::Here, folders: Vec::new() }),
        }
    }

    async fn own_folders_here(&self) -> Result<Vec<OwnFolder>> {
        let mut own = Vec::new();
        let what = "Backstay's own data".to_owned();
        own.extend(resolved(&self.home).await.map(|path| OwnFolder { path, what, kind: Own::Home }));
        for config in self.store.destinations()? {
            let Place::Local { path } = &config.place else { continue };
            let folder = PathBuf::from(path);
            let vault = !config.vault_id.is_empty();
            // One that cannot be looked into counts as ours alone.
            let names = names_here(&folder).await.unwrap_or_default();
            let what = format!("the backups of {}", config.name);
            let kind = kind_of(&names, vault);
            own.extend(resolved(&folder).await.map(|path| OwnFolder { path, what, kind }));
        }
        Ok(own)
    }

    async fn own_folders_on(&self, ssh: &SshConnection, host: &dyn Host) -> Result<Vec<OwnFolder>> {
        let mut own = Vec::new();
        for config in self.store.destinations()? {
            let (Place::Sftp(place), Some(way)) = (&config.place, self.reached_over_ssh(&config.place)) else {
                continue;
            };
            let Ok(path) = RawPath::new(&place.path) else { continue };
            if !is_same_machine(&way, ssh) {
                continue;
            }
            let Some(path) =
                real_there(host, &way.user, std::slice::from_ref(&path)).await.and_then(|mut real| real.pop())
            else {
                continue;
            };
            // SFTP may show only a part of the server as if it were the whole: what is not there by its looks is elsewhere.
            let Ok(entries) = host.list(&path).await else { continue };
            let names = entries.iter().filter_map(|entry| entry.path.name());
            let names: Vec<String> = names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
            let vault = !config.vault_id.is_empty();
            if holds_ours(&names, vault) || self.shows_an_archive(&config, host, &path).await? {
                let what = format!("the backups of {}", config.name);
                own.push(OwnFolder { path, what, kind: kind_of(&names, vault) });
            }
        }
        Ok(own)
    }

    /// Plain archives have no copy of the configuration beside them: one that is known shows where they lie.
    async fn shows_an_archive(&self, config: &DestinationConfig, host: &dyn Host, folder: &RawPath) -> Result<bool> {
        let query = BackupQuery { destination: Some(config.id.clone()), limit: LOOKED_FOR, ..BackupQuery::default() };
        for file in self.store.backups(&query)?.rows.into_iter().filter_map(|known| known.record.archive) {
            if let Ok(path) = folder.join(file.key)
                && host.stat(&path).await.is_ok()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

async fn names_here(folder: &Path) -> Option<Vec<String>> {
    let mut entries = tokio::fs::read_dir(folder).await.ok()?;
    let mut names = Vec::new();
    while let Ok(Some(entry)) = entries.next_entry().await {
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    Some(names)
}

/// Tells whether what a destination has lies among these names.
fn holds_ours(names: &[String], vault: bool) -> bool {
    let all = |wanted: &[&str]| wanted.iter().all(|part| names.iter().any(|name| name == part));
    all(&ARCHIVES) || (vault && all(&["config", "keys"]))
}

/// Tells from the names in a destination's folder whether anything lies there but what we put there.
fn kind_of(names: &[String], vault: bool) -> Own {
    let is_ours = |name: &String| {
        ARCHIVES.contains(&name.as_str())
            || (vault && VAULT.contains(&name.as_str()))
            || NOBODYS.iter().any(|start| name.starts_with(start))
    };
    if names.iter().all(is_ours) { Own::Backups } else { Own::Shared { vault } }
}

/// What was left out of an item.
#[derive(Default)]
pub(crate) struct LeftOut {
    /// Folders that were picked and are ours, and what lies there.
    pub picked: Vec<(RawPath, String)>,
    /// Folders of ours below what was picked, and what lies there.
    pub below: Vec<(RawPath, String)>,
    /// Nothing of the item is left.
    pub is_all: bool,
}

/// Leaves them out of an item of kind "files", even where they were picked themselves.
pub(crate) async fn leave_out(own: &OwnFolders<'_>, item: &mut Item) -> LeftOut {
    let Some(mut settings) = settings_of(own, item) else { return LeftOut::default() };
    let met = Met::at(own, &roots_of(&settings)).await;
    let is_ours = |text: &String| RawPath::from_text(text).is_ok_and(|path| holds_path(&met.picked, &path));
    settings.paths.retain(|text| !is_ours(text));
    settings.excludes.extend(met.below.iter().map(|(path, _)| path.to_text()));
    let is_all = settings.paths.is_empty() && !met.picked.is_empty();
    if !is_all {
        set(item, &settings);
    }
    LeftOut { picked: owned(&met.picked), below: owned(&met.below), is_all }
}

/// Makes the error of what is nothing but a folder of ours.
pub(crate) fn nothing_else(tried: &str, (path, what): &(RawPath, String)) -> Error {
    invalid(format!("Cannot {tried}: {path} is where {what} lie, and nothing else was picked"))
        .hint("Pick other folders: a backup of backups would grow with every run")
}

/// Keeps a restore off them: nothing is deleted there, and nothing is written. Returns what is not restored for it.
pub(crate) async fn spare(
    own: &OwnFolders<'_>,
    item: &mut Item,
    options: &RestoreOptions,
    listing: &mut Vec<Entry>,
) -> Result<Vec<NotRestored>> {
    let Some(mut settings) = settings_of(own, item) else { return Ok(Vec::new()) };
    let met = match &options.to {
        Some(to) => {
            let met = Met::at(own, std::slice::from_ref(to)).await;
            if let Some((path, what)) = met.picked.iter().chain(&met.wanted).next() {
                return Err(taken(path, what));
            }
            for (path, _) in &met.below {
                // Exclusions are looked at as places of the backup.
                let source = path.below(to).and_then(|below| options.strip.join(below.as_bytes()).ok());
                settings.excludes.extend(source.map(|source| source.to_absolute().to_text()));
            }
            met
        }
        None => {
            let met = Met::at(own, &roots_of(&settings)).await;
            let is_ours = |text: &String| {
                let path = RawPath::from_text(text);
                path.is_ok_and(|path| holds_path(&met.picked, &path) || holds_path(&met.wanted, &path))
            };
            settings.paths.retain(|text| !is_ours(text));
            if settings.paths.is_empty()
                && let Some((path, what)) = met.picked.iter().chain(&met.wanted).next()
            {
                return Err(taken(path, what));
            }
            settings.excludes.extend(met.below.iter().map(|(path, _)| path.to_text()));
            met
        }
    };
    set(item, &settings);
    let mut left = Vec::new();
    for (path, what) in met.picked.iter().chain(&met.wanted).chain(&met.below) {
        let before = listing.len();
        listing.retain(|entry| !options.target(&entry.path).is_ok_and(|target| target.starts_with(path)));
        if listing.len() < before {
            let entries = count_text((before - listing.len()) as u64, "entry is", "entries are");
            let reason = format!("{entries} not restored to {path}: {what} lie there now");
            left.push(NotRestored { target: path.to_text(), reason });
        }
    }
    Ok(left)
}

fn taken(path: &RawPath, what: &str) -> Error {
    invalid(format!("Cannot restore to {path}: {what} lie there")).hint("Restore into another folder")
}

fn settings_of(own: &OwnFolders<'_>, item: &Item) -> Option<FilesSettings> {
    if own.folders.is_empty() || item.kind != "files" {
        return None;
    }
    // What cannot be read is the kind's to refuse.
    serde_json::from_value(item.settings.clone()).ok()
}

fn roots_of(settings: &FilesSettings) -> Vec<RawPath> {
    settings.paths.iter().filter_map(|text| RawPath::from_text(text).ok()).collect()
}

fn set(item: &mut Item, settings: &FilesSettings) {
    if let Ok(settings) = serde_json::to_value(settings) {
        item.settings = settings;
    }
}

fn holds_path(found: &[(RawPath, &str)], path: &RawPath) -> bool {
    found.iter().any(|(known, _)| known == path)
}

fn owned(found: &[(RawPath, &str)]) -> Vec<(RawPath, String)> {
    found.iter().map(|(path, what)| (path.clone(), (*what).to_owned())).collect()
}

/// Which of our folders are met at some roots, by the paths they are met at there, and what lies in them.
#[derive(Default)]
struct Met<'a> {
    /// Roots that are ours.
    picked: Vec<(RawPath, &'a str)>,
    /// Roots that are ours, and may be backed up all the same.
    wanted: Vec<(RawPath, &'a str)>,
    /// What is ours below a root.
    below: Vec<(RawPath, &'a str)>,
}

impl<'a> Met<'a> {
    async fn at(own: &'a OwnFolders<'_>, roots: &[RawPath]) -> Self {
        let real: Vec<_> = roots.iter().cloned().zip(own.machine.real(roots).await).collect();
        let mut met = Self::default();
        for folder in &own.folders {
            met.look_at(folder, &real);
        }
        met
    }

    fn look_at(&mut self, folder: &'a OwnFolder, roots: &[(RawPath, RawPath)]) {
        let what = folder.what.as_str();
        let inside = roots.iter().filter(|(_, real)| folder.holds(real)).map(|(root, _)| root);
        let into = if folder.kind == Own::Home { &mut self.wanted } else { &mut self.picked };
        let before = into.len();
        inside.for_each(|root| add(into, root.clone(), what));
        // Who picks Backstay's own data wants it, by another root too.
        if folder.kind == Own::Home && into.len() > before {
            return;
        }
        for (root, real) in roots {
            for area in folder.areas() {
                let Ok(path) = folder.path.join(area) else { continue };
                let below = path.below(real).filter(|below| !below.is_root());
                if let Some(path) = below.and_then(|below| root.join(below.as_bytes()).ok()) {
                    add(&mut self.below, path, what);
                }
            }
        }
    }
}

fn add<'a>(found: &mut Vec<(RawPath, &'a str)>, path: RawPath, what: &'a str) {
    if !found.iter().any(|(known, _)| *known == path) {
        found.push((path, what));
    }
}
