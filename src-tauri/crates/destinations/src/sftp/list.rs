//! Listing objects, many folders at once, and sweeping what killed writers left.

use super::client::Folder;
use super::config::PARALLEL_FOLDERS;
use crate::server_names::{self, TEMP_PREFIX};
use backstay_core::destination::{Key, ObjectInfo, Swept};
use backstay_core::remote::{RemoteFiles, RemoteKind, RemoteOpen, RemoteRename, RemoteStat};
use backstay_core::{ErrorClass, RawPath, Result};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::time::Duration;

/// What a walk met.
#[derive(Default)]
struct Met {
    objects: Vec<ObjectInfo>,
    /// Temporary files, with their last change.
    temps: Vec<(RawPath, Option<i64>)>,
    asides: Vec<Aside>,
}

/// An object that stepped aside while another was to take its name.
struct Aside {
    since: u64,
    path: RawPath,
    own: RawPath,
}

/// A folder to list, and the start of the keys in it.
type Below = (RawPath, String);

impl Folder {
    /// Lists the objects whose key starts with `prefix`. A folder still to be made has none.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let tried = format!("Cannot list {}", self.label);
        let files = self.files(&tried).await?;
        Ok(self.walk(&*files, &tried, prefix).await?.objects)
    }

    async fn walk(&self, files: &dyn RemoteFiles, tried: &str, prefix: &str) -> Result<Met> {
        let mut met = Met::default();
        if !self.is_there(files, tried).await? {
            return Ok(met);
        }
        let start = match prefix.rsplit_once('/') {
            Some((dir, _)) => (server_names::path_of(&self.root, &Key::new(dir)?)?, format!("{dir}/")),
            None => (self.root.clone(), String::new()),
        };
        let mut to_list = vec![start];
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < PARALLEL_FOLDERS {
                let Some((path, base)) = to_list.pop() else { break };
                under_way.push(async move { (files.list(&path).await, path, base) });
            }
            let Some((listed, path, base)) = under_way.next().await else { break };
            self.traffic.alive();
            match listed {
                Ok(names) => {
                    for (name, stat) in names {
                        let _ = take(prefix, (&path, &base), &name, stat, &mut met).map(|below| to_list.push(below));
                    }
                }
                Err(error) if error.class == ErrorClass::Missing => {}
                Err(error) if error.class.ends_the_run() => return Err(self.error(tried, error)),
                // A prefix that names a file has nothing below it; servers say so in their own ways.
                Err(_) if files.stat(&path).await.is_ok_and(|stat| stat.kind != RemoteKind::Dir) => {}
                Err(error) => return Err(self.error(tried, error)),
            }
        }
        // A disk unmounted while it was listed must not look like an empty one.
        self.is_there(files, tried).await?;
        Ok(met)
    }

    /// Removes temporary files of ours that nobody wrote to for so long, by the server's own clock, unless they are spared.
    pub(super) async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        let tried = format!("Cannot clear up {}", self.label);
        let files = self.files(&tried).await?;
        let mut met = self.walk(&*files, &tried, "").await?;
        let mut swept = Swept::default();
        // The last to step aside is the one to come back.
        met.asides.sort_by_key(|aside| std::cmp::Reverse(aside.since));
        for aside in met.asides {
            if server_names::is_left_aside(aside.since, older_than) {
                self.put_right(&*files, &tried, &aside, &mut swept).await?;
            } else {
                swept.left += 1;
            }
        }
        if met.temps.is_empty() {
            return Ok(swept);
        }
        let now = self.server_time(&*files, &tried).await?;
        let age = i64::try_from(older_than.as_secs()).unwrap_or(i64::MAX);
        for (path, modified) in met.temps {
            let old = matches!((now, modified), (Some(now), Some(then)) if now.saturating_sub(then) > age);
            let name = path.name().map(String::from_utf8_lossy).unwrap_or_default();
            match old && !server_names::is_spared(&name, spared) {
                true => match files.remove(&path).await {
                    Ok(()) => swept.removed += 1,
                    Err(error) if error.class == ErrorClass::Missing => {}
                    Err(error) => return Err(self.error(&tried, error)),
                },
                false => swept.left += 1,
            }
        }
        Ok(swept)
    }

    /// Ends what a replacement that was cut off left: the old object gets its name back, or goes where the new one has it.
    async fn put_right(&self, files: &dyn RemoteFiles, tried: &str, aside: &Aside, swept: &mut Swept) -> Result<()> {
        let (done, count) = match files.stat(&aside.own).await {
            Ok(_) => (files.remove(&aside.path).await, &mut swept.removed),
            Err(error) if error.class == ErrorClass::Missing => {
                (files.rename(&aside.path, &aside.own, RemoteRename::Plain).await, &mut swept.restored)
            }
            Err(error) => (Err(error), &mut swept.left),
        };
        done.map_err(|error| self.error(tried, error))?;
        *count += 1;
        Ok(())
    }

    /// Removes what stepped aside from this path and was left there: else it would come back though it was deleted.
    pub(super) async fn remove_asides(&self, files: &dyn RemoteFiles, tried: &str, path: &RawPath) -> Result<()> {
        let folder = path.parent().unwrap_or_default();
        if self.tidy.is(folder.as_bytes()) {
            return Ok(());
        }
        let names = match files.list(&folder).await {
            Ok(names) => names,
            Err(error) if error.class.may_retry() => return Err(self.error(tried, error)),
            // No such folder, or none that may be looked into: the delete itself tells what that means.
            Err(_) => return Ok(()),
        };
        let mut others = false;
        for (name, _) in names {
            let Some((_, own)) = std::str::from_utf8(&name).ok().and_then(server_names::aside_of) else { continue };
            if path.name() != Some(own.as_bytes()) {
                others = true;
                continue;
            }
            match files.remove(&folder.join(&name)?).await {
                Ok(()) => {}
                Err(error) if error.class == ErrorClass::Missing => {}
                Err(error) => return Err(self.error(tried, error)),
            }
        }
        if !others {
            self.tidy.note(folder.as_bytes());
        }
        Ok(())
    }

    /// What time it is on the server: the last change of a file made now.
    async fn server_time(&self, files: &dyn RemoteFiles, tried: &str) -> Result<Option<i64>> {
        let path = self.root.join(server_names::temp_name())?;
        let file = files.open_file(&path, RemoteOpen::CreateNew).await.map_err(|error| self.error(tried, error))?;
        let stat = file.stat().await;
        let _ = file.close().await;
        let _ = files.remove(&path).await;
        Ok(stat.map_err(|error| self.error(tried, error))?.modified)
    }
}

/// Looks at one name and returns it when it is a folder to list. What cannot be an object (links, pipes, names that are
/// no keys) was not put by us: skipped.
fn take(prefix: &str, (path, base): (&RawPath, &str), name: &[u8], stat: RemoteStat, met: &mut Met) -> Option<Below> {
    let name = std::str::from_utf8(name).ok()?;
    let (folder, path) = (path, path.join(name).ok()?);
    if name.starts_with(TEMP_PREFIX) {
        if let (RemoteKind::File, Some((since, own))) = (stat.kind, server_names::aside_of(name)) {
            met.asides.push(Aside { since, path, own: folder.join(own).ok()? });
        } else if stat.kind == RemoteKind::File && server_names::is_temp_name(name) {
            met.temps.push((path, stat.modified));
        }
        return None;
    }
    let text = format!("{base}{name}");
    match stat.kind {
        RemoteKind::Dir => {
            let inside = format!("{text}/");
            (inside.starts_with(prefix) || prefix.starts_with(&inside)).then_some((path, inside))
        }
        RemoteKind::File if text.starts_with(prefix) => {
            let key = Key::new(text).ok()?;
            met.objects.push(ObjectInfo { key, size_bytes: stat.size_bytes, modified: stat.modified });
            None
        }
        _ => None,
    }
}
