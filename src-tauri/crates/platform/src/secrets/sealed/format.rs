//! The format of the sealed file, version 1. Numbers are little-endian.
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | `BKSTYSEC` |
//! | 8 | 1 | version: 1 |
//! | 9 | 1 | key derivation: 1 = Argon2id, version 0x13 |
//! | 10 | 4 | its memory in KiB |
//! | 14 | 4 | its passes |
//! | 18 | 4 | its lanes |
//! | 22 | 16 | its salt |
//! | 38 | 16 | passphrase check: bytes 32 to 47 of its 48 bytes of output |
//! | 54 | 12 | nonce, random at every write |
//! | 66 | 16 | the first half of SHA-256 over bytes 0 to 65 |
//! | 82 | | AES-256-GCM under bytes 0 to 31 of the output, with bytes 0 to 81 as associated data; its tag comes last |
//!
//! The plain text is JSON: an object of names and secrets. The check tells a wrong passphrase from a damaged file; whoever
//! has the file could try passphrases on the tag just as well, so it gives nothing away.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use backstay_core::secret::Secret;
use backstay_core::{Error, ErrorClass};
use rand::RngExt;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use zeroize::{Zeroize, Zeroizing};

const MAGIC: &[u8; 8] = b"BKSTYSEC";
const VERSION: u8 = 1;
const ARGON2ID: u8 = 1;
const NONCE_AT: usize = 54;
const CHECKSUM_AT: usize = 66;
const HEADER_BYTES: usize = 82;
const CHECK_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// What RFC 9106 recommends where memory is tight; about a quarter of a second.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;

/// A forged header must not make us take all memory or all day.
const MEMORY_LIMIT_KIB: u32 = 1024 * 1024;
const PASSES_LIMIT: u32 = 32;
const LANES_LIMIT: u32 = 16;

/// The key that seals the file.
pub(super) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// Why the file cannot be opened or made.
pub(super) enum Fault {
    /// It is not as it was written.
    Damaged(&'static str),
    /// A newer version wrote it.
    Newer,
    /// The passphrase is not the one it was sealed with.
    WrongPassphrase,
    /// Our own fault.
    Internal(&'static str),
}

impl Fault {
    pub(super) fn error(&self, tried: &str) -> Error {
        match self {
            Self::Damaged(why) => Error::new(ErrorClass::Corrupt, format!("{tried}: {why}")).hint(
                "Put a copy of the file back, or move it away, set a passphrase anew and enter passwords and recovery keys again",
            ),
            Self::Newer => Error::new(ErrorClass::Unsupported, format!("{tried}: a newer version wrote it"))
                .hint("Use the newer version of Backstay"),
            Self::WrongPassphrase => {
                Error::new(ErrorClass::WrongKey, format!("{tried}: the passphrase is wrong")).hint("Try again")
            }
            Self::Internal(why) => Error::new(ErrorClass::Internal, format!("{tried}: {why}")),
        }
    }
}

/// Everything before the sealed part but the nonce, which is new at every write.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Header {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; 16],
    check: [u8; CHECK_BYTES],
}

impl Header {
    /// Returns the header of a new file, still without the passphrase check.
    pub(super) fn fresh() -> Self {
        let salt = rand::rng().random();
        Self { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt, check: [0; CHECK_BYTES] }
    }

    /// Reads the header of a file; returns the nonce too.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, [u8; 12]), Fault> {
        if !bytes.starts_with(MAGIC) {
            return Err(Fault::Damaged("it is not a file of sealed secrets"));
        }
        if bytes.len() < HEADER_BYTES {
            return Err(Fault::Damaged("it was cut short"));
        }
        if bytes[8] > VERSION {
            return Err(Fault::Newer);
        }
        if checksum(&bytes[..CHECKSUM_AT]) != bytes[CHECKSUM_AT..HEADER_BYTES] {
            return Err(Fault::Damaged("its head is damaged"));
        }
        let number = |at: usize| u32::from_le_bytes(take(bytes, at));
        let header = Self {
            memory_kib: number(10),
            passes: number(14),
            lanes: number(18),
            salt: take(bytes, 22),
            check: take(bytes, 38),
        };
        let within =
            header.memory_kib <= MEMORY_LIMIT_KIB && header.passes <= PASSES_LIMIT && header.lanes <= LANES_LIMIT;
        if bytes[8] != VERSION || bytes[9] != ARGON2ID || !within {
            return Err(Fault::Damaged("its head holds values no version ever wrote"));
        }
        Ok((header, take(bytes, NONCE_AT)))
    }

    /// Tells whether a key made for one opens the other.
    pub(super) fn same_key(&self, other: &Self) -> bool {
        self == other
    }

    /// Derives the key of this header from the passphrase, and checks that it is the one.
    pub(super) fn key(&self, passphrase: &Secret) -> Result<Key, Fault> {
        let (key, check) = self.derive(passphrase)?;
        if check == self.check { Ok(key) } else { Err(Fault::WrongPassphrase) }
    }

    /// Completes a fresh header with the check of its passphrase.
    pub(super) fn with_check(mut self, passphrase: &Secret) -> Result<(Self, Key), Fault> {
        let (key, check) = self.derive(passphrase)?;
        self.check = check;
        Ok((self, key))
    }

    fn derive(&self, passphrase: &Secret) -> Result<(Key, [u8; CHECK_BYTES]), Fault> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES + CHECK_BYTES))
            .map_err(|_| Fault::Damaged("its head holds values no version ever wrote"))?;
        let mut output = Zeroizing::new([0; KEY_BYTES + CHECK_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), &self.salt, output.as_mut_slice())
            .map_err(|_| Fault::Internal("the key could not be derived"))?;
        Ok((Zeroizing::new(take(output.as_slice(), 0)), take(output.as_slice(), KEY_BYTES)))
    }

    fn write(&self, nonce: &[u8; 12]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[VERSION, ARGON2ID]);
        for number in [self.memory_kib, self.passes, self.lanes] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.check);
        bytes.extend_from_slice(nonce);
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }
}

/// Seals entries into the bytes of a file.
pub(super) fn seal(header: &Header, key: &Key, entries: &BTreeMap<String, Secret>) -> Result<Vec<u8>, Fault> {
    let plain: BTreeMap<&str, &str> = entries.iter().map(|(name, secret)| (name.as_str(), secret.expose())).collect();
    // Room from the start: a buffer that grows leaves copies behind that nobody wipes. JSON at most makes six of one byte.
    let room = plain.iter().map(|(name, secret)| (name.len() + secret.len()) * 6 + 8).sum::<usize>() + 2;
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *text, &plain).map_err(|_| Fault::Internal("they cannot be written as JSON"))?;
    let nonce: [u8; 12] = rand::rng().random();
    let mut bytes = header.write(&nonce);
    let sealed = cipher(key)?
        .encrypt(&Nonce::from(nonce), Payload { msg: &text, aad: &bytes })
        .map_err(|_| Fault::Internal("they cannot be sealed"))?;
    bytes.extend_from_slice(&sealed);
    Ok(bytes)
}

/// Opens the bytes of a file.
pub(super) fn open(bytes: &[u8], key: &Key) -> Result<BTreeMap<String, Secret>, Fault> {
    let (_, nonce) = Header::read(bytes)?;
    let payload = Payload { msg: &bytes[HEADER_BYTES..], aad: &bytes[..HEADER_BYTES] };
    let text = cipher(key)?
        .decrypt(&Nonce::from(nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| Fault::Damaged("it is damaged"))?;
    let plain: BTreeMap<String, String> =
        serde_json::from_slice(&text).map_err(|_| Fault::Damaged("what is in it is not understood"))?;
    Ok(plain.into_iter().map(|(name, secret)| (name, Secret::new(secret))).collect())
}

fn cipher(key: &Key) -> Result<Aes256Gcm, Fault> {
    Aes256Gcm::new_from_slice(key.as_slice()).map_err(|_| Fault::Internal("the key has the wrong length"))
}

fn checksum(bytes: &[u8]) -> [u8; 16] {
    take(&Sha256::digest(bytes), 0)
}

/// Copies a fixed number of bytes from a place known to be there; zeros beyond the end.
fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    if let Some(found) = bytes.get(at..at + N) {
        out.copy_from_slice(found);
    }
    out
}

impl Drop for Header {
    fn drop(&mut self) {
        self.check.zeroize();
    }
}
