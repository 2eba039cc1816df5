//! How a copy of the configuration is sealed: `docs/formats/configuration.md` tells it to the byte.
//!
//! The content lies under a random key; that key lies in one slot for each secret that opens the backups beside it. So
//! whoever can open the backups can open the copy, and nobody else.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use backstay_core::layout::ArchiveKey;
use backstay_core::{Error, ErrorClass, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hkdf::Hkdf;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

const FORMAT: &str = "backstay-configuration";
const VERSION: u32 = 1;
const SLOT_INFO: &[u8] = b"backstay-configuration 1 slot";
/// What RFC 9106 recommends where memory is tight.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// A forged file must not make us take all memory or all day.
const MEMORY_LIMIT_KIB: u32 = 256 * 1024;
const PASSES_LIMIT: u32 = 10;
const LANES_LIMIT: u32 = 16;
const MOST_SLOTS: usize = 64;
/// More than any configuration needs.
pub(super) const LARGEST: usize = 32 << 20;

type Key = Zeroizing<[u8; 32]>;

#[derive(Serialize, Deserialize)]
struct Sealed {
    format: String,
    version: u32,
    installation: String,
    slots: Vec<Slot>,
    nonce: String,
    content: String,
}

#[derive(Serialize, Deserialize)]
struct Slot {
    /// "password" (Argon2id) or "key" (HKDF-SHA256 over 32 bytes).
    kind: String,
    salt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    argon2id: Option<Stretch>,
    nonce: String,
    key: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Stretch {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Seals a content so that each of the secrets opens it. Takes a moment for each password.
pub(super) fn seal(installation: &str, content: &[u8], secrets: &[ArchiveKey]) -> Result<Vec<u8>> {
    let mut random = rand::rng();
    let mut key: Key = Zeroizing::new([0; 32]);
    random.fill(&mut key[..]);
    let mut slots = Vec::with_capacity(secrets.len());
    for secret in secrets {
        let salt: [u8; 16] = random.random();
        let nonce: [u8; 12] = random.random();
        let stretch = match secret {
            ArchiveKey::Key(_) => None,
            ArchiveKey::Passphrase(_) => Some(Stretch { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES }),
        };
        let slot_key = slot_key(secret, &salt, stretch)?;
        slots.push(Slot {
            kind: if stretch.is_some() { "password" } else { "key" }.into(),
            salt: BASE64.encode(salt),
            argon2id: stretch,
            nonce: BASE64.encode(nonce),
            key: BASE64.encode(encrypt(&slot_key, nonce, &key[..], SLOT_INFO)?),
        });
    }
    let nonce: [u8; 12] = random.random();
    let sealed = Sealed {
        format: FORMAT.into(),
        version: VERSION,
        installation: installation.into(),
        slots,
        nonce: BASE64.encode(nonce),
        content: BASE64.encode(encrypt(&key, nonce, content, content_info(installation).as_bytes())?),
    };
    serde_json::to_vec(&sealed).map_err(|e| internal().source(e))
}

/// Opens what was sealed. `WrongKey` when none of the secrets fits; takes a moment for each password.
pub(super) fn open(file: &[u8], secrets: &[ArchiveKey]) -> Result<Vec<u8>> {
    let damaged =
        |why: &str| Error::new(ErrorClass::Corrupt, format!("The copy of the configuration is damaged: {why}"));
    if file.len() > LARGEST {
        return Err(damaged("it is too large"));
    }
    let sealed: Sealed = serde_json::from_slice(file).map_err(|e| damaged("it cannot be read").source(e))?;
    if sealed.format != FORMAT {
        return Err(damaged("it is of another format"));
    }
    if sealed.version != VERSION {
        return Err(Error::new(
            ErrorClass::Unsupported,
            "A newer version of Backstay wrote the copy of the configuration",
        ));
    }
    if sealed.slots.len() > MOST_SLOTS {
        return Err(damaged("it has too many slots"));
    }
    let bytes = |text: &str| BASE64.decode(text).map_err(|e| damaged("a part of it is no base64").source(e));
    let nonce = |text: &str| -> Result<[u8; 12]> {
        bytes(text)?.try_into().map_err(|_| damaged("a nonce of it has the wrong length"))
    };
    for slot in &sealed.slots {
        let (salt, wrapped, slot_nonce) = (bytes(&slot.salt)?, bytes(&slot.key)?, nonce(&slot.nonce)?);
        for secret in secrets.iter().filter(|secret| fits(slot, secret)) {
            let slot_key = slot_key(secret, &salt, slot.argon2id)?;
            let Some(mut plain) = decrypt(&slot_key, slot_nonce, &wrapped, SLOT_INFO) else { continue };
            let key: Option<Key> = <[u8; 32]>::try_from(plain.as_slice()).ok().map(Zeroizing::new);
            plain.zeroize();
            let key = key.ok_or_else(|| damaged("a key of it has the wrong length"))?;
            let info = content_info(&sealed.installation);
            return decrypt(&key, nonce(&sealed.nonce)?, &bytes(&sealed.content)?, info.as_bytes())
                .ok_or_else(|| damaged("its content was changed"));
        }
    }
    Err(Error::new(ErrorClass::WrongKey, "The key does not open the copy of the configuration"))
}

fn content_info(installation: &str) -> String {
    format!("backstay-configuration 1 content {installation}")
}

fn fits(slot: &Slot, secret: &ArchiveKey) -> bool {
    match secret {
        ArchiveKey::Key(_) => slot.kind == "key",
        ArchiveKey::Passphrase(_) => slot.kind == "password",
    }
}

fn slot_key(secret: &ArchiveKey, salt: &[u8], stretch: Option<Stretch>) -> Result<Key> {
    let mut out: Key = Zeroizing::new([0; 32]);
    match (secret, stretch) {
        (ArchiveKey::Key(hex), _) => {
            let raw = Zeroizing::new(key_bytes(hex.expose()).ok_or_else(internal)?);
            Hkdf::<Sha256>::new(Some(salt), &raw[..]).expand(SLOT_INFO, &mut out[..]).map_err(|_| internal())?;
        }
        (ArchiveKey::Passphrase(text), Some(stretch)) => {
            let limits = stretch.memory_kib <= MEMORY_LIMIT_KIB
                && stretch.passes <= PASSES_LIMIT
                && stretch.lanes <= LANES_LIMIT;
            let params =
                Params::new(stretch.memory_kib, stretch.passes, stretch.lanes, Some(32)).ok().filter(|_| limits);
            let params = params.ok_or_else(|| {
                Error::new(
                    ErrorClass::Corrupt,
                    "The copy of the configuration is damaged: its key derivation is no good",
                )
            })?;
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(text.expose().as_bytes(), salt, &mut out[..])
                .map_err(|_| internal())?;
        }
        (ArchiveKey::Passphrase(_), None) => {
            return Err(Error::new(
                ErrorClass::Corrupt,
                "The copy of the configuration is damaged: a slot is incomplete",
            ));
        }
    }
    Ok(out)
}

/// Reads 64 hex digits.
pub(crate) fn key_bytes(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes();
    let value = |digit: u8| (digit as char).to_digit(16);
    let mut out = [0_u8; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::try_from(value(*pair.first()?)? * 16 + value(*pair.get(1)?)?).ok()?;
    }
    Some(out)
}

fn encrypt(key: &Key, nonce: [u8; 12], message: &[u8], info: &[u8]) -> Result<Vec<u8>> {
    let cipher = Aes256Gcm::new((&**key).into());
    cipher.encrypt(&Nonce::from(nonce), Payload { msg: message, aad: info }).map_err(|_| internal())
}

fn decrypt(key: &Key, nonce: [u8; 12], message: &[u8], info: &[u8]) -> Option<Vec<u8>> {
    let cipher = Aes256Gcm::new((&**key).into());
    cipher.decrypt(&Nonce::from(nonce), Payload { msg: message, aad: info }).ok()
}

fn internal() -> Error {
    Error::new(ErrorClass::Internal, "Cannot seal or open the copy of the configuration")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use backstay_core::secret::Secret;

    #[test]
    fn each_secret_opens_it_and_no_other() {
        let password = ArchiveKey::Passphrase(Secret::new("a password of the vault"));
        let key = ArchiveKey::Key(Secret::new("0f".repeat(32)));
        let file = seal("abc", b"content", &[password.clone(), key.clone()]).unwrap();
        assert_eq!(open(&file, &[password]).unwrap(), b"content");
        assert_eq!(open(&file, std::slice::from_ref(&key)).unwrap(), b"content");
        let wrong =
            [ArchiveKey::Passphrase(Secret::new("another password")), ArchiveKey::Key(Secret::new("0e".repeat(32)))];
        assert_eq!(open(&file, &wrong).unwrap_err().class, ErrorClass::WrongKey);
        // Whose it is belongs to what is sealed.
        let moved = String::from_utf8(file).unwrap().replace("\"abc\"", "\"abd\"");
        assert_eq!(open(moved.as_bytes(), &[key]).unwrap_err().class, ErrorClass::Corrupt);
    }

    #[test]
    fn a_forged_file_is_refused_and_costs_nothing() {
        let secret = ArchiveKey::Passphrase(Secret::new("a password of the vault"));
        let file = String::from_utf8(seal("abc", b"content", std::slice::from_ref(&secret)).unwrap()).unwrap();
        for (from, to) in [("65536", "4194304"), ("\"passes\":3", "\"passes\":300"), ("\"lanes\":4", "\"lanes\":0")] {
            assert!(file.contains(from));
            let forged = file.replace(from, to);
            assert_eq!(open(forged.as_bytes(), std::slice::from_ref(&secret)).unwrap_err().class, ErrorClass::Corrupt);
        }
        assert_eq!(open(b"{}", std::slice::from_ref(&secret)).unwrap_err().class, ErrorClass::Corrupt);
        let newer = file.replace("\"version\":1", "\"version\":2");
        assert_eq!(open(newer.as_bytes(), &[secret]).unwrap_err().class, ErrorClass::Unsupported);
    }
}
