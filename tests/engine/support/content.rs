//! Content of files: made up, and read back.

use super::text;
use std::collections::BTreeMap;

/// Returns all files below a folder, by their paths in it.
pub fn tree(top: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(text(path.strip_prefix(top).unwrap()), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Returns bytes nothing makes smaller, the same for each seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 24) as u8
    };
    (0..length).map(|_| next(&mut state)).collect()
}
