//! The legs: which live, and what became of the others.

use backstay_core::destination::Destination;
use backstay_core::run::StoredError;
use backstay_core::{Error, ErrorClass};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One of the destinations a mirror joins.
#[derive(Clone)]
pub struct Leg {
    /// The destination's name, as outcomes tell it.
    pub name: String,
    /// The destination, with its own wrappers.
    pub destination: Arc<dyn Destination>,
    /// Whether it has all that was written before: only such a leg is read from and gets what makes a backup.
    pub required_ready: bool,
}

/// How a leg did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegOutcome {
    /// The destination's name.
    pub name: String,
    /// Whether it had all that was written before.
    pub ready: bool,
    /// Content bytes it took, whole objects and parts.
    pub bytes: u64,
    /// Why it was given up.
    pub error: Option<StoredError>,
}

/// What becomes of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// So many more content bytes were taken by its store.
    Stored(u64),
    /// It was given up; what it lacks comes with a sync.
    Failed(StoredError),
}

/// Told the name of a leg and what became of it.
pub type OnLeg = Arc<dyn Fn(&str, LegEvent) + Send + Sync>;

/// A leg and how it stands.
pub(super) struct Track {
    pub(super) name: String,
    pub(super) destination: Arc<dyn Destination>,
    pub(super) ready: bool,
    bytes: AtomicU64,
    failed: Mutex<Option<StoredError>>,
}

impl Track {
    fn failed(&self) -> MutexGuard<'_, Option<StoredError>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn lives(&self) -> bool {
        self.failed().is_none()
    }
}

/// All legs.
pub(super) struct Legs {
    tracks: Vec<Arc<Track>>,
    on_leg: Option<OnLeg>,
}

impl Legs {
    pub(super) fn new(legs: Vec<Leg>, on_leg: Option<OnLeg>) -> Self {
        let track = |leg: Leg| {
            Arc::new(Track {
                name: leg.name,
                destination: leg.destination,
                ready: leg.required_ready,
                bytes: AtomicU64::new(0),
                failed: Mutex::new(None),
            })
        };
        Self { tracks: legs.into_iter().map(track).collect(), on_leg }
    }

    pub(super) fn live(&self) -> Vec<Arc<Track>> {
        self.tracks.iter().filter(|leg| leg.lives()).cloned().collect()
    }

    /// Tells whether another leg lives that can be read from.
    pub(super) fn others_ready(&self, leg: &Arc<Track>) -> bool {
        self.tracks.iter().any(|other| other.lives() && other.ready && !Arc::ptr_eq(other, leg))
    }

    /// Marks a leg. Its first reason is the one that is kept.
    pub(super) fn fail(&self, leg: &Arc<Track>, error: &Error) {
        {
            let mut failed = leg.failed();
            if failed.is_some() {
                return;
            }
            *failed = Some(error.into());
        }
        if let Some(on_leg) = &self.on_leg {
            on_leg(&leg.name, LegEvent::Failed(error.into()));
        }
    }

    pub(super) fn stored(&self, leg: &Arc<Track>, bytes: u64) {
        leg.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(on_leg) = &self.on_leg {
            on_leg(&leg.name, LegEvent::Stored(bytes));
        }
    }

    pub(super) fn outcomes(&self) -> Vec<LegOutcome> {
        let outcome = |leg: &Arc<Track>| LegOutcome {
            name: leg.name.clone(),
            ready: leg.ready,
            bytes: leg.bytes.load(Ordering::Relaxed),
            error: leg.failed().clone(),
        };
        self.tracks.iter().map(outcome).collect()
    }

    /// The error when no leg is left: the first leg's reason, and all of them as detail.
    pub(super) fn none_left(&self, label: &str) -> Error {
        let failed: Vec<_> =
            self.tracks.iter().filter_map(|leg| leg.failed().clone().map(|error| (leg.name.clone(), error))).collect();
        let Some((_, first)) = failed.first() else {
            return Error::new(ErrorClass::Missing, format!("No copy of {label} has everything"))
                .hint("Run Sync for one of its destinations first");
        };
        if failed.len() == 1 {
            let error = Error::new(first.class, first.message.clone()).detail(first.detail.clone().unwrap_or_default());
            return match &first.hint {
                Some(hint) => error.hint(hint.clone()),
                None => error,
            };
        }
        let reasons: Vec<_> = failed.iter().map(|(name, error)| format!("{name}: {}", error.message)).collect();
        let error = Error::new(first.class, format!("All {} destinations of {label} failed", failed.len()));
        let error = error.detail(reasons.join("\n"));
        match &first.hint {
            Some(hint) => error.hint(hint.clone()),
            None => error,
        }
    }
}
