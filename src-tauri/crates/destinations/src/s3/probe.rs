//! The test of a bucket: what it can do is tried, not believed. Under a random name of its own, cleaned up at the end.

use super::client::S3;
use super::errors::{Act, Answer, span};
use super::probe_report::report;
use super::probe_tries::{differs, noise, too_long, upload_and_abort, within};
use super::settings::BucketSettings;
use super::steps::{failed, noted, passed, wrong};
use crate::probe::{ProbeStep, Probed};
use aws_sdk_s3::primitives::ByteStream as Body;
use backstay_core::config::{DestinationLogin, S3Place};
use backstay_core::destination::{Destination, FreeTraffic, Key, WriteMode};
use backstay_core::{Error, ErrorClass, Result};
use bytes::Bytes;
use rand::RngExt;
use std::sync::Arc;

const CONTENT_BYTES: usize = 64 << 10;
/// Stores refuse requests whose time differs by 15 minutes; a difference to worry about is smaller.
const SKEW_LIMIT_SECONDS: u64 = 15 * 60;
const SKEW_NOTE_SECONDS: u64 = 60;

/// What the test found out so far.
#[derive(Default)]
pub(super) struct Found {
    pub(super) settings: BucketSettings,
    pub(super) conditional: Option<bool>,
    pub(super) ranges: Option<bool>,
    pub(super) resume: Option<bool>,
    /// Old versions stay after a delete; `None` where this key does not see them.
    pub(super) old_versions: Option<bool>,
    /// A link opened the file for anybody.
    pub(super) links: Option<bool>,
}

pub(super) struct Test<'a> {
    label: &'a str,
    login: &'a DestinationLogin,
    on_step: &'a (dyn Fn(ProbeStep) + Send + Sync),
    pub(super) place: S3Place,
    stem: String,
    pub(super) steps: Vec<ProbeStep>,
    pub(super) found: Found,
}

/// Tests a bucket step by step, each told as it ends: both ways of addressing it and the clock, its settings, writing with
/// sums, reading, checksums, refusing to overwrite, uploads in parts, listing, deleting. Leaves nothing behind. Never
/// fails itself: what failed is a step. `settled` is the place with what was found out filled in.
pub async fn probe(
    label: &str,
    place: &S3Place,
    login: &DestinationLogin,
    on_step: &(dyn Fn(ProbeStep) + Send + Sync),
) -> Probed {
    let mut test = Test::new(label, place, login, on_step);
    let reached = test.reach().await;
    if let Some(s3) = reached {
        test.tests(&s3).await;
        test.clean(&s3).await;
    }
    report(test.place, test.steps, &test.found)
}

impl S3 {
    /// Tests this bucket; see [`probe`].
    pub async fn probe(&self, on_step: &(dyn Fn(ProbeStep) + Send + Sync)) -> Probed {
        let store = &self.store;
        let login = DestinationLogin { secret: Some(store.secret.clone()), ..DestinationLogin::default() };
        let label = store.label.split(" (s3://").next().unwrap_or(&store.label);
        probe(label, &store.place, &login, on_step).await
    }
}

impl<'a> Test<'a> {
    pub(super) fn new(
        label: &'a str,
        place: &S3Place,
        login: &'a DestinationLogin,
        on_step: &'a (dyn Fn(ProbeStep) + Send + Sync),
    ) -> Self {
        let stem = format!("backstay-test-{:016x}", rand::rng().random::<u64>());
        Self { label, login, on_step, place: place.clone(), stem, steps: Vec::new(), found: Found::default() }
    }
}

impl Test<'_> {
    pub(super) fn tell(&mut self, step: ProbeStep) {
        (self.on_step)(step.clone());
        self.steps.push(step);
    }

    pub(super) fn open(&self) -> Result<S3> {
        S3::open(self.label, &self.place, self.login, Arc::new(FreeTraffic))
    }

    pub(super) fn key(&self, name: &str) -> Result<Key> {
        Key::new(format!("{}/{name}", self.stem))
    }

    /// Finds the way to the bucket: in the path or in the host name.
    pub(super) async fn reach(&mut self) -> Option<S3> {
        const TITLE: &str = "Reach the bucket";
        let wanted = self.place.path_style;
        let mut first = None;
        let mut ways = Vec::new();
        for path_style in [wanted, !wanted] {
            self.place.path_style = path_style;
            match self.knock().await {
                Ok(s3) => ways.push(s3),
                Err(error) => first = first.or(Some(error)),
            }
            // A number as host leaves but one way.
            if ways.last().is_some_and(|s3: &S3| s3.store.place.path_style != path_style) {
                ways.truncate(1);
                break;
            }
        }
        let both = ways.len() == 2;
        let Some(s3) = ways.into_iter().next() else {
            self.place.path_style = wanted;
            let error = first.unwrap_or_else(|| Error::new(ErrorClass::Internal, "Cannot reach the bucket"));
            self.tell(failed(TITLE, &error));
            return None;
        };
        self.place.path_style = s3.store.place.path_style;
        self.place.endpoint.clone_from(&s3.store.place.endpoint);
        let place = &s3.store.place;
        let way = match (both, place.path_style) {
            (true, _) => "with the bucket in the path and in the host name",
            (false, true) => "with the bucket in the path",
            (false, false) => "with the bucket in the host name",
        };
        let text = format!("{} answers {way}", s3.store.address.host);
        if s3.store.address.encrypted {
            self.tell(passed(TITLE, text));
        } else {
            let hint = "Use an address that begins with https:// unless the network is your own: over http everybody on the \
                        way can read file names, and archives that are not sealed";
            self.tell(noted(TITLE, format!("{text}, but nothing is encrypted on the way"), Some(hint)));
        }
        self.clock(&s3);
        Some(s3)
    }

    /// Asks for the list, which says more than a look at the bucket: its answers have words. Not being allowed to list
    /// is an answer too; the step for it comes later.
    async fn knock(&self) -> Result<S3> {
        let s3 = self.open()?;
        let store = &s3.store;
        let asked = store.client.list_objects_v2().bucket(&store.place.bucket).max_keys(1).prefix(store.full(""));
        let tried = format!("Cannot reach {}", store.label);
        match within(asked.send()).await.map_err(|()| too_long(&tried))? {
            Ok(_) => Ok(s3),
            Err(error) => match Answer::of(&error) {
                Some(answer) if answer.code == "AccessDenied" || answer.is_unknown_call() => Ok(s3),
                _ => Err(store.failed(Act::List, &tried, error)),
            },
        }
    }

    fn clock(&mut self, s3: &S3) {
        const TITLE: &str = "Compare the clocks";
        let Some(ahead) = s3.store.sight.ahead_seconds() else { return };
        let (apart, way) = (ahead.unsigned_abs(), if ahead > 0 { "ahead of" } else { "behind" });
        let text = format!("This computer's clock is {} {way} the store's", span(apart));
        let hint = "Set this computer's clock by a time server: stores refuse requests 15 minutes off";
        self.tell(match apart {
            0..SKEW_NOTE_SECONDS => passed(TITLE, "They agree".to_owned()),
            SKEW_NOTE_SECONDS..SKEW_LIMIT_SECONDS => noted(TITLE, text, Some(hint)),
            _ => wrong(TITLE, &text, hint),
        });
    }

    async fn tests(&mut self, s3: &S3) {
        self.settings(s3).await;
        if !self.write_and_read(s3).await {
            // What cannot be written cannot be tested further, but may still be listed.
            self.list(s3).await;
            return;
        }
        self.checksums().await;
        self.refuses_to_overwrite(s3).await;
        self.parts(s3).await;
        self.list(s3).await;
        self.delete(s3).await;
    }

    async fn settings(&mut self, s3: &S3) {
        const TITLE: &str = "Read the bucket's settings";
        let settings = match within(s3.settings()).await {
            Ok(Ok(settings)) => settings,
            Ok(Err(error)) => return self.tell(noted(TITLE, error.message, error.hint.as_deref())),
            Err(()) => return self.tell(noted(TITLE, "It took too long".to_owned(), None)),
        };
        self.found.settings = settings;
        let words = |what: &str, is: Option<bool>| match is {
            Some(true) => format!("{what} on"),
            Some(false) => format!("{what} off"),
            None => format!("{what} unknown"),
        };
        let text = format!("{}, {}", words("Versions", settings.versioning), words("lock", settings.lock));
        let wants_lock = self.place.lock_days.is_some_and(|days| days > 0);
        self.tell(match settings.default_lock_days {
            Some(days) => noted(
                TITLE,
                format!("{text}; the bucket locks every new file for {days} days by itself"),
                Some("Turn the bucket's own lock off and let Backstay lock archives: a vault must be able to delete"),
            ),
            None if wants_lock && settings.lock == Some(false) => wrong(
                TITLE,
                &format!("{text}, but archives are to be locked"),
                "Object lock can mostly be had only for a new bucket: make one with it, or do without the lock",
            ),
            None => passed(TITLE, text),
        });
    }

    /// Returns whether anything could be written.
    async fn write_and_read(&mut self, s3: &S3) -> bool {
        const WRITE: &str = "Write a file";
        let content = noise(CONTENT_BYTES);
        let Ok(key) = self.key("file") else { return false };
        match within(s3.put(&key, content.clone(), WriteMode::Replace)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.tell(failed(WRITE, &error));
                return false;
            }
            Err(()) => {
                self.tell(failed(WRITE, &too_long("Cannot write a file")));
                return false;
            }
        }
        self.tell(passed(WRITE, "64 KiB written".to_owned()));
        self.wrong_sum(s3, &content).await;
        let read = within(s3.get(&key, None)).await;
        self.tell(match read {
            Ok(Ok(read)) if read == content => passed("Read it back", "What was read is what was written".to_owned()),
            Ok(Ok(_)) => differs("Read it back"),
            Ok(Err(error)) => failed("Read it back", &error),
            Err(()) => failed("Read it back", &too_long("Cannot read a file")),
        });
        self.range(s3, &key, &content).await;
        self.link(s3, &key, &content).await;
        true
    }

    /// Sends content under a wrong sum: a store that checks refuses it.
    async fn wrong_sum(&mut self, s3: &S3, content: &Bytes) {
        const TITLE: &str = "Refuse a wrong sum";
        let Ok(key) = self.key("wrong-sum") else { return };
        let store = &s3.store;
        let asked = store
            .client
            .put_object()
            .bucket(&store.place.bucket)
            .key(store.name(&key))
            // The sum of nothing.
            .content_md5("1B2M2Y8AsgTpgAmY7PhCfg==")
            .body(Body::from(content.clone()))
            .send();
        let Ok(sent) = within(asked).await else { return };
        let refused = match sent {
            Ok(_) => false,
            Err(error) => Answer::of(&error).is_some_and(|answer| answer.status == 400),
        };
        self.place.checks_md5 = refused;
        self.tell(if refused {
            passed(TITLE, "The store checks what it takes".to_owned())
        } else {
            let hint = "Backstay reads every upload back to check it, which costs time and traffic";
            noted(TITLE, "The store took content under a wrong sum".to_owned(), Some(hint))
        });
    }

    async fn range(&mut self, s3: &S3, key: &Key, content: &Bytes) {
        const TITLE: &str = "Read a part of it";
        let store = &s3.store;
        let asked = store.client.get_object().bucket(&store.place.bucket).key(store.name(key)).range("bytes=1000-2999");
        let Ok(sent) = within(asked.send()).await else { return };
        let step = match sent {
            Ok(output) if output.content_range.is_none() => {
                self.found.ranges = Some(false);
                let hint = "Restoring single files from a vault here reads far more than it should";
                noted(TITLE, "The store sends the whole file".to_owned(), Some(hint))
            }
            Ok(output) => match output.body.collect().await {
                Ok(read) if read.clone().into_bytes() == content.slice(1000..3000) => {
                    self.found.ranges = Some(true);
                    passed(TITLE, "Works".to_owned())
                }
                Ok(_) => differs(TITLE),
                Err(error) => failed(TITLE, &store.broken("Cannot read a part of a file", &error)),
            },
            Err(error) => failed(TITLE, &store.failed(Act::Read, "Cannot read a part of a file", error)),
        };
        self.tell(step);
    }

    /// Tries the SDK's own checksums, which many stores refuse. Content-MD5 stays, so that nothing is lost without.
    async fn checksums(&mut self) {
        const TITLE: &str = "Try newer checksums";
        let with = S3Place { checksums: true, ..self.place.clone() };
        let Ok(key) = self.key("checksums") else { return };
        let Ok(s3) = S3::open(self.label, &with, self.login, Arc::new(FreeTraffic)) else { return };
        let content = noise(1_000);
        let round = async {
            s3.put(&key, content.clone(), WriteMode::Replace).await?;
            s3.get(&key, None).await
        };
        let takes = matches!(within(round).await, Ok(Ok(read)) if read == content);
        let used = self.place.checksums && takes;
        let text = match (takes, used) {
            (true, true) => "The store takes them",
            (true, false) => "The store takes them; the sum every store knows is used",
            (false, _) => "The store refuses them; the sum every store knows is used instead",
        };
        self.place.checksums = used;
        self.tell(passed(TITLE, text.to_owned()));
    }

    async fn refuses_to_overwrite(&mut self, s3: &S3) {
        const TITLE: &str = "Never overwrite by accident";
        let Ok(key) = self.key("once") else { return };
        let store = &s3.store;
        let put = || {
            let put = store.client.put_object().bucket(&store.place.bucket).key(store.name(&key)).if_none_match("*");
            put.body(Body::from_static(b"once")).send()
        };
        let (Ok(first), Ok(second)) = (within(put()).await, within(put()).await) else { return };
        let refused = second.err().and_then(|error| Answer::of(&error)).is_some_and(|answer| answer.status == 412);
        let honours = first.is_ok() && refused;
        self.place.conditional_writes = honours;
        self.found.conditional = Some(honours);
        self.tell(if honours {
            passed(TITLE, "A second file of that name was refused".to_owned())
        } else {
            let hint = "Let only one computer write to this folder at a time; Backstay looks before it writes";
            noted(TITLE, "The store replaces files without asking".to_owned(), Some(hint))
        });
    }

    async fn parts(&mut self, s3: &S3) {
        const TITLE: &str = "Upload in parts";
        let Ok(key) = self.key("parts") else { return };
        let outcome = within(upload_and_abort(&s3.store, &key)).await;
        let outcome = outcome.unwrap_or_else(|()| Err(too_long("Cannot upload in parts")));
        self.found.resume = Some(matches!(outcome, Ok(true)));
        self.tell(match outcome {
            Ok(true) => passed(TITLE, "Works, and an upload that was ended leaves nothing behind".to_owned()),
            Ok(false) => noted(
                TITLE,
                "Works, but the store does not tell which parts it has: an upload that broke off begins anew",
                Some("If the key may not list parts (s3:ListMultipartUploadParts), give it that right"),
            ),
            Err(error) => failed(TITLE, &error),
        });
    }

    pub(super) async fn list(&mut self, s3: &S3) {
        const TITLE: &str = "List what is there";
        let tried = format!("Cannot list {}", s3.store.label);
        let stem = format!("{}/", self.stem);
        let written = self.steps.iter().any(|step| step.title == "Write a file" && step.ok);
        let good = |listed: &Result<Vec<_>>| listed.as_ref().is_ok_and(|names| names.is_empty() != written);
        let Ok(second) = within(s3.store.list_v2(&tried, &stem)).await else { return };
        if good(&second) {
            self.place.list_v1 = false;
            return self.tell(passed(TITLE, "Works".to_owned()));
        }
        let Ok(first) = within(s3.store.list_v1(&tried, &stem)).await else { return };
        if good(&first) {
            self.place.list_v1 = true;
            return self.tell(passed(TITLE, "Works, by the older call".to_owned()));
        }
        self.tell(match second.err().or(first.err()) {
            Some(error) => failed(TITLE, &error),
            None => wrong(
                TITLE,
                "What was written is not listed",
                "Backups could not be found here: ask the provider, or use another store",
            ),
        });
    }

    /// Removes whatever the test wrote. What cannot be removed was told by the step that tried.
    async fn clean(&self, s3: &S3) {
        for name in ["file", "wrong-sum", "checksums", "once", "parts"] {
            if let Ok(key) = self.key(name) {
                let _ = within(s3.delete(&key)).await;
            }
        }
    }
}
