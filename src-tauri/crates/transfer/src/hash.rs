//! SHA-256 whose state can be kept, so that an upload that goes on need not read again what was sent.

use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A SHA-256 under way.
#[derive(Clone, Default)]
pub struct Sha256Sum(Sha256);

impl Sha256Sum {
    /// Begins.
    pub fn new() -> Self {
        Self::default()
    }
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    /// Returns the hash, 64 hex digits.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
    /// Returns the hash of some bytes, 64 hex digits.
    pub fn of(bytes: &[u8]) -> String {
        let mut sum = Self::new();
        sum.update(bytes);
        sum.finish()
    }
    /// Returns the state as hex digits. It tells nothing that the hash itself would not.
    pub fn save(&self) -> String {
        hex(&self.0.serialize())
    }
    /// Goes on from a kept state; `None` if it is none.
    pub fn restore(state: &str) -> Option<Self> {
        let bytes = unhex(state)?;
        let state = SerializedState::<Sha256>::try_from(bytes.as_slice()).ok()?;
        Sha256::deserialize(&state).ok().map(Self)
    }
}

/// A CRC-64/NVME under way, the one that S3 offers for whole objects (crc-fast's `Crc64Nvme`).
#[derive(Clone, Debug)]
pub struct Crc64Sum(crc_fast::Digest);

impl Default for Crc64Sum {
    fn default() -> Self {
        Self(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme))
    }
}

impl Crc64Sum {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    /// Returns the checksum.
    pub fn finish(self) -> u64 {
        self.0.finalize()
    }
}

/// Bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Hex digits as bytes.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len() / 2).map(|at| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        // The check value of CRC-64/NVME in the catalogue of parametrised CRC algorithms.
        let mut sum = Crc64Sum::default();
        sum.update(b"12345");
        sum.update(b"6789");
        assert_eq!(sum.finish(), 0xae8b_1486_0a79_9888);
    }

    #[test]
    fn a_kept_state_goes_on_at_any_byte() {
        let content: Vec<u8> = (0..1000_u32).map(|n| (n * 7) as u8).collect();
        let whole = Sha256Sum::of(&content);
        for at in [0, 1, 63, 64, 65, 500, 1000] {
            let mut first = Sha256Sum::new();
            first.update(&content[..at]);
            let mut second = Sha256Sum::restore(&first.save()).unwrap();
            second.update(&content[at..]);
            assert_eq!(second.finish(), whole, "cut at {at}");
        }
        assert_eq!(Sha256Sum::of(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for bad in ["", "zz", "é", "00"] {
            assert!(Sha256Sum::restore(bad).is_none());
        }
    }
}
