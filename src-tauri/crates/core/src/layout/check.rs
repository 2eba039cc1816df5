//! What a check of a destination found, and what mending it did.

use crate::ids::BackupId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a check of the whole destination found.
#[derive(Clone, Debug, Default)]
pub struct LayoutCheck {
    /// Objects looked at.
    pub objects: u64,
    /// Bytes read back.
    pub bytes: u64,
    /// Archives that were not read back, as they lie frozen.
    pub not_read: u64,
    /// Faults in words: subject and reason.
    pub faults: Vec<(String, String)>,
    /// The keys of objects that are not what they should be, as far as they are known: what [`super::Layout::mend`] is
    /// told.
    pub damaged: Vec<String>,
}

/// What at a destination may be damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspects {
    /// Objects, by their keys.
    pub objects: BTreeSet<String>,
    /// Backups: everything they are made of.
    pub backups: BTreeSet<BackupId>,
}

impl Suspects {
    /// Tells whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.backups.is_empty()
    }
    /// Adds others.
    pub fn extend(&mut self, more: Self) {
        self.objects.extend(more.objects);
        self.backups.extend(more.backups);
    }
}

/// What mending did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Objects written anew.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is damaged and could not be had whole from here.
    pub left: Suspects,
}
