//! Destinations: where backups lie.

use serde::{Deserialize, Serialize};
use specta::Type;

/// A line of the destination list.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DestinationRow {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// "local".
    pub kind: String,
    /// "/mnt/backup".
    pub place: String,
    /// Bytes used by the vault; `None` while unknown or out of reach.
    pub used_bytes: Option<u64>,
    /// Free room.
    pub free_bytes: Option<u64>,
    /// Total room.
    pub total_bytes: Option<u64>,
    /// Backups there.
    pub backups: u64,
    /// Plans that write to it.
    pub plans: u64,
    /// "ok", "offline", "locked" (its key cannot be read), "kit_not_confirmed".
    pub state: String,
    /// Why, in words.
    pub state_text: String,
}

/// A destination as the wizard fills it in.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Type)]
#[serde(default)]
pub struct DestinationDraft {
    /// Name.
    pub name: String,
    /// "local".
    pub kind: String,
    /// The folder, for "local".
    pub path: String,
    /// The vault's password: given to open an existing one, or to choose one; else a strong one is made.
    pub vault_password: Option<String>,
}

/// The result of a destination's test.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DestinationTest {
    /// Whether it can be used.
    pub ok: bool,
    /// The steps.
    pub steps: Vec<crate::TestStep>,
    /// "empty" (a vault will be made), "vault" (there is one: its password is needed), "foreign" (other files are there;
    /// a vault is made beside them only if the user picks an empty folder).
    pub found: String,
}

/// What adding a destination gave.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct DestinationAdded {
    /// The destination.
    pub destination: DestinationRow,
    /// Whether a new vault was made (false: an existing one was opened).
    pub created: bool,
    /// Backups found in it.
    pub backups: u64,
    /// The kit to print; shown once more any time by `recovery_kit`.
    pub kit: RecoveryKit,
    /// Which word of the password (1-based) the wizard asks back.
    pub ask_word: u32,
}

/// Everything needed to restore without Backstay.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct RecoveryKit {
    /// The destination's name.
    pub destination: String,
    /// The repository as restic takes it with `-r`.
    pub repository: String,
    /// The vault's id.
    pub vault_id: String,
    /// The password: words joined by `-` when Backstay made it.
    pub password: String,
    /// The password's words, numbered from 1 on the page.
    pub words: Vec<String>,
    /// When it was made, Unix milliseconds.
    pub created: i64,
    /// The printable page, self-contained HTML.
    pub html: String,
    /// The same as plain text.
    pub text: String,
}
