//! Plans: what is backed up, from where, to where, and how it lies there.

use crate::ids::{DestinationId, PlanId, ServerId};
use crate::kind::Item;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is backed up, from where, to where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Its name, unique.
    pub name: String,
    /// The server read.
    pub server: ServerId,
    /// What is read.
    pub items: Vec<Item>,
    /// Where it goes. The first is the primary.
    pub destinations: Vec<DestinationId>,
    /// How its backups lie there.
    #[serde(default)]
    pub layout: PlanLayout,
    /// Whether the recovery kit of the key its archives are sealed with was confirmed by typing a word of it back.
    #[serde(default)]
    pub kit_confirmed: bool,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// How a plan's backups lie at its destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PlanLayout {
    /// In the destination's vault: incremental, deduplicated, encrypted.
    #[default]
    Vault,
    /// As one file for each backup.
    Archive(ArchiveSettings),
}

/// How the files of archives are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveSettings {
    /// Format.
    pub format: crate::layout::ArchiveFormat,
    /// How they are sealed.
    pub seal: Seal,
    /// File name without ending: `{plan}_{time:%Y%m%d_%H%M%S}`. Knows `{server}`, `{plan}`, `{type}` (the kinds), `{time:…}`
    /// (strftime, UTC) and `{id}`.
    pub template: String,
}

/// How an archive is sealed. The keys lie in the secret store under the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seal {
    /// Not at all: who has the file can read it.
    None,
    /// By a random key of the plan's own, kept in the secret store and printed in its recovery kit.
    #[default]
    PlanKey,
    /// By a passphrase (Argon2id).
    Passphrase,
    /// By a key the user brought: 64 hex digits.
    OwnKey,
}
