//! Names and folders: awkward ones, those that vanish or cannot be made, and a disk that is full.

use super::*;
use bytes::Bytes;

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
