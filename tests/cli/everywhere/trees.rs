//! Files made up, compared, and chance that can be had again.

use std::collections::BTreeMap;
use std::path::Path;

/// Bytes that do not compress.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut content = Vec::with_capacity(length + 8);
    while content.len() < length {
        content.extend_from_slice(&dice.next().to_le_bytes());
    }
    content.truncate(length);
    content
}

/// Chance that can be had again.
pub struct Dice(u64);

impl Dice {
    /// Seeded by BACKSTAY_TEST_SEED, else by the clock; says what by.
    pub fn new(test: &str) -> Self {
        let given = std::env::var("BACKSTAY_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let clock = || std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.subsec_nanos().into());
        let seed: u64 = given.unwrap_or_else(clock);
        println!("{test}: BACKSTAY_TEST_SEED={seed}");
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + (self.next() >> 11) % (most - least)
    }
}

/// Files of all sorts below a folder, everybody may read them.
pub fn make_tree(top: &Path, seed: u64) {
    for (n, name) in
        ["a.txt", "sub/ü ß.txt", "sub/deep/er/-dash", "sub/line\nbreak", "sub/'quote\" $x"].iter().enumerate()
    {
        put(&top.join(name), &noise(seed + n as u64, 1 + n * 7_000));
    }
    put(&top.join("empty"), b"");
    put(&top.join("text.log"), "the same line again and again\n".repeat(20_000).as_bytes());
    put(&top.join("large.bin"), &noise(seed + 99, 3_000_001));
    let link = top.join("link");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink("sub/deep", link).unwrap();
}

pub fn put(path: &Path, content: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// All files and links below a folder with what is in them.
pub fn tree(top: &Path) -> BTreeMap<String, Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    let mut found = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                open.push(path);
                continue;
            }
            let content = match kind.is_symlink() {
                true => std::fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec(),
                // A file of the server's that went just now is no object.
                false => std::fs::read(&path).unwrap_or_default(),
            };
            found.insert(path.strip_prefix(top).unwrap().to_str().unwrap().to_owned(), content);
        }
    }
    found
}

/// Both hold the same, byte by byte. Says which names differ, and not all of their bytes.
pub fn assert_same(one: &Path, other: &Path, what: &str) {
    let (one, other) = (tree(one), tree(other));
    let names: Vec<_> = one.keys().chain(other.keys()).filter(|name| one.get(*name) != other.get(*name)).collect();
    assert!(names.is_empty(), "{what}: {names:?} differ");
    assert!(!one.is_empty(), "{what}: there is nothing to compare");
}
