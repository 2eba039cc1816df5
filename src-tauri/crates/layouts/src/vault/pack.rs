//! Packs: many sealed chunks in one object, with a sealed table of them at the end.

use super::crypto::{Cipher, OVERHEAD};
use super::id::Id;
use bytes::Bytes;

/// A chunk in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackedBlob {
    pub id: Id,
    /// Whether it is a folder's list, not a file's content.
    pub tree: bool,
    pub offset: u32,
    /// Its sealed length.
    pub length: u32,
    /// Its length when unpacked; 0 when it is not compressed.
    pub raw: u32,
}

/// A pack ready to be stored.
pub(crate) struct Pack {
    pub id: Id,
    pub content: Bytes,
    pub blobs: Vec<PackedBlob>,
}

/// A pack being filled.
#[derive(Default)]
pub(crate) struct PackBuilder {
    content: Vec<u8>,
    blobs: Vec<PackedBlob>,
}

impl PackBuilder {
    /// Makes an empty pack with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { content: Vec::with_capacity(capacity), blobs: Vec::new() }
    }
    /// Returns the bytes in it.
    pub fn len(&self) -> usize {
        self.content.len()
    }
    /// Tells whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }
    /// Returns how many chunks are in it.
    pub fn count(&self) -> usize {
        self.blobs.len()
    }
    /// Adds a sealed chunk.
    pub fn add(&mut self, id: Id, tree: bool, sealed: &[u8], raw: u32) {
        let (offset, length) = (self.content.len() as u32, sealed.len() as u32);
        self.blobs.push(PackedBlob { id, tree, offset, length, raw });
        self.content.extend_from_slice(sealed);
    }
    /// Adds the table and ends the pack; `None` if the cipher refuses.
    pub fn finish(mut self, cipher: &Cipher) -> Option<Pack> {
        let mut table = Vec::with_capacity(self.blobs.len() * 41);
        for blob in &self.blobs {
            table.push(u8::from(blob.tree) + if blob.raw > 0 { 2 } else { 0 });
            table.extend_from_slice(&blob.length.to_le_bytes());
            if blob.raw > 0 {
                table.extend_from_slice(&blob.raw.to_le_bytes());
            }
            table.extend_from_slice(&blob.id.0);
        }
        let length = cipher.seal_into(&table, &mut self.content)?;
        self.content.extend_from_slice(&(length as u32).to_le_bytes());
        Some(Pack { id: Id::of(&self.content), content: Bytes::from(self.content), blobs: self.blobs })
    }
}

/// Returns the size a pack of these chunks has: they fill it without gaps.
pub(crate) fn pack_size<'a>(blobs: impl IntoIterator<Item = &'a PackedBlob>) -> u64 {
    let bytes = blobs.into_iter().map(|blob| u64::from(blob.length) + if blob.raw > 0 { 41 } else { 37 });
    bytes.sum::<u64>() + OVERHEAD as u64 + 4
}

/// Reads the table of a whole pack; `None` if it is damaged.
pub(crate) fn read_table(cipher: &Cipher, pack: &[u8]) -> Option<Vec<PackedBlob>> {
    let (rest, length) = pack.split_last_chunk::<4>()?;
    let start = rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?;
    let table = cipher.open(&rest[start..])?;
    let mut table = table.as_slice();
    let mut blobs = Vec::new();
    let mut offset = 0u32;
    while let Some((kind, rest)) = table.split_first() {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (raw, rest) = match kind {
            0 | 1 => ([0; 4], rest),
            2 | 3 => rest.split_first_chunk::<4>().map(|(raw, rest)| (*raw, rest))?,
            _ => return None,
        };
        let (id, rest) = rest.split_first_chunk::<32>()?;
        let length = u32::from_le_bytes(*length);
        blobs.push(PackedBlob { id: Id(*id), tree: kind & 1 == 1, offset, length, raw: u32::from_le_bytes(raw) });
        offset = offset.checked_add(length)?;
        table = rest;
    }
    (offset as usize == start).then_some(blobs)
}
