//! What lies in the S3 server of this process: objects and unfinished uploads, their content in files.

use super::shelf_files::{self, Taken};
use s3s::{S3Result, s3_error};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tempfile::TempDir;

#[derive(Clone)]
pub(super) struct Stored {
    pub(super) file: PathBuf,
    pub(super) md5: [u8; 16],
    pub(super) tag: String,
    pub(super) modified: SystemTime,
}

impl Stored {
    pub(super) fn new(taken: Taken) -> Self {
        let tag = shelf_files::hex(&taken.md5);
        Self { file: taken.file, md5: taken.md5, tag, modified: SystemTime::now() }
    }
    /// The size as the disk says, for it may have been cut short behind our back.
    pub(super) fn size(&self) -> u64 {
        std::fs::metadata(&self.file).map_or(0, |metadata| metadata.len())
    }
}

pub(super) struct Upload {
    pub(super) key: String,
    pub(super) begun: SystemTime,
    pub(super) parts: BTreeMap<i32, Stored>,
}

#[derive(Default)]
pub(super) struct Bucket {
    pub(super) objects: BTreeMap<String, Stored>,
    pub(super) uploads: BTreeMap<String, Upload>,
}

/// All buckets of one server. Clones are the same shelf.
#[derive(Clone)]
pub(super) struct Shelf(Arc<Boards>);

struct Boards {
    folder: TempDir,
    next: AtomicU64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

impl Shelf {
    pub(super) fn new(bucket: &str) -> Self {
        let buckets = HashMap::from([(bucket.to_owned(), Bucket::default())]);
        Self(Arc::new(Boards {
            folder: tempfile::tempdir().expect("a temporary folder"),
            next: AtomicU64::new(0),
            buckets: Mutex::new(buckets),
        }))
    }

    /// Returns the file an object lies in.
    pub(super) fn file(&self, bucket: &str, key: &str) -> Option<PathBuf> {
        let buckets = self.lock();
        buckets.get(bucket)?.objects.get(key).map(|stored| stored.file.clone())
    }

    /// Returns the names of a bucket's objects.
    pub(super) fn names(&self, bucket: &str) -> Vec<String> {
        self.lock().get(bucket).map(|bucket| bucket.objects.keys().cloned().collect()).unwrap_or_default()
    }

    /// Returns how many uploads are not ended.
    pub(super) fn uploads(&self, bucket: &str) -> usize {
        self.lock().get(bucket).map_or(0, |bucket| bucket.uploads.len())
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<String, Bucket>> {
        self.0.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn new_file(&self) -> PathBuf {
        self.0.folder.path().join(self.0.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    pub(super) fn with<T>(&self, bucket: &str, work: impl FnOnce(&mut Bucket) -> S3Result<T>) -> S3Result<T> {
        work(self.lock().get_mut(bucket).ok_or_else(|| s3_error!(NoSuchBucket))?)
    }

    pub(super) fn find(&self, bucket: &str, key: &str) -> S3Result<Stored> {
        self.with(bucket, |bucket| bucket.objects.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey)))
    }

    /// Puts an object in its place, all at once.
    pub(super) fn shelve(&self, bucket: &str, key: String, stored: Stored, only_new: bool) -> S3Result<()> {
        let old = self.with(bucket, |bucket| {
            if only_new && bucket.objects.contains_key(&key) {
                return Err(s3_error!(PreconditionFailed));
            }
            Ok(bucket.objects.insert(key, stored.clone()))
        });
        match old {
            Ok(old) => {
                old.into_iter().for_each(|old| forget(&old.file));
                Ok(())
            }
            Err(error) => {
                forget(&stored.file);
                Err(error)
            }
        }
    }
}

pub(super) fn forget(file: &Path) {
    let _ = std::fs::remove_file(file);
}
