//! Events from the engine to the window.

use backstay_contract::{Event, RunFilter};
use backstay_engine::Backstay;
use tauri::ipc::Channel;
use tokio::sync::broadcast::error::RecvError;

/// What a window that missed events must read anew.
const EVERYTHING: [&str; 6] = ["servers", "plans", "destinations", "backups", "settings", "secrets"];

/// Newest runs sent again to a window that missed events: enough for whatever ended meanwhile.
const RESYNC_RUNS: u64 = 50;

/// Forwards events until the window is gone. A window too slow to follow is told to read everything anew: it may miss
/// steps, never the outcome.
pub async fn forward(backstay: Backstay, channel: Channel<Event>) {
    let mut receiver = backstay.subscribe();
    loop {
        let sent = match receiver.recv().await {
            Ok(event) => channel.send(event),
            Err(RecvError::Lagged(missed)) => {
                tracing::debug!("the window missed {missed} events");
                resync(&backstay, &channel).await
            }
            Err(RecvError::Closed) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn resync(backstay: &Backstay, channel: &Channel<Event>) -> tauri::Result<()> {
    for what in EVERYTHING {
        channel.send(Event::Changed { what: what.into() })?;
    }
    let filter = RunFilter { limit: RESYNC_RUNS, ..RunFilter::default() };
    match backstay.runs(filter).await {
        Ok(page) => {
            for run in page.rows {
                channel.send(Event::Run { run })?;
            }
        }
        Err(error) => tracing::warn!("cannot read the runs for a window that missed events: {error}"),
    }
    Ok(())
}
