//! FTP destinations against real servers, with TLS and without: the contract, cuts, certificates, odd servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

#[path = "ftp/archives.rs"]
mod archives;
#[path = "ftp/leftovers.rs"]
mod leftovers;
#[path = "ftp/passive.rs"]
mod passive;
#[path = "ftp/quiet.rs"]
mod quiet;
#[path = "ftp/streams.rs"]
mod streams;

use backstay_core::ErrorClass;
use backstay_core::config::{DestinationLogin, FtpPassive, FtpPlace, FtpTls, Place};
use backstay_core::destination::{Destination, FreeTraffic, Key, PartUpload, StoredPart, WriteMode};
use backstay_core::secret::Secret;
use backstay_destinations::ftp::{Ftp, probe_certificate};
use backstay_destinations::wrap::{Patience, Retry};
use backstay_destinations::{Opening, open_once, probe};
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
    let nowhere = try_open(&FtpPlace { host: "no-such-host.invalid".into(), ..right.clone() }).await.err().unwrap();
    assert_eq!(nowhere.class, ErrorClass::Offline);
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

#[tokio::test(flavor = "multi_thread")]
async fn awkward_names_go_there_and_back() {
    let Some(pro) = Proftpd::start(&options(TlsMode::None)) else { return };
    let Some(vs) = Vsftpd::start(&options(TlsMode::None)) else { return };
    let awkward =
        ["-rf", "a b", "a  b", "'\"$(x)`;|&", "*?[", "~", "日本/ü", "%2e%2e", "a:b", "...", "#", "-> x", "(|||1|)"];
    for place in [place(&pro, FtpTls::None, "b c"), place(&vs, FtpTls::None, "b c")] {
        let nas = open(&place).await;
        for name in awkward {
            nas.put(&key(name), Bytes::copy_from_slice(name.as_bytes()), WriteMode::CreateNew).await.unwrap();
            assert_eq!(nas.get(&key(name), None).await.unwrap(), name.as_bytes());
        }
        let mut expected: Vec<_> = awkward.iter().map(|name| (*name).to_owned()).collect();
        expected.sort();
        assert_eq!(names(&*nas).await, expected);
        for name in awkward {
            nas.delete(&key(name)).await.unwrap();
        }
        assert_eq!(names(&*nas).await, [] as [&str; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_vanish_or_cannot_be_made_are_named() {
    let Some(server) = Vsftpd::start(&options(TlsMode::None)) else { return };
    let deep = open(&place(&server, FtpTls::None, "/not/there")).await;
    assert_eq!(deep.list("").await.unwrap(), []);
    let error = deep.put(&key("k"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Missing, "{error}");
    assert!(error.message.ends_with("the folder /not is not there"), "{error}");
    let nas = open(&place(&server, FtpTls::None, "v")).await;
    nas.put(&key("d/k"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    let root = server.root();
    std::fs::rename(root.join("v"), root.join("away")).unwrap();
    let classes = [
        nas.put(&key("d/l"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.err().unwrap().class,
        nas.get(&key("d/k"), None).await.err().unwrap().class,
        nas.head(&key("d/k")).await.err().unwrap().class,
        nas.list("").await.err().unwrap().class,
        nas.delete(&key("d/k")).await.err().unwrap().class,
        nas.begin_upload(&key("d/l"), None).await.err().unwrap().class,
    ];
    assert_eq!(classes, [ErrorClass::Offline; 6]);
    assert!(!root.join("v").exists());
    // The owner's own files, but not to be written.
    std::fs::create_dir(root.join("locked")).unwrap();
    let locked = open(&place(&server, FtpTls::None, "locked")).await;
    let error = locked.put(&key("k"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_full_and_leaves_nothing_behind() {
    let small = FtpOptions { tls: TlsMode::Explicit, tmpfs: Some("8m"), ..FtpOptions::default() };
    let Some(pro) = Proftpd::start(&small) else { return };
    let Some(vs) = Vsftpd::start(&small) else { return };
    for (place, root) in
        [(place(&pro, FtpTls::Explicit, "b"), pro.root()), (place(&vs, FtpTls::Explicit, "b"), vs.root())]
    {
        let nas = open(&place).await;
        nas.put(&key("first"), noise(1, 5 * MIB), WriteMode::CreateNew).await.unwrap();
        for bytes in [5 * MIB, 30 * MIB] {
            let error = nas.put(&key("second"), noise(2, bytes), WriteMode::CreateNew).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Full, "{error}: {:?}", error.detail);
            until_no_temps_below(&root).await;
        }
        assert_eq!(names(&*nas).await, ["first"]);
        nas.put(&key("second"), noise(2, 2 * MIB), WriteMode::CreateNew).await.expect("there is room for less");
        assert!(nas.get(&key("first"), None).await.unwrap() == noise(1, 5 * MIB));
    }
}

async fn upload_all(upload: &dyn PartUpload, content: &Bytes, skip: &[StoredPart]) -> Vec<StoredPart> {
    let mut parts = skip.to_vec();
    let part_bytes = upload.part_bytes(1) as usize;
    for (number, offset) in (1_u32..).zip((0..content.len()).step_by(part_bytes)).skip(skip.len()) {
        let part = content.slice(offset..content.len().min(offset + part_bytes));
        parts.push(upload.put_part(number, offset as u64, part).await.unwrap());
    }
    parts
}

async fn uploads_go_on_after_cuts(server: &impl LabFtp, tls: FtpTls) {
    let proxies = Proxies::before(server).await.unwrap();
    let nas = open(&behind(&proxies, place(server, tls, "b"))).await;
    for round in 0..4_u64 {
        let name = key(&format!("cut/{round}"));
        let content = noise(round, 70 * MIB + round as usize * 777);
        let upload = nas.begin_upload(&name, Some(content.len() as u64)).await.unwrap();
        let part_bytes = upload.part_bytes(1) as usize;
        proxies.set_data(|f| f.rate = Some(80 * MIB as u64));
        let first = upload.put_part(1, 0, content.slice(..part_bytes)).await.unwrap();
        let cut = async {
            tokio::time::sleep(Duration::from_millis(60 + rand::random::<u64>() % 200)).await;
            match round {
                // The data connection, the control connection, or the server's process.
                0 | 1 => proxies.cut_data(),
                2 => proxies.control.cut_now(),
                _ => server.drop_sessions(),
            }
        };
        let second = upload.put_part(2, part_bytes as u64, content.slice(part_bytes..2 * part_bytes));
        let (second, ()) = tokio::join!(second, cut);
        let error = second.expect_err("a cut part is an error");
        assert_eq!(error.class, ErrorClass::Offline, "round {round}: {error} {:?}", error.detail);
        proxies.set_data(|f| f.rate = None);
        assert!(!names(&*nas).await.contains(&name.to_string()), "no half object is listed");
        let upload = match round % 2 {
            0 => upload,
            _ => nas.resume_upload(&name, None, &upload.token()).await.unwrap(),
        };
        let stored = upload.stored().await.unwrap();
        // Without its control connection a server may well take a part to its end.
        let whole = if round < 2 { 1 } else { stored.len().max(1) };
        assert_eq!(stored[..1], [first], "round {round}: what was stored is there");
        assert_eq!(stored.len(), whole, "round {round}: what was cut does not count");
        let parts = upload_all(&*upload, &content, &stored).await;
        upload.complete(&parts, WriteMode::CreateNew).await.unwrap();
        assert!(nas.get(&name, None).await.unwrap() == content, "round {round}: not what was sent");
    }
    until_no_temps_below(&server.root()).await;
}

fn proxied(tls: TlsMode) -> FtpOptions {
    FtpOptions { tls, known_ports: true, ..FtpOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_to_proftpd_go_on_after_cuts() {
    let Some(server) = Proftpd::start(&proxied(TlsMode::Explicit)) else { return };
    uploads_go_on_after_cuts(&server, FtpTls::Explicit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_to_vsftpd_go_on_after_cuts() {
    let Some(server) = Vsftpd::start(&proxied(TlsMode::None)) else { return };
    uploads_go_on_after_cuts(&server, FtpTls::None).await;
}

async fn downloads_go_on_after_cuts(server: &impl LabFtp, tls: FtpTls) {
    let proxies = Proxies::before(server).await.unwrap();
    let nas = open(&behind(&proxies, place(server, tls, "b"))).await;
    let content = noise(1, 20 * MIB + 3);
    nas.put(&key("whole"), content.clone(), WriteMode::CreateNew).await.unwrap();
    let mut got = Vec::new();
    let mut broken = 0;
    while got.len() < content.len() {
        let after = (broken < 4).then(|| MIB as u64 + rand::random::<u64>() % (4 * MIB as u64));
        proxies.set_data(|f| f.cut_after = after);
        let mut stream = nas.get_stream(&key("whole"), got.len() as u64).await.unwrap();
        let mut buffer = vec![0; 100_000];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => {
                    assert_eq!(got.len(), content.len(), "an early end must be an error");
                    break;
                }
                Ok(n) => got.extend_from_slice(&buffer[..n]),
                Err(error) => {
                    let error = backstay_core::Error::io("Cannot read", error);
                    assert_eq!(error.class, ErrorClass::Offline, "{error} {:?}", error.detail);
                    broken += 1;
                    break;
                }
            }
        }
    }
    assert!(got == content && broken == 4, "broken {broken} times");
    proxies.set_data(|f| f.cut_after = None);
    // A reader that loses interest leaves the session in order.
    let mut stream = nas.get_stream(&key("whole"), 5).await.unwrap();
    stream.read_exact(&mut [0; 10]).await.unwrap();
    drop(stream);
    assert!(nas.get(&key("whole"), Some(7..100_007)).await.unwrap() == content.slice(7..100_007));
    assert!(nas.get(&key("whole"), None).await.unwrap() == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_go_on_after_cuts_with_tls() {
    let Some(server) = Proftpd::start(&proxied(TlsMode::Explicit)) else { return };
    downloads_go_on_after_cuts(&server, FtpTls::Explicit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn downloads_go_on_after_cuts_without_tls() {
    let Some(server) = Vsftpd::start(&proxied(TlsMode::None)) else { return };
    downloads_go_on_after_cuts(&server, FtpTls::None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hung_up_meanwhile_is_met_again() {
    let Some(server) = Proftpd::start(&options(TlsMode::Explicit)) else { return };
    let nas = open(&place(&server, FtpTls::Explicit, "b")).await;
    nas.put(&key("k"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
    server.drop_sessions();
    let first = nas.get(&key("k"), None).await;
    assert!(first.as_ref().is_ok_and(|content| content == "x") || first.is_err_and(|e| e.class == ErrorClass::Offline));
    assert_eq!(nas.get(&key("k"), None).await.unwrap(), "x", "the next call connects anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_tells_a_dropped_connection_at_once() {
    let Some(server) = Proftpd::start(&proxied(TlsMode::None)) else { return };
    let proxies = Proxies::before(&server).await.unwrap();
    let place = Place::Ftp(behind(&proxies, place(&server, FtpTls::None, "b")));
    let nas = open_once("nas", &place, Opening { login: login(), ..Opening::default() }).await.unwrap();
    proxies.control.set(|faults| faults.refuse = true);
    proxies.control.cut_now();
    let before = proxies.control.connections();
    let probed = probe(&place, &*nas, &|_| {}).await;
    let told: Vec<_> = probed.steps.iter().filter(|step| !step.note).map(|step| (&*step.title, step.ok)).collect();
    assert_eq!(told, [("List what is there", false)]);
    assert!(proxies.control.connections() <= before + 1, "nothing is tried again");
    proxies.control.set(|faults| faults.refuse = false);
    let probed = probe(&place, &*nas, &|_| {}).await;
    assert!(probed.steps.iter().all(|step| step.ok || step.note), "{:#?}", probed.steps);
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
