//! Further names of hard-linked files: each has the content of its first name.

use super::{Index, IndexBuilder, Kind, Row};
use backstay_core::path::RawPath;
use std::collections::{HashMap, HashSet};

impl Row {
    /// Returns the first name of the file this is a further name of.
    pub(super) fn same(&self) -> Option<&RawPath> {
        let more = self.more.as_ref().filter(|_| self.kind == Kind::File)?;
        more.place.same.as_ref()
    }
}

impl IndexBuilder {
    /// Gives further names the content their first ones had when they were added: what came under a first name later is
    /// another file's. One whose first name was not there has none; that spoils no other entry.
    pub(super) fn share_content(&mut self) {
        for (at, first) in self.first_names() {
            // A first name that is a further one itself came before, and has its content by now.
            let first = first.map(|first| &self.rows[first]).filter(|first| first.kind == Kind::File);
            let content = first.map(|first| (first.size, first.sha256, first.pieces(), first.holes()));
            let row = &mut self.rows[at];
            let (size, sha256, pieces, holes) = content.unwrap_or((row.size, [0; 32], Vec::new(), Vec::new()));
            (row.size, row.sha256) = (size, sha256);
            if let Some(more) = &mut row.more {
                (more.place.pieces, more.place.holes) = (pieces, holes);
            }
        }
    }

    /// Returns the rows of further names, each with the row its first name had then.
    fn first_names(&self) -> Vec<(usize, Option<usize>)> {
        let firsts: HashSet<&[u8]> = self.rows.iter().filter_map(Row::same).map(RawPath::as_bytes).collect();
        let mut found = Vec::new();
        if firsts.is_empty() {
            return found;
        }
        let mut latest: HashMap<&[u8], usize> = HashMap::with_capacity(firsts.len());
        for (at, row) in self.rows.iter().enumerate() {
            if let Some(same) = row.same() {
                found.push((at, latest.get(same.as_bytes()).copied()));
            }
            if firsts.contains(&*row.path) {
                latest.insert(&row.path, at);
            }
        }
        found
    }
}

impl Index {
    /// Makes a further name whose first is gone from the list, or has other content there, a file of its own.
    pub(super) fn settle_further_names(&mut self) {
        for at in 0..self.rows.len() {
            let Some(same) = self.rows[at].same() else { continue };
            let row = &self.rows[at];
            let first = self.find(same).map(|first| &self.rows[first]).filter(|first| first.kind == Kind::File);
            let shares = first.is_some_and(|first| first.size == row.size && first.pieces() == row.pieces());
            if let Some(more) = self.rows[at].more.as_mut().filter(|_| !shares) {
                more.place.same = None;
            }
        }
    }
}
