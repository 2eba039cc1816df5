//! A kind that does as it is told.

use async_trait::async_trait;
use backstay_core::entry::{Content, Entry, EntrySink, EntrySource, EntryType, TimeNs};
use backstay_core::host::{Host, SharedHost};
use backstay_core::kind::{
    CheckReport, CollectReport, Found, Item, ItemInput, Kind, Preflight, RestoreOptions, RestorePlan, RestoreReport,
};
use backstay_core::run::{Phase, Problem, ProblemKind};
use backstay_core::{Error, ErrorClass, Result, RunContext};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What the scripted kind does when it is collected; brought back, it hangs if it is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Adds this many small entries.
    Entries(usize),
    /// Adds one entry and reports a problem.
    Problem,
    /// Adds one entry and reports so many problems.
    Problems(usize),
    /// Fails with this class.
    Fail(ErrorClass),
    /// Adds an entry, then waits until the run is cancelled.
    Hang,
    /// Says how far it is ten thousand times, as fast as it can.
    Chatter,
    /// A fault of ours.
    Panic,
}

/// A kind that does as it is told; it takes the place of SQLite's.
pub struct ScriptedKind {
    pub act: Mutex<HashMap<String, Act>>,
    pub collecting: AtomicUsize,
}

impl ScriptedKind {
    pub fn will(&self, item: &str, act: Act) {
        self.act.lock().unwrap().insert(item.into(), act);
    }
    async fn add(&self, input: &ItemInput, n: usize, sink: &mut dyn EntrySink) -> Result<u64> {
        let path = input.root().join(format!("thing-{n}"))?;
        let mut entry = Entry::plain(path, EntryType::File, 0o600, TimeNs::from_parts(1_700_000_000, 0));
        let mut content: &[u8] = b"some content";
        entry.size_bytes = content.len() as u64;
        Ok(sink.add(entry, Content::Stream(&mut content)).await?)
    }
}

fn unreadable(input: &ItemInput, subject: String) -> Problem {
    let (kind, reason) = (ProblemKind::Unreadable, "Permission denied".into());
    Problem { kind, item: input.item.name.clone(), subject, reason }
}

#[async_trait]
impl Kind for ScriptedKind {
    fn id(&self) -> &'static str {
        "sqlite"
    }
    fn validate(&self, _: &Item) -> Result<()> {
        Ok(())
    }
    fn describe(&self, item: &Item) -> String {
        format!("scripted {}", item.name)
    }
    async fn discover(&self, _: &RunContext, _: &dyn Host) -> Result<Vec<Found>> {
        Err(Error::new(ErrorClass::Refused, "It may not look"))
    }
    async fn preflight(&self, _: &RunContext, _: &dyn Host, _: &ItemInput) -> Result<Preflight> {
        Ok(Preflight { facts: vec!["scripted 1.0".into()], warnings: vec!["a warning".into()], bytes: Some(12) })
    }
    async fn collect(
        &self,
        ctx: &RunContext,
        _: &dyn Host,
        input: &ItemInput,
        sink: &mut dyn EntrySink,
    ) -> Result<CollectReport> {
        self.collecting.fetch_add(1, Ordering::SeqCst);
        ctx.progress.phase(Phase::Dumping);
        let act = self.act.lock().unwrap().get(&input.item.name).copied().unwrap_or(Act::Entries(1));
        let mut report = CollectReport::default();
        let count = if let Act::Entries(count) = act { count } else { 1 };
        for n in 0..count {
            let read = self.add(input, n, sink).await?;
            report = CollectReport { files: n as u64 + 1, bytes: report.bytes + read, ..report };
        }
        match act {
            Act::Entries(_) => {}
            Act::Problem => ctx.progress.problem(unreadable(input, "/secret/file".into())),
            Act::Problems(count) => {
                (0..count).for_each(|n| ctx.progress.problem(unreadable(input, format!("/secret/{n}"))));
            }
            Act::Fail(class) => {
                return Err(Error::new(class, "Cannot dump scripted: as told").hint("Tell it otherwise"));
            }
            Act::Hang => ctx.cancel.cancelled().await,
            Act::Chatter => {
                ctx.progress.total(Some(10_000), Some(10_000_000));
                for n in 0..10_000_u64 {
                    ctx.progress.advance(1, 1100);
                    ctx.progress.current(&format!("thing {n}"));
                    if n % 20 == 0 {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            }
            Act::Panic => panic!("as told"),
        }
        self.collecting.fetch_sub(1, Ordering::SeqCst);
        ctx.check()?;
        Ok(report)
    }
    async fn plan_restore(
        &self,
        _: &RunContext,
        _: &dyn Host,
        _: &ItemInput,
        listing: &[Entry],
        _: &RestoreOptions,
    ) -> Result<RestorePlan> {
        use backstay_core::kind::{Change, ChangeKind};
        let change = |entry: &Entry| Change {
            kind: ChangeKind::Create,
            item: "sqlite".into(),
            target: format!("database {}", entry.path),
            path: Some(entry.path.clone()),
            is_dir: false,
            size_bytes: entry.size_bytes,
            target_mtime: None,
        };
        let changes = listing.iter().filter(|entry| entry.is_file()).map(change).collect();
        Ok(RestorePlan { changes, ..RestorePlan::default() })
    }
    async fn restore(
        &self,
        ctx: &RunContext,
        _: &SharedHost,
        input: &ItemInput,
        _: &mut dyn EntrySource,
        _: &RestorePlan,
        _: &RestoreOptions,
    ) -> Result<RestoreReport> {
        if self.act.lock().unwrap().get(&input.item.name) == Some(&Act::Hang) {
            ctx.cancel.cancelled().await;
        }
        ctx.check()?;
        // It writes nothing and says so: the engine must not call that done.
        Ok(RestoreReport::default())
    }
    async fn check(&self, _: &RunContext, _: &ItemInput, source: &mut dyn EntrySource) -> Result<CheckReport> {
        let mut report = CheckReport::default();
        while source.next().await?.is_some() {
            report.checked += 1;
        }
        Ok(report)
    }
}
