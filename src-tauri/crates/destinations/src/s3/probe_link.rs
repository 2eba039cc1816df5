//! The try of a temporary link: what it opens, anybody can read without a key.

use super::client::S3;
use super::probe::Test;
use super::probe_tries::within;
use super::steps::{noted, passed};
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use backstay_core::destination::{Destination, Key};
use backstay_core::{Result, Secret};
use bytes::Bytes;
use std::time::Duration;

/// The shortest a link is made for.
const VALID: Duration = Duration::from_secs(600);

impl Test<'_> {
    /// Opens a link to the test's file as anybody would.
    pub(super) async fn link(&mut self, s3: &S3, key: &Key, content: &Bytes) {
        const TITLE: &str = "Open a temporary link";
        let Ok(opened) = within(open(s3, key)).await else { return };
        let opens = matches!(&opened, Ok(Some(read)) if read == content);
        self.found.links = Some(opens);
        self.tell(if opens {
            passed(TITLE, "It opens without a key".to_owned())
        } else {
            let hint = "Archives cannot be shared by a link from here; download them instead";
            let why = match opened {
                Err(error) => error.message,
                Ok(None) => "The store does not open it without a key".to_owned(),
                Ok(Some(_)) => "What it opens is not what was written".to_owned(),
            };
            noted(TITLE, why, Some(hint))
        });
    }
}

/// Reads what a link opens; `None` where the store refuses it.
async fn open(s3: &S3, key: &Key) -> Result<Option<Bytes>> {
    let link = s3.link(key, VALID).await?;
    let store = &s3.store;
    let asked = store.client.get_object().bucket(&store.place.bucket).key(store.name(key)).customize();
    let Ok(output) = asked.interceptor(ByLink(link)).send().await else { return Ok(None) };
    let read = output.body.collect().await;
    read.map(|body| Some(body.into_bytes())).map_err(|error| store.broken("Cannot read a file by a link", &error))
}

/// Sends a request to a link instead, with nothing that tells who we are.
#[derive(Debug)]
struct ByLink(Secret);

impl Intercept for ByLink {
    fn name(&self) -> &'static str {
        "ByLink"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let request = context.request_mut();
        let sent: Vec<String> = request.headers().iter().map(|(name, _)| name.to_owned()).collect();
        for name in sent {
            request.headers_mut().remove(name.as_str());
        }
        request.set_uri(self.0.expose())?;
        Ok(())
    }
}
