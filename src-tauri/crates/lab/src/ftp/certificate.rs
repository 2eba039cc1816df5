//! Certificates of lab servers, made by openssl.

use super::{failed, text};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a certificate is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateKind {
    /// Signed by itself, for localhost and the addresses used here.
    #[default]
    SelfSigned,
    /// Signed by an authority of its own, right in all.
    Authority,
    /// Signed by that authority, for another name.
    OtherName,
    /// Signed by that authority, out of date.
    Expired,
}

/// A certificate's files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Key and certificate in one file, as the servers like it.
    pub both: PathBuf,
    /// The authority's certificate; the certificate itself where there is none.
    pub authority: PathBuf,
    /// SHA-256 of the certificate, 64 hex digits.
    pub sha256: String,
}

impl Certificate {
    /// Makes a certificate in a folder.
    pub fn make(dir: &Path, kind: CertificateKind) -> io::Result<Self> {
        let names = match kind {
            CertificateKind::OtherName => "subjectAltName=DNS:elsewhere.example.org",
            _ => "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:127.0.0.2",
        };
        let path = |name: &str| dir.join(name);
        let (key, certificate, both) = (path("key.pem"), path("cert.pem"), path("both.pem"));
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let authority = if kind == CertificateKind::SelfSigned {
            openssl(
                &[
                    &["req", "-x509"],
                    &new_key[..],
                    &[
                        "-days",
                        "30",
                        "-subj",
                        "/CN=lab/O=Backstay",
                        "-addext",
                        names,
                        "-keyout",
                        &text(&key),
                        "-out",
                        &text(&certificate),
                    ],
                ]
                .concat(),
            )?;
            certificate.clone()
        } else {
            let (ca_key, ca, request) = (path("ca-key.pem"), path("ca.pem"), path("request.pem"));
            openssl(
                &[
                    &["req", "-x509"],
                    &new_key[..],
                    &["-days", "30", "-subj", "/CN=lab authority", "-keyout", &text(&ca_key), "-out", &text(&ca)],
                ]
                .concat(),
            )?;
            openssl(
                &[
                    &["req"],
                    &new_key[..],
                    &["-subj", "/CN=lab/O=Backstay", "-keyout", &text(&key), "-out", &text(&request)],
                ]
                .concat(),
            )?;
            let extensions = path("extensions");
            fs::write(&extensions, names)?;
            // Out of date from its first day on: openssl ends it before it begins.
            let days = if kind == CertificateKind::Expired { "-1" } else { "30" };
            openssl(&[
                "x509",
                "-req",
                "-in",
                &text(&request),
                "-CA",
                &text(&ca),
                "-CAkey",
                &text(&ca_key),
                "-CAcreateserial",
                "-days",
                days,
                "-extfile",
                &text(&extensions),
                "-out",
                &text(&certificate),
            ])?;
            ca
        };
        fs::write(&both, [fs::read(&key)?, fs::read(&certificate)?].concat())?;
        let told = openssl(&["x509", "-in", &text(&certificate), "-noout", "-fingerprint", "-sha256"])?;
        let (_, digits) = told.trim().split_once('=').ok_or_else(|| failed("no fingerprint"))?;
        Ok(Self { both, authority, sha256: digits.replace(':', "").to_ascii_lowercase() })
    }
}

fn openssl(args: &[&str]) -> io::Result<String> {
    let output = Command::new("openssl").args(args).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(format!("openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr))))
}
