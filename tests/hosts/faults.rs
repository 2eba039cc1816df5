//! Servers that cannot be reached, do not answer, or go away in the midst.

use super::{connect, connect_with, no_pins, options, path, who};
use backstay_core::ErrorClass;
use backstay_core::config::{Connection, SshConnection, Sudo};
use backstay_core::host::{Command, run};
use backstay_hosts::{ConnectOptions, HostSecrets};
use backstay_lab::proxy::FaultProxy;
use backstay_lab::ssh::{LabUser, Sshd, SudoRight, free_port};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn lost(error: std::io::Error) -> backstay_core::Error {
    backstay_core::Error::io("Cannot read", error)
}

fn stranger(port: u16) -> SshConnection {
    SshConnection {
        host: "127.0.0.1".into(),
        port,
        user: "nobody".into(),
        auth: backstay_core::config::SshAuth::Password,
        password_too: false,
        jumps: Vec::new(),
        sudo: Sudo::None,
        fingerprint: Some("SHA256:x".into()),
    }
}

async fn behind_proxy(server: &Sshd, user: &LabUser) -> (FaultProxy, SshConnection) {
    let proxy = FaultProxy::start(server.port()).await.unwrap();
    let connection = SshConnection { port: proxy.port(), ..server.connection(user) };
    (proxy, connection)
}

#[tokio::test]
async fn closed_port_and_unknown_name() {
    let port = free_port().unwrap();
    let error = connect(stranger(port), HostSecrets::default()).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::Offline);
    assert_eq!(error.message, format!("Cannot connect to lab at 127.0.0.1:{port}: nothing listens on this port"));
    // A label of 64 letters is no name: it fails without anybody being asked.
    let nowhere = SshConnection { host: format!("{}.invalid", "n".repeat(64)), ..stranger(22) };
    let error = connect(nowhere, HostSecrets::default()).await.err().unwrap();
    assert!(error.class == ErrorClass::Offline && error.message.ends_with("cannot be resolved"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let keep = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    let options = ConnectOptions { connect_timeout: Duration::from_millis(300), ..options() };
    let error = connect_with(stranger(port), HostSecrets::default(), options).await.err().unwrap();
    assert_eq!(error.class, ErrorClass::TimedOut);
    assert!(error.message.contains("takes the connection but does not answer as SSH within 0.3 seconds"), "{error}");
    keep.abort();
}

#[tokio::test]
async fn something_that_is_not_ssh() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = connect(stranger(port), HostSecrets::default()).await.err().unwrap();
    assert!(matches!(error.class, ErrorClass::Unsupported | ErrorClass::Offline), "{error}");
    assert!(error.hint.is_some());
}

/// Between two places at which a log-in is cut.
const CUT_STEP: usize = 61;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_cut_while_logging_in_is_never_taken_for_a_fault_of_the_account() {
    let Some(server) = Sshd::start() else { return };
    for user in [server.add_user(SudoRight::None), server.add_sftp_user()] {
        let (proxy, connection) = behind_proxy(&server, &user).await;
        connect(connection.clone(), HostSecrets::default()).await.unwrap();
        let whole = proxy.passed_bytes();
        for cut in (1..whole).step_by(CUT_STEP) {
            proxy.set(|f| f.cut_after = Some(cut));
            if let Err(error) = connect(connection.clone(), HostSecrets::default()).await {
                assert!(error.class.may_retry(), "cut after {cut} of {whole} bytes: {error} {:?}", error.detail);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_line_is_never_an_end_and_the_next_call_reconnects() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let (proxy, connection) = behind_proxy(&server, &user).await;
    let host = connect(connection, HostSecrets::default()).await.unwrap();
    let mut process = host.start(Command::new("cat").arg("/dev/zero")).await.unwrap();
    let mut piece = vec![0; 100_000];
    process.stdout.read_exact(&mut piece).await.unwrap();
    proxy.cut_now();
    let mut rest = Vec::new();
    // Bounded: what was on its way still comes, then an error, never a clean end.
    let read = tokio::time::timeout(Duration::from_secs(20), process.stdout.read_to_end(&mut rest)).await.unwrap();
    assert!(read.is_err());
    let error = process.control.wait().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline);
    assert!(process.stdin.write_all(&vec![0; 10 << 20]).await.is_err());
    assert_eq!(who(host.as_ref()).await, user.name);
    assert!(proxy.connections() >= 2);
    // While nobody lets us in, calls fail plainly; afterwards they work again.
    proxy.set(|f| f.refuse = true);
    proxy.cut_now();
    let mut process = host.start(Command::new("true")).await;
    let end = Instant::now() + Duration::from_secs(10);
    while process.is_ok() && Instant::now() < end {
        // The loss of an idle connection is seen within moments, not at once.
        tokio::time::sleep(Duration::from_millis(20)).await;
        process = host.start(Command::new("true")).await;
    }
    assert_eq!(process.err().unwrap().class, ErrorClass::Offline);
    proxy.set(|f| f.refuse = false);
    assert_eq!(who(host.as_ref()).await, user.name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cuts_at_many_places_never_give_a_short_file() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let file = user.home.join("file");
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(&file, &content).unwrap();
    let file = path(file.to_string_lossy().as_bytes());
    let (proxy, connection) = behind_proxy(&server, &user).await;
    let mut whole = 0;
    // Everywhere, and densely near the end: there the server has told the exit status already while bytes are on their way.
    for round in 0..24_u64 {
        let cut = if round < 10 { 4_000 + round * 290_001 } else { 2_900_000 + round * 4_777 };
        proxy.set(|f| f.cut_after = Some(cut));
        let read = async {
            let host = connect(connection.clone(), HostSecrets::default()).await?;
            let mut bytes = Vec::new();
            host.read(&file).await?.read_to_end(&mut bytes).await.map_err(lost)?;
            Ok::<_, backstay_core::Error>(bytes)
        };
        match tokio::time::timeout(Duration::from_secs(30), read).await.expect("hangs") {
            Ok(bytes) => {
                assert!(
                    bytes == content,
                    "a wrong file after {round}: {} bytes, proxy passed {}, connections {}",
                    bytes.len(),
                    proxy.passed_bytes(),
                    proxy.connections()
                );
                whole += 1;
            }
            Err(error) => assert!(
                matches!(error.class, ErrorClass::Offline | ErrorClass::TimedOut | ErrorClass::Internal),
                "{error} {:?}",
                error.class
            ),
        }
    }
    assert!(whole < 14, "the cuts near the start cannot all have come too late");
    proxy.set(|f| f.cut_after = None);
    let host = connect(connection, HostSecrets::default()).await.unwrap();
    assert_eq!(host.stat(&file).await.unwrap().size_bytes, content.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_cut_while_written_keeps_the_old_one() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let (proxy, connection) = behind_proxy(&server, &user).await;
    let host = connect(connection, HostSecrets::default()).await.unwrap();
    let file = path(user.home.join("kept").to_string_lossy().as_bytes());
    host.write(&file, 0o600, &mut &b"old"[..]).await.unwrap();
    // Half is sent, then the line is cut, then the content goes on as if nothing were.
    let mut content = Box::pin(tokio_util_chain(&proxy));
    let error = host.write(&file, 0o600, &mut content).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline, "{error}");
    assert_eq!(host.stat(&file).await.unwrap().size_bytes, 3);
}

fn tokio_util_chain(proxy: &FaultProxy) -> impl tokio::io::AsyncRead + Send + use<'_> {
    struct Cuts<'a>(&'a FaultProxy);
    impl tokio::io::AsyncRead for Cuts<'_> {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            self.0.cut_now();
            std::task::Poll::Ready(Ok(()))
        }
    }
    tokio::io::repeat(7).take(1 << 20).chain(Cuts(proxy)).chain(tokio::io::repeat(8).take(1 << 20))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_line_is_found_by_its_silence() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let (proxy, connection) = behind_proxy(&server, &user).await;
    let options = ConnectOptions { keepalive: Duration::from_millis(200), ..options() };
    let host = connect_with(connection, HostSecrets::default(), options).await.unwrap();
    let mut process = host.start(Command::new("cat")).await.unwrap();
    proxy.set(|f| f.stall = true);
    let error =
        tokio::time::timeout(Duration::from_secs(20), process.control.wait()).await.expect("hangs").unwrap_err();
    assert_eq!(error.class, ErrorClass::Offline);
    assert!(error.message.contains("no sign of life"), "{error}");
    proxy.set(|f| f.stall = false);
    assert_eq!(who(host.as_ref()).await, user.name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_waits_does_not_hold_up_the_others() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let host = connect(server.connection(&user), HostSecrets::default()).await.unwrap();
    // Far more than all buffers hold, and nobody reads it.
    let script = "head -c 50000000 /dev/zero; echo end";
    let mut slow = host.start(Command::sh(script, [""; 0])).await.unwrap();
    let mut first = [0; 1];
    slow.stdout.read_exact(&mut first).await.unwrap();
    let output = tokio::time::timeout(Duration::from_secs(30), run(host.as_ref(), Command::new("echo").arg("x"), b""));
    assert_eq!(output.await.expect("held up").unwrap().text(), "x\n");
    let mut rest = Vec::new();
    slow.stdout.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest.len(), 50_000_000 - 1 + 4);
    assert!(slow.control.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_passes() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let host = connect(server.connection(&user), HostSecrets::default()).await.unwrap();
    let size = 300_000_000_u64;
    let mut process = host.start(Command::new("head").args(["-c", &size.to_string(), "/dev/zero"])).await.unwrap();
    let passed = tokio::io::copy(&mut process.stdout, &mut tokio::io::sink()).await.unwrap();
    assert_eq!(passed, size);
    assert!(process.control.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sftp_survives_a_cut_too() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_sftp_user();
    std::fs::write(user.home.join("file"), vec![1; 2_000_000]).unwrap();
    let (proxy, connection) = behind_proxy(&server, &user).await;
    let host = connect(connection, HostSecrets::default()).await.unwrap();
    let file = path("/files/file");
    proxy.set(|f| f.cut_after = Some(500_000));
    // The limit counts from where the running connection stands; whatever it cuts, nothing is short and nothing hangs.
    for _ in 0..3 {
        let read = async {
            let mut bytes = Vec::new();
            host.read(&file).await?.read_to_end(&mut bytes).await.map_err(lost)?;
            Ok::<_, backstay_core::Error>(bytes)
        };
        let error = tokio::time::timeout(Duration::from_secs(30), read).await.expect("hangs").unwrap_err();
        assert!(error.class.may_retry(), "{error} {:?}", error.class);
    }
    proxy.set(|f| f.cut_after = None);
    assert_eq!(host.stat(&file).await.unwrap().size_bytes, 2_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_step_of_the_first_connection_has_its_own_time() {
    let Some(server) = Sshd::start() else { return };
    let user = server.add_user(SudoRight::None);
    let (proxy, connection) = behind_proxy(&server, &user).await;
    // Greeting, keys, log-in and shell each take less than the limit, and more in all.
    proxy.set(|f| f.delay_to_client = Duration::from_millis(1600));
    let began = Instant::now();
    let host = connect(connection, HostSecrets::default()).await.unwrap();
    assert!(began.elapsed() > options().connect_timeout, "not slow enough: {:?}", began.elapsed());
    proxy.set(|f| f.delay_to_client = Duration::ZERO);
    assert_eq!(who(host.as_ref()).await, user.name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_prints_too_much_is_ended() {
    let here = Connection::Local { sudo: Sudo::None };
    let mut hosts =
        vec![backstay_hosts::connect("here", &here, HostSecrets::default(), no_pins(), options()).await.unwrap()];
    let server = Sshd::start();
    if let Some(server) = &server {
        let user = server.add_user(SudoRight::None);
        hosts.push(connect(server.connection(&user), HostSecrets::default()).await.unwrap());
    }
    for host in hosts {
        let command = Command::sh("cat /dev/zero; echo never", [""; 0]);
        let ran = tokio::time::timeout(Duration::from_secs(60), run(host.as_ref(), command, b"")).await;
        let error = ran.expect("hangs").unwrap_err();
        assert_eq!(error.class, ErrorClass::Unsupported, "{error}");
        assert!(error.message.ends_with("it printed more than 64 MiB"), "{error}");
    }
}
