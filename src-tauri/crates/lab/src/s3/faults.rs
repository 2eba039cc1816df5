//! What a store may do wrong, and what it was asked.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// "PUT".
    pub method: String,
    /// The path as sent: "/bucket/a/b".
    pub path: String,
    /// The query, decoded.
    pub query: BTreeMap<String, String>,
    /// The headers, names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The call's name as Amazon writes it: "PutObject".
    pub call: &'static str,
}

impl Seen {
    pub(super) fn of(parts: &http::request::Parts) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let query: BTreeMap<String, String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), plain(value)))
            .collect();
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let (method, path) = (parts.method.to_string(), plain(parts.uri.path()));
        let call = call(&method, &path, &query);
        Self { method, path, query, headers, call }
    }
}

fn plain(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| bytes[at] == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn call(method: &str, path: &str, query: &BTreeMap<String, String>) -> &'static str {
    let has = |name: &str| query.contains_key(name);
    let object = path.trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty());
    match (method, object) {
        ("PUT", true) if has("uploadId") => "UploadPart",
        ("PUT", true) if has("retention") => "PutObjectRetention",
        ("PUT", true) => "PutObject",
        ("POST", true) if has("uploads") => "CreateMultipartUpload",
        ("POST", true) if has("uploadId") => "CompleteMultipartUpload",
        ("POST", true) if has("restore") => "RestoreObject",
        ("GET", true) if has("uploadId") => "ListParts",
        ("GET", true) if has("retention") => "GetObjectRetention",
        ("GET", true) => "GetObject",
        ("HEAD", true) => "HeadObject",
        ("DELETE", true) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", true) => "DeleteObject",
        ("HEAD", false) => "HeadBucket",
        ("GET", false) if has("uploads") => "ListMultipartUploads",
        ("GET", false) if has("versions") => "ListObjectVersions",
        ("GET", false) if has("versioning") => "GetBucketVersioning",
        ("PUT", false) if has("versioning") => "PutBucketVersioning",
        ("GET", false) if has("lifecycle") => "GetBucketLifecycle",
        ("PUT", false) if has("lifecycle") => "PutBucketLifecycle",
        ("GET", false) if has("object-lock") => "GetObjectLock",
        ("PUT", false) if has("encryption") => "PutBucketEncryption",
        ("PUT", false) if has("publicAccessBlock") => "PutPublicAccessBlock",
        ("PUT", false) => "CreateBucket",
        ("GET", false) if query.get("list-type").is_some_and(|kind| kind == "2") => "ListObjectsV2",
        ("GET", false) => "ListObjects",
        _ => "Other",
    }
}

/// A whole answer.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
}

impl Reply {
    /// Makes the XML answer of an error.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message>\
             <RequestId>lab</RequestId></Error>"
        );
        Self {
            status,
            headers: vec![
                ("content-type".into(), "application/xml".into()),
                ("x-amz-request-id".into(), "lab-request".into()),
            ],
            body: body.into(),
        }
    }
    /// Makes an XML answer that says yes.
    pub fn xml(body: impl Into<String>) -> Self {
        Self { status: 200, headers: vec![("content-type".into(), "application/xml".into())], body: body.into().into() }
    }
}

/// What the store does wrong.
#[derive(Clone)]
pub enum Does {
    /// Answers so, without doing anything.
    Says(Reply),
    /// Answers what this makes of the request, without doing anything.
    Makes(Arc<dyn Fn(&Seen) -> Reply + Send + Sync>),
    /// Does it, and answers with an ETag that has nothing to do with the content.
    LiesAboutTag,
    /// Does it as if there were no `If-None-Match`.
    IgnoresCondition,
    /// Does it as if there were no `Content-MD5` and no checksum.
    IgnoresSums,
    /// Does it as if there were no `Range`.
    IgnoresRange,
    /// Takes content of which a bit was turned over on the way.
    TakesDamaged,
    /// Does it, and ends the connection instead of answering.
    LosesAnswer,
    /// Ends the connection without doing anything.
    HangsUp,
    /// Does it, and ends the connection after so many bytes of the answer's body.
    CutsBody(u64),
}

struct Fault {
    when: Arc<dyn Fn(&Seen) -> bool + Send + Sync>,
    left: u32,
    does: Does,
}

/// The faults and the log of one server.
#[derive(Default)]
pub(super) struct Faults {
    faults: Mutex<Vec<Fault>>,
    seen: Mutex<Vec<Seen>>,
    /// Added to the clock of the answers, in seconds.
    pub(super) skew: std::sync::atomic::AtomicI64,
}

impl Faults {
    pub(super) fn add(&self, times: u32, does: Does, when: impl Fn(&Seen) -> bool + Send + Sync + 'static) {
        let fault = Fault { when: Arc::new(when), left: times, does };
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }
    pub(super) fn clear(&self) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
    pub(super) fn log(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    pub(super) fn forget(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
    /// Writes the request down and takes the faults that hold for it; of answers only the first.
    pub(super) fn meet(&self, seen: &Seen) -> Vec<Does> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for fault in faults.iter_mut().filter(|fault| fault.left > 0) {
            if (fault.when)(seen) {
                fault.left -= 1;
                found.push(fault.does.clone());
                if matches!(fault.does, Does::Says(_) | Does::Makes(_) | Does::HangsUp) {
                    break;
                }
            }
        }
        faults.retain(|fault| fault.left > 0);
        found
    }
}
