//! How fast bytes may go.

use serde::{Deserialize, Serialize};

/// How fast bytes may go, by the hours of a week.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bandwidth {
    /// Bytes a second when no rule holds; `None` is no limit.
    pub bytes_per_second: Option<u64>,
    /// Rules; the first that holds counts.
    pub rules: Vec<BandwidthRule>,
}

/// A limit for some hours of some days, in this computer's local time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BandwidthRule {
    /// Days it holds on, Monday is 0.
    pub days: Vec<u8>,
    /// It begins at this minute of the day.
    pub from_minute: u16,
    /// It ends before this minute of the day; not after `from_minute` means it goes on into the next day.
    pub to_minute: u16,
    /// Bytes a second; `None` is no limit, 0 holds everything until the rule is over.
    pub bytes_per_second: Option<u64>,
}
