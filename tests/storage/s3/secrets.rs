//! The secret key shows nowhere: not in errors, not in what Debug prints, not in the log, not on the wire.

use crate::support::{MIB, key, open};
use backstay_core::config::Place;
use backstay_core::destination::{Destination, WriteMode};
use backstay_destinations::Opening;
use backstay_lab::destination_contract::noise;
use backstay_lab::s3::{Does, Reply, S3Server};
use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The log is taken in a process of its own: other tests of this one would turn it on and off.
#[test]
fn the_secret_key_shows_nowhere() {
    let this = std::env::current_exe().unwrap();
    let output = std::process::Command::new(this)
        .args(["--ignored", "--exact", "secrets::logged", "--test-threads", "1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test(flavor = "current_thread")]
#[ignore = "run by the_secret_key_shows_nowhere, in a process of its own"]
async fn logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let server = S3Server::start().await;
    let secret = server.secret();
    let s3 = open(&server);
    let name = key("archives/a");
    s3.put_stream(&name, Box::new(Cursor::new(noise(1, 17 * MIB))), WriteMode::CreateNew).await.unwrap();
    s3.get(&name, Some(0..10)).await.unwrap();
    s3.link(&name, Duration::from_secs(600)).await.unwrap();
    let opening = Opening { login: server.login(), ..Opening::default() };
    let opened = backstay_destinations::open("store", &Place::S3(server.place()), opening).await.unwrap();
    opened.head(&name).await.unwrap();
    let mut texts = vec![format!("{s3:?}"), format!("{:?}", server.login())];
    // A store that repeats what it should not even know.
    let told = Reply::error(403, "SignatureDoesNotMatch", &format!("the key {} is wrong", secret.expose()));
    server.fault(1, Does::Says(told), |_| true);
    texts.push(format!("{:?}", s3.list("").await.unwrap_err()));
    let told = Reply::error(418, "Odd", &format!("the key {} is odd", secret.expose()));
    server.fault(1, Does::Says(told), |_| true);
    let error = s3.list("").await.unwrap_err();
    assert!(error.message.contains("the key *** is odd"), "{error}");
    texts.push(format!("{error:?}"));
    for text in &texts {
        assert!(!text.contains(secret.expose()), "{text}");
    }
    for seen in server.seen() {
        assert!(!format!("{seen:?}").contains(secret.expose()), "{}", seen.call);
    }
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.len() > 10_000, "the log was on: {} bytes", log.len());
    let asked = |line: &str| line.contains("asked of a destination") && line.contains("archives/a");
    assert!(log.lines().any(|line| asked(line) && line.contains("head")), "each call is in it");
    // The last text came from the store and holds it; nothing of ours does.
    let ours = log.lines().filter(|line| !line.contains("is wrong") && !line.contains("is odd"));
    for line in ours {
        assert!(!line.contains(secret.expose()), "{line}");
    }
}
