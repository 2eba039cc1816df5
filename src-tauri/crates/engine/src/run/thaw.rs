//! Copies in cold storage classes: what is at hand is read first; a run waits only when all that is left is on its way.

use super::Job;
use crate::backups::copies::{Copy, frozen};
use backstay_core::destination::Availability;
use backstay_core::run::Phase;
use backstay_core::{Error, ErrorClass, Result};
use std::collections::VecDeque;
use std::pin::pin;

/// Copies in the order they are to be tried: the nearest first, but those on their way out of a cold class last.
pub(super) struct Turns {
    open: VecDeque<Copy>,
    thawing: VecDeque<Copy>,
    looks: u32,
}

impl Turns {
    pub fn of(copies: impl IntoIterator<Item = Copy>) -> Self {
        Self { open: copies.into_iter().collect(), thawing: VecDeque::new(), looks: 0 }
    }

    /// Returns the next copy and how it stands: ready, frozen, or why that is not known. Waits while all that are left thaw.
    pub async fn next(&mut self, job: &Job) -> Option<(Copy, Result<Availability>)> {
        loop {
            while let Some(copy) = self.open.pop_front() {
                match job.ctx.or_cancel(job.inner.state_of(&copy)).await {
                    Ok(Availability::Thawing) => self.thawing.push_back(copy),
                    told => return Some((copy, told)),
                }
            }
            let first = self.thawing.front()?.clone();
            self.looks += 1;
            if let Err(cancelled) = rest(job, &first.config.name, self.looks).await {
                return Some((first, Err(cancelled)));
            }
            self.open.append(&mut self.thawing);
        }
    }
}

/// Waits until one of these copies can be read; where none ever will, the error says why the nearest cannot.
pub(super) async fn one_ready(job: &Job, copies: &[Copy]) -> Result<()> {
    let mut turns = Turns::of(copies.to_vec());
    let mut first = None;
    while let Some((copy, told)) = turns.next(job).await {
        match told {
            Ok(Availability::Frozen) => _ = first.get_or_insert(frozen(&copy)),
            Ok(_) => return Ok(()),
            Err(error) if error.is_cancelled() => return Err(error),
            Err(error) => _ = first.get_or_insert(error),
        }
    }
    Err(first.unwrap_or_else(|| Error::new(ErrorClass::Missing, "There is no copy of this backup")))
}

/// A sign of life comes so often in each minute of waiting: a run may be set to stall after a single one.
const SIGNS: u32 = 4;

/// Lets a minute pass while a store brings an archive back. Other runs may work meanwhile.
pub(super) async fn rest(job: &Job, name: &str, looks: u32) -> Result<()> {
    job.phase(Phase::Thawing);
    job.progress_current(&format!("{name} thaws, looked {looks} times"));
    let sign = job.inner.parts.minute() / SIGNS;
    job.slot.leave();
    let waited = async {
        for _ in 0..SIGNS {
            tokio::time::sleep(sign).await;
            job.ctx.progress.alive();
        }
        let mut slot = pin!(job.slot.take());
        loop {
            match tokio::time::timeout(sign, &mut slot).await {
                Ok(taken) => return taken,
                // Waiting is what goes on here, no silence.
                Err(_) => job.ctx.progress.alive(),
            }
        }
    };
    job.ctx.or_cancel(waited).await
}
