//! Values between Rust and columns.

use crate::errors::{Fault, Query};
use backstay_core::{Error, ErrorClass};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A moment as nanoseconds since the Unix epoch. Moments beyond the years 1677 to 2262 are moved to the edge: no clock
/// tells them, but a forged backup may.
pub(crate) fn nanos(time: DateTime<Utc>) -> i64 {
    time.timestamp_nanos_opt().unwrap_or(if time.timestamp() < 0 { i64::MIN } else { i64::MAX })
}

/// The moment of a column.
pub(crate) fn time(nanos: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(nanos)
}

/// A count as a column. SQLite has no unsigned numbers.
pub(crate) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The count of a column.
pub(crate) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A structure as JSON.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Query<String> {
    serde_json::to_string(value)
        .map_err(|error| Fault::Ours(Error::new(ErrorClass::Internal, "Cannot write a row as JSON").source(error)))
}

/// The structure of a JSON column. `what` names the row: "server 3f…".
pub(crate) fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Query<T> {
    serde_json::from_str(text).map_err(|error| {
        let message = format!("Cannot read {what} in the local database: the row is damaged");
        Fault::Ours(Error::new(ErrorClass::Corrupt, message).hint("Remove it and add it again").source(error))
    })
}

/// A unit enum as its word, as serde writes it.
pub(crate) fn to_word<T: Serialize>(value: &T) -> Query<String> {
    Ok(to_json(value)?.trim_matches('"').to_owned())
}

/// The enum of a word.
pub(crate) fn from_word<T: DeserializeOwned>(what: &str, word: &str) -> Query<T> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|error| {
        let message = format!("Cannot read {what} in the local database: \"{word}\" is not known");
        Fault::Ours(Error::new(ErrorClass::Corrupt, message).source(error))
    })
}

/// A LIKE pattern that finds `text` anywhere; use with ESCAPE '\'.
pub(crate) fn holds(text: &str) -> String {
    format!("%{}%", escape_like(text))
}

/// A LIKE pattern that finds `text` at the start; use with ESCAPE '\'.
pub(crate) fn begins(text: &str) -> String {
    format!("{}%", escape_like(text))
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// The error of a name another row has.
pub(crate) fn name_taken(sort: &str, name: &str) -> Fault {
    let message = format!("Cannot save {sort} \"{name}\": there is one of that name already");
    Fault::Ours(Error::new(ErrorClass::Exists, message).hint("Pick another name"))
}

/// The error of an absent row.
pub(crate) fn missing(sort: &str, id: &str) -> Fault {
    Fault::Ours(Error::new(ErrorClass::Missing, format!("There is no {sort} {id}")))
}
