//! Reading objects, and what is known of them.

use super::client::Store;
use super::errors::{Act, Answer};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream as Body;
use backstay_core::destination::{Key, ObjectInfo};
use backstay_core::entry::ByteStream;
use backstay_core::{Error, ErrorClass, Result, Secret};
use bytes::{Bytes, BytesMut};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

/// No store signs links for longer.
const LONGEST_LINK: Duration = Duration::from_secs(7 * 24 * 3600);
/// Room made in advance for an answer; what it claims to hold is not to be trusted with more.
const ROOM_IN_ADVANCE: u64 = 64 << 20;

impl Store {
    pub(super) async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Bytes> {
        let tried = format!("Cannot read {key} on {}", self.label);
        match range {
            None => {
                let output = self.ask(key, &tried, None).await?;
                let size = length(&output);
                let content = self.collect(&tried, output.body, size, u64::MAX).await?;
                match size {
                    Some(size) if content.len() as u64 != size => Err(cut_off(&tried, content.len() as u64, size)),
                    _ => Ok(content),
                }
            }
            Some(range) if range.start > range.end => {
                Err(Error::new(ErrorClass::Invalid, format!("{tried}: bytes {} to {}", range.start, range.end)))
            }
            // A range of no bytes cannot be asked for.
            Some(range) if range.is_empty() => {
                let size = self.look_at(key).await?.size_bytes;
                if range.end > size { Err(cut_short(&tried, size, range.end)) } else { Ok(Bytes::new()) }
            }
            Some(range) => self.read_range(key, &tried, range).await,
        }
    }

    async fn read_range(&self, key: &Key, tried: &str, range: Range<u64>) -> Result<Bytes> {
        let output = self.ask(key, tried, Some((range.start, Some(range.end)))).await?;
        let wanted = range.end - range.start;
        let size = length(&output);
        if output.content_range.is_none() {
            // This store does not know ranges and sends all of it.
            let content = self.collect(tried, output.body, size, range.end).await?;
            if (content.len() as u64) < range.end {
                return Err(cut_short(tried, content.len() as u64, range.end));
            }
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
            return Ok(content.slice(at(range.start)..at(range.end)));
        }
        let content = self.collect(tried, output.body, size, wanted).await?;
        let got = content.len() as u64;
        match size {
            _ if got == wanted => Ok(content),
            Some(size) if got < size => Err(cut_off(tried, got, size)),
            _ => Err(cut_short(tried, range.start + got, range.end)),
        }
    }

    pub(super) async fn read_stream(self: &Arc<Self>, key: &Key, offset: u64) -> Result<ByteStream> {
        let tried = format!("Cannot read {key} on {}", self.label);
        let output = match self.ask(key, &tried, Some((offset, None)).filter(|_| offset > 0)).await {
            Ok(output) => output,
            // From its very end there is nothing to read, and nothing wrong.
            Err(error) if error.class == ErrorClass::Corrupt && self.look_at(key).await?.size_bytes == offset => {
                return Ok(Box::new(tokio::io::empty()));
            }
            Err(error) => return Err(error),
        };
        let skip = if output.content_range.is_none() { offset } else { 0 };
        let mut stream = self.stream(&tried, output);
        if skip > 0 {
            // This store does not know ranges and sends all of it.
            let mut before = (&mut stream).take(skip);
            let skipped = tokio::io::copy(&mut before, &mut tokio::io::sink()).await;
            let skipped = skipped.map_err(|error| Error::io(&tried, error))?;
            if skipped < skip {
                return Err(cut_short(&tried, skipped, skip));
            }
        }
        Ok(stream)
    }

    /// Makes a reader of an answer. Its errors carry our class through `io::Error`.
    fn stream(self: &Arc<Self>, tried: &str, output: GetObjectOutput) -> ByteStream {
        let size = length(&output);
        let state = Coming { body: output.body, store: Arc::clone(self), tried: tried.to_owned(), size, got: 0 };
        let pieces = futures::stream::try_unfold(state, |mut state| async move {
            match state.body.next().await {
                Some(Ok(piece)) => {
                    state.got += piece.len() as u64;
                    Ok(Some((piece, state)))
                }
                Some(Err(error)) => Err(io::Error::from(state.store.broken(&state.tried, &error))),
                None => match state.size {
                    Some(size) if state.got < size => Err(cut_off(&state.tried, state.got, size).into()),
                    _ => Ok(None),
                },
            }
        });
        Box::new(StreamReader::new(Box::pin(pieces)))
    }

    /// Asks for an object or a part of it: from, and up to but not with.
    async fn ask(&self, key: &Key, tried: &str, part: Option<(u64, Option<u64>)>) -> Result<GetObjectOutput> {
        let range = part.map(|(from, to)| match to {
            Some(to) => format!("bytes={from}-{}", to - 1),
            None => format!("bytes={from}-"),
        });
        let asked =
            self.client.get_object().bucket(&self.place.bucket).key(self.name(key)).set_range(range).send().await;
        match asked {
            Ok(output) => Ok(output),
            Err(error) => {
                let beyond = Answer::of(&error).is_some_and(|answer| answer.status == 416);
                if let (true, Some((from, to))) = (beyond, part) {
                    let size = self.look_at(key).await?.size_bytes;
                    return Err(cut_short(tried, size, to.unwrap_or(from)));
                }
                Err(self.failed(Act::Read, tried, error))
            }
        }
    }

    /// Reads a body, but never more than `most` bytes.
    async fn collect(&self, tried: &str, mut body: Body, size: Option<u64>, most: u64) -> Result<Bytes> {
        let room = size.unwrap_or(0).min(most).min(ROOM_IN_ADVANCE);
        let mut content = BytesMut::with_capacity(usize::try_from(room).unwrap_or(0));
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| self.broken(tried, &error))?;
            let left = usize::try_from(most - content.len() as u64).unwrap_or(usize::MAX);
            content.extend_from_slice(&piece[..piece.len().min(left)]);
            if piece.len() >= left {
                break;
            }
        }
        Ok(content.freeze())
    }

    pub(super) async fn look(&self, key: &Key, tried: &str) -> Result<HeadObjectOutput> {
        let asked = self.client.head_object().bucket(&self.place.bucket).key(self.name(key)).send().await;
        asked.map_err(|error| self.failed(Act::Read, tried, error))
    }

    pub(super) async fn look_at(&self, key: &Key) -> Result<ObjectInfo> {
        let tried = format!("Cannot find {key} on {}", self.label);
        let output = self.look(key, &tried).await?;
        let size_bytes = output
            .content_length
            .and_then(|size| u64::try_from(size).ok())
            .ok_or_else(|| Error::new(ErrorClass::Unsupported, format!("{tried}: the store does not tell its size")))?;
        Ok(ObjectInfo { key: key.clone(), size_bytes, modified: output.last_modified.map(|time| time.secs()) })
    }

    pub(super) async fn link(&self, key: &Key, valid: Duration) -> Result<Secret> {
        let tried = format!("Cannot make a link to {key} on {}", self.label);
        if valid.is_zero() || valid > LONGEST_LINK {
            return Err(Error::new(ErrorClass::Invalid, format!("{tried}: it cannot be valid for so long"))
                .hint("Choose between 10 minutes and 7 days"));
        }
        // A link to what is not there, or cannot be read now, helps nobody.
        self.look(key, &tried).await?;
        let internal =
            |error: aws_sdk_s3::error::BoxError| Error::new(ErrorClass::Internal, tried.clone()).source(error);
        let lasting = PresigningConfig::expires_in(valid).map_err(|error| internal(error.into()))?;
        let asked = self.client.get_object().bucket(&self.place.bucket).key(self.name(key)).presigned(lasting).await;
        asked.map(|request| Secret::new(request.uri())).map_err(|error| internal(error.into()))
    }
}

fn length(output: &GetObjectOutput) -> Option<u64> {
    output.content_length.and_then(|size| u64::try_from(size).ok())
}

/// An object on its way.
struct Coming {
    body: Body,
    store: Arc<Store>,
    tried: String,
    size: Option<u64>,
    got: u64,
}

fn cut_short(tried: &str, has: u64, wanted: u64) -> Error {
    Error::new(ErrorClass::Corrupt, format!("{tried}: it ends at byte {has}, but {wanted} are needed"))
        .hint("The object was cut short; verify this destination")
}

fn cut_off(tried: &str, got: u64, size: u64) -> Error {
    Error::new(ErrorClass::Offline, format!("{tried}: the connection was lost after {got} of {size} bytes"))
        .hint("Check the network, then try again")
}
