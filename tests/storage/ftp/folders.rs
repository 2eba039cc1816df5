//! Names and folders: awkward ones, those that vanish or cannot be made, and a disk that is full.

use super::*;
use bytes::Bytes;
use std::sync::atomic::AtomicBool;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

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

/// Stands before a server and cuts the first control connection that says `words`. Returns its port.
async fn cuts_once_at(server: u16, words: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let was_cut = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (server, was_cut) = (TcpStream::connect(("127.0.0.1", server)).await.unwrap(), was_cut.clone());
            tokio::spawn(async move {
                let ((from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                let mut lines = BufReader::new(from_client).lines();
                let up = async {
                    while let Ok(Some(line)) = lines.next_line().await {
                        if line.ends_with(words) && !was_cut.swap(true, Ordering::Relaxed) {
                            return;
                        }
                        to_server.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
                    }
                };
                tokio::select! {
                    () = up => {}
                    _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_lost_while_folders_are_made_is_worth_another_try() {
    let Some(server) = Proftpd::start(&proxied(TlsMode::None)) else { return };
    let proxies = Proxies::before(&server).await.unwrap();
    let place = behind(&proxies, place(&server, FtpTls::None, "b"));
    open(&place).await.put(&key("first"), Bytes::new(), WriteMode::CreateNew).await.unwrap();
    for words in ["/data", "/data/xx"] {
        let port = cuts_once_at(place.port, words).await;
        let place = FtpPlace { port, connections: 1, ..place.clone() };
        let patience = Patience { first_wait: Duration::from_millis(10), ..Patience::default() };
        let ftp = Retry::new(open(&place).await, patience);
        ftp.put(&key("data/xx/one"), Bytes::from_static(b"x"), WriteMode::Replace).await.unwrap();
        std::fs::remove_dir_all(server.root().join("b/data")).unwrap();
    }
}
