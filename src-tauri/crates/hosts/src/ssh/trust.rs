//! Is this the server we mean? Nothing is sent to a host whose key is not trusted.

use super::known_hosts::{KnownKeys, lookup, same_key};
use crate::ConnectOptions;
use backstay_core::host::HostKeyPins;
use backstay_core::{Error, ErrorClass};
use russh::keys::{Algorithm, HashAlg, PublicKey};
use std::borrow::Cow;
use std::sync::Arc;

/// One host's key, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey {
    /// Host name or address, as it was given.
    pub host: String,
    /// Port.
    pub port: u16,
    /// "ssh-ed25519".
    pub algorithm: String,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// What is known of it.
    pub state: HostKeyState,
    /// For a changed key: the fingerprint expected.
    pub expected: Option<String>,
}

/// What is known of a host key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyState {
    /// It was accepted before, and is the same.
    Pinned,
    /// The user's known_hosts tells the same key.
    KnownHosts,
    /// Nobody knows this host yet.
    Unknown,
    /// Another key was expected, or this one is revoked. Everything stops.
    Changed,
}

impl HostKey {
    /// Tells whether the connection may go on.
    pub fn is_trusted(&self) -> bool {
        matches!(self.state, HostKeyState::Pinned | HostKeyState::KnownHosts)
    }

    /// Makes the error that stops the connection, or `None` when the key is trusted.
    pub fn refusal(&self, server: &str) -> Option<Error> {
        let place = format!("{}:{}", self.host, self.port);
        match self.state {
            HostKeyState::Pinned | HostKeyState::KnownHosts => None,
            HostKeyState::Unknown => Some(
                Error::new(
                    ErrorClass::HostKeyUnknown,
                    format!(
                        "Cannot connect to {server}: the host key of {place} is not known yet ({} {})",
                        self.algorithm, self.fingerprint
                    ),
                )
                .hint("Compare the fingerprint with the server's own (ssh-keygen -lf on its host key), then accept it"),
            ),
            HostKeyState::Changed => Some(
                Error::new(
                    ErrorClass::HostKeyChanged,
                    format!(
                        "Cannot connect to {server}: the host key of {place} has changed. Expected {}, but it shows {}",
                        self.expected.as_deref().unwrap_or("another key"),
                        self.fingerprint
                    ),
                )
                .hint(
                    "Somebody may be listening in, or the server was set up anew. Nothing was sent. Ask whoever runs \
                     the server; if the new key is right, accept it where this server or destination is changed: \
                     `backstay server change` or `backstay destination change`, by --fingerprint or --jump-fingerprint",
                ),
            ),
        }
    }
}

/// What is known of one host before it is asked.
pub struct Trust {
    host: String,
    port: u16,
    pinned: Option<String>,
    known: KnownKeys,
}

impl Trust {
    /// Collects what is known: the fingerprint in the connection's settings goes before the pin store, that before
    /// known_hosts.
    pub fn of(
        host: &str,
        port: u16,
        fingerprint: Option<&str>,
        pins: &Arc<dyn HostKeyPins>,
        options: &ConnectOptions,
    ) -> Self {
        let known = options.known_hosts.as_deref().map(|file| lookup(file, host, port)).unwrap_or_default();
        let pinned = fingerprint.map(str::to_owned).or_else(|| pins.pinned(host, port));
        Self { host: host.to_owned(), port, pinned, known }
    }

    /// Judges a key.
    pub fn judge(&self, key: &PublicKey) -> HostKey {
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let (state, expected) = self.state(key, &fingerprint);
        let algorithm = key.algorithm().to_string();
        HostKey { host: self.host.clone(), port: self.port, algorithm, fingerprint, state, expected }
    }

    fn state(&self, key: &PublicKey, fingerprint: &str) -> (HostKeyState, Option<String>) {
        if self.known.revoked.iter().any(|revoked| same_key(revoked, key)) {
            return (HostKeyState::Changed, Some("any key but this one: known_hosts marks it @revoked".to_owned()));
        }
        if let Some(pinned) = &self.pinned {
            // ssh-keygen prints no padding; a pasted fingerprint may carry it.
            return if pinned.trim().trim_end_matches('=') == fingerprint.trim_end_matches('=') {
                (HostKeyState::Pinned, None)
            } else {
                (HostKeyState::Changed, Some(pinned.clone()))
            };
        }
        if self.known.trusted.iter().any(|known| same_key(known, key)) {
            return (HostKeyState::KnownHosts, None);
        }
        match self.known.trusted.iter().find(|known| known.algorithm() == key.algorithm()) {
            Some(known) => (HostKeyState::Changed, Some(known.fingerprint(HashAlg::Sha256).to_string())),
            None => (HostKeyState::Unknown, None),
        }
    }

    /// Returns the host key algorithms to ask for: those known_hosts knows come first, as in OpenSSH, so that a server
    /// with several keys shows one that can be compared.
    pub fn preferred_algorithms(&self) -> Cow<'static, [Algorithm]> {
        let all = russh::Preferred::DEFAULT.key;
        if self.pinned.is_some() || self.known.trusted.is_empty() {
            return all;
        }
        let knows = |algorithm: &Algorithm| {
            self.known.trusted.iter().any(|key| match (key.algorithm(), algorithm) {
                (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
                (known, wanted) => known == *wanted,
            })
        };
        let (mut first, rest): (Vec<_>, Vec<_>) = all.iter().cloned().partition(knows);
        first.extend(rest);
        Cow::Owned(first)
    }

    /// Tells whether a pinned fingerprint may belong to another of the server's keys than the one it shows first.
    pub fn is_pinned(&self) -> bool {
        self.pinned.is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use russh::keys::parse_public_key_base64;

    const ONE: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str = "AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    fn trust(pinned: Option<&str>, trusted: &[&str], revoked: &[&str]) -> Trust {
        let keys = |list: &[&str]| list.iter().map(|key| parse_public_key_base64(key).unwrap()).collect();
        let known = KnownKeys { trusted: keys(trusted), revoked: keys(revoked) };
        Trust { host: "web".into(), port: 22, pinned: pinned.map(str::to_owned), known }
    }

    #[test]
    fn a_pin_goes_before_known_hosts() {
        let one = parse_public_key_base64(ONE).unwrap();
        let print = one.fingerprint(HashAlg::Sha256).to_string();
        assert_eq!(trust(Some(&print), &[TWO], &[]).judge(&one).state, HostKeyState::Pinned);
        let changed = trust(Some("SHA256:other"), &[ONE], &[]).judge(&one);
        assert_eq!((changed.state, changed.expected.as_deref()), (HostKeyState::Changed, Some("SHA256:other")));
        let error = changed.refusal("web-1").unwrap();
        assert_eq!(error.class, ErrorClass::HostKeyChanged);
        assert!(error.message.contains("SHA256:other") && error.message.contains(&print));
    }

    #[test]
    fn known_hosts_decides_without_a_pin() {
        let one = parse_public_key_base64(ONE).unwrap();
        assert_eq!(trust(None, &[ONE], &[]).judge(&one).state, HostKeyState::KnownHosts);
        assert_eq!(trust(None, &[TWO], &[]).judge(&one).state, HostKeyState::Changed);
        assert_eq!(trust(None, &[ONE], &[ONE]).judge(&one).state, HostKeyState::Changed);
        let unknown = trust(None, &[], &[]).judge(&one);
        assert_eq!(unknown.refusal("web-1").unwrap().class, ErrorClass::HostKeyUnknown);
        assert!(unknown.refusal("web-1").unwrap().message.contains(&unknown.fingerprint));
    }
}
