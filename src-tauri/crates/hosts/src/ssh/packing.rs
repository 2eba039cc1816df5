//! SSH's own compression, for what packs well, where the line is slower than packing.

use super::link::{self, Link};
use super::{CHANNEL_LIMIT, Ssh};
use crate::ConnectOptions;
use backstay_core::Result;
use backstay_core::host::Process;
use russh::{Channel, client::Msg};
use std::sync::Arc;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::sync::{Mutex, OnceCell};

/// Below this rate (bytes a second) sshd, which packs at zlib's level 6 on one core, is faster than the line.
const PACKING_PAYS: f64 = 8e6;
/// What the rate is taken from: noise, which nothing on the way can pack. Half of it passes before the clock starts, since a
/// long line is slow to get going. It is little, for lines that need seconds for it.
const MEASURE: &[u8] = b"head -c 262144 /dev/urandom";
const MEASURED_BYTES: usize = 262_144;

/// The connection that packs, and whether it is of use.
#[derive(Default)]
pub struct Packing {
    /// Opened at first need.
    pub link: Mutex<Option<Arc<Link>>>,
    /// Whether the line is slower than packing; measured at first need.
    pays: OnceCell<bool>,
}

impl Ssh {
    /// Opens a channel on the connection that packs; `None` where packing does not pay or cannot be had. A connection that
    /// is lost while the line is measured is an error, as it would be a moment later.
    pub(super) async fn packed_channel(&self) -> Result<Option<(Channel<Msg>, Arc<Link>)>> {
        if *self.packing.pays.get_or_try_init(|| self.packing_pays()).await? {
            return Ok(self.channel_that_packs().await);
        }
        Ok(None)
    }

    async fn channel_that_packs(&self) -> Option<(Channel<Msg>, Arc<Link>)> {
        let mut place = self.packing.link.lock().await;
        let open = place.take().filter(|link| !link.handle.is_closed());
        let link = match open {
            // A reader that waits would hold up the other one: it goes over a connection of its own, unpacked.
            Some(link) if Arc::strong_count(&link) > 1 => {
                *place = Some(link);
                return None;
            }
            Some(link) => link,
            None => {
                let options = ConnectOptions { compress: true, ..self.options.clone() };
                let opened = link::open(&self.label, &self.connection, &self.secrets, &self.pins, &options).await;
                // A log-in that works only once (a one-time code) must not fail what the first connection can carry.
                Arc::new(opened.inspect_err(|error| tracing::debug!(%error, "no connection that packs")).ok()?)
            }
        };
        let channel = tokio::time::timeout(CHANNEL_LIMIT, link.handle.channel_open_session()).await.ok()?.ok()?;
        *place = Some(link.clone());
        Some((channel, link))
    }

    async fn packing_pays(&self) -> Result<bool> {
        let mut process = self.start_line(MEASURE, "measure the line".into()).await?;
        let rate = rate_of(&mut process).await;
        tracing::debug!(?rate, "bytes a second of the line");
        match rate {
            Some(rate) => {
                process.end().await;
                Ok(rate < PACKING_PAYS)
            }
            // Without `head` or the noise it is not known; without the line nothing is.
            None => process.control.wait().await.map(|_| false),
        }
    }
}

/// Returns the rate at which the second half of the noise came; `None` where it did not come whole.
async fn rate_of(process: &mut Process) -> Option<f64> {
    let mut buffer = vec![0; 64 << 10];
    let (mut read, mut half) = (0, None);
    while read < MEASURED_BYTES {
        let got = process.stdout.read(&mut buffer).await.ok().filter(|got| *got > 0)?;
        read += got;
        if half.is_none() && read >= MEASURED_BYTES / 2 {
            half = Some((read, Instant::now()));
        }
    }
    let (before, began) = half?;
    Some((read - before) as f64 / began.elapsed().as_secs_f64().max(1e-6))
}
