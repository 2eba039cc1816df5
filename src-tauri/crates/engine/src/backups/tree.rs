//! A backup's tree: folders and search, marked with what changed since the backup before.

use super::compare::Marks;
use crate::backstay::{Backstay, Inner};
use backstay_contract::BackupEntry;
use backstay_core::config::KnownBackup;
use backstay_core::entry::{Entry, EntryType};
use backstay_core::layout::BackupReader;
use backstay_core::path::escape;
use backstay_core::{BackupId, RawPath, Result, RunContext};
use futures::FutureExt;
use std::sync::Arc;
use std::time::Duration;

/// A search shows at most so many entries.
const FOUND_AT_MOST: usize = 1000;
/// A folder is shown without marks rather than late; the comparison goes on and serves the next look.
const MARKS_LIMIT: Duration = Duration::from_secs(2);

impl Backstay {
    /// Lists a folder of a backup.
    pub async fn backup_list(&self, id: &str, path: &str) -> Result<Vec<BackupEntry>> {
        let (known, _) = self.inner.known_backup(&BackupId::from(id))?;
        let path = RawPath::from_text(path)?.to_relative();
        let ctx = RunContext { clock: self.inner.clock.clone(), ..RunContext::silent() };
        let copies = self.inner.copies(&known.record.id)?;
        let (ctx, path) = (&ctx, &path);
        let list = |reader: Arc<dyn BackupReader>| async move { reader.list(ctx, path).await }.boxed();
        let listed = self.inner.ask_nearest(&copies, list).await?.answer;
        let marks = self.inner.marks(&known).await?;
        let mut rows: Vec<_> =
            listed.iter().map(|line| row(&line.entry, line.total_bytes, line.total_files, &marks)).collect();
        rows.sort_by_key(|row| row.kind != "dir");
        Ok(rows)
    }

    /// Finds entries of a backup by a part of their path.
    pub async fn backup_search(&self, id: &str, text: &str) -> Result<Vec<BackupEntry>> {
        let (known, _) = self.inner.known_backup(&BackupId::from(id))?;
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let ctx = RunContext { clock: self.inner.clock.clone(), ..RunContext::silent() };
        let copies = self.inner.copies(&known.record.id)?;
        let ctx = &ctx;
        let search =
            |reader: Arc<dyn BackupReader>| async move { reader.search(ctx, text.trim(), FOUND_AT_MOST).await }.boxed();
        let found = self.inner.ask_nearest(&copies, search).await?.answer;
        let marks = self.inner.marks(&known).await?;
        let files = |entry: &Entry| u64::from(entry.is_file());
        Ok(found.iter().map(|entry| row(entry, entry.size_bytes, files(entry), &marks)).collect())
    }
}

impl Inner {
    /// Returns what changed since the backup before; nothing when there is none, or when it takes too long for now.
    async fn marks(self: &Arc<Self>, known: &KnownBackup) -> Result<Marks> {
        let Some(previous) = self.previous(known)? else { return Ok(Marks::default()) };
        let (inner, newer) = (self.clone(), known.record.id.clone());
        let work = tokio::spawn(async move { inner.diff_of(&previous, &newer).await });
        match tokio::time::timeout(MARKS_LIMIT, work).await {
            Ok(Ok(Ok(diff))) => Ok(Marks::of(&diff)),
            Ok(Ok(Err(error))) => {
                // A damaged backup before must not hide this one.
                tracing::info!(%error, "what changed since the backup before is not known");
                Ok(Marks::default())
            }
            Ok(Err(_)) | Err(_) => Ok(Marks::default()),
        }
    }
}

fn row(entry: &Entry, bytes: u64, files: u64, marks: &Marks) -> BackupEntry {
    let (kind, target) = match &entry.kind {
        EntryType::Dir => ("dir", None),
        EntryType::File => ("file", None),
        EntryType::Symlink(target) => ("link", Some(escape(target))),
        EntryType::Fifo | EntryType::Socket => ("fifo", None),
        EntryType::CharDevice(..) | EntryType::BlockDevice(..) => ("device", None),
    };
    let name = |name: &Option<String>, number: u32| name.clone().unwrap_or_else(|| number.to_string());
    BackupEntry {
        name: entry.path.name().map(escape).unwrap_or_default(),
        path: entry.path.to_text(),
        kind: kind.into(),
        bytes,
        files,
        modified: i64::try_from(entry.mtime.0.div_euclid(1_000_000)).unwrap_or(0),
        mode: mode_text(entry.mode),
        owner: format!("{}:{}", name(&entry.user, entry.uid), name(&entry.group, entry.gid)),
        target,
        change: marks.of_entry(entry).map(str::to_owned),
    }
}

/// Returns permission bits as `ls` shows them: "rwxr-xr-x", with setuid, setgid and sticky.
fn mode_text(mode: u32) -> String {
    let mut text: Vec<char> = "rwxrwxrwx".chars().collect();
    for (at, c) in text.iter_mut().enumerate() {
        if mode & (0o400 >> at) == 0 {
            *c = '-';
        }
    }
    for (bit, at, with, without) in [(0o4000, 2, 's', 'S'), (0o2000, 5, 's', 'S'), (0o1000, 8, 't', 'T')] {
        if mode & bit != 0 {
            text[at] = if text[at] == 'x' { with } else { without };
        }
    }
    text.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_like_ls() {
        assert_eq!(mode_text(0o644), "rw-r--r--");
        assert_eq!(mode_text(0o4755), "rwsr-xr-x");
        assert_eq!(mode_text(0o1777), "rwxrwxrwt");
        assert_eq!(mode_text(0o2640), "rw-r-S---");
    }
}
