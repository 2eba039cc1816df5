//! Checking: every file's content read to its end, and as long as its entry says.

use backstay_core::entry::EntrySource;
use backstay_core::kind::CheckReport;
use backstay_core::run::Phase;
use backstay_core::{Error, Result, RunContext};
use tokio::io::AsyncReadExt;

/// Reads everything and compares lengths.
pub(super) async fn check(ctx: &RunContext, source: &mut dyn EntrySource) -> Result<CheckReport> {
    ctx.progress.phase(Phase::Checking);
    let mut report = CheckReport::default();
    let mut buffer = vec![0; 256 << 10];
    while let Some(entry) = source.next().await? {
        ctx.check()?;
        report.checked += 1;
        if !entry.is_file() {
            continue;
        }
        let mut content = source.content();
        let mut length = 0;
        let fault = loop {
            ctx.check()?;
            match content.read(&mut buffer).await {
                Ok(0) => break None,
                Ok(read) => {
                    length += read as u64;
                    ctx.progress.advance(0, read as u64);
                }
                Err(error) => break Some(Error::io("Cannot read it", error).message),
            }
        };
        ctx.progress.advance(1, 0);
        let fault = fault.or_else(|| {
            let size = entry.size_bytes;
            (length != size).then(|| format!("It has {length} bytes where {size} are recorded"))
        });
        report.faults.extend(fault.map(|why| (entry.path.to_absolute().to_text(), why)));
    }
    Ok(report)
}
