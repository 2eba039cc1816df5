//! The contract suite of destinations: what every one of them must do, word by word of the trait's documentation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod parts;
mod traffic;

pub use traffic::{CountingTraffic, traffic_sees_every_byte};

use backstay_core::ErrorClass;
use backstay_core::destination::{Destination, Key, WriteMode};
use backstay_core::entry::ByteStream;
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// Runs the whole suite. `make` returns a fresh, empty destination at each call. Panics at the first breach.
pub async fn run<F, Made>(make: F)
where
    F: Fn() -> Made,
    Made: Future<Output = Arc<dyn Destination>>,
{
    empty(make().await).await;
    round_trips(make().await).await;
    ranges(make().await).await;
    create_new_and_replace(make().await).await;
    one_of_many_creators_wins(make().await).await;
    readers_see_old_or_new(make().await).await;
    streams(make().await).await;
    a_failing_stream_leaves_nothing(make().await).await;
    a_dropped_put_leaves_nothing(make().await).await;
    lists(make().await).await;
    deletes(make().await).await;
    many_at_once(make().await).await;
    room(make().await).await;
    awkward_names(make().await).await;
    a_thousand_objects(make().await).await;
    parts::all(async || make().await).await;
}

/// Bytes that do not compress and differ by seed.
pub fn noise(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut content = Vec::with_capacity(length);
    while content.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(length);
    content.into()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

async fn class_of_get(destination: &dyn Destination, name: &str) -> ErrorClass {
    destination.get(&key(name), None).await.expect_err("an absent key was read").class
}

async fn sorted(destination: &dyn Destination, prefix: &str) -> Vec<(String, u64)> {
    let listed = destination.list(prefix).await.unwrap();
    let mut names: Vec<_> = listed.into_iter().map(|info| (info.key.as_str().to_owned(), info.size_bytes)).collect();
    names.sort();
    names
}

async fn empty(destination: Arc<dyn Destination>) {
    assert!(!destination.label().is_empty(), "a destination has a name for messages");
    assert_eq!(sorted(&*destination, "").await, [], "a fresh destination is empty");
    assert_eq!(class_of_get(&*destination, "a").await, ErrorClass::Missing);
    assert_eq!(class_of_get(&*destination, "a/b").await, ErrorClass::Missing);
    assert_eq!(destination.head(&key("a")).await.unwrap_err().class, ErrorClass::Missing);
    assert_eq!(destination.get_stream(&key("a"), 0).await.err().map(|error| error.class), Some(ErrorClass::Missing));
    destination.delete(&key("a")).await.expect("deleting an absent key is fine");
}

async fn round_trips(destination: Arc<dyn Destination>) {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    let names =
        ["a", "data/ab/abcdef", "name with blank", "-dash", "ünï/日本語", "a.b.c", ".hidden", "x+y=z&q#1%20", &long];
    for (seed, name) in names.iter().enumerate() {
        for length in [0, 1, 70_000] {
            let content = noise(seed as u64, length);
            destination.put(&key(name), content.clone(), WriteMode::Replace).await.unwrap();
            assert!(
                destination.get(&key(name), None).await.unwrap() == content,
                "{name}: {length} bytes came back wrong"
            );
            let info = destination.head(&key(name)).await.unwrap();
            assert_eq!((info.key.as_str(), info.size_bytes), (*name, length as u64));
        }
    }
    let big = noise(99, 5 * 1024 * 1024 + 3);
    destination.put(&key("big"), big.clone(), WriteMode::CreateNew).await.unwrap();
    assert!(destination.get(&key("big"), None).await.unwrap() == big);
    assert_eq!(sorted(&*destination, "").await.len(), names.len() + 1);
}

async fn ranges(destination: Arc<dyn Destination>) {
    let content = noise(5, 10_000);
    destination.put(&key("r"), content.clone(), WriteMode::CreateNew).await.unwrap();
    for range in [0..10_000, 0..1, 9_999..10_000, 17..4_711, 0..0, 10_000..10_000] {
        let read = destination.get(&key("r"), Some(range.clone())).await.unwrap();
        assert!(read == content.slice(range.start as usize..range.end as usize), "range {range:?}");
    }
    for range in [0..10_001, 9_999..10_001, 20_000..20_001] {
        let error = destination.get(&key("r"), Some(range.clone())).await.expect_err("read beyond the end");
        assert_eq!(error.class, ErrorClass::Corrupt, "range {range:?}");
    }
}

async fn create_new_and_replace(destination: Arc<dyn Destination>) {
    destination.put(&key("k"), Bytes::from_static(b"one"), WriteMode::CreateNew).await.unwrap();
    let again = destination.put(&key("k"), Bytes::from_static(b"two"), WriteMode::CreateNew).await;
    if destination.capabilities().atomic_create {
        assert_eq!(again.unwrap_err().class, ErrorClass::Exists);
        assert_eq!(destination.get(&key("k"), None).await.unwrap(), "one", "a refused put must not touch the object");
        let stream: ByteStream = Box::new(io::Cursor::new(b"three".to_vec()));
        let error = destination.put_stream(&key("k"), stream, WriteMode::CreateNew).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Exists);
    }
    destination.put(&key("k"), Bytes::from_static(b"a longer four"), WriteMode::Replace).await.unwrap();
    assert_eq!(destination.get(&key("k"), None).await.unwrap(), "a longer four");
    destination.put(&key("k"), Bytes::from_static(b"5"), WriteMode::Replace).await.unwrap();
    assert_eq!(destination.get(&key("k"), None).await.unwrap(), "5");
    assert_eq!(sorted(&*destination, "").await, [("k".to_owned(), 1)], "nothing else is left behind");
}

async fn one_of_many_creators_wins(destination: Arc<dyn Destination>) {
    if !destination.capabilities().atomic_create {
        return;
    }
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..16u64 {
        let destination = Arc::clone(&destination);
        writers.spawn(async move {
            let put = destination.put(&key("race/k"), noise(writer, 30_000), WriteMode::CreateNew).await;
            (writer, put)
        });
    }
    let mut winners = Vec::new();
    for (writer, put) in writers.join_all().await {
        match put {
            Ok(()) => winners.push(writer),
            Err(error) => assert_eq!(error.class, ErrorClass::Exists, "{error}"),
        }
    }
    assert_eq!(winners.len(), 1, "exactly one creator wins");
    assert!(destination.get(&key("race/k"), None).await.unwrap() == noise(winners[0], 30_000));
}

async fn readers_see_old_or_new(destination: Arc<dyn Destination>) {
    let versions: Vec<_> = (0..4).map(|seed| noise(seed, 200_000)).collect();
    destination.put(&key("v"), versions[0].clone(), WriteMode::CreateNew).await.unwrap();
    let writer = {
        let (destination, versions) = (Arc::clone(&destination), versions.clone());
        tokio::spawn(async move {
            for round in 0..12 {
                destination.put(&key("v"), versions[round % 4].clone(), WriteMode::Replace).await.unwrap();
            }
        })
    };
    loop {
        let over = writer.is_finished();
        match destination.get(&key("v"), None).await {
            Ok(read) => assert!(versions.contains(&read), "a reader saw a mixture"),
            Err(error) if error.class == ErrorClass::Missing && !destination.capabilities().atomic_replace => {}
            Err(error) => panic!("an object being replaced is always there: {error}"),
        }
        if over {
            break;
        }
    }
    writer.await.unwrap();
}

async fn streams(destination: Arc<dyn Destination>) {
    for length in [0usize, 1, 3 * 1024 * 1024 + 17] {
        let name = format!("s/{length}");
        let content = noise(length as u64, length);
        let stream: ByteStream = Box::new(io::Cursor::new(content.clone()));
        let written = destination.put_stream(&key(&name), stream, WriteMode::CreateNew).await.unwrap();
        assert_eq!(written, length as u64);
        for offset in [0, length / 2, length] {
            let mut read = Vec::new();
            let mut stream = destination.get_stream(&key(&name), offset as u64).await.unwrap();
            stream.read_to_end(&mut read).await.unwrap();
            assert!(read == content[offset..], "{length} bytes from {offset}");
        }
        let beyond = destination.get_stream(&key(&name), length as u64 + 1).await;
        assert_eq!(beyond.err().map(|error| error.class), Some(ErrorClass::Corrupt));
    }
}

/// Yields so many bytes, then an error, or nothing ever more.
struct Breaking {
    left: usize,
    hang: bool,
}

impl AsyncRead for Breaking {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return if self.hang {
                Poll::Pending
            } else {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, "cut")))
            };
        }
        let count = self.left.min(buffer.remaining());
        buffer.put_slice(&vec![7; count]);
        self.left -= count;
        Poll::Ready(Ok(()))
    }
}

async fn a_failing_stream_leaves_nothing(destination: Arc<dyn Destination>) {
    for left in [0, 10, 3_000_000] {
        let stream: ByteStream = Box::new(Breaking { left, hang: false });
        let error = destination.put_stream(&key("f"), stream, WriteMode::CreateNew).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Offline, "the source's error keeps its class");
        assert_eq!(sorted(&*destination, "").await, []);
        assert_eq!(class_of_get(&*destination, "f").await, ErrorClass::Missing);
    }
    destination.put(&key("f"), Bytes::from_static(b"old"), WriteMode::CreateNew).await.unwrap();
    let stream: ByteStream = Box::new(Breaking { left: 5_000, hang: false });
    destination.put_stream(&key("f"), stream, WriteMode::Replace).await.unwrap_err();
    assert_eq!(destination.get(&key("f"), None).await.unwrap(), "old", "the old object is still whole");
}

async fn a_dropped_put_leaves_nothing(destination: Arc<dyn Destination>) {
    let stream: ByteStream = Box::new(Breaking { left: 2_000_000, hang: true });
    let name = key("dropped/k");
    let put = destination.put_stream(&name, stream, WriteMode::CreateNew);
    let ended = tokio::time::timeout(std::time::Duration::from_millis(300), put).await;
    assert!(ended.is_err(), "a put of an endless stream returned");
    assert_eq!(sorted(&*destination, "").await, []);
    destination.put(&name, Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
}

async fn lists(destination: Arc<dyn Destination>) {
    for name in ["config", "data/aa/1", "data/ab/2", "data/ab/22", "database", "keys/k"] {
        destination.put(&key(name), Bytes::copy_from_slice(name.as_bytes()), WriteMode::CreateNew).await.unwrap();
    }
    let names = |listed: Vec<(String, u64)>| listed.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(
        sorted(&*destination, "").await.iter().map(|(name, size)| name.len() as u64 == *size).collect::<Vec<_>>(),
        [true; 6],
        "sizes are listed"
    );
    assert_eq!(names(sorted(&*destination, "data/").await), ["data/aa/1", "data/ab/2", "data/ab/22"]);
    assert_eq!(names(sorted(&*destination, "data").await), ["data/aa/1", "data/ab/2", "data/ab/22", "database"]);
    assert_eq!(names(sorted(&*destination, "data/ab/2").await), ["data/ab/2", "data/ab/22"]);
    assert_eq!(names(sorted(&*destination, "data/a").await), ["data/aa/1", "data/ab/2", "data/ab/22"]);
    assert_eq!(names(sorted(&*destination, "config").await), ["config"]);
    for absent in ["nothing", "nothing/", "config/", "data/ab/2/x"] {
        assert_eq!(names(sorted(&*destination, absent).await), [] as [&str; 0], "{absent}");
    }
}

async fn deletes(destination: Arc<dyn Destination>) {
    destination.put(&key("d/a"), Bytes::from_static(b"1"), WriteMode::CreateNew).await.unwrap();
    destination.put(&key("d/b"), Bytes::from_static(b"2"), WriteMode::CreateNew).await.unwrap();
    destination.delete(&key("d")).await.expect("a prefix is not an object");
    destination.delete(&key("d/a")).await.unwrap();
    destination.delete(&key("d/a")).await.expect("twice is fine");
    assert_eq!(class_of_get(&*destination, "d/a").await, ErrorClass::Missing);
    assert_eq!(sorted(&*destination, "").await, [("d/b".to_owned(), 1)]);
    destination.put(&key("d/a"), Bytes::from_static(b"3"), WriteMode::CreateNew).await.expect("a deleted key is free");
}

async fn many_at_once(destination: Arc<dyn Destination>) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40u64 {
        let destination = Arc::clone(&destination);
        tasks.spawn(async move {
            let name = key(&format!("many/{:02x}/{number}", number % 7));
            let content = noise(number, 20_000 + number as usize);
            destination.put(&name, content.clone(), WriteMode::CreateNew).await.unwrap();
            assert!(destination.get(&name, None).await.unwrap() == content);
            if number % 2 == 0 {
                destination.delete(&name).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(sorted(&*destination, "many/").await.len(), 20);
}

async fn room(destination: Arc<dyn Destination>) {
    match destination.space().await {
        Ok(space) => assert!(space.free_bytes <= space.total_bytes && space.total_bytes > 0),
        Err(error) => {
            assert!(!destination.capabilities().space);
            assert_eq!(error.class, ErrorClass::Unsupported);
        }
    }
}

async fn awkward_names(destination: Arc<dyn Destination>) {
    let mut names = vec![
        "a b/c d",
        "100%",
        "%41",
        "~tilde",
        "..dots",
        "semi;colon",
        "s't",
        "comma,a",
        "a=b&c",
        "(par) [br] {cur}",
        "!bang",
        "$dollar",
        "emoji 🗄",
        "Upper",
        "lower",
        "na\u{308}ive",
        "n\u{e4}ive",
        "x@y",
        "^`",
    ];
    if !cfg!(windows) {
        names.extend(["x?y", "q*r", "\"quoted\"", "<v>&amp;", "w:x", "dots..", "p|q"]);
    }
    for name in &names {
        let put = destination.put(&key(name), Bytes::copy_from_slice(name.as_bytes()), WriteMode::CreateNew).await;
        put.unwrap_or_else(|error| panic!("{name}: {error} {:?}", error.detail));
    }
    for name in &names {
        assert_eq!(destination.get(&key(name), None).await.unwrap(), name.as_bytes(), "{name}");
        assert_eq!(sorted(&*destination, name).await.first().map(|(listed, _)| listed.as_str()), Some(*name));
    }
    let mut expected: Vec<_> = names.iter().map(|name| ((*name).to_owned(), name.len() as u64)).collect();
    expected.sort();
    assert_eq!(sorted(&*destination, "").await, expected);
    for name in &names {
        destination.delete(&key(name)).await.unwrap();
    }
    assert_eq!(sorted(&*destination, "").await, []);
}

async fn a_thousand_objects(destination: Arc<dyn Destination>) {
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..10_u32 {
        let destination = Arc::clone(&destination);
        tasks.spawn(async move {
            for number in 0..101 {
                let name = key(&format!("data/{worker:02x}/{number:03}"));
                destination.put(&name, Bytes::from_static(b"x"), WriteMode::CreateNew).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let listed = sorted(&*destination, "data/").await;
    assert_eq!(listed.len(), 1010, "a listing has more than one page");
    assert!(listed.windows(2).all(|pair| pair[0].0 < pair[1].0), "each once");
    assert_eq!(sorted(&*destination, "data/03/").await.len(), 101);
}
