//! Uploads in parts, one after the other: the temporary file grows by APPE, after its size was seen to be what it should.

use super::client::Folder;
use super::errors;
use super::pool::Lease;
use super::writer::{Content, parent_of};
use crate::server_names;
use async_trait::async_trait;
use backstay_core::destination::{Key, PartUpload, StoredPart, WriteMode};
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Parts of uploads. Each costs a data connection, so that they are not small.
const PART_BYTES: u64 = 32 << 20;

struct Upload {
    folder: Arc<Folder>,
    key: Key,
    target: String,
    temp: String,
    token: String,
    part_bytes: u64,
    /// Parts go one at a time, whoever asks. Holds the short part at the end, once this process stored it: by the file's
    /// size alone it cannot be told from a part that was cut.
    last: Mutex<Option<StoredPart>>,
}

/// Begins an upload.
pub(super) async fn begin(folder: Arc<Folder>, key: &Key) -> Result<Arc<dyn PartUpload>> {
    let tried = format!("Cannot write {key} on {}", folder.label);
    let upload = Upload::new(folder.clone(), key, &server_names::temp_name(), PART_BYTES)?;
    let mut lease = folder.pool.take(&tried).await?;
    let begun = async {
        folder.make_folders(&mut lease, &tried, parent_of(&upload.target)).await?;
        // An empty file, so that resuming finds it even before the first part.
        folder.store(&mut lease, &tried, ("STOR", &upload.temp, 0), Content::Bytes(Bytes::new())).await
    };
    let begun = begun.await;
    lease.done();
    begun?;
    Ok(Arc::new(upload))
}

/// Goes on with an upload.
pub(super) async fn resume(folder: Arc<Folder>, key: &Key, token: &str) -> Result<Arc<dyn PartUpload>> {
    let tried = format!("Cannot go on writing {key} on {}", folder.label);
    let known = token.split_once(':').filter(|(name, _)| server_names::is_temp_name(name));
    let known = known.and_then(|(name, size)| Some((name, size.parse::<u64>().ok().filter(|size| *size > 0)?)));
    let Some((name, part_bytes)) = known else {
        return Err(Error::new(ErrorClass::Missing, format!("{tried}: what was begun is not known any more")));
    };
    let upload = Upload::new(folder, key, name, part_bytes)?;
    upload.stored().await?;
    Ok(Arc::new(upload))
}

impl Upload {
    fn new(folder: Arc<Folder>, key: &Key, name: &str, part_bytes: u64) -> Result<Self> {
        let target = folder.path_of(key)?;
        let temp = format!("{}/{name}", parent_of(&target));
        let token = format!("{name}:{part_bytes}");
        Ok(Self { folder, key: key.clone(), target, temp, token, part_bytes, last: Mutex::new(None) })
    }

    fn tried(&self) -> String {
        format!("Cannot write {} on {}", self.key, self.folder.label)
    }

    /// Returns the temporary file's size; `Missing` when it is no more.
    async fn size(&self, lease: &mut Lease, tried: &str) -> Result<u64> {
        match lease.session()?.size(&self.temp).await {
            Ok(size) => Ok(size),
            Err(error) if errors::may_be_absent(&error) => {
                self.folder.is_there(lease, tried).await?;
                let text = format!("{tried}: what was uploaded before is not there any more");
                Err(Error::new(ErrorClass::Missing, text).source(error))
            }
            Err(error) => lease.judge(tried, Err(error)),
        }
    }

    async fn add(&self, lease: &mut Lease, tried: &str, offset: u64, content: Bytes) -> Result<()> {
        let size = self.size(lease, tried).await?;
        let length = content.len() as u64;
        if size < offset {
            let text = format!("{tried}: the server has {size} bytes of it, but {offset} were stored");
            return Err(Error::new(ErrorClass::Missing, text));
        }
        // What a broken connection left beyond the part before is written over from its start.
        let (verb, at) = match offset {
            0 => ("STOR", 0),
            at if at == size => ("APPE", 0),
            at => ("STOR", at),
        };
        let sent = self.folder.store(lease, tried, (verb, &self.temp, at), Content::Bytes(content)).await;
        if let Err(error) = sent {
            if at > 0 && matches!(error.class, ErrorClass::Unsupported | ErrorClass::Refused | ErrorClass::Invalid) {
                let text = format!("{tried}: the server cannot go on in the midst of a file");
                return Err(Error::new(ErrorClass::Missing, text).source(error));
            }
            return Err(error);
        }
        // A part that is stored again may have others behind it.
        let has = self.size(lease, tried).await?;
        if has < offset + length {
            let text = format!("{tried}: {} bytes were sent, but the server's file has {has}", offset + length);
            return Err(Error::new(ErrorClass::Corrupt, text).hint("See whether the server's disk is full or failing"));
        }
        Ok(())
    }

    async fn finish(&self, lease: &mut Lease, tried: &str, size: u64, mode: WriteMode) -> Result<()> {
        match self.size(lease, tried).await {
            Ok(has) if has == size => {}
            Ok(has) => {
                let text = format!("{tried}: {size} bytes were sent, but the server's file has {has}");
                return Err(Error::new(ErrorClass::Corrupt, text));
            }
            // It got its name already, but the answer was lost.
            Err(error) if error.class == ErrorClass::Missing => {
                let placed = lease.session()?.size(&self.target).await;
                return if placed.is_ok_and(|has| has == size) { Ok(()) } else { Err(error) };
            }
            Err(error) => return Err(error),
        }
        self.folder.place_as(lease, tried, &self.temp, &self.target, mode).await
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
        let mut lease = self.folder.pool.take(&tried).await?;
        let size = self.size(&mut lease, &tried).await;
        lease.done();
        let size = size?;
        let whole = u32::try_from(size / self.part_bytes).unwrap_or(u32::MAX);
        let part = |number: u32| {
            let offset = u64::from(number - 1) * self.part_bytes;
            StoredPart { number, offset, size_bytes: self.part_bytes, tag: String::new() }
        };
        let last = self.last.lock().await.clone().filter(|last| last.offset + last.size_bytes == size);
        Ok((1..=whole).map(part).chain(last).collect())
    }

    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
        let tried = self.tried();
        let size_bytes = content.len() as u64;
        if number == 0 || offset != u64::from(number - 1) * self.part_bytes || size_bytes > self.part_bytes {
            return Err(Error::new(ErrorClass::Internal, format!("{tried}: part {number} does not lie at {offset}")));
        }
        let mut last = self.last.lock().await;
        let mut lease = self.folder.pool.take(&tried).await?;
        let added = self.add(&mut lease, &tried, offset, content).await;
        lease.done();
        added?;
        let part = StoredPart { number, offset, size_bytes, tag: String::new() };
        if size_bytes < self.part_bytes {
            *last = Some(part.clone());
        }
        Ok(part)
    }

    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        let tried = self.tried();
        let size = parts.iter().map(|part| part.size_bytes).sum();
        let mut lease = self.folder.pool.take(&tried).await?;
        let finished = self.finish(&mut lease, &tried, size, mode).await;
        lease.done();
        finished
    }

    async fn abort(&self) -> Result<()> {
        let tried = format!("Cannot clear up {} on {}", self.key, self.folder.label);
        let mut lease = self.folder.pool.take(&tried).await?;
        let gone = match lease.session()?.delete(&self.temp).await {
            Ok(()) => Ok(()),
            Err(error) if errors::may_be_absent(&error) => Ok(()),
            Err(error) => lease.judge(&tried, Err(error)),
        };
        lease.done();
        gone
    }
}
