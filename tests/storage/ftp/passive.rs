//! How data connections are asked for: servers that know no EPSV, and those that tell a wrong address to PASV.

use super::*;

/// An address of this computer where no server listens, as one behind a router tells its inner one.
const WRONG: &str = "127.0.0.9";

fn wrong_address(more: &str) -> FtpOptions {
    FtpOptions { extra: format!("MasqueradeAddress {WRONG}\n{more}"), ..FtpOptions::default() }
}

const NO_EPSV: &str = "<Limit EPSV>\nDenyAll\n</Limit>\n";

/// Uses several sessions at the same time, up, down and to list.
async fn works(place: &FtpPlace) {
    let nas = open(place).await;
    for round in 0..2_u64 {
        let contents: Vec<_> = (0..6).map(|n| (key(&format!("d{n}/k")), noise(round + n, 300_000))).collect();
        let puts = contents.iter().map(|(key, content)| nas.put(key, content.clone(), WriteMode::Replace));
        futures::future::try_join_all(puts).await.unwrap();
        let gets = contents.iter().map(|(key, _)| nas.get(key, None));
        for (content, (_, sent)) in futures::future::try_join_all(gets).await.unwrap().iter().zip(&contents) {
            assert!(content == sent);
        }
        assert_eq!(names(&*nas).await.len(), 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_epsv_is_used_by_pasv() {
    let refuses = FtpOptions { extra: NO_EPSV.into(), ..FtpOptions::default() };
    let Some(server) = Proftpd::start(&refuses) else { return };
    let place = place(&server, FtpTls::None, "b");
    works(&place).await;
    works(&FtpPlace { passive: FtpPassive::Pasv, ..place.clone() }).await;
    let error = try_open(&FtpPlace { passive: FtpPassive::Epsv, ..place }).await.err().unwrap();
    assert!(error.message.starts_with("Cannot open nas"), "what was chosen is what is done: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_is_told_to_pasv_alone_and_may_be_ignored() {
    let Some(server) = Proftpd::start(&wrong_address("")) else { return };
    let place = place(&server, FtpTls::None, "b");
    works(&place).await;
    works(&FtpPlace { passive: FtpPassive::Epsv, ..place.clone() }).await;
    let pasv = FtpPlace { passive: FtpPassive::Pasv, ..place };
    let error = try_open(&pasv).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Offline, "{error}");
    works(&FtpPlace { ignore_pasv_address: true, ..pasv }).await;

    let vsftpd = FtpOptions { extra: format!("pasv_address={WRONG}\n"), ..FtpOptions::default() };
    let Some(server) = Vsftpd::start(&vsftpd) else { return };
    let pasv = FtpPlace { passive: FtpPassive::Pasv, ..super::place(&server, FtpTls::None, "b") };
    assert_eq!(try_open(&pasv).await.err().unwrap().class, ErrorClass::Offline);
    works(&FtpPlace { ignore_pasv_address: true, ..pasv }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_and_no_epsv_want_the_address_ignored() {
    let Some(server) = Proftpd::start(&wrong_address(NO_EPSV)) else { return };
    let place = place(&server, FtpTls::None, "b");
    assert_eq!(try_open(&place).await.err().unwrap().class, ErrorClass::Offline);
    works(&FtpPlace { ignore_pasv_address: true, ..place }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_word_for_not_known_leads_to_pasv() {
    for refusal in ["500 what?", "501 what?", "502 not here", "503 no", "504 no", "522 (1)", "550 no"] {
        let replies: &'static [(&str, &str)] = Vec::leak(vec![
            ("USER", "331 go on"),
            ("PASS", "230 in"),
            ("TYPE", "200 ok"),
            ("PWD", "257 \"/\""),
            ("EPSV", refusal),
            ("PASV", "425 PASV was asked"),
        ]);
        let place = odd_place("127.0.0.1", scripted(replies).await);
        let error = try_open(&place).await.err().unwrap();
        assert!(
            error.detail.as_deref().is_some_and(|detail| detail.contains("PASV was asked")),
            "{refusal}: {error:?}"
        );
    }
}

fn odd_place(host: &str, port: u16) -> FtpPlace {
    FtpPlace {
        host: host.into(),
        port,
        user: "u".into(),
        path: "b".into(),
        tls: FtpTls::None,
        pinned_certificate: None,
        passive: FtpPassive::Auto,
        ignore_pasv_address: false,
        connections: 1,
    }
}

/// A server of empty folders that refuses EPSV once, when it is asked for the second time, and PASV always. Returns its
/// port, and how often PASV was asked for; `None` where there is no such address.
async fn hiccups(host: &'static str) -> Option<(u16, Arc<AtomicU32>)> {
    let listener = tokio::net::TcpListener::bind((host, 0)).await.ok()?;
    let port = listener.local_addr().unwrap().port();
    let (epsv, pasv) = (AtomicU32::new(0), Arc::new(AtomicU32::new(0)));
    let told = pasv.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (reader, mut writer) = stream.into_split();
            let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(reader));
            let _ = writer.write_all(b"220 odd\r\n").await;
            let mut data = None;
            while let Ok(Some(line)) = lines.next_line().await {
                let reply = match line.split(' ').next().unwrap() {
                    "USER" => "331 go on".to_owned(),
                    "PASS" => "230 in".to_owned(),
                    "PWD" => "257 \"/\"".to_owned(),
                    "CWD" | "TYPE" | "NOOP" => "200 ok".to_owned(),
                    "EPSV" if epsv.fetch_add(1, Ordering::Relaxed) == 1 => "550 not now".to_owned(),
                    "EPSV" => {
                        let opened = tokio::net::TcpListener::bind((host, 0)).await.unwrap();
                        let at = opened.local_addr().unwrap().port();
                        data = Some(opened);
                        format!("229 Entering Extended Passive Mode (|||{at}|)")
                    }
                    "PASV" => {
                        pasv.fetch_add(1, Ordering::Relaxed);
                        "425 never".to_owned()
                    }
                    "LIST" => {
                        let _ = writer.write_all(b"150 here\r\n").await;
                        drop(data.take().unwrap().accept().await);
                        "226 done".to_owned()
                    }
                    _ => "500 what?".to_owned(),
                };
                let _ = writer.write_all(format!("{reply}\r\n").as_bytes()).await;
            }
        }
    });
    Some((port, told))
}

#[tokio::test(flavor = "multi_thread")]
async fn epsv_that_failed_once_is_asked_for_again() {
    let (port, pasv) = hiccups("127.0.0.1").await.unwrap();
    let nas = open(&odd_place("127.0.0.1", port)).await;
    assert_eq!(nas.list("").await.unwrap_err().class, ErrorClass::Offline);
    assert_eq!(pasv.load(Ordering::Relaxed), 1);
    assert_eq!(nas.list("").await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn pasv_is_no_way_out_over_ipv6() {
    let Some((port, pasv)) = hiccups("::1").await else { return };
    let nas = open(&odd_place("::1", port)).await;
    let _ = nas.list("").await;
    assert_eq!(nas.list("").await.unwrap(), []);
    assert_eq!(pasv.load(Ordering::Relaxed), 0);
}
