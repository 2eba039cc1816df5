//! Uploads in parts, and what is cut on its way up or down.

use super::*;
use backstay_core::config::Place;
use backstay_core::destination::{PartUpload, StoredPart};
use backstay_destinations::{Opening, open_once};
use tokio::io::AsyncReadExt;

async fn upload_all(upload: &dyn PartUpload, content: &Bytes, skip: &[StoredPart]) -> Vec<StoredPart> {
    let mut parts = skip.to_vec();
    let part_bytes = upload.part_bytes(1) as usize;
    for (number, offset) in (1_u32..).zip((0..content.len()).step_by(part_bytes)) {
        if !skip.iter().any(|part| part.number == number) {
            let part = content.slice(offset..content.len().min(offset + part_bytes));
            parts.push(upload.put_part(number, offset as u64, part).await.unwrap());
        }
    }
    parts.sort_by_key(|part| part.number);
    parts
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_in_any_order_survive_the_process_that_began_them() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let connection = server.connection(&user);
    let nas = open(&connection, "b").await;
    let upload = nas.begin_upload(&key("big/file"), None).await.unwrap();
    let token = upload.token();
    let part_bytes = upload.part_bytes(1);
    assert!((1..100).all(|number| upload.part_bytes(number) == part_bytes));
    let content = noise(3, 3 * part_bytes as usize + 12_345);
    let part = |number: usize| {
        let start = (number - 1) * part_bytes as usize;
        content.slice(start..content.len().min(start + part_bytes as usize))
    };
    // The last and the second: the first leaves a hole that must not be taken for stored.
    upload.put_part(4, 3 * part_bytes, part(4)).await.unwrap();
    upload.put_part(2, part_bytes, part(2)).await.unwrap();
    let told: Vec<_> = upload.stored().await.unwrap().iter().map(|part| (part.number, part.size_bytes)).collect();
    assert_eq!(told, [(2, part_bytes), (4, 12_345)]);
    drop(upload);
    assert_eq!(names(&*nas).await, [] as [&str; 0], "nothing of it is listed");
    assert_eq!(nas.get(&key("big/file"), None).await.unwrap_err().class, ErrorClass::Missing);
    drop(nas);

    let nas = open(&connection, "b").await;
    let upload = nas.resume_upload(&key("big/file"), None, &token).await.unwrap();
    assert_eq!((upload.token(), upload.part_bytes(1)), (token.clone(), part_bytes));
    let stored = upload.stored().await.unwrap();
    assert_eq!(stored.iter().map(|part| part.number).collect::<Vec<_>>(), [2, 4]);
    let parts = upload_all(&*upload, &content, &stored).await;
    upload.complete(&parts, WriteMode::CreateNew).await.unwrap();
    upload.complete(&parts, WriteMode::CreateNew).await.expect("an answer may get lost: complete again is fine");
    assert!(nas.get(&key("big/file"), None).await.unwrap() == content);
    assert_eq!(temps_below(&user.home), 0);
    upload.abort().await.unwrap();
    assert!(nas.head(&key("big/file")).await.is_ok(), "an abort that comes late touches nothing");
    let gone = nas.resume_upload(&key("big/file"), None, &token).await.err().unwrap();
    assert_eq!(gone.class, ErrorClass::Missing);
    for forged in ["../x:1", "", "x", ".backstay-tmp-../../y:5"] {
        let error = nas.resume_upload(&key("big/file"), None, forged).await.err().unwrap();
        assert_eq!(error.class, ErrorClass::Missing, "{forged}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_finds_the_name_taken_or_is_aborted_leaves_nothing() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let nas = open(&server.connection(&user), "b").await;
    nas.put(&key("k"), Bytes::from_static(b"old"), WriteMode::CreateNew).await.unwrap();
    let upload = nas.begin_upload(&key("k"), Some(3)).await.unwrap();
    let part = upload.put_part(1, 0, Bytes::from_static(b"new")).await.unwrap();
    let parts = [part];
    let error = upload.complete(&parts, WriteMode::CreateNew).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Exists);
    assert_eq!(nas.get(&key("k"), None).await.unwrap(), "old");
    upload.complete(&parts, WriteMode::Replace).await.unwrap();
    assert_eq!(nas.get(&key("k"), None).await.unwrap(), "new");
    let other = nas.begin_upload(&key("o"), None).await.unwrap();
    other.put_part(1, 0, Bytes::from_static(b"half")).await.unwrap();
    other.abort().await.unwrap();
    other.abort().await.expect("twice is fine");
    assert_eq!(names(&*nas).await, ["k"]);
    assert_eq!(temps_below(&user.home), 0);
    let empty = nas.begin_upload(&key("empty"), None).await.unwrap();
    assert_eq!(empty.stored().await.unwrap(), []);
    empty.complete(&[], WriteMode::CreateNew).await.unwrap();
    assert_eq!(nas.head(&key("empty")).await.unwrap().size_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_cut_at_any_moment_goes_on_and_ends_whole() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let (proxy, connection) = behind_proxy(&server, &user).await;
    let nas = open(&connection, "b").await;
    for round in 0..4_u64 {
        let name = key(&format!("cut/{round}"));
        let content = noise(round, 50 * MIB + round as usize * 777);
        let upload = nas.begin_upload(&name, Some(content.len() as u64)).await.unwrap();
        // Slow enough for the cut to come in the midst.
        proxy.set(|f| f.rate = Some(60 * MIB as u64));
        let part_bytes = upload.part_bytes(1) as usize;
        let mut puts = tokio::task::JoinSet::new();
        for (number, offset) in (1_u32..).zip((0..content.len()).step_by(part_bytes)) {
            let (upload, part) = (upload.clone(), content.slice(offset..content.len().min(offset + part_bytes)));
            puts.spawn(async move { upload.put_part(number, offset as u64, part).await.map_err(|error| error.class) });
        }
        tokio::time::sleep(Duration::from_millis(40 + rand::random::<u64>() % 600)).await;
        proxy.set(|f| f.reset = round.is_multiple_of(2));
        proxy.cut_now();
        proxy.set(|f| f.rate = None);
        let ended = puts.join_all().await;
        assert!(ended.iter().all(|end| !matches!(end, Err(class) if *class != ErrorClass::Offline)), "{ended:?}");
        assert!(!names(&*nas).await.contains(&name.to_string()), "no half object is listed");
        // By the one that began it over a new connection, or by another process.
        let upload = match round % 2 {
            0 => upload,
            _ => nas.resume_upload(&name, None, &upload.token()).await.unwrap(),
        };
        let stored = upload.stored().await.unwrap();
        for done in ended.into_iter().flatten() {
            assert!(stored.contains(&done), "what was acknowledged is stored");
        }
        let parts = upload_all(&*upload, &content, &stored).await;
        upload.complete(&parts, WriteMode::CreateNew).await.unwrap();
        assert!(nas.get(&name, None).await.unwrap() == content, "round {round}: not what was sent");
    }
    assert_eq!(temps_below(&user.home), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_put_leaves_nothing_and_a_cut_download_goes_on_at_its_offset() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let (proxy, connection) = behind_proxy(&server, &user).await;
    let nas = open(&connection, "b").await;
    let content = noise(1, 40 * MIB + 3);
    nas.put(&key("whole"), content.clone(), WriteMode::CreateNew).await.unwrap();
    for round in 0..3 {
        proxy.set(|f| f.rate = Some(60 * MIB as u64));
        let cut = async {
            tokio::time::sleep(Duration::from_millis(50 + rand::random::<u64>() % 350)).await;
            proxy.cut_now();
            proxy.set(|f| f.rate = None);
        };
        let name = key("cut");
        let put = nas.put(&name, content.clone(), WriteMode::CreateNew);
        let (put, ()) = tokio::join!(put, cut);
        let error = put.unwrap_err();
        assert_eq!(error.class, ErrorClass::Offline, "{error}");
        assert!(error.message.starts_with("Cannot write cut on nas"), "{error}");
        assert_eq!(names(&*nas).await, ["whole"], "round {round}");
        until_no_temps_below(&user.home).await;

        let mut got = Vec::new();
        let mut broken = 0;
        while got.len() < content.len() {
            proxy
                .set(|f| f.cut_after = (broken < 3).then(|| 3 * MIB as u64 + rand::random::<u64>() % (9 * MIB as u64)));
            proxy.cut_now();
            let stream = nas.get_stream(&key("whole"), got.len() as u64).await;
            let Ok(mut stream) = stream else { continue };
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
                        assert_eq!(error.class, ErrorClass::Offline, "{error}");
                        broken += 1;
                        break;
                    }
                }
            }
        }
        assert!(got == content && broken == 3, "broken {broken} times");
        proxy.set(|f| f.cut_after = None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_over_a_narrow_line_that_is_busy_is_not_taken_for_silence() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    let (proxy, connection) = behind_proxy(&server, &user).await;
    let place = Place::Sftp(SftpPlace { via: SftpVia::Own(connection.clone()), path: "b".into() });
    let ssh = Some(source(&connection, 6));
    // Less than what is on its way at once takes.
    let opening = Opening { ssh, silence: Duration::from_secs(2), ..Opening::default() };
    let nas = open_once("nas", &place, opening).await.unwrap();
    proxy.set(|f| f.rate = Some(3 * MIB as u64));
    let content = noise(5, 16 * MIB);
    nas.put(&key("put"), content.clone(), WriteMode::CreateNew).await.unwrap();
    let stream = Box::new(std::io::Cursor::new(content.clone()));
    nas.put_stream(&key("stream"), stream, WriteMode::CreateNew).await.unwrap();
    proxy.set(|f| f.rate = None);
    for name in ["put", "stream"] {
        assert!(nas.get(&key(name), None).await.unwrap() == content, "{name}");
    }
}
