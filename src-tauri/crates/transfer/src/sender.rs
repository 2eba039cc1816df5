//! Sends the parts of one upload: a few at the same time, within the budget.

use super::BUDGET_BYTES;
use backstay_core::context::RunContext;
use backstay_core::destination::{PartUpload, StoredPart};
use backstay_core::error::{Error, ErrorClass, Result};
use bytes::{Bytes, BytesMut};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Parts on their way. Dropping it ends them.
pub(super) struct Sender<'a> {
    upload: Arc<dyn PartUpload>,
    ctx: &'a RunContext,
    at_once: usize,
    under_way: JoinSet<Result<(StoredPart, Bytes)>>,
    under_way_bytes: u64,
    /// The memory of a part that has arrived, for the next one: fresh memory for each is a fifth of a fast upload's work.
    spare: BytesMut,
    arrived: Vec<StoredPart>,
}

impl<'a> Sender<'a> {
    pub(super) fn new(upload: Arc<dyn PartUpload>, at_once: usize, ctx: &'a RunContext) -> Self {
        Self {
            upload,
            ctx,
            at_once,
            under_way: JoinSet::new(),
            under_way_bytes: 0,
            spare: BytesMut::new(),
            arrived: Vec::new(),
        }
    }

    /// Waits until a part of so many bytes may be read into memory; returns what to read it into.
    pub(super) async fn room_for(&mut self, bytes: u64) -> Result<BytesMut> {
        while !self.under_way.is_empty() && self.under_way_bytes.saturating_add(bytes) > BUDGET_BYTES {
            self.next().await?;
        }
        Ok(std::mem::take(&mut self.spare))
    }

    /// Awaits `work`, while parts arrive. A part that fails ends the work.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        loop {
            let idle = self.under_way.is_empty();
            tokio::select! {
                biased;
                () = self.ctx.cancel.cancelled() => return Err(Error::cancelled()),
                result = &mut work => return result,
                Some(sent) = self.under_way.join_next(), if !idle => self.take(sent)?,
            }
        }
    }

    /// Sends a part as soon as it is its turn.
    pub(super) async fn send(&mut self, number: u32, offset: u64, content: Bytes) -> Result<()> {
        while self.under_way.len() >= self.at_once {
            self.next().await?;
        }
        self.under_way_bytes += content.len() as u64;
        let upload = Arc::clone(&self.upload);
        self.under_way.spawn(async move {
            let part = upload.put_part(number, offset, content.clone()).await?;
            Ok((part, content))
        });
        Ok(())
    }

    /// Waits until all parts have arrived.
    pub(super) async fn all(&mut self) -> Result<()> {
        while !self.under_way.is_empty() {
            self.next().await?;
        }
        Ok(())
    }

    /// Takes the parts that arrived since it was asked last.
    pub(super) fn arrived(&mut self) -> Vec<StoredPart> {
        std::mem::take(&mut self.arrived)
    }

    async fn next(&mut self) -> Result<()> {
        let sent = tokio::select! {
            biased;
            () = self.ctx.cancel.cancelled() => return Err(Error::cancelled()),
            sent = self.under_way.join_next() => sent,
        };
        sent.map_or(Ok(()), |sent| self.take(sent))
    }

    fn take(&mut self, sent: Result<Result<(StoredPart, Bytes)>, tokio::task::JoinError>) -> Result<()> {
        let (part, content) =
            sent.map_err(|error| Error::new(ErrorClass::Internal, "Sending a part ended unexpectedly").source(error))??;
        self.under_way_bytes = self.under_way_bytes.saturating_sub(part.size_bytes);
        self.arrived.push(part);
        // Where somebody still holds it, it is freed when they are done.
        self.spare = content.try_into_mut().unwrap_or_default();
        Ok(())
    }
}
