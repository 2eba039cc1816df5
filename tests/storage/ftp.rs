//! FTP destinations against real servers, with TLS and without: the contract, cuts, certificates, odd servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

#[path = "ftp/archives.rs"]
mod archives;
#[path = "ftp/cuts.rs"]
mod cuts;
#[path = "ftp/folders.rs"]
mod folders;
#[path = "ftp/leftovers.rs"]
mod leftovers;
#[path = "ftp/passive.rs"]
mod passive;
#[path = "ftp/quiet.rs"]
mod quiet;
#[path = "ftp/streams.rs"]
mod streams;

use backstay_core::ErrorClass;
use backstay_core::config::{DestinationLogin, FtpPassive, FtpPlace, FtpTls};
use backstay_core::destination::{Destination, FreeTraffic, Key, WriteMode};
use backstay_core::secret::Secret;
use backstay_destinations::ftp::{Ftp, probe_certificate};
use backstay_destinations::wrap::{Patience, Retry};
use backstay_lab::destination_contract::{self, noise};
use backstay_lab::ftp::{CertificateKind, FtpOptions, LabFtp, PASSWORD, Proftpd, Proxies, TlsMode, USER, Vsftpd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

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
        passive: FtpPassive::Auto,
        ignore_pasv_address: false,
        connections: 4,
    }
}

/// The same place, through proxies.
fn behind(proxies: &Proxies, place: FtpPlace) -> FtpPlace {
    FtpPlace { host: "127.0.0.1".into(), port: proxies.control.port(), ..place }
}

/// Returns how many data connections were made so far: one for each transfer and listing.
fn data_connections(proxies: &Proxies) -> u64 {
    proxies.data.iter().map(|proxy| proxy.connections()).sum()
}

fn login() -> DestinationLogin {
    DestinationLogin { secret: Some(Secret::new(PASSWORD)), ..DestinationLogin::default() }
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
    keeps_the_contract_as(server, tls, |bare| bare).await;
}

async fn keeps_the_contract_as(
    server: &impl LabFtp,
    tls: FtpTls,
    wrap: fn(Arc<dyn Destination>) -> Arc<dyn Destination>,
) {
    let count = AtomicU32::new(0);
    destination_contract::run(|| {
        // As folders are given: from the root, and below the log-in folder.
        let number = count.fetch_add(1, Ordering::Relaxed);
        let path = if number.is_multiple_of(2) { format!("/v {number}") } else { format!("deep/er/v{number}") };
        let place = place(server, tls, &path);
        async move { wrap(open(&place).await) }
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
    // On a busy machine vsftpd now and then leaves one transfer of thousands unanswered for good. Nobody uses it bare.
    let wrap = |bare| -> Arc<dyn Destination> { Arc::new(Retry::new(bare, Patience::default())) };
    keeps_the_contract_as(&server, FtpTls::Explicit, wrap).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_with_implicit_tls_takes_objects_and_gives_them_back() {
    let Some(server) = Vsftpd::start(&options(TlsMode::Implicit)) else { return };
    let nas = open(&place(&server, FtpTls::Implicit, "b")).await;
    nas.put(&key("d/k"), noise(1, 3 * MIB), WriteMode::CreateNew).await.unwrap();
    assert!(nas.get(&key("d/k"), None).await.unwrap() == noise(1, 3 * MIB));
    assert_eq!(names(&*nas).await, ["d/k"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_nobody_vouches_for_are_offered_and_pinned() {
    let Some(server) = Proftpd::start(&options(TlsMode::Explicit)) else { return };
    let pinned = place(&server, FtpTls::Explicit, "b");
    let unpinned = FtpPlace { pinned_certificate: None, ..pinned.clone() };
    let seen = probe_certificate(&pinned).await.unwrap();
    assert_eq!(seen.sha256, server.certificate().sha256);
    assert_eq!((seen.subject.as_str(), seen.trusted), ("CN=lab, O=Backstay", false));
    assert!(seen.not_before < seen.not_after);
    let error = try_open(&unpinned).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::HostKeyUnknown, "{error}");
    assert!(error.message.contains("is not vouched for by any authority"), "{error}");
    let detail = error.detail.unwrap();
    assert!(detail.contains(&seen.sha256) && detail.contains("CN=lab"), "{detail}");
    let with_colons: Vec<String> =
        seen.sha256.as_bytes().chunks(2).map(|two| String::from_utf8_lossy(two).to_uppercase()).collect();
    open(&FtpPlace { pinned_certificate: Some(with_colons.join(":")), ..pinned.clone() }).await;
    let other =
        try_open(&FtpPlace { pinned_certificate: Some("ab".repeat(32)), ..pinned.clone() }).await.err().unwrap();
    assert_eq!(other.class, ErrorClass::HostKeyChanged, "{other}");
    assert!(other.detail.unwrap().contains(&seen.sha256));
    let nonsense = try_open(&FtpPlace { pinned_certificate: Some("x".into()), ..pinned }).await.err().unwrap();
    assert_eq!(nonsense.class, ErrorClass::Invalid);
}

/// Authorities are read from the environment, so that this runs in a process of its own.
const CHILD: &str = "BACKSTAY_TEST_FTP_PORT";

#[tokio::test(flavor = "multi_thread")]
async fn authorities_names_and_dates_are_checked() {
    if std::env::var_os(CHILD).is_some() {
        return;
    }
    for (kind, expected) in [
        (CertificateKind::Authority, "taken"),
        (CertificateKind::OtherName, "is for another name"),
        (CertificateKind::Expired, "has expired"),
    ] {
        let options = FtpOptions { tls: TlsMode::Explicit, certificate: kind, ..FtpOptions::default() };
        let Some(server) = Proftpd::start(&options) else { return };
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "in_a_process_of_its_own", "--nocapture"])
            .env(CHILD, server.address().1.to_string())
            .env("SSL_CERT_FILE", &server.certificate().authority)
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains(&format!("verdict: {expected}")), "{kind:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_process_of_its_own() {
    let Ok(port) = std::env::var(CHILD) else { return };
    let place = FtpPlace {
        host: "127.0.0.2".into(),
        port: port.parse().unwrap(),
        user: USER.into(),
        path: "b".into(),
        tls: FtpTls::Explicit,
        pinned_certificate: None,
        passive: FtpPassive::Auto,
        ignore_pasv_address: false,
        connections: 2,
    };
    let seen = probe_certificate(&place).await.unwrap();
    match try_open(&place).await {
        Ok(_) => {
            assert!(seen.trusted);
            println!("verdict: taken");
        }
        Err(error) => {
            assert!(!seen.trusted);
            assert_eq!(error.class, ErrorClass::HostKeyUnknown);
            println!("verdict: {}", error.message.split("127.0.0.2 ").last().unwrap());
            // Pinned, it is taken as it is.
            open(&FtpPlace { pinned_certificate: Some(seen.sha256), ..place }).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_ports_and_ways_are_named_and_nothing_secret_is_told() {
    let Some(server) = Proftpd::start(&options(TlsMode::Explicit)) else { return };
    let right = place(&server, FtpTls::Explicit, "b");
    let wrong = DestinationLogin { secret: Some(Secret::new("not-the-one-7")), ..DestinationLogin::default() };
    let error = Ftp::open("nas", &right, &wrong, Arc::new(FreeTraffic)).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Refused);
    assert_eq!(error.message, format!("Cannot open nas (127.0.0.2:b): user {USER} or its password was refused"));
    assert!(!format!("{error:?}").contains("not-the-one-7"));
    let plain =
        try_open(&FtpPlace { tls: FtpTls::None, pinned_certificate: None, ..right.clone() }).await.err().unwrap();
    assert_eq!(plain.class, ErrorClass::Refused, "{plain}: a server that wants TLS lets nobody in without");
    let port = backstay_lab::ssh::free_port().unwrap();
    let closed = try_open(&FtpPlace { port, ..right.clone() }).await.err().unwrap();
    assert_eq!(closed.class, ErrorClass::Offline);
    assert!(closed.message.ends_with("nothing listens on this port"), "{closed}");
    // A label of 64 letters is no name: it fails without anybody being asked.
    let host = format!("{}.invalid", "n".repeat(64));
    let nowhere = try_open(&FtpPlace { host, ..right.clone() }).await.err().unwrap();
    assert!(nowhere.class == ErrorClass::Offline && nowhere.message.ends_with("cannot be resolved"), "{nowhere}");
    for path in ["a\r\nDELE b", "a/../b"] {
        let error = try_open(&FtpPlace { path: path.into(), ..right.clone() }).await.err().unwrap();
        assert_eq!(error.class, ErrorClass::Invalid);
    }
    let user = try_open(&FtpPlace { user: "u\r\nQUIT".into(), ..right }).await.err().unwrap();
    assert_eq!(user.class, ErrorClass::Invalid);
    let Some(server) = Vsftpd::start(&options(TlsMode::None)) else { return };
    let no_tls =
        try_open(&FtpPlace { tls: FtpTls::Explicit, ..place(&server, FtpTls::None, "b") }).await.err().unwrap();
    assert_eq!(no_tls.class, ErrorClass::Unsupported, "{no_tls}");
    assert!(no_tls.message.contains("does not take AUTH TLS"), "{no_tls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_on_connections_is_obeyed() {
    let cap = FtpOptions { tls: TlsMode::None, most_connections: Some(2), ..FtpOptions::default() };
    let Some(pro) = Proftpd::start(&cap) else { return };
    let Some(vs) = Vsftpd::start(&cap) else { return };
    for place in [place(&pro, FtpTls::None, "b"), place(&vs, FtpTls::None, "b")] {
        let nas = open(&FtpPlace { connections: 6, ..place }).await;
        assert_eq!(nas.capabilities().parallel_objects, 6);
        let mut puts = tokio::task::JoinSet::new();
        for number in 0..12_u64 {
            let nas = nas.clone();
            puts.spawn(async move {
                nas.put(&key(&format!("k{number}")), noise(number, 300_000), WriteMode::CreateNew).await
            });
        }
        for put in puts.join_all().await {
            put.unwrap();
        }
        assert_eq!(names(&*nas).await.len(), 12);
        // A connection that is just going away still counts at the server, so one less may be learnt.
        assert!((1..=2).contains(&nas.capabilities().parallel_objects), "learnt");
    }
}

fn proxied(tls: TlsMode) -> FtpOptions {
    FtpOptions { tls, known_ports: true, ..FtpOptions::default() }
}

/// A server of a few lines, for what real ones do not do here.
async fn scripted(replies: &'static [(&'static str, &'static str)]) -> u16 {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (reader, mut writer) = stream.into_split();
                let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(reader));
                let _ = writer.write_all(b"220 odd\r\n").await;
                while let Ok(Some(line)) = lines.next_line().await {
                    let known = replies.iter().find(|(verb, _)| line.starts_with(verb));
                    let reply = known.map_or("500 what?", |(_, reply)| reply);
                    let _ = writer.write_all(format!("{reply}\r\n").as_bytes()).await;
                    if reply.starts_with("234") {
                        // TLS would begin now; it hangs up.
                        break;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_servers_are_named() {
    async fn error_of(replies: &'static [(&'static str, &'static str)]) -> backstay_core::Error {
        error_with(FtpTls::None, replies).await
    }
    async fn error_with(tls: FtpTls, replies: &'static [(&'static str, &'static str)]) -> backstay_core::Error {
        let port = scripted(replies).await;
        let place = FtpPlace {
            host: "127.0.0.1".into(),
            port,
            user: "u".into(),
            path: "b".into(),
            tls,
            pinned_certificate: None,
            passive: FtpPassive::Auto,
            ignore_pasv_address: false,
            connections: 1,
        };
        Ftp::open("odd", &place, &login(), Arc::new(FreeTraffic)).await.err().unwrap()
    }
    let crowded = error_of(&[("USER", "421 Too many connections from your address")]).await;
    assert_eq!(crowded.class, ErrorClass::Throttled, "{crowded}");
    let session = error_of(&[
        ("USER", "331 go on"),
        ("PASS", "230 in"),
        ("TYPE", "200 ok"),
        ("PWD", "257 \"/\""),
        ("EPSV", "425 Unable to build data connection: TLS session of data connection not resumed."),
    ])
    .await;
    assert_eq!(session.class, ErrorClass::Unsupported, "{session}");
    assert!(session.message.contains("TLS session") && session.hint.unwrap().contains("require_ssl_reuse=NO"));
    let account = error_of(&[("USER", "331 go on"), ("PASS", "332 account?")]).await;
    assert_eq!(account.class, ErrorClass::Refused, "{account}");
    // A line that breaks just then is no server that wants another TLS: another try may help.
    let cut = error_with(FtpTls::Explicit, &[("AUTH", "234 go on")]).await;
    assert_eq!(cut.class, ErrorClass::Offline, "{cut}");
    let plain = error_with(FtpTls::Explicit, &[("AUTH", "500 what?")]).await;
    assert_eq!(plain.class, ErrorClass::Unsupported, "{plain}");
}
