//! Restores that meet a link into a place this user may not enter.

use crate::files::{collect, item, options, raw, temp};
use crate::host::TestHost;
use crate::memory::{Backup, Recorder, kind};
use async_trait::async_trait;
use backstay_core::entry::{ByteStream, Entry};
use backstay_core::host::{Attribute, Command, Findings, Host, HostCapabilities, Process, SharedHost, Space};
use backstay_core::kind::RestoreMode;
use backstay_core::{Error, ErrorClass, RawPath, Result};
use std::os::unix::fs::symlink;
use std::sync::Arc;
use tokio::io::AsyncRead;

/// A host that tells nothing of what is in one folder, whoever runs these tests.
struct ClosedHost {
    host: TestHost,
    closed: RawPath,
}

#[async_trait]
impl Host for ClosedHost {
    fn label(&self) -> &str {
        self.host.label()
    }
    fn capabilities(&self) -> HostCapabilities {
        self.host.capabilities()
    }
    fn route(&self) -> String {
        self.host.route()
    }
    fn findings(&self) -> &Findings {
        self.host.findings()
    }
    async fn start(&self, command: Command) -> Result<Process> {
        self.host.start(command).await
    }
    async fn list(&self, dir: &RawPath) -> Result<Vec<Entry>> {
        self.host.list(dir).await
    }
    async fn stat(&self, path: &RawPath) -> Result<Entry> {
        if *path != self.closed && path.starts_with(&self.closed) {
            return Err(Error::new(ErrorClass::Refused, format!("Cannot look at {path}: permission denied")));
        }
        self.host.stat(path).await
    }
    async fn read(&self, path: &RawPath) -> Result<ByteStream> {
        self.host.read(path).await
    }
    async fn write(&self, path: &RawPath, mode: u32, content: &mut (dyn AsyncRead + Send + Unpin)) -> Result<u64> {
        self.host.write(path, mode, content).await
    }
    async fn make_dir(&self, path: &RawPath) -> Result<()> {
        self.host.make_dir(path).await
    }
    async fn make_link(&self, path: &RawPath, target: &[u8]) -> Result<()> {
        self.host.make_link(path, target).await
    }
    async fn set_attributes(&self, entries: &[Entry]) -> Result<Vec<(RawPath, Attribute)>> {
        self.host.set_attributes(entries).await
    }
    async fn remove(&self, path: &RawPath) -> Result<()> {
        self.host.remove(path).await
    }
    async fn space(&self, path: &RawPath) -> Result<Space> {
        self.host.space(path).await
    }
    async fn close(&self) {
        self.host.close().await;
    }
}

#[tokio::test]
async fn a_link_into_a_place_that_is_closed_stays_and_the_rest_is_restored() {
    for files_only in [false, true] {
        for mode in [RestoreMode::Merge, RestoreMode::Newer, RestoreMode::Missing, RestoreMode::Replace] {
            let (dir, root) = temp();
            let (www, vault) = (root.join("www"), dir.path().join("vault"));
            std::fs::create_dir(&www).unwrap();
            for name in ["conf", "www/in"] {
                std::fs::write(root.join(name), name).unwrap();
            }
            let (item, options) = (item(&root, &[]), options(mode, &root, None));
            let host = TestHost { files_only, ..TestHost::default() };
            let (report, backup, _) = collect(&host, &item, &Backup::default()).await;
            report.unwrap();
            std::fs::create_dir(&vault).unwrap();
            std::fs::rename(&www, vault.join("site")).unwrap();
            symlink(vault.join("site"), &www).unwrap();
            std::fs::remove_file(root.join("conf")).unwrap();

            let host: SharedHost = Arc::new(ClosedHost { host, closed: raw(&vault) });
            let ((ctx, recorder), files) = (Recorder::context(), kind("files"));
            let plan = files.plan_restore(&ctx, host.as_ref(), &item, &backup.listing(), &options).await.unwrap();
            let changes: Vec<_> = plan.changes.iter().filter(|c| !c.is_dir).map(|c| c.target.clone()).collect();
            assert_eq!(changes, [raw(&root.join("conf")).to_text()], "{mode:?}");
            let said = format!("{} stays as it is, and nothing is restored below it: ", raw(&www));
            assert!(plan.warnings.iter().any(|w| w.starts_with(&said)), "{mode:?}: {:?}", plan.warnings);

            let report = files.restore(&ctx, &host, &item, &mut backup.source(), &plan, &options).await;
            assert_eq!(report.unwrap().files, 1, "{mode:?}");
            assert_eq!(recorder.by_subject(), Default::default(), "{mode:?}");
            assert_eq!(std::fs::read_link(&www).unwrap(), vault.join("site"), "{mode:?}");
            assert!(vault.join("site/in").exists(), "{mode:?}");
        }
    }
}
