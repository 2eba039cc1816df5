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
        let place = FtpPlace {
            host: "127.0.0.1".into(),
            port: scripted(replies).await,
            user: "u".into(),
            path: "b".into(),
            tls: FtpTls::None,
            pinned_certificate: None,
            passive: FtpPassive::Auto,
            ignore_pasv_address: false,
            connections: 1,
        };
        let error = try_open(&place).await.err().unwrap();
        assert!(
            error.detail.as_deref().is_some_and(|detail| detail.contains("PASV was asked")),
            "{refusal}: {error:?}"
        );
    }
}
