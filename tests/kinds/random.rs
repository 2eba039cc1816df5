//! Random trees: what goes in comes out, whatever the names, sizes, modes, links and holes.

use crate::files::{collect, item, options, restore, temp};
use crate::host::TestHost;
use crate::memory::Backup;
use crate::tree;
use backstay_core::kind::RestoreMode;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A small generator with a seed, so that a failure can be made again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
    /// Any bytes but NUL and slash; often the nasty ones.
    fn name(&mut self) -> Vec<u8> {
        let length = match self.below(10) {
            0 => 255,
            1 => 90 + self.below(30),
            _ => 1 + self.below(12),
        };
        let nasty = b"-\n\\ :'\"*?[]\xff\x80\t.%~$`|&;<>(){}!#=,";
        let byte = |random: &mut Self| match random.below(3) {
            0 => nasty[random.below(nasty.len() as u64) as usize],
            1 => 1 + random.below(255) as u8,
            _ => b'a' + random.below(26) as u8,
        };
        let name: Vec<u8> = (0..length).map(|_| byte(self)).map(|b| if b == b'/' { b'_' } else { b }).collect();
        if name.iter().all(|b| *b == b'.') { b"dots".to_vec() } else { name }
    }
}

fn grow(random: &mut Random, root: &Path) {
    let mut folders = vec![root.to_path_buf()];
    let mut files: Vec<PathBuf> = Vec::new();
    for _ in 0..60 {
        let folder = folders[random.below(folders.len() as u64) as usize].clone();
        let path = folder.join(OsStr::from_bytes(&random.name()));
        if path.as_os_str().len() > 3500 || std::fs::symlink_metadata(&path).is_ok() {
            continue;
        }
        match random.below(8) {
            0 | 1 => {
                std::fs::create_dir(&path).unwrap();
                folders.push(path);
                continue;
            }
            2 => {
                std::os::unix::fs::symlink(OsStr::from_bytes(&random.name()), &path).unwrap();
                continue;
            }
            3 if !files.is_empty() => {
                let first = &files[random.below(files.len() as u64) as usize];
                std::fs::hard_link(first, &path).unwrap();
                continue;
            }
            4 => {
                let file = std::fs::File::create(&path).unwrap();
                let size = random.below(3_000_000);
                for _ in 0..random.below(4) {
                    let at = random.below(size.max(1));
                    file.write_all_at(b"data", at.min(size.saturating_sub(4))).unwrap();
                }
                file.set_len(size).unwrap();
            }
            _ => {
                let size = [0, 1, 511, 512, 513, 4096, 10_240, 70_000][random.below(8) as usize];
                let byte = random.below(256) as u8;
                std::fs::write(&path, (0..size).map(|n: u32| byte.wrapping_add(n as u8)).collect::<Vec<_>>()).unwrap();
            }
        }
        let mode = [0o644, 0o600, 0o755, 0o4711, 0o400][random.below(5) as usize];
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let seconds = random.below(4_000_000_000) as i64 - 1_000_000_000;
        tree::set_mtime(&path, &format!("@{seconds}.{:09}", random.below(1_000_000_000)));
        files.push(path);
    }
}

#[tokio::test]
async fn random_trees_come_back_the_same_and_then_change() {
    for seed in 1..=12_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (dir, root) = temp();
        grow(&mut random, &root);
        let host = TestHost::default();
        let item = item(&root, &[]);
        let (report, first, recorder) = collect(&host, &item, &Backup::default()).await;
        report.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert_eq!(recorder.by_subject(), Default::default(), "seed {seed}");
        let to = dir.path().join("to");
        let (_, report, recorder) = restore(&host, &item, &first, &options(RestoreMode::Merge, &root, Some(&to))).await;
        report.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert_eq!(recorder.by_subject(), Default::default(), "seed {seed}");
        let differences = tree::differences(&tree::look(&root), &tree::look(&to));
        assert!(differences.is_empty(), "seed {seed}: {differences:#?}");

        // It grows, is backed up against the first, and replaces what was restored.
        grow(&mut random, &root);
        let (report, second, _) = collect(&host, &item, &first).await;
        assert!(report.unwrap().files_read < second.listing().iter().filter(|e| e.is_file()).count() as u64 + 1);
        let (_, report, recorder) =
            restore(&host, &item, &second, &options(RestoreMode::Replace, &root, Some(&to))).await;
        report.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert_eq!(recorder.by_subject(), Default::default(), "seed {seed}");
        let differences = tree::differences(&tree::look(&root), &tree::look(&to));
        assert!(differences.is_empty(), "seed {seed}: {differences:#?}");
        // And back to the first state: what grew is deleted.
        restore(&host, &item, &first, &options(RestoreMode::Replace, &root, Some(&to))).await.1.unwrap();
        let (_, again, _) = collect(&host, &crate::files::item(&to, &[]), &Backup::default()).await;
        assert_eq!(
            again.listing().iter().filter(|e| e.is_file()).count(),
            first.listing().iter().filter(|e| e.is_file()).count(),
            "seed {seed}"
        );
    }
}
