//! Uploads in parts: all parts in one temporary file, each at its offset, and beside it a small file with one byte for
//! each part that lies there whole. The size of the first alone would not tell: parts under way at the same time leave
//! holes behind when the connection is lost.

use super::client::Folder;
use super::config::PART_BYTES;
use super::errors::vanished;
use super::follow::Follow;
use crate::server_names::{self, MARKS};
use async_trait::async_trait;
use backstay_core::destination::{Key, PartUpload, StoredPart, WriteMode};
use backstay_core::remote::{RemoteFile, RemoteFiles, RemoteOpen};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Mutex;

/// After so many parts the server is asked to sync, so that the end of a large upload does not have all of it to wait for.
const PARTS_OF_A_SYNC: u32 = 16;
/// How a stored part is marked.
const STORED: u8 = b'1';

/// An upload.
struct Upload {
    folder: Arc<Folder>,
    key: Key,
    target: RawPath,
    temp: RawPath,
    marks: RawPath,
    token: String,
    part_bytes: u64,
    /// Opened anew after a connection was lost.
    open: Mutex<Option<Open>>,
    follow: Follow,
}

#[derive(Clone)]
struct Open {
    files: Arc<dyn RemoteFiles>,
    content: Arc<dyn RemoteFile>,
    marks: Arc<dyn RemoteFile>,
}

/// Begins an upload.
pub(super) async fn begin(folder: Arc<Folder>, key: &Key) -> Result<Arc<dyn PartUpload>> {
    let tried = format!("Cannot write {key} on {}", folder.label);
    // Whether the name is taken is seen at the end, by the mode given there.
    let (temp, target) = folder.begin(&tried, key, WriteMode::Replace).await?;
    let path = temp.path.clone();
    let marks_path = marks_of(&path)?;
    let marks = match temp.files.open_file(&marks_path, RemoteOpen::CreateNew).await {
        Ok(marks) => marks,
        Err(error) => return Err(folder.write_error(&*temp.files, &tried, 0, error).await),
    };
    let name = path.name().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default();
    let (files, content) = temp.keep();
    Ok(Arc::new(Upload {
        folder,
        key: key.clone(),
        target,
        temp: path,
        marks: marks_path,
        token: format!("{name}:{PART_BYTES}"),
        part_bytes: PART_BYTES,
        open: Mutex::new(Some(Open { files, content, marks })),
        follow: Follow::default(),
    }))
}

/// Goes on with an upload.
pub(super) async fn resume(folder: Arc<Folder>, key: &Key, token: &str) -> Result<Arc<dyn PartUpload>> {
    let tried = format!("Cannot go on writing {key} on {}", folder.label);
    let known = token.split_once(':').filter(|(name, _)| server_names::is_temp_name(name) && !name.ends_with(MARKS));
    let known = known.and_then(|(name, size)| Some((name, size.parse::<u64>().ok().filter(|size| *size > 0)?)));
    let Some((name, part_bytes)) = known else {
        return Err(Error::new(ErrorClass::Missing, format!("{tried}: what was begun is not known any more")));
    };
    let target = server_names::path_of(&folder.root, key)?;
    let temp = target.parent().unwrap_or_default().join(name)?;
    let marks = marks_of(&temp)?;
    let (key, token) = (key.clone(), token.to_owned());
    let (open, follow) = (Mutex::new(None), Follow::default());
    let upload = Upload { folder, key, target, temp, marks, token, part_bytes, open, follow };
    upload.opened(&tried).await?;
    Ok(Arc::new(upload))
}

fn marks_of(temp: &RawPath) -> Result<RawPath> {
    let mut bytes = temp.as_bytes().to_vec();
    bytes.extend_from_slice(MARKS.as_bytes());
    Ok(RawPath::new(bytes)?)
}

impl Upload {
    fn tried(&self) -> String {
        format!("Cannot write {} on {}", self.key, self.folder.label)
    }

    /// Returns the open files, opening them where the connection they were opened over is gone.
    async fn opened(&self, tried: &str) -> Result<Open> {
        let mut place = self.open.lock().await;
        if let Some(open) = place.as_ref().filter(|open| !open.files.is_closed()) {
            return Ok(open.clone());
        }
        let files = self.folder.files(tried).await?;
        let (content, marks) = tokio::join!(
            files.open_file(&self.temp, RemoteOpen::Write),
            files.open_file(&self.marks, RemoteOpen::Write)
        );
        let (content, marks) = match (content, marks) {
            (Ok(content), Ok(marks)) => (content, marks),
            (Err(error), _) | (_, Err(error)) if error.class == ErrorClass::Missing => {
                if !self.folder.is_there(&*files, tried).await? {
                    return Err(vanished(tried, &self.folder.place()));
                }
                let text = format!("{tried}: what was uploaded before is not there any more");
                return Err(Error::new(ErrorClass::Missing, text).source(error));
            }
            (Err(error), _) | (_, Err(error)) => return Err(self.folder.error(tried, error)),
        };
        let open = Open { files, content, marks };
        *place = Some(open.clone());
        Ok(open)
    }

    /// Tells whether the file got its name already: `complete` did its work, but the answer was lost.
    async fn is_placed(&self, tried: &str, size: u64) -> Result<bool> {
        let files = self.folder.files(tried).await?;
        Ok(files.stat(&self.target).await.is_ok_and(|stat| stat.size_bytes == size))
    }
}

#[async_trait]
impl PartUpload for Upload {
    fn token(&self) -> String {
        self.token.clone()
    }

    fn part_bytes(&self, _number: u32) -> u64 {
        self.part_bytes
    }

    async fn stored(&self) -> Result<Vec<StoredPart>> {
        let tried = self.tried();
        let open = self.opened(&tried).await?;
        let failed = |error| self.folder.error(&tried, error);
        let (content, marks) = tokio::join!(open.content.stat(), open.marks.stat());
        let size = content.map_err(failed)?.size_bytes;
        // The file's size bounds what a marks file can truthfully say.
        let most = size.div_ceil(self.part_bytes).min(marks.map_err(failed)?.size_bytes);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let marks = open.marks.read_at(0, most).await.map_err(failed)?;
        let mut parts = Vec::new();
        for (number, offset) in (1_u32..).zip((0_u64..).step_by(usize::try_from(self.part_bytes).unwrap_or(1))) {
            let Some(mark) = marks.get(number as usize - 1) else { break };
            if *mark == STORED {
                let size_bytes = self.part_bytes.min(size - offset);
                parts.push(StoredPart { number, offset, size_bytes, tag: String::new() });
            }
        }
        self.follow.found(&parts).await;
        Ok(parts)
    }

    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
        let tried = self.tried();
        let size_bytes = content.len() as u64;
        if number == 0 || offset != u64::from(number - 1) * self.part_bytes || size_bytes > self.part_bytes {
            return Err(Error::new(ErrorClass::Internal, format!("{tried}: part {number} does not lie at {offset}")));
        }
        let open = self.opened(&tried).await?;
        if let Err(error) = self.folder.write_pieces(&*open.content, offset, content).await {
            return Err(self.folder.write_error(&*open.files, &tried, size_bytes, error).await);
        }
        if number.is_multiple_of(PARTS_OF_A_SYNC)
            && let Err(error) = open.content.sync().await
        {
            return Err(self.folder.write_error(&*open.files, &tried, size_bytes, error).await);
        }
        if let Err(error) = open.marks.write_at(u64::from(number - 1), Bytes::from_static(&[STORED])).await {
            return Err(self.folder.write_error(&*open.files, &tried, 0, error).await);
        }
        self.follow.arrived(number, size_bytes, &*open.files, &self.temp).await;
        Ok(StoredPart { number, offset, size_bytes, tag: String::new() })
    }

    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        let tried = self.tried();
        let size = parts.iter().map(|part| part.size_bytes).sum();
        let open = match self.opened(&tried).await {
            Ok(open) => open,
            Err(error) if error.class == ErrorClass::Missing && self.is_placed(&tried, size).await? => return Ok(()),
            Err(error) => return Err(error),
        };
        let files = &*open.files;
        self.folder.seal(files, &*open.content, &tried, size).await?;
        let placed = self.folder.place_as(files, &tried, &self.temp, &self.target, mode).await;
        // Closed files are of no use, whatever came of it; a second try opens them anew.
        let _ = open.marks.close().await;
        *self.open.lock().await = None;
        placed?;
        if let Some(hash) = self.follow.end(parts).await {
            self.folder.hashes.put(self.target.clone(), hash);
        }
        let _ = files.remove(&self.marks).await;
        Ok(())
    }

    async fn abort(&self) -> Result<()> {
        let tried = format!("Cannot clear up {} on {}", self.key, self.folder.label);
        *self.open.lock().await = None;
        let files = self.folder.files(&tried).await?;
        for path in [&self.temp, &self.marks] {
            match files.remove(path).await {
                Ok(()) => {}
                Err(error) if error.class == ErrorClass::Missing => {}
                Err(error) => return Err(self.folder.error(&tried, error)),
            }
        }
        Ok(())
    }
}
