//! The index: which chunk lies where. Kept sorted and flat: 56 bytes a chunk.

use super::id::Id;
use super::pack::{PackedBlob, pack_size};
use super::repo::Repo;
use backstay_core::Result;
use futures::stream::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Index files read at the same time.
const READS: usize = 8;

/// Where a chunk lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location {
    pub pack: Id,
    /// The size of the whole pack.
    pub pack_bytes: u64,
    pub offset: u32,
    /// Its sealed length.
    pub length: u32,
    /// Its length when unpacked; 0 when it is not compressed.
    pub raw: u32,
}

impl Location {
    /// Returns the chunk's plain length.
    pub fn plain_bytes(&self) -> u64 {
        if self.raw > 0 { self.raw.into() } else { u64::from(self.length).saturating_sub(32) }
    }
}

#[derive(Clone, Copy)]
struct Row {
    id: Id,
    tree: bool,
    pack: u32,
    offset: u32,
    length: u32,
    raw: u32,
}

/// A pack as the index tells it.
#[derive(Clone, Copy)]
pub(crate) struct IndexedPack {
    pub id: Id,
    pub size: u64,
}

/// Everything all index files tell.
#[derive(Default)]
pub(crate) struct Index {
    rows: Vec<Row>,
    packs: Vec<IndexedPack>,
    files: HashSet<Id>,
}

/// What the index tells of but nobody can rely on: what a backup needs of it is written again.
#[derive(Default)]
pub(crate) struct Lost {
    /// Packs that are missing, cut or known to be damaged.
    pub packs: HashSet<Id>,
    /// All lists of folders: one of them is damaged, and which others are is not known.
    pub lists: bool,
}

impl Index {
    /// Tells whether it has a chunk where nothing speaks against it.
    pub fn has(&self, id: &Id, tree: bool, lost: &Lost) -> bool {
        !(tree && lost.lists) && self.find(id, tree).any(|place| !lost.packs.contains(&place.pack))
    }
    /// Returns all places where a chunk lies; more than one after two backups wrote it at once, or after a repair.
    pub fn find(&self, id: &Id, tree: bool) -> impl Iterator<Item = Location> {
        let start = self.rows.partition_point(|row| row.id < *id);
        let same = self.rows[start..].iter().take_while(|row| row.id == *id).filter(move |row| row.tree == tree);
        same.map(|row| Location {
            pack: self.packs[row.pack as usize].id,
            pack_bytes: self.packs[row.pack as usize].size,
            offset: row.offset,
            length: row.length,
            raw: row.raw,
        })
    }
    /// Tells whether it holds what this index file tells.
    pub fn has_file(&self, id: &Id) -> bool {
        self.files.contains(id)
    }
    /// Tells whether both were made of the same index files.
    pub fn is_of_the_files_of(&self, other: &Self) -> bool {
        self.files == other.files
    }
    /// Returns the index files it was made of.
    pub fn files(&self) -> impl Iterator<Item = &Id> {
        self.files.iter()
    }
    /// Returns all chunks with the number of their pack in [`Index::packs`], in order: copies of one follow one another.
    pub fn chunks(&self) -> impl Iterator<Item = (PackedBlob, usize)> {
        self.rows.iter().map(|row| {
            let blob = PackedBlob { id: row.id, tree: row.tree, offset: row.offset, length: row.length, raw: row.raw };
            (blob, row.pack as usize)
        })
    }
    /// Returns all packs.
    pub fn packs(&self) -> &[IndexedPack] {
        &self.packs
    }
    /// Returns all chunks of all packs, by pack.
    pub fn by_pack(&self) -> HashMap<Id, Vec<PackedBlob>> {
        let mut packs: HashMap<Id, Vec<PackedBlob>> = self.packs.iter().map(|pack| (pack.id, Vec::new())).collect();
        for row in &self.rows {
            let blob = PackedBlob { id: row.id, tree: row.tree, offset: row.offset, length: row.length, raw: row.raw };
            packs.entry(self.packs[row.pack as usize].id).or_default().push(blob);
        }
        packs
    }

    /// Adds what these index files tell.
    pub fn with(&self, files: impl IntoIterator<Item = (Id, IndexFile)>) -> Self {
        let mut rows = self.rows.clone();
        let mut packs = self.packs.clone();
        let mut known = self.files.clone();
        let mut numbers: HashMap<Id, u32> = packs.iter().zip(0..).map(|(pack, number)| (pack.id, number)).collect();
        for (file, content) in files {
            known.insert(file);
            for pack in content.packs {
                if numbers.contains_key(&pack.id) {
                    continue;
                }
                let number = packs.len() as u32;
                numbers.insert(pack.id, number);
                let blobs: Vec<PackedBlob> = pack.blobs.iter().map(IndexBlob::packed).collect();
                packs.push(IndexedPack { id: pack.id, size: pack_size(&blobs) });
                rows.extend(blobs.iter().map(|blob| Row {
                    id: blob.id,
                    tree: blob.tree,
                    pack: number,
                    offset: blob.offset,
                    length: blob.length,
                    raw: blob.raw,
                }));
            }
        }
        rows.sort_unstable_by_key(|row| (row.id, row.tree, row.pack));
        Self { rows, packs, files: known }
    }
}

impl Repo {
    /// Returns the index as it is now. Files read before are not read again.
    pub async fn index(self: &Arc<Self>) -> Result<Arc<Index>> {
        let mut cached = self.index.lock().await;
        let names: HashSet<Id> = self.ids("index").await?.into_iter().collect();
        if names == cached.files {
            return Ok(cached.clone());
        }
        // Somebody pruned: what was read of files that are gone must go too.
        let base = if cached.files.is_subset(&names) { cached.clone() } else { Arc::default() };
        let fresh: Vec<Id> = names.difference(&base.files).copied().collect();
        let files: Vec<(Id, IndexFile)> = futures::stream::iter(fresh)
            .map(|id| async move { Ok::<_, backstay_core::Error>((id, self.load::<IndexFile>("index", &id).await?)) })
            .buffer_unordered(READS)
            .try_collect()
            .await?;
        let merged = tokio::task::spawn_blocking(move || base.with(files))
            .await
            .map_err(|error| super::repo::internal("Cannot merge the index").source(error))?;
        *cached = Arc::new(merged);
        if let Some(cache) = &self.cache {
            let packs = cached.packs().iter().map(|pack| pack.id).collect();
            cache.forget_old(names, packs);
        }
        Ok(cached.clone())
    }
}

/// An index file.
#[derive(Serialize, Deserialize, Default)]
pub(crate) struct IndexFile {
    pub packs: Vec<IndexPack>,
}

/// A pack in an index file.
#[derive(Serialize, Deserialize)]
pub(crate) struct IndexPack {
    pub id: Id,
    pub blobs: Vec<IndexBlob>,
}

/// A chunk in an index file.
#[derive(Serialize, Deserialize)]
pub(crate) struct IndexBlob {
    id: Id,
    #[serde(rename = "type")]
    kind: BlobKind,
    offset: u32,
    length: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    uncompressed_length: u32,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum BlobKind {
    Data,
    Tree,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl IndexBlob {
    pub fn packed(&self) -> PackedBlob {
        PackedBlob {
            id: self.id,
            tree: self.kind == BlobKind::Tree,
            offset: self.offset,
            length: self.length,
            raw: self.uncompressed_length,
        }
    }
}

impl IndexPack {
    /// Returns the size of the pack.
    pub fn bytes(&self) -> u64 {
        let blobs: Vec<PackedBlob> = self.blobs.iter().map(IndexBlob::packed).collect();
        pack_size(&blobs)
    }
    /// Makes the entry of a stored pack.
    pub fn new(id: Id, blobs: &[PackedBlob]) -> Self {
        let blobs = blobs.iter().map(|blob| IndexBlob {
            id: blob.id,
            kind: if blob.tree { BlobKind::Tree } else { BlobKind::Data },
            offset: blob.offset,
            length: blob.length,
            uncompressed_length: blob.raw,
        });
        Self { id, blobs: blobs.collect() }
    }
}
