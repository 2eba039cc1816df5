//! An S3 server in this process: s3s, strict about signatures and checksums, with a layer in front that misbehaves on
//! demand.

use super::faults::{Does, Faults, Reply, Seen};
use super::shelf::Shelf;
use super::tls::{self, Certificate};
use backstay_core::config::{DestinationLogin, S3Place};
use backstay_core::secret::Secret;
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyDataStream, BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const ACCESS_KEY: &str = "BACKSTAYLABKEY";
const SECRET_KEY: &str = "lab-secret-7c1d0f5e9b3a4d62";
const BUCKET: &str = "backups";

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A running server with one empty bucket. Dropping it ends it.
pub struct S3Server {
    port: u16,
    /// PEM text of the authority, and the certificate shown; only with TLS.
    certificates: Option<(String, Vec<u8>)>,
    shelf: Shelf,
    faults: Arc<Faults>,
    task: JoinHandle<()>,
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Front {
    strict: S3Service,
    /// Asks for no signature: for requests of which a header is overlooked, which was signed.
    careless: S3Service,
    faults: Arc<Faults>,
}

impl S3Server {
    /// Starts a server on a free port of this machine.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts a server that speaks TLS and shows a certificate. `place` trusts the authority behind it.
    pub async fn start_tls(certificate: Certificate) -> Self {
        Self::start_with(Some(certificate)).await
    }

    async fn start_with(certificate: Option<Certificate>) -> Self {
        let (tls, certificates) =
            certificate.map(tls::make).map(|tls| (tls.acceptor, (tls.authority, tls.der))).unzip();
        let shelf = Shelf::new(BUCKET);
        let mut strict = S3ServiceBuilder::new(shelf.clone());
        strict.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let faults = Arc::new(Faults::default());
        let front = Arc::new(Front {
            strict: strict.build(),
            careless: S3ServiceBuilder::new(shelf.clone()).build(),
            faults: Arc::clone(&faults),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("its number").port();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let _ = socket.set_nodelay(true);
                let (front, tls) = (Arc::clone(&front), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => front.serve(socket).await,
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                front.serve(socket).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, certificates, shelf, faults, task }
    }

    /// Returns its port.
    pub fn port(&self) -> u16 {
        self.port
    }
    /// Returns the bucket as a place, with what this server honours filled in.
    pub fn place(&self) -> S3Place {
        S3Place {
            provider: "generic".into(),
            endpoint: match self.certificates {
                Some(_) => format!("https://localhost:{}", self.port),
                None => format!("http://127.0.0.1:{}", self.port),
            },
            ca_pem: self.certificates.as_ref().map(|(authority, _)| authority.clone()),
            region: "us-east-1".into(),
            bucket: BUCKET.into(),
            access_key: ACCESS_KEY.into(),
            path_style: true,
            conditional_writes: true,
            checks_md5: true,
            ..S3Place::default()
        }
    }
    /// Returns the certificate it shows, DER; empty without TLS.
    pub fn certificate(&self) -> &[u8] {
        self.certificates.as_ref().map_or(&[], |(_, der)| der.as_slice())
    }
    /// Returns what logs in there.
    pub fn login(&self) -> DestinationLogin {
        DestinationLogin { secret: Some(self.secret()), ..DestinationLogin::default() }
    }
    /// Returns the secret key.
    pub fn secret(&self) -> Secret {
        Secret::new(SECRET_KEY)
    }
    /// Returns the file an object's content lies in, to damage it behind everybody's back.
    pub fn object(&self, name: &str) -> Option<PathBuf> {
        self.shelf.file(BUCKET, name)
    }
    /// Returns the names of all objects, in order.
    pub fn names(&self) -> Vec<String> {
        self.shelf.names(BUCKET)
    }
    /// Returns how many uploads in parts are begun and not ended.
    pub fn unfinished(&self) -> usize {
        self.shelf.uploads(BUCKET)
    }
    /// Lets the next `times` requests `when` holds for meet a fault.
    pub fn fault(&self, times: u32, does: Does, when: impl Fn(&Seen) -> bool + Send + Sync + 'static) {
        self.faults.add(times, does, when);
    }
    /// Lets the next `times` calls of a name ("PutObject") be refused with an error.
    pub fn refuse(&self, times: u32, call: &'static str, status: u16, code: &str) {
        self.fault(times, Does::Says(Reply::error(status, code, "As the test wants it")), move |seen| {
            seen.call == call
        });
    }
    /// Ends all faults.
    pub fn behave(&self) {
        self.faults.clear();
        self.faults.skew.store(0, Ordering::Relaxed);
    }
    /// Moves the clock the answers show.
    pub fn skew(&self, seconds: i64) {
        self.faults.skew.store(seconds, Ordering::Relaxed);
    }
    /// Returns what was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.faults.log()
    }
    /// Returns how often a call was made so far.
    pub fn count(&self, call: &str) -> usize {
        self.seen().iter().filter(|seen| seen.call == call).count()
    }
    /// Forgets what was asked so far.
    pub fn forget(&self) {
        self.faults.forget();
    }
}

impl Front {
    async fn serve(self: Arc<Self>, socket: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(move |request| {
            let front = Arc::clone(&self);
            async move { front.answer(request).await }
        });
        // A client that goes away is no fault of the server's.
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
    }

    async fn answer(&self, request: http::Request<Incoming>) -> io::Result<Response<Body>> {
        let (mut parts, body) = request.into_parts();
        let seen = Seen::of(&parts);
        let faults = self.faults.meet(&seen);
        let mut overlooked: Vec<&str> = Vec::new();
        for fault in &faults {
            match fault {
                Does::Says(reply) => return self.reply(reply.clone(), body).await,
                Does::Makes(make) => return self.reply(make(&seen), body).await,
                Does::HangsUp => return Err(io::Error::other("hangs up")),
                Does::IgnoresCondition => overlooked.push("if-none-match"),
                Does::IgnoresSums => overlooked.extend(["content-md5", "x-amz-checksum-crc32"]),
                Does::IgnoresRange => overlooked.push("range"),
                // A signature names the content's sum too: without it, the sums of the upload have to find out.
                Does::TakesDamaged => overlooked.push("authorization"),
                Does::LiesAboutTag | Does::LosesAnswer | Does::CutsBody(_) => {}
            }
        }
        let mut service = &self.strict;
        if !overlooked.is_empty() {
            service = &self.careless;
            for name in overlooked.into_iter().chain(["authorization"]) {
                parts.headers.remove(name);
            }
        }
        let body = match faults.iter().any(|fault| matches!(fault, Does::TakesDamaged)) {
            true => damaged(body).await?,
            false => s3s::Body::from(body),
        };
        let request = http::Request::from_parts(parts, body);
        let answer = service.call(request).await.map_err(|error| io::Error::other(format!("{error:?}")))?;
        let (mut parts, body) = answer.into_parts();
        let mut body = BodyExt::boxed_unsync(BodyExt::map_err(body, |error| io::Error::other(error.to_string())));
        for fault in &faults {
            match fault {
                Does::LosesAnswer => return Err(io::Error::other("loses the answer")),
                Does::LiesAboutTag if parts.headers.contains_key("etag") => {
                    parts.headers.insert("etag", HeaderValue::from_static("\"a-tag-of-its-own\""));
                }
                Does::CutsBody(after) => body = cut(body, *after),
                _ => {}
            }
        }
        self.date(&mut parts.headers);
        Ok(Response::from_parts(parts, body))
    }

    async fn reply(&self, reply: Reply, body: Incoming) -> io::Result<Response<Body>> {
        // Take in what was sent, so that the answer is read and not the broken pipe.
        let mut sent = BodyDataStream::new(body);
        while let Some(Ok(_)) = sent.next().await {}
        let mut response = Response::new(Full::new(reply.body).map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = StatusCode::from_u16(reply.status).map_err(io::Error::other)?;
        for (name, value) in reply.headers {
            let name = http::HeaderName::try_from(name).map_err(io::Error::other)?;
            response.headers_mut().insert(name, HeaderValue::try_from(value).map_err(io::Error::other)?);
        }
        self.date(response.headers_mut());
        Ok(response)
    }

    fn date(&self, headers: &mut HeaderMap) {
        let skew = self.faults.skew.load(Ordering::Relaxed);
        if skew == 0 {
            return;
        }
        let date = chrono::Utc::now() + chrono::Duration::seconds(skew);
        if let Ok(date) = HeaderValue::try_from(date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()) {
            headers.insert("date", date);
        }
    }
}

async fn damaged(body: Incoming) -> io::Result<s3s::Body> {
    let mut content = BodyExt::collect(body).await.map_err(io::Error::other)?.to_bytes().to_vec();
    if let Some(byte) = content.last_mut() {
        *byte ^= 1;
    }
    Ok(s3s::Body::from(content))
}

fn cut(body: Body, after: u64) -> Body {
    let mut left = after;
    let mut over = false;
    let stream = BodyDataStream::new(body).flat_map(move |piece| {
        let out: Vec<io::Result<Frame<Bytes>>> = match piece {
            _ if over => Vec::new(),
            Ok(mut data) if data.len() as u64 >= left => {
                over = true;
                let keep = data.split_to(usize::try_from(left).unwrap_or(0));
                vec![Ok(Frame::data(keep)), Err(io::Error::other("cut"))]
            }
            Ok(data) => {
                left -= data.len() as u64;
                vec![Ok(Frame::data(data))]
            }
            Err(error) => vec![Err(error)],
        };
        futures::stream::iter(out)
    });
    BodyExt::boxed_unsync(StreamBody::new(stream))
}
