//! What a store says when it says no, in our classes, with what to do. No text ever holds the secret key.

use super::client::Store;
use super::verdicts::{
    Verdict, about_the_certificate, about_the_load, about_the_object, about_the_status, silent, verdict,
};
use crate::tls::NOT_PINNED;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use backstay_core::{Error, ErrorClass};
use std::error::Error as StdError;
use std::io;

/// What was done, for the text that says which right is lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    List,
    Read,
    Write,
    Delete,
    /// A call for the bucket itself; the permission it needs.
    Manage(&'static str),
}

impl Act {
    fn right(self) -> &'static str {
        match self {
            Self::List => "s3:ListBucket",
            Self::Read => "s3:GetObject",
            Self::Write => "s3:PutObject",
            Self::Delete => "s3:DeleteObject",
            Self::Manage(right) => right,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::List => "list objects",
            Self::Read => "read objects",
            Self::Write => "write objects",
            Self::Delete => "delete objects",
            Self::Manage(_) => "do this",
        }
    }
}

/// A store's answer that says no.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    request_id: String,
    region: Option<String>,
}

impl Answer {
    /// Takes the answer out of an error; `None` when there was none.
    pub(super) fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<Self> {
        let raw = error.raw_response()?;
        let meta = error.as_service_error().map(ProvideErrorMetadata::meta);
        let header = |name: &str| raw.headers().get(name).unwrap_or_default().to_owned();
        Some(Self {
            status: raw.status().as_u16(),
            code: meta.and_then(|meta| meta.code()).unwrap_or_default().to_owned(),
            message: meta.and_then(|meta| meta.message()).unwrap_or_default().to_owned(),
            request_id: header("x-amz-request-id"),
            region: Some(header("x-amz-bucket-region")).filter(|region| !region.is_empty()),
        })
    }

    /// Reads one element of a good answer which the SDK could not read: some stores name the outermost one in their own
    /// way, which the SDK does not forgive.
    pub(super) fn misnamed<E>(error: &SdkError<E, HttpResponse>, element: &str) -> Option<String> {
        let raw = error.raw_response().filter(|raw| raw.status().is_success())?;
        let text = std::str::from_utf8(raw.body().bytes()?).ok()?;
        let (_, rest) = text.split_once(&format!("<{element}>"))?;
        rest.split_once(&format!("</{element}>")).map(|(value, _)| value.trim().to_owned())
    }

    /// The store does not know this call at all.
    pub(super) fn is_unknown_call(&self) -> bool {
        matches!(self.status, 405 | 501) || matches!(self.code.as_str(), "NotImplemented" | "MethodNotAllowed")
    }

    fn detail(&self) -> String {
        let mut text = format!("HTTP {} {}", self.status, self.code);
        if !self.message.is_empty() {
            text.push_str(": ");
            text.push_str(&self.message);
        }
        if !self.request_id.is_empty() {
            text.push_str(&format!(" (request {})", self.request_id));
        }
        text
    }
}

impl Store {
    /// Makes our error of the SDK's. `tried` reads like "Cannot read a/b on nas (s3://bucket)".
    pub(super) fn failed<E>(&self, act: Act, tried: &str, error: SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        match Answer::of(&error) {
            Some(answer) => self.answered(act, tried, &answer),
            None => self.not_answered(tried, &error),
        }
    }

    /// Makes our error of an answer that says no.
    pub(super) fn answered(&self, act: Act, tried: &str, answer: &Answer) -> Error {
        let (class, why, hint) = self
            .about_the_key(answer)
            .or_else(|| about_the_load(answer))
            .or_else(|| about_the_object(answer))
            .or_else(|| self.about_the_right(act, answer))
            .or_else(|| self.about_the_place(answer))
            .unwrap_or_else(|| about_the_status(answer));
        self.error(class, &format!("{tried}: {why}"), hint, &answer.detail())
    }

    fn error(&self, class: ErrorClass, message: &str, hint: Option<String>, detail: &str) -> Error {
        let mut error = Error::new(class, self.scrub(message)).detail(self.scrub(detail));
        error.hint = hint.map(|hint| self.scrub(&hint));
        error
    }

    /// Takes the secret key out of a text, should a store ever repeat it.
    fn scrub(&self, text: &str) -> String {
        let secret = self.secret.expose().trim();
        if secret.is_empty() { text.to_owned() } else { text.replace(secret, "***") }
    }

    fn about_the_key(&self, answer: &Answer) -> Option<Verdict> {
        use ErrorClass::Refused;
        Some(match answer.code.as_str() {
            "InvalidAccessKeyId" | "InvalidAccessKey" | "NoSuchKeyId" | "InvalidClientTokenId" => verdict(
                Refused,
                "the store does not know this access key id",
                "Check the access key id, and that it belongs to this provider and region; make a new key if it was deleted",
            ),
            "SignatureDoesNotMatch" => verdict(
                Refused,
                "the secret key does not fit the access key id",
                "Enter the secret key again; it is shown only once when a key is made, so make a new one if it is lost",
            ),
            "ExpiredToken" | "TokenRefreshRequired" | "ExpiredTokenException" | "RequestExpired" => verdict(
                Refused,
                "the key has expired",
                "Make a new access key at your provider and enter it here; use one that does not expire for backups",
            ),
            "InvalidToken" => verdict(
                Refused,
                "this is a temporary key, which needs a session token",
                "Use an access key that is made for good, not a temporary one",
            ),
            "RequestTimeTooSkewed" => (Refused, self.skew(), Some("Set this computer's clock by a time server".into())),
            "AccountProblem" | "NotSignedUp" | "UserSuspended" | "AccountSuspended" | "AllAccessDisabled" => verdict(
                Refused,
                "the provider has closed or suspended this account",
                "Look into your provider's console, often a bill is open",
            ),
            _ => return None,
        })
    }

    fn skew(&self) -> String {
        const MUCH: i64 = 5;
        match self.sight.ahead_seconds() {
            Some(ahead) if ahead.abs() > MUCH => {
                let way = if ahead > 0 { "ahead of" } else { "behind" };
                format!("this computer's clock is {} {way} the store's", span(ahead.unsigned_abs()))
            }
            _ => "this computer's clock differs too much from the store's".to_owned(),
        }
    }

    fn about_the_right(&self, act: Act, answer: &Answer) -> Option<Verdict> {
        if answer.code == "InvalidObjectState" {
            return Some(verdict(
                ErrorClass::Refused,
                "it lies in a cold storage class and must be brought back first",
                "Ask for it to be brought back; that takes from minutes to two days, by class",
            ));
        }
        let denied = answer.status == 403 || matches!(answer.code.as_str(), "AccessDenied" | "UnauthorizedAccess");
        let unknown = answer.status == 401;
        if !denied && !unknown {
            return None;
        }
        if answer.message.contains("too skewed") || answer.message.contains("time difference") {
            return Some((ErrorClass::Refused, self.skew(), Some("Set this computer's clock by a time server".into())));
        }
        let place = self.place_words();
        Some(verdict(
            ErrorClass::Refused,
            format!("this key may not {} in {place}", act.words()),
            format!("Give the key the right {} on {place}, or use another key", act.right()),
        ))
    }

    fn about_the_place(&self, answer: &Answer) -> Option<Verdict> {
        use ErrorClass::{Invalid, Missing};
        let region = || match &answer.region {
            Some(region) => format!("Choose the region {region}"),
            None => "Choose the bucket's region; your provider's console shows it".to_owned(),
        };
        Some(match answer.code.as_str() {
            "NoSuchBucket" => verdict(
                Missing,
                format!("there is no bucket \"{}\"", self.place.bucket),
                "Check the bucket's name, region and address, or make the bucket",
            ),
            "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException" => {
                verdict(Invalid, "the bucket lies in another region", region())
            }
            "AuthorizationHeaderMalformed" => verdict(Invalid, "the region does not fit the store", region()),
            "InvalidBucketName" => {
                verdict(Invalid, "the store does not accept this bucket's name", "Choose another bucket")
            }
            _ if matches!(answer.status, 301 | 307 | 308) => {
                verdict(Invalid, "the bucket lies in another region", region())
            }
            _ => return None,
        })
    }

    /// "bucket x" or "bucket x under y/".
    pub(super) fn place_words(&self) -> String {
        if self.place.prefix.is_empty() {
            format!("bucket {}", self.place.bucket)
        } else {
            format!("bucket {} under {}/", self.place.bucket, self.place.prefix)
        }
    }

    fn not_answered(&self, tried: &str, error: &(dyn StdError + 'static)) -> Error {
        let shown = self.shown.as_ref().filter(|_| chain(error).contains(NOT_PINNED));
        if let Some(refusal) = shown.and_then(|shown| shown.refusal(tried, &self.address.host)) {
            return refusal;
        }
        let (class, why, hint) = self.about_the_way(error);
        self.error(class, &format!("{tried}: {why}"), hint, &chain(error))
    }

    /// Makes our error of one met while an answer's body was read.
    pub(super) fn broken(&self, tried: &str, error: &(dyn StdError + 'static)) -> Error {
        if chain(error).contains("checksum mismatch") {
            let why = format!("{tried}: what came is not what the store says it holds");
            let hint = "Try again; if it stays so, the object is damaged: verify this destination";
            return self.error(ErrorClass::Corrupt, &why, Some(hint.to_owned()), &chain(error));
        }
        self.not_answered(tried, error)
    }

    fn about_the_way(&self, error: &(dyn StdError + 'static)) -> Verdict {
        use ErrorClass::{Invalid, Offline};
        let (host, port) = (&self.address.host, self.address.port);
        let text = chain(error).to_ascii_lowercase();
        if let Some(verdict) = about_the_certificate(&text, host) {
            return verdict;
        }
        if text.contains("invalidcontenttype") || text.contains("invalid content type") {
            return verdict(
                Invalid,
                format!("{host} port {port} does not speak TLS"),
                "Check the port, or begin the address with http:// if the store has no certificate",
            );
        }
        if text.contains("dns error") || text.contains("lookup address") {
            return verdict(
                Offline,
                format!("the address {host} was not found"),
                "Check the address for a typing error, and this computer's network",
            );
        }
        match io_kind(error) {
            Some(io::ErrorKind::ConnectionRefused) => verdict(
                Offline,
                format!("nothing answers at {host} port {port}"),
                "Check the address and port, and that the store runs",
            ),
            Some(io::ErrorKind::TimedOut) => silent(host),
            _ if text.contains("timed out") || text.contains("timeout") => silent(host),
            _ => verdict(Offline, format!("the connection to {host} was lost"), "Check the network, then try again"),
        }
    }
}

/// "17 minutes".
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} seconds"),
        120..=7_199 => format!("{} minutes", seconds / 60),
        7_200..=172_799 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let part = cause.to_string();
        if !text.ends_with(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
    }
    text
}

/// An `io::Error` hides its content from `source()`, so that it is looked into by itself.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
        None => error.source(),
    })
}

pub(super) fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind).last()
}
