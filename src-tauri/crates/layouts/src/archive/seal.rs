//! Sealing: segments of AES-256-GCM in the STREAM construction, so that a file can be sealed as it comes, read from any
//! segment on, and never be cut, reordered or changed without that being seen.

use super::keys::{KeyKind, MasterKey};
use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::Payload;
use backstay_core::{Error, ErrorClass, Result};
use hkdf::Hkdf;
use rand::Rng;
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a sealed file begins with.
pub(crate) const MAGIC: &[u8; 8] = b"BKSTSEAL";
/// The header's length.
pub(crate) const HEADER_BYTES: usize = 96;
/// What each segment is longer than what it holds.
pub(crate) const TAG_BYTES: u64 = 16;
/// A segment of an archive.
pub(crate) const ARCHIVE_SEGMENT: u32 = 1 << 20;
/// A segment of a manifest: its beginning is read often.
pub(crate) const MANIFEST_SEGMENT: u32 = 64 << 10;
/// What the file's own key is derived for.
const KEY_INFO: &[u8] = b"backstay archive v1: file key";

/// The header of a sealed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealHeader {
    /// What its key is made from.
    pub kind: KeyKind,
    /// Bytes a segment holds.
    pub segment: u32,
    /// Which key it is.
    pub key_id: [u8; 8],
    /// Makes this file's key its own.
    pub salt: [u8; 32],
    /// The first bytes of every nonce.
    pub nonce: [u8; 7],
}

impl SealHeader {
    /// Makes the header of a new file, with its own random salt.
    pub fn new(key: &MasterKey, segment: u32) -> Self {
        let (mut salt, mut nonce) = ([0; 32], [0; 7]);
        rand::rng().fill_bytes(&mut salt);
        rand::rng().fill_bytes(&mut nonce);
        Self { kind: key.kind, segment, key_id: key.id(), salt, nonce }
    }

    /// Writes it.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8] = 1;
        out[12..16].copy_from_slice(&self.segment.to_le_bytes());
        out[16..24].copy_from_slice(&self.key_id);
        out[24..56].copy_from_slice(&self.salt);
        out[56..63].copy_from_slice(&self.nonce);
        match &self.kind {
            KeyKind::Raw => out[9] = 1,
            KeyKind::Passphrase { salt, memory_kib, passes, lanes } => {
                out[9] = 2;
                out[64..80].copy_from_slice(salt);
                out[80..84].copy_from_slice(&memory_kib.to_le_bytes());
                out[84..88].copy_from_slice(&passes.to_le_bytes());
                out[88..92].copy_from_slice(&lanes.to_le_bytes());
            }
        }
        out
    }

    /// Reads one. `name` is for messages.
    pub fn parse(bytes: &[u8], name: &str) -> Result<Self> {
        let damaged =
            || Error::new(ErrorClass::Corrupt, format!("{name} is damaged: it does not begin as a sealed file"));
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or_else(damaged)?;
        if &bytes[..8] != MAGIC {
            return Err(damaged());
        }
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let kind = match (bytes[8], bytes[9]) {
            (1, 1) => KeyKind::Raw,
            (1, 2) => KeyKind::Passphrase {
                salt: array(&bytes[64..80]),
                memory_kib: number(80),
                passes: number(84),
                lanes: number(88),
            },
            (1, _) => return Err(damaged()),
            (version, _) => {
                let text =
                    format!("Cannot open {name}: it is sealed in version {version}, which this Backstay does not know");
                return Err(Error::new(ErrorClass::Unsupported, text).hint("Use a newer Backstay"));
            }
        };
        let header = Self {
            kind,
            segment: number(12),
            key_id: array(&bytes[16..24]),
            salt: array(&bytes[24..56]),
            nonce: array(&bytes[56..63]),
        };
        let sane = (1 << 10..=16 << 20).contains(&header.segment);
        // What is not used is zero, so that every bit of the header is known.
        if sane && header.to_bytes() == *bytes { Ok(header) } else { Err(damaged()) }
    }

    /// Returns how long the content of a sealed file of this size is; `None` where no file can have that size.
    pub fn plain_bytes(&self, sealed_bytes: u64) -> Option<u64> {
        let body = sealed_bytes.checked_sub(HEADER_BYTES as u64)?;
        let whole = u64::from(self.segment) + TAG_BYTES;
        let segments = body.div_ceil(whole).max(1);
        let last = body - (segments - 1) * whole;
        // Only an empty file has an empty segment.
        let fits = last > TAG_BYTES || (last == TAG_BYTES && segments == 1);
        fits.then(|| body - segments * TAG_BYTES)
    }

    /// Returns where a segment of a file begins, and how many bytes a whole one has.
    pub fn segment_at(&self, number: u64) -> (u64, u64) {
        let whole = u64::from(self.segment) + TAG_BYTES;
        (HEADER_BYTES as u64 + number * whole, whole)
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

/// Seals and opens the segments of one file.
pub(crate) struct Cipher {
    stream: StreamBE32<Aes256Gcm>,
    header: [u8; HEADER_BYTES],
}

impl Cipher {
    /// Makes the cipher of a file from its header and the key it names.
    pub fn new(header: &SealHeader, key: &MasterKey) -> Result<Self> {
        let mut file_key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(&header.salt), key.bytes())
            .expand(KEY_INFO, file_key.as_mut_slice())
            .map_err(|_| Error::new(ErrorClass::Internal, "Cannot derive a file's key"))?;
        let stream = StreamBE32::new(&(*file_key).into(), &header.nonce.into());
        Ok(Self { stream, header: header.to_bytes() })
    }

    /// The first segment vouches for the header too.
    fn associated(&self, number: u32) -> &[u8] {
        if number == 0 { &self.header } else { &[] }
    }

    /// Seals one segment; `None` past what one file can hold.
    pub fn seal(&self, number: u64, is_last: bool, plain: &[u8]) -> Option<Vec<u8>> {
        let number = u32::try_from(number).ok()?;
        self.stream.encrypt(number, is_last, Payload { msg: plain, aad: self.associated(number) }).ok()
    }

    /// Opens one segment; `None` if it is not what was sealed as this one of this file.
    pub fn open(&self, number: u64, is_last: bool, sealed: &[u8]) -> Option<Vec<u8>> {
        let number = u32::try_from(number).ok()?;
        self.stream.decrypt(number, is_last, Payload { msg: sealed, aad: self.associated(number) }).ok()
    }
}

/// Seals a stream of bytes as it comes.
pub(crate) struct Sealer {
    cipher: Cipher,
    segment: usize,
    number: u64,
    pending: Vec<u8>,
}

impl Sealer {
    /// Starts a file; returns what it begins with.
    pub fn start(key: &MasterKey, segment: u32) -> Result<(Self, [u8; HEADER_BYTES])> {
        let header = SealHeader::new(key, segment);
        let cipher = Cipher::new(&header, key)?;
        let segment = segment as usize;
        Ok((Self { cipher, segment, number: 0, pending: Vec::with_capacity(segment) }, header.to_bytes()))
    }

    /// Takes bytes, and hands each segment that is known not to be the last to `out`.
    pub fn push<E>(&mut self, mut bytes: &[u8], mut out: impl FnMut(Vec<u8>) -> Result<(), E>) -> Result<(), E>
    where
        E: From<Error>,
    {
        while !bytes.is_empty() {
            if self.pending.len() == self.segment {
                out(self.seal(false)?)?;
            }
            let take = bytes.len().min(self.segment - self.pending.len());
            self.pending.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
        }
        Ok(())
    }

    /// Returns the last segment.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        self.seal(true)
    }

    fn seal(&mut self, is_last: bool) -> Result<Vec<u8>> {
        let sealed = self.cipher.seal(self.number, is_last, &self.pending);
        self.number += 1;
        self.pending.clear();
        sealed.ok_or_else(|| Error::new(ErrorClass::Unsupported, "An archive of more than 4 PiB cannot be sealed"))
    }
}

/// Seals what lies in memory.
pub(crate) fn seal_all(key: &MasterKey, segment: u32, plain: &[u8]) -> Result<Vec<u8>> {
    let (mut sealer, header) = Sealer::start(key, segment)?;
    let mut out = header.to_vec();
    sealer.push::<Error>(plain, |segment| {
        out.extend(segment);
        Ok(())
    })?;
    out.extend(sealer.finish()?);
    Ok(out)
}

/// Opens a whole sealed object, or its first segments where `sealed` is only its beginning and `size` its whole size.
pub(crate) fn open_all(header: &SealHeader, key: &MasterKey, sealed: &[u8], size: u64, name: &str) -> Result<Vec<u8>> {
    let damaged = || Error::new(ErrorClass::Corrupt, format!("{name} is damaged: it is not what was sealed"));
    let cipher = Cipher::new(header, key)?;
    let plain = header.plain_bytes(size).ok_or_else(damaged)?;
    let segments = plain.div_ceil(u64::from(header.segment)).max(1);
    let mut out = Vec::with_capacity(usize::try_from(plain).unwrap_or(0).min(sealed.len()));
    for number in 0..segments {
        let (at, bytes) = header.segment_at(number);
        let end = (at + bytes).min(size);
        let Some(segment) = sealed.get(at as usize..end as usize) else { break };
        out.extend(cipher.open(number, number + 1 == segments, segment).ok_or_else(damaged)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key() -> MasterKey {
        MasterKey::for_tests([7; 32])
    }

    fn open(sealed: &[u8]) -> Result<Vec<u8>> {
        let header = SealHeader::parse(sealed, "it")?;
        open_all(&header, &key(), sealed, sealed.len() as u64, "it")
    }

    #[test]
    fn what_is_sealed_opens_again_at_every_length() {
        for length in [0, 1, 1023, 1024, 1025, 2048, 5000] {
            let plain: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let sealed = seal_all(&key(), 1024, &plain).unwrap();
            let header = SealHeader::parse(&sealed, "it").unwrap();
            assert_eq!(header.plain_bytes(sealed.len() as u64), Some(length as u64));
            assert_eq!(open(&sealed).unwrap(), plain);
        }
    }

    #[test]
    fn no_change_goes_unseen() {
        let plain: Vec<u8> = (0..3000_u32).map(|n| n as u8).collect();
        let sealed = seal_all(&key(), 1024, &plain).unwrap();
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            // Even where the header still reads, the first segment vouches for it.
            assert!(open(&bad).is_err(), "flipped byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(open(&sealed[..length]).is_err(), "cut at {length}");
        }
        let mut swapped = sealed.clone();
        let (first, second) = (HEADER_BYTES, HEADER_BYTES + 1040);
        swapped[first..first + 1040].copy_from_slice(&sealed[second..second + 1040]);
        swapped[second..second + 1040].copy_from_slice(&sealed[first..first + 1040]);
        assert!(open(&swapped).is_err());
        // A whole number of segments less is no file either: the last one knows that it is.
        assert!(open(&sealed[..HEADER_BYTES + 2 * 1040]).is_err());
        assert!(open(&[&sealed[..], &sealed[second..]].concat()).is_err());
    }

    #[test]
    fn two_files_of_one_key_share_nothing() {
        let (a, b) = (seal_all(&key(), 1024, b"same").unwrap(), seal_all(&key(), 1024, b"same").unwrap());
        assert_ne!(a[24..56], b[24..56]);
        assert_ne!(a[HEADER_BYTES..], b[HEADER_BYTES..]);
    }
}
