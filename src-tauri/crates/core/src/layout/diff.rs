//! The comparison of two backups.

use crate::path::RawPath;
use serde::{Deserialize, Serialize};

/// How one path differs between two backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiffKind {
    /// Only in the newer.
    Added,
    /// Only in the older.
    Removed,
    /// Content differs.
    Changed,
    /// Only metadata differs.
    Metadata,
}

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct DiffLine {
    /// How it differs.
    pub kind: DiffKind,
    /// The path.
    pub path: RawPath,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Size in the older, bytes.
    pub old_bytes: u64,
    /// Size in the newer, bytes.
    pub new_bytes: u64,
}

/// The comparison of two backups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackupDiff {
    /// Lines in path order, `Metadata` of folders left out.
    pub lines: Vec<DiffLine>,
}
