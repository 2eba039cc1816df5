//! The entries of an archive in memory: in tree order, about 200 bytes each.

mod further;

use super::lines::Place;
use backstay_core::entry::{Entry, EntryType, TimeNs};
use backstay_core::layout::Selection;
use backstay_core::path::RawPath;
use chrono::{DateTime, Utc};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// One entry.
struct Row {
    path: Box<[u8]>,
    mtime: (i64, u32),
    ctime: (i64, u32),
    size: u64,
    inode: u64,
    device: u64,
    links: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    owner: u32,
    kind: Kind,
    /// Where its content begins in the uncompressed stream, where it lies in one piece.
    at: u64,
    sha256: [u8; 32],
    /// What few entries have.
    more: Option<Box<More>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Dir,
    Other,
}

struct More {
    entry: Entry,
    place: Place,
}

impl Row {
    fn pieces(&self) -> Vec<(u64, u64)> {
        match &self.more {
            Some(more) => more.place.pieces.clone(),
            None if self.size > 0 => vec![(self.at, self.size)],
            None => Vec::new(),
        }
    }

    fn holes(&self) -> Vec<(u64, u64)> {
        self.more.as_ref().map(|more| more.place.holes.clone()).unwrap_or_default()
    }
}

/// All entries of an archive, in tree order: a folder right before what is in it.
pub(crate) struct Index {
    rows: Vec<Row>,
    owners: Vec<(Option<String>, Option<String>)>,
}

/// Compares paths part by part: as bytes, but a slash comes before all others.
fn tree_order(a: &[u8], b: &[u8]) -> Ordering {
    let common = a.iter().zip(b).position(|(a, b)| a != b);
    match common {
        None => a.len().cmp(&b.len()),
        Some(at) if a[at] == b'/' => Ordering::Less,
        Some(at) if b[at] == b'/' => Ordering::Greater,
        Some(at) => a[at].cmp(&b[at]),
    }
}

/// Gathers entries.
pub(crate) struct IndexBuilder {
    rows: Vec<Row>,
    owners: Vec<(Option<String>, Option<String>)>,
    numbers: HashMap<(Option<String>, Option<String>), u32>,
    plain_time: (i64, u32),
}

impl IndexBuilder {
    pub fn new(started: DateTime<Utc>) -> Self {
        let plain_time = (started.timestamp(), started.timestamp_subsec_nanos());
        Self { rows: Vec::new(), owners: Vec::new(), numbers: HashMap::new(), plain_time }
    }

    pub fn add(&mut self, entry: Entry, place: Place) {
        let plain = entry.xattrs.is_empty()
            && place.holes.is_empty()
            && place.same.is_none()
            && place.pieces.len() <= 1
            && matches!(entry.kind, EntryType::File | EntryType::Dir);
        let owner = match self.numbers.get(&(entry.user.clone(), entry.group.clone())) {
            Some(number) => *number,
            None => {
                let number = self.owners.len() as u32;
                self.owners.push((entry.user.clone(), entry.group.clone()));
                self.numbers.insert((entry.user.clone(), entry.group.clone()), number);
                number
            }
        };
        self.rows.push(Row {
            path: entry.path.as_bytes().into(),
            mtime: entry.mtime.to_parts(),
            ctime: entry.ctime.to_parts(),
            size: entry.size_bytes,
            inode: entry.inode,
            device: entry.device,
            links: u32::try_from(entry.links).unwrap_or(u32::MAX),
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            owner,
            kind: match entry.kind {
                EntryType::File => Kind::File,
                EntryType::Dir => Kind::Dir,
                _ => Kind::Other,
            },
            at: place.pieces.first().map_or(0, |piece| piece.0),
            sha256: place.sha256.unwrap_or_default(),
            more: (!plain).then(|| Box::new(More { entry, place })),
        });
    }

    /// Sorts them. Of two of one path the later stays; folders nobody added get plain metadata.
    pub fn finish(mut self) -> Index {
        // In the order they were added: a first name may be replaced later.
        self.share_content();
        self.sort();
        self.add_missing_folders();
        let mut index = Index { rows: self.rows, owners: self.owners };
        index.settle_further_names();
        index
    }

    fn sort(&mut self) {
        // Stable, so that of equal paths the later one comes later.
        self.rows.sort_by(|a, b| tree_order(&a.path, &b.path));
        self.rows.reverse();
        self.rows.dedup_by(|earlier, later| earlier.path == later.path);
        self.rows.reverse();
    }

    fn add_missing_folders(&mut self) {
        let mut missing: Vec<RawPath> = Vec::new();
        let mut known: HashSet<&[u8]> = HashSet::new();
        for row in &self.rows {
            if row.kind == Kind::Dir {
                known.insert(&row.path);
            }
            let mut above = parent(&row.path);
            while let Some(path) = above.filter(|path| known.insert(path)) {
                missing.extend(RawPath::new(path));
                above = parent(path);
            }
        }
        if missing.is_empty() {
            return;
        }
        let time = TimeNs::from_parts(self.plain_time.0, self.plain_time.1);
        for path in missing {
            // Something else of that name gives way: what is below it needs a folder.
            self.add(Entry::plain(path, EntryType::Dir, 0o755, time), Place::default());
        }
        self.sort();
    }
}

fn parent(path: &[u8]) -> Option<&[u8]> {
    path.iter().rposition(|byte| *byte == b'/').map(|at| &path[..at])
}

impl Index {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Finds an entry by its path.
    pub fn find(&self, path: &RawPath) -> Option<usize> {
        self.rows.binary_search_by(|row| tree_order(&row.path, path.as_bytes())).ok()
    }

    /// Returns an entry's path.
    pub fn path(&self, row: usize) -> &[u8] {
        &self.rows[row].path
    }

    /// Returns an entry.
    pub fn entry(&self, at: usize) -> Entry {
        let row = &self.rows[at];
        if let Some(more) = &row.more {
            return Entry { size_bytes: row.size, ..more.entry.clone() };
        }
        let (user, group) = self.owners.get(row.owner as usize).cloned().unwrap_or_default();
        Entry {
            // It was a path when it was added.
            path: RawPath::new(&row.path).unwrap_or_default(),
            kind: if row.kind == Kind::Dir { EntryType::Dir } else { EntryType::File },
            size_bytes: row.size,
            mode: row.mode,
            uid: row.uid,
            gid: row.gid,
            user,
            group,
            mtime: TimeNs::from_parts(row.mtime.0, row.mtime.1),
            ctime: TimeNs::from_parts(row.ctime.0, row.ctime.1),
            inode: row.inode,
            device: row.device,
            links: row.links.into(),
            xattrs: Vec::new(),
        }
    }

    /// Tells whether an entry is a regular file.
    pub fn is_file(&self, row: usize) -> bool {
        self.rows[row].kind == Kind::File
    }

    /// Tells whether an entry is a folder.
    pub fn is_dir(&self, row: usize) -> bool {
        self.rows[row].kind == Kind::Dir
    }

    /// Returns a file's size.
    pub fn size(&self, row: usize) -> u64 {
        self.rows[row].size
    }

    /// Tells whether a file is a further name, whose content its first name has as well.
    pub fn is_further_name(&self, row: usize) -> bool {
        self.rows[row].same().is_some()
    }

    /// Tells whether a file's content is not in the archive: the file it is a further name of is missing.
    pub fn is_lost(&self, row: usize) -> bool {
        let row = &self.rows[row];
        row.kind == Kind::File && row.size > 0 && row.pieces().is_empty()
    }

    /// Returns where a file's content lies in the uncompressed stream.
    pub fn pieces(&self, row: usize) -> Vec<(u64, u64)> {
        self.rows[row].pieces()
    }

    /// Returns a file's runs of zeros.
    pub fn holes(&self, row: usize) -> Vec<(u64, u64)> {
        self.rows[row].holes()
    }

    /// Returns the hash of a file's content.
    pub fn sha256(&self, row: usize) -> [u8; 32] {
        self.rows[row].sha256
    }

    /// Returns the rows in a folder, at any depth; `None` if the path is not there or no folder.
    pub fn below(&self, dir: &RawPath) -> Option<std::ops::Range<usize>> {
        if dir.is_root() {
            return Some(0..self.rows.len());
        }
        let at = self.find(dir).filter(|at| self.is_dir(*at))?;
        Some(at + 1..self.end_of(at))
    }

    /// Returns the row after an entry and all below it.
    pub fn end_of(&self, at: usize) -> usize {
        let path = &self.rows[at].path;
        let below = |row: &Row| row.path.starts_with(path) && row.path.get(path.len()).is_none_or(|c| *c == b'/');
        at + self.rows[at..].partition_point(below)
    }

    /// Returns the rows a selection wants, in tree order.
    pub fn select(&self, selection: &Selection) -> Vec<usize> {
        let include: Vec<RawPath> = selection.include.iter().map(RawPath::to_relative).collect();
        let exclude: Vec<RawPath> = selection.exclude.iter().map(RawPath::to_relative).collect();
        let only: Option<HashSet<RawPath>> =
            selection.only.as_ref().map(|only| only.iter().map(RawPath::to_relative).collect());
        let in_any = |path: &[u8], bases: &[RawPath]| {
            bases.iter().any(|base| {
                let base = base.as_bytes();
                base.is_empty() || path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
            })
        };
        let wants = |row: &Row| {
            (include.is_empty() || in_any(&row.path, &include))
                && !in_any(&row.path, &exclude)
                && only.as_ref().is_none_or(|only| RawPath::new(&row.path).is_ok_and(|path| only.contains(&path)))
        };
        (0..self.rows.len()).filter(|at| wants(&self.rows[*at])).collect()
    }

    /// Tells whether the content or the type of two entries differs.
    pub fn differs(&self, row: usize, other: &Self, other_row: usize) -> bool {
        let (a, b) = (&self.rows[row], &other.rows[other_row]);
        a.kind != b.kind
            || (a.kind == Kind::File && (a.size != b.size || a.sha256 != b.sha256))
            || (a.kind == Kind::Other && self.entry(row).kind != other.entry(other_row).kind)
    }
}

/// Compares the paths of two archives' rows.
pub(crate) fn compare_paths(a: &[u8], b: &[u8]) -> Ordering {
    tree_order(a, b)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn index(paths: &[(&str, EntryType)]) -> Index {
        let mut builder = IndexBuilder::new(DateTime::default());
        for (number, (path, kind)) in paths.iter().enumerate() {
            let mut entry = Entry::plain(RawPath::new(path).unwrap(), kind.clone(), 0o644, TimeNs(0));
            entry.inode = number as u64;
            builder.add(entry, Place::default());
        }
        builder.finish()
    }

    fn paths(index: &Index, rows: impl IntoIterator<Item = usize>) -> Vec<String> {
        rows.into_iter().map(|row| String::from_utf8_lossy(index.path(row)).into_owned()).collect()
    }

    #[test]
    fn a_folder_stands_right_before_what_is_in_it() {
        use EntryType::{Dir, File};
        let index = index(&[("a-b", File), ("a/x", File), ("a", Dir), ("b/c/d", File), ("a/x", File), ("a!", File)]);
        assert_eq!(paths(&index, 0..index.len()), ["a", "a/x", "a!", "a-b", "b", "b/c", "b/c/d"]);
        let at = index.find(&RawPath::new("a/x").unwrap()).unwrap();
        assert_eq!(index.entry(at).inode, 4, "of two the later stays");
        assert_eq!(paths(&index, index.below(&RawPath::new("a").unwrap()).unwrap()), ["a/x"]);
        assert_eq!(paths(&index, index.below(&RawPath::new("b").unwrap()).unwrap()), ["b/c", "b/c/d"]);
        assert!(index.below(&RawPath::new("a-b").unwrap()).is_none());
    }

    #[test]
    fn selections_pick_paths_and_what_is_below() {
        use EntryType::File;
        let index = index(&[("a/x", File), ("a/y/z", File), ("ab", File)]);
        let path = |text: &str| RawPath::new(text).unwrap();
        let select = |include: &[&str], exclude: &[&str], only: Option<&[&str]>| {
            let all = |texts: &[&str]| texts.iter().map(|text| path(text)).collect::<Vec<_>>();
            let selection = Selection {
                include: all(include),
                exclude: all(exclude),
                only: only.map(|only| all(only).into_iter().collect()),
            };
            paths(&index, index.select(&selection))
        };
        assert_eq!(select(&[], &[], None), ["a", "a/x", "a/y", "a/y/z", "ab"]);
        assert_eq!(select(&["/a"], &["a/y"], None), ["a", "a/x"]);
        assert_eq!(select(&[], &[], Some(&["/a/x", "nowhere"])), ["a/x"]);
    }
}
