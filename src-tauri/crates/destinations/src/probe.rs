//! The test of a destination, offered to the user: the contract in a mild form, step by step.

use backstay_core::config::{Place, S3Place};
use backstay_core::destination::{Destination, Key, WriteMode};
use backstay_core::{Error, ErrorClass};
use bytes::Bytes;
use rand::RngExt;

/// One step of a destination's test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeStep {
    /// What was tried: "Write a file".
    pub title: String,
    /// Whether it worked.
    pub ok: bool,
    /// Whether it is worth a note though it does not hinder backups.
    pub note: bool,
    /// What came of it.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// One thing a store can or cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ability {
    /// "conditional_writes", "object_lock", "lifecycle", "versioning", "ranges", "resume", "space", "links".
    pub id: String,
    /// In words: "Refuses to overwrite by accident".
    pub title: String,
    /// "yes", "no" or "unknown".
    pub state: String,
    /// What that means for backups.
    pub text: String,
}

/// What a destination's test found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// The steps, in order.
    pub steps: Vec<ProbeStep>,
    /// What it can and cannot do.
    pub abilities: Vec<Ability>,
    /// What it costs to know.
    pub cost_notes: Vec<String>,
    /// The bucket with what the test found out filled in.
    pub settled: Option<S3Place>,
}

/// Less room than this is worth a note.
const LITTLE_ROOM_BYTES: u64 = 1024 * 1024 * 1024;
const CONTENT_BYTES: usize = 64 * 1024;

/// Tests a destination: list, room, write, read back, read a part, refuse to overwrite, delete. Leaves nothing behind.
/// Never fails itself: what failed is a step.
pub async fn probe(
    _place: &Place,
    destination: &dyn Destination,
    on_step: &(dyn Fn(ProbeStep) + Send + Sync),
) -> Probed {
    let steps = general(destination).await;
    steps.iter().cloned().for_each(on_step);
    Probed { steps, ..Probed::default() }
}

async fn general(destination: &dyn Destination) -> Vec<ProbeStep> {
    let mut steps = Vec::new();
    match destination.list("").await {
        Ok(objects) => steps.push(passed(
            "List what is there",
            match objects.len() {
                0 => "Nothing is there yet".to_owned(),
                1 => "1 file".to_owned(),
                count => format!("{count} files"),
            },
        )),
        Err(error) => {
            steps.push(failed("List what is there", &error));
            return steps;
        }
    }
    steps.push(room(destination).await);
    let (name, content) = {
        let mut random = rand::rng();
        let content: Vec<u8> = (0..CONTENT_BYTES).map(|_| random.random()).collect();
        (format!("backstay-test-{:016x}", random.random::<u64>()), Bytes::from(content))
    };
    match Key::new(name) {
        Ok(key) => round_trip(destination, &key, content, &mut steps).await,
        Err(error) => steps.push(failed("Write a file", &error)),
    }
    steps
}

async fn room(destination: &dyn Destination) -> ProbeStep {
    const TITLE: &str = "Ask for free room";
    match destination.space().await {
        Ok(space) => {
            let text = format!("{} of {} are free", size(space.free_bytes), size(space.total_bytes));
            let mut step = passed(TITLE, text);
            if space.free_bytes < LITTLE_ROOM_BYTES {
                step.note = true;
                step.hint = Some("There is little room: make some, or backups will soon fail".to_owned());
            }
            step
        }
        Err(error) if error.class == ErrorClass::Unsupported => {
            ProbeStep { note: true, ..passed(TITLE, "This destination does not tell".to_owned()) }
        }
        Err(error) => failed(TITLE, &error),
    }
}

async fn round_trip(destination: &dyn Destination, key: &Key, content: Bytes, steps: &mut Vec<ProbeStep>) {
    if let Err(error) = destination.put(key, content.clone(), WriteMode::CreateNew).await {
        steps.push(failed("Write a file", &error));
        return;
    }
    steps.push(passed("Write a file", format!("{} written", size(content.len() as u64))));
    steps.push(match destination.get(key, None).await {
        Ok(read) if read == content => passed("Read it back", "What was read is what was written".to_owned()),
        Ok(_) => differs("Read it back"),
        Err(error) => failed("Read it back", &error),
    });
    steps.push(match destination.get(key, Some(1_000..3_000)).await {
        Ok(read) if read == content.slice(1_000..3_000) => passed("Read a part of it", "Works".to_owned()),
        Ok(_) => differs("Read a part of it"),
        Err(error) => failed("Read a part of it", &error),
    });
    const NEW: &str = "Never overwrite by accident";
    steps.push(match destination.put(key, Bytes::from_static(b"other"), WriteMode::CreateNew).await {
        Err(error) if error.class == ErrorClass::Exists => {
            passed(NEW, "A second file of that name was refused".to_owned())
        }
        Err(error) => failed(NEW, &error),
        Ok(()) => ProbeStep { note: true, ..passed(NEW, "This destination replaces files without asking".to_owned()) },
    });
    steps.push(match destination.delete(key).await {
        Ok(()) => match destination.head(key).await {
            Err(error) if error.class == ErrorClass::Missing => passed("Delete it", "Gone".to_owned()),
            Err(error) => failed("Delete it", &error),
            Ok(_) => ProbeStep {
                ok: false,
                hint: Some("Backstay could not free room here".to_owned()),
                ..passed("Delete it", format!("{key} was deleted but is still there"))
            },
        },
        Err(error) => failed("Delete it", &error),
    });
}

fn passed(title: &str, text: String) -> ProbeStep {
    ProbeStep { title: title.to_owned(), ok: true, note: false, text, hint: None }
}

fn failed(title: &str, error: &Error) -> ProbeStep {
    ProbeStep { title: title.to_owned(), ok: false, note: false, text: error.message.clone(), hint: error.hint.clone() }
}

fn differs(title: &str) -> ProbeStep {
    ProbeStep {
        ok: false,
        hint: Some("Do not use this destination: check its disk or cable".to_owned()),
        ..passed(title, "What was read is not what was written".to_owned())
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}
