//! Listing: the second version of the call, and the first where a store does not know the second.

use super::client::Store;
use super::errors::Act;
use aws_sdk_s3::types::{EncodingType, Object};
use backstay_core::destination::ObjectInfo;
use backstay_core::{Error, ErrorClass, Result};
use std::sync::atomic::Ordering;

/// One page of a list.
struct Page {
    objects: Vec<Object>,
    /// Names are percent-encoded.
    encoded: bool,
    next: Option<String>,
}

impl Store {
    pub(super) async fn list_below(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let tried = format!("Cannot list {}", self.label);
        if !self.list_v1.load(Ordering::Relaxed) {
            match self.list_v2(&tried, prefix).await {
                Err(error) if error.class == ErrorClass::Unsupported => {}
                listed => return listed,
            }
            let listed = self.list_v1(&tried, prefix).await?;
            self.list_v1.store(true, Ordering::Relaxed);
            return Ok(listed);
        }
        self.list_v1(&tried, prefix).await
    }

    /// Only Amazon's own store encodes names reliably; there it lets through what XML could not hold.
    fn encoding(&self) -> Option<EncodingType> {
        (self.place.provider == "aws").then_some(EncodingType::Url)
    }

    pub(super) async fn list_v2(&self, tried: &str, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let asked = self
                .client
                .list_objects_v2()
                .bucket(&self.place.bucket)
                .prefix(self.full(prefix))
                .set_encoding_type(self.encoding())
                .set_continuation_token(token.clone())
                .send()
                .await;
            let page = asked.map_err(|error| self.failed(Act::List, tried, error))?;
            let page = Page {
                encoded: page.encoding_type.is_some(),
                objects: page.contents.unwrap_or_default(),
                next: page.next_continuation_token.filter(|_| page.is_truncated == Some(true)),
            };
            self.take(&page, &mut found);
            match page.next {
                None => return Ok(found),
                next if next == token => return Err(repeats(tried)),
                next => token = next,
            }
        }
    }

    pub(super) async fn list_v1(&self, tried: &str, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let mut found = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let asked = self
                .client
                .list_objects()
                .bucket(&self.place.bucket)
                .prefix(self.full(prefix))
                .set_encoding_type(self.encoding())
                .set_marker(marker.clone())
                .send()
                .await;
            let page = asked.map_err(|error| self.failed(Act::List, tried, error))?;
            let encoded = page.encoding_type.is_some();
            let objects = page.contents.unwrap_or_default();
            // The next marker is told only to those who ask for folders; else it is the last name.
            let last = || objects.last().and_then(|object| object.key.clone());
            let next = if page.is_truncated == Some(true) { page.next_marker.or_else(last) } else { None };
            let next = next.map(|next| if encoded { decoded(&next) } else { next });
            let page = Page { objects, encoded, next };
            self.take(&page, &mut found);
            match page.next {
                None => return Ok(found),
                // Markers only ever grow; some store sends the same page for ever.
                next if next <= marker => return Err(repeats(tried)),
                next => marker = next,
            }
        }
    }

    /// Takes what is ours; names that are no keys of ours were not put by us.
    fn take(&self, page: &Page, found: &mut Vec<ObjectInfo>) {
        for object in &page.objects {
            let Some(name) = object.key() else { continue };
            let key = if page.encoded { self.key_of(&decoded(name)) } else { self.key_of(name) };
            let (Some(key), Some(size)) = (key, object.size) else { continue };
            found.push(ObjectInfo {
                key,
                size_bytes: u64::try_from(size).unwrap_or(0),
                modified: object.last_modified.map(|time| time.secs()),
            });
        }
    }
}

fn repeats(tried: &str) -> Error {
    Error::new(ErrorClass::Unsupported, format!("{tried}: the store sends the same page again and again"))
        .hint("Fewer objects under one folder help; tell the provider about it")
}

/// Undoes the encoding of a listed name: `%XX`, and `+` for a blank.
fn decoded(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(value)) => {
                plain.push(value);
                at += 3;
                continue;
            }
            (b'+', _) => plain.push(b' '),
            _ => plain.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_names_are_read() {
        assert_eq!(decoded("a/b+c%2Bd%20e%C3%A4"), "a/b c+d eä");
        assert_eq!(decoded("50%"), "50%");
        assert_eq!(decoded("50%zz%4"), "50%zz%4");
    }
}
