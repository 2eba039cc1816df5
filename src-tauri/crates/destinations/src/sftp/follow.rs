//! The hash of an upload, which the server computes while the parts arrive: hashed afterwards, all of a large object would
//! have to be read once more while nothing else happens.

use backstay_core::destination::StoredPart;
use backstay_core::remote::{GrowingHash, RemoteFiles};
use backstay_core::{RawPath, Result};
use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;
use tokio::sync::Mutex;

/// A smaller object is hashed in no time.
const WORTH_FOLLOWING: u64 = 32 << 20;
/// Hashes of finished uploads nobody has asked for yet; more are forgotten.
const WAITING: usize = 8;

/// Follows one upload. Whatever goes wrong with it ends the following and nothing else: the object is then hashed, or read
/// back, once it is there.
#[derive(Default)]
pub(super) struct Follow(Mutex<State>);

#[derive(Default)]
struct State {
    hash: Hash,
    /// How many parts lie there without a gap, and their bytes.
    whole: u32,
    whole_bytes: u64,
    /// Parts beyond the first gap, with their bytes.
    beyond: BTreeMap<u32, u64>,
}

#[derive(Default)]
enum Hash {
    /// Not begun: there is too little yet.
    #[default]
    Later,
    Going(Box<dyn GrowingHash>),
    Off,
}

/// A hash that is ready once the rest is read.
pub(super) struct Followed {
    hash: Box<dyn GrowingHash>,
    bytes: u64,
}

impl Followed {
    /// Waits for the hash; `None` where the server's command failed.
    pub(super) async fn finish(self) -> Result<Option<String>> {
        self.hash.finish(self.bytes).await
    }
}

impl Follow {
    /// Takes note of parts that lie there from before.
    pub(super) async fn found(&self, parts: &[StoredPart]) {
        let mut state = self.0.lock().await;
        if matches!(state.hash, Hash::Later) {
            (state.whole, state.whole_bytes) = (0, 0);
            state.beyond = parts.iter().map(|part| (part.number, part.size_bytes)).collect();
            state.close_gaps();
        }
    }

    /// Takes note of a part that was stored just now.
    pub(super) async fn arrived(&self, number: u32, bytes: u64, files: &dyn RemoteFiles, path: &RawPath) {
        let mut state = self.0.lock().await;
        if number <= state.whole {
            // It may have been read already, as it was before.
            state.hash = Hash::Off;
        }
        state.beyond.insert(number, bytes);
        state.close_gaps();
        let whole_bytes = state.whole_bytes;
        if whole_bytes >= WORTH_FOLLOWING && matches!(state.hash, Hash::Later) {
            state.hash = match files.follow_sha256(path).await {
                Ok(Some(hash)) => Hash::Going(hash),
                Ok(None) | Err(_) => Hash::Off,
            };
        }
        if let Hash::Going(hash) = &mut state.hash
            && hash.grown_to(whole_bytes).await.is_err()
        {
            state.hash = Hash::Off;
        }
    }

    /// Returns the hash of an upload of just these parts, if it was followed to the end.
    pub(super) async fn end(&self, parts: &[StoredPart]) -> Option<Followed> {
        let mut state = self.0.lock().await;
        let bytes: u64 = parts.iter().map(|part| part.size_bytes).sum();
        let all = state.whole as usize == parts.len() && state.whole_bytes == bytes && state.beyond.is_empty();
        match std::mem::replace(&mut state.hash, Hash::Off) {
            Hash::Going(hash) if all => Some(Followed { hash, bytes }),
            _ => None,
        }
    }
}

impl State {
    fn close_gaps(&mut self) {
        while let Some(bytes) = self.beyond.remove(&(self.whole + 1)) {
            self.whole += 1;
            self.whole_bytes += bytes;
        }
        // A part that was stored once more lies below the gap.
        self.beyond = self.beyond.split_off(&(self.whole + 1));
    }
}

/// The hashes of finished uploads, by the path they lie at. What is written or removed there takes them away.
#[derive(Default)]
pub(super) struct Waiting(std::sync::Mutex<HashMap<RawPath, Followed>>);

impl Waiting {
    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<RawPath, Followed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Keeps a hash until it is asked for.
    pub(super) fn put(&self, path: RawPath, hash: Followed) {
        let mut map = self.map();
        if map.len() >= WAITING {
            map.clear();
        }
        map.insert(path, hash);
    }
    /// Takes the hash of what lies at a path.
    pub(super) fn take(&self, path: &RawPath) -> Option<Followed> {
        self.map().remove(path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn part(number: u32, size_bytes: u64) -> StoredPart {
        StoredPart { number, offset: 0, size_bytes, tag: String::new() }
    }

    #[tokio::test]
    async fn gaps_are_closed_in_order() {
        let follow = Follow::default();
        follow.found(&[part(1, 10), part(2, 10), part(4, 10)]).await;
        let state = follow.0.lock().await;
        assert_eq!((state.whole, state.whole_bytes, state.beyond.len()), (2, 20, 1));
    }
}
