//! Reading a part out of a stream: hashed, counted, and given up as soon as the run is cancelled.

use super::Sha256Sum;
use backstay_core::context::RunContext;
use backstay_core::entry::ByteStream;
use backstay_core::error::{Error, ErrorClass, Result};
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;

/// How much is read, hashed and counted at a time.
const STEP_BYTES: usize = 256 << 10;

/// Reads the next part: `want` bytes, fewer only where the stream ends. What is in `part` goes; its memory is used again.
/// `tried` reads like "Cannot write x on nas".
pub(super) async fn read_part(
    stream: &mut ByteStream,
    mut part: BytesMut,
    want: u64,
    mut sum: Option<&mut Sha256Sum>,
    tried: &str,
    ctx: &RunContext,
) -> Result<Bytes> {
    let want = usize::try_from(want).map_err(|error| {
        Error::new(ErrorClass::Unsupported, format!("{tried}: its parts are too large")).source(error)
    })?;
    part.clear();
    part.reserve(want);
    while part.len() < want {
        ctx.check()?;
        let before = part.len();
        let step = STEP_BYTES.min(want - before) as u64;
        let read = AsyncReadExt::take(&mut *stream, step)
            .read_buf(&mut part)
            .await
            .map_err(|error| Error::io(tried, error))?;
        if read == 0 {
            break;
        }
        if let Some(sum) = &mut sum {
            sum.update(&part[before..]);
        }
        ctx.progress.advance(0, read as u64);
    }
    Ok(part.freeze())
}
