//! Connections that are cut: uploads and downloads go on, and a session that is gone is made anew.

use super::*;
use backstay_core::config::Place;
use backstay_core::destination::{PartUpload, StoredPart};
use backstay_destinations::{Opening, open_once, probe};
use bytes::Bytes;
use tokio::io::AsyncReadExt;

async fn upload_all(upload: &dyn PartUpload, content: &Bytes, skip: &[StoredPart]) -> Vec<StoredPart> {
    let mut parts = skip.to_vec();
    let part_bytes = upload.part_bytes(1) as usize;
    for (number, offset) in (1_u32..).zip((0..content.len()).step_by(part_bytes)).skip(skip.len()) {
        let part = content.slice(offset..content.len().min(offset + part_bytes));
        parts.push(upload.put_part(number, offset as u64, part).await.unwrap());
    }
    parts
}

/// Returns how many bytes data connections carried to the server so far.
fn data_sent(proxies: &Proxies) -> u64 {
    proxies.data.iter().map(|proxy| proxy.sent_bytes()).sum()
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
        let before = data_sent(&proxies);
        let cut = async {
            // What follows shall fall within the transfer, however long the server takes to begin it.
            let begun = async {
                while data_sent(&proxies) == before {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), begun).await.expect("the second part is on its way");
            tokio::time::sleep(Duration::from_millis(rand::random::<u64>() % 200)).await;
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
