//! Events from the engine to the window, and to `--progress json`.

use crate::{ProgressView, RunRow};
use serde::{Deserialize, Serialize};
use specta::Type;

/// Something changed. At most 10 progress events a second and run; the last value is always sent.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
#[serde(tag = "type", rename_all = "snake_case")]
// A run's row is big, but events are few and never stored in numbers.
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// A run moved on.
    Progress {
        /// How it stands.
        progress: ProgressView,
    },
    /// A run began, ended, or its row changed otherwise.
    Run {
        /// Its row.
        run: RunRow,
    },
    /// A step of a destination's test ended.
    TestStep {
        /// The step.
        step: crate::TestStepEvent,
    },
    /// Servers, plans, destinations, backups or settings changed: read them anew.
    Changed {
        /// "servers", "plans", "destinations", "backups", "settings" or "secrets".
        what: String,
    },
}
