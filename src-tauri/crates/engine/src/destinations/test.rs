//! Testing a destination step by step, as it is filled in.

use super::draft::{identity, s3_draft};
use crate::backstay::{Backstay, Inner, locked};
use crate::parts::{Probed, ProbedStep, VaultPresence};
use backstay_contract::{Ability, BucketMade, DestinationDraft, DestinationTest, Event, TestStep, TestStepEvent};
use backstay_core::config::{DestinationLogin, FtpTls, Place};
use backstay_core::destination::Destination;
use backstay_core::{Error, Result};
use std::sync::{Arc, Mutex};

impl Backstay {
    /// Tests a destination step by step; each step is told as an event under the test's name as it ends.
    pub async fn test_destination(&self, draft: DestinationDraft, test: &str) -> Result<DestinationTest> {
        let place = self.inner.place_of(&draft)?;
        let login = self.inner.login_of_destination(&draft, &place).await?;
        let name = if draft.name.trim().is_empty() { place.kind() } else { draft.name.trim() };
        let mut running = Test { inner: &self.inner, test, looks: false, steps: Mutex::default() };
        let outcome = running.run(name, &place, login).await;
        let mut result = outcome.with(running.steps.get_mut().map_or_else(|_| Vec::new(), std::mem::take));
        // Archives go into a folder of their own beside what is there; a vault needs the place for itself.
        result.ok &= result.found != "foreign" || draft.use_for == "none";
        Ok(result)
    }

    /// Looks at a place with existing backups step by step: it only reads, so that no right to write is needed.
    pub async fn look_at_destination(&self, draft: DestinationDraft, test: &str) -> Result<DestinationTest> {
        let place = self.inner.place_of(&draft)?;
        let login = self.inner.login_of_destination(&draft, &place).await?;
        let name = if draft.name.trim().is_empty() { place.kind() } else { draft.name.trim() };
        let mut running = Test { inner: &self.inner, test, looks: true, steps: Mutex::default() };
        let outcome = running.run(name, &place, login).await;
        Ok(outcome.with(running.steps.get_mut().map_or_else(|_| Vec::new(), std::mem::take)))
    }

    /// Makes a bucket that is private, versioned, encrypted and swept of stray uploads.
    pub async fn make_bucket(&self, draft: DestinationDraft) -> Result<BucketMade> {
        let place = self.inner.place_of(&draft)?;
        let Place::S3(bucket) = &place else {
            return Err(crate::words::invalid("Only S3 destinations have buckets"));
        };
        let login = self.inner.login_of_destination(&draft, &place).await?;
        let on_step = |_: ProbedStep| {};
        let steps: Vec<TestStep> =
            self.inner.parts.make_bucket(bucket, &login, &on_step).await.into_iter().map(step_view).collect();
        let ok = steps.iter().all(|step| step.state != "failed");
        self.inner.audit("bucket.make", &place.text(), if ok { "ok" } else { "failed" })?;
        Ok(BucketMade { steps, ok })
    }
}

struct Test<'a> {
    inner: &'a Inner,
    test: &'a str,
    /// Nothing is written.
    looks: bool,
    steps: Mutex<Vec<TestStep>>,
}

/// What came of a test beside its steps.
#[derive(Default)]
struct Outcome {
    found: &'static str,
    existing: bool,
    probed: Probed,
    settled: Option<backstay_contract::S3Draft>,
    certificate: Option<String>,
}

impl Outcome {
    fn with(self, steps: Vec<TestStep>) -> DestinationTest {
        let ability = |ability: crate::parts::ProbedAbility| Ability {
            id: ability.id,
            title: ability.title,
            state: match ability.can {
                Some(true) => "yes",
                Some(false) => "no",
                None => "unknown",
            }
            .into(),
            text: ability.text,
        };
        DestinationTest {
            ok: !self.found.is_empty() && steps.iter().all(|step| step.state != "failed"),
            steps,
            found: self.found.into(),
            existing: self.existing,
            abilities: self.probed.abilities.into_iter().map(ability).collect(),
            cost_notes: self.probed.cost_notes,
            settled: self.settled,
            certificate: self.certificate,
        }
    }
}

impl Test<'_> {
    async fn run(&self, name: &str, place: &Place, login: DestinationLogin) -> Outcome {
        // A bucket's own test says it of http.
        if let Place::Ftp(place) = place
            && place.tls == FtpTls::None
        {
            let text = "FTP without TLS sends the password and all data readable for everyone on the way. Use FTPS or \
                        SFTP if the server has it";
            self.add(TestStep { title: "Security".into(), state: "note".into(), text: text.into(), hint: None });
        }
        match self.inner.parts.untrusted_certificate(place).await {
            Ok(None) => {}
            Ok(Some(certificate)) => {
                let error = crate::words::invalid(format!("It {}: {}", certificate.why, certificate.text))
                    .hint("Compare its SHA-256 with what the server's admin tells, then accept it");
                self.fail("Check the certificate", &error);
                return Outcome { certificate: Some(certificate.sha256), ..Outcome::default() };
            }
            Err(error) => {
                self.fail("Reach the server", &error);
                return Outcome::default();
            }
        }
        let destination = match self.inner.open_once(name, place, login).await {
            Ok(destination) => destination,
            Err(error) => {
                self.fail("Open it", &error);
                return Outcome::default();
            }
        };
        let on_step = |step: ProbedStep| self.add(step_view(step));
        let parts = &self.inner.parts;
        let probed = match self.looks {
            true => parts.look_at_destination(place, destination.as_ref(), &on_step).await,
            false => parts.probe_destination(place, destination.as_ref(), &on_step).await,
        };
        let mut outcome = Outcome { settled: probed.settled.as_ref().map(s3_draft), probed, ..Outcome::default() };
        // What broke off half way found nothing out, and a look says nothing of writing.
        let whole = !self.looks && outcome.probed.steps.iter().all(|step| step.ok || step.note);
        if let Some(settled) = outcome.probed.settled.as_ref().filter(|_| whole) {
            locked(&self.inner.settled).insert(identity(place), settled.clone());
            if let Err(error) = self.inner.take_what_was_found(settled).await {
                self.fail("Keep what was found out", &error);
            }
        }
        match self.inner.found_at(destination.as_ref()).await {
            Ok((found, existing)) => (outcome.found, outcome.existing) = (found, existing),
            Err(error) => self.fail("Look what lies there", &error),
        }
        outcome
    }

    fn add(&self, step: TestStep) {
        locked(&self.steps).push(step.clone());
        // Without a name nobody waits for them.
        if !self.test.is_empty() {
            self.inner.emit(Event::TestStep { step: TestStepEvent { test: self.test.to_owned(), step } });
        }
    }
    fn fail(&self, title: &str, error: &Error) {
        let text = match &error.detail {
            Some(detail) if !error.message.contains(detail.as_str()) => format!("{} ({detail})", error.message),
            _ => error.message.clone(),
        };
        self.add(TestStep { title: title.into(), state: "failed".into(), text, hint: error.hint.clone() });
    }
}

impl Inner {
    /// Opens a place for its test: a fault must show as the step it is, not as minutes of silence.
    async fn open_once(&self, name: &str, place: &Place, login: DestinationLogin) -> Result<Arc<dyn Destination>> {
        let access = self.access(place, login, self.limiters.shared()).await?;
        self.parts.open_destination_once(name, place, access).await
    }

    /// Opens a place that is no destination yet, or not as it is filled in.
    pub(super) async fn open_draft(
        &self,
        name: &str,
        place: &Place,
        login: DestinationLogin,
    ) -> Result<Arc<dyn Destination>> {
        let access = self.access(place, login, self.limiters.shared()).await?;
        self.parts.open_destination(name, place, access).await
    }

    /// Tells what lies at a place, and whether another installation's backups may be among it.
    async fn found_at(&self, destination: &dyn Destination) -> Result<(&'static str, bool)> {
        let found = match self.parts.vault_presence(destination).await? {
            VaultPresence::Empty => "empty",
            VaultPresence::Vault => "vault",
            VaultPresence::Archives => "archives",
            VaultPresence::Foreign => "foreign",
        };
        let copies = destination.list("backstay/").await?;
        Ok((found, matches!(found, "vault" | "archives") || !copies.is_empty()))
    }
}

pub(super) fn step_view(step: ProbedStep) -> TestStep {
    let state = match (step.ok, step.note) {
        (true, false) => "ok",
        (_, true) => "note",
        (false, false) => "failed",
    };
    TestStep { title: step.title, state: state.into(), text: step.text, hint: step.hint }
}
