//! Servers that know plain SFTP alone: no rename over what is there, no hard links.

use super::between::{Told, between};
use super::*;
use backstay_core::Result;

/// What becomes of the renames of a replacement: the first is refused since the name is taken, the old one steps aside,
/// the new one takes the name, the old one steps back.
const NEW_ONE_FAILS: [bool; 3] = [false, false, true];
const STEPPING_BACK_FAILS_TOO: [bool; 4] = [false, false, true, true];

async fn plain(server: &Sshd, user: &LabUser) -> (Arc<dyn Destination>, Arc<Told>) {
    let connection = server.connection(user);
    let told = Arc::new(Told { plain: true, ..Told::default() });
    let files = between(source(&connection, 2), &told);
    let place = SftpPlace { via: SftpVia::Own(connection), path: "/files".into() };
    (Arc::new(Sftp::open("nas", &place, files, Arc::new(FreeTraffic)).await.unwrap()), told)
}

async fn write(nas: &dyn Destination, content: &'static str, mode: WriteMode) -> Result<()> {
    nas.put(&key("d/k"), Bytes::from_static(content.as_bytes()), mode).await
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_without_its_extensions_keeps_the_contract() {
    let extra = "Match all\n  ForceCommand internal-sftp -P posix-rename,hardlink\n".to_owned();
    let Some(server) = Sshd::start_with(&SshdOptions { extra, ..SshdOptions::default() }) else { return };
    let user = server.add_user(SudoRight::None);
    let (connection, count) = (server.connection(&user), AtomicU32::new(0));
    let nas = open(&connection, user.home.join("look").to_str().unwrap()).await;
    assert!(!nas.capabilities().atomic_create, "it does not offer them");
    destination_contract::run(|| {
        let path = user.home.join(format!("v{}", count.fetch_add(1, Ordering::Relaxed)));
        let connection = connection.clone();
        async move { open(&connection, path.to_str().unwrap()).await }
    })
    .await;
    until_no_temps_below(&user.home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_taken_once_and_replaced_in_turns() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let (nas, _) = plain(&server, &user).await;
    write(&*nas, "one", WriteMode::CreateNew).await.unwrap();
    let taken = write(&*nas, "two", WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(taken.class, ErrorClass::Exists);
    assert_eq!(nas.get(&key("d/k"), None).await.unwrap(), "one");
    write(&*nas, "two", WriteMode::Replace).await.unwrap();
    assert_eq!(nas.get(&key("d/k"), None).await.unwrap(), "two");
    // An upload too; and one that finds the name taken at its end.
    for (mode, class) in [(WriteMode::Replace, None), (WriteMode::CreateNew, Some(ErrorClass::Exists))] {
        let upload = nas.begin_upload(&key("d/k"), None).await.unwrap();
        let part = upload.put_part(1, 0, Bytes::from_static(b"three")).await.unwrap();
        assert_eq!(upload.complete(&[part], mode).await.err().map(|error| error.class), class);
        upload.abort().await.unwrap();
        assert_eq!(nas.get(&key("d/k"), None).await.unwrap(), "three");
    }
    assert_eq!(files_below(&user.home).len(), 1, "nothing is left beside it: {:?}", files_below(&user.home));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_fails_half_way_leaves_the_old_one() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let (nas, told) = plain(&server, &user).await;
    write(&*nas, "old", WriteMode::CreateNew).await.unwrap();
    *told.failing.lock().unwrap() = NEW_ONE_FAILS.into();
    let error = write(&*nas, "new", WriteMode::Replace).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline, "{error}");
    assert_eq!(nas.get(&key("d/k"), None).await.unwrap(), "old");
    until_no_temps_below(&user.home).await;
    write(&*nas, "new", WriteMode::Replace).await.unwrap();
    assert_eq!(nas.get(&key("d/k"), None).await.unwrap(), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_was_left_aside_is_never_lost() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let (nas, told) = plain(&server, &user).await;
    for replaced_meanwhile in [false, true] {
        write(&*nas, "old", WriteMode::Replace).await.unwrap();
        *told.failing.lock().unwrap() = STEPPING_BACK_FAILS_TOO.into();
        write(&*nas, "new", WriteMode::Replace).await.unwrap_err();
        assert_eq!(nas.get(&key("d/k"), None).await.unwrap_err().class, ErrorClass::Missing);
        assert_eq!(names(&*nas).await, [""; 0], "what stepped aside is no object");
        if replaced_meanwhile {
            write(&*nas, "newer", WriteMode::Replace).await.unwrap();
        }
        // What is half written goes in the background.
        until_temps_below(&user.home, 1).await;
        // However old the file is, it is what it did last that counts.
        for path in files_below(&user.home) {
            filetime::set_file_mtime(path, filetime::FileTime::from_unix_time(1_000_000, 0)).unwrap();
        }
        let swept = nas.sweep(Duration::from_secs(86_400), &[]).await.unwrap();
        assert_eq!(swept.restored, 0, "somebody may be about to replace it");
        assert_eq!(temps_below(&user.home), 1, "but never is it taken for a leftover");
        let swept = nas.sweep(Duration::ZERO, &[]).await.unwrap();
        let (counts, content) = if replaced_meanwhile { ((1, 0), "newer") } else { ((0, 1), "old") };
        assert_eq!((swept.removed, swept.restored), counts);
        assert_eq!(nas.get(&key("d/k"), None).await.unwrap(), content);
        until_no_temps_below(&user.home).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_does_not_come_back() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let (nas, told) = plain(&server, &user).await;
    for replaced_meanwhile in [false, true] {
        write(&*nas, "old", WriteMode::Replace).await.unwrap();
        // A delete has looked into the folder before.
        nas.delete(&key("d/other")).await.unwrap();
        *told.failing.lock().unwrap() = STEPPING_BACK_FAILS_TOO.into();
        write(&*nas, "new", WriteMode::Replace).await.unwrap_err();
        if replaced_meanwhile {
            write(&*nas, "newer", WriteMode::Replace).await.unwrap();
        }
        until_temps_below(&user.home, 1).await;
        nas.delete(&key("d/k")).await.unwrap();
        until_no_temps_below(&user.home).await;
        let swept = nas.sweep(Duration::ZERO, &[]).await.unwrap();
        assert_eq!((swept.removed, swept.restored), (0, 0));
        assert_eq!(names(&*nas).await, [""; 0]);
    }
}
