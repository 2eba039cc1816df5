//! A stream into an object.

use super::progress::read_part;
use super::sender::Sender;
use super::{Crc64Sum, PARTS_AT_ONCE, Sha256Sum, Uploaded};
use backstay_core::context::RunContext;
use backstay_core::destination::{Destination, Key, PartUpload, StoredPart, WriteMode};
use backstay_core::entry::ByteStream;
use backstay_core::error::Result;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// An upload that failed is ended at its destination too, if that takes no longer.
const ABORT_PATIENCE: Duration = Duration::from_secs(20);

/// Stores a stream of any length as an object, in parts, in bounded memory; hashes it on the way. `size_hint` is its size
/// where known. Failed, cancelled or dropped: nothing is listed, and what was sent is removed as far as can be.
///
/// Progress advances by the bytes read. An error of the stream itself comes back with its own class.
pub async fn upload_stream(
    destination: &dyn Destination,
    key: &Key,
    mut stream: ByteStream,
    size_hint: Option<u64>,
    mode: WriteMode,
    ctx: &RunContext,
) -> Result<Uploaded> {
    let upload = ctx.or_cancel(destination.begin_upload(key, size_hint)).await?;
    let mut guard = AbortOnDrop(Some(Arc::clone(&upload)));
    let at_once = at_once(destination);
    let tried = format!("Cannot write {key} on {}", destination.label());
    let sent = send_all(&upload, at_once, &mut stream, &tried, ctx).await;
    let result = match sent {
        // Some stores take no upload without a part.
        Ok((uploaded, _)) if uploaded.size == 0 => {
            guard.0 = None;
            end(&*upload).await;
            return ctx.or_cancel(destination.put(key, Bytes::new(), mode)).await.map(|()| uploaded);
        }
        Ok((uploaded, parts)) => ctx.or_cancel(upload.complete(&parts, mode)).await.map(|()| uploaded),
        Err(error) => Err(error),
    };
    guard.0 = None;
    if result.is_err() {
        end(&*upload).await;
    }
    result
}

/// How many parts may be under way at the same time.
pub(super) fn at_once(destination: &dyn Destination) -> usize {
    usize::from(destination.capabilities().parallel_parts).clamp(1, PARTS_AT_ONCE)
}

/// Ends an upload nobody will go on with. What stays there all the same is swept later.
pub(super) async fn end(upload: &dyn PartUpload) {
    let _ = tokio::time::timeout(ABORT_PATIENCE, upload.abort()).await;
}

async fn send_all(
    upload: &Arc<dyn PartUpload>,
    at_once: usize,
    stream: &mut ByteStream,
    tried: &str,
    ctx: &RunContext,
) -> Result<(Uploaded, Vec<StoredPart>)> {
    let mut sender = Sender::new(Arc::clone(upload), at_once, ctx);
    let (mut sum, mut crc64) = (Sha256Sum::new(), Crc64Sum::default());
    let (mut number, mut size) = (1, 0);
    loop {
        let want = upload.part_bytes(number);
        let room = sender.room_for(want).await?;
        let part = sender.during(read_part(stream, room, want, Some(&mut sum), tried, ctx)).await?;
        crc64.update(&part);
        let read = part.len() as u64;
        if read > 0 {
            sender.send(number, size, part).await?;
        }
        size += read;
        number += 1;
        if read < want {
            break;
        }
    }
    sender.all().await?;
    let mut parts = sender.arrived();
    parts.sort_by_key(|part| part.number);
    Ok((Uploaded { size, sha256: sum.finish(), crc64: Some(crc64.finish()) }, parts))
}

/// Ends the upload when the future that sends it is dropped half way.
struct AbortOnDrop(Option<Arc<dyn PartUpload>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        let (Some(upload), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else { return };
        runtime.spawn(async move { end(&*upload).await });
    }
}
