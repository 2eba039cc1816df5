//! Which items of a backup a restore touches, and which entries of each.

use crate::backstay::Inner;
use crate::plans::has_login;
use crate::words::invalid;
use backstay_contract::{DatabaseLogin, FilesSettings};
use backstay_core::config::KnownBackup;
use backstay_core::entry::Entry;
use backstay_core::kind::{ABOUT_FILE, BACKSTAY_DIR, Item, ItemInput, RestoreMode, RestoreOptions, item_root};
use backstay_core::layout::{BackupManifest, BackupReader, Selection};
use backstay_core::secret::{Secret, SecretName};
use backstay_core::{Error, ErrorClass, RawPath, Result, RunContext};

/// An item with the entries picked of it.
pub(super) struct Picked {
    pub input: ItemInput,
    pub options: RestoreOptions,
    pub selection: Selection,
    pub listing: Vec<Entry>,
}

/// What the user asked for, parsed.
pub(super) struct Wish {
    pub mode: RestoreMode,
    pub only: Vec<RawPath>,
    pub to: Option<RawPath>,
    pub logins: Vec<DatabaseLogin>,
}

impl Wish {
    /// Parses paths, target and mode.
    pub fn parse(paths: &[String], target: Option<&str>, mode: &str) -> Result<Self> {
        let mode = match mode {
            "merge" => RestoreMode::Merge,
            "newer" => RestoreMode::Newer,
            "missing" => RestoreMode::Missing,
            "replace" => RestoreMode::Replace,
            other => {
                return Err(invalid(format!("There is no way to restore called \"{other}\""))
                    .hint("Choose merge, newer, missing or replace"));
            }
        };
        let only = paths.iter().map(|text| Ok(RawPath::from_text(text)?.to_relative())).collect::<Result<Vec<_>>>()?;
        // Picking the root is picking all.
        let only = if only.iter().any(RawPath::is_root) { Vec::new() } else { only };
        let to = target.map(str::trim).filter(|text| !text.is_empty()).map(RawPath::from_text).transpose()?;
        if to.as_ref().is_some_and(|to| !to.is_absolute()) {
            return Err(
                invalid("Cannot restore into a relative path").hint("Give the folder from the root: /srv/restored")
            );
        }
        Ok(Self { mode, only, to, logins: Vec::new() })
    }
}

impl Inner {
    /// Returns the items that hold what was picked, with their entries.
    pub(super) async fn picked(
        &self,
        ctx: &RunContext,
        reader: &dyn BackupReader,
        backup: &KnownBackup,
        wish: &Wish,
    ) -> Result<Vec<Picked>> {
        let manifest = reader.manifest().await?;
        if manifest.is_none() && wish.mode == RestoreMode::Replace && wish.to.is_none() {
            return Err(invalid(
                "Cannot replace from this backup: it was not made by Backstay, so what it covers is not known",
            )
            .hint("Restore into a folder, or choose merge"));
        }
        let strip = self.strip(ctx, reader, wish).await?;
        let mut out = Vec::new();
        let items = items_of(manifest.as_ref())?;
        for login in &wish.logins {
            if !items.iter().any(|item| item.name == login.item && has_login(&item.kind)) {
                return Err(invalid(format!(
                    "This backup has no database item called \"{}\" to log in for",
                    login.item
                )));
            }
        }
        for mut item in items {
            let Some(selection) = selection_of(&item, &wish.only) else { continue };
            let listing = reader.walk(ctx, &selection).await?;
            if listing.is_empty() {
                continue;
            }
            let password = match wish.logins.iter().find(|login| login.item == item.name) {
                Some(login) => log_in_by(&mut item, login),
                None => self.password_for(backup, &item).await?,
            };
            let options = RestoreOptions {
                mode: wish.mode,
                to: wish.to.clone(),
                strip: strip.clone(),
                only: selection.include.clone(),
            };
            out.push(Picked { input: ItemInput { item, password }, options, selection, listing });
        }
        for path in &wish.only {
            let found = out.iter().flat_map(|part| &part.listing).any(|entry| entry.path.starts_with(path));
            if !found {
                return Err(Error::new(
                    ErrorClass::Missing,
                    format!("Cannot restore {path}: it is not in this backup"),
                )
                .hint("Pick it from the backup's contents"));
            }
        }
        Ok(out)
    }

    /// One folder picked goes right into the target; several keep their places below it.
    async fn strip(&self, ctx: &RunContext, reader: &dyn BackupReader, wish: &Wish) -> Result<RawPath> {
        let ([path], Some(_)) = (wish.only.as_slice(), &wish.to) else { return Ok(RawPath::root()) };
        let only = Selection { only: Some([path.clone()].into()), ..Selection::default() };
        let is_dir = reader.walk(ctx, &only).await?.first().is_some_and(Entry::is_dir);
        Ok(if is_dir { path.clone() } else { path.parent().unwrap_or_default() })
    }

    async fn password_for(&self, backup: &KnownBackup, item: &Item) -> Result<Option<Secret>> {
        match &backup.record.plan {
            Some(plan) if has_login(&item.kind) => {
                self.optional_secret(SecretName::item_password(plan, &item.name)).await
            }
            _ => Ok(None),
        }
    }
}

/// Puts another log-in in the place of an item's own. Returns its password.
fn log_in_by(item: &mut Item, login: &DatabaseLogin) -> Option<Secret> {
    if let Some(settings) = item.settings.as_object_mut() {
        settings.insert("user".into(), login.user.clone().into());
        settings.insert("host".into(), login.host.clone().into());
        settings.insert("port".into(), login.port.into());
        // Kinds refuse fields they do not know.
        if item.kind == "mysql" {
            settings.insert("socket".into(), login.socket.clone().into());
        }
    }
    login.password.as_deref().filter(|text| !text.is_empty()).map(Secret::new)
}

/// Returns a backup's items; those of kind "files" are one, since their entries share one tree.
pub(crate) fn items_of(manifest: Option<&BackupManifest>) -> Result<Vec<Item>> {
    let Some(manifest) = manifest else {
        return Ok(vec![files_item(FilesSettings { paths: vec!["/".into()], ..FilesSettings::default() })?]);
    };
    let (files, others): (Vec<_>, Vec<_>) = manifest.items.iter().cloned().partition(|item| item.kind == "files");
    if files.len() < 2 {
        return Ok(files.into_iter().chain(others).collect());
    }
    let mut merged = FilesSettings::default();
    for item in files {
        let settings: FilesSettings = serde_json::from_value(item.settings)
            .map_err(|e| Error::new(ErrorClass::Corrupt, "Cannot read the items of this backup").source(e))?;
        merged.paths.extend(settings.paths);
        // Left out of one item and not of the other: leaving it out of a deletion is the safe side.
        merged.excludes.extend(settings.excludes);
        merged.one_file_system |= settings.one_file_system;
    }
    Ok(std::iter::once(files_item(merged)?).chain(others).collect())
}

fn files_item(settings: FilesSettings) -> Result<Item> {
    let settings = serde_json::to_value(settings)
        .map_err(|e| Error::new(ErrorClass::Internal, "Cannot describe the files of this backup").source(e))?;
    Ok(Item { name: "files".into(), kind: "files".into(), settings })
}

/// Returns which entries of an item are picked; `None` when none can be.
pub(crate) fn selection_of(item: &Item, only: &[RawPath]) -> Option<Selection> {
    let own = RawPath::new(BACKSTAY_DIR).unwrap_or_default();
    if item.kind == "files" {
        let include: Vec<_> = only.iter().filter(|path| !path.starts_with(&own)).cloned().collect();
        let nothing = !only.is_empty() && include.is_empty();
        return (!nothing).then(|| Selection { include, exclude: vec![own], only: None });
    }
    let root = item_root(item);
    if only.is_empty() || only.iter().any(|path| root.starts_with(path)) {
        return Some(Selection { include: vec![root], ..Selection::default() });
    }
    let mut include: Vec<_> = only.iter().filter(|path| path.starts_with(&root)).cloned().collect();
    if include.is_empty() {
        return None;
    }
    // One database alone is made as one of all is: what tells how comes along.
    include.extend(root.join(ABOUT_FILE));
    Some(Selection { include, ..Selection::default() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn item(name: &str, kind: &str) -> Item {
        Item { name: name.into(), kind: kind.into(), settings: serde_json::json!({}) }
    }

    fn paths(texts: &[&str]) -> Vec<RawPath> {
        texts.iter().map(|text| RawPath::new(text).unwrap()).collect()
    }

    #[test]
    fn picks_reach_just_their_items() {
        let files = item("files", "files");
        let shop = item("mysql", "mysql");
        assert!(selection_of(&files, &paths(&[".backstay/mysql"])).is_none());
        assert!(selection_of(&shop, &paths(&["srv"])).is_none());
        assert_eq!(selection_of(&shop, &[]).unwrap().include, paths(&[".backstay/mysql"]));
        assert_eq!(selection_of(&shop, &paths(&[".backstay"])).unwrap().include, paths(&[".backstay/mysql"]));
        let one = paths(&[".backstay/mysql/shop.sql"]);
        let with_about = paths(&[".backstay/mysql/shop.sql", ".backstay/mysql/!item.json"]);
        assert_eq!(selection_of(&shop, &one).unwrap().include, with_about);
        assert_eq!(selection_of(&files, &paths(&["srv"])).unwrap().exclude, paths(&[".backstay"]));
    }

    #[test]
    fn files_that_become_one_item_cross_no_border_that_one_of_them_did_not() {
        let mut manifest = backstay_lab::trees::manifest("web-1", "daily", backstay_lab::trees::moment(1));
        for (one, other) in [(false, false), (true, false), (false, true), (true, true)] {
            let files = |name, one_file_system: bool| Item {
                settings: serde_json::json!({ "paths": ["/srv"], "one_file_system": one_file_system }),
                ..item(name, "files")
            };
            manifest.items = vec![files("a", one), files("b", other)];
            let merged = items_of(Some(&manifest)).unwrap();
            assert_eq!(merged.len(), 1);
            assert_eq!(merged[0].settings["one_file_system"], one || other);
        }
    }

    #[test]
    fn another_log_in_takes_the_place_of_the_plans() {
        let settings =
            serde_json::json!({ "databases": ["shop"], "user": "app", "socket": "/run/a.sock", "port": 3307 });
        let mut mysql = Item { settings, ..item("mysql", "mysql") };
        let login = DatabaseLogin {
            item: "mysql".into(),
            user: "root".into(),
            password: Some("new".into()),
            socket: "/run/b.sock".into(),
            ..DatabaseLogin::default()
        };
        assert_eq!(log_in_by(&mut mysql, &login).unwrap().expose(), "new");
        let expected = serde_json::json!(
            { "databases": ["shop"], "user": "root", "socket": "/run/b.sock", "port": 0, "host": "" }
        );
        assert_eq!(mysql.settings, expected);
        // Kinds refuse what they do not know; an empty password is none.
        let mut postgres = item("postgres", "postgres");
        assert!(log_in_by(&mut postgres, &DatabaseLogin { password: Some(String::new()), ..login }).is_none());
        assert_eq!(postgres.settings, serde_json::json!({ "user": "root", "port": 0, "host": "" }));
    }

    #[test]
    fn wishes_are_parsed() {
        let wish = Wish::parse(&["/srv/x".into(), "etc".into()], Some("/tmp/to"), "merge").unwrap();
        assert_eq!(wish.only, paths(&["srv/x", "etc"]));
        assert!(Wish::parse(&["/".into()], None, "newer").unwrap().only.is_empty());
        assert!(Wish::parse(&[], Some("relative"), "merge").is_err());
        assert!(Wish::parse(&[], None, "mirror").is_err());
        assert!(Wish::parse(&["../etc".into()], None, "merge").is_err());
    }
}
