//! Keys of archives: raw ones and passphrases, their ids, and those at hand.

use super::seal::SealHeader;
use argon2::{Algorithm, Argon2, Params, Version};
use backstay_core::layout::{ArchiveKey, ArchiveKeys};
use backstay_core::{Error, ErrorClass, Result};
use hkdf::Hkdf;
use rand::Rng;
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// What a key's id is derived for.
const ID_INFO: &[u8] = b"backstay archive v1: key id";
/// What a new passphrase costs: the second choice of RFC 9106, 64 MiB three times.
const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// More than this is taken for an attack, not for care.
const MOST_MEMORY_KIB: u32 = 1 << 20;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 64;

/// What a key is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyKind {
    /// 32 random bytes.
    Raw,
    /// A passphrase, by Argon2id.
    Passphrase { salt: [u8; 16], memory_kib: u32, passes: u32, lanes: u32 },
}

impl KeyKind {
    /// Makes the parameters of a new passphrase.
    pub fn new_passphrase() -> Self {
        let mut salt = [0; 16];
        rand::rng().fill_bytes(&mut salt);
        Self::Passphrase { salt, memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES }
    }
}

/// A key files' own keys are derived from. Wiped when dropped.
#[derive(Clone)]
pub(crate) struct MasterKey {
    pub kind: KeyKind,
    bytes: Zeroizing<[u8; 32]>,
}

impl MasterKey {
    /// Makes the key. Takes a tenth of a second for a passphrase: for threads that may block.
    pub fn derive(key: &ArchiveKey, kind: KeyKind) -> Result<Self> {
        let bytes = match (key, kind) {
            (ArchiveKey::Key(hex), KeyKind::Raw) => raw(hex.expose())?,
            (ArchiveKey::Passphrase(passphrase), KeyKind::Passphrase { salt, memory_kib, passes, lanes }) => {
                if passphrase.is_empty() {
                    return Err(Error::new(ErrorClass::Invalid, "The passphrase of the archives is empty"));
                }
                stretch(passphrase.expose().as_bytes(), &salt, memory_kib, passes, lanes)?
            }
            _ => return Err(Error::new(ErrorClass::WrongKey, "A passphrase is not a key of 64 hex digits")),
        };
        Ok(Self { kind, bytes })
    }

    /// Its id: tells keys apart without telling anything of them.
    pub fn id(&self) -> [u8; 8] {
        let mut id = [0; 8];
        // Eight bytes are never too many.
        let _ = Hkdf::<Sha256>::new(None, self.bytes.as_slice()).expand(ID_INFO, &mut id);
        id
    }

    /// The key itself.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    #[cfg(test)]
    pub fn for_tests(bytes: [u8; 32]) -> Self {
        Self { kind: KeyKind::Raw, bytes: Zeroizing::new(bytes) }
    }
}

fn raw(hex: &str) -> Result<Zeroizing<[u8; 32]>> {
    let bad = || {
        Error::new(ErrorClass::Invalid, "The archives' key is not 64 hex digits")
            .hint("Paste the key as it was printed: 64 digits 0-9 and a-f")
    };
    let hex = hex.trim().as_bytes();
    if hex.len() != 64 {
        return Err(bad());
    }
    let mut bytes = Zeroizing::new([0; 32]);
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks(2)) {
        let digit = |c: u8| char::from(c).to_digit(16).ok_or_else(bad);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Ok(bytes)
}

fn stretch(passphrase: &[u8], salt: &[u8], memory_kib: u32, passes: u32, lanes: u32) -> Result<Zeroizing<[u8; 32]>> {
    let too_dear = || {
        let text = "Cannot open a sealed archive: what it asks for its passphrase is beyond all measure";
        Error::new(ErrorClass::Unsupported, text)
    };
    if memory_kib > MOST_MEMORY_KIB || passes > MOST_PASSES || lanes > MOST_LANES {
        return Err(too_dear());
    }
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| too_dear())?;
    let mut out = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, out.as_mut_slice())
        .map_err(|_| Error::new(ErrorClass::Internal, "Cannot derive a key from the passphrase"))?;
    Ok(out)
}

/// Writes a key's id as 16 hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the id of a key of 64 hex digits: 16 hex digits, as they stand in the header of what it seals.
pub fn archive_key_id(key: &ArchiveKey) -> Result<String> {
    Ok(hex(&MasterKey::derive(key, KeyKind::Raw)?.id()))
}

/// The keys met so far, and where others may be had from.
#[derive(Clone)]
pub(crate) struct KeyRing {
    keys: Arc<dyn ArchiveKeys>,
    known: Arc<Mutex<HashMap<[u8; 8], MasterKey>>>,
}

impl KeyRing {
    pub fn new(keys: Arc<dyn ArchiveKeys>) -> Self {
        Self { keys, known: Arc::default() }
    }

    /// Finds the key of a sealed file. `WrongKey` where none at hand is it.
    pub async fn find(&self, header: &SealHeader, name: &str) -> Result<MasterKey> {
        if let Some(key) = self.lock().get(&header.key_id) {
            return Ok(key.clone());
        }
        let (keys, header) = (self.keys.clone(), header.clone());
        let id = header.key_id;
        let found = blocking(move || Ok(pick(&keys.candidates(&hex(&header.key_id)), &header))).await?;
        match found {
            Some(key) => {
                self.lock().insert(id, key.clone());
                Ok(key)
            }
            None => Err(Error::new(ErrorClass::WrongKey, format!("Cannot open {name}: no key at hand opens it"))
                .hint(format!("Give the key or passphrase it was sealed with (key id {})", hex(&id)))),
        }
    }

    /// Tries one key on a file; true if it is the one.
    pub async fn try_key(&self, key: &ArchiveKey, header: &SealHeader) -> Result<bool> {
        let (key, header) = (key.clone(), header.clone());
        let id = header.key_id;
        let found = blocking(move || Ok(pick(&[key], &header))).await?;
        let is_it = found.is_some();
        if let Some(key) = found {
            self.lock().insert(id, key);
        }
        Ok(is_it)
    }

    /// Makes the key a new archive is sealed with. A passphrase that sealed a known archive keeps its salt, so that
    /// opening many costs deriving it once.
    pub async fn for_new(&self, key: &ArchiveKey, seen: Option<SealHeader>) -> Result<MasterKey> {
        let key = key.clone();
        let made = blocking(move || {
            if let Some(key) = seen.and_then(|header| pick(std::slice::from_ref(&key), &header)) {
                return Ok(key);
            }
            let kind = match &key {
                ArchiveKey::Key(_) => KeyKind::Raw,
                ArchiveKey::Passphrase(_) => KeyKind::new_passphrase(),
            };
            MasterKey::derive(&key, kind)
        })
        .await?;
        self.lock().insert(made.id(), made.clone());
        Ok(made)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 8], MasterKey>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the first of the keys that is the one a header names.
fn pick(keys: &[ArchiveKey], header: &SealHeader) -> Option<MasterKey> {
    let derived = keys.iter().filter_map(|key| MasterKey::derive(key, header.kind).ok());
    derived.into_iter().find(|key| key.id() == header.key_id)
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorClass::Internal, "A thread ended unexpectedly").source(error))?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use backstay_core::Secret;

    #[test]
    fn keys_are_64_hex_digits() {
        let key = |text: &str| MasterKey::derive(&ArchiveKey::Key(Secret::new(text)), KeyKind::Raw);
        let upper = key(&format!(" {} ", "AB".repeat(32))).unwrap();
        assert_eq!(upper.id(), key(&"ab".repeat(32)).unwrap().id());
        for bad in ["", "abc", &"zz".repeat(32), &"ab".repeat(33)] {
            assert_eq!(key(bad).err().unwrap().class, ErrorClass::Invalid);
        }
    }

    #[test]
    fn a_hostile_header_cannot_make_us_work_for_ever() {
        let kind = KeyKind::Passphrase { salt: [0; 16], memory_kib: u32::MAX, passes: 1, lanes: 1 };
        let error = MasterKey::derive(&ArchiveKey::Passphrase(Secret::new("x")), kind).err().unwrap();
        assert_eq!(error.class, ErrorClass::Unsupported);
    }
}
