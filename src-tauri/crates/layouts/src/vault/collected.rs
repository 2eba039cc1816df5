//! What was added so far: entries without content, packed tightly until the folders' lists are written.
//!
//! Some 150 bytes a file and 32 a chunk: a million files need about 200 MB together with the rest of a backup.

use super::id::Id;
use super::node::{TreeJson, to_json};
use super::pool::Worker;
use backstay_core::Result;
use backstay_core::entry::{Entry, EntryType, TimeNs, Xattr};
use backstay_core::path::RawPath;
use std::collections::HashMap;

/// Where a file's chunks are among all chunks' slots.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Slots {
    pub start: usize,
    pub count: u32,
}

/// An entry without path and content.
struct Compact {
    mtime: TimeNs,
    ctime: TimeNs,
    size: u64,
    inode: u64,
    device: u64,
    slots: Slots,
    links: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    owner: u32,
    is_file: bool,
    /// What few entries have: another type, extended attributes.
    more: Option<Box<(EntryType, Vec<Xattr>)>>,
}

struct Folder {
    name: Box<[u8]>,
    parent: usize,
    own: Option<Compact>,
    others: Vec<(Box<[u8]>, Compact)>,
}

/// A folder whose list is written: its name, its entry, its list.
type Below = (Box<[u8]>, Entry, Id);

/// All entries of a backup under way.
pub(crate) struct Collected {
    /// A folder comes after the one it is in.
    folders: Vec<Folder>,
    numbers: HashMap<RawPath, usize>,
    owners: Vec<(Option<String>, Option<String>)>,
    owner_numbers: HashMap<(Option<String>, Option<String>), u32>,
}

/// What the folders' lists hold in all.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    pub files: u64,
    pub bytes: u64,
    pub folders: u64,
}

impl Collected {
    /// Makes an empty root.
    pub fn new() -> Self {
        let root = Folder { name: Box::default(), parent: 0, own: None, others: Vec::new() };
        let numbers = HashMap::from([(RawPath::root(), 0)]);
        Self { folders: vec![root], numbers, owners: Vec::new(), owner_numbers: HashMap::new() }
    }

    /// Adds an entry; one of the same path added before is replaced.
    pub fn add(&mut self, entry: Entry, slots: Slots) {
        let path = entry.path.clone();
        let Some(name) = path.name() else { return };
        if entry.is_dir() {
            let number = self.folder(&path);
            self.folders[number].own = Some(self.compact(entry, slots));
            return;
        }
        let number = self.folder(&path.parent().unwrap_or_default());
        let compact = self.compact(entry, slots);
        self.folders[number].others.push((name.into(), compact));
    }

    /// Finds the content and size of a file added before.
    pub fn find(&self, path: &RawPath) -> Option<(Slots, u64)> {
        let folder = &self.folders[*self.numbers.get(&path.parent()?)?];
        let name = path.name()?;
        let found = folder.others.iter().rev().find(|(known, _)| &**known == name)?;
        found.1.is_file.then_some((found.1.slots, found.1.size))
    }

    /// Returns all folders' paths.
    pub fn folders(&self) -> impl Iterator<Item = &RawPath> {
        self.numbers.keys().filter(|path| !path.is_root())
    }

    fn folder(&mut self, path: &RawPath) -> usize {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        // Paths may be deep: no recursion.
        let mut missing = vec![path.clone()];
        let mut parent = 0;
        while let Some(above) = missing.last().and_then(RawPath::parent) {
            if let Some(number) = self.numbers.get(&above) {
                parent = *number;
                break;
            }
            missing.push(above);
        }
        while let Some(path) = missing.pop() {
            let name = path.name().unwrap_or_default().into();
            self.folders.push(Folder { name, parent, own: None, others: Vec::new() });
            parent = self.folders.len() - 1;
            self.numbers.insert(path, parent);
        }
        parent
    }

    fn compact(&mut self, entry: Entry, slots: Slots) -> Compact {
        let owner = (entry.user, entry.group);
        let owner = match self.owner_numbers.get(&owner) {
            Some(number) => *number,
            None => {
                let number = self.owners.len() as u32;
                self.owners.push(owner.clone());
                self.owner_numbers.insert(owner, number);
                number
            }
        };
        let is_file = entry.kind == EntryType::File;
        let plain = entry.xattrs.is_empty() && matches!(entry.kind, EntryType::File | EntryType::Dir);
        Compact {
            mtime: entry.mtime,
            ctime: entry.ctime,
            size: entry.size_bytes,
            inode: entry.inode,
            device: entry.device,
            slots,
            links: u32::try_from(entry.links).unwrap_or(u32::MAX),
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            owner,
            is_file,
            more: (!plain).then(|| Box::new((entry.kind, entry.xattrs))),
        }
    }

    fn entry(&self, compact: &Compact, kind: EntryType) -> Entry {
        let (user, group) = self.owners.get(compact.owner as usize).cloned().unwrap_or_default();
        let more = compact.more.as_deref().cloned();
        let (kind, xattrs) = more.unwrap_or((kind, Vec::new()));
        Entry {
            path: RawPath::root(),
            kind,
            size_bytes: compact.size,
            mode: compact.mode,
            uid: compact.uid,
            gid: compact.gid,
            user,
            group,
            mtime: compact.mtime,
            ctime: compact.ctime,
            inode: compact.inode,
            device: compact.device,
            links: compact.links.into(),
            xattrs,
        }
    }

    /// Writes all folders' lists, the lowest first; returns the root's. Folders never added get plain metadata.
    ///
    /// Blocks; `content` tells a file's chunks.
    pub fn write(
        mut self,
        worker: &mut Worker,
        content: impl Fn(Slots) -> Vec<Id>,
        plain_time: TimeNs,
    ) -> Result<(Id, Totals)> {
        let mut totals = Totals { folders: self.folders.len() as u64 - 1, ..Totals::default() };
        let mut below: Vec<Vec<Below>> = (0..self.folders.len()).map(|_| Vec::new()).collect();
        let mut json = Vec::new();
        for number in (0..self.folders.len()).rev() {
            let mut others = std::mem::take(&mut self.folders[number].others);
            // Of two of one name the one added last stays.
            others.reverse();
            others.sort_by(|a, b| a.0.cmp(&b.0));
            others.dedup_by(|later, first| later.0 == first.0);
            let mut folders = std::mem::take(&mut below[number]);
            folders.sort_by(|a, b| a.0.cmp(&b.0));
            others.retain(|(name, _)| folders.binary_search_by(|folder| folder.0.cmp(name)).is_err());
            let entries: Vec<Entry> = others.iter().map(|(_, compact)| self.entry(compact, EntryType::File)).collect();
            let files = others.iter().zip(&entries).map(|((name, compact), entry)| {
                if compact.is_file {
                    totals.files += 1;
                    totals.bytes += compact.size;
                }
                to_json(entry, name, compact.is_file.then(|| content(compact.slots)), None)
            });
            let mut nodes: Vec<_> = files.collect();
            nodes.extend(folders.iter().map(|(name, entry, tree)| to_json(entry, name, None, Some(*tree))));
            // Sorted by the raw names, as restic sorts before it quotes.
            let mut order: Vec<(&[u8], usize)> = others
                .iter()
                .map(|(name, _)| &**name)
                .chain(folders.iter().map(|(name, ..)| &**name))
                .zip(0..)
                .collect();
            order.sort_unstable();
            let mut nodes: Vec<_> = nodes.into_iter().map(Some).collect();
            let nodes = order.iter().filter_map(|(_, at)| nodes[*at].take()).collect();
            json.clear();
            serde_json::to_writer(&mut json, &TreeJson { nodes })
                .map_err(|error| super::repo::internal("Cannot write a folder's list").source(error))?;
            json.push(b'\n');
            let tree = worker.store(&json, true)?;
            let folder = &mut self.folders[number];
            if number == 0 {
                return Ok((tree, totals));
            }
            let (name, parent, own) = (std::mem::take(&mut folder.name), folder.parent, folder.own.take());
            let entry = match own {
                Some(own) => self.entry(&own, EntryType::Dir),
                None => Entry::plain(RawPath::root(), EntryType::Dir, 0o755, plain_time),
            };
            below[parent].push((name, entry, tree));
        }
        Err(super::repo::internal("A backup has no root"))
    }
}
