//! Listing objects, several folders at once, and sweeping what killed writers left.

use super::client::Folder;
use super::errors;
use super::listing::{self, Listed, ListedKind};
use super::pool::Lease;
use super::writer::{Content, parent_of};
use crate::server_names::{self, TEMP_PREFIX};
use backstay_core::destination::{Key, ObjectInfo, Swept};
use backstay_core::{ErrorClass, Result};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::time::Duration;
use suppaftp::FtpError;

/// A folder to list: its path, and the start of the keys in it.
type Below = (String, String);

/// What a walk met.
#[derive(Default)]
struct Met {
    objects: Vec<ObjectInfo>,
    /// Paths of temporary files.
    temps: Vec<String>,
    asides: Vec<Aside>,
}

/// An object that stepped aside while another was to take its name.
struct Aside {
    since: u64,
    path: String,
    own: String,
}

impl Folder {
    /// Lists the objects whose key starts with `prefix`. A folder still to be made has none.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let tried = format!("Cannot list {}", self.label);
        Ok(self.walk(&tried, prefix).await?.objects)
    }

    async fn walk(&self, tried: &str, prefix: &str) -> Result<Met> {
        let start = match prefix.rsplit_once('/') {
            Some((dir, _)) => (self.path_of(&Key::new(dir)?)?, format!("{dir}/")),
            None => (self.root.clone(), String::new()),
        };
        let mut met = Met::default();
        if !self.look_for_root(tried).await? {
            return Ok(met);
        }
        let mut to_list = vec![start];
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.pool.limit() {
                let Some((path, base)) = to_list.pop() else { break };
                under_way.push(async move { (self.list_folder(tried, &path).await, path, base) });
            }
            let Some((listed, path, base)) = under_way.next().await else { break };
            self.traffic.alive();
            for listed in listed?.unwrap_or_default() {
                to_list.extend(take(prefix, (&path, &base), listed, &mut met));
            }
        }
        // A disk unmounted while it was listed must not look like an empty one.
        self.look_for_root(tried).await?;
        Ok(met)
    }

    async fn look_for_root(&self, tried: &str) -> Result<bool> {
        let mut lease = self.pool.take(tried).await?;
        let there = self.is_there(&mut lease, tried).await;
        lease.done();
        there
    }

    async fn list_folder(&self, tried: &str, path: &str) -> Result<Option<Vec<Listed>>> {
        let mut lease = self.pool.take(tried).await?;
        let listed = self.list_on(&mut lease, tried, path).await;
        lease.done();
        listed
    }

    /// Lists one folder; `None` when it is none. From within, since paths with blanks or dashes confuse servers that read
    /// options there.
    async fn list_on(&self, lease: &mut Lease, tried: &str, path: &str) -> Result<Option<Vec<Listed>>> {
        let session = lease.session()?;
        match session.enter(if path.is_empty() { "/" } else { path }).await {
            Ok(()) => {}
            Err(error) if errors::may_be_absent(&error) => return Ok(None),
            Err(error) => return lease.judge(tried, Err(error)),
        }
        if lease.session()?.features.mlst {
            match lease.session()?.list_here("MLSD").await {
                Ok(text) => return listing::read(tried, &text, listing::mlsd_line).map(Some),
                Err(error) if knows_not(&error) => lease.session()?.features.mlst = false,
                Err(error) => return lease.judge(tried, Err(error)),
            }
        }
        // Names with a dot in front show only when asked for. A server that does not know the question shows no dots; it
        // may even have looked for a file of that name.
        let mut listed = Vec::new();
        match lease.session()?.list_here("LIST -a").await {
            Ok(text) => listed = listing::read(tried, &text, listing::list_line)?,
            Err(error) if knows_not(&error) || errors::may_be_absent(&error) => {}
            Err(error) => return lease.judge(tried, Err(error)),
        }
        if !listed.iter().any(|entry| entry.kind == ListedKind::Dots) {
            let text = lease.session()?.list_here("LIST").await;
            let plain = listing::read(tried, &lease.judge(tried, text)?, listing::list_line)?;
            let more: Vec<Listed> =
                plain.into_iter().filter(|entry| !listed.iter().any(|known| known.name == entry.name)).collect();
            listed.extend(more);
        }
        Ok(Some(listed))
    }

    /// Tells whether an object of that key is in its folder's listing.
    pub(super) async fn is_listed(&self, lease: &mut Lease, tried: &str, key: &Key) -> Result<bool> {
        let path = self.path_of(key)?;
        let listed = self.list_on(lease, tried, parent_of(&path)).await?.unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or("");
        Ok(listed.iter().any(|entry| entry.name == name && matches!(entry.kind, ListedKind::File(_))))
    }

    /// Removes temporary files of ours that nobody wrote to for so long, by the server's own clock, unless they are spared.
    pub(super) async fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        let tried = format!("Cannot clear up {}", self.label);
        let mut met = self.walk(&tried, "").await?;
        let mut swept = Swept::default();
        if met.temps.is_empty() && met.asides.is_empty() {
            return Ok(swept);
        }
        let mut lease = self.pool.take(&tried).await?;
        // The last to step aside is the one to come back.
        met.asides.sort_by_key(|aside| std::cmp::Reverse(aside.since));
        for aside in met.asides {
            if server_names::is_left_aside(aside.since, older_than) {
                self.put_right(&mut lease, &tried, &aside, &mut swept).await?;
            } else {
                swept.left += 1;
            }
        }
        if met.temps.is_empty() {
            lease.done();
            return Ok(swept);
        }
        let now = self.server_time(&mut lease, &tried).await?;
        let age = i64::try_from(older_than.as_secs()).unwrap_or(i64::MAX);
        for path in met.temps {
            let then = lease.session()?.changed(&path).await.unwrap_or(None);
            let old = matches!((now, then), (Some(now), Some(then)) if now.saturating_sub(then) > age);
            let name = path.rsplit('/').next().unwrap_or("");
            if old && !server_names::is_spared(name, spared) {
                let gone = lease.session()?.delete(&path).await;
                lease.judge(&tried, gone)?;
                swept.removed += 1;
            } else {
                swept.left += 1;
            }
        }
        lease.done();
        Ok(swept)
    }

    /// Ends what a replacement that was cut off left: the old object gets its name back, or goes where the new one has it.
    async fn put_right(&self, lease: &mut Lease, tried: &str, aside: &Aside, swept: &mut Swept) -> Result<()> {
        let (done, count) = match self.is_taken(lease, tried, &aside.own).await? {
            true => (lease.session()?.delete(&aside.path).await, &mut swept.removed),
            false => (lease.session()?.rename(&aside.path, &aside.own).await, &mut swept.restored),
        };
        lease.judge(tried, done)?;
        *count += 1;
        Ok(())
    }

    /// Removes what stepped aside from this path and was left there: else it would come back though it was deleted.
    pub(super) async fn remove_asides(&self, lease: &mut Lease, tried: &str, path: &str) -> Result<()> {
        let (folder, own) = path.rsplit_once('/').unwrap_or(("", path));
        if self.tidy.is(folder) {
            return Ok(());
        }
        let listed = match self.list_on(lease, tried, folder).await {
            Ok(listed) => listed.unwrap_or_default(),
            Err(error) if matches!(error.class, ErrorClass::Missing | ErrorClass::Refused) => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut others = false;
        for entry in listed.iter().filter(|entry| matches!(entry.kind, ListedKind::File(_))) {
            match server_names::aside_of(&entry.name) {
                Some((_, name)) if name == own => {
                    match lease.session()?.delete(&format!("{folder}/{}", entry.name)).await {
                        Err(FtpError::UnexpectedResponse(reply)) if errors::is_absent(&reply) => {}
                        gone => lease.judge(tried, gone)?,
                    }
                }
                found => others |= found.is_some(),
            }
        }
        if !others {
            self.tidy.note(folder);
        }
        Ok(())
    }

    /// What time it is on the server: the last change of a file made now.
    async fn server_time(&self, lease: &mut Lease, tried: &str) -> Result<Option<i64>> {
        let path = format!("{}/{}", self.root, server_names::temp_name());
        self.store(lease, tried, ("STOR", &path, 0), Content::Bytes(Bytes::new())).await?;
        let now = lease.session()?.changed(&path).await.unwrap_or(None);
        let gone = lease.session()?.delete(&path).await;
        lease.judge(tried, gone)?;
        Ok(now)
    }
}

/// Tells whether the server does not know a command at all.
fn knows_not(error: &FtpError) -> bool {
    matches!(error, FtpError::UnexpectedResponse(reply) if matches!(errors::code(reply), 500..=504))
}

/// Looks at one name and returns it when it is a folder to list. What cannot be an object was not put by us: skipped.
fn take(prefix: &str, (path, base): (&str, &str), listed: Listed, met: &mut Met) -> Option<Below> {
    let name = &listed.name;
    if name.contains('/') {
        return None;
    }
    let (folder, path) = (path, format!("{path}/{name}"));
    if name.starts_with(TEMP_PREFIX) {
        if let (ListedKind::File(_), Some((since, own))) = (&listed.kind, server_names::aside_of(name)) {
            met.asides.push(Aside { since, path, own: format!("{folder}/{own}") });
        } else if matches!(listed.kind, ListedKind::File(_)) && server_names::is_temp_name(name) {
            met.temps.push(path);
        }
        return None;
    }
    let text = format!("{base}{name}");
    match listed.kind {
        ListedKind::Dir => {
            let inside = format!("{text}/");
            (inside.starts_with(prefix) || prefix.starts_with(&inside)).then_some((path, inside))
        }
        ListedKind::File(size_bytes) if text.starts_with(prefix) => {
            let key = Key::new(text).ok()?;
            met.objects.push(ObjectInfo { key, size_bytes, modified: listed.modified });
            None
        }
        _ => None,
    }
}
