//! Identifiers. Each is its own type, so that a plan's id cannot be passed where a server's is meant.

use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// Returns the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

macro_rules! random_id {
    ($($name:ident),*) => {$(
        impl $name {
            /// Makes a new random id: 16 lower-case hex digits.
            pub fn random() -> Self {
                Self(format!("{:016x}", rand::rng().random::<u64>()))
            }
        }
    )*};
}

id!(
    /// A server the admin looks after.
    ServerId
);
id!(
    /// A plan: server, items, destinations, layout, retention.
    PlanId
);
id!(
    /// A place where backups lie.
    DestinationId
);
id!(
    /// One execution of anything long.
    RunId
);
id!(
    /// A backup. In a vault it is the restic snapshot id: 64 hex digits.
    BackupId
);
random_id!(ServerId, PlanId, DestinationId, RunId);

impl ServerId {
    /// The server that is always there: the computer Backstay runs on.
    pub const THIS_COMPUTER: &'static str = "this-computer";

    /// Returns the id of "This computer".
    pub fn this_computer() -> Self {
        Self(Self::THIS_COMPUTER.into())
    }
}
