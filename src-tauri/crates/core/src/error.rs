//! The one error of Backstay's seams. It says what was tried, on what, why it failed and what to do next.

use std::fmt;

/// Result of everything that crosses a seam.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the classes the user acts on. Classes are never mixed: a throttled store is not a corrupt one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The other side cannot be reached, or the connection was lost.
    Offline,
    /// Reached, but it said no: wrong password, no right, no sudo.
    Refused,
    /// The server's host key differs from the pinned one. Everything stops.
    HostKeyChanged,
    /// The server's host key is not known yet; the user must accept its fingerprint.
    HostKeyUnknown,
    /// Nothing came for the whole stall limit, or a step took longer than its limit.
    TimedOut,
    /// The other side asks us to slow down.
    Throttled,
    /// Somebody else holds it, or the secret store is locked.
    Locked,
    /// No room left.
    Full,
    /// The thing asked for is not there.
    Missing,
    /// It is there already and must not be overwritten.
    Exists,
    /// What was read is not what was written: damaged, cut, or forged.
    Corrupt,
    /// The key or passphrase does not open it.
    WrongKey,
    /// It was written by a newer version, or the tool at hand cannot do this.
    Unsupported,
    /// The user's input cannot be used as it is.
    Invalid,
    /// The user cancelled.
    Cancelled,
    /// A fault of ours.
    Internal,
}

impl ErrorClass {
    /// Tells whether trying the same thing again may help.
    pub fn may_retry(self) -> bool {
        matches!(self, Self::Offline | Self::TimedOut | Self::Throttled)
    }
    /// Tells whether a run cannot go on after it, whatever it was met at: the way to the server is gone or no longer
    /// trusted, or the user cancelled. Never to be taken for "this file is not there".
    pub fn ends_the_run(self) -> bool {
        matches!(self, Self::Offline | Self::TimedOut | Self::Cancelled | Self::HostKeyChanged | Self::HostKeyUnknown)
    }
    /// The word for this class in JSON and in the window's code table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Refused => "refused",
            Self::HostKeyChanged => "host_key_changed",
            Self::HostKeyUnknown => "host_key_unknown",
            Self::TimedOut => "timed_out",
            Self::Throttled => "throttled",
            Self::Locked => "locked",
            Self::Full => "full",
            Self::Missing => "missing",
            Self::Exists => "exists",
            Self::Corrupt => "corrupt",
            Self::WrongKey => "wrong_key",
            Self::Unsupported => "unsupported",
            Self::Invalid => "invalid",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

/// An error as the user meets it.
///
/// `message`: capital first, no full stop, says what was tried and on what: "Cannot log in to web-1 as root: the
/// password was refused". `hint`: what to do next. `detail`: the technical text, e.g. a tool's stderr. None of them
/// ever holds a secret.
#[derive(Debug)]
pub struct Error {
    /// The class, for code that must act on it.
    pub class: ErrorClass,
    /// What was tried, on what, and why it failed.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Technical detail for the "Details" fold.
    pub detail: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Makes an error of a class with its message.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), hint: None, detail: None, source: None }
    }
    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// Adds technical detail; an empty text is ignored.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        if !detail.trim().is_empty() {
            self.detail = Some(detail.trim_end().to_owned());
        }
        self
    }
    /// Keeps the cause. Its text becomes the detail where none was given.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        if self.detail.is_none() {
            self.detail = Some(error_chain(source.as_ref()));
        }
        self.source = Some(source);
        self
    }
    /// Makes the error of a cancelled run.
    pub fn cancelled() -> Self {
        Self::new(ErrorClass::Cancelled, "Cancelled")
    }
    /// Makes an error from an I/O error, with the class its kind tells. `tried` reads like "Cannot write /x".
    pub fn io(tried: impl fmt::Display, error: std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        // A core error that travelled through an io::Read keeps its class and text.
        if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
            if let Some(inner) = error.into_inner().and_then(|inner| inner.downcast::<Error>().ok()) {
                return *inner;
            }
            return Self::new(ErrorClass::Internal, tried.to_string());
        }
        let class = match error.kind() {
            K::NotFound => ErrorClass::Missing,
            K::PermissionDenied | K::ReadOnlyFilesystem => ErrorClass::Refused,
            K::AlreadyExists => ErrorClass::Exists,
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge => ErrorClass::Full,
            K::TimedOut => ErrorClass::TimedOut,
            K::ConnectionRefused
            | K::ConnectionReset
            | K::ConnectionAborted
            | K::NotConnected
            | K::BrokenPipe
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::NetworkDown
            | K::UnexpectedEof => ErrorClass::Offline,
            K::InvalidData => ErrorClass::Corrupt,
            _ => ErrorClass::Internal,
        };
        Self::new(class, format!("{tried}: {error}")).source(error)
    }
    /// Tells whether the user cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.class == ErrorClass::Cancelled
    }
}

fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        std::io::Error::other(error)
    }
}
