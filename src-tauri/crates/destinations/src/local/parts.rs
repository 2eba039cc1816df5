//! Uploads in parts: one hidden file written at offsets, and beside it a list of the parts that are whole.

use super::client::{Folder, Local, blocking, sync_folder};
use super::config::{self, UPLOAD_PREFIX};
use super::reader::is_absent;
use super::writer::taken;
use async_trait::async_trait;
use backstay_core::destination::{Direction, Key, PartUpload, StoredPart, Traffic, WriteMode};
use backstay_core::{Error, ErrorClass, Result};
use backstay_transfer as transfer;
use bytes::Bytes;
use rand::RngExt;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempPath;

const PART_BYTES: u64 = 8 * 1024 * 1024;
/// A block of a part on its way to the disk.
const BLOCK_BYTES: usize = 1024 * 1024;

/// An upload into a folder.
pub(super) struct Parts {
    folder: Arc<Folder>,
    traffic: Arc<dyn Traffic>,
    tried: String,
    /// The name of the hidden file.
    token: String,
    /// The hidden file with the content so far.
    file: PathBuf,
    /// One line for each part that is whole and durable: number and size.
    list: PathBuf,
    target: PathBuf,
}

impl Local {
    pub(super) async fn begin_parts(&self, key: &Key) -> Result<Parts> {
        let token = format!("{UPLOAD_PREFIX}{:032x}", rand::rng().random::<u128>());
        let parts = self.parts(key, &token)?;
        let (tried, file, list) = (parts.tried.clone(), parts.file.clone(), parts.list.clone());
        self.blocking(move |folder| {
            folder.make(&tried)?;
            let parent = file.parent().unwrap_or(&folder.root);
            folder.make_folders(parent).map_err(|error| folder.error(&tried, error))?;
            for path in [&file, &list] {
                create_new(path).map_err(|error| folder.error(&tried, error))?;
            }
            sync_folder(parent);
            Ok(())
        })
        .await?;
        Ok(parts)
    }

    pub(super) async fn resume_parts(&self, key: &Key, token: &str) -> Result<Parts> {
        let ours = token.strip_prefix(UPLOAD_PREFIX).is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let parts = self.parts(key, token)?;
        if !ours {
            return Err(no_more(&parts.tried));
        }
        let (tried, file, list) = (parts.tried.clone(), parts.file.clone(), parts.list.clone());
        self.blocking(move |folder| {
            for path in [&file, &list] {
                path.symlink_metadata().map_err(|error| absent_or(folder, &tried, error))?;
            }
            Ok(())
        })
        .await?;
        Ok(parts)
    }

    fn parts(&self, key: &Key, token: &str) -> Result<Parts> {
        let target = config::path_of(&self.folder.root, key)?;
        let parent = target.parent().unwrap_or(&self.folder.root);
        Ok(Parts {
            folder: Arc::clone(&self.folder),
            traffic: Arc::clone(&self.traffic),
            tried: format!("Cannot write {key} on {}", self.folder.label),
            token: token.to_owned(),
            file: parent.join(token),
            list: parent.join(format!("{token}.parts")),
            target,
        })
    }
}

#[async_trait]
impl PartUpload for Parts {
    fn token(&self) -> String {
        self.token.clone()
    }

    fn part_bytes(&self, _: u32) -> u64 {
        PART_BYTES
    }

    async fn stored(&self) -> Result<Vec<StoredPart>> {
        let (tried, file, list) = (self.tried.clone(), self.file.clone(), self.list.clone());
        blocking(&self.folder, move |folder| stored(folder, &tried, &file, &list)).await
    }

    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
        let part = StoredPart { number, offset, size_bytes: content.len() as u64, tag: String::new() };
        let mut file = {
            let (tried, path) = (self.tried.clone(), self.file.clone());
            let open = move |folder: &Folder| {
                OpenOptions::new().write(true).open(&path).map_err(|error| absent_or(folder, &tried, error))
            };
            blocking(&self.folder, open).await?
        };
        let (mut left, mut at) = (content, offset);
        while !left.is_empty() {
            let block = left.split_to(left.len().min(BLOCK_BYTES));
            transfer::pass(&*self.traffic, Direction::Up, block.len()).await;
            let (tried, place) = (self.tried.clone(), at);
            at += block.len() as u64;
            let write = move |folder: &Folder| {
                transfer::write_all_at(&file, &block, place).map_err(|error| folder.error(&tried, error))?;
                Ok(file)
            };
            file = blocking(&self.folder, write).await?;
        }
        let (tried, list) = (self.tried.clone(), self.list.clone());
        // A line cut short by a kill must not spoil the next one: it lacks its end, and is ended here.
        let line = format!("\n{number} {};", part.size_bytes);
        blocking(&self.folder, move |folder| {
            // Only what would survive a loss of power is told to be there.
            file.sync_data().map_err(|error| folder.error(&tried, error))?;
            let append = |path: &Path| {
                let mut list = OpenOptions::new().append(true).open(path)?;
                list.write_all(line.as_bytes())
            };
            append(&list).map_err(|error| absent_or(folder, &tried, error))
        })
        .await?;
        Ok(part)
    }

    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        let (tried, file, list) = (self.tried.clone(), self.file.clone(), self.list.clone());
        let (target, parts) = (self.target.clone(), parts.to_vec());
        blocking(&self.folder, move |folder| {
            let there = stored(folder, &tried, &file, &list)?;
            let size_bytes = check_all_there(&tried, &parts, &there)?;
            let opened = OpenOptions::new().write(true).open(&file);
            let content = opened.map_err(|error| absent_or(folder, &tried, error))?;
            content.set_len(size_bytes).map_err(|error| folder.error(&tried, error))?;
            content.sync_all().map_err(|error| folder.error(&tried, error))?;
            folder.presence(&tried)?;
            folder.name(&tried, &file, &target, mode)?;
            let _ = std::fs::remove_file(&list);
            sync_folder(target.parent().unwrap_or(&folder.root));
            Ok(())
        })
        .await
    }

    async fn abort(&self) -> Result<()> {
        let (tried, file, list) = (self.tried.clone(), self.file.clone(), self.list.clone());
        blocking(&self.folder, move |folder| {
            for path in [&file, &list] {
                match std::fs::remove_file(path) {
                    Ok(()) => {}
                    Err(error) if is_absent(&error) => folder.presence(&tried).map(drop)?,
                    Err(error) => return Err(folder.error(&tried, error)),
                }
            }
            Ok(())
        })
        .await
    }
}

impl Folder {
    /// Gives the finished file of an upload its name. With `CreateNew` and a name that is taken the file stays.
    fn name(&self, tried: &str, file: &Path, target: &Path, mode: WriteMode) -> Result<()> {
        if mode == WriteMode::Replace {
            return std::fs::rename(file, target).map_err(|error| self.error(tried, error));
        }
        let path = TempPath::try_from_path(file).map_err(|error| self.error(tried, error))?;
        let failed = match path.persist_noclobber(target) {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        let (error, path) = (failed.error, failed.path);
        // What could not be named yet stays for another try.
        let kept = path.keep().is_ok();
        if error.kind() == ErrorKind::AlreadyExists || target.symlink_metadata().is_ok() {
            return Err(taken(tried));
        }
        // As with whole objects: file systems that know neither links nor a rename that refuses.
        let unable = matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput)
            || (error.kind() == ErrorKind::PermissionDenied && kept && file.exists());
        if unable {
            return std::fs::rename(file, target).map_err(|error| self.error(tried, error));
        }
        Err(self.error(tried, error))
    }
}

/// Reads the list of parts. A line cut short by a kill, or one beyond the file's end, does not count.
fn stored(folder: &Folder, tried: &str, file: &Path, list: &Path) -> Result<Vec<StoredPart>> {
    let length = file.metadata().map_err(|error| absent_or(folder, tried, error))?.len();
    let text = std::fs::read_to_string(list).map_err(|error| absent_or(folder, tried, error))?;
    let mut sizes = BTreeMap::new();
    for line in text.lines() {
        let numbers = line.strip_suffix(';').and_then(|line| line.split_once(' '));
        let numbers = numbers.and_then(|(number, size)| Some((number.parse().ok()?, size.parse().ok()?)));
        if let Some((number, size)) = numbers {
            sizes.insert(number, size);
        }
    }
    let parts = sizes.into_iter().filter(|(number, _)| *number > 0).map(|(number, size_bytes): (u32, u64)| {
        StoredPart { number, offset: u64::from(number - 1) * PART_BYTES, size_bytes, tag: String::new() }
    });
    Ok(parts.filter(|part| part.offset.saturating_add(part.size_bytes) <= length).collect())
}

/// Checks that the parts follow one another and all lie there. Returns the object's size.
fn check_all_there(tried: &str, parts: &[StoredPart], there: &[StoredPart]) -> Result<u64> {
    let mut end = 0;
    for (number, part) in (1..).zip(parts) {
        if part.number != number || part.offset != end {
            return Err(Error::new(ErrorClass::Internal, format!("{tried}: its parts do not follow one another")));
        }
        if !there.iter().any(|stored| (stored.number, stored.size_bytes) == (part.number, part.size_bytes)) {
            return Err(Error::new(ErrorClass::Corrupt, format!("{tried}: part {number} of it is not there any more")));
        }
        end += part.size_bytes;
    }
    Ok(end)
}

fn absent_or(folder: &Folder, tried: &str, error: std::io::Error) -> Error {
    match folder.presence(tried) {
        Err(gone) => gone,
        Ok(_) if is_absent(&error) => no_more(tried),
        Ok(_) => folder.error(tried, error),
    }
}

fn no_more(tried: &str) -> Error {
    Error::new(ErrorClass::Missing, format!("{tried}: what was uploaded of it is not there any more"))
}

fn create_new(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}
