//! The real kind "files", whose reading can be made to break off.

use async_trait::async_trait;
use backstay_core::entry::{AddError, Content, Entry, EntrySink, EntrySource, Xattr};
use backstay_core::host::{Host, SharedHost};
use backstay_core::kind::{
    CheckReport, CollectReport, Found, Item, ItemInput, Kind, Preflight, RestoreOptions, RestorePlan, RestoreReport,
};
use backstay_core::{Error, ErrorClass, Result, RunContext};
use std::sync::{Arc, Mutex};

/// Breaks off after so many entries, with an error that does not end the run: tar that says what nobody parses, a server
/// that opens no further channel.
pub struct CutFiles {
    files: Arc<dyn Kind>,
    pub after: Mutex<Option<usize>>,
}

impl CutFiles {
    pub fn new() -> Self {
        let files = backstay_kinds::all().into_iter().find(|kind| kind.id() == "files").unwrap();
        Self { files, after: Mutex::default() }
    }
}

struct CutSink<'a> {
    sink: &'a mut dyn EntrySink,
    left: usize,
}

#[async_trait]
impl EntrySink for CutSink<'_> {
    fn is_unchanged(&self, entry: &Entry) -> Option<Vec<Xattr>> {
        self.sink.is_unchanged(entry)
    }
    async fn add(&mut self, entry: Entry, content: Content<'_>) -> Result<u64, AddError> {
        if self.left == 0 {
            return Err(AddError::Sink(Error::new(ErrorClass::Internal, "tar ended with status 2")));
        }
        self.left -= 1;
        self.sink.add(entry, content).await
    }
}

#[async_trait]
impl Kind for CutFiles {
    fn id(&self) -> &'static str {
        self.files.id()
    }
    fn validate(&self, item: &Item) -> Result<()> {
        self.files.validate(item)
    }
    fn describe(&self, item: &Item) -> String {
        self.files.describe(item)
    }
    async fn discover(&self, ctx: &RunContext, host: &dyn Host) -> Result<Vec<Found>> {
        self.files.discover(ctx, host).await
    }
    async fn preflight(&self, ctx: &RunContext, host: &dyn Host, input: &ItemInput) -> Result<Preflight> {
        self.files.preflight(ctx, host, input).await
    }
    async fn collect(
        &self,
        ctx: &RunContext,
        host: &dyn Host,
        input: &ItemInput,
        sink: &mut dyn EntrySink,
    ) -> Result<CollectReport> {
        let after = *self.after.lock().unwrap();
        match after {
            Some(left) => self.files.collect(ctx, host, input, &mut CutSink { sink, left }).await,
            None => self.files.collect(ctx, host, input, sink).await,
        }
    }
    async fn plan_restore(
        &self,
        ctx: &RunContext,
        host: &dyn Host,
        input: &ItemInput,
        listing: &[Entry],
        options: &RestoreOptions,
    ) -> Result<RestorePlan> {
        self.files.plan_restore(ctx, host, input, listing, options).await
    }
    async fn restore(
        &self,
        ctx: &RunContext,
        host: &SharedHost,
        input: &ItemInput,
        source: &mut dyn EntrySource,
        plan: &RestorePlan,
        options: &RestoreOptions,
    ) -> Result<RestoreReport> {
        self.files.restore(ctx, host, input, source, plan, options).await
    }
    async fn check(&self, ctx: &RunContext, input: &ItemInput, source: &mut dyn EntrySource) -> Result<CheckReport> {
        self.files.check(ctx, input, source).await
    }
}
