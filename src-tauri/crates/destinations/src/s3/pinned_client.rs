//! The HTTP client for a store whose one certificate the user accepted. The SDK's own client cannot be told how a
//! certificate is judged, so that this one stands in for it: the same connections, with our judge.

use super::config::{CONNECT_LIMIT, IDLE_LIMIT};
use super::errors::io_kind;
use crate::tls::{LastShown, Trust};
use aws_sdk_s3::config::{RuntimeComponents, SharedHttpClient};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use backstay_core::Result;
use futures::future::BoxFuture;
use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// Makes the client, and what remembers the certificates the store showed. It speaks TLS or not at all.
pub(super) fn pinned_client(pin: &str) -> Result<(SharedHttpClient, Arc<LastShown>)> {
    let (tls, shown) = Trust::pinned(pin)?.config(rustls::ALL_VERSIONS)?;
    Ok((SharedHttpClient::new(Pinned::new(tls)), shown))
}

#[derive(Clone, Debug)]
struct Pinned {
    client: Client<Way, SdkBody>,
}

impl Pinned {
    fn new(tls: ClientConfig) -> Self {
        let mut tcp = Tcp::new();
        tcp.set_nodelay(true);
        // It is handed addresses that begin with https.
        tcp.enforce_http(false);
        let mut way = HttpsConnector::from((tcp, tls));
        way.enforce_https();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .build(Way(way));
        Self { client }
    }
}

impl HttpClient for Pinned {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        // All share the connections kept.
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Pinned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let answer = self.client.request(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await.map_err(failed)?;
            HttpResponse::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Sorts a failure as the SDK's own client does.
fn failed(error: ClientError) -> ConnectorError {
    match io_kind(&error) {
        Some(io::ErrorKind::TimedOut) => ConnectorError::timeout(error.into()),
        None if !error.is_connect() => ConnectorError::other(error.into(), None),
        _ => ConnectorError::io(error.into()),
    }
}

/// The way to the store with TLS agreed on, all of it within the limit.
#[derive(Clone)]
struct Way(HttpsConnector<Tcp>);

impl Service<Uri> for Way {
    type Response = <HttpsConnector<Tcp> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, std::result::Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let reached = self.0.call(to);
        Box::pin(async move {
            match tokio::time::timeout(CONNECT_LIMIT, reached).await {
                Ok(reached) => reached,
                Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no connection within the limit").into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use backstay_core::ErrorClass;
    use std::error::Error as StdError;
    use tokio::net::TcpListener;

    async fn ask(address: &str) -> ConnectorError {
        let tls = Trust::pinned(&"ab".repeat(32)).unwrap().config(rustls::ALL_VERSIONS).unwrap().0;
        let mut request = HttpRequest::empty();
        request.set_uri(address).unwrap();
        Pinned::new(tls).call(request).await.err().unwrap()
    }

    #[test]
    fn a_pin_that_is_none_is_refused() {
        assert_eq!(pinned_client("12:34").err().unwrap().class, ErrorClass::Invalid);
    }

    #[tokio::test]
    async fn nothing_is_said_in_the_clear() {
        let error = ask("http://127.0.0.1:9/").await;
        assert!(error.source().is_some() && error.is_io(), "{error:?}");
    }

    #[tokio::test]
    async fn a_port_nobody_listens_on_is_a_fault_of_the_way() {
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        let error = ask(&format!("https://127.0.0.1:{port}/")).await;
        assert!(error.is_io(), "{error:?}");
        assert_eq!(io_kind(&error), Some(io::ErrorKind::ConnectionRefused));
    }

    #[tokio::test]
    async fn a_store_that_takes_the_connection_and_says_nothing_is_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}/", listener.local_addr().unwrap());
        tokio::time::pause();
        let error = ask(&address).await;
        assert!(error.is_timeout(), "{error:?}");
    }
}
