//! The audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One entry of the audit log. `hash` is SHA-256 over the hash before and this entry's fields, so that a changed or
/// missing row shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Number, counting from 1 without gaps.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: the user of this computer.
    pub who: String,
    /// What: "server.add", "restore.start", …
    pub action: String,
    /// On what, in words.
    pub subject: String,
    /// How it ended: "ok" or an error's class.
    pub outcome: String,
    /// Hash of the entry before; 64 zeros for the first.
    pub previous_hash: String,
    /// Hash of this entry.
    pub hash: String,
}

/// What an action writes into the audit log.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// Who.
    pub who: String,
    /// What.
    pub action: String,
    /// On what.
    pub subject: String,
    /// How it ended.
    pub outcome: String,
}
