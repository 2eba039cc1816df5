//! A look at a bucket with backups: the way to it, what is listed, whether it can be read. Nothing is written.

use super::client::S3;
use super::probe::Test;
use super::probe_tries::{too_long, within};
use super::steps::{failed, noted, passed};
use crate::look::{count_text, read};
use crate::probe::{ProbeStep, Probed};
use backstay_core::config::DestinationLogin;
use backstay_core::destination::Destination;

/// Where backups are told of. A vault's own data may be millions of objects, and is not listed to look at it.
const TOLD: [&str; 4] = ["config", "keys/", "snapshots/", "archives/"];

impl S3 {
    /// Looks at this bucket; see [`crate::look`]. `settled` is the place with the way to it filled in.
    pub async fn look(&self, on_step: &(dyn Fn(ProbeStep) + Send + Sync)) -> Probed {
        let store = &self.store;
        let login = DestinationLogin { secret: Some(store.secret.clone()), ..DestinationLogin::default() };
        let label = store.label.split(" (s3://").next().unwrap_or(&store.label);
        let mut test = Test::new(label, &store.place, &login, on_step);
        let reached = test.reach().await;
        let Some(s3) = reached else { return Probed { steps: test.steps, ..Probed::default() } };
        test.list(&s3).await;
        // By the call that was found to work.
        if let Ok(s3) = test.open()
            && test.steps.iter().all(|step| step.ok)
        {
            test.read_one(&s3).await;
        }
        Probed { settled: Some(test.place), steps: test.steps, ..Probed::default() }
    }
}

impl Test<'_> {
    async fn read_one(&mut self, s3: &S3) {
        const TITLE: &str = "Look for backups";
        let mut objects = Vec::new();
        let mut slow = None;
        for prefix in TOLD {
            match within(s3.list(prefix)).await {
                Ok(Ok(found)) => objects.extend(found),
                Ok(Err(error)) => return self.tell(failed(TITLE, &error)),
                Err(()) => slow = slow.or(Some(prefix)),
            }
        }
        let count = count_text(objects.len());
        self.tell(match slow {
            None => passed(TITLE, count),
            // Much lies there: no reason not to open it.
            Some(prefix) => noted(
                TITLE,
                format!("{count}; listing what begins with \"{prefix}\" took too long for this look"),
                Some("Opening it lists all of it once, which may take a while"),
            ),
        });
        match within(read(s3, &objects)).await {
            Ok(steps) => steps.into_iter().for_each(|step| self.tell(step)),
            Err(()) => self.tell(failed("Read a file", &too_long("Cannot read a file"))),
        }
    }
}
