//! What an FTP server says, in our classes. Codes first; where a code means many things, the words beside it.

use backstay_core::{Error, ErrorClass};
use std::io;
use suppaftp::FtpError;
use suppaftp::types::Response;

/// The error of something tried. `tried` reads like "Cannot write data/ab on nas".
pub(super) fn classify(tried: &str, error: FtpError) -> Error {
    match error {
        FtpError::UnexpectedResponse(reply) => refused(tried, &reply),
        FtpError::ConnectionError(error) => connection(tried, error),
        FtpError::SecureError(text) => Error::new(ErrorClass::Offline, format!("{tried}: TLS broke off")).detail(text),
        FtpError::BadResponse | FtpError::InvalidAddress(_) => {
            Error::new(ErrorClass::Unsupported, format!("{tried}: what answers does not speak FTP as it should"))
                .hint("Check the port, and whether TLS is explicit, implicit or off there")
                .source(error)
        }
        FtpError::DataConnectionAlreadyOpen => Error::new(ErrorClass::Internal, tried).source(error),
    }
}

fn connection(tried: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => {
            Error::new(ErrorClass::TimedOut, format!("{tried}: the server does not answer")).source(error)
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            Error::new(ErrorClass::Invalid, format!("{tried}: {error}")).source(error)
        }
        _ => Error::new(ErrorClass::Offline, format!("{tried}: the connection was lost")).source(error),
    }
}

/// Returns a reply's code: some are not in the library's table.
pub(super) fn code(reply: &Response) -> u32 {
    let digits = reply.body.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| reply.status.code())
}

/// Returns a reply's words in one line.
pub(super) fn words(reply: &Response) -> String {
    let text = String::from_utf8_lossy(&reply.body);
    let lines: Vec<&str> = text.lines().map(|line| line.get(4..).unwrap_or("").trim()).collect();
    lines.join(" ").chars().filter(|c| !c.is_control()).take(400).collect()
}

/// Tells whether a refused data connection was refused because it did not take up the control connection's session.
pub(super) fn wants_session(reply: &Response) -> bool {
    let words = words(reply).to_ascii_lowercase();
    let named = ["reuse", "resum", "ssl session", "tls session", "data connection: operation not permitted"]
        .iter()
        .any(|word| words.contains(word));
    match code(reply) {
        522 => true,
        425 | 426 | 421 | 431 => named,
        _ => false,
    }
}

/// The error of a server that takes no data connection, though the session was offered.
pub(super) fn no_session(tried: &str, reply: &Response) -> Error {
    let text =
        "the server refuses the data connection because it does not take up the control connection's TLS session";
    Error::new(ErrorClass::Unsupported, format!("{tried}: {text}"))
        .hint(
            "Allow TLS 1.2 on the server, or switch the demand off there: vsftpd require_ssl_reuse=NO, ProFTPD TLSOptions \
             NoSessionReuseRequired, FileZilla Server \"Require TLS session resumption on data connection\"",
        )
        .detail(format!("{} {}", code(reply), words(reply)))
}

/// Tells whether a 4xx or 5xx means that the server serves enough others already.
pub(super) fn is_crowded(reply: &Response) -> bool {
    let words = words(reply).to_ascii_lowercase();
    let crowded = ["too many", "maximum", "max ", "limit", "connections from", "already connected", "no more"];
    matches!(code(reply), 421 | 530 | 450) && crowded.iter().any(|phrase| words.contains(phrase))
}

/// Tells whether a reply may mean that the path is not there, though it may mean other things too.
pub(super) fn may_be_absent(error: &FtpError) -> bool {
    matches!(error, FtpError::UnexpectedResponse(reply) if matches!(code(reply), 450 | 550 | 553))
}

/// Tells whether a reply says in words that the path is not there.
pub(super) fn is_absent(reply: &Response) -> bool {
    let words = words(reply).to_ascii_lowercase();
    let absent =
        ["no such file", "not found", "does not exist", "doesn't exist", "cannot find", "can't find", "nonexistent"];
    matches!(code(reply), 450 | 550 | 553) && absent.iter().any(|phrase| words.contains(phrase))
}

fn refused(tried: &str, reply: &Response) -> Error {
    let (code, words) = (code(reply), words(reply));
    let lower = words.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
    let full = says(&["no space", "disk full", "quota", "insufficient", "not enough space", "out of space"]);
    let (class, why, hint) = if wants_session(reply) {
        return no_session(tried, reply);
    } else if is_crowded(reply) {
        (
            ErrorClass::Throttled,
            "the server takes no more connections".to_owned(),
            "Lower the number of connections of this destination, or raise the server's limit",
        )
    } else if full || matches!(code, 452 | 552) || (code < 500 && says(&["failure writing to local", "write error"])) {
        // vsftpd has one sentence for all that keeps it from writing; a full disk is what it nearly always is.
        (ErrorClass::Full, "there is no room left".to_owned(), "Make room there, or use another destination")
    } else if is_absent(reply) {
        (ErrorClass::Missing, "there is no such file or folder".to_owned(), "Check the folder")
    } else {
        by_code(code, &words)
    };
    let error = Error::new(class, format!("{tried}: {why}")).detail(format!("{code} {words}"));
    if hint.is_empty() { error } else { error.hint(hint) }
}

fn by_code(code: u32, words: &str) -> (ErrorClass, String, &'static str) {
    let lower = words.to_ascii_lowercase();
    match code {
        421 => (ErrorClass::Offline, "the server ended the connection".into(), ""),
        425 | 426 => (
            ErrorClass::Offline,
            "the data connection broke off or could not be made".into(),
            "If this happens every time, the server's passive ports may be closed by a firewall",
        ),
        430 | 530 => (ErrorClass::Refused, "user or password was refused".into(), "Check user and password"),
        331 | 332 | 532 => (ErrorClass::Refused, "the server wants more than user and password".into(), ""),
        431 | 534 | 536 | 537 => (ErrorClass::Unsupported, "the server does not take this way of TLS".into(), ""),
        450 => (ErrorClass::Locked, "something else uses it now".into(), ""),
        451 => (ErrorClass::Offline, "the server broke it off".into(), ""),
        500 | 502 | 504 => (ErrorClass::Unsupported, "the server does not know this command".into(), ""),
        501 => (ErrorClass::Invalid, "the server does not take this name".into(), ""),
        550..=553 if lower.contains("exist") => (ErrorClass::Exists, "it is there already".into(), ""),
        550..=553 | 521 => (
            ErrorClass::Refused,
            "the server refuses it".into(),
            "Give the account the right to read and write that folder",
        ),
        _ => (ErrorClass::Internal, format!("the server says \"{code} {words}\""), ""),
    }
}

/// The error of a folder that was there and is not any more.
pub(super) fn vanished(tried: &str, root: &str) -> Error {
    Error::new(ErrorClass::Offline, format!("{tried}: the folder {root} is gone"))
        .hint("See whether its disk is mounted on the server; nothing is written until the folder is back")
}

/// The error of a folder that cannot be made because the one above it is not there.
pub(super) fn no_parent(tried: &str, parent: &str) -> Error {
    Error::new(ErrorClass::Missing, format!("{tried}: the folder {parent} is not there"))
        .hint(format!("Mount its disk or make {parent} on the server first"))
}

/// The error of an absent object.
pub(super) fn no_object(tried: &str) -> Error {
    Error::new(ErrorClass::Missing, format!("{tried}: it is not there"))
}

/// The error of an object that is shorter than it should be.
pub(super) fn cut_short(tried: &str, has: u64, wanted: u64) -> Error {
    Error::new(ErrorClass::Corrupt, format!("{tried}: it ends at byte {has}, but {wanted} are needed"))
        .hint("The file was cut short; verify this destination")
}

/// The error of an object that is longer than when it was begun to be read.
pub(super) fn replaced(tried: &str, had: u64, has: u64) -> Error {
    Error::new(ErrorClass::Corrupt, format!("{tried}: it was replaced while it was read, {had} bytes by {has}"))
        .hint("Try again: what lies there now is another object")
}

/// The error of a name that leaves no room for the one its object has while another takes its place.
pub(super) fn too_long(tried: &str) -> Error {
    let text = format!("{tried}: the server cannot replace a file in one step, and its name is too long for two");
    Error::new(ErrorClass::Unsupported, text).hint("Use a shorter file name template for archives")
}

/// The error of a name that is taken.
pub(super) fn taken(tried: &str) -> Error {
    Error::new(ErrorClass::Exists, format!("{tried}: it is there already"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use suppaftp::Status;

    fn class(text: &str) -> ErrorClass {
        let status = Status::from(text[..3].parse::<u32>().unwrap());
        let reply = Response::new(status, format!("{text}\r\n").into_bytes());
        classify("Cannot write k on nas", FtpError::UnexpectedResponse(reply)).class
    }

    #[test]
    fn replies_seen_at_real_servers() {
        for (reply, wanted) in [
            ("530 Login incorrect.", ErrorClass::Refused),
            (
                "530 Sorry, the maximum number of clients (2) for this user are already connected.",
                ErrorClass::Throttled,
            ),
            ("421 There are too many connections from your internet address.", ErrorClass::Throttled),
            ("421 Timeout.", ErrorClass::Offline),
            ("550 k: No such file or directory", ErrorClass::Missing),
            ("550 k: Permission denied", ErrorClass::Refused),
            ("550 Failed to open file.", ErrorClass::Refused),
            ("553 Could not create file.", ErrorClass::Refused),
            ("552 Transfer aborted. No space left on device", ErrorClass::Full),
            ("452 Transfer aborted. No space left on device", ErrorClass::Full),
            ("451 Failure writing to local file.", ErrorClass::Full),
            ("426 Failure writing network stream.", ErrorClass::Offline),
            ("426 Failure writing to local file.", ErrorClass::Full),
            (
                "522 SSL connection failed; session reuse required: see require_ssl_reuse option",
                ErrorClass::Unsupported,
            ),
            (
                "425 Unable to build data connection: TLS session of data connection not resumed.",
                ErrorClass::Unsupported,
            ),
            ("425 Unable to build data connection: Operation not permitted", ErrorClass::Unsupported),
            ("425 Can't open data connection.", ErrorClass::Offline),
            ("500 Unknown command.", ErrorClass::Unsupported),
            ("550 Create directory operation failed: File exists", ErrorClass::Exists),
        ] {
            assert_eq!(class(reply), wanted, "{reply}");
        }
    }
}
