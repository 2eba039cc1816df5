//! What single answers mean: class, why, what to do.

use super::errors::Answer;
use backstay_core::ErrorClass;

/// Class, why, what to do.
pub(super) type Verdict = (ErrorClass, String, Option<String>);

pub(super) fn verdict(class: ErrorClass, why: impl Into<String>, hint: impl Into<String>) -> Verdict {
    (class, why.into(), Some(hint.into()))
}

pub(super) fn silent(host: &str) -> Verdict {
    verdict(ErrorClass::TimedOut, format!("{host} does not answer"), "Check the address and the network")
}

pub(super) fn about_the_certificate(text: &str, host: &str) -> Option<Verdict> {
    const ACCEPT: &str =
        "else test the destination: it shows the certificate, which can be accepted if it is the right one";
    let unknown = |why: String, hint: &str| Some(verdict(ErrorClass::HostKeyUnknown, why, format!("{hint}; {ACCEPT}")));
    if !text.contains("certificate") {
        return None;
    }
    if text.contains("not valid for name") || text.contains("notvalidforname") {
        return unknown(
            format!("the certificate of {host} belongs to another name"),
            "Check the address, and let the bucket go into the path where it is a part of the host name",
        );
    }
    if text.contains("not valid yet") || text.contains("notvalidyet") {
        return unknown(
            format!("the certificate of {host} is not valid yet"),
            "Check this computer's clock, or have the store's admin mend its certificate",
        );
    }
    if text.contains("expired") {
        return unknown(
            format!("the certificate of {host} has expired"),
            "Check this computer's clock, or have the store's admin renew it",
        );
    }
    if text.contains("unknownissuer") || text.contains("unknown issuer") || text.contains("causedasendentity") {
        return unknown(
            format!("no authority this computer trusts vouches for the certificate of {host}"),
            "For a store of your own, paste the certificate of its authority under \"Own certificate authority\"",
        );
    }
    if text.contains("revoked") {
        let why = format!("the certificate of {host} was revoked");
        return Some(verdict(ErrorClass::Refused, why, "Do not use this store before its admin mended it"));
    }
    unknown(format!("the certificate of {host} cannot be trusted"), "Ask the store's admin, the details say why")
}

pub(super) fn about_the_load(answer: &Answer) -> Option<Verdict> {
    const CODES: [&str; 12] = [
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "ServiceUnavailable",
        "RequestRateLimitExceeded",
        "RequestLimitExceeded",
        "TooManyRequests",
        "TooManyRequestsException",
        "Throttling",
        "ThrottlingException",
        "BandwidthLimitExceeded",
        "ServerBusy",
    ];
    let throttled = matches!(answer.status, 429 | 503 | 509) || CODES.contains(&answer.code.as_str());
    throttled.then(|| {
        verdict(
            ErrorClass::Throttled,
            "the store asks to slow down",
            "It goes on by itself, slower; run fewer plans at the same time if it stays so",
        )
    })
}

pub(super) fn about_the_object(answer: &Answer) -> Option<Verdict> {
    use ErrorClass::{Corrupt, Exists, Full, Invalid, Missing, Throttled, TimedOut};
    Some(match answer.code.as_str() {
        "NoSuchKey" | "NotFound" | "NoSuchVersion" => (Missing, "it is not there".to_owned(), None),
        "NoSuchUpload" => (Missing, "the upload is no more".to_owned(), None),
        "PreconditionFailed" => (Exists, "it is there already".to_owned(), None),
        "ConditionalRequestConflict" | "OperationAborted" => {
            verdict(Throttled, "the store is still busy with it", "Try again in a moment")
        }
        "BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch" => verdict(
            Corrupt,
            "what reached the store is not what was sent",
            "Test the destination: its test finds out which checksums the store takes. Else a device on the way changes data",
        ),
        "RequestTimeout" | "RequestTimeoutException" => verdict(TimedOut, "the store waited too long", "Try again"),
        "QuotaExceeded"
        | "XMinioStorageFull"
        | "XMinioAdminBucketQuotaExceeded"
        | "InsufficientCapacity"
        | "InsufficientStorage"
        | "StorageFull"
        | "BucketQuotaExceeded"
        | "ServiceQuotaExceededException" => {
            verdict(Full, "the store or its quota is full", "Free room by deleting old backups, or raise the quota")
        }
        "EntityTooLarge" => verdict(Invalid, "it is larger than this store takes", "Split the plan"),
        "InvalidStorageClass" => {
            verdict(Invalid, "the store does not know this storage class", "Choose another storage class")
        }
        "KeyTooLong" | "KeyTooLongError" => {
            verdict(Invalid, "its name is too long for this store", "Shorten the folder")
        }
        "InvalidRange" => (Corrupt, "it is shorter than it should be".to_owned(), None),
        _ => return None,
    })
}

pub(super) fn about_the_status(answer: &Answer) -> Verdict {
    use ErrorClass::{Corrupt, Exists, Full, Invalid, Missing, Offline, TimedOut, Unsupported};
    if answer.is_unknown_call() {
        return (Unsupported, "the store cannot do this".to_owned(), None);
    }
    let why = || match (answer.code.as_str(), answer.message.as_str()) {
        ("", _) => format!("the store answered {}", answer.status),
        (code, "") => format!("the store answered {code}"),
        (code, message) => format!("the store answered {code}: {}", message.trim_end_matches('.')),
    };
    match answer.status {
        404 => (Missing, "it is not there".to_owned(), None),
        408 => verdict(TimedOut, "the store waited too long", "Try again"),
        412 => (Exists, "it is there already".to_owned(), None),
        416 => (Corrupt, "it is shorter than it should be".to_owned(), None),
        507 => verdict(Full, "the store is full", "Free room by deleting old backups"),
        500..=599 => verdict(Offline, why(), "The fault is the store's; try again later"),
        _ => verdict(Invalid, why(), "The details may help your provider's support"),
    }
}
