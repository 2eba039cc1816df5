//! Checking dumps in a backup: read to their end, whole by their own marks.

use crate::dump::{Edges, Whole};
use backstay_core::entry::EntrySource;
use backstay_core::kind::CheckReport;
use backstay_core::run::Phase;
use backstay_core::{Error, Result, RunContext};
use tokio::io::AsyncReadExt;

/// Reads every file; those for which `whole` says how a whole one looks are held to that.
pub(crate) async fn dumps(
    ctx: &RunContext,
    source: &mut dyn EntrySource,
    whole: impl Fn(&[u8]) -> Option<Whole> + Send,
) -> Result<CheckReport> {
    ctx.progress.phase(Phase::Checking);
    let mut report = CheckReport::default();
    while let Some(entry) = source.next().await? {
        ctx.check()?;
        if !entry.is_file() {
            continue;
        }
        report.checked += 1;
        let mut content = source.content();
        let mut edges = Edges::default();
        let mut piece = vec![0; 256 << 10];
        let fault = loop {
            ctx.check()?;
            match content.read(&mut piece).await {
                Ok(0) => break None,
                Ok(read) => {
                    edges.push(&piece[..read]);
                    ctx.progress.advance(0, read as u64);
                }
                Err(error) => break Some(Error::io("Cannot read it", error).message),
            }
        };
        ctx.progress.advance(1, 0);
        let mark = || whole(entry.path.name().unwrap_or_default());
        let fault = fault.or_else(|| mark()?.fault(edges.length, &edges.head, &edges.tail));
        report.faults.extend(fault.map(|why| (entry.path.to_text(), why)));
    }
    Ok(report)
}
