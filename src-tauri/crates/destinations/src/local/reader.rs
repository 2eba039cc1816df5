//! Reading objects.

use super::client::{Folder, Local};
use super::config;
use backstay_core::destination::{Direction, Key, ObjectInfo};
use backstay_core::entry::ByteStream;
use backstay_core::{Error, ErrorClass, Result};
use backstay_transfer as transfer;
use bytes::Bytes;
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

const BUFFER_BYTES: usize = 256 * 1024;

impl Local {
    pub(super) async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        let key = key.clone();
        let content = self
            .blocking(move |folder| {
                let (mut file, metadata) = folder.open_object(&key)?;
                let range = range.unwrap_or(0..metadata.len());
                if range.start > range.end {
                    return Err(Error::new(
                        ErrorClass::Invalid,
                        format!("Cannot read bytes {} to {} of {key}", range.start, range.end),
                    ));
                }
                if range.end > metadata.len() {
                    return Err(cut_short(folder, &key, metadata.len(), range.end));
                }
                let tried = format!("Cannot read {key} on {}", folder.label);
                let wanted = usize::try_from(range.end - range.start).map_err(|error| {
                    Error::new(ErrorClass::Unsupported, format!("{tried}: too large")).source(error)
                })?;
                let mut content = vec![0; wanted];
                let read = file.seek(SeekFrom::Start(range.start)).and_then(|_| file.read_exact(&mut content));
                match read {
                    Ok(()) => Ok(Bytes::from(content)),
                    // It shrank between the look at its size and now.
                    Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                        Err(cut_short(folder, &key, metadata.len(), range.end))
                    }
                    Err(error) => Err(folder.error(&tried, error)),
                }
            })
            .await?;
        transfer::pass(&*self.traffic, Direction::Down, content.len()).await;
        Ok(content)
    }

    pub(super) async fn read_stream(&self, key: &Key, offset: u64) -> Result<ByteStream> {
        let key = key.clone();
        let file = self
            .blocking(move |folder| {
                let (mut file, metadata) = folder.open_object(&key)?;
                if offset > metadata.len() {
                    return Err(cut_short(folder, &key, metadata.len(), offset));
                }
                file.seek(SeekFrom::Start(offset))
                    .map_err(|error| folder.error(&format!("Cannot read {key} on {}", folder.label), error))?;
                Ok(file)
            })
            .await?;
        let stream = tokio::io::BufReader::with_capacity(BUFFER_BYTES, tokio::fs::File::from_std(file));
        Ok(transfer::paced(Box::new(stream), Arc::clone(&self.traffic), Direction::Down))
    }

    pub(super) async fn look_at(&self, key: &Key) -> Result<ObjectInfo> {
        let key = key.clone();
        self.blocking(move |folder| {
            let path = config::path_of(&folder.root, &key)?;
            let tried = format!("Cannot find {key} on {}", folder.label);
            match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => Ok(info(key, &metadata)),
                Ok(_) => Err(no_object(folder, &key)),
                Err(error) if is_absent(&error) => Err(folder.missing(&tried, &key)),
                Err(error) => Err(folder.error(&tried, error)),
            }
        })
        .await
    }
}

impl Folder {
    fn open_object(&self, key: &Key) -> Result<(File, Metadata)> {
        let path = config::path_of(&self.root, key)?;
        let tried = format!("Cannot read {key} on {}", self.label);
        let opened = File::open(&path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
        match opened {
            Ok((file, metadata)) if metadata.is_file() => Ok((file, metadata)),
            Ok(_) => Err(no_object(self, key)),
            Err(error) if is_absent(&error) => Err(self.missing(&tried, key)),
            Err(error) => Err(self.error(&tried, error)),
        }
    }

    /// The error of an absent key, unless the whole folder is gone.
    fn missing(&self, tried: &str, key: &Key) -> Error {
        match self.presence(tried) {
            Err(gone) => gone,
            Ok(super::client::Presence::NeverSeen) => super::errors::absent(tried, &self.root),
            Ok(super::client::Presence::There) => no_object(self, key),
        }
    }
}

/// What is known of a file, as an object.
pub(super) fn info(key: Key, metadata: &Metadata) -> ObjectInfo {
    let modified = metadata.modified().ok().map(|time| match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
    });
    ObjectInfo { key, size_bytes: metadata.len(), modified }
}

/// Below a file there is nothing, so "not a folder" means absent too.
pub(super) fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn no_object(folder: &Folder, key: &Key) -> Error {
    Error::new(ErrorClass::Missing, format!("Cannot read {key} on {}: it is not there", folder.label))
}

fn cut_short(folder: &Folder, key: &Key, has: u64, wanted: u64) -> Error {
    Error::new(
        ErrorClass::Corrupt,
        format!("Cannot read {key} on {}: it ends at byte {has}, but {wanted} are needed", folder.label),
    )
    .hint("The file was cut short; verify this destination")
}
