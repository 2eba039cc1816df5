//! How the secret store stands.

use std::path::PathBuf;

/// Where secrets rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The OS keyring.
    Keyring,
    /// The sealed file.
    File,
    /// Nowhere: no keyring works and there is no sealed file.
    None,
}

impl Backend {
    /// Returns "keyring", "file" or "none".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
            Self::None => "none",
        }
    }
}

/// Whether secrets can be read now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// They can.
    Ready,
    /// The sealed file needs its passphrase.
    Locked,
    /// The keyring is there, or was in use before, and does not open now: it may at another try.
    KeyringClosed,
    /// There is no keyring: a sealed file has to be made.
    NotSetUp,
}

impl State {
    /// Returns "ready", "locked", "keyring_closed" or "not_set_up".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Locked => "locked",
            Self::KeyringClosed => "keyring_closed",
            Self::NotSetUp => "not_set_up",
        }
    }
}

/// How the secret store stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Where secrets rest.
    pub backend: Backend,
    /// Whether they can be read now.
    pub state: State,
    /// Why the keyring cannot be used, in words.
    pub reason: Option<String>,
    /// The sealed file, there or not.
    pub file: PathBuf,
    /// Secrets of this home were kept in a keyring at some time: a sealed file begins without them.
    pub keyring_used: bool,
}
