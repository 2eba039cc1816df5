//! Uploads in parts into memory.

use super::{MemoryDestination, Operation, answer};
use async_trait::async_trait;
use backstay_core::destination::{Direction, Key, PartUpload, StoredPart, WriteMode};
use backstay_core::{Error, ErrorClass, Result};
use backstay_transfer as transfer;
use bytes::Bytes;
use std::collections::BTreeMap;

/// An upload under way.
#[derive(Clone, Default)]
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) parts: BTreeMap<u32, (u64, Bytes)>,
}

/// An upload in parts into memory.
pub(super) struct MemoryUpload {
    pub(super) destination: MemoryDestination,
    pub(super) key: Key,
    pub(super) token: String,
}

impl MemoryUpload {
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Upload) -> T) -> Result<T> {
        let mut state = self.destination.state();
        match state.uploads.get_mut(&self.token) {
            Some(upload) if upload.key == self.key.as_str() => Ok(work(upload)),
            _ => Err(Error::new(ErrorClass::Missing, format!("The upload of {} on memory is no more", self.key))),
        }
    }

    fn assemble(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        let stored = self.with(|upload| upload.parts.clone())?;
        let broken = |why: &str| Error::new(ErrorClass::Corrupt, format!("Cannot write {} on memory: {why}", self.key));
        let mut whole = Vec::new();
        for (number, part) in (1..).zip(parts) {
            let Some((offset, content)) = stored.get(&part.number) else { return Err(broken("a part is missing")) };
            let fits = part.number == number && *offset == whole.len() as u64 && part.tag == tag(content);
            // As S3 does: all but the last part have the size they were to have.
            let full = content.len() as u64 == self.part_bytes(number) || number as usize == parts.len();
            if !fits || !full {
                return Err(broken("its parts do not fit together"));
            }
            whole.extend_from_slice(content);
        }
        self.damage(&mut whole);
        self.destination.store(&self.key, whole.into(), mode)?;
        self.destination.state().uploads.remove(&self.token);
        Ok(())
    }

    /// Flips a bit in the middle if it is told to.
    fn damage(&self, whole: &mut [u8]) {
        let mut state = self.destination.state();
        let middle = whole.len() / 2;
        if let (1.., Some(byte)) = (state.damaged_uploads, whole.get_mut(middle)) {
            state.damaged_uploads -= 1;
            *byte ^= 1;
        }
    }
}

/// What this store calls a part: something of its content.
fn tag(content: &Bytes) -> String {
    transfer::Sha256Sum::of(content)[..16].to_owned()
}

#[async_trait]
impl PartUpload for MemoryUpload {
    fn token(&self) -> String {
        self.token.clone()
    }

    fn part_bytes(&self, _: u32) -> u64 {
        self.destination.part_bytes
    }

    async fn stored(&self) -> Result<Vec<StoredPart>> {
        let lost = self.destination.enter(Operation::Stored, self.key.as_str()).await?;
        let parts = self.with(|upload| upload.parts.clone())?;
        let parts = parts.into_iter().map(|(number, (offset, content))| StoredPart {
            number,
            offset,
            size_bytes: content.len() as u64,
            tag: tag(&content),
        });
        answer(lost, parts.collect())
    }

    async fn put_part(&self, number: u32, offset: u64, content: Bytes) -> Result<StoredPart> {
        let lost = self.destination.enter(Operation::Part, self.key.as_str()).await?;
        self.destination.travel(Direction::Up, content.len()).await?;
        let part = StoredPart { number, offset, size_bytes: content.len() as u64, tag: tag(&content) };
        {
            let state = self.destination.state();
            let used = state.used_bytes();
            if state.room_bytes.is_some_and(|room| used + content.len() as u64 > room) {
                return Err(Error::new(
                    ErrorClass::Full,
                    format!("Cannot write {} on memory: there is no room left", self.key),
                ));
            }
        }
        self.with(|upload| upload.parts.insert(number, (offset, content)))?;
        answer(lost, part)
    }

    async fn complete(&self, parts: &[StoredPart], mode: WriteMode) -> Result<()> {
        let lost = self.destination.enter(Operation::Complete, self.key.as_str()).await?;
        answer(lost, self.assemble(parts, mode)?)
    }

    async fn abort(&self) -> Result<()> {
        let lost = self.destination.enter(Operation::Abort, self.key.as_str()).await?;
        self.destination.state().uploads.remove(&self.token);
        answer(lost, ())
    }
}
