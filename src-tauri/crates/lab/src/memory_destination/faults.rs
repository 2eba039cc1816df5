//! What the destination is told to do wrong, and what its clones share.

use super::upload::Upload;
use super::{Call, MemoryDestination, Operation};
use backstay_core::ErrorClass;
use backstay_core::destination::{Availability, DestinationCapabilities, Key};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;

/// A fault still to come.
struct Fault {
    /// Of which operation; `None`: any.
    operation: Option<Operation>,
    /// After how many more of them.
    left: u64,
    /// It comes again each time so many more passed; `None`: once.
    every: Option<u64>,
    class: ErrorClass,
    /// What was asked is done all the same: only the answer is lost.
    answer_only: bool,
}

/// What the clones share: objects, and what is told to go wrong.
#[derive(Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<String, Bytes>,
    pub(super) uploads: BTreeMap<String, Upload>,
    pub(super) next_upload: u64,
    pub(super) calls: Vec<Call>,
    faults: Vec<Fault>,
    pub(super) room_bytes: Option<u64>,
    pub(super) offline: bool,
    pub(super) delay: Option<Duration>,
    pub(super) bytes_per_second: Option<u64>,
    pub(super) cut_streams_after: Option<u64>,
    pub(super) damaged_uploads: u64,
    /// Beginnings of the keys whose next put is to be damaged.
    pub(super) damaged_puts: Vec<String>,
    pub(super) capabilities: Option<DestinationCapabilities>,
    pub(super) read_only: bool,
    pub(super) cold: BTreeMap<String, Availability>,
    pub(super) locks: BTreeMap<String, i64>,
}

impl MemoryDestination {
    /// Makes the `n`-th call from now (1 = the next) fail with `class`, once.
    pub fn fail_call(&self, n: u64, class: ErrorClass) {
        self.add_fault(Fault { operation: None, left: n, every: None, class, answer_only: false });
    }
    /// Makes the `n`-th call of this operation from now (1 = the next) fail with `class`, once.
    pub fn fail_operation(&self, operation: Operation, n: u64, class: ErrorClass) {
        self.add_fault(Fault { operation: Some(operation), left: n, every: None, class, answer_only: false });
    }
    /// Makes every `n`-th call from now fail with `class`, until [`Self::clear_faults`].
    pub fn fail_every(&self, n: u64, class: ErrorClass) {
        self.add_fault(Fault { operation: None, left: n, every: Some(n), class, answer_only: false });
    }
    /// Makes the `n`-th call of this operation from now do what it is asked and then fail with `class` all the same, as
    /// if the answer had been lost.
    pub fn lose_answer(&self, operation: Operation, n: u64, class: ErrorClass) {
        self.add_fault(Fault { operation: Some(operation), left: n, every: None, class, answer_only: true });
    }
    /// Takes away faults that have not come yet.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }
    /// Gives it room for so many bytes in all; `None`: no limit.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.state().room_bytes = bytes;
    }
    /// Makes every call fail as `Offline`, those under way too, or ends that.
    pub fn set_offline(&self, offline: bool) {
        self.state().offline = offline;
    }
    /// Makes every call take so long; `None`: at once.
    pub fn set_delay(&self, delay: Option<Duration>) {
        self.state().delay = delay;
    }
    /// Lets each call move so many bytes a second; `None`: no limit.
    pub fn set_rate(&self, bytes_per_second: Option<u64>) {
        self.state().bytes_per_second = bytes_per_second;
    }
    /// Makes every stream read from it break off after so many bytes; `None`: none does.
    pub fn cut_streams_after(&self, bytes: Option<u64>) {
        self.state().cut_streams_after = bytes;
    }
    /// Flips a bit of what the next so many uploads in parts store.
    pub fn damage_uploads(&self, count: u64) {
        self.state().damaged_uploads = count;
    }
    /// Flips a bit of what the next put below this prefix stores.
    pub fn damage_put(&self, prefix: &str) {
        self.state().damaged_puts.push(prefix.to_owned());
    }
    /// Returns what a put stores: what it was given, or not quite.
    pub(super) fn damaged(&self, key: &Key, content: Bytes) -> Bytes {
        let mut state = self.state();
        let Some(at) = state.damaged_puts.iter().position(|prefix| key.as_str().starts_with(prefix)) else {
            return content;
        };
        state.damaged_puts.remove(at);
        let mut content = content.to_vec();
        let middle = content.len() / 2;
        content.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
        content.into()
    }
    /// Refuses everything but reading, or ends that.
    pub fn set_read_only(&self, read_only: bool) {
        self.state().read_only = read_only;
    }
    /// Locks an object until then, Unix seconds.
    pub fn set_lock(&self, key: &str, until: i64) {
        self.state().locks.insert(key.to_owned(), until);
    }
    /// Returns until when an object is locked.
    pub fn lock_of(&self, key: &str) -> Option<i64> {
        self.state().locks.get(key).copied()
    }
    /// Puts an object into a cold class, frozen or on its way out of it; `Ready` takes it out.
    pub fn set_cold(&self, key: &str, state: Availability) {
        self.state().cold.insert(key.to_owned(), state);
    }
    /// Makes it tell other capabilities than its own.
    pub fn set_capabilities(&self, capabilities: DestinationCapabilities) {
        self.state().capabilities = Some(capabilities);
    }

    fn add_fault(&self, fault: Fault) {
        self.state().faults.push(fault);
    }
}

impl State {
    pub(super) fn stands(&self, key: &Key) -> Availability {
        self.cold.get(key.as_str()).copied().unwrap_or(Availability::Ready)
    }

    pub(super) fn used_bytes(&self) -> u64 {
        let parts = self.uploads.values().flat_map(|upload| upload.parts.values());
        let parts: u64 = parts.map(|(_, content)| content.len() as u64).sum();
        parts + self.objects.values().map(|object| object.len() as u64).sum::<u64>()
    }

    pub(super) fn next_fault(&mut self, operation: Operation) -> Option<(ErrorClass, bool)> {
        if self.offline {
            return Some((ErrorClass::Offline, false));
        }
        use Operation as O;
        if self.read_only && matches!(operation, O::Put | O::Delete | O::Begin | O::Part | O::Complete | O::Abort) {
            return Some((ErrorClass::Refused, false));
        }
        let mut hit = None;
        self.faults.retain_mut(|fault| {
            if fault.operation.is_some_and(|of| of != operation) {
                return true;
            }
            fault.left = fault.left.saturating_sub(1);
            if fault.left > 0 || hit.is_some() {
                return true;
            }
            hit = Some((fault.class, fault.answer_only));
            fault.left = fault.every.unwrap_or(0);
            fault.every.is_some()
        });
        hit
    }
}
