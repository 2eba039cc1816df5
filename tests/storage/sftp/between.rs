//! What stands between a test and a real server: it offers less, fails and counts, as it is told.

use async_trait::async_trait;
use backstay_core::host::Space;
use backstay_core::remote::{
    GrowingHash, RemoteFeatures, RemoteFile, RemoteFiles, RemoteFilesSource, RemoteOpen, RemoteRename, RemoteStat,
};
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What it is told, and what it counted.
#[derive(Default)]
pub struct Told {
    /// It offers plain SFTP alone: no rename over what is there, no hard links, no hash of what grows.
    pub plain: bool,
    /// Which of the next renames fail, as over a line that is lost.
    pub failing: Mutex<Vec<bool>>,
    /// How often the hash of a file was asked for, as it lies there.
    pub asked: AtomicUsize,
}

impl Told {
    fn rename_fails(&self) -> bool {
        let mut failing = self.failing.lock().unwrap();
        !failing.is_empty() && failing.remove(0)
    }
}

/// Puts it before a server.
pub fn between(inner: Arc<dyn RemoteFilesSource>, told: &Arc<Told>) -> Arc<dyn RemoteFilesSource> {
    Arc::new(Source { inner, told: told.clone() })
}

struct Source {
    inner: Arc<dyn RemoteFilesSource>,
    told: Arc<Told>,
}

#[async_trait]
impl RemoteFilesSource for Source {
    fn label(&self) -> &str {
        self.inner.label()
    }
    async fn open(&self) -> Result<Arc<dyn RemoteFiles>> {
        Ok(Arc::new(Files { inner: self.inner.open().await?, told: self.told.clone() }))
    }
}

struct Files {
    inner: Arc<dyn RemoteFiles>,
    told: Arc<Told>,
}

#[async_trait]
impl RemoteFiles for Files {
    fn features(&self) -> RemoteFeatures {
        let features = self.inner.features();
        if self.told.plain {
            return RemoteFeatures { posix_rename: false, hard_link: false, ..features };
        }
        features
    }
    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
    async fn stat(&self, path: &RawPath) -> Result<RemoteStat> {
        self.inner.stat(path).await
    }
    async fn list(&self, dir: &RawPath) -> Result<Vec<(Vec<u8>, RemoteStat)>> {
        self.inner.list(dir).await
    }
    async fn make_dir(&self, path: &RawPath) -> Result<()> {
        self.inner.make_dir(path).await
    }
    async fn open_file(&self, path: &RawPath, how: RemoteOpen) -> Result<Arc<dyn RemoteFile>> {
        self.inner.open_file(path, how).await
    }
    async fn rename(&self, from: &RawPath, to: &RawPath, how: RemoteRename) -> Result<()> {
        assert!(!self.told.plain || how == RemoteRename::Plain, "what the server does not offer is not asked for");
        if self.told.rename_fails() {
            return Err(Error::new(ErrorClass::Offline, "The line is lost"));
        }
        self.inner.rename(from, to, how).await
    }
    async fn hard_link(&self, from: &RawPath, to: &RawPath) -> Result<()> {
        assert!(!self.told.plain, "what the server does not offer is not asked for");
        self.inner.hard_link(from, to).await
    }
    async fn remove(&self, path: &RawPath) -> Result<()> {
        self.inner.remove(path).await
    }
    async fn sha256(&self, path: &RawPath) -> Result<Option<String>> {
        self.told.asked.fetch_add(1, Ordering::SeqCst);
        self.inner.sha256(path).await
    }
    async fn follow_sha256(&self, path: &RawPath) -> Result<Option<Box<dyn GrowingHash>>> {
        if self.told.plain {
            return Ok(None);
        }
        self.inner.follow_sha256(path).await
    }
    async fn space(&self, path: &RawPath) -> Result<Space> {
        self.inner.space(path).await
    }
}
