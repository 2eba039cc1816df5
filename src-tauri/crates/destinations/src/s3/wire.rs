//! The way to the store: every byte of a request or an answer goes past the traffic, and each answer tells the time.

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents, SharedHttpClient};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat, SdkBody};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use backstay_core::destination::{Direction, PIECE, Traffic};
use base64::Engine;
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use md5::{Digest, Md5};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the store's answers told about its clock.
#[derive(Debug)]
pub(super) struct Sight(AtomicI64);

const NOT_SEEN: i64 = i64::MIN;

impl Sight {
    pub(super) fn new() -> Self {
        Self(AtomicI64::new(NOT_SEEN))
    }

    /// Returns by how many seconds this computer's clock is ahead of the store's; `None` before the first answer.
    pub(super) fn ahead_seconds(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|ahead| *ahead != NOT_SEEN)
    }

    fn saw(&self, date: &str) {
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok());
        let there = DateTime::from_str(date, DateTimeFormat::HttpDate).ok();
        if let (Some(now), Some(there)) = (now, there) {
            self.0.store(now.saturating_sub(there.secs()), Ordering::Relaxed);
        }
    }
}

/// An HTTP client whose bodies pass the traffic. It sits behind the signing, so that a body held back by a limit is
/// signed by its content all the same.
#[derive(Clone)]
pub(super) struct Paced {
    pub(super) inner: SharedHttpClient,
    pub(super) traffic: Arc<dyn Traffic>,
    pub(super) sight: Arc<Sight>,
}

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Paced")
    }
}

impl HttpClient for Paced {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(PacedConnector { connector, way: self.clone() })
    }
}

#[derive(Debug)]
struct PacedConnector {
    connector: SharedHttpConnector,
    way: Paced,
}

impl HttpConnector for PacedConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let body = request.take_body();
        *request.body_mut() = if body.is_end_stream() { body } else { paced(body, Direction::Up, &self.way.traffic) };
        let call = self.connector.call(request);
        let way = self.way.clone();
        HttpConnectorFuture::new(async move {
            let mut response = call.await?;
            if let Some(date) = response.headers().get("date") {
                way.sight.saw(date);
            }
            let body = response.take_body();
            *response.body_mut() = paced(body, Direction::Down, &way.traffic);
            Ok(response)
        })
    }
}

fn paced(body: SdkBody, direction: Direction, traffic: &Arc<dyn Traffic>) -> SdkBody {
    SdkBody::from_body_1_x(PacedBody {
        inner: body,
        traffic: Arc::clone(traffic),
        direction,
        rest: Bytes::new(),
        held: None,
    })
}

/// A body in pieces of at most [`PIECE`], each let through by the traffic.
struct PacedBody {
    inner: SdkBody,
    traffic: Arc<dyn Traffic>,
    direction: Direction,
    /// Come from the inner body, not yet asked for.
    rest: Bytes,
    held: Option<Held>,
}

struct Held {
    piece: Bytes,
    /// A body must be `Sync`, a future is not; nobody ever waits for this lock.
    leave: Mutex<BoxFuture<'static, ()>>,
}

impl PacedBody {
    fn hold(&mut self) {
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        let (traffic, direction, length) = (Arc::clone(&self.traffic), self.direction, piece.len());
        let leave: BoxFuture<'static, ()> = Box::pin(async move { traffic.pass(direction, length).await });
        self.held = Some(Held { piece, leave: Mutex::new(leave) });
    }
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            if let Some(held) = &mut this.held {
                let leave = held.leave.get_mut().unwrap_or_else(PoisonError::into_inner);
                ready!(leave.as_mut().poll(cx));
                let piece = std::mem::take(&mut held.piece);
                this.held = None;
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if !this.rest.is_empty() {
                this.hold();
                continue;
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.size_hint();
        let here = (self.rest.len() + self.held.as_ref().map_or(0, |held| held.piece.len())) as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(here));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(here));
        }
        hint
    }
}

/// Gives every upload its Content-MD5: the one check of content all stores know. Buckets with a default lock demand it.
#[derive(Debug)]
pub(super) struct ContentMd5;

const HEADER: &str = "content-md5";

impl Intercept for ContentMd5 {
    fn name(&self) -> &'static str {
        "ContentMd5"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        if request.method() != "PUT" || request.headers().get(HEADER).is_some() {
            return Ok(());
        }
        if let Some(content) = request.body().bytes() {
            let sum = base64::engine::general_purpose::STANDARD.encode(Md5::digest(content));
            request.headers_mut().try_insert(HEADER, sum)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Seen(Mutex<Vec<usize>>);

    #[async_trait::async_trait]
    impl Traffic for Seen {
        async fn pass(&self, _: Direction, bytes: usize) {
            tokio::task::yield_now().await;
            self.0.lock().unwrap().push(bytes);
        }
    }

    #[tokio::test]
    async fn bodies_pass_in_pieces_and_keep_their_length() {
        let seen = Arc::new(Seen::default());
        let traffic: Arc<dyn Traffic> = seen.clone();
        let content: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        let body = paced(SdkBody::from(content.clone()), Direction::Up, &traffic);
        assert_eq!(body.size_hint().exact(), Some(200_000));
        let read = aws_sdk_s3::primitives::ByteStream::new(body).collect().await.unwrap();
        assert!(read.to_vec() == content);
        assert_eq!(*seen.0.lock().unwrap(), [PIECE, PIECE, PIECE, 200_000 - 3 * PIECE]);
    }

    #[test]
    fn answers_tell_the_clock() {
        let sight = Sight::new();
        assert_eq!(sight.ahead_seconds(), None);
        sight.saw("nonsense");
        assert_eq!(sight.ahead_seconds(), None);
        sight.saw("Tue, 29 Apr 2014 18:30:38 GMT");
        assert!(sight.ahead_seconds().unwrap() > 300_000_000);
    }
}
