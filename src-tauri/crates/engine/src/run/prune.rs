//! A prune run: room that deleted backups left in a vault is freed.

use super::mend::PACKS;
use super::{Finish, Job, RunStart};
use crate::backstay::{Backstay, locked};
use crate::words::{invalid, size_text};
use backstay_core::config::DestinationConfig;
use backstay_core::run::{Phase, RunCounts, RunKind};
use backstay_core::{DestinationId, Error, ErrorClass, Result};

impl Backstay {
    /// Starts freeing room in a destination's vault, and returns the run's id.
    pub async fn start_prune(&self, destination: &str) -> Result<String> {
        let config = self.inner.store.destination(&DestinationId::from(destination))?;
        if config.vault_id.is_empty() {
            return Err(invalid(format!("There is nothing to free at {}: it has no vault", config.name))
                .hint("Deleting an archive frees its room at once"));
        }
        let lock = self.inner.locks.own_destination(&config.id)?.ok_or_else(|| {
            Error::new(ErrorClass::Locked, format!("Cannot free up space at {}: another run uses it", config.name))
                .hint("Wait for it to end; see Activity")
        })?;
        let start = RunStart {
            kind: RunKind::Prune,
            title: config.name.clone(),
            plan: None,
            server: None,
            destination: Some(config.id.clone()),
            backup: None,
            plan_lock: Some(lock),
            subject: config.name.clone(),
        };
        Ok(self.inner.start_run(start, move |job| run(job, config))?.to_string())
    }
}

async fn run(job: Job, config: DestinationConfig) -> Result<Finish> {
    job.phase(Phase::Opening);
    let layout = job.ctx.or_cancel(job.inner.vault(&config)).await?.layout;
    let pruned = layout.prune(&job.ctx).await;
    locked(&job.inner.used).remove(&config.id);
    let pruned = pruned?;
    let text = match pruned.objects {
        0 => format!("There was nothing to free at {}", config.name),
        _ => format!("Freed {} at {}", size_text(pruned.freed_bytes), config.name),
    };
    job.log(&text);
    if pruned.moved_bytes > 0 {
        job.log(format!("{} that were still needed were written anew", size_text(pruned.moved_bytes)));
    }
    if let Ok(place) = job.ctx.or_cancel(job.inner.place(&config)).await {
        if let Ok(there) = place.list(PACKS).await {
            job.inner.forget_gone_packs(&config.id, &there)?;
        }
        job.sweep(&config, place).await;
    }
    let counts = RunCounts { bytes: pruned.freed_bytes, bytes_added: pruned.moved_bytes, ..RunCounts::default() };
    Ok(Finish { counts, backup: None, result: Some(text) })
}
