//! What is left half way: temporary files, and objects that stepped aside for others.

use super::*;
use bytes::Bytes;
use std::time::SystemTime;

fn write_old(path: &Path, content: &str) {
    std::fs::write(path, content).unwrap();
    filetime::set_file_mtime(path, filetime::FileTime::from_unix_time(1_000_000_000, 0)).unwrap();
}

/// The name of an object that stepped aside so many seconds ago.
fn aside(ago: u64, name: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    format!(".backstay-tmp-old-{:010}-{name}", now - ago)
}

async fn leftovers_are_cleared_up(server: &impl LabFtp) {
    let nas = open(&place(server, FtpTls::None, "b")).await;
    nas.put(&key("d/there"), Bytes::from_static(b"new"), WriteMode::CreateNew).await.unwrap();
    let kept = nas.begin_upload(&key("d/kept"), None).await.unwrap();
    let folder = server.root().join("b/d");
    for path in files_below(&folder).iter().filter(|path| path.to_string_lossy().contains(".backstay-tmp-")) {
        filetime::set_file_mtime(path, filetime::FileTime::from_unix_time(1_000_000_000, 0)).unwrap();
    }
    write_old(&folder.join(format!(".backstay-tmp-{}", "0".repeat(32))), "half");
    std::fs::write(folder.join(format!(".backstay-tmp-{}", "1".repeat(32))), "half").unwrap();
    write_old(&folder.join(".backstay-tmp-notes.txt"), "of somebody else");
    // Left two hours ago: one whose replacement got the name, and two of the same name without.
    let (replaced, older, last) = (aside(7200, "there"), aside(7300, "gone"), aside(7200, "gone"));
    for (name, content) in [(&replaced, "old"), (&older, "older"), (&last, "old")] {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let fresh = aside(5, "in-work");
    std::fs::write(folder.join(&fresh), "old").unwrap();
    assert_eq!(names(&*nas).await, ["d/there"]);

    let swept = nas.sweep(Duration::from_secs(7 * 86_400), &[kept.token()]).await.unwrap();
    assert_eq!((swept.removed, swept.restored, swept.left), (3, 1, 3), "{:?}", files_below(&folder));
    assert_eq!(names(&*nas).await, ["d/gone", "d/there"]);
    assert_eq!(nas.get(&key("d/there"), None).await.unwrap(), "new");
    assert_eq!(nas.get(&key("d/gone"), None).await.unwrap(), "old", "the last one comes back");
    assert!(folder.join(&fresh).exists(), "somebody may be about to replace it");
    assert!(folder.join(".backstay-tmp-notes.txt").exists(), "what is not ours stays");
    assert_eq!(kept.stored().await.unwrap(), [], "what is to be gone on with stays");
    kept.abort().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_on_proftpd_are_cleared_up() {
    let Some(server) = Proftpd::start(&options(TlsMode::None)) else { return };
    leftovers_are_cleared_up(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_on_vsftpd_are_cleared_up() {
    let Some(server) = Vsftpd::start(&options(TlsMode::None)) else { return };
    leftovers_are_cleared_up(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_renames_over_nothing_replaces_all_the_same() {
    let strict = FtpOptions { extra: "AllowOverwrite off\n".into(), ..FtpOptions::default() };
    let Some(server) = Proftpd::start(&strict) else { return };
    let nas = open(&place(&server, FtpTls::None, "b")).await;
    for content in ["one", "two", "three"] {
        nas.put(&key("k"), Bytes::from_static(content.as_bytes()), WriteMode::Replace).await.unwrap();
        assert_eq!(nas.get(&key("k"), None).await.unwrap(), content);
    }
    let taken = nas.put(&key("k"), Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(taken.class, ErrorClass::Exists);
    assert_eq!(files_below(&server.root()).len(), 1, "nothing is left beside it");
    let long = key(&"x".repeat(250));
    nas.put(&long, Bytes::from_static(b"one"), WriteMode::Replace).await.unwrap();
    let error = nas.put(&long, Bytes::from_static(b"two"), WriteMode::Replace).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unsupported, "{error}");
    assert_eq!(nas.get(&long, None).await.unwrap(), "one");
}

async fn what_is_deleted_does_not_come_back(server: &impl LabFtp) {
    let nas = open(&place(server, FtpTls::None, "b")).await;
    nas.put(&key("d/k"), Bytes::from_static(b"new"), WriteMode::CreateNew).await.unwrap();
    let folder = server.root().join("b/d");
    for name in [aside(7200, "k"), aside(7300, "k"), aside(7200, "other")] {
        std::fs::write(folder.join(name), "old").unwrap();
    }
    nas.delete(&key("d/k")).await.unwrap();
    let swept = nas.sweep(Duration::from_secs(7 * 86_400), &[]).await.unwrap();
    assert_eq!((swept.removed, swept.restored, swept.left), (0, 1, 0), "{:?}", files_below(&folder));
    assert_eq!(names(&*nas).await, ["d/other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_on_proftpd_does_not_come_back() {
    let Some(server) = Proftpd::start(&options(TlsMode::None)) else { return };
    what_is_deleted_does_not_come_back(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_on_vsftpd_does_not_come_back() {
    let Some(server) = Vsftpd::start(&options(TlsMode::None)) else { return };
    what_is_deleted_does_not_come_back(&server).await;
}
