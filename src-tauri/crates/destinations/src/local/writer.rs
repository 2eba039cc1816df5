//! Writing and removing objects: a part beside the target, synced, then renamed, then the folder synced.

use super::client::{Folder, Local, make_folder, sync_folder};
use super::config::{self, PART_PREFIX};
use super::reader::is_absent;
use backstay_core::destination::{Direction, Key, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::{Error, ErrorClass, Result};
use backstay_transfer as transfer;
use bytes::Bytes;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BUFFER_BYTES: usize = 1024 * 1024;

impl Local {
    pub(super) async fn write(&self, key: &Key, content: Bytes, mode: WriteMode) -> Result<()> {
        let tried = format!("Cannot write {key} on {}", self.folder.label);
        let key = key.clone();
        if content.len() <= BUFFER_BYTES {
            transfer::pass(&*self.traffic, Direction::Up, content.len()).await;
            let work = move |folder: &Folder| {
                let (mut part, target) = folder.begin(&tried, &key, mode)?;
                part.write_all(&content).map_err(|error| folder.error(&tried, error))?;
                folder.finish(&tried, part, &target, mode)
            };
            return self.blocking(work).await;
        }
        let (mut part, target) = {
            let tried = tried.clone();
            self.blocking(move |folder| folder.begin(&tried, &key, mode)).await?
        };
        let mut left = content;
        while !left.is_empty() {
            let block = left.split_to(left.len().min(BUFFER_BYTES));
            transfer::pass(&*self.traffic, Direction::Up, block.len()).await;
            let tried = tried.clone();
            let write = move |folder: &Folder| {
                part.write_all(&block).map_err(|error| folder.error(&tried, error))?;
                Ok(part)
            };
            part = self.blocking(write).await?;
        }
        self.blocking(move |folder| folder.finish(&tried, part, &target, mode)).await
    }

    pub(super) async fn write_stream(&self, key: &Key, mut content: ByteStream, mode: WriteMode) -> Result<u64> {
        let tried = format!("Cannot write {key} on {}", self.folder.label);
        let (part, target) = {
            let (tried, key) = (tried.clone(), key.clone());
            self.blocking(move |folder| folder.begin(&tried, &key, mode)).await?
        };
        // The part removes itself when this future is dropped half way.
        let file = part.reopen().map_err(|error| self.folder.error(&tried, error))?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(BUFFER_BYTES);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut size_bytes = 0;
        loop {
            // The source's error keeps its own class: it is not this folder's fault.
            let read = content.read(&mut buffer).await.map_err(|error| Error::io(&tried, error))?;
            if read == 0 {
                break;
            }
            transfer::pass(&*self.traffic, Direction::Up, read).await;
            file.write_all(&buffer[..read]).await.map_err(|error| self.folder.error(&tried, error))?;
            size_bytes += read as u64;
        }
        file.flush().await.map_err(|error| self.folder.error(&tried, error))?;
        self.blocking(move |folder| folder.finish(&tried, part, &target, mode)).await?;
        Ok(size_bytes)
    }

    pub(super) async fn remove(&self, key: &Key) -> Result<()> {
        let key = key.clone();
        self.blocking(move |folder| {
            let tried = format!("Cannot delete {key} on {}", folder.label);
            let path = config::path_of(&folder.root, &key)?;
            match std::fs::remove_file(&path) {
                Ok(()) => Ok(()),
                // Absent is what was asked for; a folder that is gone is not.
                Err(error) if is_absent(&error) => folder.presence(&tried).map(|_| ()),
                // A folder of that name is no object.
                Err(_) if path.is_dir() => Ok(()),
                Err(error) => Err(folder.error(&tried, error)),
            }
        })
        .await
    }
}

impl Folder {
    /// Makes the folders on the way and an empty part in the last one.
    fn begin(&self, tried: &str, key: &Key, mode: WriteMode) -> Result<(NamedTempFile, PathBuf)> {
        let target = config::path_of(&self.root, key)?;
        self.make(tried)?;
        // Spares writing all of it in vain; the rename decides.
        if mode == WriteMode::CreateNew && target.symlink_metadata().is_ok() {
            return Err(taken(tried));
        }
        let parent = target.parent().unwrap_or(&self.root);
        self.make_folders(parent).map_err(|error| self.error(tried, error))?;
        let part = tempfile::Builder::new()
            .prefix(PART_PREFIX)
            .rand_bytes(16)
            .tempfile_in(parent)
            .map_err(|error| self.error(tried, error))?;
        Ok((part, target))
    }

    /// Makes the folders between the root and `parent`. Never the root itself: it may have been unmounted meanwhile.
    pub(super) fn make_folders(&self, parent: &Path) -> std::io::Result<()> {
        if parent.is_dir() {
            return Ok(());
        }
        let Ok(below) = parent.strip_prefix(&self.root) else { return Ok(()) };
        let mut folder = self.root.clone();
        for part in below {
            let above = folder.clone();
            folder.push(part);
            match make_folder(&folder) {
                Ok(()) => sync_folder(&above),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Syncs the part and gives it its name.
    fn finish(&self, tried: &str, part: NamedTempFile, target: &Path, mode: WriteMode) -> Result<()> {
        part.as_file().sync_all().map_err(|error| self.error(tried, error))?;
        // The part lies in the folder that was opened; if another one shows there now, the name would be lost with it.
        self.presence(tried)?;
        match mode {
            WriteMode::Replace => part.persist(target).map(drop).map_err(|failed| self.error(tried, failed.error))?,
            WriteMode::CreateNew => self.persist_new(tried, part, target)?,
        }
        sync_folder(target.parent().unwrap_or(&self.root));
        Ok(())
    }

    fn persist_new(&self, tried: &str, part: NamedTempFile, target: &Path) -> Result<()> {
        let failed = match part.persist_noclobber(target) {
            Ok(_) => return Ok(()),
            Err(failed) => failed,
        };
        if failed.error.kind() == ErrorKind::AlreadyExists || target.symlink_metadata().is_ok() {
            return Err(taken(tried));
        }
        // Some network and FUSE file systems know neither links nor a rename that refuses to replace. There, looking first
        // is the best there is; the names a vault makes hold the hash of their content, so that no harm comes of a tie.
        let unable = matches!(failed.error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput)
            || (failed.error.kind() == ErrorKind::PermissionDenied && failed.file.path().exists());
        if unable {
            return failed.file.persist(target).map(drop).map_err(|failed| self.error(tried, failed.error));
        }
        Err(self.error(tried, failed.error))
    }
}

pub(super) fn taken(tried: &str) -> Error {
    Error::new(ErrorClass::Exists, format!("{tried}: it is there already"))
}
