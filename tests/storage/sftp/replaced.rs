//! Files that are replaced while they are read: each further channel opens them once more, by a name that may be another
//! file's by then.

use super::{MIB, source};
use backstay_core::RawPath;
use backstay_core::remote::{RemoteFiles, RemoteOpen};
use backstay_lab::destination_contract::noise;
use backstay_lab::ssh::{LabUser, Sshd};
use bytes::Bytes;
use filetime::{FileTime, set_file_mtime};
use std::path::PathBuf;
use std::sync::Arc;

/// Enough reads for further channels to be opened and used.
const READS: usize = 40;

struct Lab {
    files: Arc<dyn RemoteFiles>,
    home: PathBuf,
    _server: Sshd,
}

impl Lab {
    async fn start() -> Option<Self> {
        let server = Sshd::start()?;
        let user: LabUser = server.add_sftp_user();
        let files = source(&server.connection(&user), 6).open().await.unwrap();
        Some(Self { files, home: user.home.clone(), _server: server })
    }

    /// Gives the name to new content, as a writer does, last changed at so many Unix seconds.
    fn place(&self, content: &Bytes, seconds: i64) {
        let (new, target) = (self.home.join("new"), self.home.join("k"));
        std::fs::write(&new, content).unwrap();
        set_file_mtime(&new, FileTime::from_unix_time(seconds, 0)).unwrap();
        std::fs::rename(new, target).unwrap();
    }

    /// Returns how often the file is open on the server.
    fn times_open(&self) -> usize {
        let path = self.home.join("k").canonicalize().unwrap();
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let files = processes.filter_map(|process| std::fs::read_dir(process.path().join("fd")).ok()).flatten();
        files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok()).filter(|open| path == *open).count()
    }

    /// Replaces the file once it is open, and reads it whole again and again.
    async fn read_while_replaced(&self, bytes: usize, seconds: [i64; 2]) {
        let old = noise(1, bytes);
        self.place(&old, seconds[0]);
        let file = self.files.open_file(&RawPath::new("/files/k").unwrap(), RemoteOpen::Read).await.unwrap();
        assert_eq!(file.stat().await.unwrap().size_bytes, bytes as u64);
        self.place(&noise(2, bytes), seconds[1]);
        for read in 0..READS {
            assert!(file.read_at(0, bytes).await.unwrap() == old, "read {read} is of what replaced it");
        }
        file.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_is_the_one_that_was_opened() {
    let Some(lab) = Lab::start().await else { return };
    lab.read_while_replaced(4 * MIB, [1_000_000, 1_000_000]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_that_was_replaced_is_told_from_the_one_that_was_opened() {
    let Some(lab) = Lab::start().await else { return };
    lab.read_while_replaced(12 * MIB, [1_000_000, 1_000_001]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_read_over_several_channels() {
    let Some(lab) = Lab::start().await else { return };
    let content = noise(1, 12 * MIB);
    lab.place(&content, 1_000_000);
    let file = lab.files.open_file(&RawPath::new("/files/k").unwrap(), RemoteOpen::Read).await.unwrap();
    file.stat().await.unwrap();
    for _ in 0..READS {
        assert!(file.read_at(0, content.len()).await.unwrap() == content);
    }
    match lab.times_open() {
        0 => println!("skipped: what other users' processes have open is not shown here"),
        times => assert!(times > 1, "one channel carries all of it"),
    }
}
