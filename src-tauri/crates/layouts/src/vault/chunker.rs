//! Cuts content where a rolling hash says so, at the very places restic cuts, so that both share chunks.
//!
//! A cut lies behind byte `p` of a chunk when `p` is at least 512 KiB and the Rabin fingerprint of the 64 bytes before it
//! has its lowest 20 bits zero; at 8 MiB at the latest. See docs/formats/vault.md.

/// No chunk but a file's last is shorter.
pub(crate) const MIN_CHUNK: usize = 512 << 10;
/// No chunk is longer.
pub(crate) const MAX_CHUNK: usize = 8 << 20;
const MASK: u64 = (1 << 20) - 1;
const WINDOW: usize = 64;
/// Bytes looked at by each of the four lanes in one go.
const LANE: usize = 2048;

/// The tables of one polynomial. They depend on the vault only: made once.
pub(crate) struct Chunker {
    out: [u64; 256],
    reduce: [u64; 256],
    shift: u32,
}

impl Chunker {
    /// Makes the tables; `None` for a polynomial of impossible degree.
    pub fn new(polynomial: u64) -> Option<Self> {
        let degree = 63u32.checked_sub(polynomial.leading_zeros())?;
        if !(16..=55).contains(&degree) {
            return None;
        }
        let append = |hash: u64, byte: u64| modulo(hash << 8 | byte, polynomial);
        let mut out = [0; 256];
        let mut reduce = [0; 256];
        for byte in 0..256u64 {
            let mut hash = append(0, byte);
            for _ in 1..WINDOW {
                hash = append(hash, 0);
            }
            out[byte as usize] = hash;
            reduce[byte as usize] = modulo(byte << degree, polynomial) | byte << degree;
        }
        Some(Self { out, reduce, shift: degree - 8 })
    }

    /// Starts to look for the end of a chunk.
    pub fn start(&self) -> Scan {
        Scan { position: 0, digest: 0 }
    }

    /// Looks at the bytes of `chunk` not looked at yet. Returns where it ends, if it does.
    pub fn scan(&self, scan: &mut Scan, chunk: &[u8]) -> Option<usize> {
        if chunk.len() < MIN_CHUNK {
            return None;
        }
        if scan.position == 0 {
            scan.digest = chunk[MIN_CHUNK - WINDOW..MIN_CHUNK].iter().fold(0, |digest, byte| self.push(digest, *byte));
            scan.position = MIN_CHUNK;
            if scan.digest & MASK == 0 {
                return Some(MIN_CHUNK);
            }
        }
        let end = chunk.len().min(MAX_CHUNK);
        while end - scan.position >= 4 * LANE {
            if let Some(cut) = self.scan_lanes(scan, chunk) {
                return Some(cut);
            }
        }
        let fresh = &chunk[scan.position..end];
        let old = &chunk[scan.position - WINDOW..end - WINDOW];
        let mut digest = scan.digest;
        for (at, (new, old)) in fresh.iter().zip(old).enumerate() {
            digest = self.push(digest ^ self.out[usize::from(*old)], *new);
            if digest & MASK == 0 {
                return Some(scan.position + at + 1);
            }
        }
        scan.digest = digest;
        scan.position = end;
        (end == MAX_CHUNK).then_some(MAX_CHUNK)
    }

    /// Looks at four stretches at once: each step of one waits for its own last step only, so the processor does them
    /// side by side. That is allowed since the fingerprint at a place depends on the 64 bytes before it and nothing else.
    fn scan_lanes(&self, scan: &mut Scan, chunk: &[u8]) -> Option<usize> {
        let starts: [usize; 4] = std::array::from_fn(|lane| scan.position + lane * LANE);
        let window =
            |start: usize| chunk[start - WINDOW..start].iter().fold(0, |digest, byte| self.push(digest, *byte));
        let mut digests = [scan.digest, window(starts[1]), window(starts[2]), window(starts[3])];
        let new = starts.map(|start| &chunk[start..start + LANE]);
        let old = starts.map(|start| &chunk[start - WINDOW..start - WINDOW + LANE]);
        let new = new[0].iter().zip(new[1]).zip(new[2].iter().zip(new[3]));
        let old = old[0].iter().zip(old[1]).zip(old[2].iter().zip(old[3]));
        let mut cut = usize::MAX;
        for (at, (((n0, n1), (n2, n3)), ((o0, o1), (o2, o3)))) in new.zip(old).enumerate() {
            for (digest, (new, old)) in digests.iter_mut().zip([(n0, o0), (n1, o1), (n2, o2), (n3, o3)]) {
                *digest = self.push(*digest ^ self.out[usize::from(*old)], *new);
            }
            if digests.iter().any(|digest| digest & MASK == 0) {
                let ends = digests.iter().zip(starts).filter(|(digest, _)| *digest & MASK == 0);
                cut = ends.map(|(_, start)| start + at + 1).fold(cut, usize::min);
            }
        }
        scan.digest = digests[3];
        scan.position += 4 * LANE;
        (cut != usize::MAX).then_some(cut)
    }

    #[inline(always)]
    fn push(&self, digest: u64, byte: u8) -> u64 {
        let top = (digest >> self.shift) as u8;
        (digest << 8 | u64::from(byte)) ^ self.reduce[usize::from(top)]
    }
}

/// How far a chunk was looked at.
pub(crate) struct Scan {
    position: usize,
    digest: u64,
}

fn modulo(mut value: u64, polynomial: u64) -> u64 {
    let degree = polynomial.leading_zeros();
    while value.leading_zeros() <= degree && value != 0 {
        value ^= polynomial << (degree - value.leading_zeros());
    }
    value
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The polynomial of restic's own chunker tests.
    const POLYNOMIAL: u64 = 0x003D_A335_8B4D_C173;

    fn cuts(chunker: &Chunker, mut data: &[u8], step: usize) -> Vec<usize> {
        let mut lengths = Vec::new();
        while !data.is_empty() {
            let mut scan = chunker.start();
            let mut seen = 0;
            let length = loop {
                seen = (seen + step).min(data.len());
                if let Some(cut) = chunker.scan(&mut scan, &data[..seen]) {
                    break cut;
                }
                if seen == data.len() {
                    break seen;
                }
            };
            lengths.push(length);
            data = &data[length..];
        }
        lengths
    }

    #[test]
    fn cuts_where_the_plain_definition_says_whatever_the_reads() {
        let mut state = 1u32;
        let data: Vec<u8> = (0..6 << 20)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let chunker = Chunker::new(POLYNOMIAL).unwrap();
        let whole = cuts(&chunker, &data, usize::MAX >> 1);
        assert_eq!(whole, cuts(&chunker, &data, 4093));
        assert!(whole.len() > 2, "{whole:?}");
        // The definition, slowly: the remainder of the last 64 bytes, taken as one big polynomial.
        let mut start = 0;
        for length in &whole[..whole.len() - 1] {
            let digest = |end: usize| {
                data[end - WINDOW..end].iter().fold(0, |hash, byte| modulo(hash << 8 | u64::from(*byte), POLYNOMIAL))
            };
            assert_eq!(digest(start + length) & MASK, 0);
            assert!((MIN_CHUNK..*length).all(|early| digest(start + early) & MASK != 0));
            start += length;
        }
    }

    #[test]
    fn zeros_are_cut_at_the_minimum() {
        let chunker = Chunker::new(POLYNOMIAL).unwrap();
        assert_eq!(cuts(&chunker, &vec![0; 3 * MIN_CHUNK + 5], 1 << 20), [MIN_CHUNK, MIN_CHUNK, MIN_CHUNK, 5]);
    }

    #[test]
    fn impossible_polynomials_are_refused() {
        assert!(Chunker::new(0).is_none() && Chunker::new(3).is_none() && Chunker::new(u64::MAX).is_none());
    }
}
