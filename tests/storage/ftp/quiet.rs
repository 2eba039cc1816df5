//! A server that hangs up on sessions nobody speaks on.

use super::*;
use async_trait::async_trait;
use backstay_core::RunContext;
use backstay_core::config::Place;
use backstay_core::destination::{Direction, Traffic};
use backstay_destinations::Opening;
use backstay_destinations::ftp::Waits;
use backstay_transfer::upload_stream;
use std::sync::atomic::AtomicBool;
use tokio::io::AsyncReadExt;

/// Longer than the server's patience, and not so long that anybody waits.
const LONG: Duration = Duration::from_secs(6);

fn impatient() -> Option<Proftpd> {
    let extra = "TimeoutIdle 3".to_owned();
    Proftpd::start(&FtpOptions { known_ports: true, extra, ..FtpOptions::default() })
}

/// Reads one object slowly, with a second session idle beside it; then uses both. Returns how many sessions were opened.
async fn sessions_for_a_long_read(awake: Duration) -> Option<u64> {
    let server = impatient()?;
    std::fs::write(server.root().join("long"), noise(1, 2 * MIB)).unwrap();
    let proxies = Proxies::before(&server).await.unwrap();
    let place = behind(&proxies, place(&server, FtpTls::None, ""));
    let waits = Waits { awake, ..Waits::default() };
    let ftp = Ftp::open_with("nas", &place, &login(), Arc::new(FreeTraffic), waits).await.unwrap();
    proxies.set_data(|faults| faults.rate = Some(2 * MIB as u64 / LONG.as_secs()));
    let both = || async {
        let stream = ftp.get_stream(&key("long"), 0).await.unwrap();
        // All of the first session is in use: this takes the second.
        assert_eq!(ftp.head(&key("long")).await.unwrap().size_bytes, 2 * MIB as u64);
        stream
    };
    let mut content = Vec::new();
    both().await.read_to_end(&mut content).await.unwrap();
    assert!(content == noise(1, 2 * MIB));
    proxies.set_data(|faults| faults.rate = None);
    drop(both().await);
    Some(proxies.control.connections())
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_at_rest_are_kept_awake_while_a_long_transfer_goes_on() {
    let (awake, asleep) = tokio::join!(
        sessions_for_a_long_read(Duration::from_millis(700)),
        sessions_for_a_long_read(Duration::from_secs(600)),
    );
    let (Some(awake), Some(asleep)) = (awake, asleep) else { return };
    assert_eq!(awake, 2, "both sessions are the first ones still");
    assert_eq!(asleep, 3, "else the server hangs up on the one at rest");
}

/// Stops everything once, for so long.
struct Pause(AtomicBool);

#[async_trait]
impl Traffic for Pause {
    async fn pass(&self, direction: Direction, _: usize) {
        if direction == Direction::Up && !self.0.swap(true, Ordering::Relaxed) {
            tokio::time::sleep(LONG).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_held_for_longer_than_the_server_waits_ends_whole() {
    let Some(server) = impatient() else { return };
    let place = place(&server, FtpTls::None, "");
    let pause = Arc::new(Pause(AtomicBool::new(false)));
    let ftp = Ftp::open("nas", &place, &login(), pause.clone()).await.unwrap();
    let ftp = Retry::new(Arc::new(ftp), Patience::default());
    let content = noise(2, 3 * MIB);
    let stream = Box::new(std::io::Cursor::new(content.clone()));
    upload_stream(&ftp, &key("held"), stream, None, WriteMode::CreateNew, &RunContext::silent()).await.unwrap();
    assert!(pause.0.load(Ordering::Relaxed));
    assert!(std::fs::read(server.root().join("held")).unwrap() == content);
    until_no_temps_below(&server.root()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_folders_over_a_long_way_are_no_silence() {
    const FOLDERS: usize = 16;
    let Some(server) = Proftpd::start(&proxied(TlsMode::None)) else { return };
    for number in 0..FOLDERS {
        std::fs::create_dir(server.root().join(number.to_string())).unwrap();
        std::fs::write(server.root().join(number.to_string()).join("file"), "x").unwrap();
    }
    let proxies = Proxies::before(&server).await.unwrap();
    let place = FtpPlace { connections: 1, ..behind(&proxies, place(&server, FtpTls::None, "")) };
    // One folder takes much less than a list may take, and all of them more.
    let patience = Patience { give_up_after: Duration::ZERO, ..Patience::default() };
    let opening = Opening { login: login(), silence: Duration::from_millis(300), patience, ..Opening::default() };
    let ftp = backstay_destinations::open("nas", &Place::Ftp(place), opening).await.unwrap();
    proxies.control.set(|faults| faults.delay_to_client = Duration::from_millis(60));
    let began = tokio::time::Instant::now();
    assert_eq!(ftp.list("").await.unwrap().len(), FOLDERS);
    assert!(began.elapsed() > Duration::from_millis(1500), "not slow enough: {:?}", began.elapsed());
}
