//! FTP destinations against real servers, with TLS and without: the contract, cuts, certificates, odd servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

use backstay_core::ErrorClass;
use backstay_core::config::{DestinationLogin, FtpPlace, FtpTls};
use backstay_core::destination::{Destination, FreeTraffic, Key, PartUpload, StoredPart, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::secret::Secret;
use backstay_destinations::ftp::{Ftp, probe_certificate};
use backstay_lab::destination_contract::{self, noise};
use backstay_lab::ftp::{CertificateKind, FtpOptions, LabFtp, PASSWORD, Proftpd, Proxies, TlsMode, USER, Vsftpd};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MIB: usize = 1 << 20;

fn place(server: &impl LabFtp, tls: FtpTls, path: &str) -> FtpPlace {
    let (host, port) = server.address();
    FtpPlace {
        host,
        port,
        user: USER.into(),
        path: path.into(),
        tls,
        pinned_certificate: (tls != FtpTls::None).then(|| server.certificate().sha256.clone()),
        ignore_pasv_address: false,
        connections: 4,
    }
}

/// The same place, through proxies.
fn behind(proxies: &Proxies, place: FtpPlace) -> FtpPlace {
    FtpPlace { host: "127.0.0.1".into(), port: proxies.control.port(), ..place }
}

fn login() -> DestinationLogin {
    DestinationLogin { secret: Some(Secret::new(PASSWORD)), key_passphrase: None }
}

async fn try_open(place: &FtpPlace) -> backstay_core::Result<Ftp> {
    Ftp::open("nas", place, &login(), Arc::new(FreeTraffic)).await
}

async fn open(place: &FtpPlace) -> Arc<dyn Destination> {
    match try_open(place).await {
        Ok(ftp) => Arc::new(ftp),
        Err(error) => panic!("{error}: {:?}", error.detail),
    }
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

async fn names(destination: &dyn Destination) -> Vec<String> {
    let mut names: Vec<_> =
        destination.list("").await.unwrap().into_iter().map(|info| info.key.as_str().to_owned()).collect();
    names.sort();
    names
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// Temporary files go in the background.
async fn until_no_temps_below(path: &Path) {
    let temps = || files_below(path).iter().filter(|path| path.to_string_lossy().contains(".backstay-tmp-")).count();
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while temps() > 0 {
        assert!(tokio::time::Instant::now() < end, "left behind: {:?}", files_below(path));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn options(tls: TlsMode) -> FtpOptions {
    FtpOptions { tls, ..FtpOptions::default() }
}

async fn keeps_the_contract(server: &impl LabFtp, tls: FtpTls) {
    let count = AtomicU32::new(0);
    destination_contract::run(|| {
        // As folders are given: from the root, and below the log-in folder.
        let number = count.fetch_add(1, Ordering::Relaxed);
        let path = if number.is_multiple_of(2) { format!("/v {number}") } else { format!("deep/er/v{number}") };
        let place = place(server, tls, &path);
        async move { open(&place).await }
    })
    .await;
    until_no_temps_below(&server.root()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proftpd_with_explicit_tls_keeps_the_contract() {
    let Some(server) = Proftpd::start(&options(TlsMode::Explicit)) else { return };
    keeps_the_contract(&server, FtpTls::Explicit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proftpd_with_implicit_tls_keeps_the_contract() {
    let Some(server) = Proftpd::start(&options(TlsMode::Implicit)) else { return };
    keeps_the_contract(&server, FtpTls::Implicit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proftpd_without_tls_keeps_the_contract() {
    let Some(server) = Proftpd::start(&options(TlsMode::None)) else { return };
    keeps_the_contract(&server, FtpTls::None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_that_wants_sessions_and_knows_only_list_keeps_the_contract() {
    let Some(server) = Vsftpd::start(&options(TlsMode::Explicit)) else { return };
    keeps_the_contract(&server, FtpTls::Explicit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_with_implicit_tls_takes_objects_and_gives_them_back() {
    let Some(server) = Vsftpd::start(&options(TlsMode::Implicit)) else { return };
    let nas = open(&place(&server, FtpTls::Implicit, "b")).await;
    nas.put(&key("d/k"), noise(1, 3 * MIB), WriteMode::CreateNew).await.unwrap();
    assert!(nas.get(&key("d/k"), None).await.unwrap() == noise(1, 3 * MIB));
    assert_eq!(names(&*nas).await, ["d/k"]);
}
