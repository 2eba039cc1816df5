//! Sealing: AES-256-CTR with Poly1305-AES, as restic does it: nonce, ciphertext, tag.

use aes256ctr_poly1305aes::aead::AeadInPlace;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce, Tag};
use rand::Rng;
use rustic_core::repofile::MasterKey;
use zeroize::Zeroize;

/// What sealing adds: 16 bytes of nonce before, 16 bytes of tag behind.
pub(crate) const OVERHEAD: usize = 32;

/// The vault's master key, ready to seal and open. Wiped from memory when dropped; never printed.
pub(crate) struct Cipher(Aes256CtrPoly1305Aes);

impl Cipher {
    /// Takes the key of an opened vault; `None` when its parts have impossible lengths.
    pub fn new(master: &MasterKey) -> Option<Self> {
        let mut bytes = [master.encrypt.as_slice(), &master.mac.k, &master.mac.r].concat();
        let cipher = (bytes.len() == 64).then(|| Self(Aes256CtrPoly1305Aes::new(Key::from_slice(&bytes))));
        bytes.zeroize();
        cipher
    }

    /// Seals `plain` and appends the result to `out`; returns its length, or `None` if the cipher refuses.
    pub fn seal_into(&self, plain: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let mut nonce = Nonce::default();
        rand::rng().fill_bytes(&mut nonce);
        // The cipher counts in the nonce's last 8 bytes only, restic in all 16. They differ when the count overflows:
        // keep clear of that.
        nonce[8] &= 0x7f;
        let start = out.len();
        out.reserve(plain.len() + OVERHEAD);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let tag = self.0.encrypt_in_place_detached(&nonce, &[], &mut out[start + 16..]).ok()?;
        out.extend_from_slice(&tag);
        Some(out.len() - start)
    }

    /// Opens what was sealed; `None` if it is not what was written.
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        if sealed.len() < OVERHEAD {
            return None;
        }
        let (nonce, rest) = sealed.split_at(16);
        let (text, tag) = rest.split_at(rest.len() - 16);
        let mut plain = text.to_vec();
        let (nonce, tag) = (Nonce::from_slice(nonce), Tag::from_slice(tag));
        self.0.decrypt_in_place_detached(nonce, &[], &mut plain, tag).ok()?;
        Some(plain)
    }
}
