//! The few fields of a certificate that a user can judge by. Reads just enough of DER for them.

use chrono::{DateTime, NaiveDateTime};
use sha2::{Digest, Sha256};

/// The certificate a server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSeen {
    /// SHA-256 of the whole certificate, 64 hex digits.
    pub sha256: String,
    /// Whom it names: "CN=ftp.example.org".
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Valid from, Unix seconds.
    pub not_before: i64,
    /// Valid until, Unix seconds.
    pub not_after: i64,
    /// Whether an authority of this computer vouches for it, for this host name and now.
    pub trusted: bool,
    /// Why it is not trusted: "has expired"; empty where it is.
    pub why: String,
}

impl CertificateSeen {
    /// Reads a certificate and takes why it is not trusted. Fields that cannot be read are empty, the fingerprint is
    /// always right.
    pub(super) fn of(der: &[u8], why: Option<String>) -> Self {
        let fields = fields(der).unwrap_or_default();
        Self {
            sha256: fingerprint(der),
            subject: fields.subject,
            issuer: fields.issuer,
            not_before: fields.not_before,
            not_after: fields.not_after,
            trusted: why.is_none(),
            why: why.unwrap_or_default(),
        }
    }

    /// Tells whether the user must accept it before the place can be used; `pin` is what was accepted so far.
    pub fn must_be_accepted(&self, pin: Option<&str>) -> bool {
        match pin.map(str::trim).filter(|pin| !pin.is_empty()) {
            Some(pin) => read_fingerprint(pin).as_deref() != Some(self.sha256.as_str()),
            None => !self.trusted,
        }
    }

    /// The fields for an error's detail, one a line.
    pub(super) fn text(&self) -> String {
        let date = |seconds| DateTime::from_timestamp(seconds, 0).map(|date| date.format("%Y-%m-%d").to_string());
        format!(
            "Subject: {}\nIssuer: {}\nValid: {} to {}\nSHA-256: {}",
            self.subject,
            self.issuer,
            date(self.not_before).unwrap_or_default(),
            date(self.not_after).unwrap_or_default(),
            self.sha256
        )
    }
}

/// Returns the fingerprint certificates are pinned by.
pub(super) fn fingerprint(der: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(der))
}

/// Reads a fingerprint as people write it: with or without colons, in any case.
pub(super) fn read_fingerprint(text: &str) -> Option<String> {
    let hex: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect::<String>().to_ascii_lowercase();
    (hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(hex)
}

#[derive(Default)]
struct Fields {
    subject: String,
    issuer: String,
    not_before: i64,
    not_after: i64,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
const VERSION: u8 = 0xa0;

/// Takes one value: its tag and content.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ ..0x80 => (usize::from(short), rest),
        long => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            if digits.is_empty() || digits.len() > 4 {
                return None;
            }
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some((*tag, content))
}

/// Takes one value that must have this tag.
fn take_as<'a>(bytes: &mut &'a [u8], wanted: u8) -> Option<&'a [u8]> {
    take(bytes).filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
}

fn fields(der: &[u8]) -> Option<Fields> {
    let mut certificate = take_as(&mut &*der, SEQUENCE)?;
    let mut body = take_as(&mut certificate, SEQUENCE)?;
    if body.first() == Some(&VERSION) {
        take(&mut body)?;
    }
    let _serial = take(&mut body)?;
    let _algorithm = take_as(&mut body, SEQUENCE)?;
    let issuer = name(take_as(&mut body, SEQUENCE)?)?;
    let mut validity = take_as(&mut body, SEQUENCE)?;
    let (not_before, not_after) = (time(take(&mut validity)?)?, time(take(&mut validity)?)?);
    let subject = name(take_as(&mut body, SEQUENCE)?)?;
    Some(Fields { subject, issuer, not_before, not_after })
}

/// Reads a name: "CN=ftp.example.org, O=Example".
fn name(mut parts: &[u8]) -> Option<String> {
    let mut texts = Vec::new();
    while !parts.is_empty() {
        let mut set = take_as(&mut parts, SET)?;
        while !set.is_empty() {
            let mut pair = take_as(&mut set, SEQUENCE)?;
            let key = match take_as(&mut pair, OBJECT_ID)? {
                [0x55, 4, 3] => "CN",
                [0x55, 4, 6] => "C",
                [0x55, 4, 7] => "L",
                [0x55, 4, 8] => "ST",
                [0x55, 4, 10] => "O",
                [0x55, 4, 11] => "OU",
                _ => continue,
            };
            let (_, value) = take(&mut pair)?;
            let value: String = String::from_utf8_lossy(value).chars().filter(|c| !c.is_control()).collect();
            texts.push(format!("{key}={value}"));
        }
    }
    Some(texts.join(", "))
}

/// Reads UTCTime (two digits of the year) or GeneralizedTime.
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    const UTC_TIME: u8 = 0x17;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let whole = match tag {
        UTC_TIME => {
            let century = if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" };
            format!("{century}{text}")
        }
        _ => text.to_owned(),
    };
    Some(NaiveDateTime::parse_from_str(&whole, "%Y%m%d%H%M%S").ok()?.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    /// `openssl req -x509 -newkey ec … -subj '/CN=ftp.example.org/O=Lab' -days 3650`.
    const DER: &str = include_str!("certificate_test.hex");

    #[test]
    fn reads_what_openssl_wrote() {
        let der = data_encoding::HEXLOWER.decode(DER.trim().as_bytes()).unwrap();
        let seen = CertificateSeen::of(&der, Some("has expired".into()));
        assert_eq!(
            (seen.subject.as_str(), seen.issuer.as_str()),
            ("CN=ftp.example.org, O=Lab", "CN=ftp.example.org, O=Lab")
        );
        assert_eq!(seen.not_after - seen.not_before, 3650 * 86_400);
        assert!(seen.text().contains("\nSHA-256: "));
    }

    #[test]
    fn nonsense_has_a_fingerprint_and_nothing_else() {
        for bytes in [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x30\x01\x02", &[0x30, 0x80, 1]] {
            let seen = CertificateSeen::of(bytes, None);
            assert_eq!((seen.subject.as_str(), seen.sha256.len()), ("", 64));
        }
    }

    #[test]
    fn what_was_accepted_is_not_asked_for_again() {
        let unknown = CertificateSeen::of(b"x", Some("has expired".into()));
        let own = unknown.sha256.to_uppercase();
        let other = "ab".repeat(32);
        assert!(unknown.must_be_accepted(None) && unknown.must_be_accepted(Some(" ")));
        assert!(!unknown.must_be_accepted(Some(&own)) && unknown.must_be_accepted(Some(&other)));
        let known = CertificateSeen::of(b"x", None);
        assert!(!known.must_be_accepted(None) && known.must_be_accepted(Some(&other)));
    }

    #[test]
    fn fingerprints_as_people_write_them() {
        let plain = "ab".repeat(32);
        assert_eq!(read_fingerprint(&["AB"; 32].join(":")), Some(plain.clone()));
        assert_eq!(read_fingerprint(&plain), Some(plain));
        assert_eq!(read_fingerprint("ab"), None);
    }
}
