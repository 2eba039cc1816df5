//! Objects that are no packs, read whole. Nothing proves them before they are here, so of each kind no more is read than one
//! can have, whatever the server says or sends.

use super::repo::OBJECT_LIMIT;
use backstay_core::destination::{Destination, Key};
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use tokio::io::AsyncReadExt;

/// A snapshot has a few KiB; restic's name all that was left out as well, which may be a long list.
const SNAPSHOT_LIMIT: u64 = 64 << 20;
/// The config, keys and locks have less than a KiB.
const SMALL_LIMIT: u64 = 1 << 20;

/// Reads a config, key, lock, index or snapshot. `Corrupt` where it is larger than any such object is.
pub(crate) async fn read_object(destination: &dyn Destination, key: &Key) -> Result<Bytes> {
    match read_once(destination, key).await {
        // Of several places the next one takes over when it is asked for anew.
        Err(error) if error.class.may_retry() => read_once(destination, key).await,
        other => other,
    }
}

async fn read_once(destination: &dyn Destination, key: &Key) -> Result<Bytes> {
    let limit = limit_of(key);
    let tried = format!("Cannot read {key} on {}", destination.label());
    let mut content = Vec::new();
    let mut stream = destination.get_stream(key, 0).await?.take(limit + 1);
    stream.read_to_end(&mut content).await.map_err(|error| Error::io(&tried, error))?;
    if content.len() as u64 > limit {
        let text = format!("{tried}: it has more than {} MiB, and no such object is so large", limit >> 20);
        return Err(Error::new(ErrorClass::Corrupt, text)
            .hint("Check the destination; another copy of this file would mend it"));
    }
    Ok(content.into())
}

fn limit_of(key: &Key) -> u64 {
    match key.as_str().split('/').next() {
        // None is larger unpacked.
        Some("index") => OBJECT_LIMIT as u64,
        Some("snapshots") => SNAPSHOT_LIMIT,
        _ => SMALL_LIMIT,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use backstay_core::destination::WriteMode;
    use backstay_lab::MemoryDestination;
    use backstay_lab::memory_destination::Operation;

    #[tokio::test]
    async fn what_broke_off_is_asked_for_once_more() {
        let (place, key) = (MemoryDestination::new(), Key::new("config").unwrap());
        place.put(&key, Bytes::from_static(b"whole"), WriteMode::CreateNew).await.unwrap();
        place.fail_operation(Operation::Get, 1, ErrorClass::Offline);
        assert_eq!(read_object(&place, &key).await.unwrap(), "whole");
        place.fail_operation(Operation::Get, 1, ErrorClass::Refused);
        assert_eq!(read_object(&place, &key).await.unwrap_err().class, ErrorClass::Refused);
    }
}
