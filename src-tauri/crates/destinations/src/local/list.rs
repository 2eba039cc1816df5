//! Listing objects, and sweeping parts that a killed process left.

use super::client::{Folder, Presence};
use super::config::{self, PART_PREFIX, UPLOAD_PREFIX};
use super::reader::{info, is_absent};
use backstay_core::Result;
use backstay_core::destination::{Key, ObjectInfo, Swept};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A part nobody wrote to for so long belongs to no living writer.
const PART_AGE_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

impl Folder {
    /// Lists the objects whose key starts with `prefix`. A folder still to be made has none.
    pub(super) fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let tried = format!("Cannot list {}", self.label);
        if self.presence(&tried)? == Presence::NeverSeen {
            return Ok(Vec::new());
        }
        let (start, base) = match prefix.rsplit_once('/') {
            Some((dir, _)) => (config::path_of(&self.root, &Key::new(dir)?)?, format!("{dir}/")),
            None => (self.root.clone(), String::new()),
        };
        let mut found = Vec::new();
        let mut folders = vec![(start, base)];
        while let Some((folder, base)) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(self.error(&tried, error)),
            };
            for entry in entries {
                let entry = entry.map_err(|error| self.error(&tried, error))?;
                self.take(&tried, prefix, &base, &entry, &mut found, &mut folders)?;
            }
        }
        // A disk unmounted while it was listed must not look like an empty one.
        self.presence(&tried)?;
        Ok(found)
    }

    /// Looks at one name. What cannot be an object (links, pipes, names that are no keys) was not put by us: skipped.
    fn take(
        &self,
        tried: &str,
        prefix: &str,
        base: &str,
        entry: &std::fs::DirEntry,
        found: &mut Vec<ObjectInfo>,
        folders: &mut Vec<(PathBuf, String)>,
    ) -> Result<()> {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return Ok(()) };
        if name.starts_with(PART_PREFIX) {
            // What an upload stored waits to be gone on with; only `Destination::sweep` ends that.
            if !name.starts_with(UPLOAD_PREFIX) && is_older(&entry.path(), PART_AGE_LIMIT) {
                // If that fails, the next listing tries again.
                let _ = std::fs::remove_file(entry.path());
            }
            return Ok(());
        }
        let text = format!("{base}{name}");
        let Ok(file_type) = entry.file_type() else { return Ok(()) };
        if file_type.is_dir() {
            let inside = format!("{text}/");
            if inside.starts_with(prefix) || prefix.starts_with(&inside) {
                folders.push((entry.path(), inside));
            }
            return Ok(());
        }
        if !file_type.is_file() || !text.starts_with(prefix) {
            return Ok(());
        }
        let Ok(key) = Key::new(text) else { return Ok(()) };
        match entry.metadata() {
            Ok(metadata) => found.push(info(key, &metadata)),
            // Deleted since.
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(self.error(tried, error)),
        }
        Ok(())
    }
}

/// Tells whether nobody wrote to a part for so long.
fn is_older(part: &Path, limit: Duration) -> bool {
    let age = part
        .symlink_metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok());
    age.is_some_and(|age| age > limit)
}

impl Folder {
    /// Removes all parts nobody wrote to for so long, those of uploads too unless they are spared.
    pub(super) fn sweep(&self, older_than: Duration, spared: &[String]) -> Result<Swept> {
        let tried = format!("Cannot clear away leftovers on {}", self.label);
        let mut swept = Swept::default();
        if self.presence(&tried)? == Presence::NeverSeen {
            return Ok(swept);
        }
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(self.error(&tried, error)),
            };
            for entry in entries {
                let entry = entry.map_err(|error| self.error(&tried, error))?;
                let Ok(file_type) = entry.file_type() else { continue };
                if file_type.is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let name = entry.file_name();
                let Some(name) = name.to_str().filter(|name| name.starts_with(PART_PREFIX)) else { continue };
                // An upload is a file that is called as its token, and a list beside it.
                let begun = name.strip_suffix(".parts").unwrap_or(name);
                let is_spared = spared.iter().any(|token| token == begun);
                let old = !is_spared && is_older(&entry.path(), older_than);
                if old && std::fs::remove_file(entry.path()).is_ok() {
                    swept.removed += 1;
                } else {
                    swept.left += 1;
                }
            }
        }
        Ok(swept)
    }
}
