//! Streams nobody reads for now, and others that want their session.

use super::*;
use backstay_core::entry::ByteStream;
use backstay_destinations::ftp::Waits;
use bytes::Bytes;
use tokio::io::AsyncReadExt;

const SOON: Duration = Duration::from_millis(200);
const NEVER: Duration = Duration::from_secs(3600);

/// A server with one long object, and a destination there that has one session for all.
struct Narrow {
    server: Proftpd,
    proxies: Proxies,
    nas: Ftp,
    content: Bytes,
}

impl Narrow {
    async fn start(tls: TlsMode, waits: Waits) -> Option<Self> {
        let server = Proftpd::start(&proxied(tls))?;
        let content = noise(1, 24 * MIB);
        std::fs::write(server.root().join("long"), &content).unwrap();
        let proxies = Proxies::before(&server).await.unwrap();
        let tls = if tls == TlsMode::None { FtpTls::None } else { FtpTls::Explicit };
        let place = FtpPlace { connections: 1, ..behind(&proxies, place(&server, tls, "")) };
        let nas = Ftp::open_with("nas", &place, &login(), Arc::new(FreeTraffic), waits).await.unwrap();
        Some(Self { server, proxies, nas, content })
    }

    /// Begins to read, and then uses the only session for something else.
    async fn begun_and_interrupted(&self) -> (ByteStream, Vec<u8>) {
        let mut stream = self.nas.get_stream(&key("long"), 0).await.unwrap();
        let mut read = vec![0; 10];
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(self.nas.head(&key("long")).await.unwrap().size_bytes, self.content.len() as u64);
        (stream, read)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_lends_its_session_to_those_who_wait_and_goes_on() {
    let waits = Waits { turn: SOON, reader: NEVER, ..Waits::default() };
    let Some(narrow) = Narrow::start(TlsMode::Explicit, waits).await else { return };
    let before = data_connections(&narrow.proxies);
    let (mut stream, mut read) = narrow.begun_and_interrupted().await;
    stream.read_to_end(&mut read).await.unwrap();
    assert!(read == narrow.content);
    assert_eq!(data_connections(&narrow.proxies) - before, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_nobody_reads_gives_its_session_back_and_goes_on_when_it_is_read() {
    let waits = Waits { turn: NEVER, reader: SOON, ..Waits::default() };
    let Some(narrow) = Narrow::start(TlsMode::Explicit, waits).await else { return };
    let (mut stream, mut read) = narrow.begun_and_interrupted().await;
    stream.read_to_end(&mut read).await.unwrap();
    assert!(read == narrow.content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_never_goes_on_with_another_object() {
    let waits = Waits { turn: SOON, reader: NEVER, ..Waits::default() };
    let Some(narrow) = Narrow::start(TlsMode::None, waits).await else { return };
    for (bytes, told) in [(25 * MIB, "it was replaced while it was read"), (20 * MIB, "it ends at byte 20971520")] {
        std::fs::write(narrow.server.root().join("long"), &narrow.content).unwrap();
        let (mut stream, mut read) = narrow.begun_and_interrupted().await;
        std::fs::write(narrow.server.root().join("long"), noise(2, bytes)).unwrap();
        let error = stream.read_to_end(&mut read).await.unwrap_err();
        let error = backstay_core::Error::io("Cannot read", error);
        assert_eq!(error.class, ErrorClass::Corrupt, "{error}");
        assert!(error.message.contains(told), "{error}");
        assert!(narrow.content.starts_with(&read), "what came before is of the first one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_dropped_while_the_server_sends_nothing_frees_its_session() {
    let Some(narrow) = Narrow::start(TlsMode::None, Waits::default()).await else { return };
    narrow.proxies.set_data(|faults| faults.stall = true);
    drop(narrow.nas.get_stream(&key("long"), 0).await.unwrap());
    assert_eq!(narrow.nas.head(&key("long")).await.unwrap().size_bytes, narrow.content.len() as u64);
}
