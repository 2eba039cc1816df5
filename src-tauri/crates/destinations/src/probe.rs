//! The test of a destination, offered to the user: the contract in a mild form, step by step.

use crate::look::count_text;
use crate::s3;
use backstay_core::config::{FtpPlace, FtpTls, Place, S3Place};
use backstay_core::destination::{Destination, Key, WriteMode};
use backstay_core::{Error, ErrorClass, Result};
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
    /// In words: "Safe for two computers at once".
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

/// Tests a destination; each step is told as it ends. Leaves nothing behind. Never fails itself: what failed is a step.
/// A bucket is also asked for its settings, and what works best with it is found out.
///
/// `destination` should be without the retry wrapper, so that what fails shows at once (see [`crate::open_once`]).
pub async fn probe(
    place: &Place,
    destination: &dyn Destination,
    on_step: &(dyn Fn(ProbeStep) + Send + Sync),
) -> Probed {
    if let Some(bucket) = destination.backend().and_then(|backend| backend.downcast_ref::<s3::S3>()) {
        return bucket.probe(on_step).await;
    }
    let mut probed = general(destination, on_step).await;
    if let Place::Ftp(FtpPlace { tls: FtpTls::None, .. }) = place {
        let open = ProbeStep {
            note: true,
            hint: Some("Choose TLS if the server offers it; seal archives in any case".to_owned()),
            ..passed("Protect the way", "Password and data can be read by anybody on the way".to_owned())
        };
        on_step(open.clone());
        probed.steps.push(open);
    }
    probed
}

/// The test of any destination: list, room, write, read back, read a part, refuse to overwrite, replace, go on with an
/// upload, take any name, delete.
async fn general(destination: &dyn Destination, on_step: &(dyn Fn(ProbeStep) + Send + Sync)) -> Probed {
    let mut test = Test { destination, on_step, probed: Probed::default() };
    test.run().await;
    test.probed
}

struct Test<'a> {
    destination: &'a dyn Destination,
    on_step: &'a (dyn Fn(ProbeStep) + Send + Sync),
    probed: Probed,
}

impl Test<'_> {
    fn told(&mut self, step: ProbeStep) {
        (self.on_step)(step.clone());
        self.probed.steps.push(step);
    }

    fn can(&mut self, id: &str, title: &str, state: Option<bool>, text: &str) {
        self.probed.abilities.push(Ability {
            id: id.to_owned(),
            title: title.to_owned(),
            state: state.map_or("unknown", |can| if can { "yes" } else { "no" }).to_owned(),
            text: text.to_owned(),
        });
    }

    async fn run(&mut self) {
        match self.destination.list("").await {
            Ok(objects) => self.told(passed("List what is there", count_text(objects.len()))),
            Err(error) => return self.told(failed("List what is there", &error)),
        }
        let room = room(self.destination).await;
        let tells = room.ok.then_some(self.destination.capabilities().space);
        self.told(room);
        let text = if tells == Some(true) {
            "Backups that would not fit are refused before they start"
        } else {
            "What is free is not known: a backup that does not fit fails while it is written"
        };
        self.can("space", "Tells how much room is free", tells, text);
        let (name, content) = {
            let mut random = rand::rng();
            let content: Vec<u8> = (0..CONTENT_BYTES).map(|_| random.random()).collect();
            (format!("backstay-test-{:016x}", random.random::<u64>()), Bytes::from(content))
        };
        let keys = Key::new(name.as_str()).and_then(|key| {
            let awkward = Key::new(format!("{name}-\u{e4} b%20+~#"))?;
            Ok((key, awkward))
        });
        match keys {
            Ok((key, awkward)) => self.round_trip(&key, &awkward, content).await,
            Err(error) => self.told(failed("Write a file", &error)),
        }
    }

    async fn round_trip(&mut self, key: &Key, awkward: &Key, content: Bytes) {
        if let Err(error) = self.destination.put(key, content.clone(), WriteMode::CreateNew).await {
            return self.told(failed("Write a file", &error));
        }
        self.told(passed("Write a file", format!("{} written", size(content.len() as u64))));
        let read = self.destination.get(key, None).await;
        self.told(match read {
            Ok(read) if read == content => passed("Read it back", "What was read is what was written".to_owned()),
            Ok(_) => differs("Read it back"),
            Err(error) => failed("Read it back", &error),
        });
        let read = self.destination.get(key, Some(1_000..3_000)).await;
        let ranges = read.as_ref().ok().map(|read| *read == content.slice(1_000..3_000));
        self.told(match read {
            Ok(_) if ranges == Some(true) => passed("Read a part of it", "Works".to_owned()),
            Ok(_) => differs("Read a part of it"),
            Err(error) => failed("Read a part of it", &error),
        });
        let use_of_it = match self.destination.capabilities().parallel_ranges {
            0 | 1 => "Single files are restored without reading all; a download is one stream",
            _ => "Single files are restored without reading all; downloads use several streams",
        };
        self.can("ranges", "Gives parts of a file", ranges, use_of_it);
        self.overwrite(key).await;
        self.upload(key, content).await;
        self.any_name(awkward).await;
        self.remove(key).await;
    }

    async fn overwrite(&mut self, key: &Key) {
        const NEW: &str = "Never overwrite by accident";
        let again = self.destination.put(key, Bytes::from_static(b"other"), WriteMode::CreateNew).await;
        let refuses = match &again {
            Ok(()) => Some(false),
            Err(error) if error.class == ErrorClass::Exists => Some(true),
            Err(_) => None,
        };
        self.told(match again {
            Err(error) if error.class == ErrorClass::Exists => {
                passed(NEW, "A second file of that name was refused".to_owned())
            }
            Err(error) => failed(NEW, &error),
            Ok(()) => {
                ProbeStep { note: true, ..passed(NEW, "This destination replaces files without asking".to_owned()) }
            }
        });
        let surely = refuses.map(|refuses| refuses && self.destination.capabilities().atomic_create);
        let text = if surely == Some(true) {
            "Two computers can write to it at the same time"
        } else {
            "Two that write the same name in the same moment overwrite each other: let only one computer write to it"
        };
        self.can("conditional_writes", "Safe for two computers at once", surely, text);
        let other = Bytes::from_static(b"replaced");
        let replaced = match self.destination.put(key, other.clone(), WriteMode::Replace).await {
            Ok(()) => self.destination.get(key, None).await,
            Err(error) => Err(error),
        };
        self.told(match replaced {
            Ok(read) if read == other => passed("Replace it", "Works".to_owned()),
            Ok(_) => differs("Replace it"),
            Err(error) => failed("Replace it", &error),
        });
    }

    /// A part is stored, and found again by somebody who knows only the token.
    async fn upload(&mut self, key: &Key, content: Bytes) {
        const TITLE: &str = "Go on with an upload";
        let went_on = self.interrupted_upload(key, content).await;
        let can = went_on.as_ref().ok().copied();
        self.told(match went_on {
            Ok(true) => passed(TITLE, "What was sent is kept, and the upload went on".to_owned()),
            Ok(false) => ProbeStep {
                note: true,
                ..passed(TITLE, "What was sent is not kept: an interrupted upload begins anew".to_owned())
            },
            Err(error) => failed(TITLE, &error),
        });
        let text = if can == Some(true) {
            "After a lost connection only what is missing is sent"
        } else {
            "After a lost connection the whole file is sent again"
        };
        self.can("resume", "Goes on with interrupted uploads", can, text);
    }

    async fn interrupted_upload(&self, key: &Key, content: Bytes) -> Result<bool> {
        let size = content.len() as u64;
        let upload = self.destination.begin_upload(key, Some(size)).await?;
        let sent = async {
            upload.put_part(1, 0, content.clone()).await?;
            let again = self.destination.resume_upload(key, Some(size), &upload.token()).await?;
            let stored = again.stored().await?;
            if stored.len() != 1 || stored[0].size_bytes != size {
                return Ok(false);
            }
            again.complete(&stored, WriteMode::Replace).await?;
            Ok(self.destination.get(key, None).await? == content)
        };
        let sent = sent.await;
        if !matches!(sent, Ok(true)) {
            // What stays all the same is swept later.
            let _ = upload.abort().await;
        }
        sent
    }

    async fn any_name(&mut self, key: &Key) {
        const TITLE: &str = "Take any name";
        let content = Bytes::from_static(b"name");
        let there = async {
            self.destination.put(key, content.clone(), WriteMode::Replace).await?;
            let listed = self.destination.list(key.as_str()).await?;
            let right = listed.iter().any(|info| info.key == *key) && self.destination.get(key, None).await? == content;
            self.destination.delete(key).await?;
            Ok(right)
        };
        let step = match there.await {
            Ok(true) => passed(TITLE, "Blanks and letters of all languages work".to_owned()),
            Ok(false) => ProbeStep {
                note: true,
                hint: Some("Use plain letters in the file names of archives".to_owned()),
                ..passed(TITLE, "Names with blanks or special letters come back changed".to_owned())
            },
            Err(error) => failed(TITLE, &error),
        };
        self.told(step);
    }

    async fn remove(&mut self, key: &Key) {
        let step = match self.destination.delete(key).await {
            Ok(()) => match self.destination.head(key).await {
                Err(error) if error.class == ErrorClass::Missing => passed("Delete it", "Gone".to_owned()),
                Err(error) => failed("Delete it", &error),
                Ok(_) => ProbeStep {
                    ok: false,
                    hint: Some("Backstay could not free room here".to_owned()),
                    ..passed("Delete it", format!("{key} was deleted but is still there"))
                },
            },
            Err(error) => failed("Delete it", &error),
        };
        self.told(step);
    }
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

pub(crate) fn passed(title: &str, text: String) -> ProbeStep {
    ProbeStep { title: title.to_owned(), ok: true, note: false, text, hint: None }
}

pub(crate) fn failed(title: &str, error: &Error) -> ProbeStep {
    ProbeStep { ok: false, hint: error.hint.clone(), ..passed(title, error.message.clone()) }
}

pub(crate) fn differs(title: &str) -> ProbeStep {
    ProbeStep {
        ok: false,
        hint: Some("Do not use this destination: check its disk or cable".to_owned()),
        ..passed(title, "What was read is not what was written".to_owned())
    }
}

pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit < 2 { format!("{value:.0} {}", UNITS[unit]) } else { format!("{value:.1} {}", UNITS[unit]) }
}
